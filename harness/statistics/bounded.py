"""Limits of what is made of bounded scores, by what could have happened: F1, balanced accuracy, AUC, a user's 0 to 1.

Samples lie in strata, as the classes are. What a sample adds to the statistic, its effect, lies between two bounds.
Under a limit m the shares of the effects are the likeliest ones whose mean is m: the empirical likelihood (Owen,
Biometrika 75, 1988, 237–249), to which each bound is added as an effect that no sample need have shown. p is the
probability that samples with these shares are at least as good as those that were seen (an estimated p-value: Lloyd,
Biometrics 64, 2008, 716–723), by inverting the characteristic function (Davies, Biometrika 60, 1973, 415–417).
The limits are where p is α. Where no sample moved, p is (1 − share)ⁿ, as by Clopper and Pearson.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
from scipy.special import ndtri

from harness.statistics.power import smallest, tail_for, times_until
from harness.statistics.stats import Interval

MOST_EFFECTS = 64  # different ones of a stratum: more are put together with their neighbours
ALONE = 8  # of them at either end, which are never put together
SMOOTHED = 0.02  # of the sd: values closer than three times that count as equal, to the side that does not pass
REACH = 8.0  # sd to each side, where a probability ends
FINEST = 1e-9  # relative
LEAST_P = 1e-12
AT_A_TIME = 64  # points of the characteristic function: steps of the sum over an eighth of its sd are seen
STEPS = 30
MORE = 8  # times the samples that show what one stratum hides: where those do not decide, other strata do not let them


@dataclass(frozen=True)
class Unseen:
    """A stratum so small that what it may hide is beyond a limit by itself."""

    label: int | None  # its class; None where there is one stratum for all
    samples: int
    share: float  # how many of its kind may get worse, though none of the samples did
    needed: int  # how many samples, of which none got worse, would show that the limit is kept


@dataclass(frozen=True, eq=False)
class Effects:
    """What the samples add, in K strata of up to J different effects. An effect is that of a whole stratum that has it,
    so that the statistic is the sum of the strata's mean effects. Columns rise; the first and the last are the bounds.
    """

    counts: np.ndarray  # (K, J): how many samples have the effect; 0 for what could have been
    effects: np.ndarray  # (K, J)
    offset: float = 0.0  # of the statistic, added to the sum
    noise: float = 0.0  # the variance of what else the statistic is made of, normal and independent
    labels: tuple[int, ...] = ()  # the class of each stratum; () where there is one stratum for all
    doubt: str = ""  # why nothing may be decided by the limits

    @property
    def unproven(self) -> str:
        return self.doubt

    @cached_property
    def sizes(self) -> np.ndarray:
        return np.asarray(self.counts.sum(axis=1))

    @cached_property
    def value(self) -> float:
        return self.offset + float(((self.counts * self.effects).sum(axis=1) / self.sizes).sum())

    @cached_property
    def reach(self) -> Interval:
        """The least and the most that the statistic could be."""
        low, high = (self.offset + float(self.effects[:, end].sum()) for end in (0, -1))
        return Interval(low, high)

    @cached_property
    def mirrored(self) -> Effects:
        return replace(self, counts=self.counts[:, ::-1], effects=-self.effects[:, ::-1], offset=-self.offset)

    def times(self, factor: float) -> Self:
        """Returns the statistic times a positive factor."""
        offset, noise = self.offset * factor, self.noise * factor**2
        return replace(self, effects=self.effects * factor, offset=offset, noise=noise)

    def plus(self, shift: float) -> Effects:
        return replace(self, offset=self.offset + shift)

    # --- what is decided by ---

    def p(self, limit: float, better: int = 1) -> float:
        """Returns the probability of a value as good as the one seen, or better, if the truth were the limit.

        better: 1 where less is better, −1 where more is.
        """
        if better == -1:
            return self.mirrored.p(-limit)
        if not self.reach.low < limit < self.reach.high:
            return float(limit <= self.value)
        shares = self.shares(limit) if limit > self.value else self.mirrored.shares(-limit)[:, ::-1]
        return self.probability(shares, self.value - limit)

    def p_of_loss(self, limit: float, better: int) -> float:
        return self.p(limit, -better)

    def drawn(self, limit: float, better: int, rng: np.random.Generator) -> Effects:
        """Returns the same of another test set, as large, of a model whose truth is the limit: p is of these."""
        if better == -1:
            return self.mirrored.drawn(-limit, 1, rng).mirrored
        shares = self.shares(limit) if limit > self.value else self.mirrored.shares(-limit)[:, ::-1]
        counts = np.array([rng.multinomial(int(n), share) for n, share in zip(self.sizes, shares, strict=True)], float)
        return replace(self, counts=counts, offset=self.offset + rng.normal(0, math.sqrt(self.noise)))

    def limits(self, confidence: float) -> Interval:
        """Returns two-sided limits: each is where its one-sided p is half of what the confidence leaves."""
        alpha = (1 - confidence) / 2
        return Interval(-self.mirrored.upper(alpha), self.upper(alpha))

    def words(self, confidence: float) -> str:
        classes = f", {len(self.labels)} classes" if len(self.labels) > 1 else ""
        samples = f"{int(self.sizes.sum()):,} samples{classes}"
        return f"likelihood {100 * confidence:g} %, with what could have happened, {samples}"

    def upper(self, alpha: float) -> float:
        value, most = self.value, self.reach.high
        if most - value <= FINEST * (abs(most) + abs(value)):
            return most

        def above(limit: float) -> float:
            return float(ndtri(alpha) - ndtri(min(max(self.p(limit), LEAST_P), 1 - LEAST_P)))

        start = min(most, value + (2 * math.sqrt(self.spread) or 0.01 * (most - value)))
        while start < most and above(start) < 0:
            start = min(most, value + 3 * (start - value))
        if start == most and above(most - FINEST * (most - value)) < 0:
            return most
        return crossing(above, value, start, 2e-3)

    @property
    def spread(self) -> float:
        """The variance of the statistic as it was seen."""
        return self.variance(self.counts / self.sizes[:, None])

    def variance(self, shares: np.ndarray) -> float:
        means = (shares * self.effects).sum(axis=1, keepdims=True)
        return self.noise + float(((shares * (self.effects - means) ** 2).sum(axis=1) / self.sizes).sum())

    def probability(self, shares: np.ndarray, at: float) -> float:
        """Returns P(S − its mean ≤ at) of so many samples with these shares of the effects (Davies 1973)."""
        sd = math.sqrt(self.variance(shares))
        at += 3 * SMOOTHED * sd
        if abs(at) >= REACH * sd:
            return float(at >= 0)
        step, under = math.pi / (REACH * sd), 0.5
        for first in range(0, math.ceil(5 / (SMOOTHED * sd * step)), AT_A_TIME):
            t = step * (np.arange(first, first + AT_A_TIME) + 0.5)
            turned = np.exp(self.log_characteristic(shares, t) - (t * SMOOTHED * sd) ** 2 / 2 - 1j * t * at)
            under -= step / math.pi * float((turned.imag / t).sum())
            if np.abs(turned).max() < FINEST:
                break
        return min(1.0, max(0.0, under))

    def log_characteristic(self, shares: np.ndarray, t: np.ndarray) -> np.ndarray:
        """Returns the logarithm of the mean of exp(i·t·(S − its mean)), of the shape of t."""
        log = -self.noise * t**2 / 2 + 0j
        for size, share, effects in zip(self.sizes, shares, self.effects, strict=True):
            there = share > 0
            moved = (effects[there] - share @ effects) / size
            log = log + size * np.log(np.exp(1j * np.outer(t, moved)) @ share[there])
        return np.asarray(log)

    def times_to_settle(self, limit: float, better: int, alpha: float, power: float) -> float | None:
        """Returns how many times as many samples decide the limit so often, if these show the true shares. None: never.

        better: 1 where less is better, −1 where more is.
        """
        side, tail = (better if better * self.value < better * limit else -better), tail_for(alpha, power)

        def settled(times: float) -> bool:
            return self.scaled(times).p(limit, side) <= tail

        return times_until(settled)

    def scaled(self, times: float) -> Self:
        """Returns the same of so many times as many samples."""
        return replace(self, counts=times * self.counts, noise=self.noise / times)

    def unseen(self, limit: float, better: int, alpha: float) -> Unseen | None:
        """Returns the stratum that hides the most, where none of its samples got worse, and what it may hide reaches
        from the value to the limit; else None.

        Of n samples without an event, it may happen to a share of 1 − α^(1/n) (Clopper & Pearson, Biometrika 26, 1934).
        """
        if better == -1:
            return self.mirrored.unseen(-limit, 1, alpha)
        room = limit - self.value
        worse = np.where(self.effects > FINEST * np.abs(self.effects).max(), self.counts, 0).sum(axis=1)
        most = np.where(worse == 0, self.effects[:, -1], 0.0)
        shares = 1 - alpha ** (1 / self.sizes)
        k = int((most * shares).argmax())
        if not 0 < room < most[k] * shares[k]:
            return None
        needed = self._shown_by(k, math.ceil(math.log(alpha) / math.log1p(-room / most[k])), limit, alpha)
        return Unseen(self.labels[k] if self.labels else None, int(self.sizes[k]), float(shares[k]), needed)

    def _shown_by(self, k: int, fewest: int, limit: float, alpha: float) -> int:
        """Returns how many samples of a stratum keep the limit, the others being as they are: at least those that do
        where the others hide nothing, and just these where the others alone hide too much.
        """

        def kept(size: int) -> bool:
            counts = self.counts.copy()
            counts[k] *= size / self.sizes[k]
            return replace(self, counts=counts).p(limit) <= alpha

        return smallest(kept, fewest - 1) or fewest if kept(MORE * fewest) else fewest

    # --- the likeliest shares ---

    def shares(self, limit: float) -> np.ndarray:
        """Returns the likeliest shares of the effects, (K, J), at which the statistic is a limit over its value."""
        goal = limit - self.offset

        def over(force: float) -> float:
            return float((self.tilted(force) * self.effects).sum()) - goal

        scale = float(self.sizes.max() / np.ptp(self.effects))
        high = min((limit - self.value) / self.spread, scale) if self.spread else scale
        for _ in range(STEPS):
            if high <= 0 or over(high) >= 0:
                break
            high *= 4
        return self.tilted(crossing(over, 0.0, high, 1e-5))

    def tilted(self, force: float) -> np.ndarray:
        """Returns counts / (μ + force · (most − effects)): of each stratum the μ > 0 at which the shares add up to 1.

        Where no sample has the most, and they add up to less at μ = 0, what is missing falls to the most.
        """
        room = force * (self.effects[:, -1:] - self.effects)
        mu = np.maximum(self.counts[:, -1], FINEST * self.sizes)[:, None] * (1 - FINEST)
        for _ in range(STEPS):  # Newton on 1/Σ = 1, from below: it rises, and never beyond
            parts = self.counts / (mu + room)
            total = parts.sum(axis=1, keepdims=True)
            if (total < 1 + FINEST).all():
                break
            mu = mu + np.maximum(0, total * (total - 1) / (parts / (mu + room)).sum(axis=1, keepdims=True))
        shares = self.counts / (mu + room)
        shares[:, -1] += np.maximum(0, 1 - shares.sum(axis=1))
        return np.asarray(shares / shares.sum(axis=1, keepdims=True))


def crossing(rising: Callable[[float], float], low: float, high: float, tolerance: float) -> float:
    """Returns where a rising function is 0, by the Illinois method (Dowell & Jarratt, BIT 11, 1971, 168–174):
    the side on which it is over 0, so close to the other as a part of the way from low to high.
    """
    finest = tolerance * (high - low)
    under, over, before = rising(low), rising(high), 0.0
    if under >= 0:  # the limit is the value itself, but for rounding
        return low
    for _ in range(2 * STEPS):
        if over <= 0 or high - low <= finest:
            break
        middle = high - over * (high - low) / (over - under)
        middle = min(max(middle, low + finest / 2), high - finest / 2)
        found = rising(middle)
        if found < 0:
            low, under, over = middle, found, over / 2 if before < 0 else over
        else:
            high, over, under = middle, found, under / 2 if before > 0 else under
        before = found
    return high


def effects_of(
    strata: np.ndarray, each: np.ndarray, low: Sequence[float], high: Sequence[float], labels: Sequence[int] = ()
) -> Effects:
    """Returns the effects of samples that add `each`, (samples,), to their stratum's mean.

    strata: 0 to K − 1, (samples,). low, high: the bounds of each stratum's effects, K each.
    """
    order = np.argsort(strata, kind="stable")
    parts = np.split(each[order], np.cumsum(np.bincount(strata, minlength=len(low)))[:-1])
    rows = [tallied(part, *ends) for part, *ends in zip(parts, low, high, strict=True)]
    width = max(len(counts) for counts, _ in rows)
    counts, effects = np.zeros((len(rows), width)), np.zeros((len(rows), width))
    for k, (count, effect) in enumerate(rows):
        counts[k, : len(count) - 1], effects[k, : len(count) - 1] = count[:-1], effect[:-1]
        counts[k, -1], effects[k, len(count) - 1 :] = count[-1], effect[-1]
    return Effects(counts, effects, labels=tuple(labels))


def tallied(each: np.ndarray, low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
    """Returns (counts, effects) of a stratum, from the lowest effect to the highest, with the bounds."""
    effects, counts = np.unique(np.clip(each, low, high), return_counts=True)
    if len(effects) > MOST_EFFECTS:
        effects, counts = put_together(effects, counts)
    if not len(effects) or effects[0] > low:
        effects, counts = np.insert(effects, 0, low), np.insert(counts, 0, 0)
    if effects[-1] < high:
        effects, counts = np.append(effects, high), np.append(counts, 0)
    return counts.astype(np.float64), effects


def put_together(effects: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Puts neighbours together, at their mean, but for those at either end."""
    middle = np.linspace(ALONE, len(effects) - ALONE, MOST_EFFECTS - 2 * ALONE, endpoint=False).astype(int)
    starts = np.concatenate([np.arange(ALONE), middle, np.arange(len(effects) - ALONE, len(effects))])
    sizes = np.add.reduceat(counts, starts)
    return np.add.reduceat(counts * effects, starts) / sizes, sizes
