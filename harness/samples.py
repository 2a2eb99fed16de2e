"""Per-sample discrepancies between the Keras baseline and one case, and per-class drops."""

from __future__ import annotations

import numpy as np
import pandas as pd

from harness import stats
from harness.records import Case

SUSPECT_AGREEMENT = 0.9  # under this share of equal answers something is probably wrong, not merely lossy
FLIP_KINDS = ("", "right_to_wrong", "wrong_to_right", "wrong_to_wrong")


def top1(scores: np.ndarray) -> np.ndarray:
    """The first of the highest scores a row, (samples, classes) → int64; −1 where a score is not finite."""
    return np.where(np.isfinite(scores).all(axis=1), scores.argmax(axis=1), -1)


def agreement(expected: np.ndarray, given: np.ndarray) -> float:
    """Share of samples with the same top-1 answer, where there is one; scores of shape (samples, classes)."""
    answers = top1(given)
    return float(np.mean((top1(expected) == answers) & (answers >= 0)))


def margins(scores: np.ndarray) -> np.ndarray:
    """Highest score less the second highest, a row; 0 is a tie."""
    ordered = np.sort(scores.astype(np.float64), axis=1)
    return ordered[:, -1] - ordered[:, -2]


def cosine(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Cosine similarity a row; NaN where a row is all zeros."""
    norms = np.linalg.norm(x, axis=1) * np.linalg.norm(y, axis=1)
    return np.divide((x * y).sum(axis=1), norms, out=np.full(len(x), np.nan), where=norms > 0)


@np.errstate(invalid="ignore")  # scores that are not finite give NaN, which the metrics tell
def sample_table(case: Case, labels: np.ndarray, baseline: np.ndarray, scores: np.ndarray) -> pd.DataFrame:
    """One row a sample: answers of both, what flipped, and how far the scores lie apart. Scores: (samples, classes)."""
    expected, given = top1(baseline), top1(scores)
    was_right, is_right, flip = expected == labels, given == labels, expected != given
    difference = scores.astype(np.float64) - baseline
    margin = margins(scores)
    kind = np.select([flip & was_right, flip & is_right, flip], [1, 2, 3], 0)
    return pd.DataFrame(
        {
            "variant": case.variant,
            "target": case.target,
            "runtime": case.runtime,
            "sample": np.arange(len(labels)),
            "label": labels,
            "baseline_prediction": expected,
            "prediction": given,
            "baseline_correct": was_right,
            "correct": is_right,
            "flip": flip,
            "flip_kind": np.array(FLIP_KINDS)[kind],
            "max_abs_diff": np.abs(difference).max(axis=1),
            "l2": np.linalg.norm(difference, axis=1),
            "cosine": cosine(baseline.astype(np.float64), scores.astype(np.float64)),
            "js_divergence": stats.js_divergence(baseline, scores),
            "baseline_margin": margins(baseline),
            "margin": margin,
            "tie": margin == 0,
        }
    )


def class_table(case: Case, samples: pd.DataFrame) -> pd.DataFrame:
    """The accuracy drop of each class with its two-sided 90 % Tango limits, in percentage points."""
    rows = []
    for label, group in samples.groupby("label"):
        lost = int((group.baseline_correct & ~group.correct).sum())
        won = int((~group.baseline_correct & group.correct).sum())
        limits = stats.tango(lost, won, len(group))
        drop = (lost - won) / len(group)
        rows.append((label, len(group), 100 * drop, 100 * limits.low, 100 * limits.high))
    table = pd.DataFrame(rows, columns=["label", "n", "drop_pp", "low_pp", "high_pp"])
    return table.assign(variant=case.variant, target=case.target, runtime=case.runtime)
