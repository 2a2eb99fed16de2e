"""Two programs' results of the same raw files → whether they agree, and where not, which step each does otherwise.

A difference is named where a step that is known explains it: each program is taken for the combination of steps that
explains its results best, by trying, and a step is named only where the other program's choice explains clearly worse.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from harness.data.preprocessing import picture_steps, sound_steps
from harness.data.preprocessing.steps import Explained, Family, Scale

LOOKED_AT = 8  # files that steps are tried on
ROUNDING, FEW_BEYOND, BEYOND = 1.0, 0.001, 4.0  # in steps of 8 bits: rms, and the share of values that may be further
KNOWN = 4.0  # steps of 8 bits, rms: a program whose results are explained worse is not known
NUMBERS_APART = 1.5  # steps of 8 bits: scales that differ by less are the same


@dataclass(frozen=True)
class Difference:
    """A step that the two programs do otherwise, in words."""

    step: str
    training: str
    device: str


@dataclass(frozen=True)
class Parity:
    """files: how many there were. apart: the indices of those whose results differ by more than rounding. largest,
    rms_steps: the largest difference in the model's units, and the root mean square in steps of 8 bits, over all.
    differences: what was named. left: how well the two programs are explained, rms in steps; () where nothing was
    tried. why: what else is to be said.
    """

    files: int
    apart: tuple[int, ...]
    equal: int
    largest: float
    rms_steps: float
    differences: tuple[Difference, ...] = ()
    left: tuple[float, ...] = ()
    why: str = ""

    @property
    def agrees(self) -> bool:
        return not self.apart and not self.differences


def parity(files: Sequence[Path], training: np.ndarray, device: np.ndarray) -> Parity:
    """Holds the results of two programs against each other. files: the raw files, in the order of the first axis."""
    if training.shape[1:] != device.shape[1:]:
        return of_shapes(files, training, device)
    step = step_of(training, device)
    errors = [np.abs(d.astype(float) - t) / step for t, d in zip(training, device, strict=True)]
    apart = tuple(n for n, error in enumerate(errors) if is_apart(error))
    largest = max((float(np.nanmax(e, initial=0)) for e in errors), default=0.0) * step
    rms = float(np.sqrt(np.mean([np.square(e).mean() for e in errors])))
    found = Parity(len(files), apart, sum(not e.any() for e in errors), largest, rms)
    return named(found, files, training, device) if apart else found


def step_of(training: np.ndarray, device: np.ndarray) -> float:
    """Returns a 255th of the range of training's results: the median of each file's own, so that an odd file does not
    hide what the others show. Where most are constant it is the range of both programs.
    """
    ranges = [float(np.ptp(each)) for each in training]
    finite = [each for each in ranges if np.isfinite(each)]
    if finite and (middle := float(np.median(finite))) > 0:
        return middle / 255
    both = [float(value) for each in (training, device) for value in (np.nanmin(each), np.nanmax(each))]
    return (max(both) - min(both)) / 255 or 1.0


def is_apart(error: np.ndarray) -> bool:
    """Whether a sample differs by more than rounding, or another decoder of the same file, does."""
    rms, beyond = np.sqrt(np.square(error).mean()), (error > BEYOND).mean()
    return not (rms <= ROUNDING and beyond <= FEW_BEYOND)  # NaN is apart, too


def of_shapes(files: Sequence[Path], training: np.ndarray, device: np.ndarray) -> Parity:
    """Names the shapes, and what else differs once the axes are in training's order, or as far as steps show it."""
    shapes = [" × ".join(map(str, array.shape[1:])) for array in (training, device)]
    for axes in ((1, 2, 0), (2, 0, 1), (1, 0)):
        if (
            len(axes) == device.ndim - 1
            and (turned := device.transpose(0, *(n + 1 for n in axes))).shape == training.shape
        ):
            same, order = parity(files, training, turned), Difference("order of the axes", *shapes)
            return replace(same, apart=tuple(range(len(files))), equal=0, differences=(order, *same.differences))
    found = Parity(len(files), tuple(range(len(files))), 0, float("nan"), float("nan"))
    more = named(found, files, training, device)
    return replace(more, differences=(Difference("shape", *shapes), *more.differences))


# --- naming ----------------------------------------------------------------------------------------------------------


def named(found: Parity, files: Sequence[Path], training: np.ndarray, device: np.ndarray) -> Parity:
    chosen = looked_at(len(files), found.apart)
    if not all(np.isfinite(array[chosen]).all() for array in (training, device)):
        return replace(found, why="some results are NaN or infinite")
    both = [explained([files[n] for n in chosen], array[chosen]) for array in (training, device)]
    if both[0] is None or both[1] is None:
        return replace(found, why="no steps are known of such files and results, so the difference is not named")
    one, other = both[0].search(), both[1].search()
    one.take_over(other)
    other.take_over(one)
    why = unexplained(one, other)
    return replace(found, differences=tuple(steps_apart(one, other)), left=(one.left, other.left), why=why)


def explained(files: Sequence[Path], results: np.ndarray) -> Explained | None:
    """Returns what is to be explained; None where no steps are known of such files and results."""
    family = family_of(files, results.shape[1:])
    return Explained(family, as_form(results).reshape(len(results), *form(results.shape[1:]))) if family else None


