"""What the outputs over the test set say, sample by sample against Keras."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from harness.metrics.discrepancy import discordant, row_differences, top1
from harness.metrics.registry import Answers, Estimate, Metric, Observation, declare, of_case, of_scores, per_sample
from harness.metrics.task import LABELLED, probabilities, row_by_row
from harness.metrics.task_table import NO_CLASSES, OF_CLASSES, WITH_FLIPS, kind_of
from harness.statistics import stats
from harness.statistics.anytime import anytime_limits
from harness.statistics.clustered import drop_limits, group_words, rate_limits

OF_SCORES = (*OF_CLASSES, *NO_CLASSES)
BINS = 15  # of the calibration error


def same(answers: Answers) -> np.ndarray:
    """Returns whether each sample's top-1 is the baseline's, (samples,)."""
    return np.asarray(row_by_row(top1, answers.outputs) == row_by_row(top1, answers.baseline))


@of_case(Metric(
    "accuracy", unit="fraction", better="higher", title="Accuracy", about="answers", against="keras", tasks=LABELLED,
    judged="accuracy", in_percent=True, paired=True, alone=True,
    columns=("accuracy",), in_table=LABELLED, default_for=LABELLED, offered_for=LABELLED,
))  # fmt: skip
@per_sample
def accuracy(o: Observation, samples: np.ndarray) -> Estimate:
    method = f"top-1 of {len(samples)} samples at batch 1"
    return Estimate(float(samples["correct"].mean()), float(samples["baseline_correct"].mean()), method=method)


@of_case(Metric(
    "accuracy_drop", unit="pp", better="lower", title="Drop", about="answers", against="keras", tasks=LABELLED,
    judged="drop", paired=True, fall_of="accuracy", compared="drop", interval_percent=90,
    columns=("accuracy_drop_pp", "drop_low_pp", "drop_high_pp"), in_table=LABELLED,
))  # fmt: skip
@per_sample
def accuracy_drop(o: Observation, samples: np.ndarray) -> Estimate:
    """Computes (b − c) / n in percentage points; positive is bad. Its baseline, Keras' own drop, is 0."""
    lost, won = discordant(samples["baseline_correct"], samples["correct"])
    n = len(samples)
    if o.until_decided:
        limits, words = anytime_limits(lost, won, n), "betting, at any time,"
    else:
        limits, words = drop_limits(samples["baseline_correct"], samples["correct"], o.groups)
    method = f"{words} 90 %, b={lost} c={won} n={n}"
    return Estimate(100 * (lost - won) / n, 0.0, 100 * limits.low, 100 * limits.high, method)


@of_case(Metric("mcnemar_p", unit="probability", title="McNemar p", about="answers", against="keras", tasks=LABELLED))
@per_sample
def mcnemar_p(o: Observation, samples: np.ndarray) -> Estimate:
    if o.groups is not None:
        return Estimate(method=f"McNemar's test is of independent samples, and these are {group_words(o.groups)}")
    counts = discordant(samples["baseline_correct"], samples["correct"])
    method = f"McNemar exact; mid-p {stats.mcnemar_midp(*counts):.4g}; shown, never gated on"
    return Estimate(stats.mcnemar_exact(*counts), method=method)


@of_case(Metric(
    "flips", unit="count", better="lower", title="Flips", about="answers", against="keras", tasks=WITH_FLIPS,
    judged="flips", columns=("flips",), in_table=WITH_FLIPS, interval_percent=90,
))  # fmt: skip
@of_scores
def flips(o: Observation, samples: np.ndarray) -> Estimate:
    """Counts them; the limits are those of the rate, for as many samples."""
    flips = kind_of(o.task).flips
    assert flips  # of the tasks that the metric is of
    rate, n = share(o, samples["flip"], flips.words.format("Keras")), len(samples)
    low, high = (None if end is None else n * end for end in (rate.low, rate.high))
    return Estimate(float(samples["flip"].sum()), 0.0, low, high, rate.method)


@of_case(Metric(
    "flip_rate", unit="fraction", better="lower", title="Flips", about="answers", against="keras", tasks=WITH_FLIPS,
    judged="flip_rate", paired=True, compared="flips", columns=("flip_rate",), interval_percent=90,
))  # fmt: skip
@of_scores
def flip_rate(o: Observation, samples: np.ndarray) -> Estimate:
    return replace(share(o, samples["flip"], "flips / samples"), baseline=0.0)


