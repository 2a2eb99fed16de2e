"""Samples on disk: an .npy file an input, one for the labels of an output. They are written batch by batch and
mapped, never read whole, so that a set may be larger than memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import numpy as np
from pydantic import TypeAdapter

from harness.errors import DataError
from harness.support.arrays import map_npy
from harness.support.cache import read_kept
from harness.support.files import naming

ABOUT, LABELS = "samples.json", "labels.npy"
MARKS = ("clips", "groups", "queries")
PAIRS = "pairs"
NUMBERS = "numbers"  # of a run's test samples in the user's own order, where the run shuffled them
TEST = "test"  # the folder of the test set in a run
Labels = np.ndarray | Mapping[str, np.ndarray] | None


@dataclass(frozen=True)
class Samples:
    """Samples as a folder of the cache holds them."""

    inputs: tuple[np.ndarray, ...]
    labels: np.ndarray | None  # as they are stored; None where there are none
    names: tuple[str, ...] = ()  # of the inputs, where there are several
    class_names: tuple[str, ...] = ()  # the class folders that the samples came from
    columns: tuple[str, ...] = ()  # the feature columns that they came from
    labels_of: str = ""  # the output that the labels were given for by its name
    clips: np.ndarray | None = None  # which clip each is of, as it is stored: numbers or texts, (samples,)
    groups: np.ndarray | None = None  # which group, the same
    queries: np.ndarray | None = None  # whether it asks the others, the same
    pairs: np.ndarray | None = None  # which are verified, as they are stored
    heads: Mapping[str, np.ndarray] = field(default_factory=dict)  # the labels of further outputs, by their names


@dataclass(frozen=True)
class About:
    """What samples.json holds: what the arrays beside it are. The others as Samples has them."""

    count: int  # of inputs
    names: tuple[str, ...] = ()
    class_names: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    labelled: tuple[str, ...] = ()  # the outputs that labels were given for by their names, the scored one first


_ABOUT = TypeAdapter(About)


def input_file(folder: Path, n: int) -> Path:
    """Returns the file of input n of samples in the cache."""
    return folder / f"input{n}.npy"


def head_file(folder: Path, n: int) -> Path:
    """Returns the file of the labels of a further output: in the cache the n-th of them, in a run output n."""
    return folder / f"labels-{n}.npy"


def mark_file(folder: Path, mark: str) -> Path:
    """Returns the file of one of MARKS, or "numbers" or "pairs", of samples in the cache or in a run."""
    return folder / f"{mark}.npy"


def run_input_file(run: Path, n: int) -> Path:
    """Returns the file of input n of the test set that a run keeps in its folder."""
    return run / TEST / f"input-{n}.npy"


def write_about(
    folder: Path,
    names: tuple[str, ...],
    class_names: tuple[str, ...] = (),
    columns: tuple[str, ...] = (),
    labelled: Sequence[str] = (),
) -> None:
    """Writes what the arrays in the folder are. names: one an input; a single one needs no name. labelled: the outputs
    that labels were given for by their names, the scored one first.
    """
    about = About(len(names), names if len(names) > 1 else (), class_names, columns, tuple(labelled))
    with naming(folder / ABOUT):
        (folder / ABOUT).write_bytes(_ABOUT.dump_json(about))


def read_samples(folder: Path) -> Samples:
    """Maps the samples that were written."""
    about = read_kept(folder / ABOUT, _ABOUT)
    inputs = tuple(map_npy(input_file(folder, n)) for n in range(about.count))
    labels = map_npy(folder / LABELS) if (folder / LABELS).exists() else None
    marks = {mark: map_npy(file) for mark in MARKS if (file := mark_file(folder, mark)).exists()}
    labels_of, *others = about.labelled or ("",)
    heads = {name: map_npy(head_file(folder, n)) for n, name in enumerate(others)}
    return Samples(inputs, labels, about.names, about.class_names, about.columns, labels_of, heads=heads, **marks)


class ArrayWriter:
    """Appends batches to an .npy file whose length is known only at its end: numpy's header has room for it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file = path.open("wb")
        self.form: tuple[np.dtype, tuple[int, ...]] | None = None
        self.count = 0

    def add(self, batch: np.ndarray) -> None:
        form = (batch.dtype, batch.shape[1:])
        if self.form is None:
            self.form = form
            with naming(self.path):
                self._write_header()
        if form != self.form:
            message = "sample {} is {} of shape {}, those before it are {} of shape {}"
            message = message.format(self.count, *form, *self.form)
            raise DataError(message, "give every sample the same dtype and shape")
        with naming(self.path):
            self.file.write(np.ascontiguousarray(batch).data)
        self.count += len(batch)

    def close(self) -> None:
        with naming(self.path), self.file:
            if self.form is not None:
                self.file.seek(0)
                self._write_header()

    def _write_header(self) -> None:
        assert self.form
        dtype, shape = self.form
        header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": (self.count, *shape)}
        np.lib.format.write_array_header_1_0(self.file, header)


class SamplesWriter:
    """Fills a folder with batches of samples: `inputs` by name, the same in every batch, and their labels or None."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.names: tuple[str, ...] = ()
        self._inputs: list[ArrayWriter] = []
        self._labels: list[ArrayWriter] | None = None
        self.labelled: tuple[str, ...] = ()

    def __enter__(self) -> SamplesWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for writer in [*self._inputs, *(self._labels or ())]:
            writer.close()

    def add(self, inputs: Mapping[str, np.ndarray], labels: Labels = None) -> None:
        """Appends a batch. labels: an array, or by the name of the output one each, the scored one first. Raises
        DataError where it differs in form from those before it.
        """
        labels = {"": labels} if isinstance(labels, np.ndarray) else labels
        if not self._inputs:
            self._begin(tuple(inputs), labels)
        if set(inputs) != set(self.names):
            message = f"a batch has the inputs {', '.join(inputs)}, those before it {', '.join(self.names)}"
            raise DataError(message, "give every batch the same inputs")
        if (labels is None) != (self._labels is None):
            raise DataError("some batches have labels and some have none", "give all of them labels, or none")
        for name, writer in zip(self.names, self._inputs, strict=True):
            writer.add(inputs[name])
        if self._labels is None or labels is None:
            return
        if set(labels) != set(self.labelled):
            message = f"a batch has labels of {', '.join(labels)}, those before it of {', '.join(self.labelled)}"
            raise DataError(message, "give every batch labels of the same outputs")
        for name, writer in zip(self.labelled, self._labels, strict=True):
            writer.add(labels[name])

    def _begin(self, names: tuple[str, ...], labels: Mapping[str, np.ndarray] | None) -> None:
        self.names = names
        self._inputs = [ArrayWriter(input_file(self.folder, n)) for n in range(len(names))]
        if labels is not None:
            self.labelled = tuple(labels)
            files = [self.folder / LABELS, *(head_file(self.folder, n) for n in range(len(labels) - 1))]
            self._labels = [ArrayWriter(file) for file in files]
