"""What the outputs over the test set say, sample by sample against Keras."""

from __future__ import annotations

import numpy as np
import pandas as pd

from harness import stats
from harness.metrics.registry import Estimate, Observation, metric, of_scores, per_sample


@metric("accuracy", unit="fraction", better="higher", against="keras")
@per_sample
def accuracy(o: Observation, samples: pd.DataFrame) -> Estimate:
    method = f"top-1 of {len(samples)} samples at batch 1"
    return Estimate(float(samples.correct.mean()), float(samples.baseline_correct.mean()), method=method)


@metric("accuracy_drop", unit="pp", better="lower", against="keras")
@per_sample
def accuracy_drop(o: Observation, samples: pd.DataFrame) -> Estimate:
    """(b − c) / n in percentage points; positive is bad. Its baseline is Keras' own drop: none."""
    lost, won = discordant(samples)
    n = len(samples)
    limits = stats.tango(lost, won, n)
    method = f"Tango 90 %, b={lost} c={won} n={n}"
    return Estimate(100 * (lost - won) / n, 0.0, 100 * limits.low, 100 * limits.high, method)


def discordant(samples: pd.DataFrame) -> tuple[int, int]:
    """(b, c): baseline right and variant wrong; the reverse."""
    lost = samples.baseline_correct & ~samples.correct
    won = ~samples.baseline_correct & samples.correct
    return int(lost.sum()), int(won.sum())


@metric("mcnemar_p", unit="probability", against="keras")
@per_sample
def mcnemar_p(o: Observation, samples: pd.DataFrame) -> Estimate:
    return Estimate(stats.mcnemar_exact(*discordant(samples)), method="McNemar exact; shown, never gated on")


@metric("flips", unit="count", better="lower", against="keras")
@per_sample
def flips(o: Observation, samples: pd.DataFrame) -> Estimate:
    return Estimate(float(samples.flip.sum()), 0.0, method="top-1 differs from Keras, right or wrong")


@metric("flip_rate", unit="fraction", better="lower", against="keras")
@per_sample
def flip_rate(o: Observation, samples: pd.DataFrame) -> Estimate:
    return Estimate(float(samples.flip.mean()), 0.0, method="flips / samples")


@metric("max_abs_diff", unit="score", better="lower", against="keras")
@of_scores
def max_abs_diff(o: Observation, samples: pd.DataFrame) -> Estimate:
    return Estimate(float(samples.max_abs_diff.max()), 0.0, method="largest |Δ| of any score of any sample")


@metric("js_p99", unit="bits", better="lower", against="keras")
@of_scores
def js_p99(o: Observation, samples: pd.DataFrame) -> Estimate:
    return Estimate(float(samples.js_divergence.quantile(0.99)), 0.0, method="Jensen–Shannon, p99 over samples")


@metric("ties", unit="count", better="lower")
@per_sample
def ties(o: Observation, samples: pd.DataFrame) -> Estimate:
    return Estimate(float(samples.tie.sum()), method="samples whose two highest scores are equal; the first one counts")


@metric("sqnr", unit="dB", better="higher", against="keras")
@of_scores
def sqnr(o: Observation, samples: pd.DataFrame) -> Estimate:
    assert o.scores is not None
    if np.array_equal(o.baseline, o.scores):
        return Estimate(method="outputs are equal: no noise")
    return Estimate(stats.sqnr_db(o.baseline, o.scores), method="10·log10(Σx²/Σ(x−y)²) over all scores")


@metric("ece", unit="fraction", better="lower", against="keras")
@of_scores
def ece(o: Observation, samples: pd.DataFrame) -> Estimate:
    assert o.scores is not None
    calibration = [stats.expected_calibration_error(scores, o.labels) for scores in (o.scores, o.baseline)]
    return Estimate(calibration[0], calibration[1], method="15 equal bins")
