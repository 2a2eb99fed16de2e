"""The tasks there are, each as one declaration. They stand in the order in which they are tried: the first that fits.

task              labels             the scored output
detection         boxes of objects   what [detection] decodes: boxes with a score and a class
keypoints         points of one      what [keypoints] decodes: coordinates, or a heat-map a point
transcription     texts              what [transcription] decodes: scores of classes for each step
anomaly           0 or 1, one each   a reconstruction of the first input, or one number: only where a metric says so
embedding         an identity each   a vector: only where a metric says so
classification    one class each     scores of classes, or one column: the probability, or logit, of class 1
multilabel        0 or 1, several    as many numbers: the probability, or logit, of each label
segmentation      masks              scores of classes for each pixel, or one column of them: class 1
frames            a class a frame    (samples, frames, classes): scores of classes for each frame
regression        numbers            as many numbers
agreement         none               scores of classes: answers are held against the baseline's
distance          none               numbers: they are held against the baseline's
custom            anything           anything that a user's own metric understands

The metrics of a task are those that name it (see registry.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from harness.detection.decoders import detections_of
from harness.detection.points import points_of
from harness.metrics.anomaly import anomaly_rows, anomaly_scores
from harness.metrics.detection_rows import classes_or_boxes, detection_rows, objects_labelled, objects_said
from harness.metrics.discrepancy import number_table, sample_table, top1
from harness.metrics.embedding import embedding_rows
from harness.metrics.keypoints import loses_a_point, point_rows, points_labelled, points_said
from harness.metrics.masks import are_masks, as_clips, frame_labels
from harness.metrics.registry import Answers
from harness.metrics.segmentation import elsewhere, mask_labelled, mask_rows, mask_said
from harness.metrics.task import are_logits, as_scores, class_count, row_by_row, several_labels
from harness.metrics.transcription import text_rows, text_said, texts_far_off, words_differ
from harness.metrics.transcripts import transcribed
from harness.records import Comparison, Scoring
from harness.records.terms import AnswerKind, LimitKind, Task


@dataclass(frozen=True)
class Given:
    """What a task is told by: labels, the baseline's scored output, and what the user says of them.

    numbers: a metric of numbers is asked for. as_stored: metrics of the user's own alone are, which know what 0 and 1
    mean. boxes, points, texts: the user says how outputs become such. anomalies, embeddings: a metric
    of such is asked for.
    """

    labels: np.ndarray | None
    output: np.ndarray
    class_names: Sequence[str] = ()
    numbers: bool = False
    as_stored: bool = False
    boxes: bool = False
    points: bool = False
    texts: bool = False
    anomalies: bool = False
    embeddings: bool = False
    ignore: float | None = None


Fits = Callable[[Given], bool]
Decode = Callable[[np.ndarray, bool], np.ndarray]  # the scored output, whether it is logits → what metrics are given
OfInput = Callable[[np.ndarray, np.ndarray], np.ndarray]  # the scored output, the first input → the same
Join = Callable[[Mapping[str, np.ndarray], Scoring], np.ndarray]  # every output by its name → one array
Rows = Callable[[Answers, bool], np.ndarray]  # decoded answers, whether they are logits → a row a sample
Differ = Callable[[Answers], np.ndarray]  # decoded answers → which samples are flips from the baseline's
Doubt = Callable[[np.ndarray], str]  # rows → why they are suspect
Holds = Callable[[np.ndarray, int], np.ndarray]  # labels, a class → which samples have it
Text = Callable[[Comparison, np.ndarray], str]  # a run, one sample's decoded answer or label → what it says


def as_it_is(output: np.ndarray, logits: bool) -> np.ndarray:
    return output


def joined_detections(outputs: Mapping[str, np.ndarray], scoring: Scoring) -> np.ndarray:
    assert scoring.detection
    return detections_of(outputs, scoring.detection, scoring.trusted)


def joined_points(outputs: Mapping[str, np.ndarray], scoring: Scoring) -> np.ndarray:
    assert scoring.keypoints
    return points_of(outputs, scoring.output or next(iter(outputs)), scoring.keypoints, scoring.trusted)


def scored_text(outputs: Mapping[str, np.ndarray], scoring: Scoring) -> np.ndarray:
    assert scoring.transcription
    output = outputs[scoring.output] if scoring.output else next(iter(outputs.values()))
    return transcribed(output, scoring.transcription, scoring.trusted)


def class_rows(answers: Answers, logits: bool) -> np.ndarray:
    return sample_table(answers.labels, answers.baseline, answers.outputs, logits)


def top1_differs(answers: Answers) -> np.ndarray:
    return np.asarray(row_by_row(top1, answers.outputs) != row_by_row(top1, answers.baseline))


def number_rows(answers: Answers, logits: bool) -> np.ndarray:
    return number_table(answers.labels, answers.baseline, answers.outputs)


class DefaultRule(NamedTuple):
    """What every quantised variant has to keep where a user gives no policy: a limit against Keras."""

    metric: str
    kind: LimitKind
    limit: str


@dataclass(frozen=True)
class Flips:
    """What a flip is from one model's answers to another's. words: with {} for the other."""

    differ: Differ
    words: str


@dataclass(frozen=True)
class Told:
    """How one sample is told in words, where numbers would say nothing. apart: the column of rows that says how far an
    answer is from the baseline's, and what is counted there.
    """

    answer: Text
    label: Text
    apart: str = "max_abs_diff"
    counted: str = ""


def has_class(labels: np.ndarray, number: int) -> np.ndarray:
    return np.asarray(row_by_row(lambda rows: (rows.reshape(len(rows), -1) == number).any(axis=1), labels))


def has_object(labels: np.ndarray, number: int) -> np.ndarray:
    return has_class(labels[..., 4], number)


def has_label(labels: np.ndarray, number: int) -> np.ndarray:
    return np.asarray(labels[:, number] > 0) if number < labels.shape[1] else np.zeros(len(labels), bool)


TOP1 = Flips(top1_differs, "top-1 differs from {}, right or wrong")


@dataclass(frozen=True)
class TaskKind:
    """One task. fits: whether labels and output make it. says: what an answer is, by which the report shows samples.
    default: its rule where there is no policy; None where nothing is known of what a metric's values are worth.
    join: makes what is decoded of all outputs, where one alone does not say it. of_input: of an output and the input.
    rows: how far a variant's answer to each sample is from the baseline's, and where there are flips, which they are.
    doubt: why rows are suspect, where that is not what an output explains of the baseline's. holds: which samples are
    of a class; None where there are no classes.
    """

    name: Task
    fits: Fits
    says: AnswerKind = "numbers"
    decode: Decode = as_it_is
    rows: Rows = number_rows
    default: DefaultRule | None = None
    join: Join | None = None
    of_input: OfInput | None = None
    flips: Flips | None = None
    told: Told | None = None
    doubt: Doubt | None = None
    holds: Holds | None = None


# --- which task it is ------------------------------------------------------------------------------------------------


def one_class_each(given: Given) -> bool:
    labels = given.labels
    if labels is None or given.numbers or labels.ndim != 1 or labels.dtype.kind not in "ui" or not len(labels):
        return False
    return bool(0 <= labels.min() <= labels.max() < class_count(given.output))


def several_each(given: Given) -> bool:
    labels, free = given.labels, not given.numbers and not given.as_stored
    return labels is not None and free and several_labels(labels, given.output)


def mask_each(given: Given) -> bool:
    labels, free = given.labels, not given.numbers and not given.as_stored
    return labels is not None and len(labels) > 0 and free and are_masks(labels, given.output, given.ignore)


def frame_each(given: Given) -> bool:
    labels = None if given.labels is None else frame_labels(given.labels, given.output)
    return labels is not None and mask_each(replace(given, labels=labels, output=as_clips(given.output)))


def anomaly_each(given: Given) -> bool:
    return given.anomalies and given.labels is not None


def vector_each(given: Given) -> bool:
    return given.embeddings and given.labels is not None


def numbers_each(given: Given) -> bool:
    if given.labels is None or not (given.numbers or given.labels.dtype.kind == "f"):
        return False
    rows = [array.reshape(len(array), -1).shape for array in (given.labels, given.output)]
    return rows[0] == rows[1]


def classes_alone(given: Given) -> bool:
    scores = given.output.ndim == 2 and given.output.shape[1] > 1
    return given.labels is None and scores and (bool(given.class_names) or not are_logits(given.output))


DROP = DefaultRule("accuracy_drop", "max", "1pp")


def falls(metric: str) -> DefaultRule:
    return DefaultRule(metric, "max_decrease", "1pp")


TASK_TABLE = (
    TaskKind(
        "detection", lambda given: given.boxes, "boxes", rows=detection_rows, default=falls("coco_map"),
        join=joined_detections, told=Told(objects_said, objects_labelled, counted="1 − overlap"),
        doubt=classes_or_boxes, holds=has_object,
    ),
    TaskKind(
        "keypoints", lambda given: given.points, "points", rows=point_rows, default=falls("oks"), join=joined_points,
        flips=Flips(loses_a_point, "a point is wrong that {} has right"),
        told=Told(points_said, points_labelled, "moved_px", "px"),
    ),
    TaskKind(
        "transcription", lambda given: given.texts, "texts", rows=text_rows, join=scored_text,
        default=DefaultRule("wer", "max_increase", "1pp"), flips=Flips(words_differ, "the words differ from {}'s"),
        told=Told(text_said, text_said, counted="characters"), doubt=texts_far_off,
    ),
    TaskKind(
        "anomaly", anomaly_each, rows=anomaly_rows, default=falls("anomaly_auc"), of_input=anomaly_scores,
        holds=has_class,
    ),
    TaskKind("embedding", vector_each, rows=embedding_rows, default=falls("recall_at_1"), holds=has_class),
    TaskKind("classification", one_class_each, "classes", as_scores, class_rows, DROP, flips=TOP1, holds=has_class),
    TaskKind("multilabel", several_each, default=falls("subset_accuracy"), holds=has_label),
    TaskKind(
        "segmentation", mask_each, "masks", rows=mask_rows, default=falls("mean_iou"),
        flips=Flips(elsewhere, "a class that covers 1 % of the picture shares under half with {}'s"),
        told=Told(mask_said, mask_labelled, "differing", "share"), holds=has_class,
    ),
    TaskKind(
        "frames", frame_each, "masks", as_clips, mask_rows, falls("frame_f1"),
        flips=Flips(elsewhere, "a class that covers 1 % of the clip shares under half with {}'s"),
        told=Told(mask_said, mask_labelled, "differing", "share"), holds=has_class,
    ),
    TaskKind("regression", numbers_each, default=DefaultRule("rmse", "max_increase", "5%")),
    TaskKind(
        "agreement", classes_alone, "classes", as_scores, class_rows, DefaultRule("agreement", "min", "99%"),
        flips=TOP1, holds=has_class,
    ),
    TaskKind("distance", lambda given: given.labels is None, default=DefaultRule("sqnr", "min", "20dB")),
    TaskKind("custom", lambda given: True),
)  # fmt: skip
OF_CLASSES: tuple[Task, ...] = tuple(kind.name for kind in TASK_TABLE if kind.says == "classes")
WITH_FLIPS: tuple[Task, ...] = tuple(kind.name for kind in TASK_TABLE if kind.flips)
NO_CLASSES: tuple[Task, ...] = tuple(
    kind.name for kind in TASK_TABLE if kind.says not in ("classes", "boxes", "points", "texts")
)


def kind_of(task: Task) -> TaskKind:
    return next(kind for kind in TASK_TABLE if kind.name == task)


def task_of(given: Given) -> Task:
    """Returns the task that labels and the baseline's scored output make."""
    return next(kind.name for kind in TASK_TABLE if kind.fits(given))
