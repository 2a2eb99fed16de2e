"""Metrics of labels and outputs whose limits come from resampling: name, unit and direction stand here, once.

The numbers are scikit-learn's (tests/test_scores.py holds each against it), made of sums that all resamples share. The
value comes from the same sums, not from scikit-learn: BCa counts how many resamples equal it, to the last digit.

To add one, write its function: from Answers to a Statistic. A user's own is made of a function that knows neither.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass

import numpy as np

from harness.errors import ConfigError
from harness.metrics.bootstrap import Called, Statistic, means, tallies
from harness.metrics.discrepancy import apart, mean_distance, top1
from harness.metrics.roc import rank_area
from harness.metrics.task import LABELLED, NO_CLASSES, are_logits, probabilities, row_by_row
from harness.records import Declared
from harness.records.terms import TASKS, Better, Task
from harness.support.functions import FunctionRef, load_function

TOP_K = re.compile(r"top([1-9]\d*)_accuracy")
MOST_NUMBERS = 16  # of a sample, of each of which r2 keeps three columns


@dataclass(frozen=True)
class Answers:
    """What a model said to the test set. labels: (samples, …), or None; outputs: the scored output, (samples, classes)
    where it scores classes; baseline: the same of the model that it stands against."""

    labels: np.ndarray | None
    outputs: np.ndarray
    baseline: np.ndarray

    @property
    def truth(self) -> np.ndarray:
        assert self.labels is not None  # of the tasks that have a metric of labels
        return self.labels


@dataclass(frozen=True)
class Score:
    """A metric. paired: the baseline has a value too, so there is a change. raw: it takes outputs as the model gave
    them, not as scores of classes. of: raises ScoreError where it has no value.
    """

    name: str
    unit: str
    better: Better
    tasks: tuple[Task, ...]
    method: str
    of: Callable[[Answers], Statistic]
    paired: bool = True
    raw: bool = False


class ScoreError(Exception):
    """Why a metric has no value, in words."""


SCORES: dict[str, Score] = {}
NUMBERS: tuple[Task, ...] = ("regression",)


def score(
    name: str, *, unit: str, better: Better, tasks: tuple[Task, ...], method: str, paired: bool = True
) -> Callable[[Callable[[Answers], Statistic]], Callable[[Answers], Statistic]]:
    """Registers a metric of the outputs."""

    def register(of: Callable[[Answers], Statistic]) -> Callable[[Answers], Statistic]:
        SCORES[name] = Score(name, unit, better, tasks, method, of, paired)
        return of

    return register


# --- classes -------------------------------------------------------------------------------------------------------


def answered(answers: Answers) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, answers, and the labels that were hit; −1 for none."""
    given = row_by_row(top1, answers.outputs)
    return answers.truth, given, np.where(given == answers.truth, given, -1)


@score("balanced_accuracy", unit="fraction", better="higher", tasks=LABELLED, method="mean recall of the classes")
def balanced_accuracy(answers: Answers) -> Statistic:
    """Each class that has samples counts alike: scikit-learn's balanced_accuracy_score."""
    labels, _, right = answered(answers)
    return tallies(answers.outputs.shape[1], [[right], [labels]], mean_share)


@score("f1", unit="fraction", better="higher", tasks=LABELLED, method="macro: the mean F1 of the classes")
def f1(answers: Answers) -> Statistic:
    """2·hits / (samples + answers) of each class that has either, and their mean: scikit-learn's f1_score with
    average="macro"."""
    labels, given, right = answered(answers)
    return tallies(answers.outputs.shape[1], [[right, right], [labels, given]], mean_share)


def mean_share(mean: np.ndarray) -> np.ndarray:
    """The first half of the columns over the second, and the mean of those that have something under the line."""
    part, whole = np.split(mean, 2, axis=-1)
    shares = np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
    return np.asarray(shares.sum(axis=-1) / (whole > 0).sum(axis=-1))


@score("auc", unit="fraction", better="higher", tasks=LABELLED, method="area under ROC, macro, one against the rest")
def auc(answers: Answers) -> Statistic:
    """As scikit-learn's roc_auc_score of each class against the rest, averaged; logits through softmax first."""
    scores, (samples, classes) = answers.outputs, answers.outputs.shape
    if are_logits(answers.baseline):  # the variant's may lie a step of its quantisation outside 0 to 1
        difference = np.stack([np.zeros(samples), scores[:, -1].astype(np.float64) - scores[:, 0]], axis=1)
        scores = difference if classes == 2 else row_by_row(probabilities, scores)
    area = rank_area(answers.truth, scores)
    if not np.isfinite(area.value):
        raise ScoreError("no value: the labels are all of one class")
    return area


def top_k(k: int) -> Score:
    """top5_accuracy and its like."""

    def of(answers: Answers) -> Statistic:
        return means(hits(answers.truth, answers.outputs, k))

    method = f"label among the {k} highest scores"
    return Score(f"top{k}_accuracy", "fraction", "higher", LABELLED, method, of)


