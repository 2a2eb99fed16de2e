"""Metrics of labels and outputs as statistics of a sample, with limits: name, unit and direction stand here, once.

The numbers are scikit-learn's (tests/test_scores.py holds each against it), made of what each sample adds, since their
limits are made of the same.

To add one, write its function: from Answers to a Statistic. A user's own is made of a function that knows neither.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from contextlib import redirect_stdout

import numpy as np

from harness.errors import ConfigError
from harness.metrics.asked import Rows, asked_by, given, read_only, view_of
from harness.metrics.discrepancy import mean_distance, mean_error, mean_of_labelled, row_differences, top1
from harness.metrics.horizon import step_metric
from harness.metrics.registry import METRICS, Answers, Metric, of_answers
from harness.metrics.task import LABELLED, are_logits, probabilities, row_by_row
from harness.metrics.task_table import NO_CLASSES
from harness.records import BY_DATA, Absent, Declared, Scoring
from harness.records.terms import Better, Task
from harness.statistics.bootstrap import Bounded, Called, Statistic, means
from harness.statistics.by_class import ClassScore
from harness.statistics.roc import RankArea
from harness.support.functions import FunctionRef, load_function

WITHHELD = "left out: this run was not begun by you here, and it names code, {} in {}; --trust calls it"
TOP_K = re.compile(r"top([1-9]\d*)_accuracy")
MOST_NUMBERS = 16  # of a sample, of each of which r2 keeps three columns
NUMBERS: tuple[Task, ...] = ("regression",)


# --- classes -------------------------------------------------------------------------------------------------------


def class_score(answers: Answers, share: float) -> ClassScore:
    """Returns the score of the top-1 answers. share: how much the answers count in a class's divisor."""
    predictions = row_by_row(top1, answers.outputs)
    return ClassScore(answers.truth.astype(np.int64), predictions, answers.outputs.shape[1], share)


@of_answers(Metric(
    "balanced_accuracy", unit="fraction", better="higher", title="Balanced accuracy", about="answers", in_percent=True,
    against="keras", tasks=LABELLED,
    method="mean recall of the classes", judged="samples", alone=True, interval_percent=90, compared="samples",
    chance=lambda labels: 1 / len(np.unique(labels)),
    offered_for=LABELLED,
))  # fmt: skip
def balanced_accuracy(answers: Answers) -> Statistic:
    """Computes the mean recall of the classes that have samples: scikit-learn's balanced_accuracy_score."""
    return class_score(answers, 0.0)


@of_answers(Metric(
    "f1", unit="fraction", better="higher", title="F1", about="answers",
    against="keras", tasks=LABELLED,
    method="macro: the mean F1 of the classes", judged="samples", alone=True, interval_percent=90, compared="samples",
    chance_by="balanced_accuracy",
    offered_for=LABELLED,
))  # fmt: skip
def f1(answers: Answers) -> Statistic:
    """Computes 2·hits / (samples + answers) of each class that has either, and their mean:
    scikit-learn's f1_score with average="macro".
    """
    return class_score(answers, 0.5)


@of_answers(Metric(
    "auc", unit="fraction", better="higher", title="AUC", about="answers",
    against="keras", tasks=LABELLED,
    method="area under ROC, macro, one against the rest", judged="samples", alone=True, interval_percent=90,
    chance=lambda _: 0.5,
    compared="samples",
    offered_for=LABELLED,
))  # fmt: skip
def auc(answers: Answers) -> Statistic:
    """Computes scikit-learn's roc_auc_score of each class against the rest,
    averaged; logits go through softmax first.
    """
    scores, (samples, classes) = answers.outputs, answers.outputs.shape
    if are_logits(answers.baseline):  # the variant's may lie a step of its quantisation outside 0 to 1
        difference = np.stack([np.zeros(samples), scores[:, -1].astype(np.float64) - scores[:, 0]], axis=1)
        scores = difference if classes == 2 else row_by_row(probabilities, scores)
    area = RankArea(answers.truth, scores)
    if not np.isfinite(area.value):
        raise Absent("no value: the labels are all of one class")
    return area


def top_k(k: int) -> Metric:
    """Makes the metric top5_accuracy and its like."""

    def hit(answers: Answers) -> np.ndarray:
        return hits(answers.truth, answers.outputs, k)

    def commonest(labels: np.ndarray) -> float:
        """Returns the share of samples that are right where the k commonest classes are the answer to each."""
        return float(np.sort(np.unique(labels, return_counts=True)[1])[-k:].sum() / len(labels))

    return Metric(
        f"top{k}_accuracy", unit="fraction", better="higher", title=f"Top-{k} accuracy", about="answers",
        against="keras", tasks=LABELLED, statistic=lambda answers: Bounded(hit(answers), 0, 1), of_sample=hit,
        method=f"label among the {k} highest scores", judged="share", alone=True, in_percent=True,
        interval_percent=90, compared="samples", chance=commonest,
    )  # fmt: skip


