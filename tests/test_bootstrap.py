"""The bootstrap-t against one that is written out, and what it must hold: coverage, pairing, no claim from silence."""

from __future__ import annotations

import numpy as np
import pytest

from harness.statistics import bootstrap
from harness.statistics.bootstrap import BLOCKS, Bounded, Called, Influences, Unmoved, means, weights

RNG = np.random.default_rng(5)
BEFORE = RNG.gamma(2, 1, 300)
AFTER = BEFORE + RNG.gamma(1, 0.3, 300) - 0.25


def written_out(each: np.ndarray, confidence: float, seed: int = 1) -> tuple[float, float]:
    """The bootstrap-t of a mean, with half a sample added that is as bad as the worst, resample by resample."""
    rng, n, mean = np.random.default_rng(seed), len(each), each.mean()
    drawn = each[rng.integers(0, n, (20_000, n))]
    t = (drawn.mean(axis=1) - mean) / (drawn.std(axis=1) / np.sqrt(n))
    first, last = np.quantile(t, [(1 - confidence) / 2, (1 + confidence) / 2])
    sd = each.std() / np.sqrt(n)
    return mean - last * sd - (mean - each.min()) / 2 / (n + 1), mean - first * sd + (each.max() - mean) / 2 / (n + 1)


@pytest.mark.parametrize("confidence", [0.8, 0.9])
def test_the_limits_are_those_written_out(confidence):
    limits = means(AFTER).limits(confidence)
    low, high = written_out(AFTER, confidence)
    assert (limits.low, limits.high) == pytest.approx((low, high), abs=0.05 * (high - low))


def test_a_paired_difference_is_of_the_differences():
    limits, (low, high) = means(AFTER).less(means(BEFORE)).limits(0.9), written_out(AFTER - BEFORE, 0.9)
    assert (limits.low, limits.high) == pytest.approx((low, high), abs=0.05 * (high - low))
    alone = means(AFTER).limits(0.9)
    assert high - low < 0.3 * (alone.high - alone.low)


def test_growth_is_relative_and_paired():
    noise = np.random.default_rng(3).normal(0, 0.01, 300)
    limits = means(1.02 * BEFORE + noise - noise.mean()).growth(means(BEFORE)).limits(0.9)
    assert limits.low < 0.02 < limits.high and limits.high - limits.low < 0.004


def test_the_jackknife_of_means_leaves_each_sample_out():
    root = means(np.square(AFTER), lambda mean: np.sqrt(mean[..., 0]))
    assert root.without == pytest.approx([np.sqrt(np.mean(np.square(np.delete(AFTER, n)))) for n in range(len(AFTER))])


def test_what_is_called_anew_agrees_with_what_is_made_of_means():
    called = Called(lambda labels, outputs: float(np.mean(np.abs(outputs - labels))), BEFORE, AFTER)
    own = means(np.abs(AFTER - BEFORE))
    assert called.value == pytest.approx(own.value)
    one, other = called.limits(0.9), own.limits(0.9)
    assert (one.low, one.high) == pytest.approx((other.low, other.high), abs=0.1 * (other.high - other.low))


def test_a_function_whose_influences_say_too_little_is_as_wide_as_its_resamples():
    """The jackknife of a median knows but the two middle samples."""
    each = np.round(np.random.default_rng(2).normal(size=400), 1)
    called = Called(lambda labels, outputs: float(np.median(outputs)), None, each)
    assert called.alone.still or called.alone.widened > 1


def test_the_same_samples_have_the_same_limits():
    assert means(AFTER).limits(0.9) == means(AFTER.copy()).limits(0.9)


def test_exactly_nothing_is_as_sure_as_one_sample_in_a_hundred_is_seen():
    nothing = means(AFTER).less(means(AFTER.copy()))
    with pytest.raises(Unmoved, match="none of 300 samples differs"):
        nothing.limits(0.9)
    assert [nothing.p(limit) for limit in (0.1, 0.0, -0.1)] == [pytest.approx(0.99**300), 1, 1]
    assert [nothing.p(limit, -1) for limit in (0.1, 0.0, -0.1)] == [1, 1, pytest.approx(0.99**300)]
    assert nothing.doubt == "" and "299" in means(AFTER[:298]).less(means(AFTER[:298])).doubt


