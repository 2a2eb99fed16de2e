"""Keypoints: labels and outputs → points in pixels of the picture as the model takes it, and COCO's similarity of them.

    points     coordinates, two or three numbers a point: x, y and how sure the model is; or one row of pairs
    argmax     a heat-map a point, (H, W, points): the centre of the highest cell
    quarter    the same, moved a quarter of a cell to the higher neighbour, along x and along y (Newell, Yang & Deng,
               ECCV 2016)

One object a picture. Labels are float64 (pictures, points, 4): x, y, visibility as COCO has it (0 not labelled, 1
labelled but hidden, 2 visible), and the object's area in pixels². To add a decoder, write its function and its line in
DECODERS.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from harness.errors import ConfigError
from harness.records import Keypoints
from harness.support.arrays import STRETCH_BYTES, let_go
from harness.support.format import nearest
from harness.support.functions import FunctionRef, is_reference, load_function

COCO_SIGMAS = (  # of a person's 17 points, from nose to ankles: pycocotools, cocoeval.py, kpt_oks_sigmas
    *(0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072, 0.062, 0.062),
    *(0.107, 0.107, 0.087, 0.087, 0.089, 0.089),
)
Outputs = Mapping[str, np.ndarray]
FAR_OUTSIDE = 1.5  # shares of a picture: labels that lie there are no shares


# --- the decoders ----------------------------------------------------------------------------------------------------


def of_coordinates(output: np.ndarray, how: Keypoints) -> np.ndarray:
    if output.ndim > 3:
        output = output.reshape(len(output), -1, output.shape[-1])
    if output.ndim == 2 and output.shape[1] % 2 == 0:
        output = output.reshape(len(output), -1, 2)
    if output.ndim != 3 or output.shape[2] not in (2, 3):
        message = f"the scored output has shape {('samples', *output.shape[1:])}, and points have two or three numbers"
        raise ConfigError(message, 'end the model with a Reshape to (points, 2); heat-maps: decoder = "argmax"')
    found = output.astype(np.float32)
    if how.order == "yx":
        found[..., :2] = output[..., 1::-1]
    if how.normalised:
        found[..., :2] *= np.array(how.size[::-1], np.float32)
    return found


def of_heatmaps(output: np.ndarray, how: Keypoints, quarter: bool = False) -> np.ndarray:
    if output.ndim != 4:
        message = f"the scored output has shape {('samples', *output.shape[1:])}, and is no heat-maps"
        raise ConfigError(message, "heat-maps are (samples, height, width, points): end the model with a Permute")
    count, rows, columns, points = output.shape
    flat = output.reshape(count, rows * columns, points)
    place = flat.argmax(axis=1)
    x, y = place % columns, place // columns
    cells = np.stack([x, y], axis=2) + 0.5
    if quarter:
        cells += 0.25 * np.stack([uphill(flat, place, x, columns, 1), uphill(flat, place, y, rows, columns)], axis=2)
    found = np.empty((count, points, 3), np.float32)
    found[..., :2] = cells * np.array([how.size[1] / columns, how.size[0] / rows])
    found[..., 2] = np.take_along_axis(flat, place[:, None], axis=1)[:, 0]
    return found


def uphill(flat: np.ndarray, place: np.ndarray, at: np.ndarray, length: int, step: int) -> np.ndarray:
    """Returns whether the next cell is higher than the one before: 1, −1, or 0 where both are equal, or one is missing.
    place: of each map's highest cell, (pictures, points); at: its place on the axis of that length.
    """
    inside = (at > 0) & (at < length - 1)
    after, before = (
        np.take_along_axis(flat, np.where(inside, place + by, place)[:, None], axis=1)[:, 0] for by in (step, -step)
    )
    return np.where(inside, np.sign(after.astype(np.float64) - before), 0.0)


def of_quarters(output: np.ndarray, how: Keypoints) -> np.ndarray:
    return of_heatmaps(output, how, quarter=True)


def of_own(outputs: Outputs, how: Keypoints, trusted: bool) -> np.ndarray:
    """Returns what a decoder of the user's makes of all outputs by name. Raises ConfigError."""
    if not trusted:
        message = f"{how.decoder} in {how.folder} decodes the outputs, and this run was not begun by you here"
        raise ConfigError(message, "add --trust where you know who made it: it calls that code")
    made = np.asarray(load_function(FunctionRef(how.decoder, how.folder))(dict(outputs)), np.float32)
    count = len(next(iter(outputs.values())))
    if made.ndim != 3 or len(made) != count or made.shape[2] not in (2, 3):
        message = f"{how.decoder} returned an array of shape {made.shape}"
        raise ConfigError(message, f"return ({count}, points, 2 or 3): x and y in pixels, and how sure the model is")
    return made


