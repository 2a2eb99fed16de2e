"""What a constant could answer, too: one class for every sample, or an accuracy at the level of chance; and copies."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from harness.metrics.discrepancy import fields_of
from harness.records import Run
from harness.statistics.clustered import rate_limits
from harness.statistics.stats import Interval

COPIES = "its {:,} test samples are {:,} different ones, and each copy counts as if it were independent"
CONFIDENCE = 0.90  # two-sided, so that the lower end is a one-sided 95 % limit
CHECK = "; check that labels and samples are in one order, and how samples are scaled"


def copies(run: Run) -> str:
    """Returns that samples of the test set are copies of others, which count as if they were independent; "" where they
    are few, or known by their groups.
    """
    repeats = run.groups is None and run.provenance.repeats(run.test_count)
    return COPIES.format(run.test_count, run.provenance.distinct) if repeats else ""


def constant(run: Run, samples: np.ndarray) -> tuple[str, bool]:
    """Returns that a row answers one class for every sample, in words, "" where it does not; and whether that is a
    loss: Keras' answers differ, and so do the labels, where there are any.

    samples: a row a sample, as Comparison has them.
    """
    if not of_classes(samples):
        return "", False
    answer, keras = only(samples["prediction"]), only(samples["baseline_prediction"])
    if answer is None or answer < 0:
        return "", False
    whose = ", and so does Keras" if keras == answer else "" if keras is not None else ", and Keras does not"
    differ = keras is None and ("label" not in fields_of(samples) or only(samples["label"]) is None)
    return f"it answers {name_of(run, answer)} for each of {len(samples):,} samples{whose}", differ


def of_classes(samples: np.ndarray) -> bool:
    """Returns whether the table holds enough answers that are classes."""
    return "prediction" in fields_of(samples) and samples["prediction"].dtype.kind == "i" and len(samples) > 1


def only(answers: np.ndarray) -> int | None:
    """The class that is every answer; None where they differ."""
    return int(answers[0]) if (answers == answers[0]).all() else None


def at_chance(run: Run, samples: np.ndarray) -> str:
    """Returns that an accuracy, the row's or Keras', is not shown to be over the share of the largest class of the
    whole test set; "" where both are, or where there is but one class.
    """
    if not of_classes(samples) or "correct" not in fields_of(samples):
        return ""
    labels, counts = np.unique(samples["label"], return_counts=True)
    share = counts.max() / len(samples)
    own, keras = (Accuracy(samples[name], run.groups) for name in ("correct", "baseline_correct"))
    if len(labels) < 2 or min(own.low, keras.low) > share:
        return ""
    whose, shown = ("Keras'", keras) if own.low > share else ("its", own)
    too = ", and Keras' is not either" if max(own.low, keras.low) <= share else ""
    best = name_of(run, int(labels[counts.argmax()]))
    told = f"{whose} accuracy, {shown}, is not shown to be over chance"
    return f"{told}: to answer {best} every time is right on {share:.1%}{too}" + (CHECK if keras.low <= share else "")


@dataclass(frozen=True, eq=False)
class Accuracy:
    """Which answers are right, (samples,), with the lower end of its interval, over groups where there are any."""

    right: np.ndarray
    groups: np.ndarray | None

    @cached_property
    def limits(self) -> Interval:
        return rate_limits(self.right, self.groups, CONFIDENCE)[0]

    @property
    def low(self) -> float:
        return self.limits.low

    def __str__(self) -> str:
        return f"{self.right.mean():.1%} [{self.limits.low:.1%}, {self.limits.high:.1%}]"


def name_of(run: Run, label: int) -> str:
    return run.class_names[label] if 0 <= label < len(run.class_names) else str(label)
