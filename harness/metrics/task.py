"""Which of a model's outputs is scored, and what its numbers are: scores of classes, or numbers as such."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from harness.errors import ConfigError
from harness.records.terms import Task
from harness.support import arrays
from harness.support.arrays import let_go

LABELLED: tuple[Task, ...] = ("classification",)
SEVERAL: tuple[Task, ...] = ("multilabel",)
MASKS: tuple[Task, ...] = ("segmentation",)
FRAMES: tuple[Task, ...] = ("frames",)
TEXTS: tuple[Task, ...] = ("transcription",)
ANOMALIES: tuple[Task, ...] = ("anomaly",)
EMBEDDINGS: tuple[Task, ...] = ("embedding",)
UNLABELLED: tuple[Task, ...] = ("agreement", "distance")
ANY: tuple[Task, ...] = ("custom",)  # what only a user's metric understands
MAY_LACK: tuple[Task, ...] = ("detection", *ANY)  # labels: answers may be held against the baseline's alone
EACH_PLACE = (*MASKS, *FRAMES)  # a class for each pixel, or frame
STRETCH_VALUES = 4_000_000  # worked through at a time, so that what is made of them stays small
OUTSIDE = 1e-3  # further outside 0 to 1 than rounding takes a probability


def output_index(name: str, names: Sequence[str]) -> int:
    """Returns the index of the output of that name; "" is the first. Raises ConfigError."""
    if not name:
        return 0
    if name not in names:
        message = f"the model has no output {name!r} to score"
        raise ConfigError(message, f"its outputs are {', '.join(names) or 'not named: leave [metrics] output out'}")
    return list(names).index(name)


def one_column(outputs: np.ndarray) -> bool:
    """Returns whether there is a single number a sample."""
    return outputs.ndim == 1 or outputs.shape[1:] == (1,)


def one_column_each(outputs: np.ndarray) -> bool:
    """Returns whether there is a single number a pixel, of outputs (samples, H, W, …)."""
    return outputs.ndim == 3 or outputs.shape[3:] == (1,)


def class_count(outputs: np.ndarray) -> int:
    """Returns how many classes an output has scores for: two in one column, 0 where its numbers are not scores."""
    return 2 if one_column(outputs) else outputs.shape[1] if outputs.ndim == 2 else 0


def several_labels(labels: np.ndarray, outputs: np.ndarray) -> bool:
    """Returns whether each sample has several labels, each 0 or 1, and as many numbers of the output."""
    table = labels.ndim == 2 and labels.shape[1] > 1 and labels.dtype.kind in "uif"
    return table and labels.shape == outputs.shape and whole_below(labels, 2)


def whole_below(labels: np.ndarray, count: int) -> bool:
    """Returns whether there are labels, and all are whole numbers from 0 to count − 1."""
    whole = (((s >= 0) & (s < count) & (s == np.floor(s))).all() for s in stretches(labels))
    return len(labels) > 0 and all(whole)


def said_yes(outputs: np.ndarray, logits: bool) -> np.ndarray:
    """Returns which labels each sample is given, bool, (samples, labels): those over a probability of ½, or a logit of
    0, as Keras' BinaryAccuracy has it.
    """
    return np.asarray(outputs > (0.0 if logits else 0.5))


def as_scores(outputs: np.ndarray, logits: bool) -> np.ndarray:
    """Returns scores of classes, (samples, classes). One column becomes two classes: (1 − p, p), or (0, logit).

    Class 1 over a probability of ½, or a logit of 0: at either it is class 0, as Keras' BinaryAccuracy and
    scikit-learn's classifiers have it. logits: whether the baseline's are such.
    """
    if not one_column(outputs):
        return outputs
    column = outputs.reshape(-1)
    other = np.zeros_like(column) if logits else (1 - column).astype(column.dtype)
    return np.stack([other, column], axis=1)


def are_logits(outputs: np.ndarray) -> bool:
    """Returns whether some score lies outside 0 to 1, as no probability does."""
    return any(((stretch < -OUTSIDE) | (stretch > 1 + OUTSIDE)).any() for stretch in stretches(outputs))


def finite(rows: np.ndarray) -> np.ndarray:
    """Returns whether every number of each row is finite."""
    return np.asarray(np.isfinite(rows.reshape(len(rows), -1)).all(axis=1))


def probabilities(scores: np.ndarray) -> np.ndarray:
    """Returns the softmax of logits, (samples, classes): divergences and calibration need probabilities."""
    powers = np.exp(scores.astype(np.float64) - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def stretches(array: np.ndarray) -> Iterator[np.ndarray]:
    """Goes through the rows, as many at a time as hold no more than STRETCH_VALUES."""
    return arrays.stretches(array, STRETCH_VALUES * array.itemsize)


def rows_at_a_time(array: np.ndarray) -> int:
    return max(1, STRETCH_VALUES // max(1, int(np.prod(array.shape[1:]))))


def row_by_row(function: Callable[..., np.ndarray], *tables: np.ndarray) -> np.ndarray:
    """Returns function(*tables), one value a row, computed a stretch of rows at a time."""
    rows = rows_at_a_time(tables[0])
    parts = []
    for first in range(0, len(tables[0]), rows):
        parts.append(function(*(a[first : first + rows] for a in tables)))
        for array in tables:
            let_go(array)
    return np.concatenate(parts) if parts else function(*tables)
