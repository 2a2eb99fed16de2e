"""Boxes: their formats, how far two overlap, and which of several that overlap is kept."""

from __future__ import annotations

import numpy as np

from harness.records.terms import BoxFormat

ORDER: dict[BoxFormat, tuple[int, int, int, int]] = {  # where x, y and their partners stand in a row
    "xyxy": (0, 1, 2, 3),
    "yxyx": (1, 0, 3, 2),
    "xywh": (0, 1, 2, 3),
    "cxcywh": (0, 1, 2, 3),
}


def as_corners(boxes: np.ndarray, form: BoxFormat) -> np.ndarray:
    """Returns boxes, (…, 4) of that format, as x1, y1, x2, y2."""
    x, y, other_x, other_y = (boxes[..., n] for n in ORDER[form])
    if form == "xywh":
        other_x, other_y = x + other_x, y + other_y
    if form == "cxcywh":
        x, y, other_x, other_y = x - other_x / 2, y - other_y / 2, x + other_x / 2, y + other_y / 2
    return np.stack([x, y, other_x, other_y], axis=-1)


def overlaps(one: np.ndarray, other: np.ndarray, crowd: np.ndarray | None = None) -> np.ndarray:
    """Returns the intersection over union of each pair, (A, B), of corners (A, 4) and (B, 4); in float64.

    crowd: bool, (B,): over the first box's own area where the other is a crowd, as COCO has it.
    """
    one, other = one.astype(np.float64), other.astype(np.float64)
    width = np.minimum(one[:, None, 2], other[None, :, 2]) - np.maximum(one[:, None, 0], other[None, :, 0])
    height = np.minimum(one[:, None, 3], other[None, :, 3]) - np.maximum(one[:, None, 1], other[None, :, 1])
    common = np.maximum(width, 0) * np.maximum(height, 0)
    own = areas(one)[:, None]
    whole = own + areas(other)[None, :] - common
    if crowd is not None:
        whole = np.where(crowd[None, :], own, whole)
    return np.divide(common, whole, out=np.zeros_like(common), where=whole > 0)


def areas(corners: np.ndarray) -> np.ndarray:
    return np.asarray((corners[:, 2] - corners[:, 0]) * (corners[:, 3] - corners[:, 1]))


def suppressed(corners: np.ndarray, scores: np.ndarray, classes: np.ndarray, threshold: float) -> np.ndarray:
    """Returns which boxes are kept, by their places, the highest score first: none that overlaps one of its class that
    was kept before by more than the threshold (greedy non-maximum suppression, class by class).
    """
    order, kept = np.argsort(-scores, kind="stable"), []
    while len(order):
        best, order = order[0], order[1:]
        kept.append(best)
        rivals = classes[order] == classes[best]
        if rivals.any():
            over = np.zeros(len(order), bool)
            over[rivals] = overlaps(corners[best : best + 1], corners[order[rivals]])[0] > threshold
            order = order[~over]
    return np.array(kept, dtype=np.intp)
