"""ECE, JS and SQNR as statistics of a sample: their values are the tables', their limits hold."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, binomtest

from harness.compare.baseline import compare
from harness.metrics import METRICS
from harness.metrics.of_sample import STATISTICS, Quantile
from harness.metrics.registry import Answers
from tests.made_runs import case
from tests.made_tasks import classes


def calibrated(rng: np.random.Generator, n: int, sharper: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, scores that are calibrated, and scores that claim so much more than they are right."""
    sure = rng.uniform(0.6, 0.9, n)
    labels = np.where(rng.random(n) < sure, 1, 0)
    one, other = (np.stack([1 - s, s], axis=1).astype(np.float32) for s in (sure, sure + sharper))
    return labels, one, other


@pytest.mark.parametrize("name", ["sqnr", "ece", "js_p99"])
def test_the_value_is_the_one_that_is_shown(name):
    run = classes(samples=900)
    comparison = compare(run)
    answers = Answers(run.labels, comparison.scores[case("int8")], comparison.baseline)
    statistic = STATISTICS[name](answers)
    assert statistic.value == pytest.approx(comparison.change(case("int8"), name).value, rel=1e-5)
    limits = statistic.limits(0.9)
    assert limits.low < statistic.value < limits.high


def test_a_quantile_has_the_limits_of_order_statistics():
    """Of the p99, under 299 samples have no upper limit: .99^298 is over 5 %."""
    each = np.random.default_rng(0).random(1000)
    assert Quantile(each).limits(0.9).high == np.sort(each)[np.searchsorted(binom.cdf(range(1000), 1000, 0.99), 0.95)]
    limit = np.sort(each)[-3]
    assert Quantile(each).p(limit) == pytest.approx(binom.sf(996, 1000, 0.99))
    assert Quantile(each[:298]).limits(0.9).high == 1.0 and Quantile(each[:299]).limits(0.9).high < 1.0
    moved = Quantile(each + 0.5).less(Quantile(each))
    high = moved.limits(0.9).high
    assert moved.p(high + 1e-9) == pytest.approx(0.05, abs=0.03) and moved.p(0.4) == 1.0


def test_a_calibration_error_that_grows_by_the_limit_is_rarely_let_through():
    """The truth of Keras is 0, of the variant .03; values alone pass four times in five, since both lie too high."""
    rng, tries = np.random.default_rng(3), 150
    drawn = [calibrated(rng, 1000, 0.03) for _ in range(tries)]
    moves = [STATISTICS["ece"](Answers(y, v, k)).less(STATISTICS["ece"](Answers(y, k, k))) for y, k, v in drawn]
    assert np.mean([m.value < 0.03 for m in moves]) > 0.7
    assert np.mean([m.p(0.03) < 0.05 for m in moves]) < 0.05 + 2 * 0.018
    assert np.mean([m.limits(0.9).low <= 0.03 <= m.limits(0.9).high for m in moves]) > 0.9


@pytest.mark.parametrize("name", ["ece", "js_p99", "sqnr", "flips", "flip_rate"])
def test_what_is_of_a_sample_has_limits_in_every_table(name):
    change = compare(classes(samples=900)).change(case("int8"), name)
    assert change.low < change.value < change.high
    assert METRICS[name].interval_percent == 90
    assert "90 %" in change.method


def test_the_limits_of_flips_are_clopper_pearsons():
    comparison = compare(classes(samples=900))
    count, rate = (comparison.change(case("int8"), name) for name in ("flips", "flip_rate"))
    ends = binomtest(int(count.value), 900).proportion_ci(0.90, "exact")
    assert (rate.low, rate.high) == pytest.approx((ends.low, ends.high))
    assert (count.low, count.high) == pytest.approx((900 * ends.low, 900 * ends.high))
