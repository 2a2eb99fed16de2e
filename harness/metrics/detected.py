"""Metrics of detections: COCO's against the labels, and how far boxes and classes are from the baseline's, each apart.

COCO's are of all detections that are kept, whatever their scores; those against the baseline are of its answers: what
has at least [detection] answer_score.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial

import numpy as np

from harness.detection.matching import ClassMatches, Pairs, matches_of
from harness.metrics.detection_rows import paired
from harness.metrics.registry import Answers, Metric, declare, of_answers
from harness.records import Absent
from harness.records.terms import Task
from harness.statistics.average_precision import MeanOverClasses, Part
from harness.statistics.bootstrap import Bounded, Statistic
from harness.support.arrays import sha256_of

DETECTION: tuple[Task, ...] = ("detection",)
NO_LABELS = "no value: the test set has no labels"
NO_ANSWER = "no value: Keras detects nothing with a score of {:g}, the least that [detection] answer_score lets count"


class Content:
    """Arrays that are alike where their contents are: three metrics are made of the same matches."""

    def __init__(self, *arrays: np.ndarray) -> None:
        self.arrays, self.key = arrays, sha256_of(*arrays)

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Content) and self.key == other.key


@lru_cache(maxsize=4)
def matched(content: Content) -> tuple[ClassMatches, ...]:
    return matches_of(*content.arrays)


def of_coco(part: Part, answers: Answers) -> Statistic:
    if answers.labels is None:
        raise Absent(NO_LABELS)
    return MeanOverClasses(matched(Content(answers.labels, answers.outputs)), part)


def coco(name: str, part: Part, title: str, method: str) -> Metric:
    return Metric(
        name, unit="fraction", better="higher", title=title, about="answers", against="keras", tasks=DETECTION,
        statistic=partial(of_coco, part), method=method, judged="samples", alone=True, interval_percent=90,
        compared="samples", chance=lambda labels: 0.0, always_for=DETECTION, offered_for=DETECTION,
        default_for=DETECTION if part == "ap" else (),
    )  # fmt: skip


declare(coco("coco_map", "ap", "mAP", "COCO's AP: mean over classes and overlaps of .5 to .95"))
declare(coco("ap50", "ap50", "AP50", "COCO's AP at an overlap of .5: mean over classes"))
declare(coco("ar100", "ar", "AR100", "COCO's AR: recall with 100 detections a picture, mean over classes and overlaps"))


def of_pairs(answers: Answers, value: Callable[[Pairs], float]) -> Statistic:
    pairs = [pair for pair in paired(answers) if max(pair.counts)]  # where neither says anything, nothing is compared
    if not any(pair.counts[0] for pair in pairs):
        raise Absent(NO_ANSWER.format(answers.answer_score))
    return Bounded(np.array([value(pair) for pair in pairs]), 0, 1)


@of_answers(Metric(
    "box_iou", unit="fraction", better="higher", title="Box IoU", about="answers", against="keras", tasks=DETECTION,
    method="overlap with Keras' boxes, whatever their class, mean over pictures", judged="samples", alone=True,
    interval_percent=90, compared="samples", to_baseline=True, always_for=DETECTION, offered_for=DETECTION,
))  # fmt: skip
def box_iou(answers: Answers) -> Statistic:
    """Computes the mean overlap of the detections paired with the baseline's; one without a partner has 0."""
    return of_pairs(answers, lambda pair: pair.box_overlap)


@of_answers(Metric(
    "class_agreement", unit="fraction", better="higher", title="Class agreement", about="answers", against="keras",
    tasks=DETECTION, in_percent=True, method="Keras' class where a box overlaps one of Keras', mean over pictures",
    judged="samples", alone=True, interval_percent=90, compared="samples", to_baseline=True, always_for=DETECTION,
    offered_for=DETECTION,
))  # fmt: skip
def class_agreement(answers: Answers) -> Statistic:
    """Computes the share of the detections paired with the baseline's that have its class."""
    return of_pairs(answers, lambda pair: pair.class_share)
