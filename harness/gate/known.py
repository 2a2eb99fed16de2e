"""What is known of a test set before anything is measured, and what that says of a rule."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from harness.gate.policy import Rule
from harness.gate.simulated import Chances
from harness.metrics import Metric
from harness.records.terms import Task

SAID: set[Task] = {"detection", "keypoints", "transcription"}


@dataclass(frozen=True, eq=False)
class Known:
    """What is known of a test set before anything is measured."""

    samples: int
    labels: np.ndarray | None = None
    groups: np.ndarray | None = None  # the group of each sample, (samples,); None where all are independent
    output: str = ""  # that the labels are of, where the model has several; "" where it is not known
    heads: Mapping[str, np.ndarray] = field(default_factory=dict)  # the labels of further outputs, by their names
    ways: Mapping[str, Task | None] = field(default_factory=dict)  # by output, what it is decoded for

    @property
    def classes(self) -> np.ndarray | None:
        """The class of each sample, (samples,); None where labels are no classes, or of one output among several."""
        labels = self.labels
        one_each = labels is not None and labels.ndim == 1 and labels.dtype.kind in "ui"
        return labels if one_each and not self.heads else None

    @property
    def all_classes(self) -> bool:
        """Whether the labels of every labelled output are classes, one a sample."""
        each = (self.labels, *self.heads.values())
        return all(labels is not None and labels.ndim == 1 and labels.dtype.kind in "ui" for labels in each)

    def each(self, rule: Rule, metric: Metric | None) -> Iterator[Known]:
        """Yields the same by each labelled output that the rule is judged for: none where it names none of them."""
        if not self.heads or metric is None or metric.about != "answers" or metric.of_any_output:
            yield self
            return
        labels = {self.output: self.labels, **self.heads}
        for name in rule.outputs_of(list(labels)):
            if (own := labels[name]) is not None and fits(metric, own, self.ways.get(name)):
                yield replace(self, labels=own, output=name, heads={})


def fits(metric: Metric, labels: np.ndarray, way: Task | None = None) -> bool:
    """Whether the metric is of such labels: numbers, one class a sample, several labels, or masks; or of what their
    output is decoded for, and of that alone.
    """
    if way or {*metric.tasks} <= SAID:
        return way in metric.tasks
    of_shape = {1: "classification", 2: "multilabel", 3: "segmentation"}
    task = "regression" if labels.dtype.kind == "f" else of_shape.get(labels.ndim, "segmentation")
    return task in metric.tasks or not {*of_shape.values(), "regression"} & {*metric.tasks}


@dataclass(frozen=True)
class Foresight:
    """One rule on a test set of so many samples. why: what else can be said, or why nothing can; "" for nothing."""

    rule: int
    words: str
    fewest: int | None = None  # samples with which the best model that there can be passes; None where no number does
    chances: tuple[Chances, ...] = ()
    why: str = ""