def looked_at(count: int, apart: Sequence[int]) -> list[int]:
    """Returns the files that steps are tried on: some that differ, and some that do not, spread evenly."""
    same = sorted(set(range(count)) - set(apart))
    half = LOOKED_AT // 2 if same else LOOKED_AT
    return sorted({*spread(apart, half if len(apart) >= half else len(apart)), *spread(same, LOOKED_AT - half)})


def spread(numbers: Sequence[int], count: int) -> list[int]:
    return [numbers[n] for n in np.linspace(0, len(numbers) - 1, min(count, len(numbers))).astype(int)]


def form(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Returns the shape of one result with its channels last: grey pictures and sounds have one."""
    if len(shape) == 3 and shape[0] in (1, 3) and shape[2] not in (1, 3):
        return (*shape[1:], shape[0])
    return shape if shape[-1] in (1, 3) and len(shape) > 1 else (*shape, 1)


def as_form(results: np.ndarray) -> np.ndarray:
    shape = results.shape[1:]
    first = len(shape) == 3 and shape[0] in (1, 3) and shape[2] not in (1, 3)
    return np.asarray(np.moveaxis(results, 1, -1) if first else results, np.float32)


def family_of(files: Sequence[Path], shape: tuple[int, ...]) -> Family | None:
    """Returns what is known of programs that make results of this shape of such files; None for nothing."""
    made, suffixes = form(shape), {path.suffix.lower() for path in files}
    if suffixes <= set(picture_steps.SUFFIXES) and len(made) == 3:
        return picture_steps.family(files, (made[0], made[1], made[2]))
    if suffixes <= set(sound_steps.SUFFIXES) and len(made) == 2:
        return sound_steps.waves(files, made[0])
    if suffixes <= set(sound_steps.SUFFIXES) and len(made) == 3 and made[2] == 1:
        family = sound_steps.spectra(files, made[0], made[1])
        return family if family.steps["frames"] else None
    return None


def steps_apart(training: Explained, device: Explained) -> Iterator[Difference]:
    for step, done in training.choice.items():
        if (other := device.choice.get(step, "")) != done:
            yield Difference(step, done, other)
    yield from numbers_apart(training, device)


def numbers_apart(training: Explained, device: Explained) -> Iterator[Difference]:
    """Yields the scale and offset of values where they differ, and the colour of a border."""
    one, other = training.scale(), device.scale()
    least = max(NUMBERS_APART, training.left, device.left)
    step = training.rendered.step
    if one.apart != other.apart or (not one.apart and gap(one, other, step) > least):
        yield Difference("scale of values", in_words(one, step), in_words(other, step))
    borders = [border(each) for each in (training, device)]
    if borders[0] is not None and borders[1] is not None and abs(borders[0] - borders[1]) > least:
        yield Difference("colour of the border", *(f"{each:.0f} of 255" for each in borders))


def gap(one: Scale, other: Scale, step: float) -> float:
    """Returns how far the two numbers lie apart, in steps of 8 bits, that the same value becomes."""
    ends = np.array([[0.0], [255.0 * step]])
    apart = np.abs((ends * one.slope + one.offset) - (ends * other.slope + other.offset))
    with np.errstate(divide="ignore", invalid="ignore"):  # what is constant has a slope of 0: infinitely far
        return float((apart / np.minimum(np.abs(one.slope), np.abs(other.slope))).max() / step)


def in_words(scale: Scale, step: float) -> str:
    """Returns what becomes of a value, of each channel where they differ: ÷ 127.5 − 1."""
    if scale.apart:
        return "each file by numbers of its own"
    mean = Scale(scale.slope.mean(keepdims=True), scale.offset.mean(keepdims=True))
    alike = gap(scale, mean, step) < NUMBERS_APART
    pairs = zip(*((mean.slope, mean.offset) if alike else (scale.slope, scale.offset)), strict=True)
    return "; ".join(one_in_words(float(slope), float(offset), step) for slope, offset in pairs)


def one_in_words(slope: float, offset: float, step: float) -> str:
    by = 1 / slope if slope else np.inf
    by = half if abs(by - (half := round(2 * by) / 2)) < 0.003 * abs(by) else by
    scaled = "as it is" if abs(by - 1) < 0.003 else f"÷ {by:.4g}" if abs(slope) < 1 else f"× {slope:.4g}"
    if abs(offset) < NUMBERS_APART * abs(slope) * step:
        return scaled
    return f"{scaled} {'+' if offset > 0 else '−'} {abs(offset):.3g}"


def border(explained: Explained) -> float | None:
    """Returns the colour of the border in steps of 8 bits; None where there is none."""
    rendered, scale = explained.rendered, explained.scale()
    if rendered.inside.all() or scale.apart:
        return None
    return float(((explained.results - scale.offset) / scale.slope)[~rendered.inside].mean() / rendered.step)


def unexplained(training: Explained, device: Explained) -> str:
    unknown = [name for name, each in (("training's program", training), ("the device's", device)) if each.left > KNOWN]
    if not unknown:
        return ""
    left = ", ".join(f"{each.left:.1f}" for each in (training, device))
    return (
        f"the known steps do not explain {' and '.join(unknown)} whole (what remains: {left} steps of 255), so there "
        "may be further differences"
    )
