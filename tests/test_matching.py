"""Detections of two models are paired; that matches with objects are COCO's is shown in test_average_precision.py."""

from __future__ import annotations

import numpy as np
import pytest

from harness.detection.matching import THRESHOLDS, matches_of, pairs_of

BOXES = np.array([[0, 0, 10, 10, 0.9, 1], [20, 20, 40, 40, 0.8, 2], [60, 60, 70, 70, 0.4, 1]], np.float32)


def scaled(rows: np.ndarray, by: float) -> np.ndarray:
    """About their own centres."""
    centre, half = (rows[:, :2] + rows[:, 2:4]) / 2, by * (rows[:, 2:4] - rows[:, :2]) / 2
    return np.concatenate([centre - half, centre + half, rows[:, 4:]], axis=1)


def test_what_does_not_reach_the_score_is_no_answer():
    pairs = pairs_of(BOXES, BOXES, 0.5)
    assert pairs.counts == (2, 2) and (pairs.box_overlap, pairs.class_share, pairs.kept) == (1, 1, 2)


def test_larger_boxes_keep_their_classes():
    pairs = pairs_of(BOXES, scaled(BOXES, 1.2), 0.5)
    assert pairs.box_overlap == pytest.approx(1 / 1.44) and pairs.class_share == 1 and pairs.kept == 2


def test_other_classes_keep_their_boxes():
    other = BOXES.copy()
    other[0, 5] = 3
    pairs = pairs_of(BOXES, other, 0.5)
    assert (pairs.box_overlap, pairs.class_share, pairs.kept) == (1, 0.5, 1)


def test_detections_that_are_lost_or_won_lower_the_overlap():
    assert pairs_of(BOXES, BOXES[:1], 0.5).box_overlap == 0.5
    assert pairs_of(BOXES[:1], BOXES, 0.5).box_overlap == 0.5
    none = pairs_of(BOXES, BOXES[:0], 0.5)
    assert (none.box_overlap, none.class_share) == (0, 0)
    neither = pairs_of(BOXES[:0], BOXES[:0], 0.5)
    assert (neither.box_overlap, neither.class_share) == (1, 1)


def test_matches_by_hand():
    """Two objects, of which one is found twice: the better score takes it, also where the other overlaps more."""
    objects = np.array([[[0, 0, 10, 10, 1, 0], [50, 50, 60, 60, 1, 0]]], float)
    found = np.array([[[0, 0, 10, 8, 0.9, 1], [0, 0, 10, 10, 0.8, 1], [50, 50, 60, 60, 0.7, 2]]], np.float32)
    (of_class,) = matches_of(objects, found)
    reached = THRESHOLDS <= 0.8
    assert of_class.hit[:, 0].tolist() == reached.tolist()
    assert of_class.hit[:, 1].tolist() == (~reached).tolist()
    assert of_class.wanted.tolist() == [2]
