"""What is measured of a case, each metric once: name, unit, which way is better, against what, how.

A metric is a function from an Observation to an Estimate; compare.py calls them all, and report and gate read the rows.
An Estimate without a value says in `method` why.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from harness import stats
from harness.records import Case, Round, Variant


@dataclass(frozen=True)
class Estimate:
    """low and high bound `value`; baseline is the same metric of what the case stands against."""

    value: float | None = None
    baseline: float | None = None
    low: float | None = None
    high: float | None = None
    method: str = ""


@dataclass(frozen=True)
class Observation:
    """All that is known of one case. scores, baseline: (samples, classes); samples: the case's rows of samples.parquet.

    scores and samples are None where no outputs could be had. control: the same case with the variant float32, or None.
    """

    case: Case
    variant: Variant
    labels: np.ndarray
    baseline: np.ndarray
    scores: np.ndarray | None
    samples: pd.DataFrame | None
    rounds: tuple[Round, ...]
    control: Observation | None

    @cached_property
    def invokes_ns(self) -> dict[int, np.ndarray]:
        """Round → ns an invoke, one entry a timing."""
        return {r.index: r.timings["timed"][:, 1] / r.timings["timed"][:, 0] for r in self.rounds}

    @cached_property
    def medians_ns(self) -> dict[int, float]:
        return {index: float(np.median(ns)) for index, ns in self.invokes_ns.items()}


@dataclass(frozen=True)
class Metric:
    name: str
    unit: str
    better: str
    against: str
    estimate: Callable[[Observation], Estimate]


METRICS: dict[str, Metric] = {}
Function = Callable[[Observation], Estimate]

NO_OUTPUTS = Estimate(method="no outputs")
NOT_FINITE = Estimate(method="some scores are not finite")
NO_ROUNDS = Estimate(method="no rounds were timed")


def metric(name: str, *, unit: str, better: str = "", against: str = "") -> Callable[[Function], Function]:
    """Registers a metric. better: lower, higher or "" for neither. against: keras, float32 or "" for nothing."""

    def register(function: Function) -> Function:
        METRICS[name] = Metric(name, unit, better, against, function)
        return function

    return register


def per_sample(function: Callable[[Observation, pd.DataFrame], Estimate]) -> Function:
    """A metric of the outputs: empty, with the reason, where there are none."""
    return lambda o: NO_OUTPUTS if o.samples is None else function(o, o.samples)


def of_scores(function: Callable[[Observation, pd.DataFrame], Estimate]) -> Function:
    """A metric of the scores themselves: empty, with the reason, where one is NaN or infinite."""
    return per_sample(lambda o, samples: NOT_FINITE if (samples.prediction < 0).any() else function(o, samples))


def per_round(function: Function) -> Function:
    """A metric of the rounds: empty, with the reason, where there are none."""
    return lambda o: function(o) if o.rounds else NO_ROUNDS


@metric("accuracy", unit="fraction", better="higher", against="keras")
@per_sample
def accuracy(o: Observation, samples: pd.DataFrame) -> Estimate:
    method = f"top-1 of {len(samples)} samples at batch 1"
    return Estimate(float(samples.correct.mean()), float(samples.baseline_correct.mean()), method=method)


@metric("accuracy_drop", unit="pp", better="lower", against="keras")
@per_sample
def accuracy_drop(o: Observation, samples: pd.DataFrame) -> Estimate:
    """(b − c) / n in percentage points; positive is bad. Its baseline is Keras' own drop: none."""
    lost, won = discordant(samples)
    n = len(samples)
    limits = stats.tango(lost, won, n)
    method = f"Tango 90 %, b={lost} c={won} n={n}"
    return Estimate(100 * (lost - won) / n, 0.0, 100 * limits.low, 100 * limits.high, method)


def discordant(samples: pd.DataFrame) -> tuple[int, int]:
    """(b, c): baseline right and variant wrong; the reverse."""
    lost = samples.baseline_correct & ~samples.correct
    won = ~samples.baseline_correct & samples.correct
    return int(lost.sum()), int(won.sum())


@metric("mcnemar_p", unit="probability", against="keras")
@per_sample
def mcnemar_p(o: Observation, samples: pd.DataFrame) -> Estimate:
    return Estimate(stats.mcnemar_exact(*discordant(samples)), method="McNemar exact; shown, never gated on")


@metric("flips", unit="count", better="lower", against="keras")
@per_sample
def flips(o: Observation, samples: pd.DataFrame) -> Estimate:
    return Estimate(float(samples.flip.sum()), 0.0, method="top-1 differs from Keras, right or wrong")


@metric("flip_rate", unit="fraction", better="lower", against="keras")
@per_sample
def flip_rate(o: Observation, samples: pd.DataFrame) -> Estimate:
    return Estimate(float(samples.flip.mean()), 0.0, method="flips / samples")


@metric("max_abs_diff", unit="score", better="lower", against="keras")
@of_scores
def max_abs_diff(o: Observation, samples: pd.DataFrame) -> Estimate:
    return Estimate(float(samples.max_abs_diff.max()), 0.0, method="largest |Δ| of any score of any sample")


@metric("js_p99", unit="bits", better="lower", against="keras")
@of_scores
def js_p99(o: Observation, samples: pd.DataFrame) -> Estimate:
    return Estimate(float(samples.js_divergence.quantile(0.99)), 0.0, method="Jensen–Shannon, p99 over samples")


