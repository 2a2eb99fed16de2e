"""A test set in an order that a seed shuffles: the first samples of it are then a sample of what all of them are of."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np

from harness.errors import DataError
from harness.records import Dataset
from harness.support.arrays import pick

MOST_BYTES = 2 << 30  # of a test set's inputs: the new order is made in memory
WITHOUT = "leave out --until-decided: the whole test set is then asked, in its own order"


def shuffled(dataset: Dataset, seed: int) -> Dataset:
    """Returns the dataset with its test samples in the new order, and of each its number in the old one.

    Raises DataError where single samples cannot be put into another order, or say nothing of accuracy.
    """
    check_apart(dataset)
    numbers = np.array(random.Random(f"{seed}/order").sample(range(dataset.test_count), dataset.test_count), np.int32)
    labels = None if dataset.test_labels is None else dataset.test_labels[numbers]
    inputs = tuple(pick(array, numbers) for array in dataset.test_inputs)
    return replace(dataset, test_inputs=inputs, test_labels=labels, numbers=numbers)


def check_apart(dataset: Dataset) -> None:
    """Raises DataError for clips, groups, no labels, and what is too large to be shuffled."""
    if dataset.clips is not None or dataset.groups is not None:
        raise DataError("samples that belong together cannot be asked one by one until a rule is decided", WITHOUT)
    if dataset.queries is not None or dataset.pairs is not None:
        raise DataError("queries, a gallery and pairs are asked as a whole, not until a rule is decided", WITHOUT)
    if dataset.heads:
        told = f"a run until decided needs one labelled output, and {1 + len(dataset.heads)} have labels"
        raise DataError(told, f"{WITHOUT}; or give the labels of one output alone")
    if dataset.test_labels is None:
        raise DataError("without labels there is no accuracy by which a run could be decided early", WITHOUT)
    size = sum(array.nbytes for array in dataset.test_inputs)
    if size > MOST_BYTES:
        told = f"the test set takes {size / 2**30:.1f} GiB, and up to {MOST_BYTES >> 30} GiB can be shuffled"
        raise DataError(told, WITHOUT)
