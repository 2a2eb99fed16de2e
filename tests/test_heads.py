"""metrics/heads.py: what became of an output, and of its columns; ordinary rounding raises no alarm."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from harness.metrics.heads import column_axis, lost_parts

RNG = np.random.default_rng(3)
N = 600


def in_steps(values: np.ndarray, bits: int = 8) -> np.ndarray:
    """As one scale for the whole tensor keeps it: rounded to 2^bits − 1 steps of its range."""
    low, high = float(values.min()), float(values.max())
    step = (high - low) / (2**bits - 1)
    return (np.rint((values - low) / step) * step + low).astype(np.float32)


def digits(logits: bool) -> np.ndarray:
    """Scores of a good classifier of real digits."""
    x, y = load_digits(return_X_y=True)
    model = LogisticRegression(max_iter=300).fit(x[:1200] / 16, y[:1200])
    found = model.decision_function(x[1200:] / 16) if logits else model.predict_proba(x[1200:] / 16)
    return np.asarray(found, np.float32)


@pytest.mark.parametrize("logits", [True, False])
def test_the_scores_of_a_good_classifier_in_eight_bits_are_fine(logits: bool) -> None:
    scores = digits(logits)
    assert lost_parts(scores, in_steps(scores)) == []


def test_pixels_and_scores_in_one_tensor_lose_the_scores_and_those_are_named() -> None:
    boxes, scores = RNG.uniform(0, 320, (N, 4)), RNG.uniform(0.1, 0.45, (N, 3))
    both = np.concatenate([boxes, scores], axis=1).astype(np.float32)
    (told,) = lost_parts(both, in_steps(both))
    assert told.startswith("columns 4 (0.0%), 5 (0.0%), 6 (0.0%) explain that little of the variation in Keras'")
    (shaped,) = lost_parts(both[..., None], in_steps(both)[..., None])  # as (samples, 7, 1)
    assert shaped == told
    assert lost_parts(both, in_steps(both, bits=16)) == []


def test_a_rare_label_of_many_that_eight_bits_cannot_tell_is_no_loss() -> None:
    often, rare = RNG.uniform(0, 1, (N, 4)), RNG.uniform(0, 0.003, (N, 1))
    scores = np.concatenate([often, rare], axis=1).astype(np.float32)
    assert lost_parts(scores, in_steps(scores)) == []


def test_a_column_that_is_a_constant_but_for_rounding_is_no_loss() -> None:
    constant = 5 + RNG.normal(0, 1e-7, (N, 1))
    both = np.concatenate([RNG.normal(0, 1, (N, 2)), constant], axis=1).astype(np.float32)
    assert lost_parts(both, both + np.float32(1e-6)) == []


def test_a_feature_that_fires_for_few_samples_is_no_loss() -> None:
    features = np.maximum(RNG.normal(0, 1, (N, 8)), 0)
    features[:, 3] = np.where(RNG.random(N) < 0.02, 0.004, 0)
    features = features.astype(np.float32)
    assert lost_parts(features, in_steps(features)) == []


def test_an_output_that_is_lost_as_a_whole_says_so_once() -> None:
    boxes = RNG.uniform(0, 320, (N, 4)).astype(np.float32)
    (told,) = lost_parts(boxes, np.zeros_like(boxes))
    assert told == "explains 0.0% of the variation in Keras' output over the test set"


def test_classes_that_are_answered_otherwise_are_found_by_their_answers() -> None:
    scores = digits(logits=False)
    (told,) = lost_parts(scores, np.roll(scores, 1, axis=1))
    assert told.startswith("agrees with Keras on ")


def test_what_is_not_finite_is_told() -> None:
    boxes = RNG.uniform(0, 320, (N, 4)).astype(np.float32)
    broken = boxes.copy()
    broken[3, 2] = np.nan
    (told,) = lost_parts(boxes, broken)
    assert told == "1 of the test set have outputs that are not finite"


@pytest.mark.parametrize(
    ("shape", "axis"),
    [((7,), 1), ((7, 1), 1), ((84, 8400), None), ((6, 8400), 1), ((8400, 6), 2), ((28, 28), None), ((9, 9, 3), 3),
     ((), None), ((1,), None), ((65,), None)],
)  # fmt: skip
def test_where_the_columns_stand(shape: tuple[int, ...], axis: int | None) -> None:
    assert column_axis(np.zeros((2, *shape), np.float32)) == axis
