"""A limit that may be looked at again and again: its size, simulated with a look at every sample, or summed exactly."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.statistics.anytime import PARTS, STAKES, anytime_limits, anytime_p, log_wealth, samples_to_decide

ALPHA, MARGIN = 0.05, 0.01


def walks(lost: float, won: float, samples: int, runs: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Samples lost and won so far, int64, (runs, samples) each."""
    drawn = np.random.default_rng(seed).random((runs, samples))
    return (drawn < lost).cumsum(axis=1), ((drawn >= lost) & (drawn < lost + won)).cumsum(axis=1)


def wealth(b: np.ndarray, c: np.ndarray, margin: float) -> np.ndarray:
    """The wealth by its definition: stake by stake, and multiplied sample by sample."""
    total = np.zeros(b.shape)
    lost, won = (np.diff(x, axis=1, prepend=0) for x in (b, c))
    for stake, part in zip(STAKES, PARTS, strict=True):
        total += part * np.cumprod(1 + stake / (1 - margin) * (margin - (lost - won)), axis=1)
    return total


def test_the_p_value_is_of_the_wealth_of_one_who_bets_sample_by_sample() -> None:
    b, c = walks(0.03, 0.02, 400, 5, seed=1)
    expected = np.log(wealth(b, c, MARGIN))
    for run, n in ((0, 10), (2, 150), (4, 400)):
        found = log_wealth(b[run, n - 1], c[run, n - 1], n, MARGIN)
        assert found == pytest.approx(expected[run, n - 1], abs=1e-9)
        assert anytime_p(b[run, n - 1], c[run, n - 1], n, MARGIN) == pytest.approx(min(1, math.exp(-found)))


@pytest.mark.parametrize("margin", [0.002, 0.01, 0.05, -0.01])
def test_the_wealth_is_expected_to_stay_what_it_was_at_the_limit(margin: float) -> None:
    """The exact sum over all outcomes of 40 samples is 1, whatever the flips: the bet is fair. Over the limit it is
    less. By Markov's inequality, and Ville's for all times, more than 1/α of wealth has a probability of α at most.
    """
    n = 40
    for won in (0.01, 0.1, 0.4):
        lost = won + margin
        assert expected_wealth(lost, won, n, margin) == pytest.approx(1, abs=1e-9)
        assert expected_wealth(lost + 0.01, won, n, margin) < 1


def expected_wealth(lost: float, won: float, n: int, margin: float) -> float:
    total = 0.0
    for b in range(n + 1):
        for c in range(n + 1 - b):
            ways = math.comb(n, b) * math.comb(n - b, c)
            chance = ways * lost**b * won**c * (1 - lost - won) ** (n - b - c)
            total += chance * math.exp(log_wealth(b, c, n, margin))
    return total


@pytest.mark.parametrize("flips", [0.01, 0.02, 0.05, 0.1])
def test_a_model_at_the_limit_ever_passes_at_most_one_time_in_twenty(flips: float) -> None:
    """Looked at after every one of 5,000 samples. flips: the share of discordant ones, at least the margin."""
    b, c = walks((flips + MARGIN) / 2, (flips - MARGIN) / 2, 5000, 500, seed=round(1000 * flips))
    ever = (wealth(b, c, MARGIN) > 1 / ALPHA).any(axis=1).mean()
    assert ever <= 0.05 + 2 * (0.05 * 0.95 / 500) ** 0.5


@pytest.mark.parametrize("flips", [0.002, 0.01, 0.1])
def test_a_model_within_the_limit_ever_fails_at_most_one_time_in_twenty(flips: float) -> None:
    """At the limit itself it would be too, which the share of discordant samples may not allow: here all are lost."""
    share = min(flips, MARGIN)
    b, c = walks((flips + share) / 2, (flips - share) / 2, 5000, 500, seed=round(1000 * flips))
    ever = (wealth(c, b, -share) > 1 / ALPHA).any(axis=1).mean()
    assert ever <= 0.05 + 2 * (0.05 * 0.95 / 500) ** 0.5


@pytest.mark.parametrize(("flips", "known"), [(0.002, 572), (0.01, 1152)])
def test_a_harmless_model_is_decided_as_early_as_a_capital_process_does(flips: float, known: int) -> None:
    """Median stopping times that an independent simulation of a betting test found, for a margin of 1 pp."""
    b, c = walks(flips / 2, flips / 2, 3000, 200, seed=3)
    stopped = wealth(b, c, MARGIN) > 1 / ALPHA
    assert stopped.any(axis=1).mean() > 0.95
    median = np.median(np.where(stopped.any(axis=1), stopped.argmax(axis=1) + 1, 10_000))
    assert 299 <= median <= known  # 299 is the fewest of the exact test, which looks once
    assert median <= samples_to_decide(flips / 2, flips / 2, MARGIN, ALPHA) <= 1.6 * median


def test_limits_are_the_drops_that_are_not_rejected_and_hold_at_all_times() -> None:
    limits = anytime_limits(12, 5, 900)
    assert anytime_p(12, 5, 900, limits.high + 1e-6) < ALPHA <= anytime_p(12, 5, 900, limits.high - 1e-6)
    assert anytime_p(5, 12, 900, -limits.low + 1e-6) < ALPHA <= anytime_p(5, 12, 900, -limits.low - 1e-6)
    b, c = walks(0.03, 0.02, 2000, 300, seed=9)
    missed = (wealth(b, c, 0.01) > 1 / ALPHA) | (wealth(c, b, -0.01) > 1 / ALPHA)
    assert missed.any(axis=1).mean() <= 0.1


def test_nothing_is_known_of_no_sample() -> None:
    assert anytime_p(0, 0, 0, MARGIN) == 1
    limits = anytime_limits(0, 0, 0)
    assert (limits.low, limits.high) == pytest.approx((-1, 1))


def test_what_is_at_the_limit_is_never_decided() -> None:
    assert samples_to_decide(0.02, 0.01, 0.01, ALPHA) is None
    assert samples_to_decide(0.0, 0.0, 0.01, ALPHA) == pytest.approx(380, abs=20)


def test_so_many_samples_decide_and_one_less_does_not() -> None:
    """Of a model that changes nothing: the first sample at which the wealth, made sample by sample, is over 1/α."""
    nothing = np.zeros((1, 1000), np.int64)
    for margin in (0.01, 0.05, 0.5):
        decided = wealth(nothing, nothing, margin)[0] > 1 / ALPHA
        assert samples_to_decide(0.0, 0.0, margin, ALPHA) == decided.argmax() + 1
