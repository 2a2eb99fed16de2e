"""Labels as people store them → class numbers or real numbers, and the classes' names.

Integers are class numbers, of shape (n,) or (n, 1); so are one-hot rows, and text, by its place among the names. Floats
are numbers to predict, except where names are given and every one is whole; the build, which knows the model's outputs,
takes further ones for classes. Integers of other shapes, and negative ones, stay as they are: a metric of the user's
own may know them. Names are of one class a sample, of boxes, or of
masks: of other labels there are none.
"""

from __future__ import annotations

import numpy as np

from harness.errors import DataError
from harness.support.arrays import stretches
from harness.support.format import nearest

MOST_CLASSES = 100_000  # larger integers are amounts, not class numbers

Labels = np.ndarray | None


def settle(test: Labels, training: Labels, names: tuple[str, ...]) -> tuple[Labels, Labels, tuple[str, ...]]:
    """Returns test labels, training labels and class names, () for a regression.
    names: as given, () where they are not.

    Raises DataError for text that is not one of the names, and for integers that cannot be class numbers.
    """
    given = names
    plain = [None if labels is None else plain_labels(labels, names) for labels in (test, training)]
    present = [labels for labels in plain if labels is not None]
    names = names or (names_of(present) if present else ())
    settled = [None if labels is None else class_numbers(labels, names) for labels in plain]
    one_each = all(labels.ndim == 1 for labels in settled if labels is not None)
    if not one_each and all(map(of_masks, present)):
        return settled[0], settled[1], given
    return settled[0], settled[1], names if one_each or all(map(of_boxes, present)) else ()


def of_boxes(labels: np.ndarray) -> bool:
    """Returns whether they may be rows of a box and its class, several a sample, as [detection] takes them."""
    return labels.ndim == 3 and labels.dtype.kind == "f" and labels.shape[2] >= 5


def of_masks(labels: np.ndarray) -> bool:
    """Returns whether they may be a class for each pixel. Names that were given stay with them: the build, which knows
    the model's outputs, drops those of what is none.
    """
    return labels.ndim in (3, 4) and not of_boxes(labels)


def plain_labels(labels: np.ndarray, names: tuple[str, ...] = ()) -> np.ndarray:
    """Converts text to str, booleans to 0 and 1, one-hot rows to class numbers, one class number a row to (n,);
    where classes have names, one float a row, too.
    """
    if labels.dtype.kind == "S":
        labels = decode_text(labels)
    if labels.dtype.kind == "b":
        labels = labels.astype(np.uint8)
    if labels.dtype == np.uint64:  # which numpy cannot count or index by
        labels = labels.astype(np.int64)
    if labels.dtype.kind in "uiU" and labels.ndim == 2 and labels.shape[1] == 1:
        return labels[:, 0]
    if labels.dtype.kind == "f" and names and labels.ndim == 2 and labels.shape[1] == 1:
        return labels[:, 0]
    return np.concatenate([s.argmax(axis=1) for s in stretches(labels)]) if is_one_hot(labels) else labels


def decode_text(labels: np.ndarray) -> np.ndarray:
    try:
        return np.char.decode(labels, "utf-8")
    except UnicodeDecodeError as error:
        message = f"some labels are bytes that are not UTF-8, such as {error.object!r}"
        raise DataError(message, "store them as str, or as class numbers") from error


def is_one_hot(labels: np.ndarray) -> bool:
    """Returns whether every row, of two or more numbers, holds a single 1 and otherwise 0."""
    if labels.dtype.kind not in "uif" or labels.ndim != 2 or labels.shape[1] < 2 or len(labels) == 0:
        return False
    return all(((s == 0) | (s == 1)).all() and ((s == 1).sum(axis=1) == 1).all() for s in stretches(labels))


def names_of(label_sets: list[np.ndarray]) -> tuple[str, ...]:
    """Returns the classes of labels whose names were not given: text sorted, numbers from 0, none for real numbers."""
    first = label_sets[0]
    if first.ndim != 1:
        return ()
    if first.dtype.kind == "U":
        return tuple(np.unique(first).tolist())
    numbers = [labels for labels in label_sets if labels.dtype.kind in "ui" and labels.size]
    if first.dtype.kind not in "ui" or not numbers or min(int(labels.min()) for labels in numbers) < 0:
        return ()
    highest = max(int(labels.max()) for labels in numbers)
    return numbered(highest + 1) if highest < MOST_CLASSES else ()


def class_numbers(labels: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """Converts text to its place among the names; integers without names are amounts;
    whole floats with names, class numbers.
    """
    if labels.dtype.kind == "U":
        if labels.ndim > 1:
            raise DataError(f"the labels are text of shape {labels.shape}", "give one class a sample, or numbers")
        places = {name: n for n, name in enumerate(names)}
        unknown = next(((n, text) for n, text in enumerate(labels.tolist()) if text not in places), None)
        if unknown:
            message = f"sample {unknown[0]} is labelled {unknown[1]!r}, which is not one of the classes"
            raise DataError(message, nearest(unknown[1], names, "[data] labels names them in order; they are"))
        return np.array([places[text] for text in labels.tolist()], dtype=np.int64)
    if labels.ndim == 1 and labels.dtype.kind in "ui" and not names and labels.size and labels.min() >= 0:
        return labels.astype(np.float64)
    if labels.dtype.kind == "f" and names and labels.size and (labels == np.floor(labels)).all():
        return labels.astype(np.int64)
    return labels


def numbered(count: int) -> tuple[str, ...]:
    """Returns the names of classes that have none."""
    return tuple(str(n) for n in range(count))


def extend_names(names: tuple[str, ...], count: int) -> tuple[str, ...]:
    """Names that are only the numbers of the classes that occur, up to `count` classes: the last ones may not occur."""
    counted = names == numbered(len(names))
    return numbered(count) if names and counted and len(names) < count else names