DECODERS: dict[str, Callable[[np.ndarray, Keypoints], np.ndarray]] = {
    "points": of_coordinates,
    "argmax": of_heatmaps,
    "quarter": of_quarters,
}


def points_of(outputs: Outputs, scored: str, how: Keypoints, trusted: bool = True) -> np.ndarray:
    """Returns what the scored output, or to a decoder of the user's all, (pictures, …) by name, say: float32 (pictures,
    points, 2 or 3), x, y and, where it is known, how sure the model is. Decoded a stretch of pictures at a time.

    trusted: whether a decoder of the user's may be called. Raises ConfigError.
    """
    used = outputs if is_reference(how.decoder) else {scored: outputs[scored]}
    count = len(next(iter(used.values())))
    rows = max(1, STRETCH_BYTES // max(1, sum(output[:1].nbytes for output in used.values())))
    parts = []
    for first in range(0, max(count, 1), rows):
        stretch = {name: output[first : first + rows] for name, output in used.items()}
        own = is_reference(how.decoder)
        parts.append(of_own(stretch, how, trusted) if own else DECODERS[how.decoder](stretch[scored], how))
        for output in used.values():
            let_go(output)
    return np.concatenate(parts)


# --- what is said of them --------------------------------------------------------------------------------------------


def checked_points(how: Keypoints, where: str) -> Keypoints:
    """Returns what was said, where it stands: for messages. Raises ConfigError for what cannot be."""
    if how.decoder not in DECODERS and not is_reference(how.decoder):
        advice = nearest(how.decoder, DECODERS, 'write "package.module:function" for your own; there are')
        raise ConfigError(f"{where} there is no decoder {how.decoder!r}", advice)
    if how.order not in ("xy", "yx"):
        raise ConfigError(f"{where} order is {how.order!r}", 'say how a point is given: "xy" or "yx"')
    if len(how.size) != 2 or min(how.size) < 1:
        advice = "write size = [height, width] of the picture as the model takes it"
        raise ConfigError(f"{where} {how.size!r} is no size of a picture", advice)
    if not all(0 < number < np.inf for number in (*how.sigmas, how.right_within, how.area or 1.0)):
        raise ConfigError(f"{where} sigmas, area and right_within are numbers over 0", "correct the one that is not")
    for line in how.skeleton:
        if len(line) != 2 or min(line) < 0 or line[0] == line[1]:
            advice = "write the numbers of two points, counted from 0: skeleton = [[0, 1], [1, 2]]"
            raise ConfigError(f"{where} skeleton has the line {list(line)}", advice)
    return how


def check_skeleton(how: Keypoints, points: int) -> None:
    """Raises ConfigError for a line to a point that there is not."""
    if missing := [max(line) for line in how.skeleton if max(line) >= points]:
        advice = f"points are counted from 0, so the last is {points - 1}; COCO's own skeleton counts from 1"
        raise ConfigError(f"skeleton names point {missing[0]}, and there are {points}", advice)


def sigmas_of(how: Keypoints, points: int) -> np.ndarray:
    """Returns how far labels of each point scatter, as a share of √area, (points,). Raises ConfigError."""
    sigmas = how.sigmas or (COCO_SIGMAS if points == len(COCO_SIGMAS) else ())
    if len(sigmas) not in (1, points):
        told = f"there are {points} points, and " + (f"{len(sigmas)} sigmas" if sigmas else "COCO's sigmas are of 17")
        advice = "write sigmas = [0.05] under [keypoints], one for all points, or one for each in their order"
        raise ConfigError(told, advice)
    return np.broadcast_to(np.array(sigmas), (points,))


def as_keypoints(labels: np.ndarray, how: Keypoints) -> np.ndarray:
    """Returns labels, (pictures, points, 2 to 4), in pixels, float64 (pictures, points, 4). Of two numbers a point all
    are labelled. Raises ConfigError.
    """
    if labels.ndim != 3 or labels.shape[2] not in (2, 3, 4) or labels.dtype.kind not in "uif":
        message = f"the labels have shape {('samples', *labels.shape[1:])}"
        raise ConfigError(
            message, "labels of points are (samples, points, 2 to 4): x, y, visibility, the object's area"
        )
    found = np.zeros((*labels.shape[:2], 4))
    found[..., :2] = labels[..., :2]
    found[..., 2] = labels[..., 2] if labels.shape[2] > 2 else 2
    seen = found[..., 2] > 0
    check(found, seen, how)
    if how.label_normalised:
        found[..., :2] *= how.size[::-1]
    found[~seen, :2] = 0
    found[..., 3] = areas_of(labels, found, how)[:, None]
    return found


def check(found: np.ndarray, seen: np.ndarray, how: Keypoints) -> None:
    """Raises ConfigError for points that cannot be what [keypoints] says."""
    if not np.isin(found[..., 2], (0, 1, 2)).all():
        advice = "it is 0 for a point that is not labelled, 1 for one that is hidden, 2 for one that is seen"
        raise ConfigError("the third number of some labels is no visibility", advice)
    if not np.isfinite(found[..., :2]).all():
        raise ConfigError("some points of the labels are NaN or infinite", "give them numbers and the visibility 0")
    if not seen.any():
        raise ConfigError("no point of any label is labelled", "the third number is 1 or 2 for one that is")
    if how.label_normalised and np.median(found[..., :2].max(axis=2)[seen]) > FAR_OUTSIDE:
        message = f"the points of the labels reach {found[seen][:, :2].max():g}: they are no shares"
        raise ConfigError(message, "write label_normalised = false under [keypoints] for pixels")


def areas_of(labels: np.ndarray, found: np.ndarray, how: Keypoints) -> np.ndarray:
    """Returns the object's area in pixels², (pictures,): the fourth number of the labels, else [keypoints] area, else
    that of the box around the points that are labelled. Raises ConfigError where it is 0.
    """
    seen = found[..., 2] > 0
    if labels.shape[2] > 3:
        areas, source = labels[:, 0, 3].astype(np.float64), "the fourth number of their labels"
        if not np.array_equal(labels[..., 3], np.broadcast_to(labels[:, :1, 3], labels.shape[:2])):
            raise ConfigError("the points of one object have different areas", "the fourth number is of the object")
        areas = areas * how.size[0] * how.size[1] if how.label_normalised else areas
    elif how.area is not None:
        return np.full(len(found), how.area)
    else:
        ends = [np.where(seen[..., None], found[..., :2], far) for far in (-np.inf, np.inf)]
        sides = np.where(seen.any(axis=1)[:, None], ends[0].max(axis=1) - ends[1].min(axis=1), 0.0)
        areas, source = sides.prod(axis=1), "the box around their points"
    flat = seen.any(axis=1) & ~((areas > 0) & np.isfinite(areas))
    if flat.any():
        told = f"{int(flat.sum())} of {len(flat)} objects have no area by {source}"
        raise ConfigError(told, "give the area as the fourth number of each label, or area = … under [keypoints]")
    return np.where(seen.any(axis=1), areas, 0.0)


# --- similarity ------------------------------------------------------------------------------------------------------


def distances_of(points: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Returns how far each point is from its label in pixels, (pictures, points); NaN where it is not labelled."""
    apart = points[..., :2].astype(np.float64) - labels[..., :2]
    return np.where(labels[..., 2] > 0, np.sqrt(np.square(apart).sum(axis=2)), np.nan)


def similarity(points: np.ndarray, labels: np.ndarray, sigmas: np.ndarray) -> np.ndarray:
    """Returns the object keypoint similarity of each picture, 0 to 1, (pictures,); NaN where no point is labelled.

    exp(−d² / (2 · area · (2σ)²)), the mean over the labelled points: pycocotools, cocoeval.py, computeOks.
    """
    apart = points[..., :2].astype(np.float64) - labels[..., :2]
    seen = labels[..., 2] > 0
    spread = np.square(apart).sum(axis=2) / np.square(2 * sigmas) / (labels[..., 3] + np.spacing(1)) / 2
    count = seen.sum(axis=1)
    return np.divide((np.exp(-spread) * seen).sum(axis=1), count, out=np.full(len(seen), np.nan), where=count > 0)
