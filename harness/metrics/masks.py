"""Labels that are masks, a class for each pixel: which outputs they fit, and the classes of both, pixel by pixel."""

from __future__ import annotations

import math

import numpy as np

from harness.metrics.task import one_column_each, stretches

FULL = 255  # of masks that are stored as pictures of black and white


def classes_of(labels: np.ndarray, output: np.ndarray) -> int:
    """Returns how many classes an output tells apart for each pixel of these labels, by their shapes; 0 where it is of
    no masks. labels: (n, H, W), (n, H, W, 1) or one-hot (n, H, W, C). output: (n, H, W, C); (n, H, W) or (n, H, W, 1)
    tells two apart.
    """
    if labels.ndim not in (3, 4) or output.ndim not in (3, 4) or labels.shape[:3] != output.shape[:3]:
        return 0
    classes = 2 if one_column_each(output) else output.shape[3]
    return classes if labels.shape[3:] in ((), (1,), output.shape[3:]) else 0


def frame_labels(labels: np.ndarray, output: np.ndarray) -> np.ndarray | None:
    """Returns labels of a class for each frame as masks that are one pixel high, (n, 1, T); None where they are none.
    labels: (n, T), (n, T, 1) or (n, 1, T). output: (n, T, C); of one column, integers alone are classes.
    """
    if output.ndim != 3 or output.shape[1] < 2:
        return None
    (count, frames), numbers = output.shape[:2], output.shape[2] == 1 and labels.dtype.kind == "f"
    if numbers or labels.shape not in ((count, frames), (count, frames, 1), (count, 1, frames)):
        return None
    return labels.reshape(count, 1, frames)


def as_clips(output: np.ndarray, logits: bool = False) -> np.ndarray:
    """Returns an output of frames, (n, T, C), as of pictures that are one pixel high."""
    return output[:, None]


def one_hot(labels: np.ndarray) -> bool:
    return labels.ndim == 4 and labels.shape[3] > 1


def are_masks(labels: np.ndarray, output: np.ndarray, ignore: float | None) -> bool:
    """Returns whether labels are a class of the output for each pixel, but for those of the ignored label."""
    classes = classes_of(labels, output)
    return classes > 0 and labels.dtype.kind in "uif" and all(whole(s, classes, ignore) for s in stretches(labels))


def whole(labels: np.ndarray, classes: int, ignore: float | None) -> bool:
    if one_hot(labels):
        return bool(((labels == 0) | (labels == 1)).all() and (labels.sum(axis=3) == 1).all())
    right = (labels >= 0) & (labels < classes) & (labels == np.floor(labels))
    return bool((right if ignore is None else right | is_ignored(labels, ignore)).all())


def is_ignored(labels: np.ndarray, ignore: float) -> np.ndarray:
    """Returns which labels are the one that stands for none; NaN is equal to itself here."""
    return np.asarray(np.isnan(labels) if math.isnan(ignore) else labels == ignore)


def classes_given(outputs: np.ndarray, logits: bool) -> np.ndarray:
    """Returns the class that each pixel is given, (n, H, W): that of the highest score, the first of equals; of one
    column 1 over a probability of ½, or a logit of 0.
    """
    if one_column_each(outputs):
        return (outputs.reshape(outputs.shape[:3]) > (0.0 if logits else 0.5)).astype(np.int64)
    return outputs.argmax(axis=3)


def classes_labelled(labels: np.ndarray, ignore: float | None) -> np.ndarray:
    """Returns the class of each pixel, (n, H, W); −1 where it has none."""
    if one_hot(labels):
        return labels.argmax(axis=3)
    flat = labels.reshape(labels.shape[:3])
    return flat.astype(np.int64) if ignore is None else np.where(flat == ignore, -1, flat).astype(np.int64)


def why_no_masks(labels: np.ndarray, output: np.ndarray, ignore: float | None) -> str:
    """Returns what keeps labels that look like masks from being such, and what to do; "" where they do not look so."""
    if (frames := frame_labels(labels, output)) is not None:
        return (
            why_no_masks(frames, as_clips(output), ignore)
            .replace("pixel", "frame")
            .replace("masks hold", "labels hold")
        )
    if labels.ndim == 2 and labels.dtype.kind in "ui" and output.ndim == 3 and labels.shape[1] > 1:
        told = f"labels of {labels.shape[1]} frames are held against an output of {output.shape[1]}"
        return f"{told}: bring a label for each frame of the output, (samples, frames, classes)"
    if labels.ndim not in (3, 4) or labels.dtype.kind not in "uif" or output.ndim not in (3, 4):
        return ""
    if (classes := classes_of(labels, output)) == 0:
        return why_no_shape(labels.shape[:3], output.shape)
    low, high = float(labels.min()), float(labels.max())
    if classes == 2 and (low, high) == (0, FULL) and set(np.unique(labels[:8])) <= {0, FULL}:
        return f"masks of 0 and {FULL}: divide them by {FULL}, so that they hold 0 and 1"
    told = f"masks hold a class, 0 to {classes - 1}, for each pixel, and these hold {low:g} to {high:g}"
    given = "" if ignore is None else f" beside {ignore:g}, which is ignored"
    where = f"write ignore = {low if low < 0 else high:g} where its metrics stand, under [metrics] or [heads.NAME]"
    return f"{told}{given}; where a label says that a pixel has no class, {where}"


def why_no_shape(pixels: tuple[int, ...], output: tuple[int, ...]) -> str:
    size = " × ".join(map(str, pixels[1:]))
    if len(output) == 4 and output[2:] == pixels[1:]:
        return "scores of classes stand last, (samples, height, width, classes): end the model with a Permute"
    if len(output) == 4 or output[1:] != pixels[1:]:
        theirs = " × ".join(map(str, output[1:3]))
        fixed = f"end the model with a Resizing layer to {size}, or store the masks at {theirs}, by nearest neighbour"
        return f"masks of {size} pixels are held against an output of {theirs}: {fixed}"
    return ""
