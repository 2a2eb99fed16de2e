"""What each round says of a row, in the unit of the metric: the replicate is a round, one process; never an invoke."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from harness.gate.evidence import Evidence, control
from harness.metrics.process import anonymous_growth
from harness.metrics.registry import invokes_ns
from harness.records import Case, Round

Series = Callable[[Round], float | None]
SPEEDUP = "speedup_vs_float32"


def quantile(q: float, piece: Round) -> float:
    return float(np.quantile(invokes_ns(piece), q)) / 1e3


def mean(piece: Round) -> float:
    return float(invokes_ns(piece).mean()) / 1e3


def cold(phases: tuple[str, ...], piece: Round) -> float | None:
    if any(not len(piece.timings.get(phase, ())) for phase in phases):
        return None
    return sum(float(piece.timings[phase][:, 1].sum()) for phase in phases) / 1e6


def peak(piece: Round) -> float | None:
    return piece.memory_bytes.get("first", {}).get("VmHWM")


def series_median(phase: str, piece: Round) -> float | None:
    return float(np.median(piece.timings[phase][:, 1])) / 1e3 if len(piece.timings.get(phase, ())) else None


SERIES: dict[str, Series] = {
    "latency_p50": partial(quantile, 0.5),
    "latency_p90": partial(quantile, 0.9),
    "latency_p99": partial(quantile, 0.99),
    "latency_mean": mean,
    "load": partial(cold, ("load", "create", "allocate")),
    "first_invoke": partial(cold, ("first",)),
    "set_input": partial(series_median, "set_input"),
    "get_output": partial(series_median, "get_output"),
    "peak_rss": peak,
    "model_rss": anonymous_growth,
}
TIMED = (*SERIES, SPEEDUP)  # the metrics that rest on rounds


def by_round(metric: str, case: Case, evidence: Evidence) -> dict[int, float]:
    """Round → its value, of those that have one. A speed-up: float32's median over the row's own in the same round."""
    if metric == SPEEDUP:
        float32, own = (by_round("latency_p50", c, evidence) for c in (control(case), case))
        return {index: float32[index] / own[index] for index in sorted(float32.keys() & own.keys())}
    found = ((r.index, SERIES[metric](r)) for r in evidence.rounds(case))
    return {index: float(value) for index, value in found if value is not None}


def rests_on(metric: str, case: Case) -> tuple[Case, ...]:
    """The rows whose rounds the metric of this one is made of."""
    return (case, control(case)) if metric == SPEEDUP else (case,)
