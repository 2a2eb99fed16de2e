"""How often the gate passes a model whose truth is exactly at its limit: nominally, at most once in twenty.

    python -m tests.false_passes [--tries 1000] [--only WORD]

Each case draws a test set, the baseline's answers and a variant's, and asks the real judge. The truths are sums, closed
forms, or means of two million draws.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from harness.gate.decide import JUDGES
from harness.gate.evidence import Evidence
from harness.gate.judge import resampled
from harness.gate.policy import Limit, Rule
from harness.metrics import METRICS
from harness.records import Absent, Answer, Comparison, Scoring
from harness.records.terms import Against, LimitKind, Task
from harness.statistics.bootstrap import WithLimits
from harness.statistics.stats import Interval
from tests.made_runs import case
from tests.made_tasks import run_of

Answered = tuple[np.ndarray, np.ndarray, np.ndarray]  # labels, the baseline's outputs, the variant's
Draw = Callable[[np.random.Generator, int], Answered]


@dataclass(frozen=True)
class Made:
    """A kind of test set and model, and the limit that its truth lies at."""

    name: str
    metric: str
    kind: LimitKind
    truth: float
    draw: Draw
    sizes: tuple[int, ...] = (50, 100, 300, 1000)


def verdict(metric: str, kind: LimitKind, limit: float, drawn: Answered, confidence: float = 0.95) -> Answer:
    """Asks the real judge of one rule."""
    labels, keras, own = drawn
    task: Task = "classification" if np.issubdtype(labels.dtype, np.integer) else "regression"
    run = run_of(task, labels, keras, {"int8": own}, Scoring())
    evidence = Evidence(Comparison(run, (), (), {}, {case("int8"): (own,)}, keras, {}))
    against: Against = "keras" if kind.startswith("max_") else ""
    rule = Rule(1, metric, Limit(kind, limit, False, f"{limit:g}"), confidence, against=against)
    try:
        judge = JUDGES[METRICS[metric].judged]
        return judge(rule, case("int8"), evidence)
    except Absent as absent:
        return Answer(absent.outcome, reason=absent.reason)


def passes(made: Made, n: int, tries: int, seed: int = 0, easier: float = 0.0) -> tuple[float, float]:
    """Returns the shares of passes and of what is inconclusive. easier: how far the limit is moved to the good side."""
    rng = np.random.default_rng([seed, n, sum(map(ord, made.name))])
    away = -easier if made.kind == "min" else easier
    limit = abs(made.truth) + away if made.kind.startswith("max_") else made.truth + away
    outcomes = [verdict(made.metric, made.kind, limit, made.draw(rng, n)).outcome for _ in range(tries)]
    return outcomes.count("pass") / tries, outcomes.count("inconclusive") / tries


# --- classes -------------------------------------------------------------------------------------------------------


def single(numbers: np.ndarray) -> np.ndarray:
    return numbers.astype(np.float32)


def one_hot(answers: np.ndarray, classes: int) -> np.ndarray:
    return np.eye(classes, dtype=np.float32)[answers]


@dataclass(frozen=True)
class Flips:
    """Classes of which the baseline has a share right, and a variant loses and wins some. Arrays: (classes,)."""

    shares: np.ndarray
    right: np.ndarray
    lost: np.ndarray  # of all samples of the class: right before, then wrong
    won: np.ndarray  # the reverse

    def draw(self, rng: np.random.Generator, n: int) -> Answered:
        k = len(self.shares)
        y = rng.choice(k, n, p=self.shares)
        other = (y + rng.integers(1, k, n)) % k
        u = rng.random(n)
        right = u < self.right[y]
        after = (right & (u >= self.lost[y])) | (~right & (u >= 1 - self.won[y]))
        before, own = (np.where(hit, y, other) for hit in (right, after))
        return y, one_hot(before, k), one_hot(own, k)

    @property
    def after(self) -> np.ndarray:
        return self.right - self.lost + self.won

    def recall(self, right: np.ndarray) -> float:
        return float(right.mean())

    def f1(self, right: np.ndarray) -> float:
        hits = self.shares * right
        wrong = self.shares * (1 - right) / (len(right) - 1)
        return float((2 * hits / (self.shares + hits + wrong.sum() - wrong)).mean())


EVEN = np.full(4, 0.25)
RARE = {"2 %": np.array([0.02, 0.32, 0.33, 0.33]), "5 %": np.array([0.05, 0.31, 0.32, 0.32])}


def of_flips(name: str, flips: Flips) -> Iterator[Made]:
    for metric, of in (("f1", flips.f1), ("balanced_accuracy", flips.recall)):
        yield Made(f"{metric}, {name}", metric, "max_decrease", of(flips.right) - of(flips.after), flips.draw)


def class_cases() -> Iterator[Made]:
    ninety = np.full(4, 0.9)
    yield from of_flips("even, only losses of 2 %", Flips(EVEN, ninety, np.full(4, 0.02), np.zeros(4)))
    yield from of_flips("even, 4 % lost, 2 % won", Flips(EVEN, ninety, np.full(4, 0.04), np.full(4, 0.02)))
    yield from of_flips("even, 12 % lost, 7 % won", Flips(EVEN, ninety, np.full(4, 0.12), np.full(4, 0.07)))
    for rare, shares in RARE.items():
        some = Flips(shares, ninety, np.full(4, 0.03), np.full(4, 0.01))
        yield from of_flips(f"rare {rare}, all lose", some)
        alone = Flips(shares, ninety, np.array([0.2, 0, 0, 0]), np.array([0.0, 0.0, 0, 0]))
        yield from of_flips(f"rare {rare}, it alone loses 20 %", alone)
        mixed = Flips(shares, ninety, np.array([0.12, 0.01, 0.01, 0.01]), np.array([0.02, 0.01, 0.01, 0.01]))
        yield from of_flips(f"rare {rare}, mostly it", mixed)
        value = Flips(shares, np.array([0.8, 0.95, 0.95, 0.95]), np.zeros(4), np.zeros(4))
        yield Made(f"balanced min, rare {rare}", "balanced_accuracy", "min", value.recall(value.right), value.draw)
        yield Made(f"f1 min, rare {rare}", "f1", "min", value.f1(value.right), value.draw)


# --- areas ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Areas:
    """Normal scores of two classes; the variant's have noise. Its area is Φ(distance / √(2 (1 + noise²)))."""

    positive: float
    distance: float
    noise: float

    def area(self, noise: float) -> float:
        return 0.5 * (1 + math.erf(self.distance / math.sqrt(2 * (1 + noise**2)) / math.sqrt(2)))

    def draw(self, rng: np.random.Generator, n: int) -> Answered:
        y = (rng.random(n) < self.positive).astype(int)
        before = y * self.distance + rng.normal(size=n)
        own = before + self.noise * rng.normal(size=n)
        return y, single(np.stack([-before, before], axis=1)), single(np.stack([-own, own], axis=1))


