"""How often a limit on what is lost from sample to sample is passed, before anything is measured."""

from __future__ import annotations

import numpy as np
from scipy.special import gammaln, ndtri, xlogy

from harness.metrics.exact import exact_p
from harness.metrics.paired_limit import PairedLimit

DEVIATIONS = 8.0  # of each count from its mean; what is further out has a probability under 1e-14
NEAR = 0.5  # of the score from its quantile: there the exact test may decide otherwise than the score
NEGLIGIBLE = 1e-7


def passing_share(limit: PairedLimit, lost: float, won: float, samples: int, alpha: float) -> float:
    """Returns how often the exact test passes the limit, where these are the true shares of samples lost and won.

    The trinomial is summed over the outcomes that pass. alpha: what the p-value has to be under.
    """
    b, c = np.meshgrid(counts(lost, samples), counts(won, samples), indexing="ij")
    b, c = b[(inside := b + c <= samples)], c[inside]
    probability = trinomial(b, c, samples, lost, won)
    score, edge = np.asarray(limit.score(b, c, samples)), -float(ndtri(1 - alpha))
    passes = score < edge
    for n in np.flatnonzero((np.abs(score - edge) < NEAR) & (probability > NEGLIGIBLE)):
        passes[n] = exact_p(limit, int(b[n]), int(c[n]), samples) < alpha
    return float(probability[passes].sum())


def counts(share: float, samples: int) -> np.ndarray:
    """Returns the counts that are likely enough, float64."""
    mean, far = samples * share, DEVIATIONS * (samples * share * (1 - share)) ** 0.5 + DEVIATIONS
    return np.arange(max(0, int(mean - far)), min(samples, int(mean + far) + 1) + 1, dtype=np.float64)


def trinomial(b: np.ndarray, c: np.ndarray, n: int, lost: float, won: float) -> np.ndarray:
    same = n - b - c
    ways = gammaln(n + 1) - gammaln(b + 1) - gammaln(c + 1) - gammaln(same + 1)
    return np.asarray(np.exp(ways + xlogy(b, lost) + xlogy(c, won) + xlogy(same, 1 - lost - won)))
