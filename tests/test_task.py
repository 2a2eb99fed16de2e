"""What a model's outputs are taken for: classes, one column of two, logits, numbers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, softmax

from harness.errors import ConfigError
from harness.metrics.discrepancy import top1
from harness.metrics.task import are_logits, as_scores, output_index, probabilities, row_by_row
from harness.metrics.task_table import Given, task_of

INTS, FLOATS = np.array([0, 2, 1]), np.array([0.5, 2.25, 1.0])
THREE, ONE = np.full((3, 3), 1 / 3), np.full((3, 1), 0.5)


@pytest.mark.parametrize(
    ("labels", "output", "task"),
    [
        (INTS, THREE, "classification"),
        (np.array([0, 1, 1]), ONE, "classification"),
        (np.array([0, 1, 1]), ONE[:, 0], "classification"),
        (INTS, ONE, "custom"),  # a third class has no score
        (INTS, THREE[:, :2], "custom"),
        (FLOATS, ONE, "regression"),
        (FLOATS, THREE, "custom"),
        (np.full((3, 3), 2.0), THREE, "regression"),
        (np.ones((3, 3)), THREE, "multilabel"),
        (np.ones((3, 3), int), THREE, "multilabel"),
        (np.ones((3, 3), int), THREE[:, :2], "custom"),
        (None, THREE, "agreement"),
        (None, 7 * THREE, "distance"),  # no probabilities, and no names of classes
        (None, ONE, "distance"),
        (np.zeros((3, 4, 4), int), np.zeros((3, 4, 4, 2)), "segmentation"),
        (np.ones((3, 4, 4, 1)), np.zeros((3, 4, 4, 2)), "segmentation"),
        (np.ones((3, 4, 4)), np.zeros((3, 4, 4, 1)), "segmentation"),
        (np.full((3, 4, 4), 2), np.zeros((3, 4, 4, 1)), "custom"),  # a third class has no score
        (np.full((3, 4, 4), 0.5), np.zeros((3, 4, 4, 1)), "regression"),
        (np.zeros((3, 4, 4), int), np.zeros((3, 2, 2, 2)), "custom"),
    ],
)
def test_the_task_is_what_labels_and_outputs_make(labels, output, task):
    assert task_of(Given(labels, output, ())) == task


def test_names_of_classes_say_that_logits_are_scores():
    assert task_of(Given(None, 7 * THREE, ("a", "b", "c"))) == "agreement"


def test_whole_numbers_are_numbers_where_a_metric_of_numbers_is_asked_for():
    assert task_of(Given(INTS, ONE, (), numbers=True)) == "regression"


@pytest.mark.parametrize("form", [(-1, 1), (-1,)])
def test_class_one_begins_over_one_half_as_in_keras_binary_accuracy(form):
    column = np.array([0.0, 0.25, 0.4999, 0.5, 0.75, 1.0], np.float32).reshape(form)
    scores = as_scores(column, logits=False)
    assert scores.shape == (6, 2) and scores.dtype == np.float32
    assert top1(scores).tolist() == [0, 0, 0, 0, 1, 1]
    assert scores[:, 1].tolist() == column.ravel().tolist()
    assert scores.sum(axis=1) == pytest.approx(np.ones(6))


def test_a_logit_of_zero_is_class_zero_as_in_scikit_learn():
    column = np.array([[-3.0], [-1e-6], [0.0], [2.0]], np.float32)
    assert are_logits(column)
    scores = as_scores(column, logits=True)
    assert top1(scores).tolist() == [0, 0, 0, 1]
    assert probabilities(scores)[:, 1] == pytest.approx(expit(column.ravel()))


def test_logits_are_told_by_lying_outside_zero_to_one():
    assert not are_logits(np.array([[0.0, 1.0000002], [1.0, -1e-7]]))
    assert are_logits(np.array([[0.2, 1.2]]))


def test_softmax_is_scipys():
    logits = np.random.default_rng(0).normal(0, 30, (20, 5)).astype(np.float32)
    assert probabilities(logits) == pytest.approx(softmax(logits.astype(float), axis=1))


def test_outputs_are_found_by_name():
    assert (output_index("", ()), output_index("b", ("a", "b"))) == (0, 1)
    with pytest.raises(ConfigError, match="no output 'c'") as raised:
        output_index("c", ("a", "b"))
    assert raised.value.advice == "its outputs are a, b"


def test_rows_are_worked_through_in_stretches(monkeypatch):
    monkeypatch.setattr("harness.metrics.task.STRETCH_VALUES", 7)
    seen = []

    def first(rows):
        seen.append(len(rows))
        return rows[:, 0]

    array = np.arange(30).reshape(10, 3)
    assert row_by_row(first, array).tolist() == array[:, 0].tolist()
    assert seen == [2] * 5
