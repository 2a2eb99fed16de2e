"""What is wrong with a data set: shapes, dtypes, counts or labels that cannot be right."""

from __future__ import annotations

import math

import numpy as np

from harness.errors import DataError
from harness.records import Dataset
from harness.support.arrays import stretches

FROM_1 = "labels begin at 1: subtract 1"


def validate(dataset: Dataset) -> None:
    """Raises DataError where shapes, dtypes, counts or labels cannot be right. What is merely odd passes."""
    if not dataset.test_inputs or dataset.test_count == 0:
        raise DataError(f"{dataset.name}: the test set is empty", "give a test set with at least one sample")
    if len(dataset.affines) != len(dataset.test_inputs):
        raise DataError(
            f"{dataset.name}: {len(dataset.test_inputs)} inputs, but {len(dataset.affines)} affines",
            "declare one scale and offset an input",
        )
    _check_split(dataset, "test", dataset.test_inputs, dataset.test_labels)
    for name in dataset.heads:
        _check_head(dataset.of_head(name), name)
    _check_split(dataset, "training", dataset.train_inputs, dataset.train_labels)
    _check_same_form(dataset)


def _check_split(dataset: Dataset, split: str, inputs: tuple[np.ndarray, ...], labels: np.ndarray | None) -> None:
    arrays = inputs if labels is None else (*inputs, labels)
    counts = sorted({len(array) for array in arrays})
    if len(counts) > 1:
        raise DataError(
            f"{dataset.name}: the {split} arrays hold different numbers of samples: {counts}",
            "every input and the labels need one entry a sample",
        )
    for n, array in enumerate(inputs):
        name = f" {dataset.input_names[n]!r}" if dataset.input_names else ""
        _check_numbers(f"{dataset.name}: the {split} input{name}", array)
    if labels is not None:
        _check_numbers(f"{dataset.name}: the {split} labels", labels, holes=math.prod(labels.shape[1:]) > 1)
    if labels is not None and dataset.class_names and labels.ndim < 3:
        _check_classes(dataset, split, labels)


def _check_head(dataset: Dataset, name: str) -> None:
    try:
        _check_split(dataset, "test", dataset.test_inputs, dataset.test_labels)
    except DataError as error:
        told = f"every output with labels needs one of every sample: {error.advice}, or leave the labels of {name} out"
        raise DataError(f"output {name}: {error}", told) from error


def _check_numbers(what: str, array: np.ndarray, holes: bool = False) -> None:
    """holes: NaN may stand for what was not measured; whether that is said is seen with the metrics."""
    if array.dtype.kind not in "uif":
        raise DataError(f"{what}: dtype {array.dtype} cannot be used", "store integers or floating-point numbers")
    wrong = np.isinf if holes else lambda some: ~np.isfinite(some)
    if array.dtype.kind == "f" and any(wrong(stretch).any() for stretch in stretches(array)):
        raise DataError(f"{what}: some values are {'' if holes else 'NaN or '}infinite", "remove or fix those samples")


def _check_classes(dataset: Dataset, split: str, labels: np.ndarray) -> None:
    classes = len(dataset.class_names)
    if labels.ndim != 1 or labels.dtype.kind not in "ui":
        raise DataError(
            f"{dataset.name}: the {split} labels are {labels.dtype} of shape {labels.shape}",
            "class labels are one integer a sample, 0 for the first class",
        )
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < classes:
        message = f"{dataset.name}: the {split} labels run from {labels.min()} to {labels.max()}"
        advice = f"with {classes} classes they must be in 0..{classes - 1}"
        raise DataError(message, f"{FROM_1}; {advice}" if begins_at_1(labels, classes) else advice)


def begins_at_1(labels: np.ndarray, classes: int) -> bool:
    """Returns whether integers that are too high to be class numbers would be class numbers counted from 1."""
    return len(labels) > 0 and int(labels.min()) >= 1 and int(labels.max()) == classes


def _check_same_form(dataset: Dataset) -> None:
    train, test = (" and ".join(map(_form, arrays)) for arrays in (dataset.train_inputs, dataset.test_inputs))
    if train and train != test:
        raise DataError(
            f"{dataset.name}: the training samples are {train}, but the test samples are {test}",
            "store both in the same dtype, and in the shape that the model takes",
        )


def _form(array: np.ndarray) -> str:
    """Describes one sample, such as "uint8 of 28 × 28"."""
    lengths = " × ".join(map(str, array.shape[1:]))
    return f"{array.dtype.name} of {lengths}" if lengths else f"single {array.dtype.name} numbers"
