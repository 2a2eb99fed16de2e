"""How far each picture's detections are from the baseline's: lost, won and moved, the boxes and the classes apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np

from harness.detection.matching import Pairs, pairs_of
from harness.metrics.discrepancy import as_float32, as_int32, structured
from harness.metrics.registry import Answers
from harness.metrics.task import finite, row_by_row
from harness.records import Comparison, Detection, Run
from harness.records.names import class_name

MOST_NAMED = 8  # objects told one by one
BROKEN = 0.9  # under this mean something is probably wrong, not merely lossy


def detection_rows(answers: Answers, logits: bool) -> np.ndarray:
    """Returns a row a picture. lost and won: detections of one model that the other has not, of the same class and in
    the same place; moved: the mean of 1 − overlap of the others; max_abs_diff: 1 − box_iou, the distance to sort by.
    """
    pairs = paired(answers)
    overlap = shares(pair.box_overlap for pair in pairs)
    labels = answers.labels
    objects = {} if labels is None else {"objects": as_int32((labels[..., 4] >= 0).sum(axis=1))}
    columns = {
        "baseline_detections": counts(pair.counts[0] for pair in pairs),
        "detections": counts(pair.counts[1] for pair in pairs),
        "lost": counts(pair.counts[0] - pair.kept for pair in pairs),
        "won": counts(pair.counts[1] - pair.kept for pair in pairs),
        "moved": shares(pair.moved for pair in pairs),
        "box_iou": overlap,
        "class_agreement": shares(pair.class_share for pair in pairs),
    }
    known = row_by_row(finite, answers.outputs) & row_by_row(finite, answers.baseline)
    return structured({**objects, **columns, "max_abs_diff": np.where(known, 1 - overlap, np.nan).astype(np.float32)})


def paired(answers: Answers) -> list[Pairs]:
    """Returns the baseline's detections of each picture beside the model's."""
    both = zip(answers.baseline, answers.outputs, strict=True)
    return [pairs_of(before, after, answers.answer_score) for before, after in both]


def other_objects(answers: Answers) -> np.ndarray:
    """Returns on which pictures one model finds an object that the other does not, bool, (pictures,)."""
    return np.array([max(pair.counts) > pair.kept for pair in paired(answers)])


def counts(each: Iterable[int]) -> np.ndarray:
    return as_int32(np.array(list(each)))


def shares(each: Iterable[float]) -> np.ndarray:
    return as_float32(np.array(list(each)))


def classes_or_boxes(rows: np.ndarray) -> str:
    """Says which of the two is probably broken, the classes or the boxes; "" where neither is. rows: detection_rows."""
    there = (rows["baseline_detections"] > 0) | (rows["detections"] > 0)
    if not there.any():
        return ""
    boxes, classes = (float(rows[name][there].mean()) for name in ("box_iou", "class_agreement"))
    of_boxes = f"boxes overlap Keras' by {boxes:.2f} on average"
    of_classes = f"{classes:.1%} of the classes agree with Keras"
    if boxes < BROKEN <= classes:
        return f"classes fine, boxes broken: {of_classes}, {of_boxes}"
    if classes < BROKEN <= boxes:
        return f"boxes fine, classes broken: {of_boxes}, {of_classes}"
    return f"{of_boxes}, {of_classes}" if boxes < BROKEN else ""


# --- in words --------------------------------------------------------------------------------------------------------


def how_of(run: Run) -> Detection:
    return run.scoring.detection or Detection()


def counting(run: Run, rows: np.ndarray) -> np.ndarray:
    """Returns which detections count as answers, bool. rows: (…, 6)."""
    return np.asarray((rows[..., 4] >= how_of(run).answer_score) & (rows[..., 5] >= 0))


def that_count(run: Run, rows: np.ndarray) -> np.ndarray:
    return rows[counting(run, rows)]


def finds(run: Run, detections: np.ndarray, number: int) -> np.ndarray:
    """Returns on which pictures an answer is of that class, bool, (pictures,)."""
    return np.asarray((counting(run, detections) & (detections[..., 5] == number)).any(axis=1))


def objects_said(comparison: Comparison, rows: np.ndarray) -> str:
    """Names what a model finds on a picture, with its scores. rows: its detections."""
    if not np.isfinite(rows).all():
        return "not finite"
    run = comparison.run
    found = [f"{class_name(run, int(row[5]))} ({row[4]:.2f})" for row in that_count(run, rows)]
    more = f" … ({len(found)} objects)" if len(found) > MOST_NAMED else ""
    return ", ".join(found[:MOST_NAMED]) + more or "nothing"


def objects_labelled(comparison: Comparison, rows: np.ndarray) -> str:
    """Names the objects of a picture. rows: its labels."""
    times = Counter(class_name(comparison.run, int(label)) for label in rows[rows[:, 4] >= 0][:, 4])
    return ", ".join(name if count == 1 else f"{count} × {name}" for name, count in times.items()) or "nothing"
