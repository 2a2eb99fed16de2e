"""Limits of bounded scores by what could have happened: against exact sums, a general optimiser, and closed forms."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import binom, binomtest, multinomial

from harness.statistics.bounded import MOST_EFFECTS, Effects, crossing, effects_of

CLASSES = Effects(np.array([[1.0, 17, 2], [3, 80, 0]]), np.array([[-0.5, 0, 0.5]] * 2))


def events(count: int, n: int) -> Effects:
    """One stratum of n samples, of which so many have a bad event."""
    return Effects(np.array([[n - count, count]], float), np.array([[0.0, 1.0]]))


@pytest.mark.parametrize(("count", "n"), [(0, 20), (0, 300), (1, 50), (7, 200), (30, 1000)])
def test_of_one_stratum_p_is_the_binomials(count, n):
    for truth in ((count + 2) / n, (2 * count + 4) / n):
        assert events(count, n).p(truth) == pytest.approx(binom.cdf(count, n, truth), rel=0.02, abs=1e-5)
    if count:
        assert events(count, n).p(0.4 * count / n, -1) == pytest.approx(
            binom.sf(count - 1, n, 0.4 * count / n), rel=0.02, abs=1e-5
        )


@pytest.mark.parametrize(("count", "n"), [(0, 20), (0, 500), (3, 60), (12, 400)])
def test_of_one_stratum_the_limits_are_clopper_and_pearsons(count, n):
    exact, own = binomtest(count, n).proportion_ci(0.90, "exact"), events(count, n).limits(0.90)
    assert (own.low, own.high) == pytest.approx((exact.low, exact.high), rel=0.01, abs=2e-4)


def test_the_likeliest_shares_are_a_general_optimisers():
    """Minus the log-likelihood, minimised over all shares under the constraint, by scipy's SLSQP."""
    limit, counts, effects = 0.12, CLASSES.counts, CLASSES.effects

    def loss(flat):
        return -(counts * np.log(np.maximum(flat.reshape(2, 3), 1e-300))).sum()

    constraints = [
        {"type": "eq", "fun": lambda flat: flat.reshape(2, 3).sum(axis=1) - 1},
        {"type": "eq", "fun": lambda flat: (flat.reshape(2, 3) * effects).sum() - limit},
    ]
    start = np.full(6, 1 / 3)
    found = minimize(loss, start, bounds=[(1e-12, 1)] * 6, constraints=constraints, tol=1e-12)
    assert CLASSES.shares(limit).ravel() == pytest.approx(found.x, abs=2e-3)
    assert loss(CLASSES.shares(limit).ravel()) == pytest.approx(found.fun, rel=1e-5)


def test_a_class_that_is_all_right_takes_the_shift_where_it_is_rare():
    """Five samples cost less likelihood than eighty: nearly all of the limit is put where nothing was seen."""
    rare = Effects(np.array([[0.0, 5, 0], [2, 76, 2]]), np.array([[-0.5, 0, 0.5]] * 2))
    shares = rare.shares(0.1)
    assert (shares * rare.effects).sum() == pytest.approx(0.1, abs=1e-4)
    assert shares[0, -1] > 0.15 > 0.05 > shares[1, -1]


def test_the_probability_is_that_of_all_tables_summed():
    small = Effects(np.array([[0.0, 5, 1], [1, 7, 0]]), np.array([[-0.5, 0, 0.5]] * 2))
    shares = small.shares(0.2)
    tables = [
        [t for t in itertools.product(range(n + 1), repeat=3) if sum(t) == n] for n in small.sizes.astype(int).tolist()
    ]
    total = sum(
        multinomial.pmf(one, 6, shares[0]) * multinomial.pmf(other, 8, shares[1])
        for one in tables[0]
        for other in tables[1]
        if (np.array([one, other]) * small.effects / small.sizes[:, None]).sum() <= small.value + 1e-9
    )
    assert small.p(0.2) == pytest.approx(total, abs=0.004)


def test_p_rises_to_the_value_and_both_sides_meet_at_the_limits():
    limits = CLASSES.limits(0.90)
    assert limits.low < CLASSES.value < limits.high
    assert CLASSES.p(limits.high) == pytest.approx(0.05, abs=0.002)
    assert CLASSES.p(limits.low, -1) == pytest.approx(0.05, abs=0.002)
    rising = [CLASSES.p(limit) for limit in np.linspace(limits.high, CLASSES.value, 9)]
    assert rising == sorted(rising)


def test_a_limit_beyond_all_that_can_be_is_kept_for_certain():
    assert (CLASSES.p(1.0), CLASSES.p(-1.0)) == (0.0, 1.0)
    assert (CLASSES.p(1.0, -1), CLASSES.p(-1.0, -1)) == (1.0, 0.0)


def test_what_may_hide_is_said_of_the_class_that_hides_most():
    """Of 5 samples without an event 45 % may have one; 59 are needed for 5 %: 1 − .05^(1/5), ln .05 / ln .95."""
    effects = Effects(np.array([[0.0, 5, 0], [0, 400, 0]]), np.array([[-1.0, 0, 1]] * 2), labels=(3, 4))
    unseen = effects.unseen(0.05, 1, 0.05)
    assert (unseen.label, unseen.samples, unseen.needed) == (3, 5, 59)
    assert unseen.share == pytest.approx(0.4507, abs=1e-4)
    assert effects.unseen(-0.05, -1, 0.05) == unseen
    assert effects.unseen(0.6, 1, 0.05) is None


def test_effects_are_tallied_within_their_bounds_and_keep_their_mean():
    rng = np.random.default_rng(0)
    strata, each = rng.integers(0, 3, 5000), rng.normal(0, 0.1, 5000)
    effects = effects_of(strata, each, [-1] * 3, [1] * 3, (0, 1, 2))
    assert effects.counts.shape[1] <= MOST_EFFECTS + 2 and effects.counts.sum() == 5000
    assert effects.value == pytest.approx(sum(each[strata == k].mean() for k in range(3)))
    assert effects.spread == pytest.approx(
        sum(each[strata == k].var() / (strata == k).sum() for k in range(3)), rel=0.01
    )
    assert (effects.effects[:, 0] == -1).all() and (effects.effects[:, -1] == 1).all()


def test_where_a_rising_function_crosses():
    assert crossing(lambda x: x**3 - 2, 0, 2, 1e-9) == pytest.approx(2 ** (1 / 3))
    assert crossing(lambda x: -1 if x < 0.3 else 1, 0, 1, 1e-6) == pytest.approx(0.3, abs=1e-5)
