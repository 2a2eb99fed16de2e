"""How often the two-sided 95 % intervals hold the truth, of metrics whose coverage no closed form says.

    python -m tests.interval_coverage [--tries 1000] [--only WORD] [--seed 0]

Each case draws a test set and the answers of Keras and of a variant. The truths are those of one very large draw. An
end of an interval is where p is half of what the confidence leaves, so whether it holds the truth is asked of the p of
the truth, which is much quicker. Printed are the share that holds it, and those whose limits lie over and under it;
with 1,000 tries the first is off by ± 1.4 points.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from harness.detection.matching import matches_of
from harness.statistics.average_precision import MeanOverClasses, Part
from harness.statistics.bootstrap import Bounded, Called, Statistic
from harness.statistics.by_area import AreaScore
from harness.statistics.partial_area import PartialArea

CONFIDENCE = 0.95
Two = tuple[Statistic, Statistic]  # the variant's, and Keras'
Draw = Callable[[np.random.Generator, int], Two]


@dataclass(frozen=True)
class Made:
    """A metric of test sets of n samples, by itself or as it moved. large: samples of the draw that is the truth."""

    name: str
    draw: Draw
    n: int
    large: int
    moved: bool

    @property
    def truth(self) -> float:
        own, keras = self.draw(np.random.default_rng(1), self.large)
        return own.value - keras.value if self.moved else own.value

    def side(self, rng: np.random.Generator, truth: float) -> int:
        """Returns where the limits of one draw lie: 1 over the truth, −1 under it, 0 around it."""
        own, keras = self.draw(rng, self.n)
        found = own.less(keras) if self.moved else own
        side = 1 if found.value > truth else -1
        return side if found.p(truth, -side) <= (1 - CONFIDENCE) / 2 else 0


# --- what is drawn -------------------------------------------------------------------------------------------------


def areas(share: float) -> Draw:
    """Normal scores of which this share is of anomalies; the variant's have noise."""

    def draw(rng: np.random.Generator, n: int) -> Two:
        positive = rng.random(n) < share
        before = rng.normal(size=n) + 1.5 * positive
        after = before + 0.4 * rng.normal(size=n)
        return PartialArea(positive, after, 0.1), PartialArea(positive, before, 0.1)

    return draw


def found_objects(part: Part) -> Draw:
    """Pictures with up to four objects of three classes, of which nine in ten are found; the variant's boxes have moved
    a little more, and one in ten is lost.
    """

    def draw(rng: np.random.Generator, n: int) -> Two:
        there = np.arange(4) < rng.integers(0, 5, n)[:, None]
        corner, size = rng.uniform(0, 60, (n, 4, 2)), rng.uniform(8, 30, (n, 4, 2))
        label = np.where(there, rng.choice(3, (n, 4), p=(0.5, 0.3, 0.2)), -1)
        wanted = np.concatenate([corner, corner + size, label[..., None], np.zeros((n, 4, 1))], axis=2)
        score = rng.uniform(0.05, 0.95, (n, 4))
        once = wanted[..., :4] + 0.04 * rng.normal(size=(n, 4, 4)) * np.tile(size, 2)
        again = once + 0.04 * rng.normal(size=(n, 4, 4)) * np.tile(size, 2)
        lost, missed = rng.random((2, n, 4)) < np.array([0.1, 0.1])[:, None, None]

        def of(boxes: np.ndarray, kept: np.ndarray) -> Statistic:
            rows = np.concatenate([boxes, (score * kept)[..., None], np.where(kept, label, -1)[..., None]], axis=2)
            return MeanOverClasses(matches_of(wanted, rows.astype(np.float32)), part)

        return of(again, there & ~missed & ~lost), of(once, there & ~missed)

    return draw


