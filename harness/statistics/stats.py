"""The statistics of the harness: pure functions of numbers, each formula with its source. Nothing here reads or prints.

Five designs, and the functions that serve them:

    paired proportions    one test set, two models       tango, ratio_limits, mcnemar_exact, mcnemar_midp; exact.py
    paired rounds         one process a round and case   ratio_interval, rounds_interval, smallest_detectable_effect
    rounds in two stages  more where they spread more    half_width, rounds_for; two_stage.py
    unpaired rounds       two sessions                   welch_ratio_interval
    one process           invokes in order               order_statistic_ranks, estimable, effective_sample_size
    one proportion        k of n                         clopper_pearson

and the distances between two sets of outputs: js_divergence, calibration_error, ratio_db.
Only scipy.special is used: importing scipy.stats costs half a second.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import bdtr, betaincinv, fdtri, nctdtrinc, ndtri, rel_entr, stdtrit

from harness.statistics.paired_limit import PairedLimit

CLAIM_ROUNDS = 6  # with fewer, a two-sided sign-flip test over rounds cannot reach p < .05
MISSED = 0.99  # of the F distribution: beyond it a first stage did not see how much rounds vary


@dataclass(frozen=True)
class Interval:
    """A two-sided confidence interval, low ≤ high, in the unit of what it bounds."""

    low: float
    high: float


# --- paired proportions: b samples right on the baseline and wrong on the variant, c the reverse, n in all ---------


def tango(b: int, c: int, n: int, confidence: float = 0.90) -> Interval:
    """Returns limits of the drop (b − c)/n, as a fraction, by Tango's score test
    (Statistics in Medicine 17, 1998, 891–908).

    Raises ValueError where the counts are impossible or the confidence is not in (0, 1).
    """
    if n < 1 or min(b, c) < 0 or b + c > n:
        raise ValueError(f"impossible counts: b={b}, c={c}, n={n}")
    z = _two_sided_z(confidence)
    if b == c == 0:
        return Interval(-z * z / (n + z * z), z * z / (n + z * z))
    return Interval(_tango_low(b, c, n, z), -_tango_low(c, b, n, z))


def _tango_low(b: int, c: int, n: int, z: float) -> float:
    """Returns the δ under (b − c)/n where the score is z, by bisection: the score falls from ∞ to 0 on the way."""
    low, high = -1.0, (b - c) / n
    while low < (middle := (low + high) / 2) < high:
        if PairedLimit.of_difference(middle).score(b, c, n) > z:
            low = middle
        else:
            high = middle
    return high


def ratio_limits(b: int, c: int, n: int, confidence: float = 0.90) -> Interval:
    """Returns limits of the ratio (n − c)/(n − b) of paired proportions, by the score test (Nam & Blackwelder,
    Statistics in Medicine 21, 2002, 689–699; Tang, Tang & Chan, the same 22, 2003, 1217–1233).

    n: the samples where at least one of the two counts. Raises ValueError where the counts are impossible.
    """
    if n < 1 or min(b, c) < 0 or b + c > n:
        raise ValueError(f"impossible counts: b={b}, c={c}, n={n}")
    z = _two_sided_z(confidence)
    shares = 1 - _share_high(c, b, n, z), _share_high(b, c, n, z)
    return Interval(*(share / (1 - share) if share < 1 else math.inf for share in shares))


def _share_high(b: int, c: int, n: int, z: float) -> float:
    """Returns the share θ/(1 + θ) over (n − c)/(2n − b − c) where the score is −z, by bisection."""
    low, high = (n - c) / (2 * n - b - c), 1.0
    while low < (middle := (low + high) / 2) < high:
        if PairedLimit.of_ratio(middle / (1 - middle)).score(b, c, n) > -z:
            low = middle
        else:
            high = middle
    return low


def mcnemar_exact(b: int, c: int) -> float:
    """Returns McNemar's exact two-sided p-value: min(1, 2·P(X ≤ min(b, c))), X ~ Binomial(b + c, ½)."""
    return min(1.0, 2 * float(bdtr(min(b, c), b + c, 0.5)))


