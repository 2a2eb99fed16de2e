"""A model's outputs → detections, as [detection] says: which output holds what, in which form, and what is kept.

    boxes         plain boxes, scores (one each, or one a class), and classes
    postprocess   TFLite_Detection_PostProcess: boxes y1 x1 y2 x2, classes, scores, count; the rows after that are noise
    ssd           box encodings (ty, tx, th, tw) against anchors (cy, cx, h, w), divided by 10, 10, 5, 5, and scores a
                  class: tensorflow/models, object_detection/box_coders/faster_rcnn_box_coder.py
    yolo          one output of rows cx, cy, w, h, [objectness], a score a class; rows may also be columns

To add one, write its function and its line in DECODERS. All run here on the host, from the outputs that were stored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from harness.detection.boxes import as_corners, suppressed
from harness.errors import ConfigError
from harness.records import Detection
from harness.support.arrays import STRETCH_BYTES, let_go
from harness.support.format import nearest
from harness.support.functions import FunctionRef, is_reference, load_function

SSD_SCALES = (10.0, 10.0, 5.0, 5.0)  # y, x, height, width
NUMBERS = 6  # of a detection
Outputs = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Candidates:
    """What a model says before anything is left out. corners: (pictures, A, 4), in the units of the outputs; scores:
    (pictures, A, classes), or (pictures, A) beside classes, (pictures, A). count: of the rows that hold something.
    """

    corners: np.ndarray
    scores: np.ndarray
    classes: np.ndarray | None = None
    count: np.ndarray | None = None


# --- the decoders ----------------------------------------------------------------------------------------------------


def of_boxes(outputs: Outputs, how: Detection) -> Candidates:
    corners = as_corners(rows_of(outputs, how.boxes, 4), how.form)
    scores = as_shares(outputs[how.scores].reshape(*corners.shape[:2], -1), how)
    if not how.classes:
        return Candidates(corners, scores)
    return Candidates(corners, scores[..., 0], flat(outputs, how.classes, corners), count_of(outputs, how))


def of_postprocess(outputs: Outputs, how: Detection) -> Candidates:
    corners = as_corners(rows_of(outputs, how.boxes, 4), "yxyx")
    scores, classes = (flat(outputs, name, corners) for name in (how.scores, how.classes))
    return Candidates(corners, scores, classes, count_of(outputs, how))


def of_ssd(outputs: Outputs, how: Detection) -> Candidates:
    encoded = rows_of(outputs, how.boxes, 4)
    anchors = np.array(how.anchors, np.float64).reshape(-1, 4)
    if encoded.shape[1] != len(anchors):
        advice = "give [detection] anchors one row cy, cx, h, w for each box of that output"
        raise ConfigError(f"{how.boxes} has {encoded.shape[1]} boxes, and there are {len(anchors)} anchors", advice)
    y, x, height, width = (encoded[..., n] / scale for n, scale in enumerate(SSD_SCALES))
    cy, cx, h, w = anchors.T
    box = np.stack([x * w + cx, y * h + cy, np.exp(width) * w, np.exp(height) * h], axis=-1)
    return Candidates(as_corners(box, "cxcywh"), as_shares(outputs[how.scores].reshape(*box.shape[:2], -1), how))


def of_yolo(outputs: Outputs, how: Detection) -> Candidates:
    rows = outputs[how.boxes]
    rows = rows.reshape(len(rows), *[n for n in rows.shape[1:] if n != 1] or [1])
    if rows.ndim != 3:
        advice = "it needs one row of cx, cy, w, h and scores a box, or one column"
        raise ConfigError(f"{how.boxes} has shape {('samples', *rows.shape[1:])}", advice)
    if how.columns:
        rows = rows.transpose(0, 2, 1)
    if rows.shape[2] < 5 + how.objectness:
        advice = "boxes as columns, (4 + classes, boxes), need columns = true"
        raise ConfigError(f"{how.boxes} has rows of {rows.shape[2]} numbers, too few for a box and scores", advice)
    rest = as_shares(rows[..., 4:], how)
    scores = rest[..., 1:] * rest[..., :1] if how.objectness else rest
    return Candidates(as_corners(rows[..., :4], "cxcywh"), scores)


DECODERS: dict[str, Callable[[Outputs, Detection], Candidates]] = {
    "boxes": of_boxes,
    "postprocess": of_postprocess,
    "ssd": of_ssd,
    "yolo": of_yolo,
}


def checked(how: Detection, where: str) -> Detection:
    """Returns what was said, where it stands: for messages. Raises ConfigError where one thing forbids another."""
    if how.decoder not in DECODERS and not is_reference(how.decoder):
        advice = nearest(how.decoder, DECODERS, 'write "package.module:function" for your own; there are')
        raise ConfigError(f"{where} there is no decoder {how.decoder!r}", advice)
    if not how.size and not (how.normalised and how.label_normalised):
        advice = "write size = [height, width] of the picture as the model takes it"
        raise ConfigError(f"{where} boxes are in pixels, of a picture of unknown size", advice)
    return how


NEEDS = {  # which outputs each decoder reads
    "boxes": ("boxes", "scores"),
    "postprocess": ("boxes", "scores", "classes", "count"),
    "ssd": ("boxes", "scores"),
    "yolo": ("boxes",),
}


# --- what they are made of -------------------------------------------------------------------------------------------


def rows_of(outputs: Outputs, name: str, width: int) -> np.ndarray:
    """Returns that output as rows of so many numbers, float64 (pictures, rows, width)."""
    output = outputs[name]
    if output.ndim < 2 or output.shape[-1] != width:
        message = f"{name} has shape {('samples', *output.shape[1:])}, and boxes are rows of {width} numbers"
        raise ConfigError(message, "say under [detection] which output holds the boxes: boxes = …")
    return output.reshape(len(output), -1, width).astype(np.float64)


def flat(outputs: Outputs, name: str, corners: np.ndarray) -> np.ndarray:
    """Returns that output with one number a box. Raises ConfigError."""
    output = outputs[name].reshape(len(outputs[name]), -1)
    if output.shape != corners.shape[:2]:
        message = f"{name} holds {output.shape[1]} numbers a picture, and there are {corners.shape[1]} boxes"
        raise ConfigError(message, "say under [detection] which output holds what: boxes, scores, classes, count")
    return output


def count_of(outputs: Outputs, how: Detection) -> np.ndarray | None:
    return outputs[how.count].reshape(-1) if how.count else None


def as_shares(scores: np.ndarray, how: Detection) -> np.ndarray:
    """Returns scores as probabilities, without the background, class 0, where there is one."""
    if how.logits:
        scores = 1 / (1 + np.exp(-scores.astype(np.float64)))
    return scores[..., 1:] if how.background else scores


# --- detections ------------------------------------------------------------------------------------------------------


def detections_of(outputs: Outputs, how: Detection, trusted: bool = True) -> np.ndarray:
    """Returns what the outputs, (pictures, …) by name, say: float32 (pictures, max_detections, 6), the highest score
    first. A picture with an output that is not finite is NaN. Decoded a stretch of pictures at a time.

    trusted: whether a decoder of the user's may be called. Raises ConfigError.
    """
    used = {name: outputs[name] for name in named(how, outputs)}
    count = len(next(iter(outputs.values())))
    found = np.zeros((count, how.max_detections, NUMBERS), np.float32)
    found[..., 5] = -1
    rows = max(1, STRETCH_BYTES // max(1, sum(output[:1].nbytes for output in used.values())))
    for first in range(0, count, rows):
        fill(found[first : first + rows], {n: y[first : first + rows] for n, y in used.items()}, how, trusted)
        for output in used.values():
            let_go(output)
    return found


def named(how: Detection, outputs: Outputs) -> tuple[str, ...]:
    """Returns the names of the outputs that are read. Raises ConfigError where one is not said or not there."""
    advice = f"its outputs are {', '.join(outputs)}"
    for role in NEEDS.get(how.decoder, ()):
        if not getattr(how, role):
            raise ConfigError(f"[detection] does not say which output holds the {role}", f"write {role} = …; {advice}")
    for name in how.reads:
        if name not in outputs:
            raise ConfigError(f"the model has no output {name!r}, which [detection] names", advice)
    return tuple(outputs) if is_reference(how.decoder) else how.reads


def fill(found: np.ndarray, outputs: Outputs, how: Detection, trusted: bool) -> None:
    """Writes the detections of a stretch of pictures."""
    if is_reference(how.decoder):
        found[:] = of_own(outputs, how, len(found), trusted)
        return
    with np.errstate(over="ignore", invalid="ignore"):
        candidates = DECODERS[how.decoder](outputs, how)
    scale = np.array([how.size[1], how.size[0]] * 2 if how.size and how.normalised else [1.0] * 4)
    for n in range(len(found)):
        rows = of_picture(candidates, n, how)
        if not np.isfinite(rows).all():
            found[n] = np.nan
            continue
        rows = kept(rows[rows[:, 4] >= max(how.score_threshold, np.finfo(np.float32).tiny)], how)
        rows[:, :4] *= scale
        found[n, : len(rows)] = rows


def of_picture(candidates: Candidates, n: int, how: Detection) -> np.ndarray:
    """Returns every candidate of a picture as a row of a detection, float64 (rows, 6)."""
    corners, scores = candidates.corners[n], candidates.scores[n]
    if candidates.classes is not None:
        rows = np.column_stack([corners, scores, candidates.classes[n]]).astype(np.float64)
        return rows if candidates.count is None else rows[: int(np.nan_to_num(candidates.count[n]))]
    if how.every_class:
        box, of_class = np.divmod(np.arange(scores.size), scores.shape[1])
        return np.column_stack([corners[box], scores.ravel(), of_class]).astype(np.float64)
    return np.column_stack([corners, scores.max(axis=1), scores.argmax(axis=1)]).astype(np.float64)


def kept(rows: np.ndarray, how: Detection) -> np.ndarray:
    """Returns the rows that are left, at most max_detections, the highest score first."""
    if how.iou_threshold is None:
        order = np.argsort(-rows[:, 4], kind="stable")
    else:
        order = suppressed(rows[:, :4], rows[:, 4], rows[:, 5], how.iou_threshold)
    return rows[order[: how.max_detections]]


def of_own(outputs: Outputs, how: Detection, count: int, trusted: bool) -> np.ndarray:
    """Returns what a decoder of the user's makes of all outputs by name. Raises ConfigError."""
    if not trusted:
        message = f"{how.decoder} in {how.folder} decodes the outputs, and this run was not begun by you here"
        raise ConfigError(message, "add --trust where you know who made it: it calls that code")
    made = np.asarray(load_function(FunctionRef(how.decoder, how.folder))(dict(outputs)), np.float32)
    if made.shape[:1] + made.shape[2:] != (count, NUMBERS):
        message = f"{how.decoder} returned an array of shape {made.shape}"
        raise ConfigError(message, f"return ({count}, detections, 6): x1, y1, x2, y2, score, class")
    rows = np.zeros((count, how.max_detections, NUMBERS), np.float32)
    rows[..., 5] = -1
    order = np.argsort(-made[..., 4], axis=1, kind="stable")[:, : how.max_detections]
    rows[:, : order.shape[1]] = np.take_along_axis(made, order[..., None], axis=1)
    return rows
