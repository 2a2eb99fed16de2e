"""What labels mean where their dtype does not say it: 0.0 and 1.0 are classes, unless the metrics say otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from harness.data.labels import numbered
from harness.metrics.discrepancy import top1
from harness.metrics.heads import FIRST, adds_up
from harness.metrics.horizon import STEP
from harness.metrics.registry import METRICS
from harness.metrics.scores import NUMBERS, TOP_K, metric_named
from harness.metrics.task import ANOMALIES, EMBEDDINGS, class_count, one_column, row_by_row, whole_below
from harness.metrics.task_table import Given, task_of
from harness.records import Scoring
from harness.records.terms import Task

KNOWN = 0.5  # of the answers must be classes that occur, where an output has columns for further ones

Said = Literal[
    "numbers", "classes", "boxes", "points", "texts", "anomalies", "embeddings", "own", ""
]  # own: labels stay as they are stored; "": the data decide


def said_by(scoring: Scoring) -> Said:
    """Returns what the metrics that are asked for say of the labels: the first that says anything, the primary before
    the others. A metric of the user's own takes the labels as they are stored.
    """
    if scoring.detection:
        return "boxes"
    if scoring.keypoints:
        return "points"
    if scoring.transcription:
        return "texts"
    kinds = [said_by_metric(name) for name in (scoring.primary, *scoring.others) if name]
    undecided: Said = "own" if kinds and "" not in kinds else ""
    return next((kind for kind in kinds if kind in ("numbers", "classes", "anomalies", "embeddings")), undecided)


def said_by_metric(name: str) -> Said:
    if TOP_K.fullmatch(name):
        return "classes"
    if STEP.fullmatch(name):
        return "numbers"
    tasks = METRICS[name].tasks if name in METRICS else ()
    if tasks == ANOMALIES:
        return "anomalies"
    if tasks == EMBEDDINGS:
        return "embeddings"
    if tasks == NUMBERS:
        return "numbers"
    if "classification" in tasks and "regression" not in tasks:
        return "classes"
    return "" if tasks and "custom" not in tasks else "own"  # such as metrics of several labels


def declared_task(scoring: Scoring) -> Task | None:
    """Returns the task that an experiment declares, by a section of its own or by a metric that is of one task alone;
    None where it leaves that to the data.
    """
    sections: tuple[tuple[object, Task], ...] = (
        (scoring.detection, "detection"),
        (scoring.keypoints, "keypoints"),
        (scoring.transcription, "transcription"),
    )
    if of_section := [task for section, task in sections if section]:
        return of_section[0]
    named = [metric_named(name) for name in (scoring.primary, *scoring.others) if name]
    return next((metric.tasks[0] for metric in named if metric and len(metric.tasks) == 1), None)


def supposed_task(labels: np.ndarray) -> Task:
    """Returns the task that labels alone look like, before a model has answered."""
    if labels.ndim == 2 and labels.shape[1] > 1 and labels.dtype.kind in "uif" and whole_below(labels, 2):
        return "multilabel"
    if labels.dtype.kind not in "ui":
        binary = one_column(labels) and labels.dtype.kind == "f" and whole_below(labels, 2)
        return "classification" if binary else "regression"
    of_shape: dict[int, Task] = {1: "classification", 2: "frames"}
    return of_shape.get(labels.ndim, "segmentation")


def as_classes(labels: np.ndarray | None, output: np.ndarray, said: Said) -> np.ndarray | None:
    """Returns labels that are stored as floats as class numbers, int64 (samples,), where they can be nothing else, or
    are 0.0 and 1.0 beside one column. None where they are no floats, no classes, or are said to be something else.
    """
    if labels is None or labels.dtype.kind != "f" or said not in ("classes", "") or not one_column(labels):
        return None
    if not one_column(output) and not adds_up(output[:FIRST]):
        return None
    column = labels.reshape(-1)
    return column.astype(np.int64) if whole_below(column, class_count(output)) else None


def task_for(
    labels: np.ndarray | None, output: np.ndarray, class_names: Sequence[str], said: Said, ignore: float | None = None
) -> Task:
    """Returns the task of labels and the baseline's scored output. Numbers are taken for scores of classes only where
    that shows, or the metrics say it: an embedding has many columns, too.
    """
    told = {"numbers": said == "numbers", "as_stored": said == "own", "boxes": said == "boxes"}
    told |= {"points": said == "points", "texts": said == "texts"}
    told |= {"anomalies": said == "anomalies", "embeddings": said == "embeddings"}
    task = task_of(Given(labels, output, class_names, **told, ignore=ignore))
    named = tuple(class_names) != numbered(len(class_names))
    if labels is None or task != "classification" or said == "classes" or named:
        return task
    return task if scores_classes(labels, output) else "custom"


def scores_classes(labels: np.ndarray, output: np.ndarray) -> bool:
    """Returns whether an output scores the classes that labels are of: it has one column, or one for each class that
    occurs, or its rows are probabilities, or most of its answers are classes that occur.
    """
    occur = int(labels.max()) + 1
    if one_column(output) or occur == class_count(output) or adds_up(output[:FIRST]):
        return True
    return bool((row_by_row(top1, output) < occur).mean() >= KNOWN)
