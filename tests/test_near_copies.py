"""Near copies are found among samples, and samples that only resemble one another are not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris

from harness.build.near_copies import near_copies

DIGITS = (load_digits().images * 255 / 16).astype(np.uint8)
RNG = np.random.default_rng(0)


def bytes_of(values: np.ndarray) -> np.ndarray:
    return np.clip(np.round(values), 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    "change",
    [lambda x: x + RNG.normal(0, 3, x.shape), lambda x: 0.96 * x, lambda x: x - x % 4],
    ids=["noise", "darker", "fewer levels"],
)
def test_the_same_picture_changed_a_little_is_found(change: Callable[[np.ndarray], np.ndarray]) -> None:
    pairs = near_copies(np.concatenate([DIGITS, bytes_of(change(DIGITS[:100].astype(float)))]))
    made = {(n, len(DIGITS) + n) for n in range(100)}
    assert len(made & set(map(tuple, pairs.tolist()))) >= 95
    assert len(set(map(tuple, pairs.tolist())) - made) == 0


def test_different_digits_are_not_near_copies_and_exact_copies_are_none() -> None:
    assert len(near_copies(DIGITS)) == 0
    assert len(near_copies(DIGITS / np.float32(255))) == 0
    assert len(near_copies(np.concatenate([DIGITS, DIGITS[:50]]))) == 0


def test_one_scene_with_other_noise_is_no_copy_by_its_background() -> None:
    scene = RNG.integers(40, 200, (28, 28))
    assert len(near_copies(bytes_of(scene + RNG.normal(0, 3, (300, 28, 28))))) == 0


@pytest.mark.parametrize("table", [load_iris, load_diabetes, load_breast_cancer])
def test_rows_of_a_table_are_near_copies_where_they_differ_by_rounding(table: Callable[..., object]) -> None:
    rows = table().data  # type: ignore[attr-defined]
    assert len(near_copies(rows)) == 0
    again = np.concatenate([rows, rows[:100].astype(np.float32).astype(float) * (1 + 1e-9)])
    assert 60 <= len(near_copies(again)) <= 110


@pytest.mark.parametrize("shape", [(0, 8, 8), (1, 8, 8), (3, 8, 8), (40, 1, 8), (40, 3), (40,), (5, 40, 40, 3)])
def test_any_shape_is_looked_at(shape: tuple[int, ...]) -> None:
    assert near_copies(np.zeros(shape, np.float32)).shape == (0, 2)
