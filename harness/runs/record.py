"""A run while it is measured: begun, filled piece by piece, sealed at its end; and one that goes on."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np

from harness.errors import StoreError
from harness.records import Dataset, TargetRecord, Variant
from harness.runs import seal
from harness.runs.header import SEALED_SINCE, Header, header_bytes, schema_of
from harness.runs.loading import check_seal, read_dataset
from harness.runs.run_arrays import baseline_sha256, keep_baseline, keep_test_set
from harness.runs.signature import SIGNATURE
from harness.runs.spent import Stopwatch
from harness.support.cache import file_sha256
from harness.support.files import copy, part_beside, remove_leftovers_of, write_atomically
from harness.support.locks import locked


class Record:
    """A run while it is measured: what it is, and where its pieces go.

    noted: the hashes of its parts so far. watch: what its time went to.
    """

    def __init__(self, path: Path, header: Header, noted: Mapping[str, seal.Prints] | None = None) -> None:
        self.path = path
        self.header = header
        self.watch = Stopwatch(path)
        self.was_finished = header.finished
        self._noted = dict(noted or {})
        self._inodes = {part: (path / part).stat().st_ino for part in self._noted if (path / part).exists()}

    @cached_property
    def dataset(self) -> Dataset:
        """The test set as it is stored, mapped: what is measured on is what the run keeps. Raises StoreError."""
        return read_dataset(self.path, self.header)

    def raw(self, target: str) -> Path:
        return self.path / "raw" / target

    def note(self, record: TargetRecord) -> None:
        """Saves what is known of a target: its environment, the bytes sent to it."""
        targets = tuple(record if t.target.name == record.target.name else t for t in self.header.targets)
        self.save(replace(self.header, targets=targets))

    def arrived(self, target: str) -> None:
        """Hashes the pieces of a target that were put in place since it was asked last."""
        for entry in os.scandir(self.raw(target)):
            part = f"raw/{target}/{entry.name}"
            if entry.inode() == self._inodes.get(part) or entry.name.endswith(".part"):
                continue
            if entry.is_dir(follow_symlinks=False):
                self._noted[part] = seal.note_arrival(self.path, part, self._noted.get(part))
                self._inodes[part] = entry.inode()

    def replaces(self, target: str, job_id: str) -> None:
        """Takes back what is noted of a piece, before another takes its place: a kill between the two is then none of
        somebody who changed it.
        """
        part = f"raw/{target}/{job_id}"
        if self._noted.pop(part, None):
            seal.withdraw(self.path, part)

    def finish(self) -> None:
        """Seals the run, says that it is finished, and makes it the latest of its experiment. One that an older version
        began is not sealed: nobody saw what became of it since.
        """
        header = replace(self.header, finished=True)
        if header.schema_version >= SEALED_SINCE:
            seal.seal(self.path, header.run_id, header_bytes(header), self._noted)
        self.save(header)
        (self.path / seal.ARRIVED).unlink(missing_ok=True)
        if header.plan.accuracy:
            point_latest(self.path)

    def save(self, header: Header) -> None:
        self.header = header
        write_atomically(self.path / seal.HEADER, header_bytes(header))


def begun(path: Path, header: Header, dataset: Dataset, baseline: Sequence[np.ndarray]) -> tuple[Header, seal.Prints]:
    """Fills a folder with what a new run begins with. Returns its header, and what is noted of it."""
    (path / "variants").mkdir()
    for variant in header.variants:
        if variant.path:
            copy(variant.path, path / "variants" / f"{variant.name}.tflite")
    keep_test_set(path, dataset, header.output_names)
    keep_baseline(path, baseline)
    variants = tuple(replace(v, path=v.path and Path("variants") / f"{v.name}.tflite") for v in header.variants)
    labelled, hashes = dataset.test_labels is not None, header.hashes | {"baseline": baseline_sha256(path)}
    known = replace(header, variants=variants, labelled=labelled, hashes=hashes)
    header = replace(known, schema_version=schema_of(header), finished=False)
    Record(path, header).save(header)
    return header, seal.note_arrival(path, seal.BEGUN)


def again(path: Path, header: Header) -> Record:
    """Returns a run to go on with, where it is what was stored. A finished one is sealed anew at its end.

    Raises StoreError.
    """
    if not header.finished:
        check_seal(path, header)
        if noted := seal.check_arrived(path):
            seal.remove_unproved(path, noted)
        return Record(path, header, noted)
    if (path / SIGNATURE).exists():
        told = f"{header.run_id} is finished and signed: it stays as it is"
        raise StoreError(told, f"remove {SIGNATURE} first, or start a new run")
    if not check_seal(path, header):
        seal.reopen(path)
    record = Record(path, header, seal.arrived(path))
    record.save(replace(header, finished=False))
    (path / seal.MANIFEST).unlink(missing_ok=True)
    return record


@contextmanager
def measuring(path: Path) -> Iterator[None]:
    """Holds a run while it is measured. Raises StoreError where another process does, and says who."""
    with locked(path / "run.lock", f"run {path.name}"):
        yield


def check_unchanged(record: Record) -> None:
    """Raises StoreError where test set, models or baseline are not those that the run began with."""
    header = record.header
    check_models(record.path, header.variants, header.hashes)
    if header.schema_version > 1 and read_dataset(record.path, header).test_sha256 != header.hashes["test"]:
        raise StoreError(f"{record.path}/test is not the test set that this run began with", "start a new run")


def check_models(path: Path, variants: Sequence[Variant], hashes: Mapping[str, str]) -> None:
    """Raises StoreError where a .tflite file in the run's folder, or its baseline, is another than was measured."""
    for variant in variants:
        file = variant.path and path / variant.path
        if file and file.exists() and file_sha256(file) != variant.sha256:
            raise StoreError(f"{file} is not the file that was measured", "bring that back, or start a new run")
    if hashes.get("baseline", (now := baseline_sha256(path))) != now:
        raise StoreError(f"{path}: the baseline is not the one that was measured against", "start a new run")


def point_latest(path: Path) -> None:
    """Sets the relative link results/<experiment>/latest in one step. A file system without links goes without."""
    latest = path.parent / "latest"
    remove_leftovers_of(latest)
    link = part_beside(latest)
    with suppress(OSError):
        link.symlink_to(path.name)
        link.replace(latest)
