"""What a constant could answer, too: one class for every sample, or an accuracy at the level of chance; and copies."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from harness.metrics.discrepancy import discordant, fields_of
from harness.records import Run
from harness.statistics.anytime import anytime_p
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
    share, commonest = counts.max() / len(samples), int(labels[counts.argmax()])
    always = samples["label"] == commonest if run.plan.until_decided else None
    own, keras = (Accuracy(samples[name], run.groups, always) for name in ("correct", "baseline_correct"))
    if len(labels) < 2 or (own.over(share) and keras.over(share)):
        return ""
    whose, shown = ("Keras'", keras) if own.over(share) else ("its", own)
    too = ", and Keras' is not either" if not own.over(share) and not keras.over(share) else ""
    told = f"{whose} accuracy, {shown}, is not shown to be over chance"
    check = "" if keras.over(share) else CHECK
    return f"{told}: to answer {name_of(run, commonest)} every time is right on {share:.1%}{too}{check}"


@dataclass(frozen=True, eq=False)
class Accuracy:
    """Which answers are right, (samples,), with the lower end of its interval, over groups where there are any. always:
    which a constant would have right, in a run that is looked at again and again: at any of its looks a model at chance
    is shown to be over it one time in twenty at most, by a bet on the samples of which only one of the two is right.
    """

    right: np.ndarray
    groups: np.ndarray | None
    always: np.ndarray | None = None

    def over(self, share: float) -> bool:
        """Whether it is shown to be over this share, that of the commonest class."""
        if self.always is None:
            return self.low > share
        lost, won = discordant(self.always, self.right)
        return anytime_p(lost, won, len(self.right), 0.0) < (1 - CONFIDENCE) / 2

    @cached_property
    def limits(self) -> Interval:
        return rate_limits(self.right, self.groups, CONFIDENCE)[0]

    @property
    def low(self) -> float:
        return self.limits.low

    def __str__(self) -> str:
        limits = "" if self.always is not None else f" [{self.limits.low:.1%}, {self.limits.high:.1%}]"
        return f"{self.right.mean():.1%}{limits}"


def name_of(run: Run, label: int) -> str:
    return run.class_names[label] if 0 <= label < len(run.class_names) else str(label)
