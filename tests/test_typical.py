"""Limits of a typical process: against scipy, and in simulations with the truth exactly at the limit."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import brentq
from scipy.special import ndtr

from harness.metrics.typical import CORRELATED, SKEWED, TwoSessions, Typical, normality_p, von_neumann_z

TRIES = 2000
ROUNDS = 10
MOST = 0.05 + 2 * np.sqrt(0.05 * 0.95 / TRIES)  # a nominal 5 %, and two standard errors of so many tries
SLOW = np.log(1.3)
NOISE = 0.01
T95 = stats.t.ppf(0.95, ROUNDS - 1)


def share(passes) -> float:
    return float(np.mean([bool(p) for p in passes]))


def of_logs(logs: np.ndarray) -> Typical:
    return Typical.of(np.exp(logs))


def passed(logs: np.ndarray, limit: float) -> bool:
    """Whether a rule at 95 % would pass: the whole one-sided interval is under the limit."""
    limits = of_logs(logs).limits(0.90)
    return limits is not None and limits.high < np.exp(limit)


# --- the forms -----------------------------------------------------------------------------------------------------

NORMAL = np.array([1.5, -0.7, 0.1, -1.0, 0.4, -0.1, 0.7, -1.5, 1.0, -0.4]) * NOISE


def test_normal_rounds_have_students_limits_of_the_geometric_mean():
    typical = of_logs(NORMAL + 3)
    low, high = np.exp(stats.t.interval(0.95, 9, 3 + NORMAL.mean(), stats.sem(NORMAL)))
    limits = typical.limits()
    assert (limits.low, limits.high) == (pytest.approx(low), pytest.approx(high))
    assert typical.value == pytest.approx(stats.gmean(np.exp(NORMAL + 3)))
    assert typical.p(np.exp(3.01)) == pytest.approx(stats.ttest_1samp(NORMAL + 3, 3.01, alternative="less").pvalue)


def test_one_slow_round_of_ten_is_noticed_and_the_second_and_ninth_bound_the_median():
    logs = NORMAL.copy()
    logs[3] += SLOW
    typical = of_logs(logs)
    ordered = np.exp(np.sort(logs))
    assert (typical.limits().low, typical.limits().high) == (pytest.approx(ordered[1]), pytest.approx(ordered[8]))
    assert typical.value == pytest.approx(np.exp(np.median(logs)))
    assert SKEWED in typical.words()
    assert typical.p(1.1) == pytest.approx(stats.binom.cdf(1, 10, 0.5))  # one round of ten is over it


@pytest.mark.parametrize("rounds", [6, 10, 20])
def test_order_statistics_hold_their_confidence_exactly(rounds):
    """P(the median is over the upper limit) = P(Binomial(R, ½) ≥ its rank)."""
    logs = np.where(np.arange(rounds) % 4 == 1, SLOW, 0) + 1e-4 * np.arange(rounds)
    high = of_logs(logs).limits(0.90).high
    rank = int((np.exp(logs) <= high * (1 + 1e-12)).sum())
    assert stats.binom.sf(rank - 1, rounds, 0.5) <= 0.05
    assert rank == 1 or stats.binom.sf(rank - 2, rounds, 0.5) > 0.05


def test_too_few_odd_rounds_have_no_limits():
    odd = Typical.of([1.0, 1.001, 1.3, 1.002, 1.0005])
    assert odd.skewed
    assert odd.limits(0.98) is None  # ½⁵ is over 1 %


@pytest.mark.parametrize("rounds", [6, 10, 30])
def test_one_normal_row_in_twenty_is_taken_for_skewed(rounds):
    rng = np.random.default_rng(rounds)
    assert 0.03 < share(normality_p(rng.normal(size=rounds)) < 0.05 for _ in range(TRIES)) < 0.075
    assert normality_p(np.exp(rng.normal(0, 2, 30))) < 0.001


def test_a_drift_is_noticed_and_makes_limits_three_times_as_wide():
    """von Neumann's moments: mean 2, variance 4 (n − 2)/(n² − 1)."""
    rng = np.random.default_rng(4)
    z = [von_neumann_z(rng.normal(size=10)) for _ in range(4000)]
    assert (np.mean(z), np.std(z)) == (pytest.approx(0, abs=0.05), pytest.approx(1, abs=0.05))
    drift = np.sort(NORMAL)
    low, high = stats.t.interval(0.95, 9, drift.mean(), stats.sem(drift))
    limits = of_logs(drift).limits()
    assert np.log(limits.high) - np.log(limits.low) == pytest.approx(3 * (high - low))
    assert CORRELATED in of_logs(drift).words()


# --- what a table shows --------------------------------------------------------------------------------------------


def test_a_ratio_never_says_the_opposite_of_the_two_values_and_no_value_is_outside_its_limits():
    rng = np.random.default_rng(5)
    for _ in range(1000):
        shape = rng.normal(0, NOISE, (2, ROUNDS)) + SLOW * (rng.random((2, ROUNDS)) < 0.2) + rng.normal(0, 0.03, ROUNDS)
        before, after = (dict(enumerate(np.exp(logs))) for logs in shape)
        values = [Typical.of(list(side.values())).value for side in (before, after)]
        pair, sessions = Typical.of_pairs(before, after), TwoSessions(*(of_logs(logs) for logs in shape))
        for ratio, limits in ((pair.value, pair.limits()), (sessions.ratio, sessions.limits())):
            assert (ratio - 1) * (values[1] - values[0]) >= 0
            assert limits.low <= ratio <= limits.high


