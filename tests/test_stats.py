"""Every printed reference value, the Tango limits computed in a second way, and the properties of each function."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy.optimize import brentq, minimize_scalar
from scipy.stats import binom, norm, ttest_1samp, ttest_ind

from harness.statistics import stats
from harness.statistics.stats import Interval


def assert_limits(interval: Interval, low: float, high: float, digits: int) -> None:
    assert (round(interval.low, digits), round(interval.high, digits)) == (low, high)


# --- tango ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "low", "high", "digits"),
    [
        ((59, 6, 16, 80), -0.1240, -0.0054, 4),
        ((1, 1, 7, 12), -0.517, -0.026, 3),
        ((4, 9, 3, 16), -0.027, 0.390, 3),
        ((53, 16, 8, 9), -0.020, 0.207, 3),
        ((14, 5, 0, 22), 0.0258, 0.2554, 4),
        ((50, 0, 0, 0), -0.0713, 0.0713, 4),
    ],
)
def test_tango_published_95_percent_limits(table, low, high, digits):
    _, b, c, _ = table
    assert_limits(stats.tango(b, c, sum(table), confidence=0.95), low, high, digits)


@pytest.mark.parametrize(
    ("b", "c", "n", "low", "high", "digits"),
    [
        (0, 0, 1_000, -0.002698, 0.002698, 6),
        (5, 3, 1_000, -0.003102, 0.007595, 6),
        (30, 20, 5_000, -0.000335, 0.004435, 6),
        (60, 40, 10_000, 0.000360, 0.003691, 6),
        (60, 20, 10_000, 0.002575, 0.005554, 6),
        (0, 1, 44, -0.096, 0.037, 3),  # Tango 1998
    ],
)
def test_tango_gate_fixtures_at_90_percent(b, c, n, low, high, digits):
    assert_limits(stats.tango(b, c, n), low, high, digits)


def independent_tango(b: int, c: int, n: int, confidence: float) -> tuple[float, float]:
    """The score test from its definition: the likelihood is maximised numerically, without the formula for q."""

    def score(delta: float) -> float:
        def minus_log_likelihood(p21: float) -> float:
            p12, same = p21 + delta, 1 - 2 * p21 - delta
            cells = ((b, p12), (c, p21), (n - b - c, same))
            return -sum(count * math.log(p) if p > 0 else -1e300 for count, p in cells if count)

        bounds = (max(0.0, -delta), (1 - delta) / 2)
        p21 = minimize_scalar(minus_log_likelihood, bounds=bounds, method="bounded", options={"xatol": 1e-13}).x
        return (b - c - n * delta) / math.sqrt(n * (2 * p21 + delta - delta**2))

    z, drop, edge = norm.ppf((1 + confidence) / 2), (b - c) / n, 1 - 1e-9
    low = brentq(lambda d: score(d) - z, -edge, min(drop, edge), xtol=1e-12) if drop > -edge else -1.0
    high = brentq(lambda d: score(d) + z, max(drop, -edge), edge, xtol=1e-12) if drop < edge else 1.0
    return low, high


@pytest.mark.parametrize("confidence", [0.80, 0.90, 0.99])
@pytest.mark.parametrize("n", [7, 40, 500])
@pytest.mark.parametrize(("b_share", "c_share"), [(0.1, 0.3), (0.45, 0.5), (0.9, 0.05), (0.15, 0), (0.02, 0.02)])
def test_tango_agrees_with_a_numerically_maximised_likelihood(n, b_share, c_share, confidence):
    b, c = math.ceil(b_share * n), math.floor(c_share * n)
    limits = stats.tango(b, c, n, confidence)
    assert (limits.low, limits.high) == pytest.approx(independent_tango(b, c, n, confidence), abs=2e-6)


def test_tango_holds_every_table_of_small_n():
    """Limits stand in order, inside [−1, 1], around the drop; exchanging the models turns them round."""
    for n in range(1, 13):
        for b in range(n + 1):
            for c in range(n + 1 - b):
                limits, reverse = stats.tango(b, c, n), stats.tango(c, b, n)
                assert -1 <= limits.low <= (b - c) / n <= limits.high <= 1
                assert (limits.low, limits.high) == (-reverse.high, -reverse.low)


def test_tango_widens_with_confidence_and_narrows_with_n():
    by_confidence = [stats.tango(12, 7, 400, confidence) for confidence in (0.5, 0.8, 0.9, 0.95, 0.99)]
    for narrow, wide in pairwise(by_confidence):
        assert wide.low < narrow.low < narrow.high < wide.high
    widths = [limits.high - limits.low for k in (1, 2, 5, 10) if (limits := stats.tango(12 * k, 7 * k, 400 * k))]
    assert widths == sorted(widths, reverse=True)


@pytest.mark.parametrize("counts", [(0, 0, 0), (-1, 0, 10), (0, -1, 10), (6, 5, 10)])
def test_tango_refuses_impossible_counts(counts):
    with pytest.raises(ValueError, match="impossible counts"):
        stats.tango(*counts)


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95, math.nan])
def test_tango_refuses_impossible_confidence(confidence):
    with pytest.raises(ValueError, match="confidence"):
        stats.tango(1, 2, 10, confidence)


def test_ratio_published_95_percent_limits():
    """Bentur et al. (1, 1, 7, 12), the score interval of the ratio in Fagerland, Lydersen & Laake, Statistical Analysis
    of Contingency Tables, 2017, chapter 8; 2 of 21 against 8 of 21.
    """
    assert_limits(stats.ratio_limits(1, 7, 9, confidence=0.95), 0.065, 0.907, 3)


def test_ratio_limits_turn_over_with_the_ratio():
    for b, c, n in ((1, 7, 9), (0, 0, 40), (20, 3, 50), (5, 5, 5_000)):
        one, other = stats.ratio_limits(b, c, n), stats.ratio_limits(c, b, n)
        assert (one.low, one.high) == pytest.approx((1 / other.high, 1 / other.low))
        assert one.low < (n - c) / (n - b) < one.high
    nothing_left = stats.ratio_limits(6, 0, 6)
    assert nothing_left.low > 1 and nothing_left.high == math.inf
    with pytest.raises(ValueError, match="impossible counts"):
        stats.ratio_limits(6, 5, 10)


# --- McNemar -------------------------------------------------------------------------------------------------------


def test_mcnemar_reference_values():
    assert round(stats.mcnemar_exact(6, 16), 6) == 0.052479
    assert round(stats.mcnemar_midp(6, 16), 6) == 0.034690
    assert round(stats.mcnemar_exact(12, 2), 4) == 0.0129
    assert stats.mcnemar_midp(0, 3) == pytest.approx(2 * 0.5**3 - 0.5**3)


@pytest.mark.parametrize("pairs", [0, 1, 7, 400])
def test_mcnemar_without_a_difference(pairs):
    """The exact p is 1; the mid-p is 1 less half the probability of this outcome (Fagerland et al., supplement)."""
    assert stats.mcnemar_exact(pairs, pairs) == 1
    this = math.comb(2 * pairs, pairs) / 4**pairs
    assert stats.mcnemar_midp(pairs, pairs) == pytest.approx(1 - this / 2)


# --- rounds --------------------------------------------------------------------------------------------------------

A = [10.1, 10.3, 9.9, 10.0, 10.2, 10.4]
B = [10.6, 10.9, 10.5, 10.8, 11.2, 10.7]


def test_ratio_interval_fixture():
    ratio, limits = stats.ratio_interval(A, B)
    assert round(ratio, 6) == 1.062315
    assert_limits(limits, 1.037406, 1.087822, 6)


def test_ratio_interval_the_other_way_round_is_the_inverse():
    ratio, limits = stats.ratio_interval(A, B)
    inverse, reverse = stats.ratio_interval(B, A)
    assert (1 / inverse, 1 / reverse.high, 1 / reverse.low) == pytest.approx((ratio, limits.low, limits.high))


def test_rounds_interval_is_scipys_t_interval_of_the_logarithm():
    expected = ttest_1samp(np.log(A), 0).confidence_interval(0.90)
    limits = stats.rounds_interval(A, 0.90)
    assert (limits.low, limits.high) == pytest.approx((math.exp(expected.low), math.exp(expected.high)))


def test_rounds_interval_of_equal_rounds_is_a_point():
    limits = stats.rounds_interval([4.0, 4.0, 4.0])
    assert (limits.low, limits.high) == pytest.approx((4, 4))


@pytest.mark.parametrize("values", [[], [1.0], [1.0, 0.0], [1.0, math.nan], [1.0, math.inf], [[1.0, 2.0]]])
def test_rounds_that_support_no_interval_are_refused(values):
    with pytest.raises(ValueError, match="at least two rounds"):
        stats.rounds_interval(values)
    with pytest.raises(ValueError, match="at least two rounds"):
        stats.ratio_interval(values, values)


def test_unpaired_rounds_are_refused():
    with pytest.raises(ValueError, match="not paired"):
        stats.ratio_interval([1.0, 2.0], [1.0, 2.0, 3.0])


@pytest.mark.parametrize(
    ("rounds", "effect"), [(6, 1.435), (8, 1.156), (10, 0.996), (15, 0.778), (20, 0.660), (30, 0.529)]
)
def test_smallest_detectable_effect(rounds, effect):
    assert round(stats.smallest_detectable_effect(rounds), 3) == effect
    assert stats.smallest_detectable_effect(rounds, sd=0.02) == pytest.approx(0.02 * effect, abs=1e-5)


def test_smallest_detectable_effect_is_found_four_times_in_five():
    rng = np.random.default_rng(3)
    samples = rng.normal(stats.smallest_detectable_effect(10), 1, size=(20_000, 10))
    assert np.mean(ttest_1samp(samples, 0, axis=1).pvalue < 0.05) == pytest.approx(0.80, abs=0.01)


# --- two sessions --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("confidence", [0.80, 0.95, 0.99])
@pytest.mark.parametrize(
    ("a", "b"), [(A, B), (A, [9.1, 12.9, 10.4]), ([5.0, 5.01, 5.0, 4.99], [5.1, 5.9]), ([3e-9, 4e-9], [2e9, 3e9, 9e9])]
)
def test_welch_ratio_interval_is_scipys_welch_test_of_the_logarithm(a, b, confidence):
    ratio, limits = stats.welch_ratio_interval(a, b, confidence)
    logs = ttest_ind(np.log(b), np.log(a), equal_var=False).confidence_interval(confidence)
    assert ratio == pytest.approx(geometric_mean(b) / geometric_mean(a))
    assert (limits.low, limits.high) == pytest.approx((math.exp(logs.low), math.exp(logs.high)))


def geometric_mean(values: list[float]) -> float:
    """The geometric mean from its definition."""
    return math.prod(value ** (1 / len(values)) for value in values)


def test_welch_ratio_interval_the_other_way_round_is_the_inverse():
    ratio, limits = stats.welch_ratio_interval(A, B[:4])
    inverse, reverse = stats.welch_ratio_interval(B[:4], A)
    assert (1 / inverse, 1 / reverse.high, 1 / reverse.low) == pytest.approx((ratio, limits.low, limits.high))


def test_welch_ratio_interval_covers_where_rounds_vary_unequally():
    """6 quiet rounds against 10 that vary four times as much, true ratio 1.05; pooled variances would cover 99 %."""
    rng = np.random.default_rng(4)
    quiet, loud = np.exp(rng.normal(0, 0.01, (4_000, 6))), 1.05 * np.exp(rng.normal(0, 0.04, (4_000, 10)))
    limits = [stats.welch_ratio_interval(a, b)[1] for a, b in zip(quiet, loud, strict=True)]
    assert np.mean([one.low <= 1.05 <= one.high for one in limits]) == pytest.approx(0.95, abs=0.012)


def test_smallest_welch_effect_is_found_four_times_in_five():
    """Six quiet rounds against ten loud ones, slower by the effect that their own spread names, by scipy's test."""
    rng = np.random.default_rng(5)
    a, b = rng.normal(0, 0.01, 6), rng.normal(0, 0.04, 10)
    a, b = ((side - side.mean()) / side.std(ddof=1) * sd for side, sd in ((a, 0.01), (b, 0.04)))
    effect = stats.smallest_welch_effect(np.exp(a), np.exp(b))
    quiet, loud = rng.normal(0, 0.01, (20_000, 6)), rng.normal(effect, 0.04, (20_000, 10))
    assert np.mean(ttest_ind(quiet, loud, axis=1, equal_var=False).pvalue < 0.05) == pytest.approx(0.80, abs=0.01)


