"""What is known of a test set before anything is measured, and what that says of a rule."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from harness.gate.policy import Rule
from harness.gate.simulated import Chances
from harness.metrics import Metric
from harness.metrics.meaning import supposed_task
from harness.metrics.task import one_column
from harness.records import Dataset
from harness.records.terms import Task

NOT_OF_TASK = "{} says nothing of an output whose task is {}"
LOOKS = "the labels look like those of {}, of which {} says nothing: declare the task, by primary under [metrics]"


@dataclass(frozen=True, eq=False)
class Known:
    """What is known of a test set before anything is measured."""

    samples: int
    labels: np.ndarray | None = None
    groups: np.ndarray | None = None  # the group of each sample, (samples,); None where all are independent
    output: str = ""  # that the labels are of, where the model has several; "" where it is not known
    heads: Mapping[str, np.ndarray] = field(default_factory=dict)  # the labels of further outputs, by their names
    tasks: Mapping[str, Task] = field(default_factory=dict)  # by output, those that are known and not supposed
    queries: np.ndarray | None = None  # of embeddings, which samples ask the gallery; None: each asks all others
    pairs: np.ndarray | None = None  # of embeddings, the places of two samples each, (pairs, 2); None: every pair

    @classmethod
    def of(cls, dataset: Dataset, tasks: Mapping[str, Task]) -> Known:
        """tasks: of the outputs whose task is known, by their names; that of the scored one is dataset.labels_of."""
        heads = {name: head.labels for name, head in dataset.heads.items()}
        return cls(
            samples=dataset.test_count,
            labels=dataset.test_labels,
            groups=dataset.groups,
            output=dataset.labels_of,
            heads=heads,
            tasks=tasks,
            queries=dataset.queries,
            pairs=dataset.pairs,
        )

    @property
    def task(self) -> Task | None:
        """The task of the output that the labels are of: the known one, or what they look like; None without labels."""
        return task_of(self.output, self.labels, self.tasks)

    @property
    def every_task(self) -> tuple[Task | None, ...]:
        return (self.task, *(task_of(name, labels, self.tasks) for name, labels in self.heads.items()))

    @property
    def supposed(self) -> dict[str, Task]:
        """The labelled outputs whose task is only supposed, and what it is supposed to be."""
        every = {self.output: self.labels, **self.heads}
        return {name: supposed_task(own) for name, own in every.items() if own is not None and name not in self.tasks}

    @property
    def classes(self) -> np.ndarray | None:
        """The class of each sample, (samples,); None where labels are no classes, or of one output among several."""
        if self.labels is None or self.heads or self.task != "classification" or not one_column(self.labels):
            return None
        return self.labels.reshape(-1).astype(np.int64)

    def each(self, rule: Rule, metric: Metric | None) -> Iterator[Known]:
        """Yields the same by each labelled output that the rule is judged for: none where it names none of them."""
        if not self.heads or metric is None or metric.about != "answers" or metric.of_any_output:
            yield self
            return
        labels = {self.output: self.labels, **self.heads}
        for name in rule.outputs_of(list(labels)):
            own = replace(self, labels=labels[name], output=name, heads={})
            if own.task in metric.tasks:
                yield own

    def why_not(self, metric: Metric) -> str:
        """Returns why the metric says nothing of an output of this task; "" where it does, or the task is not known."""
        if self.output not in self.tasks or self.fits(metric):
            return ""
        return NOT_OF_TASK.format(metric.name, self.task)

    def why_hardly(self, metric: Metric) -> str:
        """Returns the same, or that the labels do not look as if it did."""
        return self.why_not(metric) or ("" if self.fits(metric) else LOOKS.format(self.task, metric.name))

    def fits(self, metric: Metric) -> bool:
        of_labels = metric.about == "answers" and not metric.of_any_output
        return not of_labels or bool(self.heads) or self.task in (None, *metric.tasks)


def task_of(output: str, labels: np.ndarray | None, tasks: Mapping[str, Task]) -> Task | None:
    return tasks.get(output) or (None if labels is None else supposed_task(labels))


@dataclass(frozen=True)
class Foresight:
    """One rule on a test set of so many samples. why: what else can be said, or why nothing can; "" for nothing."""

    rule: int
    words: str
    fewest: int | None = None  # samples with which the best model that there can be passes; None where no number does
    chances: tuple[Chances, ...] = ()
    why: str = ""
    task: Task | None = None  # of the output that it is of; None where no labels say it
    task_supposed: bool = False  # by the labels, since the experiment does not declare it
