"""Metrics of depth and other maps whose numbers are over 0: how far each is off as a share of what it should be.

Both are over the numbers whose label is over 0, since 0 stands for "not measured" in depth maps. The value is the mean
over samples of each one's own. Eigen, Puhrsch & Fergus (2014) pool all numbers, which is equal for maps of one count.
"""

from __future__ import annotations

import numpy as np

from harness.metrics.registry import Answers, Metric, of_answers
from harness.metrics.scores import NUMBERS
from harness.metrics.task import row_by_row
from harness.records import Absent
from harness.statistics.bootstrap import Bounded, Statistic, means

WITHIN = 1.25


def mean_of_known(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Returns the mean over the numbers whose label is over 0, (samples,); NaN where there are none."""
    known = labels > 0
    count = known.sum(axis=1)
    return np.divide(np.where(known, values, 0).sum(axis=1), count, out=np.full(len(values), np.nan), where=count > 0)


def in_two_axes(outputs: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return outputs.reshape(len(outputs), -1).astype(np.float64), labels.reshape(len(labels), -1).astype(np.float64)


def share_within(outputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Returns the share of numbers that are within a ratio of 1.25 of their label, (samples,)."""
    given, wanted = in_two_axes(outputs, labels)
    return mean_of_known((given < WITHIN * wanted) & (given * WITHIN > wanted), wanted)


def relative_error(outputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Returns the mean |output − label| / label, (samples,)."""
    given, wanted = in_two_axes(outputs, labels)
    return mean_of_known(np.abs(given - wanted) / np.where(wanted > 0, wanted, 1), wanted)


def known(each: np.ndarray) -> np.ndarray:
    """Raises Absent where a sample has no number over 0."""
    if missing := int(np.isnan(each).sum()):
        raise Absent(f"{missing} of {len(each)} samples have no label over 0")
    return each


@of_answers(Metric(
    "delta1", unit="fraction", better="higher", title="δ1", about="answers", against="keras", tasks=NUMBERS,
    in_percent=True, method="share of numbers within a ratio of 1.25 of their label, of labels over 0",
    judged="samples", alone=True, interval_percent=90, compared="samples", chance_by="r2", offered_for=NUMBERS,
))  # fmt: skip
def delta1(answers: Answers) -> Statistic:
    """Computes the mean over samples of the share that lies within a ratio of 1.25."""
    return Bounded(known(row_by_row(share_within, answers.outputs, answers.truth)), 0, 1)


@of_answers(Metric(
    "abs_rel", unit="fraction", better="lower", title="Relative error", about="answers", against="keras", tasks=NUMBERS,
    bounded=False, method="mean |output − label| / label, of labels over 0",
    judged="samples", alone=True, interval_percent=90, compared="samples", chance_by="r2", offered_for=NUMBERS,
))  # fmt: skip
def abs_rel(answers: Answers) -> Statistic:
    """Computes the mean over samples of the mean error as a share of the label."""
    return means(known(row_by_row(relative_error, answers.outputs, answers.truth)))
