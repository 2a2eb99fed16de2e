"""The large arrays in a run's folder: its test set and its baseline, as .npy files that are mapped where they are read.

test/input-<n>.npy, test/labels.npy    as stored; what was a whole mapped file already is linked, and takes no room
test/labels-<n>.npy                    the labels of output n, where labels are not of the scored one alone
test/clips.npy, test/groups.npy        int32, the clip and the group of each sample, where the data have any
test/queries.npy, test/pairs.npy       of embeddings: bool, which samples ask; int64, the pairs that are verified
test/numbers.npy                       int32, of each sample in the user's own order, where the run shuffled them
baseline.npy, or baseline-<n>.npy      float32, one an output of the model
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from harness.data.on_disk import LABELS, MARKS, NUMBERS, PAIRS, TEST, head_file, mark_file, run_input_file
from harness.errors import StoreError, Unreadable
from harness.records import Dataset, Head, Labelled
from harness.support.arrays import keep_npy, map_npy
from harness.support.cache import file_sha256
from harness.support.foreign import read_npz

LABELLED = "labels"
MARK_FILES = (*MARKS, NUMBERS, PAIRS)
PACKED_BYTES = 4 << 30  # read whole, as it was written whole
PACKED = "test.npz"  # a whole test set, in a run of schema 1
USELESS = "the run cannot be used without it"

TestSet = tuple[tuple[np.ndarray, ...], np.ndarray | None]  # inputs and labels


def keep_test_set(path: Path, dataset: Dataset, outputs: Sequence[str] = ()) -> None:
    """outputs: the names of the model's."""
    (path / TEST).mkdir()
    for n, array in enumerate(dataset.test_inputs):
        keep_npy(run_input_file(path, n), array)
    if dataset.test_labels is not None:
        keep_npy(path / TEST / LABELS, dataset.test_labels)
    for name, head in dataset.heads.items():
        keep_npy(head_file(path / TEST, outputs.index(name)), head.labels)
    marks = (dataset.clips, dataset.groups, dataset.queries, dataset.numbers, dataset.pairs)
    for mark, of_each in zip(MARK_FILES, marks, strict=True):
        if of_each is not None:
            keep_npy(mark_file(path / TEST, mark), of_each)


def read_marks(path: Path) -> dict[str, np.ndarray | None]:
    """Returns clips, groups, queries, numbers and pairs, by these names; None for what the run has not."""
    files = {mark: mark_file(path / TEST, mark) for mark in MARK_FILES}
    return {mark: read_array(file) if file.exists() else None for mark, file in files.items()}


def read_test_set(path: Path, inputs: int, labelled: bool) -> TestSet:
    arrays = tuple(read_array(run_input_file(path, n)) for n in range(inputs))
    return arrays, read_array(path / TEST / LABELS) if labelled else None


def read_heads(path: Path, heads: Mapping[str, Head], outputs: Sequence[str]) -> dict[str, Labelled]:
    """Returns the labels of the outputs beside the scored one. outputs: the names of the model's."""
    files = {name: head_file(path / TEST, outputs.index(name)) for name in heads}
    return {name: Labelled(read_array(file), heads[name].class_names) for name, file in files.items()}


def read_packed(path: Path, inputs: int, labelled: bool) -> TestSet:
    """Reads the test set of a run of schema 1, whole."""
    names = [f"input{n}" for n in range(inputs)]
    try:
        found = read_npz(path / PACKED, [*names, LABELLED][: inputs + labelled], PACKED_BYTES)
    except KeyError as error:
        raise StoreError(f"{path / PACKED} lacks an array: {error}", USELESS) from error
    except (OSError, Unreadable) as error:
        raise StoreError(f"{path / PACKED} cannot be read: {error}", USELESS) from error
    return tuple(found[name] for name in names), found.get(LABELLED)


def keep_baseline(path: Path, outputs: Sequence[np.ndarray]) -> None:
    for n, output in enumerate(outputs):
        keep_npy(path / baseline_name(n, len(outputs)), output)


def baseline_sha256(path: Path) -> str:
    """Returns the hash over all outputs, in their order."""
    return hashlib.sha256(b"".join(file_sha256(file).encode() for file in baseline_files(path))).hexdigest()


def baseline_files(path: Path) -> list[Path]:
    return sorted(path.glob("baseline*.npy"), key=lambda file: (len(file.name), file.name))


def read_baseline(path: Path) -> tuple[np.ndarray, ...]:
    names = baseline_files(path)
    if not names:
        raise StoreError(f"{path} has no baseline.npy", USELESS)
    return tuple(map(read_array, names))


def read_array(path: Path) -> np.ndarray:
    """Maps an array. Raises StoreError."""
    try:
        return map_npy(path)
    except (OSError, ValueError) as error:
        raise StoreError(f"{path} cannot be read: {error}", USELESS) from error


def baseline_name(n: int, count: int) -> str:
    return "baseline.npy" if count == 1 else f"baseline-{n}.npy"
