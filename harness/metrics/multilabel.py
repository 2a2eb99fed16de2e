"""Metrics of samples with several labels, each 0 or 1, and a number of the output for each of them."""

from __future__ import annotations

import numpy as np

from harness.metrics.registry import Answers, Metric, of_answers
from harness.metrics.task import SEVERAL, are_logits, row_by_row, said_yes
from harness.statistics.bootstrap import Bounded, Statistic
from harness.statistics.by_label import LabelF1


def every_label_right(answers: Answers) -> np.ndarray:
    """Returns whether every label of a sample is right, (samples,)."""
    return np.asarray(right(answers).all(axis=1))


def right(answers: Answers) -> np.ndarray:
    """Returns which labels are right, bool, (samples, labels)."""
    return np.asarray(given(answers) == (answers.truth == 1))


def given(answers: Answers) -> np.ndarray:
    """Returns which labels the model gives, bool, (samples, labels)."""
    logits = are_logits(answers.baseline)  # the variant's may lie a step of its quantisation outside 0 to 1
    return row_by_row(lambda rows: said_yes(rows, logits), answers.outputs)


def commonest(labels: np.ndarray) -> float:
    """Returns the share of samples that the commonest combination of labels is right on."""
    return float(np.unique(labels, axis=0, return_counts=True)[1].max() / len(labels))


def each_commonest(labels: np.ndarray) -> float:
    """Returns the share of labels that are right where each is given its commoner value."""
    share = (labels == 1).mean(axis=0)
    return float(np.maximum(share, 1 - share).mean())


@of_answers(Metric(
    "subset_accuracy", unit="fraction", better="higher", title="Subset accuracy", about="answers",
    against="keras", tasks=SEVERAL, of_sample=every_label_right, in_percent=True,
    method="every label of the sample right", judged="share", alone=True, interval_percent=90, compared="samples",
    chance=commonest, default_for=SEVERAL, offered_for=SEVERAL,
))  # fmt: skip
def subset_accuracy(answers: Answers) -> Statistic:
    """Computes the share of samples of which every label is right: scikit-learn's accuracy_score of such labels."""
    return Bounded(every_label_right(answers), 0, 1)


@of_answers(Metric(
    "label_accuracy", chance=each_commonest, unit="fraction", better="higher", title="Label accuracy", about="answers",
    against="keras", tasks=SEVERAL, in_percent=True,
    method="share of all labels that are right", judged="samples", alone=True, interval_percent=90, compared="samples",
    always_for=SEVERAL, offered_for=SEVERAL,
))  # fmt: skip
def label_accuracy(answers: Answers) -> Statistic:
    """Computes the share of all labels that are right: Keras' BinaryAccuracy, 1 − scikit-learn's hamming_loss."""
    return Bounded(right(answers).mean(axis=1), 0, 1)


@of_answers(Metric(
    "label_f1", chance_by="label_accuracy", unit="fraction", better="higher", title="Label F1", about="answers",
    against="keras", tasks=SEVERAL,
    method="macro: the mean F1 of the labels", judged="samples", alone=True, interval_percent=90, compared="samples",
    always_for=SEVERAL, offered_for=SEVERAL,
))  # fmt: skip
def label_f1(answers: Answers) -> Statistic:
    """Computes 2·hits / (samples + answers) of each label that has either, and their mean:
    scikit-learn's f1_score with average="macro" and zero_division=nan.
    """
    return LabelF1(np.asarray(answers.truth == 1), given(answers))
