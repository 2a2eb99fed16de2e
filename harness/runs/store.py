"""results/ on disk: results/<experiment>/<run-id>/. Files appear whole or not at all; what was measured stays.

History of the schema (run.json, schema_version):
    1   the first: raw/<target>/<job-id>/ as it came, test.npz, baseline.npy, variants/; tables are derived from them
    2   test/input-<n>.npy and test/labels.npy in test.npz's place: mapped, so that the test set may exceed memory
    3   raw/ also holds order audits, one a variant and runtime; a variant tells its activation bytes; test/clips.npy
        and test/groups.npy, where the data have them
    4   a plan may say until_decided: test/ is then in a shuffled order, which test/numbers.npy has, and a case may have
        answered only the first samples of it
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import numpy as np
from pydantic import TypeAdapter

from harness.errors import BuildError, StoreError
from harness.measure.raw import read_piece
from harness.measure.received import check_outputs
from harness.records import (
    BY_DATA,
    Affine,
    Audit,
    Case,
    Dataset,
    Piece,
    Plan,
    Provenance,
    Round,
    Run,
    Scoring,
    Shard,
    TargetRecord,
    Variant,
)
from harness.records.terms import Task
from harness.runs.coherent import check_header, check_run
from harness.runs.run_arrays import (
    baseline_sha256,
    keep_baseline,
    keep_test_set,
    read_baseline,
    read_marks,
    read_packed,
    read_test_set,
)
from harness.support.cache import file_sha256
from harness.support.files import write_json
from harness.support.foreign import read_json, valid

SCHEMA_VERSION = 4
_Piece = TypeVar("_Piece", Round, Shard, Audit)


@dataclass(frozen=True)
class Header:
    """run.json: everything of a run but its arrays. Paths in it are relative to the run's folder."""

    run_id: str
    experiment: str
    task: Task
    class_names: tuple[str, ...]
    affines: tuple[Affine, ...]
    plan: Plan
    variants: tuple[Variant, ...]
    targets: tuple[TargetRecord, ...]
    cases: tuple[Case, ...]
    hashes: dict[str, str]
    provenance: Provenance = field(default_factory=Provenance)
    tune: bool = False  # the devices' governors were set for the run
    labelled: bool = True  # the test set has labels
    scoring: Scoring = BY_DATA  # before it was there, all runs were scored by accuracy, as their data would have it
    output_names: tuple[str, ...] = ()  # of the baseline, one an array
    input_names: tuple[str, ...] = ()  # of the baseline, in the order of the test set's arrays
    finished: bool = False
    schema_version: int = SCHEMA_VERSION


_HEADER = TypeAdapter(Header)


def new_run_id() -> str:
    """Makes a run id that sorts by time: UTC to the second, and four random hexadecimal digits."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


class Record:
    """A run while it is measured: what it is, and where its pieces go."""

    def __init__(self, path: Path, header: Header) -> None:
        self.path = path
        self.header = header

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

    def finish(self) -> None:
        self.save(replace(self.header, finished=True))

    def save(self, header: Header) -> None:
        self.header = header
        write_json(self.path / "run.json", _HEADER.dump_python(header, mode="json"))


class Store:
    """The runs below one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def open(self, header: Header, dataset: Dataset, baseline: Sequence[np.ndarray]) -> Record:
        """Makes a new run's folder, with its variants, test set and baseline in it."""
        path = self.root / header.experiment / header.run_id
        (path / "variants").mkdir(parents=True)
        for variant in header.variants:
            if variant.path:
                shutil.copyfile(variant.path, path / "variants" / f"{variant.name}.tflite")
        keep_test_set(path, dataset)
        keep_baseline(path, baseline)
        variants = tuple(replace(v, path=v.path and Path("variants") / f"{v.name}.tflite") for v in header.variants)
        record = Record(path, header)
        labelled, hashes = dataset.test_labels is not None, header.hashes | {"baseline": baseline_sha256(path)}
        record.save(replace(header, variants=variants, labelled=labelled, hashes=hashes, schema_version=SCHEMA_VERSION))
        if header.plan.accuracy:
            point_latest(path)
        return record

    def reopen(self, reference: str) -> Record:
        path = self.find(reference)
        return Record(path, read_header(path))

    def paths(self) -> list[Path]:
        """Returns the folders of all runs, newest first."""
        folders = [p.parent for p in self.root.glob("*/*/run.json") if not p.parent.is_symlink()]
        return sorted(folders, key=lambda path: path.name, reverse=True)

    def find(self, reference: str) -> Path:
        """Returns the folder of a run: `latest`, a run id, or a path. Raises StoreError.

        `latest` is the newest of all but those in which a gate timed a reference again: they are of another run.
        """
        if (Path(reference) / "run.json").exists():
            return Path(reference).resolve()
        path = self.latest() if reference == "latest" else next((p for p in self.paths() if p.name == reference), None)
        if path is None:
            raise StoreError(f"there is no run {reference!r} in {self.root}", "`harness list` shows the stored runs")
        return path

    def latest(self) -> Path | None:
        """Returns the newest run's folder, or None. One dated into the future, by a clock that ran ahead, comes last. A
        broken one is passed over; where there is nothing else, its StoreError is raised.
        """
        tomorrow = f"{datetime.now(UTC) + timedelta(days=1):%Y%m%d-%H%M%S}"
        unreadable: list[StoreError] = []
        for path in sorted(self.paths(), key=lambda path: path.name > tomorrow):
            try:
                if read_header(path).plan.accuracy:
                    return path
            except StoreError as error:
                unreadable.append(error)
        if unreadable:
            raise unreadable[0]
        return None

    def load(self, reference: str) -> Run:
        return load(self.find(reference))


