"""What each round says of a row, in the unit of the metric: the replicate is a round, one process; never an invoke."""

from __future__ import annotations

from harness.gate.evidence import Evidence, control
from harness.metrics import METRICS
from harness.records import Case

SPEEDUP = "speedup_vs_float32"


def by_round(metric: str, case: Case, evidence: Evidence, first_attempts: bool = False) -> dict[int, float]:
    """Returns round → its value, for those that have one.
    A speed-up is float32's median over the row's own in the same round. first_attempts: by those at each round.
    """
    if metric == SPEEDUP:
        float32, own = (by_round("latency_p50", c, evidence, first_attempts) for c in (control(case), case))
        return {index: float32[index] / own[index] for index in sorted(float32.keys() & own.keys())}
    of_round = METRICS[metric].of_round
    assert of_round
    run = evidence.comparison.run
    rounds = (run.first_attempts(case) if first_attempts else []) or run.usable_rounds(case)
    values = ((r.index, of_round(r)) for r in rounds)
    return {index: float(value) for index, value in values if value is not None}


def rests_on(metric: str, case: Case) -> tuple[Case, ...]:
    """Returns the rows whose rounds this row's metric is made of."""
    return (case, control(case)) if metric == SPEEDUP else (case,)
