"""Where values lie on an axis, and that its ticks are round, inside, and do not touch."""

from __future__ import annotations

from itertools import pairwise
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.report.charts.chart import Axis
from harness.report.charts.lettering import breadth
from harness.report.charts.scales import Scale, limits_of, log_text, ticks_of


def test_a_value_lies_in_proportion_and_beyond_the_axis_at_its_edge() -> None:
    scale = Scale(10, 20, log=False, start=100, end=300)
    assert [scale.px(value) for value in (10, 12.5, 20, 5, inf, -inf)] == [100, 150, 300, 100, 300, 100]


def test_each_decade_of_a_logarithmic_axis_is_as_long() -> None:
    scale = Scale(1, 1000, log=True, start=0, end=300)
    assert [scale.px(value) for value in (1, 10, 100, 1000, 0, -5)] == pytest.approx([0, 100, 200, 300, 0, 0])


def test_an_axis_may_go_down() -> None:
    scale = Scale(2.6, -0.6, log=False, start=320, end=0)  # lines of names: the first is on top
    assert [scale.px(value) for value in (-0.6, 1, 2.6, inf, -inf)] == pytest.approx([0, 160, 320, 320, 0])


def test_limits_are_those_of_what_can_be_drawn_and_a_margin() -> None:
    assert limits_of(Axis(margin=0.1), [0, 10, inf, float("nan")]) == (-1, 11)
    assert limits_of(Axis(log=True, margin=0.5), [0, -3, 1, 100]) == pytest.approx((0.1, 1000))
    assert limits_of(Axis(limits=(3, 4)), [100]) == (3, 4)


@pytest.mark.parametrize("values", [[], [5.0], [0.0, 0.0], [-1e9, -1e9]])
def test_limits_have_a_distance_whatever_is_drawn(values: list[float]) -> None:
    low, high = limits_of(Axis(), values)
    assert low < high


def texts(axis: Axis, low: float, high: float, px: float) -> list[str]:
    return [text for _, text in ticks_of(axis, Scale(low, high, axis.log, 0, px), upright=False)]


def test_ticks_are_round_numbers_with_a_true_minus() -> None:
    assert texts(Axis(), -1.1, 1.1, 300) == ["−1.0", "−0.5", "0.0", "0.5", "1.0"]
    assert texts(Axis(log=True), 2, 95, 400) == ["2", "5", "10", "20", "50"]
    assert texts(Axis(log=True), 1e-9, 1, 150) == ["10⁻⁹", "10⁻⁶", "0.001", "1"]


def test_a_round_number_says_its_whole_value() -> None:
    numbers = (2e-4, 1e-5, 0.001, 0.15, 1, 1.5, 30, 2e5, 1e6, 3e7)
    assert [log_text(n) for n in numbers] == [
        "2×10⁻⁴", "10⁻⁵", "0.001", "0.15", "1", "1.5", "30", "200,000", "10⁶", "3×10⁷",
    ]  # fmt: skip


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6), st.booleans(), st.sampled_from([90, 300, 900]))
def test_ticks_lie_on_the_axis_and_do_not_touch(low: float, wide: float, log: bool, px: float) -> None:
    low = abs(low) + 1e-3 if log else low
    high = low * (1 + wide) if log else low + wide
    scale = Scale(low, high, log, 0, px)
    ticks = ticks_of(Axis(log=log), scale, upright=False)
    assert ticks or log or wide / max(abs(low), wide) < 1e-9
    assert all(low - 0.01 * (high - low) <= value <= high + 0.01 * (high - low) for value, _ in ticks)
    for (a, left), (b, right) in pairwise(ticks):
        assert scale.px(b) - scale.px(a) > (breadth(left) + breadth(right)) / 2