# --- a truth exactly at the limit ----------------------------------------------------------------------------------


def two_kinds(rng, share_slow: float, rounds: int = ROUNDS) -> np.ndarray:
    return rng.normal(0, NOISE, rounds) + SLOW * (rng.random(rounds) < share_slow)


def median_of_two_kinds(share_slow: float) -> float:
    cdf = lambda x: (1 - share_slow) * ndtr(x / NOISE) + share_slow * ndtr((x - SLOW) / NOISE)  # noqa: E731
    return brentq(lambda x: cdf(x) - 0.5, -1, 1)


@pytest.mark.parametrize("slow", [0.05, 0.1, 0.2, 0.3])
@pytest.mark.parametrize("rounds", [6, 10, 20])
def test_slow_clock_rounds_pass_at_most_one_time_in_twenty(slow, rounds):
    rng, limit = np.random.default_rng([rounds, int(100 * slow)]), median_of_two_kinds(slow)
    assert share(passed(two_kinds(rng, slow, rounds), limit) for _ in range(TRIES)) <= MOST


@pytest.mark.parametrize("slow", [0.1, 0.2])
def test_a_variant_alone_of_two_kinds_against_float32(slow):
    """float32's noise is 1 %, too: the ratio's noise is √2 times as large."""
    rng, passes = np.random.default_rng([7, int(100 * slow)]), []
    scale = NOISE * np.sqrt(2)
    limit = brentq(lambda x: (1 - slow) * ndtr(x / scale) + slow * ndtr((x - SLOW) / scale) - 0.5, -1, 1)
    for _ in range(TRIES):
        sides = rng.normal(0, NOISE, ROUNDS), two_kinds(rng, slow)
        before, after = (dict(enumerate(np.exp(logs))) for logs in sides)
        pair = Typical.of_pairs(before, after)
        passes.append(pair.limits(0.90).high < np.exp(limit))
    assert share(passes) <= MOST


@pytest.mark.parametrize("slow", [0.1, 0.2])
def test_two_sessions_with_slow_rounds_raise_few_false_alarms(slow):
    rng, alarms = np.random.default_rng([8, int(100 * slow)]), []
    for _ in range(TRIES):
        limits = TwoSessions(*(of_logs(two_kinds(rng, slow)) for _ in range(2))).limits()
        alarms.append(not limits.low <= 1 <= limits.high)
    assert share(alarms) <= MOST


@pytest.mark.parametrize(("rho", "most", "by_t"), [(0.5, 0.15, 0.16), (0.8, 0.20, 0.26)])
def test_correlated_rounds_pass_less_often_than_by_t_and_what_is_left_is_said(rho, most, by_t):
    """Ten rounds show too little of it; docs/measurement.md says what is left."""
    rng, passes, plain = np.random.default_rng([9, int(10 * rho)]), [], []
    for _ in range(TRIES):
        logs = np.empty(ROUNDS)
        logs[0] = rng.normal(0, NOISE)
        for n in range(1, ROUNDS):
            logs[n] = rho * logs[n - 1] + np.sqrt(1 - rho**2) * rng.normal(0, NOISE)
        passes.append(passed(logs, 0.0))
        plain.append(logs.mean() + T95 * logs.std(ddof=1) / np.sqrt(ROUNDS) < 0)
    assert share(plain) > by_t - 0.03
    assert share(passes) <= most


@pytest.mark.parametrize("rho", [0.5, 0.8])
def test_a_drift_of_the_whole_machine_cancels_in_ratios_whose_order_is_shuffled(rho):
    """The machine's state is correlated from process to process, by rho from one round of two rows to the next."""
    rng, passes, each = np.random.default_rng([11, int(10 * rho)]), [], np.sqrt(rho)
    for _ in range(1000):
        state = [rng.normal(0, NOISE)]
        for _ in range(2 * ROUNDS - 1):
            state.append(each * state[-1] + np.sqrt(1 - each**2) * rng.normal(0, NOISE))
        rounds = rng.permuted(np.reshape(state, (ROUNDS, 2)), axis=1) + rng.normal(0, NOISE / 3, (ROUNDS, 2))
        before, after = (dict(enumerate(np.exp(side))) for side in rounds.T)
        passes.append(Typical.of_pairs(before, after).p(1.0) <= 0.05)
    assert share(passes) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 1000)


def test_normal_rounds_lose_at_most_five_points_of_power():
    rng, limits = np.random.default_rng(10), (0.005, 0.008, 0.010, 0.013)
    drawn = [rng.normal(0, NOISE, ROUNDS) for _ in range(TRIES)]
    ends = [logs.mean() + T95 * logs.std(ddof=1) / np.sqrt(ROUNDS) for logs in drawn]
    for limit in limits:
        assert share(end < limit for end in ends) - share(passed(logs, limit) for logs in drawn) <= 0.05
    assert share(passed(logs, 0.0) for logs in drawn) <= MOST