def test_welch_ratio_interval_of_rounds_that_never_vary_is_a_point():
    ratio, limits = stats.welch_ratio_interval([2.0, 2.0], [3.0, 3.0, 3.0])
    assert (ratio, limits.low, limits.high) == pytest.approx((1.5, 1.5, 1.5))


@pytest.mark.parametrize("values", [[], [1.0], [1.0, 0.0], [1.0, math.nan], [1.0, -1.0]])
def test_sessions_that_support_no_interval_are_refused(values):
    for a, b in ((values, A), (A, values)):
        with pytest.raises(ValueError, match="at least two rounds"):
            stats.welch_ratio_interval(a, b)


def test_a_claim_needs_as_many_rounds_as_a_sign_flip_test_needs_for_5_percent():
    smallest_p = [2 / 2**rounds for rounds in (stats.CLAIM_ROUNDS - 1, stats.CLAIM_ROUNDS)]
    assert smallest_p[1] < 0.05 < smallest_p[0]


# --- one process ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n", "q", "ranks"),
    [
        (10, 0.5, (2, 9)),
        (20, 0.5, (6, 15)),
        (100, 0.5, (40, 61)),
        (100, 0.9, (84, 96)),
        (1_000, 0.99, (983, 997)),
        (368, 0.99, (360, 368)),
    ],
)
def test_order_statistic_ranks(n, q, ranks):
    assert stats.order_statistic_ranks(n, q) == ranks


