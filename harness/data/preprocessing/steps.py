"""What a program does to raw files, found by trying: of each step that is known, which choice explains its results."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product

import numpy as np

Choice = Mapping[str, str]  # step → what is done there

TOURS = 3  # through all steps, until none changes
CLEARLY, LEAST = 1.25, 0.25  # another choice explains worse by this ratio, and by so many steps of 8 bits


@dataclass(frozen=True)
class Rendered:
    """What a choice makes of the raw files, before its numbers are scaled: (files, …, channels). inside: bool, of the
    same shape without channels: what is no padding. step: a 255th of the range that values may have.
    """

    values: np.ndarray
    inside: np.ndarray
    step: float = 1.0


@dataclass(frozen=True)
class Family:
    """A kind of raw file. steps: each with its choices, the commonest first. together: the steps that are searched as
    one, in this order. render: what a choice makes of the files. roughly: the mean of its channels, of
    small copies, quickly: the steps that are searched first are found by it, whatever the order of channels is.
    """

    steps: Mapping[str, Sequence[str]]
    together: Sequence[tuple[str, ...]]
    render: Callable[[Choice], Rendered]
    roughly: Callable[[Choice], Rendered]


@dataclass(frozen=True)
class Scale:
    """result = value × slope + offset, a number a channel; apart: each file has numbers of its own."""

    slope: np.ndarray
    offset: np.ndarray
    apart: bool = False


@dataclass
class Explained:
    """What explains a program's results (files, …, channels) best."""

    family: Family
    results: np.ndarray
    choice: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.tried: dict[tuple[str, ...], float] = {}
        self.choice = self.choice or {step: choices[0] for step, choices in self.family.steps.items()}

    def search(self) -> Explained:
        """Returns itself, with the best choice that was found."""
        grey = self.results.mean(axis=-1, keepdims=True)
        roughly = self.family.roughly
        self.choice = min(self.others(self.family.together[0]), key=lambda c: left_over(grey, roughly(c)))
        for _ in range(TOURS):
            before = dict(self.choice)
            for together in self.family.together[1:]:
                self.choice = min(self.others(together), key=self.left_by)
            if self.choice == before:
                break
        return self

    def others(self, steps: tuple[str, ...]) -> Iterator[dict[str, str]]:
        """Yields the choice with every combination of these steps, its own first: it stays where none is better."""
        yield self.choice
        for chosen in product(*(self.family.steps[step] for step in steps)):
            yield self.choice | dict(zip(steps, chosen, strict=True))

    @property
    def left(self) -> float:
        """What is not explained, root mean square, in steps of 8 bits."""
        return self.left_by(self.choice)

    def left_by(self, choice: Choice) -> float:
        key = tuple(choice[step] for step in self.family.steps)
        if key not in self.tried:
            self.tried[key] = left_over(self.results, self.family.render(choice))
        return self.tried[key]

    @property
    def rendered(self) -> Rendered:
        return self.family.render(self.choice)

    def scale(self) -> Scale:
        return scale_of(self.results, self.rendered)

    def take_over(self, other: Explained) -> None:
        """Does each step as the other does, where that explains the results no worse."""
        for step, done in other.choice.items():
            if done in self.family.steps.get(step, ()):
                changed = self.choice | {step: done}
                if self.left_by(changed) <= max(self.left * CLEARLY, self.left + LEAST):
                    self.choice = changed


def scale_of(results: np.ndarray, rendered: Rendered) -> Scale:
    """Returns the numbers that bring what was rendered nearest to the results."""
    return best_line(results, rendered)[0]


def left_over(results: np.ndarray, rendered: Rendered) -> float:
    """Returns how far the results lie from what was rendered and scaled, root mean square, as steps of 8 bits. Of two
    explanations that do as well, the one whose channels are scaled alike does better.
    """
    scale, left = best_line(results, rendered)
    return left + LEAST * odd(scale)


def odd(scale: Scale) -> bool:
    """Whether some channel is scaled twice as much as another, or turned around where another is not."""
    low, high = float(scale.slope.min()), float(scale.slope.max())
    return not (0.5 < low / high < 2 if high else False)


def best_line(results: np.ndarray, rendered: Rendered) -> tuple[Scale, float]:
    """Returns the scale by least squares and what it leaves over, of all files together, or of each by itself where
    common numbers do clearly worse.
    """
    axes = tuple(range(1, results.ndim - 1))
    inside = rendered.inside[..., np.newaxis]
    x, y = rendered.values * inside, results * inside
    sums = np.array([np.broadcast_to(inside.sum(axis=axes), (len(x), x.shape[-1])),
                     *((each).sum(axis=axes) for each in (x, y, x * x, y * y, x * y))])  # fmt: skip
    (whole, left), (apart, each_left) = line(sums.sum(axis=1)), line(sums)
    left, each_left = left / rendered.step, each_left / rendered.step
    if len(results) > 1 and each_left * 2 < left and left > 1:
        return replace(apart, apart=True), each_left
    return whole, left


def line(sums: np.ndarray) -> tuple[Scale, float]:
    """Returns the least-squares line of n, Σx, Σy, Σx², Σy², Σxy, and the root mean square of its errors over x."""
    n, x, y, xx, yy, xy = sums
    with np.errstate(divide="ignore", invalid="ignore"):
        spread_x, spread_y, both = xx - x * x / n, yy - y * y / n, xy - x * y / n
        slope = both / spread_x
        squares = np.maximum(spread_y - slope * both, 0) / np.square(slope)
        left = float(np.sqrt(squares.sum() / n.sum()))
        return Scale(slope, (y - slope * x) / n), left if np.isfinite(left) else float("inf")
