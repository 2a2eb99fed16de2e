"""statistics/clustered.py: limits over groups, against exact ones, and how often a model at the limit passes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import beta

from harness.statistics.clustered import Clustered, drop_limits, group_words, rate_limits
from harness.statistics.paired_limit import PairedLimit
from harness.statistics.stats import clopper_pearson, tango

SIMULATED = 1_000
AT_MOST = 0.05 + 3 * math.sqrt(0.05 * 0.95 / SIMULATED)  # 5 %, and what chance adds to that in so many
EQUAL, UNEQUAL, ONE_LARGE = "20 each", "1 to 60", "15 each and one of 200"


# --- against what is known -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("groups", [30, 100, 400])
@pytest.mark.parametrize("confidence", [0.8, 0.9, 0.98])
def test_where_groups_are_lost_whole_the_limit_is_at_least_that_of_as_many_samples(groups, confidence):
    """Then a group is one sample: Clopper and Pearson's limit is exact, and never too low."""
    of_each = np.repeat(np.arange(groups), 7)
    for lost in range(0, groups // 2, 9):
        found = Clustered.of_rate(of_each < lost, of_each).limits(confidence)
        exact = beta.ppf((1 + confidence) / 2, lost + 1, groups - lost)
        assert exact <= found.high < 1.45 * exact
        mirrored = Clustered.of_rate(of_each >= lost, of_each).limits(confidence)
        assert mirrored.low == pytest.approx(1 - found.high, abs=1e-9)


def test_many_groups_of_one_sample_are_independent_samples():
    rng = np.random.default_rng(1)
    before, after = rng.random((2, 20_000)) < 0.9
    found, _ = drop_limits(before, after, np.arange(20_000))
    known = tango(int((before & ~after).sum()), int((~before & after).sum()), 20_000)
    assert found.high == pytest.approx(known.high, abs=2e-4) and found.low == pytest.approx(known.low, abs=2e-4)
    found, _ = rate_limits(before, np.arange(20_000))
    known = clopper_pearson(int(before.sum()), 20_000, 0.9)
    assert found.high == pytest.approx(known.high, abs=2e-4) and found.low == pytest.approx(known.low, abs=2e-4)


def test_the_spread_is_that_of_whole_groups_drawn_again():
    """The bootstrap over groups, which shares no formula with it; many groups, so that what is added weighs little."""
    rng = np.random.default_rng(2)
    sizes = rng.integers(1, 12, 4_000)
    groups = np.repeat(np.arange(4_000), sizes)
    of_group = rng.beta(1, 9, 4_000)
    lost = rng.random(len(groups)) < of_group[groups]
    sums, drawn = np.bincount(groups, lost), rng.integers(0, 4_000, (4_000, 4_000))
    replicates = sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    low, high = np.quantile(replicates, [0.05, 0.95])
    found = Clustered.of_rate(lost, groups).limits(0.9)
    assert high - low < found.high - found.low < 1.15 * (high - low)
    assert found.low == pytest.approx(low, abs=3e-3) and found.high == pytest.approx(high, abs=3e-3)


@pytest.mark.parametrize("of", ["all", "right", "wrong"])
def test_a_p_value_is_the_level_at_which_the_share_is_the_limit(of):
    rng = np.random.default_rng(3)
    before, after = rng.random((2, 3_000)) < 0.8
    share = Clustered.of_drop(before, after, np.repeat(np.arange(150), 20), of)
    limits = share.limits(0.9)
    assert share.p(limits.high) == pytest.approx(0.05, abs=1e-6)
    assert share.p(limits.low, -1) == pytest.approx(0.05, abs=1e-6)
    lost, won = int((before & ~after).sum()), int((~before & after).sum())
    base = {"all": 3_000, "right": before.sum(), "wrong": (~before).sum()}[of]
    assert share.value == pytest.approx((lost - won) / base)


def test_how_many_groups_would_settle_it_is_how_many_do():
    none = np.ones(2_000, bool)
    share = Clustered.of_drop(none, none, np.repeat(np.arange(100), 20))
    times = share.times_to_settle(0.01, 0.9)
    needed = math.ceil(times * 100)
    assert needed == pytest.approx(363, abs=4)

    def settles(groups: int) -> bool:
        same = np.ones(groups * 20, bool)
        return Clustered.of_drop(same, same, np.repeat(np.arange(groups), 20)).limits(0.9).high < 0.01

    assert settles(needed + 1) and not settles(int(0.97 * needed))
    lost = none & (np.arange(2_000) % 100 > 0)
    assert Clustered.of_drop(none, lost, np.repeat(np.arange(100), 20)).times_to_settle(0.01, 0.9) is None


@pytest.mark.parametrize(
    ("groups", "words"),
    [
        ([0, 0, 1, 1], "2 groups of 2 samples"),
        ([0, 0, 0, 1], "2 groups of 1 to 3 samples"),
        ([0, 0, 0], "1 group of 3 samples"),
    ],
)
def test_groups_in_words(groups, words):
    assert group_words(np.array(groups)) == words


# --- how often a model at the limit passes -------------------------------------------------------------------------


def sizes(kind: str, groups: int, rng: np.random.Generator) -> np.ndarray:
    if kind == EQUAL:
        return np.full(groups, 20)
    return rng.integers(1, 61, groups) if kind == UNEQUAL else np.r_[200, np.full(groups - 1, 15)]


def changes(icc: float, lose: float, win: float, n: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Samples lost and won of each group: its shares are Dirichlet's, with this correlation inside a group."""
    rest = 1 - lose - win
    if icc == 1:
        kind = rng.choice(3, len(n), p=[lose, win, rest])
        return n * (kind == 0), n * (kind == 1)
    shares = rng.dirichlet(np.maximum(np.array([lose, win, rest]) * (1 - icc) / icc, 1e-9), len(n))
    counts = rng.multinomial(n, shares)
    return counts[:, 0], counts[:, 1]


def passes(limit: float, kind: str, groups: int, icc: float, win: float) -> tuple[float, float]:
    """How often a model that loses exactly the limit passes: over groups, and by Tango as if independent."""
    rng = np.random.default_rng(7)
    over_groups, as_independent = 0, 0
    for _ in range(SIMULATED):
        n = sizes(kind, groups, rng)
        lost, won = changes(icc, limit + win, win, n, rng)
        share = Clustered((lost - won).astype(float), n.astype(float), n.astype(float), (1, 1), (-1, 1))
        over_groups += share.excess(limit, share.t_at(0.95), 1) < 0
        score = float(PairedLimit.of_difference(limit).score(lost.sum(), won.sum(), n.sum()))
        as_independent += int(score < -1.6449)
    return over_groups / SIMULATED, as_independent / SIMULATED


@pytest.mark.parametrize("icc", [0.1, 0.3, 0.7])
def test_frames_of_100_clips_pass_a_model_at_the_limit_at_most_one_time_in_twenty(icc):
    found, naive = passes(0.02, EQUAL, 100, icc, 0.02)
    assert found <= AT_MOST
    assert naive > 2 * AT_MOST  # what it was


@pytest.mark.parametrize("kind", [EQUAL, UNEQUAL, ONE_LARGE])
@pytest.mark.parametrize("groups", [10, 40])
@pytest.mark.parametrize("limit", [0.01, 0.2])
def test_few_groups_of_which_few_change_whole_keep_the_level(kind, groups, limit):
    for icc, win in ((0.7, 0.05), (1, 0)):
        assert passes(limit, kind, groups, icc, win)[0] <= AT_MOST


def test_only_large_groups_that_fail_keep_the_level():
    """The worst that can be hidden: every group over 50 samples fails with a probability, and no other."""
    rng, passed = np.random.default_rng(9), 0
    for _ in range(SIMULATED):
        n = rng.integers(1, 61, 150)
        lost = n * ((n > 50) & (rng.random(150) < 0.1))
        limit = 0.1 * np.arange(51, 61).sum() / np.arange(1, 61).sum()
        share = Clustered(lost.astype(float), n.astype(float), n.astype(float), (1, 1), (-1, 1))
        passed += share.excess(limit, share.t_at(0.95), 1) < 0
    assert passed / SIMULATED <= AT_MOST


def test_a_limit_on_the_growth_of_errors_keeps_the_level():
    """Errors before are random, too: 10 % of the samples; of the others a mean of .4 / 7.2 is lost, half as many."""
    rng, passed = np.random.default_rng(11), 0
    for _ in range(SIMULATED):
        wrong = rng.binomial(20, rng.beta(0.5, 4.5, 120))
        lost = rng.binomial(20 - wrong, np.clip(rng.beta(0.4, 6.8, 120), 0, 1))
        share = Clustered(lost.astype(float), wrong.astype(float), np.full(120, 20.0), (1, 0), (-1, 1))
        passed += share.excess(0.5, share.t_at(0.95), 1) < 0
    assert passed / SIMULATED <= AT_MOST


def test_it_finds_a_model_that_loses_nothing_where_there_are_groups_enough():
    rng = np.random.default_rng(13)
    n, decided = np.full(600, 20), 0
    for _ in range(200):
        lost, won = changes(0.2, 0.01, 0.01, n, rng)
        share = Clustered((lost - won).astype(float), n.astype(float), n.astype(float), (1, 1), (-1, 1))
        decided += share.excess(0.02, share.t_at(0.95), 1) < 0
    assert decided / 200 > 0.95