def test_order_statistic_ranks_are_binomial_quantiles():
    for n in (1, 3, 17, 250):
        for q in (0.01, 0.3, 0.5, 0.999):
            expected = int(binom.ppf(0.05, n, q)), int(binom.ppf(0.95, n, q)) + 1
            assert stats.order_statistic_ranks(n, q, 0.90) == expected


@pytest.mark.parametrize(
    ("q", "one_sided", "two_sided"), [(0.90, 29, 36), (0.95, 59, 72), (0.99, 299, 368), (0.999, 2995, 3688)]
)
def test_samples_a_quantile_needs(q, one_sided, two_sided):
    assert stats.estimable(two_sided, q)
    assert not stats.estimable(two_sided - 1, q)
    assert stats.order_statistic_ranks(one_sided, q, 0.90)[1] == one_sided
    assert stats.order_statistic_ranks(one_sided - 1, q, 0.90)[1] == one_sided  # one past the last sample


def test_nothing_is_estimable_from_nothing():
    assert not stats.estimable(0, 0.5)
    with pytest.raises(ValueError, match="0 samples"):
        stats.order_statistic_ranks(0, 0.5)


@pytest.mark.parametrize(("rho", "expected"), [(0.0, 5_000), (0.3, 2_692), (0.5, 1_667), (0.9, 263)])
def test_effective_sample_size_of_autoregressive_series(rho, expected):
    rng = np.random.default_rng(11)
    sizes = [stats.effective_sample_size(autoregressive(rho, 5_000, rng)) for _ in range(40)]
    assert np.mean(sizes) == pytest.approx(expected, rel=0.05)


