"""How long an invoke takes: quantiles, the ratio to float32, and what the series themselves allow to be said."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from harness.metrics import stats
from harness.metrics.registry import Estimate, Metric, Observation, of_case, per_round
from harness.metrics.two_stage import first_of, stage_words
from harness.records import CONTROL, Round
from harness.records.terms import TASKS, Compared, Task

WARMUP_SHARE = 10  # the first tenth of a round's timings against the rest
EMULATED = "the device is emulated: its times do not even keep the order of the variants"
FEWEST_TIMINGS = 20  # of a round, so that its first tenth has a median


@dataclass(frozen=True)
class Paired:
    """Two cases over the rounds that both have."""

    ratio: float  # of their medians
    limits: stats.Interval  # 95 %
    smallest_percent: float  # the smallest difference that so many rounds of this spread find with 80 % power
    rounds: int
    stage: str = ""  # in words, whose sd it is


def pair_rounds(own_ns: dict[int, float], other_ns: dict[int, float], first_stage: int | None = None) -> Paired | None:
    """Returns other / own, paired by round, t on the logarithms of the ratios; None under two shared rounds.

    first_stage: the plan's.
    """
    shared = sorted(own_ns.keys() & other_ns.keys())
    if len(shared) < 2:
        return None
    own, other = ([medians[index] for index in shared] for medians in (own_ns, other_ns))
    first = first_of(first_stage, shared)
    ratio, limits = stats.ratio_interval(own, other, first=first)
    sd, freedom = stats.round_sd(np.log(other) - np.log(own), first)
    smallest = percent(stats.smallest_detectable_effect(len(shared), sd, freedom))
    return Paired(ratio, limits, smallest, len(shared), stage_words(len(shared), first))


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
    return float(np.quantile(round_.invokes_ns, q)) / 1000


def quantile_over_rounds(o: Observation, q: float, of_round: Callable[[Round], float]) -> Estimate:
    """Returns the quantile over all timed invokes. Its interval is t on the logarithm of each round's own quantile."""
    series = [round_.invokes_ns for round_ in o.rounds]
    fewest = min(map(len, series))
    if not stats.estimable(fewest, q):
        return Estimate(method=f"not estimable: a round has {fewest} timings")
    value = float(np.quantile(np.concatenate(series), q)) / 1000
    if len(series) < 2:
        return Estimate(value, method="one round: no interval")
    first = first_of(o.first_stage, (round_.index for round_ in o.rounds))
    limits = stats.rounds_interval([of_round(round_) for round_ in o.rounds], first=first)
    method = f"95 %, t on log of {len(series)} rounds{stage_words(len(series), first)}"
    return Estimate(value, None, limits.low, limits.high, method)


latency_quantile(0.5, "rounds", TASKS)
latency_quantile(0.9, "rounds", TASKS)
latency_quantile(0.99)


def mean_us(round_: Round) -> float:
    return float(round_.invokes_ns.mean()) / 1000


@of_case(Metric(
    "latency_mean", unit="us", better="lower", title="Mean", about="latency", of_round=mean_us, judged="rounds",
    columns=("latency_mean_us",),
))  # fmt: skip
@per_round
def latency_mean(o: Observation) -> Estimate:
    value = float(np.concatenate([round_.invokes_ns for round_ in o.rounds]).mean()) / 1000
    return Estimate(value, method="mean of all timed invokes")


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
    method = f"95 %, t on log ratios of {pair.rounds} paired rounds{pair.stage}"
    return Estimate(pair.ratio, 1.0, pair.limits.low, pair.limits.high, method)


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
    method = f"two-sided 5 %, 80 % power, from the sd of the log ratios of {pair.rounds} paired rounds{pair.stage}"
    return Estimate(pair.smallest_percent, method=method)


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
    medians; over rounds their geometric mean, with t on the logarithms.
    """
    ratios = [early_over_late(r.invokes_ns) for r in o.rounds if len(r.invokes_ns) >= FEWEST_TIMINGS]
    if not ratios:
        return Estimate(method=f"not estimable: a round has under {FEWEST_TIMINGS} timings")
    value = percent(float(np.log(ratios).mean()))
    if len(ratios) < 2:
        return Estimate(value, method="one round: no interval")
    first = first_of(o.first_stage, (r.index for r in o.rounds if len(r.invokes_ns) >= FEWEST_TIMINGS))
    limits = stats.rounds_interval(ratios, first=first)
    method = f"first tenth against the rest, 95 %, t on log of {len(ratios)} rounds"
    return Estimate(value, None, 100 * (limits.low - 1), 100 * (limits.high - 1), method)


def early_over_late(ns: np.ndarray) -> float:
    cut = len(ns) // WARMUP_SHARE
    return float(np.median(ns[:cut]) / np.median(ns[cut:]))
