"""Runs of tasks that no recorded one has, stored and sealed: the recorded run of keypoints with other answers."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from harness.data.texts import rows_of
from harness.records import BY_DATA, Detection, Scoring, Tensor, Transcription
from harness.records.terms import Task
from harness.runs.header import absolute_variants, read_header
from harness.runs.loading import read_dataset
from harness.runs.store import Store
from tests.devices import RECORDED

KEYPOINTS = RECORDED.with_name("keypoints-schema-7")
SAMPLES = 60  # of the recorded run
RANDOM = np.random.default_rng(8)
THREE = np.arange(SAMPLES) % 3
MASKS = np.arange(SAMPLES * 16).reshape(SAMPLES, 4, 4) % 3
BOXES = np.tile([[0.1, 0.2, 0.5, 0.6, 0, 0], [0, 0, 0, 0, -1, 0]], (SAMPLES, 1, 1))
FOUND = np.tile([[0.3, 0.4, 0.4, 0.4, 0.9, 0.1], [0.7, 0.5, 0.2, 0.2, 0.1, 0.6]], (SAMPLES, 1, 1))  # of yolo
CTC = Transcription(tuple("abct"))
YOLO = Detection("yolo", "answers")


def near(rows: np.ndarray, classes: int, noise: float = 0.8) -> np.ndarray:
    """Scores of classes that are mostly right."""
    return np.eye(classes)[rows] + RANDOM.normal(0, noise, (*rows.shape, classes))


@dataclass(frozen=True)
class Made:
    labels: np.ndarray | None
    answers: np.ndarray  # of Keras; int8's are a little off
    scoring: Scoring = BY_DATA
    class_names: tuple[str, ...] = ()


TEXTS = rows_of(["cat", "bad", "a", "", "abba"] * (SAMPLES // 5))
MADE: dict[Task, Made] = {
    "classification": Made(THREE, near(THREE, 3), class_names=("a", "b", "c")),
    "multilabel": Made(np.eye(3, dtype=int)[THREE], near(THREE, 3, 0.4).clip(0, 1)),
    "segmentation": Made(MASKS, near(MASKS, 3), class_names=("a", "b", "c")),
    "transcription": Made(TEXTS, RANDOM.normal(size=(SAMPLES, 9, 5)), Scoring(transcription=CTC)),
    "anomaly": Made(THREE % 2, THREE[:, None] + RANDOM.normal(size=(SAMPLES, 1)), Scoring("anomaly_auc")),
    "embedding": Made(np.arange(SAMPLES) % 20, RANDOM.normal(size=(SAMPLES, 4)), Scoring("recall_at_1")),
    "detection": Made(BOXES, FOUND, Scoring(detection=YOLO), ("a", "b")),
    "frames": Made(MASKS.reshape(SAMPLES, 1, 16), near(MASKS.reshape(SAMPLES, 16), 3), class_names=("a", "b", "c")),
    "regression": Made(RANDOM.normal(size=(SAMPLES, 2)), RANDOM.normal(size=(SAMPLES, 2)), Scoring("rmse")),
    "distance": Made(None, RANDOM.normal(size=(SAMPLES, 2))),
}


def stored_run(results: Path, task: Task) -> Path:
    """A finished, sealed run of the task below results, without its order audit."""
    made, known = MADE[task], read_header(KEYPOINTS)
    answers = made.answers.astype(np.float32)
    tensor = Tensor("answers", "float32", (1, *answers.shape[1:]))
    variants = [replace(variant, outputs=(tensor,)) for variant in absolute_variants(KEYPOINTS, known)]
    further: dict[str, Any] = {
        "labelled": made.labels is not None,
        "output_names": ("answers",),
        "variants": tuple(variants),
    }
    header = replace(
        known, task=task, scoring=replace(made.scoring, folder=Path()), class_names=made.class_names, **further
    )
    dataset = replace(read_dataset(KEYPOINTS, known), test_labels=made.labels, class_names=made.class_names)
    record = Store(results).open(header, dataset, [answers])
    (shard,) = (KEYPOINTS / "raw" / "host").glob("shard-*")
    folder = Path(shutil.copytree(shard, record.raw("host") / shard.name))
    np.save(folder / "outputs" / "0.npy", answers + RANDOM.normal(0, 0.01, answers.shape).astype(np.float32))
    result = json.loads((folder / "result.json").read_text())
    said = {"name": "answers", "dtype": "float32", "shape": list(tensor.shape), "scale": None, "zero_point": None}
    result["outputs"] = [result["outputs"][0] | said]
    (folder / "result.json").write_text(json.dumps(result))
    record.arrived("host")
    record.finish()
    return record.path
