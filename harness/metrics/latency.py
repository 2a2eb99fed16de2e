"""How long an invoke takes: quantiles, the ratio to float32, and what the series themselves allow to be said."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from harness.metrics.registry import Estimate, Metric, Observation, of_case, per_round
from harness.metrics.two_stage import first_of
from harness.metrics.typical import Typical
from harness.records import CONTROL, Round
from harness.records.terms import TASKS, Compared, Task
from harness.statistics import stats

WARMUP_SHARE = 10  # the first tenth of a round's timings against the rest
EMULATED = "the device is emulated: its times do not even keep the order of the variants"
FEWEST_TIMINGS = 20  # of a round, so that its first tenth has a median


@dataclass(frozen=True)
class Paired:
    """Two cases over the rounds that both have."""

    ratio: float  # of their typical rounds
    limits: stats.Interval  # 95 %
    smallest_percent: float | None  # the smallest difference that so many rounds of this spread find with 80 % power;
    # None where they are too odd for that to be known
    rounds: int
    words: str  # how the limits were made


def pair_rounds(own_ns: dict[int, float], other_ns: dict[int, float], first_stage: int | None = None) -> Paired | None:
    """Returns other / own, its limits from paired rounds; None where there are too few shared rounds for limits.

    first_stage: the plan's.
    """
    if len(own_ns.keys() & other_ns.keys()) < 2:
        return None
    pairs = Typical.of_pairs(own_ns, other_ns, first_stage=first_stage)
    limits = pairs.limits()
    return Paired(pairs.value, limits, smallest(pairs), len(pairs), pairs.words()) if limits else None


def smallest(pairs: Typical) -> float | None:
    if pairs.skewed or pairs.correlated:
        return None
    sd, freedom = stats.round_sd(pairs.each, pairs.first)
    return percent(stats.smallest_detectable_effect(len(pairs), sd, freedom))


def percent(logarithm: float) -> float:
    """Converts a difference of logarithms to a percentage."""
    return 100 * math.expm1(logarithm)


def latency_quantile(q: float, compared: Compared = "", in_table: tuple[Task, ...] = ()) -> None:
    of_round, title = partial(quantile_us, q), f"p{100 * q:.0f}"
    name = f"latency_{title}"

    @of_case(Metric(
        name, unit="us", better="lower", title=title, about="latency", of_round=of_round, judged="rounds",
        interval_percent=95, compared=compared, columns=(f"{name}_us",), in_table=in_table,
    
    ))  # fmt: skip
    @per_round
    def latency(o: Observation) -> Estimate:
        return quantile_over_rounds(o, q, of_round)


def quantile_us(q: float, round_: Round) -> float:
    """Returns the q-quantile of one round's timed invokes, in µs."""
    return round_.quantile_ns(q) / 1000


def quantile_over_rounds(o: Observation, q: float, of_round: Callable[[Round], float]) -> Estimate:
    """Returns the quantile of a typical round, and the limits of that, from each round's own quantile."""
    series = [round_.invokes_ns for round_ in o.rounds]
    fewest = min(map(len, series))
    if not stats.estimable(fewest, q):
        return Estimate(method=f"not estimable: a round has {fewest} timings")
    indices = [round_.index for round_ in o.rounds]
    return typical_of([of_round(round_) for round_ in o.rounds], first_of(o.first_stage, indices))


def typical_of(each: list[float], first: int | None) -> Estimate:
    """Returns what a typical round says. each: one value a round, over 0, in the order of time. first: as in
    stats.half_width.
    """
    typical = Typical.of(each, first)
    if len(each) < 2:
        return Estimate(typical.value, method="one round: no interval")
    if (limits := typical.limits()) is None:
        return Estimate(typical.value, method=f"no interval: too few rounds for {typical.words()}")
    return Estimate(typical.value, None, limits.low, limits.high, f"95 %, {typical.words()}")


latency_quantile(0.5, "rounds", TASKS)
latency_quantile(0.9, "rounds", TASKS)
latency_quantile(0.99)


def mean_us(round_: Round) -> float:
    return float(round_.invokes_ns.mean()) / 1000


@of_case(Metric(
    "latency_mean", unit="us", better="lower", title="Mean", about="latency", of_round=mean_us, judged="rounds",
    columns=("latency_mean_us",), interval_percent=95,
))  # fmt: skip
@per_round
def latency_mean(o: Observation) -> Estimate:
    """Returns the mean of a typical round's invokes."""
    return typical_of([mean_us(round_) for round_ in o.rounds], first_of(o.first_stage, (r.index for r in o.rounds)))