@pytest.mark.parametrize("shift", [0.1, -3.0])
def test_a_constant_difference_has_no_limits(shift):
    """Rounding must not pass for spread."""
    for constant in (means(AFTER + shift).less(means(AFTER)), means(np.full(400, 0.3))):
        assert constant.doubt == "it is the same for every sample"
        with pytest.raises(match="the same for every sample"):
            constant.limits(0.9)


def test_a_function_that_does_not_move_decides_nothing():
    """What samples it looks at is not known: of 20 of a rare class all may be right."""
    still = Called(lambda labels, outputs: float(outputs.max() > -1), None, AFTER)
    assert still.less(still).doubt == "it is the same for every sample"


def test_limits_further_out_than_resamples_reach_are_none():
    with pytest.raises(match="2,000 resamples do not reach"):
        means(AFTER).limits(0.9998)


def test_few_samples_decide_nothing_and_few_that_carry_it_little():
    assert means(AFTER[:298]).doubt.startswith("298 samples") and means(AFTER).doubt == ""
    one = np.where(np.arange(400) == 7, 50.0, RNG.normal(0, 0.01, 400))
    assert "carry nearly all of its spread" in means(one).doubt
    some = np.where(np.arange(400) < 10, 50.0, RNG.normal(0, 0.01, 400))
    assert means(some).doubt == "" and means(some).alone.wary == bootstrap.WARY
    assert "3 times as wide" in means(some).words(0.9)


def test_the_carriers_of_normal_influences_are_a_third():
    assert means(RNG.normal(size=30_000)).alone.carriers == pytest.approx(10_000, rel=0.05)


def test_the_p_value_is_the_level_whose_limit_it_is():
    moved = means(AFTER).less(means(BEFORE))
    for confidence in (0.5, 0.8, 0.98):
        limits = moved.limits(confidence)
        assert moved.p(limits.high) == pytest.approx((1 - confidence) / 2, abs=0.002)
        assert moved.p(limits.low, -1) == pytest.approx((1 - confidence) / 2, abs=0.002)


def test_a_value_that_leans_has_limits_so_much_further_out():
    straight, leaning = (
        Influences(1.0, AFTER - AFTER.mean(), 300, 1.0, over=o, under=u) for o, u in ((0, 0), (0.2, 0.1))
    )
    one, other = straight.limits(0.9), leaning.limits(0.9)
    assert (one.low - other.low, other.high - one.high) == pytest.approx((0.2, 0.1))


def test_many_samples_are_resampled_in_blocks_and_mean_the_same():
    many = np.random.default_rng(2).exponential(1, 3 * BLOCKS + 7)
    own, error = means(many), many.std() / np.sqrt(len(many))
    assert own.alone.sd == pytest.approx(error, rel=0.001) and weights(BLOCKS).shape[1] == BLOCKS
    limits = own.limits(0.9)
    ends = (own.value - 1.645 * error, own.value + 1.645 * error)
    assert (limits.low, limits.high) == pytest.approx(ends, abs=0.2 * error)


def test_the_upper_limit_of_a_skewed_mean_is_missed_one_time_in_twenty_at_most():
    """The mean of a lognormal is √e. Student's t misses it in 8 % of 300 samples; 400 tries, so 2 pp of luck."""
    rng = np.random.default_rng(8)
    missed = [means(rng.lognormal(size=300)).limits(0.9).high < np.exp(0.5) for _ in range(400)]
    assert np.mean(missed) <= 0.07


def test_what_has_bounds_is_sure_of_what_could_have_been():
    """The score is 0 or 1, and no sample moved: up to 1 − .05^(1/n) of them may."""
    right = np.ones(200, bool)
    moved = Bounded(right, 0, 1).less(Bounded(right, 0, 1))
    assert moved.limits(0.9).high == pytest.approx(1 - 0.05 ** (1 / 200), rel=0.01)


def test_a_function_that_takes_too_long_is_given_up(monkeypatch):
    monkeypatch.setattr(bootstrap, "LONGEST_S", 0.0)
    with pytest.raises(match="one value a sample"):
        Called(lambda labels, outputs: float(outputs.mean()), None, AFTER).limits(0.9)
