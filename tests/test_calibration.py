"""How calibration samples are drawn where a recipe file asks for it."""

from __future__ import annotations

import numpy as np

from harness.build.workloads import digits
from harness.data.calibration import calibration_samples


def places(drawn: str, count: int, seed: int = 1) -> list[int]:
    """Which of the training samples were drawn."""
    data = digits.load()
    (picked,) = calibration_samples(data, count, seed, drawn)  # type: ignore[arg-type]
    known = {sample.tobytes(): n for n, sample in enumerate(data.train_inputs[0])}
    return [known[sample.tobytes()] for sample in picked]


def test_a_random_draw_takes_each_sample_once_and_the_seed_says_which():
    drawn = places("random", 200)
    assert len(set(drawn)) == 200 and drawn == places("random", 200) != places("random", 200, seed=2)


def test_a_draw_again_may_take_a_sample_twice():
    """Of n draws from n, 1 − 1/e of the samples are expected."""
    total = len(digits.load().train_inputs[0])
    assert 0.60 < len(set(places("again", total))) / total < 0.66


def test_a_balanced_draw_has_every_class_alike():
    labels = np.asarray(digits.load().train_labels)[places("balanced", 100)]
    assert np.bincount(labels).tolist() == [10] * 10