def mcnemar_midp(b: int, c: int) -> float:
    """Returns McNemar's mid-p value, the exact p less P(X = b); 1 − P(X = b)/2 where b = c
    (Fagerland et al., BMC MRM 13, 2013, 91, and its supplement).
    """
    fewer = min(b, c)
    under = float(bdtr(fewer - 1, b + c, 0.5)) if fewer else 0.0
    upto = float(bdtr(fewer, b + c, 0.5))
    return 1 - (upto - under) / 2 if b == c else upto + under


# --- paired rounds -------------------------------------------------------------------------------------------------


def ratio_interval(
    a: ArrayLike, b: ArrayLike, confidence: float = 0.95, first: int | None = None
) -> tuple[float, Interval]:
    """Returns the ratio b/a and its limits from paired per-round values (> 0): t on ln(b/a), exponentiated.

    Rounds are the replicates (Kalibera & Jones, ISMM 2013). first: as in half_width. Raises ValueError for unpaired
    values or under two rounds.
    """
    one, other = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if one.shape != other.shape:
        raise ValueError(f"rounds are not paired: {one.shape} and {other.shape}")
    logs = _logs(other) - _logs(one)
    return math.exp(logs.mean()), _t_interval(logs, confidence, first)


def rounds_interval(values: ArrayLike, confidence: float = 0.95, first: int | None = None) -> Interval:
    """Returns limits of a quantile from its per-round values (> 0), in their unit: t on the logarithm, exponentiated.

    first: as in half_width. Raises ValueError under two rounds.
    """
    return _t_interval(_logs(values), confidence, first)


def _logs(values: ArrayLike) -> np.ndarray:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or array.size < 2 or not np.all((array > 0) & np.isfinite(array)):
        raise ValueError("needs at least two rounds, every value finite and over zero")
    return np.log(array)


def _t_interval(logs: np.ndarray, confidence: float, first: int | None) -> Interval:
    """Returns exp(mean ± half-width)."""
    middle, half = logs.mean(), half_width(logs, confidence, first)
    return Interval(math.exp(middle - half), math.exp(middle + half))


def half_width(values: ArrayLike, confidence: float = 0.95, first: int | None = None) -> float:
    """Returns the half-width t_{R−1}·s/√N of the interval of the mean of one value a round, in their unit.

    first: R, how many of the N values, which stand in order, were there when N was chosen by their spread; s is theirs
    then, which keeps the level at any N (Stein, Annals of Mathematical Statistics 16, 1945, 243–258). None: all.
    """
    sd, freedom = round_sd(values, first)
    return float(stdtrit(freedom, _upper_tail(confidence))) * sd / math.sqrt(len(np.asarray(values)))


def prediction_interval(values: ArrayLike, confidence: float = 0.95) -> Interval:
    """Returns where one more of the same draws lies: x̄ ± t_{S−1}·s·√(1 + 1/S) (Hahn & Meeker, Statistical Intervals,
    2nd ed., chapter 4), S of them being known.
    """
    array = np.asarray(values, dtype=np.float64)
    quantile = float(stdtrit(len(array) - 1, _upper_tail(confidence)))
    half = quantile * float(array.std(ddof=1)) * math.sqrt(1 + 1 / len(array))
    return Interval(float(array.mean()) - half, float(array.mean()) + half)


def round_sd(values: ArrayLike, first: int | None = None) -> tuple[float, int]:
    """Returns the sd that a half-width is made of, and its degrees of freedom. first: as in half_width.

    Where the later rounds lie farther from the first than these from each other (F-test, 1 %), the first did not see
    what varies, as a rare slow process: the sd is of all rounds then, if that is larger. So limits only get wider.
    """
    array = np.asarray(values, dtype=np.float64)
    seen, later = array[:first], array[len(array[:first]) :]
    sd = float(seen.std(ddof=1))
    if len(later) and _sees_more(later - seen.mean(), sd, len(seen)):
        sd = max(sd, float(array.std(ddof=1)))
    return sd, len(seen) - 1


def _sees_more(deviations: np.ndarray, sd: float, first: int) -> bool:
    usual = sd**2 * (1 + 1 / first)
    return float((deviations**2).mean()) > usual * float(fdtri(len(deviations), first - 1, MISSED))


