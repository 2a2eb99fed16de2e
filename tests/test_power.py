"""statistics/power.py: how often a limit is passed, against sums made by independent code."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from harness.records import Absent
from harness.statistics import power
from harness.statistics.bootstrap import Bounded, WithLimits, means
from harness.statistics.clustered import Clustered
from harness.statistics.exact import exact_p
from harness.statistics.paired_limit import PairedLimit
from harness.statistics.power import passing_share

# (samples, margin, flips): how often a model passes that loses as many answers as it wins, by exact trinomial sums over
# Tango's test. The exact test gives up at most 3 points of it.
BY_TANGO = {
    (1_000, 0.01, 0.004): 0.99,
    (1_000, 0.01, 0.02): 0.69,
    (1_000, 0.005, 0.004): 0.63,
    (1_000, 0.005, 0.02): 0.29,
}


@pytest.mark.parametrize(("samples", "margin", "flips"), BY_TANGO)
def test_a_harmless_model_passes_nearly_as_often_as_by_tango(samples: int, margin: float, flips: float) -> None:
    share = passing_share(PairedLimit.of_difference(margin), flips / 2, flips / 2, samples, 0.05)
    assert BY_TANGO[samples, margin, flips] - 0.04 <= share <= BY_TANGO[samples, margin, flips] + 0.006


@pytest.mark.parametrize("flips", [0.01, 0.012, 0.03])
@pytest.mark.parametrize("samples", [299, 1_500])
def test_a_model_at_the_limit_passes_one_time_in_twenty_at_most(samples: int, flips: float) -> None:
    limit = PairedLimit.of_difference(0.01)
    assert 0 < passing_share(limit, (flips + 0.01) / 2, (flips - 0.01) / 2, samples, 0.05) <= 0.05


def test_the_sum_is_what_simulated_test_sets_say() -> None:
    rng, limit = np.random.default_rng(1), PairedLimit.of_difference(0.02)
    drawn, times = np.unique(rng.multinomial(400, [0.01, 0.01, 0.98], 40_000)[:, :2], axis=0, return_counts=True)
    passed = [exact_p(limit, int(b), int(c), 400) < 0.05 for b, c in drawn]
    share = float(times[passed].sum()) / 40_000
    assert passing_share(limit, 0.01, 0.01, 400, 0.05) == pytest.approx(share, abs=0.01)


def test_without_any_change_all_or_nothing_passes() -> None:
    limit = PairedLimit.of_difference(0.01)
    assert passing_share(limit, 0.0, 0.0, 299, 0.05) == 1
    assert passing_share(limit, 0.0, 0.0, 298, 0.05) == 0


@pytest.mark.parametrize("samples, flips, margin", [(500, 0.03, 0.01), (600, 0.04, 0.02), (400, 0.12, 0.01)])
def test_where_the_test_is_asked_at_some_sizes_the_share_is_that_of_all(
    samples: int, flips: float, margin: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit, shares = PairedLimit.of_difference(margin), ((flips + margin) / 2, (flips - margin) / 2)
    some = passing_share(limit, *shares, samples, 0.05)
    monkeypatch.setattr(power, "MOST_SIZES", samples)
    passing_share.cache_clear()
    assert some == pytest.approx(passing_share(limit, *shares, samples, 0.05), abs=1e-5)


SEEN = np.random.default_rng(3).permutation(np.repeat([-1.0, 0.0, 1.0], [60, 1800, 140]))  # a mean of 4 %


def needed(limit: float, power_of: float) -> float:
    """How many times as many samples: ((z_α + z_power)·sd / (limit − mean))², as of a mean of any samples."""
    z = norm.ppf(0.95) + norm.ppf(power_of)
    return float((z * SEEN.std() / (limit - SEEN.mean())) ** 2 / len(SEEN))


@pytest.mark.parametrize("power_of", [0.8, 0.9])
@pytest.mark.parametrize("limit", [0.045, 0.03])
def test_so_many_times_as_many_samples_decide_a_limit(limit: float, power_of: float) -> None:
    """Over the value it would pass, under it fail; of bounded numbers, of unbounded ones, and of groups of one."""
    lost = Clustered.of_drop(SEEN != -1, SEEN != 1, np.arange(len(SEEN)))
    times = [
        moved.times_to_settle(limit, 1, 0.05, power_of) for moved in (Bounded(SEEN, -1, 1).alone, means(SEEN).alone)
    ]
    times.append(lost.times_to_settle(limit, 0.9, power_of))
    assert times == pytest.approx([needed(limit, power_of)] * 3, rel=0.12)


def test_where_few_samples_carry_the_spread_it_is_not_known() -> None:
    heavy = np.exp(3 * np.random.default_rng(1).normal(size=2_000))
    moved: WithLimits = means(heavy).alone
    with pytest.raises(Absent, match="how many samples decide it is not known"):
        moved.times_to_settle(2 * moved.value, 1, 0.05, 0.8)


def test_more_is_never_and_less_is_found_too() -> None:
    assert power.times_until(lambda times: times > 1e9) is None
    assert power.times_until(lambda times: times >= 0.1) == pytest.approx(0.1, rel=0.02)