def load(path: Path, dataset: Dataset | None = None) -> Run:
    """Reads all that a run left, as far as it came.
    dataset: its test set, where that was read before. Raises StoreError.

    Raises StoreError.
    """
    header = read_header(path)
    dataset = dataset or read_dataset(path, header)
    pieces = [read_piece(p) for p in sorted(path.glob("raw/*/*")) if p.is_dir() and p.suffix != ".part"]
    check_outputs(pieces, header.variants)
    run = Run(
        run_id=header.run_id,
        experiment=header.experiment,
        task=header.task,
        class_names=header.class_names,
        plan=header.plan,
        variants=tuple(map(with_activations, absolute_variants(path, header))),
        targets=header.targets,
        cases=header.cases,
        labels=dataset.test_labels,
        inputs=dataset.test_inputs,
        clips=dataset.clips,
        groups=dataset.groups,
        numbers=dataset.numbers,
        baseline=read_baseline(path),
        rounds=of_kind(pieces, Round),
        shards=of_kind(pieces, Shard),
        audits=of_kind(pieces, Audit),
        path=path,
        finished=header.finished,
        provenance=header.provenance,
        hashes=header.hashes,
        scoring=header.scoring,
        output_names=header.output_names,
        affines=header.affines,
        input_names=header.input_names,
    )
    check_run(run)
    return run


def of_kind(pieces: Sequence[Piece], kind: type[_Piece]) -> tuple[_Piece, ...]:
    return tuple(piece for piece in pieces if isinstance(piece, kind))


def read_header(path: Path) -> Header:
    try:
        content = read_json(path / "run.json")
        if content["schema_version"] > SCHEMA_VERSION:
            raise StoreError(
                f"{path} was written by a newer harness (schema {content['schema_version']})", "upgrade edge-harness"
            )
        header = valid(content, _HEADER)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{path}/run.json cannot be read: {error}", "is it a run's folder?") from error
    check_header(str(path), header)
    return header


def read_dataset(path: Path, header: Header) -> Dataset:
    """Maps the test set that the run was measured on; there are no training samples in it. Raises StoreError."""
    read = read_packed if header.schema_version == 1 else read_test_set
    inputs, labels = read(path, len(header.affines), header.labelled)
    known = (inputs, labels, header.affines, header.class_names, str(path))
    clips, groups, numbers = read_marks(path)
    dataset = Dataset(header.experiment, (), None, *known, clips=clips, groups=groups, numbers=numbers)
    if dataset.marks_sha256 != header.hashes.get("marks", ""):
        told = (
            f"{path}/test does not say of which clips and groups its samples are, and in which order, as this run began"
        )
        raise StoreError(told, "bring clips.npy, groups.npy and numbers.npy back, or start a new run")
    return dataset


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


def absolute_variants(path: Path, header: Header) -> tuple[Variant, ...]:
    return tuple(replace(v, path=v.path and path / v.path) for v in header.variants)


def with_activations(variant: Variant) -> Variant:
    """Reads activation_bytes from the .tflite file, where that is still there and the run was stored without it."""
    if variant.activation_bytes is not None or variant.path is None:
        return variant
    from harness.build.artifact import inspect  # flatbuffers: only where an old run is read

    with suppress(OSError, BuildError):
        return replace(variant, activation_bytes=inspect(variant.path).activation_bytes)
    return variant


def point_latest(path: Path) -> None:
    """Sets the relative link results/<experiment>/latest in one step. A file system without links goes without."""
    link = path.parent / f".latest.{os.getpid()}"
    with suppress(OSError):
        link.symlink_to(path.name)
        link.replace(path.parent / "latest")