@of_case(Metric(
    "speedup_vs_float32", unit="ratio", better="higher", title="Speed-up", about="latency", against="float32",
    judged="rounds", beside=("latency_p50",), interval_percent=95,
    columns=("speedup_vs_float32", "speedup_low", "speedup_high"), in_table=TASKS,
))  # fmt: skip
@per_round
def speedup_vs_float32(o: Observation) -> Estimate:
    """Computes float32's median over the variant's, paired by round."""
    if o.variant.name == CONTROL and not o.emulated:
        return Estimate(1.0, 1.0, method="is the control")
    pair = against_control(o)
    if not isinstance(pair, Paired):
        return pair
    return Estimate(pair.ratio, 1.0, pair.limits.low, pair.limits.high, f"95 %, {pair.words}")


@of_case(Metric(
    "smallest_detectable_effect", unit="%", title="Smallest detectable effect", about="latency", against="float32"
))  # fmt: skip
@per_round
def smallest_detectable_effect(o: Observation) -> Estimate:
    """Computes the difference from float32 that these rounds find four times
    in five; a smaller one is likely missed.
    """
    if o.variant.name == CONTROL:
        return Estimate(method="is the control")
    pair = against_control(o)
    if not isinstance(pair, Paired):
        return pair
    if pair.smallest_percent is None:
        return Estimate(method=f"not known: {pair.words}")
    method = f"two-sided 5 %, 80 % power, {pair.words}"
    return Estimate(pair.smallest_percent, method=method)


@of_case(Metric(
    "speedup_first_attempts", unit="ratio", title="Speed-up, first attempts", about="latency", against="float32",
    interval_percent=95,
))  # fmt: skip
@per_round
def speedup_first_attempts(o: Observation) -> Estimate:
    """Computes the speed-up with the first attempts at rounds that were measured again because they were unsteady."""
    if o.variant.name == CONTROL:
        return Estimate(method="is the control")
    found = against_control(o)
    if isinstance(found, Estimate):
        return found
    assert o.control
    if not (o.first_attempts or o.control.first_attempts):
        return Estimate(method="no unsteady round was measured again")
    first = pair_rounds(o.first_medians_ns, o.control.first_medians_ns, o.first_stage)
    if first is None:
        return Estimate(method="not estimable with the first attempts")
    return Estimate(first.ratio, 1.0, first.limits.low, first.limits.high, f"95 %, {first.words}, first attempts")


def against_control(o: Observation) -> Paired | Estimate:
    """Pairs the case with its control, or returns an Estimate that says why it cannot be."""
    if o.emulated:
        return Estimate(method=EMULATED)
    if o.control is None or not o.control.rounds:
        return Estimate(method="float32 was not timed beside it")
    shared = len(o.medians_ns.keys() & o.control.medians_ns.keys())
    pair = pair_rounds(o.medians_ns, o.control.medians_ns, o.first_stage)
    return pair or Estimate(method=f"not estimable: {shared} paired rounds")


@of_case(Metric("ess_share", unit="fraction", title="ESS / n", about="latency"))
@per_round
def ess_share(o: Observation) -> Estimate:
    """Computes the effective sample size over n, median over rounds:
    how many timings of a round are worth one independent one.

    Under 1/2 the invokes of a process are so correlated that statistics inside it mean little (Geyer 1992); what is
    claimed rests on rounds alone, always.
    """
    shares = [stats.effective_sample_size(r.invokes_ns) / len(r.invokes_ns) for r in o.rounds]
    return Estimate(
        float(np.median(shares)), method=f"Geyer's initial positive sequence, median of {len(shares)} rounds"
    )


@of_case(Metric("warmup_drift", unit="%", title="Warm-up drift", about="latency", interval_percent=95))
@per_round
def warmup_drift(o: Observation) -> Estimate:
    """Computes how much slower the first tenth of a round's timed invokes is than
    the rest. It only shows: nothing is cut.

    Warm-up is fixed beforehand; whether it sufficed is told afterwards, since many processes never reach a steady state
    and cutting until they seem to biases the rest (Barrett et al., OOPSLA 2017). Per round the ratio of the two
    medians; over rounds that of a typical one.
    """
    ratios = [early_over_late(r.invokes_ns) for r in o.rounds if len(r.invokes_ns) >= FEWEST_TIMINGS]
    if not ratios:
        return Estimate(method=f"not estimable: a round has under {FEWEST_TIMINGS} timings")
    first = first_of(o.first_stage, (r.index for r in o.rounds if len(r.invokes_ns) >= FEWEST_TIMINGS))
    drift = typical_of(ratios, first)
    if drift.low is None or drift.high is None or drift.value is None:
        return drift
    value, low, high = (100 * (ratio - 1) for ratio in (drift.value, drift.low, drift.high))
    return Estimate(value, None, low, high, f"first tenth against the rest, {drift.method}")


def early_over_late(ns: np.ndarray) -> float:
    cut = len(ns) // WARMUP_SHARE
    return float(np.median(ns[:cut]) / np.median(ns[cut:]))
