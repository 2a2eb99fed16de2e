"""Metrics of keypoints, of one object a picture: COCO's similarity, and what is right within a share of its size.

A picture without a labelled point says nothing: it counts in no metric of labels, as COCO leaves out such an object.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from harness.detection.matching import THRESHOLDS, ClassMatches
from harness.detection.points import distances_of, sigmas_of, similarity
from harness.metrics.discrepancy import as_float32, as_int32, distances, structured
from harness.metrics.registry import Answers, Metric, declare, of_answers
from harness.metrics.task import row_by_row
from harness.records import Absent, Comparison, Keypoints
from harness.records.terms import Task
from harness.statistics.average_precision import MeanOverClasses
from harness.statistics.bootstrap import Bounded, Statistic, means

KEYPOINTS: tuple[Task, ...] = ("keypoints",)
MOST_NAMED = 8  # points told one by one
STEPS = 20  # of the mean shift: each comes nearer to a mode
NO_SCORES = "no value: AP ranks answers by how sure they are, and these outputs are two numbers a point; see oks_ar"


def how_of(answers: Answers) -> Keypoints:
    assert answers.keypoints
    return answers.keypoints


# --- of each picture -------------------------------------------------------------------------------------------------


def similarities(answers: Answers, outputs: np.ndarray) -> np.ndarray:
    """Returns OKS, (pictures,); NaN where no point is labelled."""
    sigmas = sigmas_of(how_of(answers), answers.truth.shape[1])
    return row_by_row(lambda points, labels: similarity(points, labels, sigmas), outputs, answers.truth)


def right(answers: Answers, outputs: np.ndarray) -> np.ndarray:
    """Returns which points are labelled, and within right_within of their label, bool (pictures, points)."""
    limit = how_of(answers).right_within * np.sqrt(answers.truth[..., 3])
    return np.asarray(distances_of(outputs, answers.truth) <= limit)


def known(each: np.ndarray) -> np.ndarray:
    """Returns what the pictures say that have a labelled point. Raises Absent where none has."""
    if not (found := each[~np.isnan(each)]).size:
        raise Absent("no value: no picture has a labelled point")
    return found


def recalled(answers: Answers) -> np.ndarray:
    """Returns at how many of COCO's ten thresholds each picture's object is found, as a share, (pictures,)."""
    oks = similarities(answers, answers.outputs)
    return np.where(np.isnan(oks), np.nan, found_at(oks).mean(axis=0))


def found_at(oks: np.ndarray) -> np.ndarray:
    """Returns whether each object is found, bool (thresholds, pictures)."""
    return np.asarray(oks >= np.minimum(THRESHOLDS, 1 - 1e-10)[:, None])


def share_right(answers: Answers) -> np.ndarray:
    """Returns the share of each picture's labelled points that are right, (pictures,)."""
    labelled = (answers.truth[..., 2] > 0).sum(axis=1)
    count = right(answers, answers.outputs).sum(axis=1)
    return np.divide(count, labelled, out=np.full(len(count), np.nan), where=labelled > 0)


# --- what a constant could answer ------------------------------------------------------------------------------------


def best_constant(value: Callable[[Answers], Statistic]) -> Callable[[Answers], float]:
    """Makes what the best of some constants reaches: points that are the answer to every picture."""

    def of(answers: Answers) -> float:
        shape = (*answers.truth.shape[:2], 2)
        tries = (replace(answers, outputs=np.broadcast_to(one, shape), kept={}) for one in constants(answers))
        return max(value(one).value for one in tries)

    return of