def rounds_for(values: ArrayLike, half: float, confidence: float = 0.95) -> int:
    """Returns how many rounds in all bring the half-width under `half`, from the values of a first stage; at least
    as many as there are. The second stage of Stein's procedure.
    """
    reached = half_width(values, confidence)
    count = len(np.asarray(values))
    return max(count, math.ceil(count * (reached / half) ** 2))


def smallest_detectable_effect(rounds: int, sd: float = 1.0, freedom: int | None = None) -> float:
    """Returns the mean difference, in the unit of `sd`, that a two-sided 5 % paired t-test finds with 80 % power.

    The non-centrality whose t exceeds the critical value with that power, times sd/√R; the far tail adds under 1e-5.
    freedom: the degrees of freedom of sd; None: R − 1.
    """
    if rounds < 2:
        raise ValueError("needs at least two rounds")
    return _detectable(freedom or rounds - 1) * sd / math.sqrt(rounds)


def _detectable(freedom: float) -> float:
    """Returns the smallest effect that a two-sided 5 % t-test finds with 80 % power, in standard errors."""
    return float(nctdtrinc(freedom, 0.20, stdtrit(freedom, 0.975)))


# --- unpaired rounds -----------------------------------------------------------------------------------------------


Firsts = tuple[int | None, int | None]  # of each side, as in half_width


def welch_ratio_interval(
    a: ArrayLike, b: ArrayLike, confidence: float = 0.95, firsts: Firsts = (None, None)
) -> tuple[float, Interval]:
    """Returns the ratio b/a of geometric means and its limits, from per-round values (> 0) that share no round.

    d ± t_ν·√(v_a + v_b), exponentiated: d = mean(ln b) − mean(ln a), v = s²/R of each side's logarithms, and
    ν = (v_a + v_b)² / (v_a²/(R_a − 1) + v_b²/(R_b − 1)) (Welch, Biometrika 34, 1947, 28–35). It holds the variance
    between rounds; what varies between the sessions that a and b come from is not in it. Raises ValueError under two
    rounds on either side.
    """
    first, second = _logs(a), _logs(b)
    ratio = math.exp(second.mean() - first.mean())
    error, freedom = _welch(first, second, firsts)
    if error == 0:
        return ratio, Interval(ratio, ratio)
    half = float(stdtrit(freedom, _upper_tail(confidence))) * error
    return ratio, Interval(ratio * math.exp(-half), ratio * math.exp(half))


def _welch(one: np.ndarray, other: np.ndarray, firsts: Firsts) -> tuple[float, float]:
    """Returns the standard error of the difference of the means, and its degrees of freedom."""
    (sa, fa), (sb, fb) = (round_sd(values, first) for values, first in zip((one, other), firsts, strict=True))
    va, vb = sa**2 / len(one), sb**2 / len(other)
    if va + vb == 0:
        return 0.0, math.inf
    return math.sqrt(va + vb), (va + vb) ** 2 / (va**2 / fa + vb**2 / fb)


def smallest_welch_effect(a: ArrayLike, b: ArrayLike, firsts: Firsts = (None, None)) -> float:
    """Returns the difference of logarithms that welch_ratio_interval's two-sided 5 % test finds with 80 % power."""
    error, freedom = _welch(_logs(a), _logs(b), firsts)
    return _detectable(freedom) * error if error else 0.0


# --- one process ---------------------------------------------------------------------------------------------------


def order_statistic_ranks(n: int, q: float, confidence: float = 0.95) -> tuple[int, int]:
    """Returns 1-based ranks (l, u) of the order statistics that bound the q-quantile of n independent samples.

    l = ppf(α/2) and u = ppf(1 − α/2) + 1 of Binomial(n, q); l = 0 or u = n + 1 means that the sample has no such limit.
    Hahn & Meeker, Statistical Intervals, 2nd ed., section 5.2.
    """
    if n < 1 or not 0 < q < 1:
        raise ValueError(f"no order statistics of the {q}-quantile of {n} samples")
    upper = _upper_tail(confidence)
    return _binomial_ppf(1 - upper, n, q), _binomial_ppf(upper, n, q) + 1


def _binomial_ppf(probability: float, n: int, q: float) -> int:
    """Returns the smallest k with P(X ≤ k) ≥ probability, X ~ Binomial(n, q)."""
    return bisect_left(range(n), probability, key=lambda k: bdtr(k, n, q))


