"""COCO's numbers are those of faster-coco-eval, to the last digit, of a test set and of any resample of it."""

from __future__ import annotations

import numpy as np
import pytest

from harness.detection.matching import matches_of
from harness.records import Absent
from harness.statistics.average_precision import MeanOverClasses, Part
from tests.made_objects import cocos, pictures

PARTS: tuple[Part, ...] = ("ap", "ap50", "ar")


def statistic(objects: np.ndarray, found: np.ndarray, part: Part = "ap") -> MeanOverClasses:
    return MeanOverClasses(matches_of(objects, found), part)


@pytest.mark.parametrize("seed", range(4))
def test_they_are_cocos(seed):
    objects, found = pictures(120, seed)
    assert [statistic(objects, found, part).value for part in PARTS] == pytest.approx(cocos(objects, found), rel=1e-12)


def test_a_weight_is_how_often_a_picture_is_there():
    objects, found = pictures(60, 5, crowds=0.05)
    found[..., 4] += np.where(found[..., 4] > 0, np.random.default_rng(1).random(found.shape[:2]) / 100, 0)  # no ties
    drawn = np.random.default_rng(2).integers(0, 60, 60)
    weights = np.bincount(drawn, minlength=60)[None].astype(float)
    again = cocos(objects[np.sort(drawn)], found[np.sort(drawn)])
    for part, wanted in zip(PARTS, again, strict=True):
        assert np.nanmean(statistic(objects, found, part).by_class(weights)) == pytest.approx(wanted, rel=1e-12)


def test_what_is_left_out_is_left_out():
    objects, found = pictures(40, 3)
    left = statistic(objects, found).left_out
    for n in (0, 7, 39):
        rest = np.arange(40) != n
        assert np.nanmean(left[n]) == pytest.approx(cocos(objects[rest], found[rest])[0], rel=1e-12)


def test_a_perfect_model_has_1_and_one_that_finds_nothing_0():
    objects, found = pictures(40, 3, crowds=0)
    perfect = np.zeros((40, 6, 6), np.float32)
    perfect[...] = objects[..., [0, 1, 2, 3, 5, 4]]
    perfect[..., 4] = objects[..., 4] >= 0
    exact = objects.astype(np.float32).astype(float)  # as detections are stored
    assert [statistic(exact, perfect, part).value for part in PARTS] == [1, 1, 1]
    assert [statistic(objects, np.zeros_like(found), part).value for part in PARTS] == [0, 0, 0]


def test_without_an_object_there_is_no_value():
    objects, found = pictures(10, 3)
    objects[..., 4] = -1
    with pytest.raises(Absent, match="no picture has an object"):
        statistic(objects, found)


def test_a_class_of_few_pictures_hides_what_it_may_lose():
    """Both models find all; of one class in ten there are three pictures, each of which could be lost unseen."""
    objects = np.zeros((400, 1, 6))
    objects[:, 0] = (0, 0, 10, 10, 0, 0)
    objects[:3, 0, 4] = 1
    found = np.zeros((400, 1, 6), np.float32)
    found[:, 0] = (0, 0, 10, 10, 0.9, 0)
    found[:3, 0, 5] = 1
    moved = statistic(objects, found).less(statistic(objects, found))
    low = moved.limits(0.9).low
    assert low < -0.5 * (1 - 0.05 ** (1 / 3)) * 0.95 and moved.p(-0.05, -1) > 0.05
    objects[:200, 0, 4], found[:200, 0, 5] = 1, 1
    moved = statistic(objects, found).less(statistic(objects, found))
    assert moved.p(-0.05, -1) < 0.05


def test_the_limits_are_as_wide_as_the_spread_over_test_sets():
    """Of 20 test sets of one kind the values lie around their mean as the limits of one say."""
    values = [statistic(*pictures(150, seed)).value for seed in range(20)]
    limits = statistic(*pictures(150, 99)).limits(0.9)
    assert (limits.high - limits.low) / 2 == pytest.approx(1.645 * np.std(values, ddof=1), rel=0.5)