def autoregressive(rho: float, n: int, rng: np.random.Generator) -> np.ndarray:
    series = rng.normal(size=n)
    series[0] /= math.sqrt(1 - rho**2)
    for i in range(1, n):
        series[i] += rho * series[i - 1]
    return series


def test_effective_sample_size_is_at_most_n():
    assert stats.effective_sample_size([1.0, -1.0] * 50) == 100
    assert stats.effective_sample_size([5, 5, 5]) == 3
    assert stats.effective_sample_size([5]) == 1
    assert stats.effective_sample_size([]) == 0


# --- distances -----------------------------------------------------------------------------------------------------


def test_js_divergence_from_equal_to_disjoint():
    p = [[0.5, 0.5, 0.0], [1.0, 0.0, 0.0], [1.0, 0.0, 0.0]]
    q = [[0.5, 0.5, 0.0], [0.0, 1.0, 0.0], [0.5, 0.5, 0.0]]
    by_hand = (math.log2(4 / 3) + math.log2(2 / 3) / 2 + math.log2(2) / 2) / 2
    assert stats.js_divergence(p, q) == pytest.approx([0, 1, by_hand])
    assert np.array_equal(stats.js_divergence(p, q), stats.js_divergence(q, p))


def test_js_divergence_normalises_and_clips_rows():
    scaled = stats.js_divergence([[2.0, 6.0, -1.0]], [[0.7, 0.2, 0.1]])
    assert scaled == pytest.approx(stats.js_divergence([[0.25, 0.75, 0.0]], [[0.7, 0.2, 0.1]]))


def test_js_divergence_of_no_distribution_is_nan():
    assert np.isnan(stats.js_divergence([[0.0, 0.0], [math.nan, 1.0]], [[0.5, 0.5], [0.5, 0.5]])).all()


def test_expected_calibration_error_by_hand():
    confidence, right = np.array([0.9, 0.9, 0.6, 1.0]), np.array([True, False, True, True])
    by_hand = (2 * abs(0.5 - 0.9) + abs(1 - 0.6) + abs(1 - 1.0)) / 4
    assert stats.calibration_error(confidence, right) == pytest.approx(by_hand)
    assert stats.calibration_error(confidence, right, bins=1) == pytest.approx(abs(3 / 4 - 3.4 / 4))


def test_a_ratio_of_energies_in_decibels():
    assert stats.ratio_db(5, 0.25) == pytest.approx(10 * math.log10(5 / 0.25))
    assert stats.ratio_db(5, 0) == math.inf
    assert stats.ratio_db(0, 1) == -math.inf
    assert math.isnan(stats.ratio_db(math.nan, 1))
