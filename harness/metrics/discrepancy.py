"""Per-sample discrepancies between the Keras baseline and one case, and per-class drops."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from harness.metrics.task import are_logits, as_scores, finite, one_column, probabilities, row_by_row, stretches
from harness.statistics import stats
from harness.statistics.clustered import drop_limits

SUSPECT_AGREEMENT = 0.9  # under this share of equal answers something is probably wrong, not merely lossy
SUSPECT_EXPLAINED = 0.9  # and under this share of explained variation, where outputs are not scores of classes


def top1(scores: np.ndarray) -> np.ndarray:
    """Returns the class with the highest score, the first of equals:
    (samples, classes) → int64, (samples,). −1 where a score is not finite.
    """
    return np.where(np.isfinite(scores).all(axis=1), scores.argmax(axis=1), -1)


def agreement(expected: np.ndarray, actual: np.ndarray) -> float:
    """Returns the share of samples with the same top-1. Scores: (samples, classes).
    One that is not finite never agrees.
    """
    answers = top1(actual)
    return float(np.mean((top1(expected) == answers) & (answers >= 0)))


def doubt(expected: np.ndarray, actual: np.ndarray, of_classes: bool, against: str, what: str) -> str:
    """Returns why outputs are so far from the baseline's that something is probably wrong, not merely lossy; "" where
    they are not. against: the baseline's name. what: the samples, in words.
    """
    if unknown := len(actual) - int(row_by_row(finite, actual).sum()):
        return f"{unknown} of {what} have outputs that are not finite"
    if of_classes:
        logits = are_logits(expected)
        return low_agreement(agreement(as_scores(expected, logits), as_scores(actual, logits)), against, what)
    error = float(row_by_row(lambda *rows: np.square(row_differences(*rows)).sum(axis=1), expected, actual).sum())
    return low_explained(explained_share(error, variation(expected)), against, what)


def low_agreement(share: float, against: str, what: str) -> str:
    """Returns why so small a share of equal answers is suspect, or ""."""
    return f"agrees with {against} on {share:.1%} of {what}" if share < SUSPECT_AGREEMENT else ""


def low_explained(share: float, against: str, what: str) -> str:
    """Returns why so small a share of explained variation is suspect, or ""."""
    whose = f"{against}'" if against.endswith("s") else f"{against}'s"
    message = f"explains {max(share, 0):.1%} of the variation in {whose} output over {what}"
    return message if share < SUSPECT_EXPLAINED else ""


def explained_share(squared_error: float, variation: float) -> float:
    """Returns the share of the baseline's variation over the samples that other outputs reproduce: the coefficient of
    determination, 1 − Σ(given − expected)² / Σ(expected − mean)².

    Unlike a signal-to-noise ratio it does not reward a constant: outputs that never change explain 0. .9 is 10 dB of
    signal over error, where eight bits leave 30 and more. 1 where nothing varies and nothing differs, else −∞.
    """
    if variation == 0:
        return 1.0 if squared_error == 0 else -np.inf
    return 1 - squared_error / variation


def variation(outputs: np.ndarray) -> float:
    """Returns Σ(value − mean)² of all numbers, each against its own mean over the samples."""
    rows = outputs.reshape(len(outputs), -1)
    means = sum(stretch.sum(axis=0, dtype=np.float64) for stretch in stretches(rows)) / len(rows)
    return sum(float(np.square(stretch - means).sum()) for stretch in stretches(rows))


def margins(scores: np.ndarray) -> np.ndarray:
    """Returns the highest score less the second highest of each row, (samples,); 0 is a tie."""
    ordered = np.sort(scores.astype(np.float64), axis=1)
    return ordered[:, -1] - ordered[:, -2]


def cosine(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Returns the cosine similarity of each pair of rows, (samples,); NaN where a row is all zeros."""
    x, y = (array.reshape(len(array), -1).astype(np.float64) for array in (x, y))
    norms = np.linalg.norm(x, axis=1) * np.linalg.norm(y, axis=1)
    return np.divide((x * y).sum(axis=1), norms, out=np.full(len(x), np.nan), where=norms > 0)


@np.errstate(invalid="ignore")  # scores that are not finite give NaN, which the metrics tell
def sample_table(
    labels: np.ndarray | None, baseline: np.ndarray, scores: np.ndarray, logits: bool = False
) -> np.ndarray:
    """Returns a row a sample: the answers of both, flips, and how far the scores are from each other.
    Scores have shape (samples, classes).

    Without labels there is no label, and nothing that is right or wrong. logits: the scores are not probabilities.
    """
    expected, actual = row_by_row(top1, baseline), row_by_row(top1, scores)
    margin = row_by_row(margins, scores)
    flip = expected != actual
    answers = {"baseline_prediction": as_int32(expected), "prediction": as_int32(actual), "flip": flip}
    if labels is not None:
        was_right, is_right = expected == labels, actual == labels
        kind = np.select([flip & was_right, flip & is_right, flip], [1, 2, 3], 0).astype(np.uint8)
        right = {"baseline_correct": was_right, "correct": is_right, "flip_kind": kind}
        answers = {"label": as_int32(labels), **answers, **right}
    return structured(
        {
            **answers,
            **distances(baseline, scores),
            "js_divergence": as_float32(row_by_row(partial(divergence, logits=logits), baseline, scores)),
            "baseline_margin": as_float32(row_by_row(margins, baseline)),
            "margin": as_float32(margin),
            "tie": margin == 0,
        }
    )


