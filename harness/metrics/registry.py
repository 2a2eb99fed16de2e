"""What a metric is given, what it answers, and where it is registered."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

import numpy as np

from harness.records import Case, Round, Variant
from harness.records.terms import TASKS, Against, Better, Task


@dataclass(frozen=True)
class Estimate:
    """low and high bound `value`; baseline is the same metric of what the case stands against.

    An Estimate without a value says in `method` why.
    """

    value: float | None = None
    baseline: float | None = None
    low: float | None = None
    high: float | None = None
    method: str = ""


@dataclass(frozen=True)
class Observation:
    """All that is known of one case. scores, baseline: the scored output, (samples, classes) where it scores classes;
    samples: a row a sample (see Comparison).

    scores and samples are None where there are no outputs. labels: None where there are none. control: the same case
    with the variant float32, or None. logits: the scores of classes are not probabilities.
    """

    case: Case
    variant: Variant
    labels: np.ndarray | None
    baseline: np.ndarray
    scores: np.ndarray | None
    samples: np.ndarray | None
    rounds: tuple[Round, ...]
    control: Observation | None
    logits: bool = False
    task: Task = "classification"

    @property
    def medians_ns(self) -> dict[int, float]:
        return medians_ns(self.rounds)


def medians_ns(rounds: Iterable[Round]) -> dict[int, float]:
    """Round → its median ns an invoke, of the rounds that count."""
    return {r.index: r.median_ns for r in rounds if r.counts}


OfRound = Callable[[Round], float | None]


@dataclass(frozen=True)
class Metric:
    """tasks: those that it means something for; a run of another has no row of it. of_round: what one process says of
    it, in its unit, None where it says nothing: whoever compares or gates it takes that as the replicate.
    """

    name: str
    unit: str
    better: Better
    against: Against
    estimate: Callable[[Observation], Estimate]
    tasks: tuple[Task, ...] = TASKS
    of_round: OfRound | None = None


METRICS: dict[str, Metric] = {}
Function = Callable[[Observation], Estimate]

NO_OUTPUTS = Estimate(method="no outputs")
NOT_FINITE = Estimate(method="some scores are not finite")
NO_ROUNDS = Estimate(method="no rounds were timed")


def metric(
    name: str,
    *,
    unit: str,
    better: Better = "",
    against: Against = "",
    tasks: tuple[Task, ...] = TASKS,
    of_round: OfRound | None = None,
) -> Callable[[Function], Function]:
    """Registers a metric. better: lower, higher or "" for neither. against: keras, float32 or "" for nothing."""

    def register(function: Function) -> Function:
        METRICS[name] = Metric(name, unit, better, against, function, tasks, of_round)
        return function

    return register


def wanted(name: str, metrics: Collection[str] | None) -> bool:
    """metrics: the names of those that were asked for; None for all."""
    return metrics is None or name in metrics


def per_sample(function: Callable[[Observation, np.ndarray], Estimate]) -> Function:
    """A metric of the outputs: empty, with the reason, where there are none."""
    return lambda o: NO_OUTPUTS if o.samples is None else function(o, o.samples)


def of_scores(function: Callable[[Observation, np.ndarray], Estimate]) -> Function:
    """A metric of the scores themselves: empty, with the reason, where one is NaN or infinite."""
    return per_sample(
        lambda o, samples: function(o, samples) if np.isfinite(samples["max_abs_diff"]).all() else NOT_FINITE
    )


def per_round(function: Function) -> Function:
    """A metric of the rounds: empty, with the reason, where there are none."""
    return lambda o: function(o) if o.rounds else NO_ROUNDS
