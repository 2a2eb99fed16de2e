"""What each of a run's metrics of labels and outputs finds, of its baseline and of its cases."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

import numpy as np

from harness.metrics.bootstrap import NoLimitsError, Statistic, bca, difference
from harness.metrics.discrepancy import variation
from harness.metrics.fitting import scores_of
from harness.metrics.registry import NO_OUTPUTS, NOT_FINITE, wanted
from harness.metrics.scores import Answers, Score, ScoreError
from harness.metrics.stats import Interval
from harness.metrics.task import OF_CLASSES, are_logits, as_scores, finite, output_index, row_by_row
from harness.records import Case, Change, Comparison, Run

Found = TypeVar("Found")
CONFIDENCE = 0.90  # two-sided, so that each end is a one-sided 95 % limit


@dataclass(frozen=True)
class Scorer:
    """What is known of a run's answers, before any case: labels and the baseline's scored output.

    metrics: the names of those that are wanted; None for all.
    """

    run: Run
    metrics: Collection[str] | None = None

    @cached_property
    def index(self) -> int:
        return output_index(self.run.scoring.output, self.run.output_names)

    @cached_property
    def raw(self) -> np.ndarray:
        """The baseline's scored output as the model gave it."""
        return self.run.baseline[self.index]

    @cached_property
    def of_classes(self) -> bool:
        return self.run.task in OF_CLASSES

    @cached_property
    def logits(self) -> bool:
        return self.of_classes and are_logits(self.raw)

    @cached_property
    def baseline(self) -> np.ndarray:
        """As scores of classes, where it is of classes."""
        return self.scored(self.raw)

    @cached_property
    def unknown(self) -> int:
        """How many samples the baseline has no finite answer to."""
        return int((~row_by_row(finite, self.baseline)).sum())

    @cached_property
    def variation(self) -> float:
        """The variation of the baseline's raw output (see samples.variation)."""
        return variation(self.raw)

    @cached_property
    def labels(self) -> np.ndarray | None:
        return self.run.labels

    def scored(self, output: np.ndarray) -> np.ndarray:
        """One case's scored output, or the baseline's, as scores of classes where it is of classes."""
        output = output.reshape(self.raw.shape) if output.size == self.raw.size else output
        return as_scores(output, self.logits) if self.of_classes else output

    @cached_property
    def scores(self) -> tuple[Score, ...]:
        of_run = scores_of(self.run.scoring, self.run.task)
        return tuple(score for score in of_run if wanted(score.name, self.metrics))

    def statistic(self, score: Score, output: np.ndarray) -> Statistic | str:
        """The metric of one case's scored output, or why there is none."""
        output = output.reshape(self.raw.shape) if output.size == self.raw.size else output
        given, base = (output, self.raw) if score.raw else (self.scored(output), self.baseline)
        wanted = row_by_row(finite, base) if score.raw else True  # a user's function may know what NaN means
        if (wanted & ~row_by_row(finite, given)).any():
            return NOT_FINITE.method
        try:
            found = score.of(Answers(self.labels, given, base))
            return found if np.isfinite(found.value) else "it is not a number"
        except ScoreError as error:
            return str(error)

    @cached_property
    def expected(self) -> dict[str, Statistic | str]:
        """Each metric of the baseline."""
        return {score.name: self.statistic(score, self.raw) for score in self.scores}

    def changes(self, case: Case, output: np.ndarray | None) -> list[Change]:
        """The rows of a case: each metric, and how far it is from the baseline's."""
        return [change for score in self.scores for change in self.changes_of(score, case, output)]

    def changes_of(self, score: Score, case: Case, output: np.ndarray | None) -> list[Change]:
        found = NO_OUTPUTS.method if output is None else self.statistic(score, output)
        base = self.expected[score.name]
        before = None if isinstance(base, str) else base.value if score.paired else 0.0
        row = Change(case, score.name, score.unit, score.better, "keras", before, None)
        if isinstance(found, str):
            return [replace(row, method=found)]
        own = bounded(replace(row, value=found.value), found, score.method)
        if isinstance(base, str) or not score.paired:
            return [own]
        moved = difference_of(found, base)
        apart = replace(row, metric=f"{score.name}_change", baseline=0.0, value=found.value - base.value)
        if isinstance(moved, str):
            return [own, replace(apart, method=moved)]
        return [own, bounded(apart, moved, "less Keras', paired by sample")]


def statistic_of(score: Score, comparison: Comparison, case: Case) -> Statistic | str:
    """The metric of a row's outputs, which all its thread counts share, or why there is none."""
    scorer = Scorer(comparison.run)
    outputs = comparison.outputs.get(comparison.run.accuracy_case(case))
    return f"{case.variant} has no answers there" if outputs is None else scorer.statistic(score, outputs[scorer.index])


def bounded(change: Change, statistic: Statistic, what: str) -> Change:
    """With its limits; where it has none, the method says why."""
    limits = limits_of(statistic, CONFIDENCE)
    if isinstance(limits, str):
        return replace(change, method=f"{what}; {limits}")
    return replace(change, low=limits.low, high=limits.high, method=f"{what}; {resampled(statistic, CONFIDENCE)}")


def resampled(statistic: Statistic, confidence: float) -> str:
    """How limits were found, in words."""
    return f"BCa {100 * confidence:g} %, {len(statistic.replicates):,} resamples"


def limits_of(statistic: Statistic, confidence: float) -> Interval | str:
    """BCa limits, or why there are none. A user's function may fail on fewer samples than all."""
    return or_reason(lambda: bca(statistic, confidence))


def difference_of(own: Statistic, other: Statistic) -> Statistic | str:
    return or_reason(lambda: difference(own, other))


def or_reason(resampled: Callable[[], Found]) -> Found | str:
    try:
        return resampled()
    except (NoLimitsError, ScoreError) as error:
        return f"no interval: {error}"
    except Exception as error:
        return f"no interval: on a resample it raised {type(error).__name__}: {error}"
