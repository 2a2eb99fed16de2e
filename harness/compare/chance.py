"""What a constant could answer, too: one class for every sample, or an accuracy at the level of chance; and copies."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from harness.metrics.clustered import rate_limits
from harness.metrics.discrepancy import fields_of
from harness.records import Run

COPIES = "its {:,} test samples are {:,} different ones, and each copy counts as if it were independent"
CONFIDENCE = 0.90  # two-sided, so that the lower end is a one-sided 95 % limit


def remarks_on(run: Run, samples: np.ndarray) -> Iterator[str]:
    """What is odd about a row's answers, in words, of classes or not. Nothing is forbidden by it.

    samples: a row a sample, as Comparison has them.
    """
    if run.groups is None and run.provenance.repeats(run.test_count):
        yield COPIES.format(run.test_count, run.provenance.distinct)
    if "prediction" not in fields_of(samples) or samples["prediction"].dtype.kind != "i" or len(samples) < 2:
        return
    answer = only(samples["prediction"])
    if answer is not None and answer >= 0:
        too = ", and so does Keras" if only(samples["baseline_prediction"]) == answer else ""
        yield f"it answers {name_of(run, answer)} for each of {len(samples):,} samples{too}"
    if "correct" in fields_of(samples):
        yield from at_chance(run, samples)


def only(answers: np.ndarray) -> int | None:
    """The class that is every answer; None where they differ."""
    return int(answers[0]) if (answers == answers[0]).all() else None


def at_chance(run: Run, samples: np.ndarray) -> Iterator[str]:
    """That an accuracy is not shown to be over the share of the largest class of the whole test set."""
    labels, counts = np.unique(samples["label"], return_counts=True)
    if len(labels) < 2:
        return
    largest, n = int(labels[counts.argmax()]), len(samples)
    share, right = counts.max() / n, int(samples["correct"].sum())
    limits, _ = rate_limits(samples["correct"], run.groups, CONFIDENCE)
    if limits.low > share:
        return
    keras = rate_limits(samples["baseline_correct"], run.groups, CONFIDENCE)[0].low > share
    too = "" if keras else ", and Keras' is not either"
    interval = f"{right / n:.1%} [{limits.low:.1%}, {limits.high:.1%}]"
    yield (
        f"its accuracy, {interval}, is not shown to be over chance: to answer {name_of(run, largest)} "
        f"every time is right on {share:.1%}{too}"
    )


def name_of(run: Run, label: int) -> str:
    return run.class_names[label] if 0 <= label < len(run.class_names) else str(label)
