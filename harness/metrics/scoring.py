"""What each of a run's metrics of labels and outputs finds, of its baseline and of its cases."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import cast

import numpy as np

from harness.device.tensors import to_model_input
from harness.metrics.asked import Table
from harness.metrics.discrepancy import variation
from harness.metrics.embedding import OverIdentities
from harness.metrics.fitting import scores_of
from harness.metrics.left_out import LeftOut, left_out, of_sums
from harness.metrics.registry import NO_OUTPUTS, NOT_FINITE, Answers, Metric, OfAnswers, is_wanted
from harness.metrics.task import are_logits, finite, output_index, row_by_row
from harness.metrics.task_table import TaskKind, kind_of
from harness.records import Absent, Affine, Case, Change, Run
from harness.statistics.average_precision import MeanOverClasses
from harness.statistics.bootstrap import Means, Statistic, WithLimits
from harness.statistics.by_area import AreaScore
from harness.statistics.by_class import ClassScore
from harness.statistics.edit_rate import EditRate
from harness.statistics.stats import Interval
from harness.support.arrays import gather, stretches

NOT_OVER_GROUPS = "no limits over groups: identities are left out already, so leave group out of [data]"
CONFIDENCE = 0.90  # two-sided, so that each end is a one-sided 95 % limit


@dataclass(frozen=True)
class Scorer:
    """Scores a run's answers. It holds what does not depend on the case: labels and the baseline's scored output.

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
    def kind(self) -> TaskKind:
        return kind_of(self.run.task)

    @cached_property
    def of_classes(self) -> bool:
        return self.kind.says == "classes"

    @cached_property
    def logits(self) -> bool:
        return self.of_classes and are_logits(self.raw)

    @cached_property
    def baseline(self) -> np.ndarray:
        """What the baseline's outputs say, as the task decodes it; where it has classes, as scores of classes."""
        return self.joined(self.run.baseline)

    @cached_property
    def unknown(self) -> int:
        """How many samples the baseline has no finite answer to."""
        return int((~row_by_row(finite, self.baseline)).sum())

    @cached_property
    def variation(self) -> float:
        """The variation of what the baseline's output says, as the task decodes it (see discrepancy.variation)."""
        return variation(self.baseline)

    @cached_property
    def labels(self) -> np.ndarray | None:
        return self.run.labels

    def scored(self, output: np.ndarray) -> np.ndarray:
        """Returns one case's scored output, or the baseline's, as the task decodes it."""
        output = output.reshape(self.raw.shape) if output.size == self.raw.size else output
        if self.kind.of_input:
            return self.kind.of_input(output, self._first_input)
        return self.kind.decode(output, self.logits)

    def joined(self, every: Sequence[np.ndarray]) -> np.ndarray:
        """Returns what a model's outputs say, as the task decodes them. A task of several outputs does so once."""
        if not self.kind.join:
            return self.scored(every[self.index])
        if id(every) not in self._joined:
            self._joined[id(every)] = every, self.kind.join(self.by_name(every), self.run.scoring)
        return self._joined[id(every)][1]

    @cached_property
    def _joined(self) -> dict[int, tuple[Sequence[np.ndarray], np.ndarray]]:
        return {}

    def rows(self, scored: np.ndarray) -> np.ndarray:
        """Returns a case's table of samples, a row each. scored: its scored output, decoded."""
        return self.kind.rows(self.decoded(scored), self.logits)

    @cached_property
    def metrics_of_answers(self) -> tuple[Metric, ...]:
        of_run = scores_of(self.run.scoring, self.run.task)
        return tuple(metric for metric in of_run if is_wanted(metric.name, self.metrics))

    @cached_property
    def inputs(self) -> Table:
        """What samples bring: one array, or of several inputs a dict by their names. Raises Absent."""
        if len(self.run.inputs) > 1 and not self.run.input_names:
            raise Absent("the run was stored before runs kept the names of several inputs: measure again")
        arrays = {n: as_given(self.run, n) for n in self.run.brought}
        return (
            {self.run.input_names[n]: a for n, a in arrays.items()} if len(arrays) > 1 else arrays[self.run.brought[0]]
        )

    @cached_property
    def _first_input(self) -> np.ndarray:
        return as_given(self.run, 0)

    def by_name(self, every: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        """Returns every output of a model by its name; by its place where the baseline's have none."""
        names = self.run.output_names or tuple(map(str, range(len(every))))
        return dict(zip(names, every, strict=True))

    def statistic(self, metric: Metric, output: np.ndarray, every: Sequence[np.ndarray] = ()) -> Statistic:
        """Returns the metric of one case's scored output. every: all outputs of the case. Raises Absent where there is
        none.
        """
        answers = self.answers(output, metric.raw, every)
        needed = row_by_row(finite, answers.baseline) if metric.raw else True  # a user's function may know NaN
        if (needed & ~row_by_row(finite, answers.outputs)).any():
            raise Absent(NOT_FINITE.method)
        if metric.to_baseline and not metric.raw and self.unknown:
            raise Absent(f"Keras has no finite answer to {self.unknown} of the samples")
        assert metric.statistic
        if self.run.groups is not None:
            return cast(Statistic, self.grouped(metric.statistic, answers, self.run.groups))
        statistic = metric.statistic(answers)
        if not np.isfinite(statistic.value):
            raise Absent("it is not a number")
        return statistic

    @staticmethod
    def grouped(statistic: OfAnswers, answers: Answers, groups: np.ndarray) -> LeftOut:
        """Returns the metric over samples in groups. Raises Absent where it has no value."""
        made = statistic(answers)
        if isinstance(made, OverIdentities):  # all else would take a look at every pair for each group
            return made.without_limits(NOT_OVER_GROUPS)
        if isinstance(made, Means | ClassScore):
            found = of_sums(made, groups)
        elif isinstance(made, AreaScore | MeanOverClasses | EditRate):  # they say what the outputs do, in little
            found = left_out(lambda some: some.value, made, groups)
        else:
            found = left_out(lambda some: statistic(some).value, answers, groups)
        if not np.isfinite(found.value):
            raise Absent("it is not a number")
        return found

    def decoded(self, scored: np.ndarray) -> Answers:
        """Returns the answers of one case; the same ones for the same output as before. scored: decoded."""
        if not (known := [answers for answers in self._last if same_array(answers.outputs, scored)]):
            how = self.run.scoring
            known = [Answers(self.labels, scored, self.baseline, ignore=how.ignore, keypoints=how.keypoints)]
            known = [replace(known[0], queries=self.run.queries, pairs=self.run.pairs)]
            if how.detection:
                known = [replace(known[0], answer_score=how.detection.answer_score)]
            self._last[:] = [*known, *self._last[:1]]  # the case's, and the baseline's
        return known[0]

    def flips(self, scored: np.ndarray, before: np.ndarray) -> np.ndarray:
        """Returns which samples are flips from another model's answers, both decoded, of a task that has flips."""
        assert self.kind.flips
        return self.kind.flips.differ(replace(self.decoded(scored), baseline=before, kept={}))

    def answers(self, output: np.ndarray, raw: bool = False, every: Sequence[np.ndarray] = ()) -> Answers:
        """Returns what a metric is given for one case's scored output. raw: as the model gave it, where it alone says
        something.
        """
        further: dict[str, Callable[[], Table]] = {"inputs": lambda: self.inputs}
        if every:
            further["all_outputs"] = lambda: self.by_name(every)
        if self.kind.join:
            found = self.decoded(self.joined(every))
            return replace(found, further=further) if raw else found
        if not raw:
            return self.decoded(self.scored(output))
        output = output.reshape(self.raw.shape) if output.size == self.raw.size else output
        return Answers(self.labels, output, self.raw, further)

    def baseline_statistic(self, metric: Metric) -> Statistic:
        """Returns the metric of the baseline, computed once. Raises Absent where there is none."""
        if metric.name not in self._of_baseline:
            try:
                self._of_baseline[metric.name] = self.statistic(metric, self.raw, self.run.baseline)
            except Absent as absent:
                self._of_baseline[metric.name] = absent
        kept = self._of_baseline[metric.name]
        if isinstance(kept, Absent):
            raise kept
        return kept

    @cached_property
    def _last(self) -> list[Answers]:
        return []

    @cached_property
    def _of_baseline(self) -> dict[str, Statistic | Absent]:
        return {}

    def changes(self, case: Case, every: Sequence[np.ndarray]) -> list[Change]:
        """Returns the rows of a case: each metric, and how far it is from the baseline's. every: the case's outputs;
        () where it has none.
        """
        return [change for metric in self.metrics_of_answers for change in self.changes_of(metric, case, every)]

    def changes_of(self, metric: Metric, case: Case, every: Sequence[np.ndarray]) -> list[Change]:
        base = self.baseline_or_none(metric)
        before = None if base is None else base.value
        row = Change(case, metric.name, metric.unit, metric.better, "keras", before, None)
        try:
            if not every:
                raise Absent(NO_OUTPUTS.method)
            statistic = self.statistic(metric, every[self.index], every)
        except Absent as absent:
            return [replace(row, method=absent.reason)]
        first = with_limits(replace(row, value=statistic.value), statistic, metric.method)
        if base is None or metric.to_baseline:
            return [first]
        change = replace(row, metric=f"{metric.name}_change", baseline=0.0, value=statistic.value - base.value)
        try:
            return [first, with_limits(change, difference_of(statistic, base), "less Keras', paired by sample")]
        except Absent as absent:
            return [first, replace(change, method=absent.reason)]

    def baseline_or_none(self, metric: Metric) -> Statistic | None:
        try:
            return self.baseline_statistic(metric)
        except Absent:
            return None


def same_array(one: np.ndarray, other: np.ndarray) -> bool:
    """Returns whether both are views of the same numbers."""
    return one.__array_interface__ == other.__array_interface__


def as_given(run: Run, n: int) -> np.ndarray:
    """Returns input n as the models were given it: as it is stored where it has no scale and offset, else float32, in a
    mapped file where it is large.
    """
    stored, affine = run.inputs[n], run.affines[n] if run.affines else Affine()
    if affine == Affine():
        return stored
    parts = (to_model_input(part, affine.scale, affine.offset) for part in stretches(stored))
    return gather(parts, stored.shape, run.path)


def with_limits(change: Change, moved: WithLimits, what: str) -> Change:
    """Returns the change with its limits; where there are none, or they decide nothing, the method says why."""
    try:
        limits = limits_of(moved, CONFIDENCE)
        how = f"{moved.words(CONFIDENCE)}{f'; too little to decide by: {moved.doubt}' if moved.doubt else ''}"
    except Absent as absent:
        return replace(change, method=f"{what}; {absent.reason}")
    return replace(change, low=limits.low, high=limits.high, method=f"{what}; {how}")


def limits_of(moved: WithLimits, confidence: float) -> Interval:
    """Returns two-sided limits. Raises Absent where there are none."""
    with resampling():
        return moved.limits(confidence)


def difference_of(own: Statistic, other: Statistic) -> WithLimits:
    """Returns own − other, paired by sample. Raises Absent where resamples have no value."""
    with resampling():
        return own.less(other)


def growth_of(own: Statistic, other: Statistic) -> WithLimits:
    """Returns (own − other) / other, paired by sample. Raises Absent where resamples have no value."""
    with resampling():
        return own.growth(other)


@contextmanager
def resampling() -> Iterator[None]:
    """Raises Absent where a statistic fails on resamples: a user's function may, on fewer samples than all."""
    try:
        yield
    except Absent as absent:
        raise type(absent)(f"no interval: {absent.reason}", absent.outcome) from absent
    except Exception as error:
        raise Absent(f"no interval: on a resample it raised {type(error).__name__}: {error}") from error
