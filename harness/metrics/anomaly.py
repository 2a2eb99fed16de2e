"""Anomaly detection: how far a model's reconstruction is from its input, or one number a sample, is what a sample is
judged by. Higher is more of an anomaly. That it is one is said by the metric, and never guessed.
"""

from __future__ import annotations

import numpy as np

from harness.metrics.discrepancy import as_int32, fields_of, number_table, row_differences, structured
from harness.metrics.registry import Answers, Metric, of_answers
from harness.metrics.task import ANOMALIES, one_column, row_by_row, whole_below
from harness.records import Absent
from harness.statistics.bootstrap import Statistic
from harness.statistics.partial_area import PartialArea
from harness.statistics.roc import RankArea

MOST_FALSE_ALARMS = 0.1  # of the samples that are none, up to which anomaly_pauc looks
ONE_KIND = "no value: {} of {:,} samples is an anomaly, and the area takes some that are and some that are not"


def same_form(output: np.ndarray, given: np.ndarray) -> bool:
    """Returns whether an output has the form of an input, but for axes of length 1. Both: (samples, …)."""
    one, other = (tuple(length for length in array.shape[1:] if length > 1) for array in (output, given))
    return one == other


def why_no_anomalies(labels: np.ndarray, output: np.ndarray, given: np.ndarray) -> str:
    """Returns why labels and the scored output are not those of anomaly detection; "" where they are. given: the first
    input.
    """
    if not one_column(labels) or not whole_below(labels, 2):
        return "labels are one of 0 and 1 a sample, 1 for an anomaly"
    if not one_column(output) and not same_form(output, given):
        wanted, found = given.shape[1:], output.shape[1:]
        return f"the scored output is one number a sample, or has the shape of the first input, {wanted}, not {found}"
    return ""


def anomaly_scores(output: np.ndarray, given: np.ndarray) -> np.ndarray:
    """Returns how much of an anomaly each sample is, float64, (samples,): the mean squared error of a reconstruction,
    or the number itself. given: the first input as the model takes it.
    """
    if same_form(output, given):
        return row_by_row(lambda *both: np.square(row_differences(*both)).mean(axis=1), given, output)
    return output.reshape(-1).astype(np.float64)


def anomaly_rows(answers: Answers, logits: bool) -> np.ndarray:
    """Returns a row a sample: how much of an anomaly it is to either model, and how far that moved."""
    table = number_table(None, answers.baseline, answers.outputs)
    label = {} if answers.labels is None else {"label": as_int32(answers.labels.reshape(-1))}
    return structured(label | {name: table[name] for name in fields_of(table)})


def are_anomalies(answers: Answers) -> np.ndarray:
    """Returns which samples are anomalies, bool, (samples,). Raises Absent where all are, or none is."""
    wanted = np.asarray(answers.truth.reshape(-1) == 1)
    if wanted.all() or not wanted.any():
        raise Absent(ONE_KIND.format("every one" if len(wanted) and wanted.all() else "none", len(wanted)))
    return wanted


@of_answers(Metric(
    "anomaly_auc", unit="fraction", better="higher", title="Anomaly AUC", about="answers", against="keras",
    tasks=ANOMALIES, method="area under ROC of the error of the reconstruction, or of the number",
    judged="samples", alone=True, interval_percent=90, compared="samples",
    chance=lambda _: 0.5, default_for=ANOMALIES, always_for=ANOMALIES, offered_for=ANOMALIES,
))  # fmt: skip
def anomaly_auc(answers: Answers) -> Statistic:
    """Computes scikit-learn's roc_auc_score of the samples' scores."""
    return RankArea(are_anomalies(answers).astype(np.int64), np.stack([-answers.outputs, answers.outputs], axis=1))


@of_answers(Metric(
    "anomaly_pauc", unit="fraction", better="higher", title="Anomaly pAUC", about="answers", against="keras",
    tasks=ANOMALIES, method="the same up to 10 % of false alarms, from ½ at chance to 1",
    judged="samples", alone=True, interval_percent=90, compared="samples",
    chance=lambda _: 0.5, always_for=ANOMALIES, offered_for=ANOMALIES,
))  # fmt: skip
def anomaly_pauc(answers: Answers) -> Statistic:
    """Computes scikit-learn's roc_auc_score with max_fpr=0.1 of the samples' scores."""
    return PartialArea(are_anomalies(answers), answers.outputs, MOST_FALSE_ALARMS)
