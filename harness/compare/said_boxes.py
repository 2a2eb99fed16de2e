"""What is on one picture, by its labels, by Keras and by every variant: boxes, and in words."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from harness.metrics.task_table import kind_of
from harness.records import Case, Comparison, Detection, Run
from harness.records.names import class_name

MOST = 8  # objects named one by one


@dataclass(frozen=True)
class SaidBoxes:
    """One picture. Boxes are corners in shares of its width and height, (boxes, 4)."""

    labels: np.ndarray
    keras: np.ndarray
    variants: dict[Case, np.ndarray]


def finds_objects(run: Run) -> bool:
    return kind_of(run.task).says == "boxes"


def said_boxes(comparison: Comparison, index: int) -> SaidBoxes:
    run, labels = comparison.run, comparison.run.labels
    own = np.zeros((0, 6)) if labels is None else labels[index][labels[index][:, 4] >= 0]
    cases = {case: shares(run, answers_of(run, rows[index])) for case, rows in comparison.scores.items()}
    return SaidBoxes(shares(run, own), shares(run, answers_of(run, comparison.baseline[index])), cases)


def how_of(run: Run) -> Detection:
    return run.scoring.detection or Detection()


def answers_of(run: Run, rows: np.ndarray) -> np.ndarray:
    """Returns the detections that count as answers."""
    return rows[(rows[:, 4] >= how_of(run).answer_score) & (rows[:, 5] >= 0)]


def shares(run: Run, rows: np.ndarray) -> np.ndarray:
    size = how_of(run).size
    return rows[:, :4] / np.array([size[1], size[0]] * 2) if size else rows[:, :4]


def in_words(run: Run, rows: np.ndarray) -> str:
    """Names what a model finds on a picture, with its scores. rows: its detections."""
    if not np.isfinite(rows).all():
        return "not finite"
    found = [f"{class_name(run, int(row[5]))} ({row[4]:.2f})" for row in answers_of(run, rows)]
    return ", ".join(found[:MOST]) + (f" … ({len(found)} objects)" if len(found) > MOST else "") or "nothing"


def labels_in_words(run: Run, rows: np.ndarray) -> str:
    """Names the objects of a picture. rows: its labels."""
    times = Counter(class_name(run, int(label)) for label in rows[rows[:, 4] >= 0][:, 4])
    return ", ".join(name if count == 1 else f"{count} × {name}" for name, count in times.items()) or "nothing"
