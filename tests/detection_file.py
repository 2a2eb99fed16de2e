"""A small detector as .tflite file: four boxes that do not overlap, whose scores are its input."""

from __future__ import annotations

import numpy as np
from flatbuffers import flexbuffers

from tests.stateful_files import File, Op

THRESHOLD = 0.5
CENTRES = np.array([[0.2, 0.2], [0.2, 0.8], [0.8, 0.2], [0.8, 0.8]], np.float32)  # y, x
SIDE = np.float32(0.2)
NAME = "TFLite_Detection_PostProcess"


def detector() -> bytes:
    """Scores of (1, 4 boxes, background and two classes) → boxes, classes, scores, and how many these are.

    The shapes of the four are stored as [], as converters do.
    """
    file = File()
    main = file.graph()
    scores = main.tensor("scores", (1, 4, 3))
    moved = main.tensor("moved", (1, 4, 4), value=np.zeros((1, 4, 4)))
    anchors = main.tensor("anchors", (4, 4), value=np.c_[CENTRES, np.full((4, 2), SIDE)])
    outputs = [main.tensor(NAME + end, ()) for end in ("", ":1", ":2", ":3")]
    main.op(Op.CUSTOM, [moved, scores, anchors], outputs)
    file.model.operatorCodes[-1].customCode = NAME
    main.made.operators[-1].customOptions = np.frombuffer(options(), np.uint8)
    main.end([scores], outputs)
    return file.bytes()


def options() -> bytes:
    builder = flexbuffers.Builder()
    with builder.Map():
        for name, count in {"max_detections": 4, "max_classes_per_detection": 1, "num_classes": 2}.items():
            builder.Int(name, count)
        scales = dict.fromkeys(("y_scale", "x_scale", "h_scale", "w_scale"), 1.0)
        for name, value in (scales | {"nms_score_threshold": THRESHOLD, "nms_iou_threshold": 0.5}).items():
            builder.Float(name, value)
    return bytes(builder.Finish())


def detected(scores: np.ndarray) -> tuple[np.ndarray, ...]:
    """What it is to answer to one sample: the boxes over the threshold, the highest score first, then zeros."""
    best = scores[:, 1:].max(axis=1)
    found = [n for n in np.argsort(-best) if best[n] >= THRESHOLD]
    rows = lambda values: np.concatenate([values[found], np.zeros_like(values[: 4 - len(found)])])  # noqa: E731
    boxes = np.c_[CENTRES - SIDE / 2, CENTRES + SIDE / 2]
    classes = scores[:, 1:].argmax(axis=1).astype(np.float32)
    return rows(boxes), rows(classes), rows(best), np.array(len(found), np.float32)
