"""build/workloads/scenes.py: what is said of a scene is what is drawn in it."""

from __future__ import annotations

import numpy as np

from harness.build.workloads.scenes import LOUDEST, scenes


def test_masks_boxes_and_classes_are_those_of_the_picture():
    made = scenes(40, seed=3)
    assert made.pictures.shape == made.masks.shape == (40, 48, 48) and made.pictures.dtype == np.uint8
    assert np.array_equal(made.pictures >= LOUDEST, made.masks > 0)
    for mask, boxes, classes in zip(made.masks, made.boxes, made.classes, strict=True):
        assert 1 <= len(boxes) == len(classes) <= 3
        covered = np.zeros_like(mask)
        for (left, top, right, bottom), kind in zip(boxes, classes, strict=True):
            inside = mask[top:bottom, left:right]
            assert set(np.unique(inside)) <= {0, 1 + kind}
            assert all((edge == 1 + kind).any() for edge in (inside[0], inside[-1], inside[:, 0], inside[:, -1]))
            covered[top:bottom, left:right] = 1
        assert not mask[covered == 0].any()


def test_a_seed_gives_the_same_scenes_again_and_training_ones_are_others():
    one, again, other, training = scenes(5, 1), scenes(5, 1), scenes(5, 2), scenes(5, 1, training=True)
    assert np.array_equal(one.pictures, again.pictures) and not np.array_equal(one.pictures, other.pictures)
    assert not np.array_equal(one.masks, training.masks)
    assert scenes(0).boxes == ()


def test_some_digits_alone_are_numbered_from_0():
    made = scenes(20, 1, digits=(4, 7))
    assert set(np.concatenate(made.classes)) == {0, 1} and set(np.unique(made.masks)) == {0, 1, 2}
