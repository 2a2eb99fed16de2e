"""Per-sample discrepancies against loops written out, and against scipy's own Jensen–Shannon distance."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon

from harness.metrics.discrepancy import (
    agreement,
    class_drops,
    cosine,
    doubt,
    explained_share,
    margins,
    sample_table,
    top1,
    variation,
)
from harness.records.terms import FLIP_KINDS
from tests.made_runs import scores

LABELS = np.random.default_rng(5).integers(0, 3, 40)


@pytest.fixture(scope="module")
def pair() -> tuple[np.ndarray, np.ndarray]:
    """A baseline and a noisy variant of it, with every kind of flip in it."""
    return scores(), scores(noise=1.5)


@pytest.fixture(scope="module")
def table(pair):
    return sample_table(LABELS, *pair)


def argmax(row: np.ndarray) -> int:
    best = 0
    for n, value in enumerate(row):
        if value > row[best]:
            best = n
    return best


def kind(label: int, before: int, after: int) -> str:
    if before == after:
        return ""
    if before == label:
        return "right_to_wrong"
    return "wrong_to_right" if after == label else "wrong_to_wrong"


def test_answers_and_flips_sample_by_sample(table, pair):
    kinds = []
    for n, (row, label) in enumerate(zip(table, LABELS, strict=True)):
        before, after = argmax(pair[0][n]), argmax(pair[1][n])
        kinds.append(kind(label, before, after))
        assert row["label"] == label
        assert (row["baseline_prediction"], row["prediction"]) == (before, after)
        assert (row["baseline_correct"], row["correct"]) == (before == label, after == label)
        assert (row["flip"], FLIP_KINDS[row["flip_kind"]]) == (before != after, kinds[-1])
    assert set(kinds) == {"", "right_to_wrong", "wrong_to_right", "wrong_to_wrong"}


def test_distances_sample_by_sample(table, pair):
    for row, p, q in zip(table, pair[0].astype(float), pair[1].astype(float), strict=True):
        gaps = [abs(x - y) for x, y in zip(p, q, strict=True)]
        assert row["max_abs_diff"] == pytest.approx(max(gaps))
        assert row["l2"] == pytest.approx(math.hypot(*gaps))
        product = sum(x * y for x, y in zip(p, q, strict=True))
        assert row["cosine"] == pytest.approx(product / math.hypot(*p) / math.hypot(*q))
        assert row["js_divergence"] == pytest.approx(jensenshannon(p, q, base=2) ** 2, rel=1e-6, abs=1e-9)


def test_margins_sample_by_sample(table, pair):
    for row, p, q in zip(table, *pair, strict=True):
        for margin, values in ((row["baseline_margin"], p), (row["margin"], q)):
            ordered = sorted(map(float, values), reverse=True)
            assert margin == pytest.approx(ordered[0] - ordered[1])
        assert not row["tie"]


def test_a_tie_goes_to_the_first_and_is_told():
    baseline = np.array([[0.1, 0.5, 0.4]])
    given = np.array([[0.25, 0.375, 0.375]], np.float32)
    (row,) = sample_table(np.array([1]), baseline, given)
    assert (row["prediction"], row["margin"], row["tie"], row["flip"]) == (1, 0, True, False)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_scores_that_are_not_finite_answer_nothing(bad):
    given = np.array([[0.2, 0.7, 0.1], [bad, 0.9, 0.1]])
    assert top1(given).tolist() == [1, -1]
    table = sample_table(np.array([1, 1]), np.array([[0.1, 0.8, 0.1]] * 2), given)
    assert table["correct"].tolist() == [True, False]
    assert [FLIP_KINDS[kind] for kind in table["flip_kind"]] == ["", "right_to_wrong"]


def test_agreement_is_the_share_of_equal_answers():
    one = np.eye(3)[[0, 1, 2, 0]]
    assert agreement(one, np.eye(3)[[0, 1, 0, 1]]) == 0.5


def test_an_answer_that_is_none_agrees_with_nothing():
    nothing = np.full((4, 3), np.nan)
    assert agreement(np.eye(3)[[0, 1, 2, 0]], nothing) == 0
    assert agreement(nothing, nothing) == 0


def test_margin_of_float16_scores_is_taken_in_float64():
    assert margins(np.array([[0.5, 0.25, 0.25]], np.float16)).dtype == np.float64


def test_cosine_of_a_row_of_zeros_is_unknown():
    assert np.isnan(cosine(np.zeros((1, 3)), np.ones((1, 3)))).all()


def test_explained_variation_is_the_coefficient_of_determination():
    random = np.random.default_rng(2)
    wanted = random.normal(size=(50, 3, 2)) * [[[1], [10], [100]]] + 7
    given = wanted + random.normal(size=wanted.shape)
    columns = [(wanted[:, i, j], given[:, i, j]) for i in range(3) for j in range(2)]
    error = sum(sum((g - w) ** 2 for w, g in zip(*c, strict=True)) for c in columns)
    spread = sum(sum((w - c[0].mean()) ** 2 for w in c[0]) for c in columns)
    assert variation(wanted) == pytest.approx(spread)
    assert explained_share(error, variation(wanted)) == pytest.approx(1 - error / spread)


def test_a_constant_explains_nothing_and_only_itself():
    assert explained_share(8.0, 8.0) == 0
    assert explained_share(0.0, 0.0) == 1
    assert explained_share(0.1, 0.0) == -math.inf


@pytest.mark.parametrize(
    ("of_classes", "expected", "given", "told"),
    [
        (True, [[0.9, 0.1], [0.2, 0.8]], [[0.6, 0.4], [0.4, 0.6]], ""),
        (True, [[0.9, 0.1], [0.2, 0.8]], [[0.6, 0.4], [0.6, 0.4]], "agrees with Keras on 50.0% of 2 samples"),
        (True, [[0.9], [0.2]], [[0.6], [0.4]], ""),  # one column: a probability, so ½ decides
        (True, [[0.9], [0.2]], [[0.6], [0.7]], "agrees with Keras on 50.0% of 2 samples"),
        (True, [[4.0], [-2.0]], [[0.3], [-0.1]], ""),  # a logit, so 0 decides
        (True, [[0.9, 0.1]], [[np.nan, 0.1]], "1 of 2 samples have outputs that are not finite"),
        (False, [[1.0], [2.0], [3.0]], [[1.1], [2.0], [2.9]], ""),
        (False, [[1.0], [2.0], [3.0]], [[3.0], [2.0], [1.0]], "explains 0.0% of the variation in Keras' output"),
    ],
)
def test_doubt_depends_on_what_the_numbers_are(of_classes, expected, given, told):
    found = doubt(np.array(expected), np.array(given), of_classes, "Keras", "2 samples")
    assert found.startswith(told)
    assert bool(found) == bool(told)


def test_class_drops_count_each_class_by_itself(table):
    drops = class_drops(table)
    assert [drop.label for drop in drops] == sorted(set(LABELS.tolist()))
    for drop in drops:
        mine = [row for row in table if row["label"] == drop.label]
        lost = sum(row["baseline_correct"] and not row["correct"] for row in mine)
        won = sum(row["correct"] and not row["baseline_correct"] for row in mine)
        assert drop.n == len(mine)
        assert drop.drop_pp == pytest.approx(100 * (lost - won) / len(mine))
        assert drop.low_pp < drop.drop_pp < drop.high_pp


def test_class_drop_limits_are_tangos():
    """43 both right, one lost by the baseline: Tango (1998) gives −.096 to .037 at 90 %."""
    right, wrong = [0.9, 0.1, 0.0], [0.1, 0.9, 0.0]
    baseline, given = np.array([right] * 43 + [wrong]), np.array([right] * 44)
    (drop,) = class_drops(sample_table(np.zeros(44, int), baseline, given))
    assert (round(drop.low_pp, 1), round(drop.high_pp, 1)) == (-9.6, 3.7)
