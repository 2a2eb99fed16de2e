"""What is on one picture, by its labels, by Keras and by every variant: boxes, or points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.metrics.detection_rows import how_of, that_count
from harness.metrics.task_table import kind_of
from harness.records import Case, Comparison, Run


@dataclass(frozen=True)
class SaidBoxes:
    """One picture. Boxes are corners in shares of its width and height, (boxes, 4); points are (points, 2), NaN where
    one has no label.
    """

    labels: np.ndarray
    keras: np.ndarray
    variants: dict[Case, np.ndarray]


def on_picture(run: Run) -> bool:
    """Returns whether answers have their place on the picture."""
    return kind_of(run.task).says in ("boxes", "points")


def said_boxes(comparison: Comparison, index: int) -> SaidBoxes:
    run, labels = comparison.run, comparison.run.labels
    if how := run.scoring.keypoints:
        size = np.array(how.size[::-1])
        wanted = (
            np.zeros((0, 2))
            if labels is None
            else np.where(labels[index][:, 2:3] > 0, labels[index][:, :2] / size, np.nan)
        )
        found = {case: rows[index][:, :2] / size for case, rows in comparison.scores.items()}
        return SaidBoxes(wanted, comparison.baseline[index][:, :2] / size, found)
    own = np.zeros((0, 6)) if labels is None else labels[index][labels[index][:, 4] >= 0]
    cases = {case: shares(run, that_count(run, rows[index])) for case, rows in comparison.scores.items()}
    return SaidBoxes(shares(run, own), shares(run, that_count(run, comparison.baseline[index])), cases)


def shares(run: Run, rows: np.ndarray) -> np.ndarray:
    size = how_of(run).size
    return rows[:, :4] / np.array([size[1], size[0]] * 2) if size else rows[:, :4]
