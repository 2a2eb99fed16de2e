"""Boxes: worked out by hand, and by loops that know nothing of arrays."""

from __future__ import annotations

import numpy as np
import pytest

from harness.detection.boxes import as_corners, overlaps, suppressed

CORNERS = [[10.0, 20.0, 30.0, 60.0]]


@pytest.mark.parametrize(
    ("form", "row"),
    [("xyxy", (10, 20, 30, 60)), ("yxyx", (20, 10, 60, 30)), ("xywh", (10, 20, 20, 40)), ("cxcywh", (20, 40, 20, 40))],
)
def test_every_format_is_of_the_same_box(form, row):
    assert as_corners(np.array([row], float), form).tolist() == CORNERS


def iou(one, other) -> float:
    """By counting the cells of a grid."""
    cells = [{(x, y) for x in range(b[0], b[2]) for y in range(b[1], b[3])} for b in (one, other)]
    whole = len(cells[0] | cells[1])
    return len(cells[0] & cells[1]) / whole if whole else 0.0


def boxes(count: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    start = rng.integers(0, 12, (count, 2))
    return np.concatenate([start, start + rng.integers(0, 9, (count, 2))], axis=1)


def test_overlap_is_the_share_of_cells_that_both_cover():
    one, other = boxes(30, 1), boxes(20, 2)
    wanted = [[iou(a, b) for b in other.tolist()] for a in one.tolist()]
    assert overlaps(one, other) == pytest.approx(np.array(wanted))


def test_a_crowd_is_overlapped_by_the_share_of_the_box_that_lies_in_it():
    assert overlaps(np.array([[0, 0, 4, 4]]), np.array([[2, 0, 100, 100]]), np.array([True])).tolist() == [[0.5]]


def suppressed_by_loops(corners, scores, classes, threshold) -> list[int]:
    left, kept = list(range(len(scores))), []
    while left:
        best = max(left, key=lambda n: (scores[n], -n))
        kept.append(best)
        left = [
            n
            for n in left
            if n != best and not (classes[n] == classes[best] and iou(corners[n], corners[best]) > threshold)
        ]
    return kept


@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.5, 0.99])
def test_suppression_keeps_what_loops_keep(threshold):
    for seed in range(20):
        rng = np.random.default_rng(seed)
        corners, scores, classes = boxes(25, seed), rng.integers(0, 9, 25) / 8, rng.integers(0, 3, 25)
        wanted = suppressed_by_loops(corners.tolist(), scores.tolist(), classes.tolist(), threshold)
        assert suppressed(corners, scores, classes, threshold).tolist() == wanted