def shared_pixels(weight: float) -> Draw:
    """Pictures with up to three classes beside the background, lognormal areas; the variant loses some more pixels."""

    def draw(rng: np.random.Generator, n: int) -> Two:
        often = np.array([0.7, 0.5, 0.3])
        area = ((rng.random((n, 3)) < often) * rng.lognormal(4, 0.5, (n, 3))).astype(int).clip(0, 250)
        before = area - rng.binomial(area, rng.beta(1, 8, area.shape))
        after = before - rng.binomial(before, rng.beta(1, 30, area.shape))
        return of(area, after), of(area, before)

    def of(area: np.ndarray, hits: np.ndarray) -> Statistic:
        background, missed = 1024 - area.sum(axis=1), (area - hits).sum(axis=1)
        columns = [(background, hits), (background, area), (background + missed, hits)]
        right, labels, answers = (np.column_stack(pair) for pair in columns)
        return AreaScore(right, labels, answers, weight)

    return draw


def near_points(rng: np.random.Generator, n: int) -> Two:
    """The OKS of a picture: the mean over eight points of exp(−d²), where one picture in 30 is far off."""
    far = np.where(rng.random((n, 1)) < 1 / 30, 2.0, 0.3)
    before = far * rng.normal(size=(n, 8))
    after = before + 0.15 * rng.normal(size=(n, 8))
    own, keras = (np.exp(-np.square(d)).mean(axis=1) for d in (after, before))
    return Bounded(own, 0, 1), Bounded(keras, 0, 1)


def macro_f1(labels: np.ndarray | None, outputs: np.ndarray) -> float:
    """A user's own: one number of all samples."""
    assert labels is not None
    answers = outputs.astype(int)
    hits, wanted, given = (np.bincount(each, minlength=4) for each in (labels[labels == answers], labels, answers))
    return float((2 * hits / np.maximum(wanted + given, 1)).mean())


def own_f1(rng: np.random.Generator, n: int) -> Two:
    """Four even classes; Keras has nine in ten right, and one answer in 20 of the variant is another."""
    labels = rng.integers(0, 4, n)
    before = np.where(rng.random(n) < 0.1, (labels + rng.integers(1, 4, n)) % 4, labels)
    after = np.where(rng.random(n) < 0.05, rng.integers(0, 4, n), before)
    own, keras = (Called(macro_f1, labels, answers.astype(np.float32)) for answers in (after, before))
    return own, keras


def both(name: str, draw: Draw, n: int, large: int) -> Iterator[Made]:
    yield Made(f"{name}, value", draw, n, large, False)
    yield Made(f"{name}, change", draw, n, large, True)


def cases() -> Iterator[Made]:
    yield from both("anomaly_pauc, half are anomalies", areas(0.5), 600, 2_000_000)
    yield from both("anomaly_pauc, 10 % are", areas(0.1), 1_000, 2_000_000)
    yield from both("ap50", found_objects("ap50"), 300, 6_000)
    yield from both("ar100", found_objects("ar"), 300, 6_000)
    yield from both("dice", shared_pixels(0.5), 300, 400_000)
    yield from both("mean_iou", shared_pixels(1.0), 300, 400_000)
    yield from both("oks", near_points, 300, 2_000_000)
    yield from both("a user's macro F1", own_f1, 300, 4_000_000)


def covered(made: Made, tries: int, seed: int) -> tuple[float, float, float]:
    """Returns the shares of limits that hold the truth, lie over it, and under it."""
    rng, truth = np.random.default_rng([seed, made.n, sum(map(ord, made.name))]), made.truth
    sides = [made.side(rng, truth) for _ in range(tries)]
    over, under = sides.count(1) / tries, sides.count(-1) / tries
    return 1 - over - under, over, under


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--tries", type=int, default=1000)
    parser.add_argument("--only", default="")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    for made in cases():
        if chosen.only in made.name:
            start_s = time.perf_counter()
            shares = covered(made, chosen.tries, chosen.seed)
            ms = 1000 * (time.perf_counter() - start_s) / chosen.tries
            held, over, under = (f"{100 * share:.1f}" for share in shares)
            print(f"{made.name}, n = {made.n}: {held} % hold it, {over} over, {under} under ({ms:.0f} ms)", flush=True)


if __name__ == "__main__":
    main()