def constants(answers: Answers) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the mean of each point, its median, and the mode of its labels that the median climbs to by mean shift
    (Cheng, IEEE PAMI 17, 1995, 790–799), under OKS' own kernel: there a constant's OKS is highest nearby.
    """
    labels = answers.truth
    seen, wide = labels[..., 2] > 0, np.square(2 * sigmas_of(how_of(answers), labels.shape[1]))
    at = [labels[seen[:, k], k, :2] if seen[:, k].any() else np.zeros((1, 2)) for k in range(seen.shape[1])]
    mean, median = (np.stack([of(points, axis=0) for points in at]) for of in (np.mean, np.median))
    mode, area = median, np.where(seen, labels[..., 3], 1.0)
    for _ in range(STEPS):
        square = np.square(mode - labels[..., :2]).sum(axis=2)
        weight = seen * np.exp(-square / (2 * area * wide)) / area
        whole = weight.sum(axis=0)[:, None]
        mode = np.divide((weight[..., None] * labels[..., :2]).sum(axis=0), whole, out=mode.copy(), where=whole > 0)
    return mean, median, mode


# --- the metrics -----------------------------------------------------------------------------------------------------


def of_labels(name: str, title: str, method: str, value: Callable[[Answers], Statistic], **further: object) -> None:
    declare(Metric(
        name, unit="fraction", better="higher", title=title, about="answers", against="keras", tasks=KEYPOINTS,
        statistic=value, method=method, judged="samples", alone=True, interval_percent=90, compared="samples",
        always_for=KEYPOINTS, offered_for=KEYPOINTS, **further,  # type: ignore[arg-type]
    ))  # fmt: skip


def mean_oks(answers: Answers) -> Statistic:
    return Bounded(known(similarities(answers, answers.outputs)), 0, 1)


def oks_ar(answers: Answers) -> Statistic:
    return Bounded(known(recalled(answers)), 0, 1)


def oks_ap(answers: Answers) -> Statistic:
    """Computes COCO's AP of one answer a picture. Its score is the mean of its points'; raises Absent without these."""
    if answers.outputs.shape[2] < 3:
        raise Absent(NO_SCORES)
    oks = similarities(answers, answers.outputs)
    known(oks)
    there = np.flatnonzero(~np.isnan(oks))  # a picture without labels wants nothing, and is still one of its group
    order = there[np.argsort(-answers.outputs[there, :, 2].astype(np.float64).mean(axis=1), kind="mergesort")]
    hit = found_at(oks[order])
    wanted = (~np.isnan(oks)).astype(int)
    return MeanOverClasses((ClassMatches(0, hit, np.zeros_like(hit), order, wanted),), "ap")


def pck(answers: Answers) -> Statistic:
    """Computes the share of labelled points within right_within · √area of their label (Yang & Ramanan, PAMI 35, 2013,
    2878–2890, who take the box's longer side), the mean over pictures.
    """
    return Bounded(known(share_right(answers)), 0, 1)


of_labels(
    "oks", "Mean OKS", "COCO's object keypoint similarity, mean over pictures", mean_oks,
    default_for=KEYPOINTS, chance_from=best_constant(mean_oks),
)  # fmt: skip
of_labels("oks_ap", "OKS AP", "COCO's AP over similarities of .5 to .95, of one object a picture", oks_ap,
          chance_by="oks")  # fmt: skip
of_labels("oks_ar", "OKS AR", "COCO's AR over similarities of .5 to .95, of one object a picture", oks_ar,
          chance_from=best_constant(oks_ar))  # fmt: skip
of_labels("pck", "PCK", "share of points within right_within · √area of their label, mean over pictures", pck,
          in_percent=True, chance_from=best_constant(pck))  # fmt: skip


@of_answers(Metric(
    "point_distance", unit="px", better="lower", title="From Keras", about="answers", against="keras", tasks=KEYPOINTS,
    method="mean distance of the points from Keras', mean over pictures", judged="samples", alone=True,
    interval_percent=90, compared="samples", to_baseline=True, always_for=KEYPOINTS, offered_for=KEYPOINTS,
))  # fmt: skip
def point_distance(answers: Answers) -> Statistic:
    return means(moved_px(answers))


# --- a row a picture -------------------------------------------------------------------------------------------------


def moved_px(answers: Answers) -> np.ndarray:
    """Returns the mean distance of each picture's points from the baseline's, (pictures,)."""
    apart = answers.outputs[..., :2].astype(np.float64) - answers.baseline[..., :2]
    return np.asarray(np.sqrt(np.square(apart).sum(axis=2)).mean(axis=1))


def loses_a_point(answers: Answers) -> np.ndarray:
    """Returns in which pictures a point is wrong now that the baseline has right, bool, (pictures,)."""
    return np.asarray((right(answers, answers.baseline) & ~right(answers, answers.outputs)).any(axis=1))


def point_rows(answers: Answers, logits: bool) -> np.ndarray:
    """Returns a row a picture: how far its points moved, which are lost and won (right in one model alone), OKS and the
    mean distance of labelled points from their labels, in pixels, of both models.
    """
    before, after = (right(answers, outputs) for outputs in (answers.baseline, answers.outputs))
    columns = {"moved_px": as_float32(moved_px(answers)), "flip": loses_a_point(answers)}
    columns |= {"lost": as_int32((before & ~after).sum(axis=1)), "won": as_int32((after & ~before).sum(axis=1))}
    for prefix, outputs in (("baseline_", answers.baseline), ("", answers.outputs)):
        apart, seen = distances_of(outputs, answers.truth), answers.truth[..., 2] > 0
        error = np.where(seen, apart, 0).sum(axis=1) / np.where(seen.any(axis=1), seen.sum(axis=1), np.nan)
        columns[f"{prefix}oks"] = as_float32(similarities(answers, outputs))
        columns[f"{prefix}error"] = as_float32(error)
    return structured(columns | distances(answers.baseline[..., :2], answers.outputs[..., :2]))


def points_said(comparison: Comparison, points: np.ndarray) -> str:
    """Tells the points of one picture in pixels. points: (points, 2 or 3)."""
    return listed_points(points[:, :2]) if np.isfinite(points).all() else "not finite"


def points_labelled(comparison: Comparison, labels: np.ndarray) -> str:
    return listed_points(np.where(labels[:, 2:3] > 0, labels[:, :2], np.nan))


def listed_points(points: np.ndarray) -> str:
    told = ["none" if np.isnan(x) else f"({x:.1f}, {y:.1f})" for x, y in points.tolist()]
    return ", ".join(told[:MOST_NAMED]) + (f" … ({len(told)} points)" if len(told) > MOST_NAMED else "")