def area_cases() -> Iterator[Made]:
    sizes = {0.5: (100, 1000), 0.1: (100, 300, 1000), 0.03: (1000, 3000)}
    for positive, distance in ((0.5, 1.5), (0.1, 1.5), (0.1, 3), (0.03, 1.5), (0.03, 3.5)):
        made, name = Areas(positive, distance, 0.4), f"auc, {positive:.0%} positive, {distance:g} sd apart"
        drop = made.area(0) - made.area(0.4)
        yield Made(f"{name}, change", "auc", "max_decrease", drop, made.draw, sizes[positive])
        yield Made(f"{name}, min", "auc", "min", made.area(0.4), made.draw, sizes[positive])


# --- numbers -------------------------------------------------------------------------------------------------------

Errors = Callable[[np.random.Generator, int], np.ndarray]
ERRORS: dict[str, Errors] = {
    "normal": lambda rng, n: rng.normal(size=n),
    "exponential": lambda rng, n: rng.exponential(size=n) * rng.choice([-1, 1], n),
    "lognormal": lambda rng, n: rng.lognormal(size=n) * rng.choice([-1, 1], n),
    "t3": lambda rng, n: rng.standard_t(3, size=n),
}
SQUARES = {"normal": 1.0, "exponential": 2.0, "lognormal": math.exp(2), "t3": 3.0}
ABSOLUTES = {
    "normal": math.sqrt(2 / math.pi),
    "exponential": 1.0,
    "lognormal": math.exp(0.5),
    "t3": 2 * math.sqrt(3) / math.pi,
}
SIGNAL = 4.0  # sd of the labels


