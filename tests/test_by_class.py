"""Balanced accuracy and F1 as sums of what each sample adds."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom
from sklearn.metrics import balanced_accuracy_score, f1_score

from harness.statistics.by_class import ClassScore

RNG = np.random.default_rng(4)
LABELS = RNG.choice(4, 800, p=[0.04, 0.32, 0.32, 0.32])
BEFORE = np.where(RNG.random(800) < 0.9, LABELS, RNG.integers(0, 4, 800))
AFTER = np.where(RNG.random(800) < 0.95, BEFORE, RNG.integers(0, 4, 800))


def score(answers: np.ndarray, share: float, labels: np.ndarray = LABELS, classes: int = 4) -> ClassScore:
    return ClassScore(labels, answers, classes, share)


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_the_value_and_the_move_are_scikit_learns(share):
    def theirs(answers):
        return f1_score(LABELS, answers, average="macro") if share else balanced_accuracy_score(LABELS, answers)

    own, base = score(AFTER, share), score(BEFORE, share)
    assert own.value == pytest.approx(theirs(AFTER))
    assert own.less(base).value == pytest.approx(theirs(AFTER) - theirs(BEFORE))
    assert own.growth(base).value == pytest.approx(theirs(AFTER) / theirs(BEFORE) - 1)
    limits = own.limits(0.9)
    assert limits.low < own.value < limits.high < 1


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_the_variance_is_the_bootstraps(share):
    moved = score(AFTER, share).less(score(BEFORE, share))
    rng, drawn = np.random.default_rng(1), []
    for _ in range(1500):
        of_class = [np.flatnonzero(np.equal(LABELS, k)) for k in range(4)]
        index = np.concatenate([rng.choice(samples, len(samples)) for samples in of_class])
        one, other = (score(answers[index], share, LABELS[index]) for answers in (AFTER, BEFORE))
        drawn.append(one.value - other.value)
    assert np.sqrt(moved.spread) == pytest.approx(np.std(drawn), rel=0.08)


def test_a_perfect_score_is_as_sure_as_the_samples_are_many():
    """0 errors in three classes of 500: of the mean recall m, the likeliest is the same in each: (1 − m)^1500."""
    labels = np.repeat([0, 1, 2], 500)
    perfect = score(labels, 0.0, labels, 3)
    assert perfect.value == 1
    assert perfect.p(0.998, -1) == pytest.approx(binom.pmf(0, 1500, 0.002), rel=0.02)
    assert perfect.limits(0.90).low == pytest.approx(0.05 ** (1 / 1500), abs=2e-5)


def test_a_class_without_a_sample_decides_nothing_in_a_small_test_set():
    labels = np.arange(200) % 3
    assert "class 3" in score(labels, 0.0, labels).doubt
    many = np.arange(300) % 3
    assert score(many, 0.0, many).doubt == ""


@pytest.mark.filterwarnings("error")
def test_without_a_class_that_counts_there_is_no_value_and_no_warning() -> None:
    none = np.array([], int)
    assert np.isnan(ClassScore(none, none, 3, 0.5).value)
