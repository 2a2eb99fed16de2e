"""A limit on the accuracy drop that may be looked at again and again: its level holds whenever one stops.

Of the samples asked so far, b are lost (right before and wrong after) and c are won; each counts x = 1, −1 or else 0.
Where the true mean of x, the drop, is the margin m or more, 1 + λ·(m − x) is a fair bet or a losing one, for any stake
λ from 0 to 1 / (1 − m). So the wealth of somebody who began with 1 and bets at every sample is over 1/α with a
probability of α at most, at any time and so at the time at which one chooses to stop (Ville 1939). It is evidence
against so large a drop, and 1 / wealth is a p-value (Waudby-Smith & Ramdas, JRSS B 86, 2024, 1–27; Howard, Ramdas,
McAuliffe & Sekhon, Annals of Statistics 49, 2021, 1055–1080).

Which stake is best depends on how many samples are discordant, which nobody knows. So the wealth is divided among
stakes beforehand, and each part is bet by itself, as in Cover's universal portfolio (Mathematical Finance 1, 1991,
1–29). Stakes that do not change make the wealth a function of b, c and n alone.
"""

from __future__ import annotations

import math

import numpy as np

from harness.statistics.stats import Interval

STAKES = 1 / (1 + np.exp(-np.linspace(-6, 4, 24)))  # as shares of the largest that cannot ruin
PARTS = STAKES**0.5 / (STAKES**0.5).sum()  # of the wealth, at each: where few samples are discordant the large ones win
STEPS = 50  # of a bisection between −1 and 1
MOST_SAMPLES = 10**9  # more is never


def anytime_p(lost: float, won: float, n: float, margin: float) -> float:
    """Returns the p-value of H0: the drop is the margin, or larger. It holds whenever one stops.

    margin: a fraction of the samples, between −1 and 1. For H0: the drop is the margin or less, which a model over a
    limit breaks, call anytime_p(won, lost, n, −margin).
    """
    return math.exp(-max(log_wealth(lost, won, n, margin), 0.0))


def log_wealth(lost: float, won: float, n: float, margin: float) -> float:
    """Returns the logarithm of the wealth after n samples."""
    at_lost, at_same, at_won = (np.log1p(STAKES * (margin - x) / (1 - margin)) for x in (1, 0, -1))
    logs = np.log(PARTS) + lost * at_lost + won * at_won + (n - lost - won) * at_same
    largest = float(logs.max())
    return largest + math.log(np.exp(logs - largest).sum())


def anytime_limits(lost: int, won: int, n: int, confidence: float = 0.90) -> Interval:
    """Returns two-sided limits of the drop, fractions; each end is one-sided at half of what is left. Both hold at all
    times at once: they are a confidence sequence, of the drops that anytime_p does not reject.
    """
    alpha = (1 - confidence) / 2
    return Interval(-upper_limit(won, lost, n, alpha), upper_limit(lost, won, n, alpha))


def upper_limit(lost: int, won: int, n: int, alpha: float) -> float:
    """Returns the smallest drop that is rejected, by bisection: the wealth grows with the margin."""
    low, high = -1.0, 1.0
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if anytime_p(lost, won, n, middle) < alpha else (middle, high)
    return high


def samples_to_decide(lost: float, won: float, margin: float, alpha: float) -> int | None:
    """Returns after how many samples a drop is shown to be under the margin, where just these shares of the samples are
    lost and won; None where no number does. With luck, which every second run has, fewer do.
    """
    low, high = 0, 1
    while anytime_p(lost * high, won * high, high, margin) >= alpha:
        low, high = high, 2 * high
        if high > MOST_SAMPLES:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        decided = anytime_p(lost * middle, won * middle, middle, margin) < alpha
        low, high = (low, middle) if decided else (middle, high)
    return high
