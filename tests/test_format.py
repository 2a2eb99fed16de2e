"""Digits: a value and its limits share them, and an interval that is not a point does not look like one."""

import pytest

from harness.gate.verdict_text import interval, value_and_limit
from harness.metrics import METRICS
from harness.records import Finding
from harness.report.metric import Primary
from harness.report.tables.columns import limits_cell
from harness.support.format import MISSING, percent, points, significant, whole, with_limits


@pytest.mark.parametrize(
    ("write", "numbers", "shown"),
    [
        (percent, (0.1, 0.05, 0.2), ("10.00", "5.00", "20.00")),
        (percent, (2e-5, 1e-5, 4e-5), ("0.002", "0.001", "0.004")),
        (points, (0.0, -0.001, 0.0004), ("0.000", "−0.001", "0.000")),
        (points, (1.0, 1.0, 1.0), ("1.00", "1.00", "1.00")),
        (points, (0.3, 0.3, 0.1 + 0.2), ("0.30", "0.30", "0.30")),  # one number but for rounding
        (points, (None, None, None), (MISSING,) * 3),
        (whole, (7, 7, 7), ("7", "7", "7")),
        (lambda v, more=0: significant(v, 3 + more), (1000.2, 1000.1, 1000.4), ("1,000.2", "1,000.1", "1,000.4")),
    ],
)
def test_an_interval_that_is_no_point_does_not_look_like_one(write, numbers, shown):
    assert with_limits(write, *numbers) == shown


def test_a_table_shows_a_small_change_with_the_digits_of_its_interval():
    moved = Primary(METRICS["accuracy"], "%").moved_from(0.9)
    cell = limits_cell(moved, -2e-5, (-4e-5, -1e-5), "pp")
    assert (cell.text, cell.note) == ("−0.002 pp", "−0.004 – −0.001")


def test_a_finding_shows_its_value_and_its_interval_with_the_same_digits():
    finding = Finding(
        "pass", "fraction", 2e-6, 1e-6, 4e-6, 0.01, rule=1, words="", case=None, metric="flip_rate", holds=True
    )
    assert interval(finding) == "0.0001 to 0.0004"
    assert value_and_limit(finding) == ("0.0002 %", "1.000 %")
