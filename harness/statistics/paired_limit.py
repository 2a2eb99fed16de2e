"""A limit on what is lost from sample to sample: at it, weight · P(lost) − P(won) = shift.

Of n samples b are lost, right before and wrong after, and c are won. A limit on the drop is that of a difference:
weight 1, and the margin as shift, P(lost) − P(won) = m. A limit on how far the errors grew is that of a ratio, θ = 1 +
growth. Of the samples that are wrong before or after, those before are 1 − P(lost) and those after 1 − P(won), so that
the limit is 1 − P(won) = θ · (1 − P(lost)), which is weight θ and shift θ − 1. Samples that are right twice say nothing
of such a ratio, and are not counted. The same holds for right answers, before over after.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

Number = float | np.ndarray
NOTHING = 1e-300  # instead of a variance of 0


@dataclass(frozen=True)
class PairedLimit:
    """weight · P(lost) − P(won) = shift; what is over it is too much."""

    weight: float
    shift: float

    @classmethod
    def of_difference(cls, margin: float) -> PairedLimit:
        """P(lost) − P(won) = margin, a fraction of the samples."""
        return cls(1.0, margin)

    @classmethod
    def of_ratio(cls, ratio: float) -> PairedLimit:
        """(1 − P(won)) / (1 − P(lost)) = ratio, among the samples where at least one of the two counts."""
        return cls(ratio, ratio - 1)

    @property
    def mirrored(self) -> PairedLimit:
        """The same limit where lost and won change places: what was over it is under it."""
        return PairedLimit(1 / self.weight, -self.shift / self.weight)

    @property
    def least(self) -> float:
        """The smallest share of discordant samples with which a model can be at the limit or over it."""
        return max(self.shift / self.weight, 0.0)

    def share_lost(self, discordance: np.ndarray) -> np.ndarray:
        """Returns P(lost) / discordance at the limit, where so large a share of the samples is discordant: 0 where a
        model that loses none is still over it.
        """
        lost = (discordance + self.shift) / (1 + self.weight)
        return np.clip(np.divide(lost, discordance, out=np.zeros_like(lost), where=discordance > 0), 0.0, 1.0)

    def discordance(self, b: Number, c: Number, n: Number) -> Number:
        """Returns the likeliest share of discordant samples at the limit: the larger root of
        weight·n·s² − L·s − K = 0, where the likelihood's derivative is 0.
        """
        weight, shift, same = self.weight, self.shift, n - b - c
        linear = b * (weight + shift) + c * weight * (1 - shift) + same * shift * (1 - weight)
        constant = shift * (c * weight - b + same * shift)
        return (linear + abs(linear**2 + 4 * n * weight * constant) ** 0.5) / (2 * n * weight)

    def score(self, b: Number, c: Number, n: Number) -> Number:
        """Returns the score statistic: under 0 where less is lost than the limit allows. Broadcasts.

        Of a difference it is Tango's (Statistics in Medicine 17, 1998, 891–908), of a ratio that of Nam & Blackwelder
        (the same 21, 2002, 689–699) and of Tang, Tang & Chan (the same 22, 2003, 1217–1233).
        """
        over = self.weight * b - c - n * self.shift
        return over / (abs(n * self.variance(b, c, n)) + NOTHING) ** 0.5

    def variance(self, b: Number, c: Number, n: Number) -> Number:
        """Returns the variance of one sample's weight · lost − won at the limit."""
        discordance = self.discordance(b, c, n)
        lost = (discordance + self.shift) / (1 + self.weight)
        return self.weight**2 * lost + (discordance - lost) - self.shift**2

    def samples_for_power(self, lost: float, won: float, alpha: float, power: float) -> float:
        """Returns how many samples a one-sided test at `alpha` needs to tell these shares from the limit so often.

        ((z_α·σ₀ + z_power·σ₁) / Δ)², with σ₀ at the limit and σ₁ at the shares (Nam, Biometrics 53, 1997, 1422–1430);
        ∞ where the shares are at the limit.
        """
        away = self.weight * lost - won - self.shift
        at_limit = float(self.variance(lost, won, 1.0)) ** 0.5
        at_shares = max(self.weight**2 * lost + won - (self.weight * lost - won) ** 2, 0.0) ** 0.5
        needed = float(ndtri(1 - alpha)) * at_limit + float(ndtri(power)) * at_shares
        return (needed / away) ** 2 if away else float("inf")
