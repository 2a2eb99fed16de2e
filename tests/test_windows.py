"""Windows of one series that overlap are told, and what does not overlap is silent."""

from __future__ import annotations

import numpy as np
import pytest

from harness.build.windows import of_windows, overlap
from harness.records import Affine, Dataset

SERIES = np.cumsum(np.random.default_rng(3).normal(size=600)).astype(np.float32)


def windows(length: int, step: int, series: np.ndarray = SERIES) -> np.ndarray:
    return np.stack([series[n : n + length] for n in range(0, len(series) - length, step)])


def dataset(inputs: np.ndarray, labels: np.ndarray | None = None, groups: np.ndarray | None = None) -> Dataset:
    return Dataset("made", (), None, (inputs,), labels, (Affine(),), (), "made", groups=groups)


@pytest.mark.parametrize(("length", "step"), [(24, 1), (24, 12), (100, 98), (3, 1)])
def test_windows_that_overlap_are_told(length, step):
    assert overlap(windows(length, step)) == (step, 1.0)
    assert overlap(windows(length, step)[..., None]) == (step, 1.0)


@pytest.mark.parametrize("length", [24, 100])
def test_windows_side_by_side_are_silent(length):
    assert overlap(windows(length, length)) is None


def test_what_is_no_window_is_silent():
    rng = np.random.default_rng(1)
    pictures = rng.integers(0, 256, (50, 28, 28), np.uint8)
    framed = np.pad(pictures, ((0, 0), (3, 3), (3, 3)))  # as MNIST: black above and below
    silent = [
        framed,
        pictures,
        np.zeros((50, 24)),
        rng.integers(0, 2, (50, 24)),
        SERIES,
        SERIES[:, None],
        windows(24, 1)[:3],
    ]
    assert [overlap(array) for array in silent] == [None] * len(silent)
    assert overlap(np.random.default_rng(2).permutation(windows(24, 1))) is None


def test_labels_by_horizon_are_looked_at_too_and_groups_are_taken_at_their_word():
    rows = np.random.default_rng(1).normal(size=(500, 8))
    labels = windows(6, 1)[:500]
    (remark,) = of_windows(dataset(rows, labels))
    assert "windows of labels overlap" in remark.what and "1 step later" in remark.what and "group" in remark.advice
    assert not list(of_windows(dataset(rows, labels, np.arange(500) // 50)))
    assert not list(of_windows(dataset(rows, labels[:, 0])))
