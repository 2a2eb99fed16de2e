"""Labels that are stored as arrays may be, and are none of the run's task: refused in one line. No TensorFlow."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from harness.data.texts import rows_of
from harness.errors import StoreError
from harness.records import BY_DATA, Detection, Head, Keypoints, Run, Scoring, Transcription
from harness.records.terms import Task
from harness.runs.coherent import check_run
from tests.made_tasks import run_of

COUNT = 6
RANDOM = np.random.default_rng(1)
CLASSES = np.arange(COUNT) % 3
OBJECTS = np.tile([[1.0, 2, 8, 9, 0, 0], [0, 0, 0, 0, -1, 0]], (COUNT, 1, 1))
POINTS = np.tile([[1.0, 2, 2, 64], [5, 9, 1, 64]], (COUNT, 1, 1))
MASKS = np.arange(COUNT * 16).reshape(COUNT, 4, 4) % 3
FRAMES = np.arange(COUNT * 5).reshape(COUNT, 1, 5) % 3
TEXTS = rows_of(["cat", "dog", "a", "", "bad", "owl"])
NUMBERS = RANDOM.normal(size=(COUNT, 2))


def changed(labels: np.ndarray, place: Any, value: float) -> np.ndarray:
    """The same labels but for one."""
    other = labels.copy()
    other[place] = value
    return other


@dataclass(frozen=True)
class Stored:
    labels: np.ndarray
    shape: tuple[int, ...]  # of the output, of each sample
    bad: dict[str, np.ndarray | None]
    scoring: Scoring = BY_DATA


STORED: dict[Task, Stored] = {
    "classification": Stored(CLASSES, (3,), {
        "missing": None, "floats": CLASSES / 2, "a class beyond": changed(CLASSES, 0, 3),
        "a class under 0": changed(CLASSES, 0, -1), "several each": np.zeros((COUNT, 3), int),
        "texts": CLASSES.astype(str), "a number each, of dates": CLASSES.astype("M8[s]"),
    }),
    "multilabel": Stored(np.eye(3, dtype=int)[CLASSES], (3,), {
        "missing": None, "a 2": np.eye(3, dtype=int)[CLASSES] * 2, "one label more": np.zeros((COUNT, 4), int),
    }),
    "segmentation": Stored(MASKS, (4, 4, 3), {
        "missing": None, "a class beyond": MASKS + 1, "another size": MASKS[:, :3], "one class each": CLASSES,
        "halves": MASKS / 2, "not a number": changed(MASKS.astype(float), (0, 0, 0), np.nan),
    }),
    "frames": Stored(FRAMES, (5, 3), {
        "missing": None, "a class beyond": FRAMES + 1, "a frame less": FRAMES[..., 1:], "one class each": CLASSES,
        "without the axis of a picture": FRAMES[:, 0], "halves": FRAMES / 2,
    }),
    "detection": Stored(OBJECTS, (2, 6), {
        "no class column": OBJECTS[..., :4], "not a number": changed(OBJECTS, (0, 0, 0), np.nan),
        "not a number where no object is": changed(OBJECTS, (0, 1, 4), np.nan),
        "an end before the beginning": changed(OBJECTS, (0, 0, 2), 0), "half a class": changed(OBJECTS, (0, 0, 4), 0.5),
        "half a crowd": changed(OBJECTS, (0, 0, 5), 0.5), "class -7": changed(OBJECTS, (0, 0, 4), -7),
    }, Scoring(detection=Detection())),
    "keypoints": Stored(POINTS, (2, 2), {
        "missing": None, "a point more": np.tile(POINTS, (1, 2, 1)), "three numbers": POINTS[..., :3],
        "not a number": changed(POINTS, (0, 0, 0), np.nan), "visibility 3": changed(POINTS, (0, 0, 2), 3),
        "no area": POINTS * [1, 1, 1, 0], "two areas": changed(POINTS, (0, 0, 3), 5),
        "nothing labelled": POINTS * [1, 1, 0, 1],
    }, Scoring(keypoints=Keypoints((16, 16), sigmas=(0.05,)))),
    "transcription": Stored(TEXTS, (9, 5), {
        "missing": None, "half of a pair": changed(TEXTS, (0, 0), 0xD800),
        "beyond Unicode": changed(TEXTS, (0, 0), 0x110000), "text after the end": changed(TEXTS, (0, 1), -1),
        "floats": TEXTS.astype(float), "one number each": CLASSES,
    }, Scoring(transcription=Transcription(("a", "b", "c", "d")))),
    "anomaly": Stored(CLASSES % 2, (1,), {
        "missing": None, "a 2": CLASSES, "two each": np.zeros((COUNT, 2), int),
    }, Scoring("anomaly_auc")),
    "embedding": Stored(CLASSES, (4,), {
        "missing": None, "floats": CLASSES / 2, "two each": np.zeros((COUNT, 2), int),
    }, Scoring("recall_at_1")),
    "regression": Stored(NUMBERS, (2,), {
        "missing": None, "another width": NUMBERS[:, :1], "not a number": changed(NUMBERS, (0, 0), np.inf),
    }, Scoring("rmse")),
    "agreement": Stored(CLASSES, (3,), {"there": CLASSES}),
    "distance": Stored(CLASSES, (3,), {"there": CLASSES}),
}  # fmt: skip


def stored(task: Task, labels: np.ndarray | None) -> Run:
    known = STORED[task]
    outputs = np.full((COUNT, *known.shape), 0.25, np.float32)
    return run_of(task, labels, outputs, {"int8": outputs}, known.scoring)


@pytest.mark.parametrize("task", STORED)
def test_labels_of_the_task_are_taken(task: Task) -> None:
    check_run(stored(task, None if task in ("agreement", "distance") else STORED[task].labels))


def test_without_labels_detections_are_held_against_the_baselines() -> None:
    check_run(stored("detection", None))


@pytest.mark.parametrize(("task", "which"), [(task, which) for task, known in STORED.items() for which in known.bad])
def test_other_labels_are_refused(task: Task, which: str) -> None:
    with pytest.raises(StoreError, match="cannot be used: its labels ") as caught:
        check_run(stored(task, STORED[task].bad[which]))
    assert caught.value.advice and "\n" not in str(caught.value)


@pytest.mark.parametrize("bad", [CLASSES + 1, CLASSES / 2])
def test_the_labels_of_a_head_are_held_against_its_own_output(bad: np.ndarray) -> None:
    run = stored("regression", NUMBERS)
    second = np.full((COUNT, 3), 0.3, np.float32)
    run = replace(run, baseline=(*run.baseline, second), output_names=("size", "kind"))
    head = Head("classification", ("a", "b", "c"), Scoring("accuracy", output="kind"))
    run = replace(run, scoring=Scoring("rmse", output="size"), heads={"kind": head}, head_labels={"kind": CLASSES})
    check_run(run)
    with pytest.raises(StoreError, match="its labels of 'kind' are not those of classification"):
        check_run(replace(run, head_labels={"kind": bad}))
    with pytest.raises(StoreError, match="its labels of 'kind' are missing"):
        check_run(replace(run, head_labels={}))


@pytest.mark.parametrize(
    ("task", "scoring"),
    [
        ("classification", Scoring("oks")),
        ("classification", Scoring("accuracy", ("coco_map",))),
        ("classification", Scoring("top7_accuracy")),
        ("keypoints", replace(STORED["keypoints"].scoring, primary="wer")),
        ("regression", Scoring("recall_at_1")),
        ("embedding", Scoring("mae")),
        ("custom", Scoring()),
        ("custom", Scoring("f1")),
    ],
)
def test_a_metric_of_another_task_is_refused(task: Task, scoring: Scoring) -> None:
    known = task if task in STORED else "classification"
    run = stored(known, STORED[known].labels)
    with pytest.raises(StoreError, match="cannot be used"):
        check_run(replace(run, task=task, scoring=scoring))


def test_a_metric_that_this_version_does_not_know_is_let_be() -> None:
    check_run(replace(stored("classification", CLASSES), scoring=Scoring("accuracy", ("of_another_version",))))
