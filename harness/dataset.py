"""What a model is tested on: inputs as they are stored, the affine that makes them model inputs, and labels."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from harness.arrays import pick, stretches
from harness.device.tensors import to_model_input
from harness.errors import DataError
from harness.records import Affine

FROM_1 = "labels begin at 1: subtract 1"


@dataclass(frozen=True, eq=False)  # arrays do not compare to one bool; the hashes below do
class Dataset:
    """Training and test samples, one array an input of the model, first axis the sample, dtype as stored.

    Arrays may be memory-mapped, and larger than memory. train_labels is None where the training samples serve
    calibration alone; test_labels where there are none to score by. class_names is empty where the labels are not
    classes. affines: one an input. source: where the samples came from, in words for the report. input_names: of the
    model's inputs, in the order of the arrays; () where the arrays are in the model's own order.
    """

    name: str
    train_inputs: tuple[np.ndarray, ...]
    train_labels: np.ndarray | None
    test_inputs: tuple[np.ndarray, ...]
    test_labels: np.ndarray | None
    affines: tuple[Affine, ...]
    class_names: tuple[str, ...]
    source: str
    input_names: tuple[str, ...] = ()

    @property
    def test_count(self) -> int:
        return len(self.test_inputs[0])

    @cached_property
    def train_sha256(self) -> str:
        """Hash of the training samples and labels: dtypes, shapes and bytes."""
        return _sha256(*self.train_inputs, self.train_labels)

    @cached_property
    def test_sha256(self) -> str:
        """Hash of the test samples and labels: dtypes, shapes and bytes."""
        return _sha256(*self.test_inputs, self.test_labels)

    def calibration(self, count: int = 500, seed: int = 0) -> tuple[np.ndarray, ...]:
        """At most `count` training samples as stored, one array an input; where they are classes, balanced to within
        one sample as long as every class has enough. The test set is never touched. Raises DataError if there are none.
        """
        if not self.train_inputs or len(self.train_inputs[0]) == 0:
            raise DataError(f"{self.name}: no samples to calibrate with", "give training or calibration samples")
        order = np.random.default_rng(seed).permutation(len(self.train_inputs[0]))
        if self.class_names and self.train_labels is not None:
            order = _classes_in_turn(order, self.train_labels)
        return tuple(pick(array, order[:count]) for array in self.train_inputs)

    def model_inputs(self, stored: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
        """Stored samples as float32 model input, one array an input, by the function that the device uses too."""
        return tuple(to_model_input(array, a.scale, a.offset) for array, a in zip(stored, self.affines, strict=True))


def _sha256(*arrays: np.ndarray | None) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        if array is not None:
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            for stretch in stretches(array):
                digest.update(np.ascontiguousarray(stretch).data)
    return digest.hexdigest()


def _classes_in_turn(order: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The same samples, reordered: the first of every class, the second of every class, and so on."""
    by_class = np.argsort(labels[order], kind="stable")
    _, counts = np.unique(labels, return_counts=True)
    turn = np.empty(len(order), dtype=np.int64)
    turn[by_class] = np.concatenate([np.arange(count) for count in counts])
    return order[np.argsort(turn, kind="stable")]


def validate(dataset: Dataset) -> None:
    """Raise DataError where shapes, dtypes, counts or labels cannot be right. What is merely odd passes."""
    if not dataset.test_inputs or dataset.test_count == 0:
        raise DataError(f"{dataset.name}: the test set is empty", "give a test set with at least one sample")
    if len(dataset.affines) != len(dataset.test_inputs):
        raise DataError(
            f"{dataset.name}: {len(dataset.test_inputs)} inputs, but {len(dataset.affines)} affines",
            "declare one scale and offset an input",
        )
    _check_split(dataset, "test", dataset.test_inputs, dataset.test_labels)
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
        _check_numbers(f"{dataset.name}: the {split} labels", labels)
    if labels is not None and dataset.class_names:
        _check_classes(dataset, split, labels)


def _check_numbers(what: str, array: np.ndarray) -> None:
    if array.dtype.kind not in "uif":
        raise DataError(f"{what}: dtype {array.dtype} cannot be used", "store integers or floating-point numbers")
    if array.dtype.kind == "f" and not all(np.isfinite(stretch).all() for stretch in stretches(array)):
        raise DataError(f"{what}: some values are NaN or infinite", "remove or fix those samples")


def _check_classes(dataset: Dataset, split: str, labels: np.ndarray) -> None:
    classes = len(dataset.class_names)
    if labels.ndim != 1 or labels.dtype.kind not in "ui":
        raise DataError(
            f"{dataset.name}: the {split} labels are {labels.dtype} of shape {labels.shape}",
            "class labels are one integer a sample, 0 for the first class",
        )
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < classes:
        told = f"{dataset.name}: the {split} labels run from {labels.min()} to {labels.max()}"
        advice = f"with {classes} classes they must be in 0..{classes - 1}"
        raise DataError(told, f"{FROM_1}; {advice}" if begins_at_1(labels, classes) else advice)


def begins_at_1(labels: np.ndarray, classes: int) -> bool:
    """Whether integers that are too high to be class numbers would be class numbers counted from 1."""
    return len(labels) > 0 and int(labels.min()) >= 1 and int(labels.max()) == classes


def _check_same_form(dataset: Dataset) -> None:
    train, test = (" and ".join(map(_form, arrays)) for arrays in (dataset.train_inputs, dataset.test_inputs))
    if train and train != test:
        raise DataError(
            f"{dataset.name}: the training samples are {train}, but the test samples are {test}",
            "store both in the same dtype, and in the shape that the model takes",
        )


def _form(array: np.ndarray) -> str:
    """One sample in words, such as "uint8 of 28 × 28"."""
    lengths = " × ".join(map(str, array.shape[1:]))
    return f"{array.dtype.name} of {lengths}" if lengths else f"single {array.dtype.name} numbers"