@of_case(Metric(
    "agreement", unit="fraction", better="higher", title="Agreement", about="answers", against="keras",
    tasks=OF_CLASSES, judged="share", of_sample=same, interval_percent=90, to_baseline=True, in_percent=True,
    default_for=("agreement",), offered_for=OF_CLASSES,
))  # fmt: skip
@per_sample
def agreement(o: Observation, samples: np.ndarray) -> Estimate:
    """Computes the share of equal top-1. The baseline's own is 1; an answer that is not finite agrees with nothing."""
    agreed = ~samples["flip"] & (samples["prediction"] >= 0)
    told = f"same top-1 as Keras, {int(agreed.sum())} of {len(samples)}"
    return replace(share(o, agreed, told), baseline=1.0)


def share(o: Observation, counted: np.ndarray, what: str) -> Estimate:
    """Returns the share of samples that count, with limits; without where the number of samples depends on what they
    say, since limits of so many would not hold. counted: bool, (samples,).
    """
    value = float(counted.mean())
    if o.until_decided:
        return Estimate(value, method=f"{what}; no limits, since the run went on until it was decided")
    limits, words = rate_limits(counted, o.groups)
    return Estimate(value, None, limits.low, limits.high, f"{what}; {words} 90 %")


@of_case(Metric(
    "max_abs_diff", unit="score", better="lower", title="max |Δ|", about="answers", against="keras", tasks=OF_SCORES,
    columns=("max_abs_diff",), in_table=NO_CLASSES,
))  # fmt: skip
@of_scores
def max_abs_diff(o: Observation, samples: np.ndarray) -> Estimate:
    return Estimate(float(samples["max_abs_diff"].max()), 0.0, method="largest |Δ| of any number of any sample")


@of_case(Metric(
    "js_p99", unit="bits", better="lower", title="JS p99", about="answers", against="keras", tasks=OF_CLASSES,
    judged="of_sample", interval_percent=90,
))  # fmt: skip
@of_scores
def js_p99(o: Observation, samples: np.ndarray) -> Estimate:
    if unknown := int(np.isnan(samples["js_divergence"]).sum()):
        return Estimate(method=f"{unknown} samples have no score over 0, and so no distribution")
    return Estimate(
        float(np.quantile(samples["js_divergence"].astype(np.float64), 0.99)),
        0.0,
        method="Jensen–Shannon, p99 over samples",
    )


@of_case(Metric("ties", unit="count", better="lower", title="Ties", about="answers", tasks=OF_CLASSES))
@of_scores
def ties(o: Observation, samples: np.ndarray) -> Estimate:
    return Estimate(
        float(samples["tie"].sum()), method="samples whose two highest scores are equal; the first one counts"
    )


@of_case(Metric(
    "sqnr", unit="dB", better="higher", title="SQNR", about="answers", against="keras", tasks=OF_SCORES,
    judged="noise", beside=("max_abs_diff",), interval_percent=90,
))  # fmt: skip
@of_scores
def sqnr(o: Observation, samples: np.ndarray) -> Estimate:
    assert o.scores is not None
    signal, noise = row_by_row(energy, o.baseline).sum(), row_by_row(noise_energy, o.baseline, o.scores).sum()
    if noise == 0:
        return Estimate(method="outputs are equal: no noise")
    return Estimate(stats.ratio_db(signal, noise), method="10·log10(Σx²/Σ(x−y)²) over all numbers of all samples")


def energy(rows: np.ndarray) -> np.ndarray:
    return np.asarray(np.square(rows.reshape(len(rows), -1).astype(np.float64)).sum(axis=1))


def noise_energy(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.asarray(np.square(row_differences(one, other)).sum(axis=1))


@of_case(Metric(
    "ece", unit="fraction", better="lower", title="ECE", about="answers", against="keras", tasks=LABELLED,
    judged="of_sample", interval_percent=90,
))  # fmt: skip
@of_scores
def ece(o: Observation, samples: np.ndarray) -> Estimate:
    assert o.scores is not None and o.labels is not None
    confident = confidence_of_logits if o.logits else confidence
    own, keras = (
        stats.calibration_error(row_by_row(confident, scores), row_by_row(top1, scores) == o.labels, BINS)
        for scores in (o.scores, o.baseline)
    )
    return Estimate(own, keras, method=f"{BINS} equal bins" + (" of the softmax" if o.logits else ""))


def confidence(scores: np.ndarray) -> np.ndarray:
    return np.asarray(scores.max(axis=1).astype(np.float64))


def confidence_of_logits(scores: np.ndarray) -> np.ndarray:
    return confidence(probabilities(scores))


# --- what only a rule can ask for ------------------------------------------------------------------------------------

declare(Metric(
    "error_rate_growth", unit="%", better="lower", title="Growth of errors", about="answers", against="keras",
    tasks=LABELLED, judged="drop", paired=True, fall_of="accuracy",
))  # fmt: skip
declare(Metric(
    "class_accuracy_drop", unit="pp", better="lower", title="Drop of a class", about="answers", against="keras",
    tasks=LABELLED, judged="class_drop", chance_by="balanced_accuracy", paired=True,
))  # fmt: skip