@metric("ties", unit="count", better="lower")
@per_sample
def ties(o: Observation, samples: pd.DataFrame) -> Estimate:
    return Estimate(float(samples.tie.sum()), method="samples whose two highest scores are equal; the first one counts")


@metric("sqnr", unit="dB", better="higher", against="keras")
@of_scores
def sqnr(o: Observation, samples: pd.DataFrame) -> Estimate:
    assert o.scores is not None
    if np.array_equal(o.baseline, o.scores):
        return Estimate(method="outputs are equal: no noise")
    return Estimate(stats.sqnr_db(o.baseline, o.scores), method="10·log10(Σx²/Σ(x−y)²) over all scores")


@metric("ece", unit="fraction", better="lower", against="keras")
@of_scores
def ece(o: Observation, samples: pd.DataFrame) -> Estimate:
    assert o.scores is not None
    calibration = [stats.expected_calibration_error(scores, o.labels) for scores in (o.scores, o.baseline)]
    return Estimate(calibration[0], calibration[1], method="15 equal bins")


@metric("size_bytes", unit="bytes", better="lower", against="float32")
def size_bytes(o: Observation) -> Estimate:
    control = o.control.variant.size_bytes if o.control else None
    return Estimate(o.variant.size_bytes, control, method=".tflite file")


def latency_quantile(name: str, q: float) -> None:
    @metric(name, unit="us", better="lower")
    @per_round
    def latency(o: Observation) -> Estimate:
        return quantile_over_rounds(o, q)


def quantile_over_rounds(o: Observation, q: float) -> Estimate:
    """The quantile over all timed invokes; its interval from each round's own quantile, t on the logarithm."""
    series = list(o.invokes_ns.values())
    fewest = min(map(len, series))
    if not stats.estimable(fewest, q):
        return Estimate(method=f"not estimable: a round has {fewest} timings")
    value = float(np.quantile(np.concatenate(series), q)) / 1000
    if len(series) < 2:
        return Estimate(value, method="one round: no interval")
    limits = stats.rounds_interval([np.quantile(ns, q) / 1000 for ns in series])
    return Estimate(value, None, limits.low, limits.high, f"95 %, t on log of {len(series)} rounds")


latency_quantile("latency_p50", 0.5)
latency_quantile("latency_p90", 0.9)
latency_quantile("latency_p99", 0.99)


@metric("latency_mean", unit="us", better="lower")
@per_round
def latency_mean(o: Observation) -> Estimate:
    return Estimate(
        float(np.concatenate(list(o.invokes_ns.values())).mean()) / 1000, method="mean of all timed invokes"
    )


@metric("speedup_vs_float32", unit="ratio", better="higher", against="float32")
@per_round
def speedup_vs_float32(o: Observation) -> Estimate:
    """Median of float32 over median of the variant, paired by round."""
    if o.variant.name == "float32":
        return Estimate(1.0, 1.0, method="is the control")
    if o.control is None or not o.control.rounds:
        return Estimate(method="float32 was not timed beside it")
    shared = sorted(o.medians_ns.keys() & o.control.medians_ns.keys())
    if len(shared) < 2:
        return Estimate(method=f"not estimable: {len(shared)} paired rounds")
    own, control = ([medians[index] for index in shared] for medians in (o.medians_ns, o.control.medians_ns))
    ratio, limits = stats.ratio_interval(own, control)
    return Estimate(ratio, 1.0, limits.low, limits.high, f"95 %, t on log ratios of {len(shared)} paired rounds")


@metric("load", unit="ms", better="lower")
@per_round
def load(o: Observation) -> Estimate:
    """Read the file, create the interpreter, allocate: what comes before the first invoke, the import aside."""
    values = [sum(r.timings[p][:, 1].sum() for p in ("load", "create", "allocate")) / 1e6 for r in o.rounds]
    return Estimate(float(np.median(values)), method=f"median of {len(values)} processes: read, create, allocate")


@metric("first_invoke", unit="ms", better="lower")
@per_round
def first_invoke(o: Observation) -> Estimate:
    values = [r.timings["first"][0, 1] / 1e6 for r in o.rounds]
    return Estimate(float(np.median(values)), method=f"median of {len(values)} processes")


@metric("peak_rss", unit="bytes", better="lower")
@per_round
def peak_rss(o: Observation) -> Estimate:
    return memory_estimate(
        [r.memory_bytes.get("first", {}).get("VmHWM") for r in o.rounds], "VmHWM after the first invoke"
    )


@metric("model_rss", unit="bytes", better="lower")
@per_round
def model_rss(o: Observation) -> Estimate:
    return memory_estimate(
        [anonymous_growth(r) for r in o.rounds], "RssAnon after the first invoke less before the model"
    )


def anonymous_growth(piece: Round) -> int | None:
    points = [piece.memory_bytes.get(name, {}).get("RssAnon") for name in ("runtime", "first")]
    return None if points[0] is None or points[1] is None else points[1] - points[0]


def memory_estimate(values: list[int | None], what: str) -> Estimate:
    known = [value for value in values if value is not None]
    if not known:
        return Estimate(method="unknown: no /proc on this device")
    return Estimate(float(np.median(known)), method=f"{what}, median of {len(known)} processes")