def hits(labels: np.ndarray, scores: np.ndarray, k: int) -> np.ndarray:
    """Whether each label is among the k highest scores; of equal ones the first classes count, as with top-1."""

    def within(rows: np.ndarray, of: np.ndarray) -> np.ndarray:
        own = np.take_along_axis(rows, of[:, None], axis=1)
        before = (rows > own) | ((rows == own) & (np.arange(rows.shape[1]) < of[:, None]))
        return np.asarray((before.sum(axis=1) < k) & np.isfinite(rows).all(axis=1))

    return row_by_row(within, scores, labels)


# --- numbers -------------------------------------------------------------------------------------------------------


def mean_square(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.asarray(np.square(apart(one, other)).mean(axis=1))


@score("mae", unit="", better="lower", tasks=NUMBERS, method="mean |output − label|")
def mae(answers: Answers) -> Statistic:
    return means(row_by_row(mean_distance, answers.outputs, answers.truth))


@score("rmse", unit="", better="lower", tasks=NUMBERS, method="√ of the mean (output − label)²")
def rmse(answers: Answers) -> Statistic:
    return means(row_by_row(mean_square, answers.outputs, answers.truth), lambda mean: np.sqrt(mean[..., 0]))


@score("r2", unit="fraction", better="higher", tasks=NUMBERS, method="1 − Σ(output − label)² / Σ(label − mean)²")
def r2(answers: Answers) -> Statistic:
    """Of each of a sample's numbers, averaged: scikit-learn's r2_score."""
    if np.prod(answers.outputs.shape[1:]) > MOST_NUMBERS:
        raise ScoreError(f"no value: made for {MOST_NUMBERS} numbers a sample at most")
    missed = apart(answers.truth, answers.outputs)
    labels = answers.truth.reshape(missed.shape).astype(np.float64)
    centred = labels - labels.mean(axis=0)  # changes nothing but rounding
    if not centred.any(axis=0).all():
        raise ScoreError("no value: the labels are all equal")
    return means(np.concatenate([np.square(missed), centred, np.square(centred)], axis=1), explained)


def explained(mean: np.ndarray) -> np.ndarray:
    left, first, second = np.split(mean, 3, axis=-1)
    return np.asarray(1 - (left / (second - np.square(first))).mean(axis=-1))


@score("distance", unit="", better="lower", tasks=NO_CLASSES, paired=False, method="mean |Δ| of an output from Keras'")
def distance(answers: Answers) -> Statistic:
    return means(row_by_row(mean_distance, answers.baseline, answers.outputs))


# --- a user's own --------------------------------------------------------------------------------------------------

Own = Callable[[np.ndarray | None, np.ndarray], object]


def scored(name: str, *, unit: str = "score", better: Better = "higher") -> Callable[[Own], Own]:
    """Says of a metric of one's own what to call it, its unit, and which way is better.

    The function takes labels, (samples, …) or None, and outputs, float32 (samples, …) of the scored output as the model
    gives it, and returns one number, or an array of one number a sample, whose mean is the metric. Of fewer samples it
    must make the same of those: it is called on resamples.
    """
    if better not in ("lower", "higher"):
        raise ValueError(f'better is "lower" or "higher", not {better!r}')

    def declare(function: Own) -> Own:
        function.scored = (name, unit, better)  # type: ignore[attr-defined]
        return function

    return declare


def declared(ref: FunctionRef) -> Declared:
    """What the user's function says of itself. Raises ConfigError where it cannot be loaded."""
    said: tuple[str, str, Better] = getattr(load_function(ref), "scored", (ref.name, "score", "higher"))
    name, unit, better = said
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", name):
        raise ConfigError(f"{ref.text} calls its metric {name!r}", "give it one word, such as iou")
    return Declared(ref.text, name, unit, better)


def users(own: Declared, ref: FunctionRef) -> Score:
    """The metric that a user's function makes; what it raises, or its absence, is the reason why it has no value."""

    def of(answers: Answers) -> Statistic:
        try:
            function = quiet(load_function(ref))
            labels = None if answers.labels is None else read_only(answers.labels)
            return made(function, labels, read_only(answers.outputs))
        except ConfigError as error:
            raise ScoreError(str(error)) from error
        except ScoreError:
            raise
        except (Exception, SystemExit) as error:  # whatever a user's function does, the other metrics stand
            raise ScoreError(f"{own.reference} raised {type(error).__name__}: {error}") from error

    return Score(own.name, own.unit, own.better, TASKS, own.reference, of, raw=True)


def quiet(function: Callable[..., object]) -> Callable[..., object]:
    """What it prints goes to stderr: stdout is for results."""

    def call(labels: np.ndarray | None, outputs: np.ndarray) -> object:
        with redirect_stdout(sys.stderr):
            return function(labels, outputs)

    return call


def read_only(array: np.ndarray) -> np.ndarray:
    """What a user's function writes into it would change the metrics after it."""
    view = np.asarray(array).view()
    view.flags.writeable = False
    return view


def made(function: Callable[..., object], labels: np.ndarray | None, outputs: np.ndarray) -> Statistic:
    """Of one number a sample the mean, of one number that number."""
    said = np.asarray(function(labels, outputs), dtype=np.float64)
    if said.shape == (len(outputs),):
        return means(said)
    if said.ndim:
        raise ScoreError(f"it returned {said.shape}: return one number, or one a sample")
    if np.isnan(said):
        raise ScoreError("it is not a number")
    return Called(lambda labels, outputs: float(function(labels, outputs)), labels, outputs)  # type: ignore[arg-type]
