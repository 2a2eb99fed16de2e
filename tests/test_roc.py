"""The area under the ROC curve by placements."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from harness.statistics.roc import RankArea, placements

RNG = np.random.default_rng(5)


def two(labels: np.ndarray, scores: np.ndarray) -> RankArea:
    return RankArea(labels, np.stack([-scores, scores], axis=1))


def naive(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """DeLong's placements, pair by pair."""
    higher = np.sign(scores[:, None] - scores[None, :]) / 2 + 0.5
    positive = labels == 1
    return np.where(positive, higher[:, ~positive].mean(axis=1), higher[positive].mean(axis=0))


@pytest.mark.parametrize("classes", [2, 3])
def test_the_area_is_scikit_learns_with_ties(classes):
    labels, scores = RNG.integers(0, classes, 200), np.round(RNG.random((200, classes)), 1)
    theirs = np.mean([roc_auc_score(labels == k, scores[:, k]) for k in ([1] if classes == 2 else range(classes))])
    assert RankArea(labels, scores).value == pytest.approx(theirs)


def test_placements_are_those_of_all_pairs():
    labels, scores = RNG.integers(0, 2, 60), np.round(RNG.normal(size=60), 1)
    assert placements(labels == 1, scores) == pytest.approx(naive(labels, scores))


@pytest.mark.parametrize("rare", [0.5, 0.05])
def test_the_variance_of_a_move_is_delongs(rare):
    labels = (RNG.random(1500) < rare).astype(int)
    before = labels + RNG.normal(size=1500)
    after = before + 0.3 * RNG.normal(size=1500)
    moved = two(labels, after).less(two(labels, before))
    each, positive = naive(labels, after) - naive(labels, before), labels == 1
    delong = each[positive].var() / positive.sum() + each[~positive].var() / (~positive).sum()
    assert moved.value == pytest.approx(roc_auc_score(labels, after) - roc_auc_score(labels, before))
    assert moved.spread == pytest.approx(delong, rel=0.02)


def test_the_variance_of_several_classes_is_the_bootstraps():
    labels = RNG.integers(0, 3, 600)
    scores = np.eye(3)[labels] + RNG.normal(size=(600, 3))
    area, rng = RankArea(labels, scores), np.random.default_rng(1)
    drawn = [RankArea(labels[index], scores[index]).value for index in rng.integers(0, 600, (500, 600))]
    assert np.sqrt(area.alone.spread) == pytest.approx(np.std(drawn), rel=0.25)


def test_an_area_that_is_all_of_it_is_as_sure_as_the_rarer_side():
    """Nothing out of place among 40 positives: up to 1 − .05^(1/40) of them may be."""
    labels = np.array([1] * 40 + [0] * 400)
    area = two(labels, labels + 0.1 * RNG.random(440))
    assert area.value == 1 and area.limits(0.9).low == pytest.approx(0.05 ** (1 / 40), abs=1e-3)


def test_labels_of_one_class_have_no_area():
    assert np.isnan(two(np.ones(30, int), RNG.random(30)).value)
