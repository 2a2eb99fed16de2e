"""Metrics of masks. The sample is the picture: each is counted once, class by class, and metrics are made of counts."""

from __future__ import annotations

import math

import numpy as np

from harness.metrics.discrepancy import as_float32, distances, structured
from harness.metrics.masks import classes_given, classes_labelled, classes_of
from harness.metrics.registry import Answers, Metric, of_answers
from harness.metrics.task import FRAMES, MASKS, are_logits, one_column_each, row_by_row, stretches
from harness.records import Comparison, Run
from harness.records.names import class_name
from harness.statistics.bootstrap import Bounded, Statistic
from harness.statistics.by_area import AreaScore

SHOWN = 0.01  # of a picture: a class that covers less, in both maps, may move without a flip
MOST_NAMED = 4  # classes of a mask that are told, the largest first
SHARED = 0.5  # an IoU under which a class is held to lie elsewhere, as in matching objects


# --- counted once ----------------------------------------------------------------------------------------------------


def counts(answers: Answers) -> np.ndarray:
    """Returns the pixels of each picture and class that are right, that have the label, and that are given it, of those
    that have a label: int64, (3, pictures, classes).
    """
    return answers.once("counts", lambda a: counted(a, a.outputs))


def counted(answers: Answers, outputs: np.ndarray) -> np.ndarray:
    classes, logits = classes_of(answers.truth, outputs), means_logits(answers)

    def count(outputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
        given, wanted = classes_given(outputs, logits), classes_labelled(labels, answers.ignore)
        counted = wanted >= 0
        masks = (counted & (given == wanted), wanted), (counted, wanted), (counted, given)
        return np.stack([by_class(of, where, classes) for where, of in masks], axis=1)

    return np.moveaxis(row_by_row(count, outputs, answers.truth), 1, 0)


def by_class(maps: np.ndarray, where: np.ndarray, classes: int) -> np.ndarray:
    """Counts the pixels of each class in each picture, (pictures, classes). where: those that count."""
    places = maps + classes * np.arange(len(maps))[:, None, None]
    return np.bincount(places[where], minlength=classes * len(maps)).reshape(len(maps), classes)


def means_logits(answers: Answers) -> bool:
    """Returns whether one column holds logits: the baseline says, since a variant's may lie a step outside 0 to 1."""
    return answers.once("logits", lambda a: one_column_each(a.baseline) and are_logits(a.baseline))


def area_score(answers: Answers, weight: float) -> AreaScore:
    hits, labels, given = counts(answers)
    return AreaScore(hits, labels, given, weight)


def pixels_right(answers: Answers) -> AreaScore | Bounded:
    """Returns the share of pixels that are right. It is a mean over pictures where each has as many with a label."""
    hits, labels, given = (each.sum(axis=1, keepdims=True) for each in counts(answers))
    if len(labels) and labels.min() == labels.max() > 0:
        return Bounded((hits / labels)[:, 0], 0, 1)
    return AreaScore(hits, labels, given, 0.5)


# --- what a constant could answer -----------------------------------------------------------------------------------


def best_constant(answers: Answers, weight: float) -> float:
    """Returns the most that one map, the answer to every picture, reaches: of the commonest class of each pixel, and of
    those in which rarer classes count for more, up to as much as the common ones.
    """
    often = answers.once("often", how_often)
    area = often.sum(axis=(0, 1))
    tilts = [np.power(np.maximum(area, 1.0), -power) for power in (0.0, 0.5, 1.0)]
    return max(constant_score(often, (often * tilt).argmax(axis=2), weight) for tilt in tilts)


def how_often(answers: Answers) -> np.ndarray:
    """Returns in how many pictures each pixel has each class, (H, W, classes)."""
    classes = classes_of(answers.truth, answers.outputs)
    found = np.zeros((*answers.truth.shape[1:3], classes))
    for some in stretches(answers.truth):
        labels = classes_labelled(some, answers.ignore)
        for n in range(classes):
            found[..., n] += (labels == n).sum(axis=0)
    return found


def constant_score(often: np.ndarray, given: np.ndarray, weight: float) -> float:
    chosen = given[..., None] == np.arange(often.shape[2])
    hits, labelled = (often * chosen).sum(axis=(0, 1)), often.sum(axis=2)
    answers = (labelled[..., None] * chosen).sum(axis=(0, 1))
    return AreaScore(hits[None], often.sum(axis=(0, 1))[None], answers[None], weight).value


def commonest(answers: Answers) -> float:
    """Returns the share of pixels that are right where each place has its commonest class in every picture."""
    often = answers.once("often", how_often)
    return float(often.max(axis=2).sum() / max(often.sum(), 1.0))


# --- the metrics -----------------------------------------------------------------------------------------------------


@of_answers(Metric(
    "mean_iou", unit="fraction", better="higher", title="Mean IoU", about="answers", against="keras", tasks=MASKS,
    method="the mean over classes of their IoU over all pixels", judged="samples", alone=True, interval_percent=90,
    compared="samples", chance_from=lambda answers: best_constant(answers, 1.0),
    default_for=MASKS, offered_for=MASKS,
))  # fmt: skip
def mean_iou(answers: Answers) -> Statistic:
    """Computes scikit-learn's jaccard_score of all pixels with average="macro", over the classes that have any."""
    return area_score(answers, 1.0)


@of_answers(Metric(
    "dice", unit="fraction", better="higher", title="Dice", about="answers", against="keras", tasks=MASKS,
    method="the mean over classes of their Dice over all pixels", judged="samples", alone=True, interval_percent=90,
    compared="samples", chance_from=lambda answers: best_constant(answers, 0.5),
    always_for=MASKS, offered_for=MASKS,
))  # fmt: skip
def dice(answers: Answers) -> Statistic:
    """Computes scikit-learn's f1_score of all pixels with average="macro", over the classes that have any."""
    return area_score(answers, 0.5)


@of_answers(Metric(
    "pixel_accuracy", unit="fraction", better="higher", title="Pixel accuracy", about="answers", against="keras",
    tasks=MASKS, in_percent=True,
    method="share of all pixels with a label that are right", judged="samples", alone=True, interval_percent=90,
    compared="samples", chance_from=commonest,
    always_for=MASKS, offered_for=MASKS,
))  # fmt: skip
def pixel_accuracy(answers: Answers) -> Statistic:
    return pixels_right(answers)


@of_answers(Metric(
    "pixel_agreement", unit="fraction", better="higher", title="Pixel agreement", about="answers", against="keras",
    tasks=MASKS, in_percent=True,
    method="share of all pixels that Keras gives the same class", judged="samples", alone=True, interval_percent=90,
    compared="samples", to_baseline=True,
    always_for=MASKS, offered_for=MASKS,
))  # fmt: skip
def pixel_agreement(answers: Answers) -> Statistic:
    return Bounded(1 - moved(answers)[:, 0], 0, 1)


# --- the same of frames, where a clip is a picture that is one pixel high --------------------------------------------


@of_answers(Metric(
    "frame_f1", unit="fraction", better="higher", title="Frame F1", about="answers", against="keras", tasks=FRAMES,
    method="macro: the mean over classes of their F1 over all frames", judged="samples", alone=True,
    interval_percent=90, compared="samples", chance_from=lambda answers: best_constant(answers, 0.5),
    default_for=FRAMES, offered_for=FRAMES,
))  # fmt: skip
def frame_f1(answers: Answers) -> Statistic:
    """Computes scikit-learn's f1_score of all frames with average="macro", over the classes that have any."""
    return area_score(answers, 0.5)


@of_answers(Metric(
    "frame_accuracy", unit="fraction", better="higher", title="Frame accuracy", about="answers", against="keras",
    tasks=FRAMES, in_percent=True, method="share of all frames with a label that are right", judged="samples",
    alone=True, interval_percent=90, compared="samples", chance_from=commonest, always_for=FRAMES, offered_for=FRAMES,
))  # fmt: skip
def frame_accuracy(answers: Answers) -> Statistic:
    return pixels_right(answers)


@of_answers(Metric(
    "frame_agreement", unit="fraction", better="higher", title="Frame agreement", about="answers", against="keras",
    tasks=FRAMES, in_percent=True, method="share of all frames that Keras gives the same class", judged="samples",
    alone=True, interval_percent=90, compared="samples", to_baseline=True, always_for=FRAMES, offered_for=FRAMES,
))  # fmt: skip
def frame_agreement(answers: Answers) -> Statistic:
    return pixel_agreement(answers)


# --- a row a picture -------------------------------------------------------------------------------------------------


def moved(answers: Answers) -> np.ndarray:
    """Returns of each picture the share of pixels whose class is not the baseline's, and the lowest IoU of both maps
    over the classes that cover SHOWN of either, (pictures, 2).
    """
    classes = 2 if one_column_each(answers.outputs) else answers.outputs.shape[3]
    logits = means_logits(answers)

    def compare(outputs: np.ndarray, baseline: np.ndarray) -> np.ndarray:
        one, other = (classes_given(each, logits) for each in (baseline, outputs))
        every, same = np.ones(one.shape, bool), one == other
        both, first, second = (by_class(m, w, classes) for m, w in ((one, same), (one, every), (other, every)))
        pixels = math.prod(one.shape[1:])
        shown = np.maximum(first, second) >= SHOWN * pixels
        iou = np.where(shown, both / np.maximum(first + second - both, 1), 1.0)
        return np.stack([1 - both.sum(axis=1) / pixels, iou.min(axis=1)], axis=1)

    return answers.once("moved", lambda a: row_by_row(compare, a.outputs, a.baseline))


def elsewhere(answers: Answers) -> np.ndarray:
    """Returns in which pictures some class lies elsewhere than the baseline has it, bool, (pictures,)."""
    return np.asarray(moved(answers)[:, 1] < SHARED)


def mask_rows(answers: Answers, logits: bool) -> np.ndarray:
    """Returns one row a picture: the share of pixels that differ from the baseline's (`differing`), whether some class
    lies elsewhere (`flip`), the shares of pixels with a label that are wrong, and how far the scores are apart.
    """
    apart = moved(answers)
    columns = {"differing": as_float32(apart[:, 0]), "flip": elsewhere(answers)}
    if answers.labels is not None:
        for name, outputs in (("baseline_error", answers.baseline), ("error", answers.outputs)):
            columns[name] = as_float32(wrong(counted(answers, outputs)))
    return structured(columns | distances(answers.baseline, answers.outputs))


def wrong(counts: np.ndarray) -> np.ndarray:
    """Returns the share of each picture's pixels that are wrong; NaN where none has a label."""
    hits, labels, _ = counts.sum(axis=2)
    return 1 - np.divide(hits, labels, out=np.full(len(hits), np.nan), where=labels > 0)


# --- in words --------------------------------------------------------------------------------------------------------


def mask_said(comparison: Comparison, scores: np.ndarray) -> str:
    """Tells which classes a model gives one picture's pixels. scores: of it, (H, W, …)."""
    base = comparison.baseline
    return covered(comparison.run, classes_given(scores[None], one_column_each(base) and are_logits(base)))


def mask_labelled(comparison: Comparison, labels: np.ndarray) -> str:
    wanted = classes_labelled(labels[None], comparison.run.scoring.ignore)
    return covered(comparison.run, wanted[wanted >= 0])


def covered(run: Run, classes: np.ndarray) -> str:
    """Tells which classes a mask has, and how much of it."""
    found, counts = np.unique(classes, return_counts=True)
    largest = np.argsort(-counts, kind="stable")[:MOST_NAMED]
    shown = ", ".join(f"{class_name(run, int(found[n]))} ({100 * counts[n] / classes.size:.2g} %)" for n in largest)
    return f"{'class' if len(found) == 1 else 'classes'} {shown}{' …' if len(found) > MOST_NAMED else ''}"
