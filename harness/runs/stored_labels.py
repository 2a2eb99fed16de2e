"""Whether the labels and metrics that a run holds are those of its task: each may be sound, and of another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from harness.data.texts import END, are_texts
from harness.detection import objects, points
from harness.errors import ConfigError
from harness.metrics.anomaly import why_no_anomalies
from harness.metrics.embedding import why_no_embeddings
from harness.metrics.fitting import fitting
from harness.metrics.masks import are_masks, as_clips
from harness.metrics.scores import NUMBERS, metric_named
from harness.metrics.task import ANY, EACH_PLACE, FRAMES, MAY_LACK, UNLABELLED, output_index
from harness.metrics.task_table import Given, kind_of
from harness.records import Run, Scoring
from harness.records.terms import Task
from harness.support.arrays import stretches
from harness.support.functions import is_reference


def of_labels(run: Run) -> Iterator[str]:
    """Yields what is wrong with the labels of the scored output and of each head. Their counts are right."""
    for name, task, labels, scoring in labelled(run):
        what = f"its labels of {name!r}" if name else "its labels"
        try:
            output = run.baseline[output_index(name, run.outputs)]
            yield from (f"{what} {why}" for why in why_not(task, labels, output, scoring, run))
            yield from (f"its scoring {why}" for why in of_metrics(task, labels, output, scoring))
        except ConfigError as error:
            yield f"{what} do not fit: {str(error).strip()}"


def labelled(run: Run) -> Iterator[tuple[str, Task, np.ndarray | None, Scoring]]:
    yield run.scoring.output, run.task, run.labels, run.scoring
    for name, head in run.heads.items():
        yield name, head.task, run.head_labels.get(name), head.scoring


def why_not(task: Task, labels: np.ndarray | None, output: np.ndarray, scoring: Scoring, run: Run) -> Iterator[str]:
    """Yields why labels are not those of the task; raises ConfigError, too. output: the baseline's that they are of."""
    if labels is None or task in UNLABELLED:
        if (labels is None) != (task in UNLABELLED) and task not in MAY_LACK:
            yield f"are {'missing' if labels is None else 'there'}, and its task is {task}"
        return
    if labels.dtype.kind not in "uif" or not all(known(stretch, scoring.holes).all() for stretch in stretches(labels)):
        yield f"are no numbers: {labels.dtype}"
    elif scoring.holes and task not in NUMBERS:
        yield f"have numbers that are not known, and its task is {task}"
    elif task == "detection":
        yield from of_objects(labels, scoring)
    elif task == "keypoints":
        yield from of_points(labels, output, scoring)
    elif task == "transcription":
        if not are_texts(labels) or ((labels[:, :-1] == END) & (labels[:, 1:] != END)).any():
            yield "are no texts: rows of code points, and -1 after the end"
    elif task in EACH_PLACE:
        if not are_masks(labels, as_clips(output) if task in FRAMES else output, scoring.ignore):
            yield f"are no class of the output for each {'frame' if task in FRAMES else 'pixel'}"
    elif task == "anomaly":
        yield from (f"do not fit: {why}" for why in [why_no_anomalies(labels, output, run.inputs[0])] if why)
    elif task == "embedding":
        yield from (f"do not fit: {why}" for why in [why_no_embeddings(labels, output)] if why)
    elif task not in ANY and not kind_of(task).fits(Given(labels, output, numbers=task == "regression")):
        yield f"are not those of {task}: {labels.dtype} {labels.shape}, of an output {output.shape}"


def known(labels: np.ndarray, holes: bool) -> np.ndarray:
    """Returns which labels can be: of those with holes a row needs one number."""
    if not holes or labels.dtype.kind != "f":
        return np.isfinite(labels)
    rows = labels.reshape(len(labels), -1)
    return np.asarray(~np.isinf(rows).any(axis=1) & ~np.isnan(rows).all(axis=1))


def of_metrics(task: Task, labels: np.ndarray | None, output: np.ndarray, scoring: Scoring) -> Iterator[str]:
    """Yields that no metric of the user's is named where the task has none; raises ConfigError for one of another task.
    A metric that is not known, as of another version, has no value.
    """
    if task in ANY and not scoring.primary:
        yield "it names no metric, and its task has none of its own"
    declared = {name for own in scoring.declared for name in (own.name, own.reference)}
    for name in filter(None, (scoring.primary, *scoring.others)):
        if name not in declared and metric_named(name):
            fitting(name, task, labels, output)


def of_objects(labels: np.ndarray, scoring: Scoring) -> Iterator[str]:
    """labels: in the units of the detections, as they are stored."""
    if (labels.ndim, *labels.shape[2:]) != (3, objects.COLUMNS):
        yield f"are no objects: (samples, objects, {objects.COLUMNS})"
    elif (labels[..., 4] < -1).any():
        yield "have objects of no class"
    elif how := scoring.detection:
        objects.check(labels[labels[..., 4] >= 0], replace(how, label_normalised=False))


def of_points(labels: np.ndarray, output: np.ndarray, scoring: Scoring) -> Iterator[str]:
    """labels: in pixels, as they are stored."""
    if (labels.ndim, *labels.shape[2:]) != (3, 4):
        yield "are no points: (samples, points, 4)"
    elif how := scoring.keypoints:
        seen = labels[..., 2] > 0
        points.check(labels, seen, replace(how, label_normalised=False))
        points.areas_of(labels, labels, replace(how, label_normalised=False))
        points.sigmas_of(how, labels.shape[1])
        points.check_skeleton(how, labels.shape[1])
        if is_reference(how.decoder):  # a user's code: it is not called to look whether a run is sound
            return
        if (count := points.points_of({"": output[:1]}, "", how).shape[1]) != labels.shape[1]:
            yield f"have {labels.shape[1]} points, and its answers {count}"