def hits(labels: np.ndarray, scores: np.ndarray, k: int) -> np.ndarray:
    """Returns whether each label is among the k highest scores;
    of equal scores the first classes count, as with top-1.
    """

    def within(rows: np.ndarray, of: np.ndarray) -> np.ndarray:
        label_scores = np.take_along_axis(rows, of[:, None], axis=1)
        before = (rows > label_scores) | ((rows == label_scores) & (np.arange(rows.shape[1]) < of[:, None]))
        return np.asarray((before.sum(axis=1) < k) & np.isfinite(rows).all(axis=1))

    return row_by_row(within, scores, labels)


# --- numbers -------------------------------------------------------------------------------------------------------


def mean_square(outputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Returns each sample's mean (output − label)² over the labels that are known."""
    return mean_of_labelled(np.square(row_differences(outputs, labels)), labels)


@of_answers(Metric(
    "mae", unit="", better="lower", title="MAE", about="answers",
    against="keras", tasks=NUMBERS,
    method="mean |output − label|", judged="samples", alone=True, interval_percent=90, compared="samples",
    chance_by="r2",
    always_for=NUMBERS, offered_for=NUMBERS,
))  # fmt: skip
def mae(answers: Answers) -> Statistic:
    return means(row_by_row(mean_error, answers.outputs, answers.truth))


@of_answers(Metric(
    "rmse", unit="", better="lower", title="RMSE", about="answers",
    against="keras", tasks=NUMBERS,
    method="√ of the mean (output − label)²", judged="samples", alone=True, interval_percent=90, compared="samples",
    chance_by="r2",
    default_for=NUMBERS, always_for=NUMBERS, offered_for=NUMBERS,
))  # fmt: skip
def rmse(answers: Answers) -> Statistic:
    return means(row_by_row(mean_square, answers.outputs, answers.truth), lambda mean: np.sqrt(mean[..., 0]))


def mean_of_numbers(labels: np.ndarray) -> np.ndarray:
    """Returns the mean of each number over the samples in which it is known. labels: (samples, numbers)."""
    known = ~np.isnan(labels)
    return np.asarray(np.where(known, labels, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1))


def explained(answers: Answers) -> Statistic:
    """Computes how much of the labels' variation is explained, over all numbers of a sample: 0 for their mean."""
    missed = row_by_row(mean_square, answers.outputs, answers.truth)
    labels = answers.truth.reshape(len(answers.truth), -1).astype(np.float64)
    spread = mean_of_labelled(np.square(labels - mean_of_numbers(labels)), labels)
    if not spread.any():
        raise Absent("no value: the labels are all equal")
    return means(np.stack([missed.ravel(), spread], axis=1), lambda mean: 1 - mean[..., 0] / mean[..., 1])


@of_answers(Metric(
    "r2", unit="fraction", better="higher", title="R²", about="answers",
    against="keras", tasks=NUMBERS,
    method="1 − Σ(output − label)² / Σ(label − mean)²", judged="samples", alone=True, interval_percent=90,
    chance=lambda _: 0.0, chance_of=explained,
    compared="samples",
    bounded=False, always_for=NUMBERS, offered_for=NUMBERS,
))  # fmt: skip
def r2(answers: Answers) -> Statistic:
    """Computes R² of each number of a sample, and their mean: scikit-learn's r2_score."""
    if np.prod(answers.outputs.shape[1:]) > MOST_NUMBERS:
        raise Absent(f"no value: made for {MOST_NUMBERS} numbers a sample at most")
    missed = row_differences(answers.truth, answers.outputs)
    labels = answers.truth.reshape(missed.shape).astype(np.float64)
    if np.isnan(labels).any():
        raise Absent("no value: some labels are not known, and then no mean of each number is of all samples")
    centred = labels - labels.mean(axis=0)  # changes nothing but rounding
    if not centred.any(axis=0).all():
        raise Absent("no value: the labels are all equal")
    return means(np.concatenate([np.square(missed), centred, np.square(centred)], axis=1), r2_of_means)


def r2_of_means(mean: np.ndarray) -> np.ndarray:
    left, first, second = np.split(mean, 3, axis=-1)
    return np.asarray(1 - (left / (second - np.square(first))).mean(axis=-1))


@of_answers(Metric(
    "distance", unit="", better="lower", title="Distance", about="answers",
    against="keras", tasks=NO_CLASSES,
    method="mean |Δ| of an output from Keras'", judged="samples", alone=True, interval_percent=90, compared="samples",
    to_baseline=True, default_for=("distance", "custom"), always_for=("distance", "custom"),
    offered_for=("regression", "distance"),
))  # fmt: skip
def distance(answers: Answers) -> Statistic:
    return means(row_by_row(mean_distance, answers.baseline, answers.outputs))


# --- a user's own --------------------------------------------------------------------------------------------------

Own = Callable[..., object]


def scored(
    name: str, *, unit: str = "score", better: Better = "higher", bounds: tuple[float, float] | None = None
) -> Callable[[Own], Own]:
    """Says of a metric of one's own what to call it, its unit, and which way is better.

    The function takes labels, (samples, …) or None, and outputs, float32 (samples, …) of the scored output as the model
    gives it; inputs and all_outputs where it has parameters of these names (see asked.py). It returns one number, or an
    array of one number a sample, whose mean is the metric. Of fewer samples it must make the same of those: it is
    called on resamples.

    bounds: the least and the most that one sample's number can be, as (0, 1) of an IoU. They say how much could have
    happened to the samples that did not move; without them nothing does, and it takes more samples to decide.
    """
    if better not in ("lower", "higher"):
        raise ValueError(f'better is "lower" or "higher", not {better!r}')
    if bounds is not None and not bounds[0] < bounds[1]:
        raise ValueError(f"bounds are the least and the most, not {bounds!r}")

    def declare(function: Own) -> Own:
        function.scored = (name, unit, better)  # type: ignore[attr-defined]
        function.bounds = bounds  # type: ignore[attr-defined]
        return function

    return declare


def declaration_of(ref: FunctionRef) -> Declared:
    """Returns what the user's function declares of itself. Raises ConfigError where it cannot be loaded."""
    function = load_function(ref)
    asked_by(function, ref.text)
    declaration: tuple[str, str, Better] = getattr(function, "scored", (ref.name, "score", "higher"))
    name, unit, better = declaration
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", name):
        raise ConfigError(f"{ref.text} calls its metric {name!r}", "give it one word, such as iou")
    return Declared(ref.text, name, unit, better)


def user_metric(declaration: Declared, ref: FunctionRef, trusted: bool = True) -> Metric:
    """Makes a metric of a user's function. What that raises is the reason why the metric has no value.

    trusted: whether its code may be called.
    """

    def of(answers: Answers) -> Statistic:
        if not trusted:
            raise Absent(WITHHELD.format(ref.text, ref.folder))
        try:
            function = load_function(ref)
            asked = asked_by(function, ref.text)
            labels = None if answers.labels is None else view_of(answers.labels)
            rows = Rows(view_of(answers.outputs), {name: read_only(answers.beside(name)) for name in asked.further})
            bounds = getattr(function, "bounds", None)
            return statistic_of(quiet(given(function, asked)), labels, rows, bounds)
        except ConfigError as error:
            raise Absent(str(error)) from error
        except Absent:
            raise
        except (Exception, SystemExit) as error:  # whatever a user's function does, the other metrics stand
            raise Absent(f"{declaration.reference} raised {type(error).__name__}: {error}") from error

    return Metric(
        declaration.name, unit=declaration.unit, better=declaration.better, title=declaration.name, about="answers",
        against="keras", statistic=of,
        method=declaration.reference, raw=True, judged="samples", alone=True, interval_percent=90, compared="samples",
    )  # fmt: skip


def quiet(function: Callable[..., object]) -> Callable[..., object]:
    """Sends what the function prints to stderr: stdout is for results."""

    def call(labels: np.ndarray | None, rows: Rows) -> object:
        with redirect_stdout(sys.stderr):
            return function(labels, rows)

    return call


def statistic_of(
    function: Callable[..., object],
    labels: np.ndarray | None,
    rows: Rows,
    bounds: tuple[float, float] | None = None,
) -> Statistic:
    """Makes a statistic of what the function returns. An array of one number a sample is averaged, whose bounds are 0
    and 1 where they are booleans; a function that returns one number is called again on each resample.
    """
    found = np.asarray(function(labels, rows))
    value, bounds = found.astype(np.float64), (0.0, 1.0) if found.dtype == bool else bounds
    if value.shape == (len(rows),):
        return means(value) if bounds is None else Bounded(within(value, *bounds), *bounds)
    if value.ndim:
        raise Absent(f"it returned {value.shape}: return one number, or one a sample")
    if np.isnan(value):
        raise Absent("it is not a number")
    return Called(lambda labels, rows: float(function(labels, rows)), labels, rows)  # type: ignore[arg-type]


def within(each: np.ndarray, low: float, high: float) -> np.ndarray:
    """Returns the numbers. Raises Absent where one lies outside the bounds that its function declares."""
    if ((each < low) | (each > high)).any():
        raise Absent(f"it returned {each.min():g} to {each.max():g}, outside its bounds {low:g} to {high:g}")
    return each


# --- by name -------------------------------------------------------------------------------------------------------


def metric_named(name: str, scoring: Scoring = BY_DATA) -> Metric | None:
    """Returns the metric of that name: a user's own of this scoring, top5_accuracy and its like, or one of METRICS."""
    declaration = next((d for d in scoring.declared if name in (d.name, d.reference)), None)
    if declaration:
        return user_metric(declaration, FunctionRef(declaration.reference, scoring.folder), scoring.trusted)
    match = TOP_K.fullmatch(name)
    return top_k(int(match[1])) if match else step_metric(name) or METRICS.get(name)