@dataclass(frozen=True)
class Errs:
    """Outputs whose errors have a known distribution; the variant's are √(1 + growth²) as large."""

    errors: Errors
    growth: float = 0.5

    def draw(self, rng: np.random.Generator, n: int) -> Answered:
        y = SIGNAL * rng.normal(size=n)
        before, more = self.errors(rng, n), self.growth * self.errors(rng, n)
        return single(y), single(y + before)[:, None], single(y + before + more)[:, None]

    def absolute(self) -> float:
        rng = np.random.default_rng(1)
        return float(np.abs(self.errors(rng, 2_000_000) + self.growth * self.errors(rng, 2_000_000)).mean())


def saturated(rng: np.random.Generator, n: int) -> Answered:
    """One output in a hundred is 10 off."""
    y = SIGNAL * rng.normal(size=n)
    before = y + 0.3 * rng.normal(size=n)
    own = before + 0.001 * rng.normal(size=n)
    own = np.where(rng.random(n) < 0.01, y + 10, own)
    return single(y), single(before)[:, None], single(own)[:, None]


def number_cases() -> Iterator[Made]:
    for name, errors in ERRORS.items():
        alone, grown = Errs(errors, 0.0), Errs(errors, 0.5)
        square, absolute = SQUARES[name], ABSOLUTES[name]
        yield Made(f"mae max, {name}", "mae", "max", absolute, alone.draw)
        yield Made(f"rmse max, {name}", "rmse", "max", math.sqrt(square), alone.draw)
        yield Made(f"r2 min, {name}", "r2", "min", 1 - square / SIGNAL**2, alone.draw)
        yield Made(f"mae change, {name}", "mae", "max_increase", grown.absolute() - absolute, grown.draw)
        moved = math.sqrt(1.25 * square) - math.sqrt(square)
        yield Made(f"rmse change, {name}", "rmse", "max_increase", moved, grown.draw)
        yield Made(f"r2 change, {name}", "r2", "max_decrease", 0.25 * square / SIGNAL**2, grown.draw)
    truth = 0.01 * (10 - 0.3 * math.sqrt(2 / math.pi))
    yield Made("mae change, one in 100 saturates", "mae", "max_increase", truth, saturated)


# --- ECE, SQNR ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sure:
    """Two classes whose scores are calibrated, so that Keras' ECE is 0, and a variant's that claim so much more."""

    more: float

    def draw(self, rng: np.random.Generator, n: int) -> Answered:
        sure = rng.uniform(0.6, 0.9, n)
        y = (rng.random(n) < sure).astype(int)
        own = sure + self.more
        return y, single(np.stack([1 - sure, sure], axis=1)), single(np.stack([1 - own, own], axis=1))


def noisy(rng: np.random.Generator, n: int) -> Answered:
    """Numbers with noise of .1 sd: an SQNR of 20 dB."""
    y = rng.normal(size=n)
    return single(y), single(y)[:, None], single(y + 0.1 * rng.normal(size=n))[:, None]


def sample_cases() -> Iterator[Made]:
    yield Made("ece change, 3 pp", "ece", "max_increase", 0.03, Sure(0.03).draw, (300, 1000, 3000))
    yield Made("ece max, 5 pp", "ece", "max", 0.05, Sure(0.05).draw, (300, 1000, 3000))
    yield Made("sqnr min, 20 dB", "sqnr", "min", 20.0, noisy)


CASES = {made.name: made for cases in (class_cases, area_cases, number_cases, sample_cases) for made in cases()}


def nothing_shown(moved: WithLimits, confidence: float) -> Interval:
    """Stands for the limits that a finding shows: the outcome needs them not, and they take most of the time."""
    return Interval(moved.value, moved.value)


def main() -> None:
    resampled.limits_of = nothing_shown
    parser = argparse.ArgumentParser()
    parser.add_argument("--tries", type=int, default=1000)
    parser.add_argument("--only", default="")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--easier", type=float, default=0.0, help="power: how far the limit is from the truth")
    parser.add_argument("--sizes", default="", help="such as 300,1000")
    chosen = parser.parse_args()
    for name, made in CASES.items():
        if chosen.only not in name:
            continue
        shown = []
        for n in [int(n) for n in chosen.sizes.split(",") if n] or made.sizes:
            start_s = time.perf_counter()
            passed, unsure = passes(made, n, chosen.tries, chosen.seed, chosen.easier)
            ms = 1000 * (time.perf_counter() - start_s) / chosen.tries
            shown.append(f"n={n}: {100 * passed:.1f} ({100 * unsure:.0f} inconclusive, {ms:.0f} ms)")
        print(f"{name} [{made.truth:.4f}]: {'; '.join(shown)}", flush=True)


if __name__ == "__main__":
    main()
