"""What the outputs over the test set say, sample by sample against Keras."""

from __future__ import annotations

import numpy as np

from harness.metrics import stats
from harness.metrics.discrepancy import apart, discordant, top1
from harness.metrics.registry import Estimate, Observation, metric, of_scores, per_sample
from harness.metrics.task import LABELLED, OF_CLASSES, probabilities, row_by_row


@metric("accuracy", unit="fraction", better="higher", against="keras", tasks=LABELLED)
@per_sample
def accuracy(o: Observation, samples: np.ndarray) -> Estimate:
    method = f"top-1 of {len(samples)} samples at batch 1"
    return Estimate(float(samples["correct"].mean()), float(samples["baseline_correct"].mean()), method=method)


@metric("accuracy_drop", unit="pp", better="lower", against="keras", tasks=LABELLED)
@per_sample
def accuracy_drop(o: Observation, samples: np.ndarray) -> Estimate:
    """(b − c) / n in percentage points; positive is bad. Its baseline is Keras' own drop: none."""
    lost, won = discordant(samples["baseline_correct"], samples["correct"])
    n = len(samples)
    limits = stats.tango(lost, won, n)
    method = f"Tango 90 %, b={lost} c={won} n={n}"
    return Estimate(100 * (lost - won) / n, 0.0, 100 * limits.low, 100 * limits.high, method)


@metric("mcnemar_p", unit="probability", against="keras", tasks=LABELLED)
@per_sample
def mcnemar_p(o: Observation, samples: np.ndarray) -> Estimate:
    counts = discordant(samples["baseline_correct"], samples["correct"])
    method = f"McNemar exact; mid-p {stats.mcnemar_midp(*counts):.4g}; shown, never gated on"
    return Estimate(stats.mcnemar_exact(*counts), method=method)


@metric("flips", unit="count", better="lower", against="keras", tasks=OF_CLASSES)
@of_scores
def flips(o: Observation, samples: np.ndarray) -> Estimate:
    return Estimate(float(samples["flip"].sum()), 0.0, method="top-1 differs from Keras, right or wrong")


@metric("flip_rate", unit="fraction", better="lower", against="keras", tasks=OF_CLASSES)
@of_scores
def flip_rate(o: Observation, samples: np.ndarray) -> Estimate:
    return Estimate(float(samples["flip"].mean()), 0.0, method="flips / samples")


@metric("agreement", unit="fraction", better="higher", against="keras", tasks=OF_CLASSES)
@per_sample
def agreement(o: Observation, samples: np.ndarray) -> Estimate:
    """The baseline's own is 1. An answer that is not finite agrees with nothing."""
    same, n = int((~samples["flip"] & (samples["prediction"] >= 0)).sum()), len(samples)
    limits = stats.clopper_pearson(same, n, 0.90)
    return Estimate(same / n, 1.0, limits.low, limits.high, f"same top-1 as Keras, {same} of {n}; Clopper–Pearson 90 %")


@metric("max_abs_diff", unit="score", better="lower", against="keras")
@of_scores
def max_abs_diff(o: Observation, samples: np.ndarray) -> Estimate:
    return Estimate(float(samples["max_abs_diff"].max()), 0.0, method="largest |Δ| of any output of any sample")


@metric("js_p99", unit="bits", better="lower", against="keras", tasks=OF_CLASSES)
@of_scores
def js_p99(o: Observation, samples: np.ndarray) -> Estimate:
    if unknown := int(np.isnan(samples["js_divergence"]).sum()):
        return Estimate(method=f"{unknown} samples have no score over 0, and so no distribution")
    return Estimate(
        float(np.quantile(samples["js_divergence"].astype(np.float64), 0.99)),
        0.0,
        method="Jensen–Shannon, p99 over samples",
    )


@metric("ties", unit="count", better="lower", tasks=OF_CLASSES)
@of_scores
def ties(o: Observation, samples: np.ndarray) -> Estimate:
    return Estimate(
        float(samples["tie"].sum()), method="samples whose two highest scores are equal; the first one counts"
    )


@metric("sqnr", unit="dB", better="higher", against="keras")
@of_scores
def sqnr(o: Observation, samples: np.ndarray) -> Estimate:
    assert o.scores is not None
    signal, noise = row_by_row(energy, o.baseline).sum(), row_by_row(noise_energy, o.baseline, o.scores).sum()
    if noise == 0:
        return Estimate(method="outputs are equal: no noise")
    return Estimate(stats.ratio_db(signal, noise), method="10·log10(Σx²/Σ(x−y)²) over all outputs")


def energy(rows: np.ndarray) -> np.ndarray:
    return np.asarray(np.square(rows.reshape(len(rows), -1).astype(np.float64)).sum(axis=1))


def noise_energy(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.asarray(np.square(apart(one, other)).sum(axis=1))


@metric("ece", unit="fraction", better="lower", against="keras", tasks=LABELLED)
@of_scores
def ece(o: Observation, samples: np.ndarray) -> Estimate:
    assert o.scores is not None and o.labels is not None
    confident = confidence_of_logits if o.logits else confidence
    own, keras = (
        stats.calibration_error(row_by_row(confident, scores), row_by_row(top1, scores) == o.labels)
        for scores in (o.scores, o.baseline)
    )
    return Estimate(own, keras, method="15 equal bins" + (" of the softmax" if o.logits else ""))


def confidence(scores: np.ndarray) -> np.ndarray:
    return np.asarray(scores.max(axis=1).astype(np.float64))


def confidence_of_logits(scores: np.ndarray) -> np.ndarray:
    return confidence(probabilities(scores))
