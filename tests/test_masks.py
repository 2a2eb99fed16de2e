"""metrics/masks.py: which labels and outputs are masks."""

from __future__ import annotations

import numpy as np
import pytest

from harness.metrics.masks import classes_given, classes_labelled, classes_of, why_no_masks

ONE = np.zeros((2, 5, 6, 1))


@pytest.mark.parametrize(
    ("labels", "output", "classes"),
    [
        ((2, 5, 6), (2, 5, 6, 7), 7),
        ((2, 5, 6, 1), (2, 5, 6, 7), 7),
        ((2, 5, 6, 7), (2, 5, 6, 7), 7),
        ((2, 5, 6), (2, 5, 6, 1), 2),
        ((2, 5, 6, 1), (2, 5, 6), 2),
        ((2, 5, 6, 3), (2, 5, 6, 7), 0),
        ((2, 5, 6), (2, 6, 5, 7), 0),
        ((2, 5), (2, 5, 7), 0),
    ],
)
def test_shapes_say_how_many_classes_there_are(labels, output, classes):
    assert classes_of(np.zeros(labels), np.zeros(output)) == classes


def test_a_class_begins_over_one_half_and_over_a_logit_of_0():
    column = np.array([-0.1, 0, 0.2, 0.5, 0.6]).reshape(1, 1, 5)
    assert classes_given(column, False).ravel().tolist() == [0, 0, 0, 0, 1]
    assert classes_given(column, True).ravel().tolist() == [0, 0, 1, 1, 1]


def test_an_ignored_label_is_no_class():
    labels = np.array([[[0.0, 3.0, 255.0]]])
    assert classes_labelled(labels, 255).tolist() == [[[0, 3, -1]]]


def test_the_padding_of_clips_is_what_the_advice_tells_to_ignore():
    """Clips of unequal length are padded with −1: no class of the model's may be ignored in its place."""
    frames = np.array([[0, 1, 2, -1], [2, 1, 0, 1]])
    told = why_no_masks(frames, np.zeros((2, 4, 3), np.float32), None)
    assert "these hold -1 to 2" in told and "write ignore = -1 where" in told