def estimable(n: int, q: float) -> bool:
    """Returns whether n samples bound the q-quantile from both sides with 95 % confidence."""
    if n < 1:
        return False
    low, high = order_statistic_ranks(n, q)
    return low >= 1 and high <= n


def effective_sample_size(series: ArrayLike) -> float:
    """Returns n / (1 + 2·Σρ_k), summed over Geyer's initial positive sequence (Statistical Science 7, 1992, 473–483).

    At most n, which is also the answer for a constant series.
    """
    from scipy.fft import next_fast_len  # for this alone: a length with a large prime in it takes twice as long

    values = np.asarray(series, dtype=np.float64)
    n = len(values)
    if n < 2 or np.ptp(values) == 0:
        return float(n)
    size = next_fast_len(2 * n, real=True)  # padded, so that the ends do not meet
    spectrum = np.fft.rfft(values - values.mean(), size)
    autocovariance = np.fft.irfft(np.abs(spectrum) ** 2, size)[: n - n % 2]
    pairs = autocovariance.reshape(-1, 2).sum(axis=1) / autocovariance[0]
    positive = np.logical_and.accumulate(pairs > 0)
    return n / max(1.0, 2 * float(pairs[positive].sum()) - 1)


# --- one proportion ------------------------------------------------------------------------------------------------


def clopper_pearson(k: int, n: int, confidence: float = 0.95) -> Interval:
    """Returns exact limits of a proportion that was seen k times in n (Clopper &
    Pearson, Biometrika 26, 1934, 404–413).

    Quantiles of beta distributions: α/2 of Beta(k, n − k + 1) and 1 − α/2 of Beta(k + 1, n − k). Raises ValueError.
    """
    if not 0 <= k <= n or n < 1:
        raise ValueError(f"impossible counts: {k} of {n}")
    upper = _upper_tail(confidence)
    low = float(betaincinv(k, n - k + 1, 1 - upper)) if k else 0.0
    high = float(betaincinv(k + 1, n - k, upper)) if k < n else 1.0
    return Interval(low, high)


# --- distances between outputs -------------------------------------------------------------------------------------


def js_divergence(p: ArrayLike, q: ArrayLike) -> np.ndarray:
    """Returns each row's Jensen–Shannon divergence in bits, 0 to 1 (Lin, IEEE Trans. Inf. Theory 37, 1991, 145–151).

    p, q: shape (samples, classes). Rows are clipped at 0 and normalised, since dequantised scores hold exact zeros and
    do not sum to 1. A row without a positive value gives NaN.
    """
    first, second = _distributions(p), _distributions(q)
    middle = (first + second) / 2
    nats = (rel_entr(first, middle) + rel_entr(second, middle)).sum(axis=-1) / 2
    return np.clip(nats / math.log(2), 0.0, 1.0)


def _distributions(scores: ArrayLike) -> np.ndarray:
    clipped = np.clip(np.asarray(scores, dtype=np.float64), 0.0, None)
    total = clipped.sum(axis=-1, keepdims=True)
    return np.divide(clipped, total, out=np.full_like(clipped, np.nan), where=total > 0)


def calibration_error(confidence: np.ndarray, right: np.ndarray, bins: int = 15) -> float:
    """Returns the expected calibration error:
    Σ |bin|/n · |accuracy − confidence| over equal bins (Guo et al., ICML 2017), 0 to 1.

    confidence: each sample's top score, (samples,), 0 to 1. right: whether that was its class.
    """
    which = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    return float(np.abs(np.bincount(which, weights=right - confidence)).sum() / len(confidence))


def ratio_db(signal: float, noise: float) -> float:
    """Returns 10·log10 of two energies' ratio, as of Σx² and Σ(x − y)²; ∞ where there is no noise."""
    if noise == 0:
        return math.inf
    with np.errstate(divide="ignore"):
        return float(10 * np.log10(signal / noise))


# --- quantiles of the normal ---------------------------------------------------------------------------------------


def _upper_tail(confidence: float) -> float:
    """Returns the probability under a two-sided interval's upper limit."""
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1: {confidence}")
    return (1 + confidence) / 2


def _two_sided_z(confidence: float) -> float:
    return float(ndtri(_upper_tail(confidence)))
