"""δ1 and the relative error of maps, beside plain loops over the pixels and values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from harness.metrics.maps import abs_rel, delta1
from harness.metrics.registry import Answers
from harness.records import Absent

LABELS = np.array([[[1.0, 2.0], [0.0, 4.0]], [[10.0, 10.0], [10.0, 10.0]]], np.float32)
OUTPUTS = np.array([[[1.2, 2.0], [9.0, 5.2]], [[10.0, 7.9], [12.4, 8.1]]], np.float32)[..., np.newaxis]


def test_values_worked_by_hand() -> None:
    """Within 1.25: 1.2 and 2.0 of three, since 0 is not measured; then 10, 12.4 and 8.1 of four."""
    answers = Answers(LABELS, OUTPUTS, OUTPUTS)
    assert delta1(answers).value == pytest.approx((2 / 3 + 3 / 4) / 2)
    first, second = (0.2 + 0 + 0.3) / 3, (0 + 0.21 + 0.24 + 0.19) / 4
    assert abs_rel(answers).value == pytest.approx((first + second) / 2, rel=1e-6)


def test_a_loop_over_the_pixels_says_the_same() -> None:
    rng = np.random.default_rng(3)
    labels = rng.uniform(0.5, 9, (40, 6, 5))
    outputs = labels * rng.lognormal(0, 0.3, labels.shape)
    within = [max(a / b, b / a) < 1.25 for a, b in zip(outputs.ravel(), labels.ravel(), strict=True)]
    answers = Answers(labels, outputs, outputs)
    assert delta1(answers).value == pytest.approx(np.mean(within))
    assert abs_rel(answers).value == pytest.approx(np.mean(np.abs(outputs - labels) / labels))


def test_what_is_not_over_0_is_never_near() -> None:
    outputs = np.array([[-1.0, 0.0, 2.0]])
    assert delta1(Answers(np.array([[1.0, 1.0, 2.0]]), outputs, outputs)).value == pytest.approx(1 / 3)


def test_a_map_without_a_measured_number_is_said() -> None:
    labels = np.array([[0.0, 0.0], [1.0, 2.0]])
    for metric in (delta1, abs_rel):
        with pytest.raises(Absent, match="1 of 2 samples have no label over 0"):
            metric(Answers(labels, labels, labels))
