"""Flips, a count, are judged as the share of the samples that they are."""

from __future__ import annotations

import numpy as np
import pytest

from tests.made_answers import RIGHT, WRONG, dropped, found, made, twice

LIMIT = 'metric = "flips"\nmax = {}'


@pytest.mark.parametrize(("b", "c", "most"), [(6, 4, 20), (9, 0, 10), (6, 4, 5), (30, 10, 20), (0, 0, 1), (0, 0, 7)])
def test_a_count_is_judged_as_the_rate_that_it_is(b, c, most):
    run, n = dropped(b, c, 2000), 2000
    count, rate = found(run, LIMIT.format(most)), found(run, f'metric = "flip_rate"\nmax = {most / n}')
    assert (count.outcome, count.p, count.unit) == (rate.outcome, rate.p, "count")
    assert (count.value, count.limit) == (b + c, pytest.approx(most))
    assert (count.low, count.high) == (pytest.approx(n * rate.low), pytest.approx(n * rate.high))


def test_a_limit_of_0_is_of_these_samples_and_says_so():
    said = found(dropped(0, 0, 2000), LIMIT.format(0))
    assert (said.outcome, said.p) == ("pass", None)
    assert "among these 2,000 samples" in said.reason
    assert "a rate of up to 0.15 % is compatible" in said.reason  # 1 − .05^(1/2000)
    assert found(dropped(1, 0, 2000), LIMIT.format(0)).outcome == "fail"


def test_a_limit_that_every_test_set_keeps_is_no_limit():
    said = found(dropped(1, 0, 20), LIMIT.format(20))
    assert (said.outcome, said.reason) == ("not_comparable", "20 samples cannot have over 20 flips: give a lower limit")


def against_float32(flips: int, float32_flips: int, n: int = 2000):
    """int8 and float32 flip other samples."""
    keras = np.full(n, RIGHT)
    int8, float32 = keras.copy(), keras.copy()
    int8[:flips], float32[n - float32_flips :] = WRONG, WRONG
    return made({"float32": float32, "int8": int8}, keras)


@pytest.mark.parametrize(
    ("flips", "limit", "outcome"),
    [
        (12, '"20"', "pass"),
        (12, '"4"', "inconclusive"),
        (60, '"20"', "fail"),
        (60, '"100%"', "fail"),
        (12, '"200%"', "pass"),
    ],
)
def test_more_flips_than_float32_are_judged_by_the_samples_that_both_answered(flips, limit, outcome):
    limit = limit.strip('"') if "%" not in limit else limit
    said = found(against_float32(flips, 10), f'metric = "flips"\nmax_increase = {limit}\nagainst = "float32"')
    assert said.outcome == outcome
    relative = "%" in limit
    assert (said.value, said.unit) == (pytest.approx(10 * flips - 100), "%") if relative else (flips - 10, "count")


def test_a_share_of_no_flips_is_not_comparable():
    keras, int8 = twice(1, 0, 20)
    run = made({"float32": keras, "int8": int8}, keras)
    said = found(run, 'metric = "flips"\nmax_increase = "5%"\nagainst = "keras"')
    assert said.outcome == "not_comparable"
