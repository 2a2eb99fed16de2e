"""What labels are taken for: floats that are classes, embeddings that are none, and what the metrics say of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.build.scored import as_meant, of_labels
from harness.metrics.meaning import said_by, task_for
from harness.records import BY_DATA, Affine, Dataset, Scoring

RNG = np.random.default_rng(0)
BITS = RNG.integers(0, 2, 60)
SIGMOID = (0.8 * BITS + 0.2 * RNG.random(60)).astype(np.float32)[:, None]
SOFTMAX = np.hstack([1 - SIGMOID, SIGMOID])
LOGITS = 8 * (SIGMOID - 0.5)
EMBEDDING = RNG.normal(size=(60, 16)).astype(np.float32)
FLOATS = BITS[:, None].astype(np.float32)
MANY = RNG.integers(0, 2, (60, 4))


def dataset(labels: np.ndarray) -> Dataset:
    x = np.zeros((len(labels), 2), np.float32)
    return Dataset("d", (x,), labels, (x,), labels, (Affine(),), (), "")


def meant(labels: np.ndarray, output: np.ndarray, scoring: Scoring = BY_DATA) -> tuple[Dataset, str]:
    found = as_meant(scoring, dataset(labels), output)
    return found, task_for(found.test_labels, output, found.class_names, said_by(scoring))


@pytest.mark.parametrize("output", [SIGMOID, SIGMOID[:, 0], LOGITS, SOFTMAX], ids=["p", "flat", "logit", "softmax"])
@pytest.mark.parametrize("labels", [FLOATS, FLOATS[:, 0]], ids=["column", "flat"])
def test_floats_of_zero_and_one_are_classes(labels, output):
    found, task = meant(labels, output)
    assert task == "classification" and found.class_names == ("0", "1")
    for settled in (found.test_labels, found.train_labels):
        assert settled.dtype == np.int64 and np.array_equal(settled, BITS)


@pytest.mark.parametrize(
    ("scoring", "task"),
    [
        (Scoring("rmse"), "regression"),
        (Scoring("mae", ("accuracy",)), "regression"),  # the primary metric always wins
        (Scoring("accuracy", ("mae",)), "classification"),
        (Scoring(None, ("rmse",)), "regression"),
        (Scoring("f1"), "classification"),
        (Scoring("top2_accuracy"), "classification"),
        (Scoring("mine:own"), "regression"),  # the user's own gets its labels as they are stored
        (Scoring("mine:own", ("accuracy",)), "classification"),
        (Scoring("distance"), "regression"),
    ],
)
def test_the_metrics_that_are_asked_for_say_what_labels_are(scoring, task):
    found, told = meant(FLOATS, SIGMOID, scoring)
    assert told == task
    assert (found.test_labels.dtype.kind == "i") == (task == "classification")


@pytest.mark.parametrize(
    ("labels", "output"),
    [(FLOATS + 0.5, SIGMOID), (2 * FLOATS, SIGMOID), (FLOATS, EMBEDDING)],
    ids=["fractions", "zero and two", "embedding"],
)
def test_other_floats_stay_numbers(labels, output):
    found, _ = meant(labels, output)
    assert found.test_labels is labels and found.class_names == ()


def test_an_embedding_is_no_class_scores_unless_that_is_said():
    assert task_for(BITS, EMBEDDING, ("0", "1"), "") == "custom"
    assert task_for(BITS, EMBEDDING, ("0", "1"), "own") == "custom"
    assert task_for(BITS, EMBEDDING, ("0", "1"), "classes") == "classification"
    assert task_for(BITS, EMBEDDING, tuple("abcdefghijklmnop"), "") == "classification"


def test_what_scores_no_classes_has_no_names_of_them():
    stored = replace(dataset(BITS), class_names=("0", "1"))
    assert as_meant(Scoring(), stored, EMBEDDING).class_names == ()
    assert len(as_meant(Scoring("accuracy"), stored, EMBEDDING).class_names) == 16


def test_logits_of_classes_that_do_not_occur_are_scores_where_most_answers_are_of_those_that_do():
    logits = 9.0 * np.eye(16)[BITS] - 3
    logits[0] = 9.0 * np.eye(16)[7] - 3
    assert task_for(BITS, logits, ("0", "1"), "") == "classification"


def told(labels: np.ndarray, output: np.ndarray, scoring: Scoring = BY_DATA) -> list[str]:
    return [str(remark) for remark in of_labels(scoring, labels, output)]


def test_what_labels_are_taken_for_is_said_with_what_to_write_otherwise():
    otherwise = 'write primary = "rmse" under [metrics]'
    (column,) = told(FLOATS, SIGMOID)
    assert "stored as float32, and taken as classes (class 1 over a probability of ½)" in column and otherwise in column
    (logits,) = told(FLOATS, LOGITS)
    assert "(class 1 over a logit of 0)" in logits
    for labels in (MANY, MANY.astype(np.float32)):
        (several,) = told(labels, RNG.random((60, 4)))
        assert "each sample has 4 labels of 0 or 1" in several and otherwise in several
    (mask,) = told(np.ones((60, 3, 3)), RNG.random((60, 3, 3, 1)))
    assert "taken as masks (class 1 over a probability of ½)" in mask and otherwise in mask
    (voxels,) = told(np.ones((60, 3, 3, 3, 1)), RNG.random((60, 3, 3, 3, 1)))
    assert "taken as numbers to predict" in voxels and "a metric of your own" in voxels


def test_nothing_is_said_where_it_is_clear():
    assert told(BITS, SIGMOID) == []
    assert told(FLOATS, SIGMOID, Scoring("rmse")) == []
    assert told(FLOATS + 0.5, SIGMOID) == []
    assert list(of_labels(Scoring(), None, SIGMOID)) == []