@np.errstate(invalid="ignore")
def number_table(labels: np.ndarray | None, baseline: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    """Returns a row a sample of a model that gives numbers: how far they are from the baseline's, and from the labels.

    label, baseline_prediction and prediction are there where they are one number a sample; errors, the mean distance
    from the label's numbers, where there are as many labels as outputs.
    """
    columns = {}
    if labels is not None and one_column(labels):
        columns["label"] = labels.reshape(-1)
    if one_column(outputs):
        columns |= {
            "baseline_prediction": as_float32(baseline.reshape(-1)),
            "prediction": as_float32(outputs.reshape(-1)),
        }
    if labels is not None and labels.reshape(len(labels), -1).shape == outputs.reshape(len(outputs), -1).shape:
        columns["baseline_error"] = as_float32(row_by_row(mean_error, baseline, labels))
        columns["error"] = as_float32(row_by_row(mean_error, outputs, labels))
    return structured(columns | distances(baseline, outputs))


def structured(columns: dict[str, np.ndarray]) -> np.ndarray:
    """Returns the columns as one structured array, a field a column."""
    fields = [(name, column.dtype) for name, column in columns.items()]
    table = np.empty(len(next(iter(columns.values()))), fields)
    for name, column in columns.items():
        table[name] = column
    return table


def fields_of(table: np.ndarray) -> tuple[str, ...]:
    """Returns the names of the columns."""
    return table.dtype.names or ()


def distances(baseline: np.ndarray, outputs: np.ndarray) -> dict[str, np.ndarray]:
    """Returns how far each sample's outputs are from the baseline's, by three measures, (samples,) each."""
    measures = {"max_abs_diff": largest_distance, "l2": euclidean, "cosine": cosine}
    return {name: as_float32(row_by_row(measure, baseline, outputs)) for name, measure in measures.items()}


def row_differences(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Returns other − one, a row of numbers a sample: float64, (rows, numbers)."""
    rows = len(one)
    return np.asarray(other.reshape(rows, -1).astype(np.float64) - one.reshape(rows, -1))


def largest_distance(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.asarray(np.abs(row_differences(one, other)).max(axis=1))


def euclidean(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.asarray(np.linalg.norm(row_differences(one, other), axis=1))


def mean_distance(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.asarray(np.abs(row_differences(one, other)).mean(axis=1))


def mean_error(outputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Returns each sample's mean |output − label| over the labels that are known: one that is NaN is not."""
    return mean_of_labelled(np.abs(row_differences(outputs, labels)), labels)


def mean_of_labelled(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Returns the mean of each row of values where its label is known, (rows,); NaN where none is."""
    unknown = np.isnan(labels.reshape(len(labels), -1))
    if not unknown.any():
        return np.asarray(values.mean(axis=1))
    count = (~unknown).sum(axis=1)
    return np.divide(np.where(unknown, 0, values).sum(axis=1), count, out=np.full(len(values), np.nan), where=count > 0)


def divergence(baseline: np.ndarray, scores: np.ndarray, logits: bool) -> np.ndarray:
    """Returns the Jensen–Shannon divergence of each pair of rows, in bits."""
    return stats.js_divergence(*((probabilities(s) for s in (baseline, scores)) if logits else (baseline, scores)))


def as_int32(whole: np.ndarray) -> np.ndarray:
    """Stores classes in four bytes."""
    return whole.astype(np.int32)


def as_float32(numbers: np.ndarray) -> np.ndarray:
    """Stores in single precision, seven digits, what was computed in double."""
    return numbers.astype(np.float32)


@dataclass(frozen=True)
class ClassDrop:
    """The accuracy drop within one class of n samples, with its two-sided 90 % limits."""

    label: int
    n: int
    drop_pp: float
    low_pp: float
    high_pp: float


def class_drops(samples: np.ndarray, groups: np.ndarray | None = None) -> tuple[ClassDrop, ...]:
    """Returns the drop of each class that has samples, in the order of the classes. groups: of each sample."""
    places = {int(label): samples["label"] == label for label in np.unique(samples["label"])}
    return tuple(class_drop(label, samples[of], None if groups is None else groups[of]) for label, of in places.items())


def class_drop(label: int, samples: np.ndarray, groups: np.ndarray | None) -> ClassDrop:
    lost, won = discordant(samples["baseline_correct"], samples["correct"])
    n = len(samples)
    limits, _ = drop_limits(samples["baseline_correct"], samples["correct"], groups)
    return ClassDrop(label, n, 100 * (lost - won) / n, 100 * limits.low, 100 * limits.high)


def discordant(before: np.ndarray, after: np.ndarray) -> tuple[int, int]:
    """Returns (b, c): how many samples are right before and wrong after, and the reverse. Booleans, (samples,)."""
    return int((before & ~after).sum()), int((~before & after).sum())
