"""results/ on disk: results/<experiment>/<run-id>/. Files appear whole or not at all; what was measured stays.

History of the schema (run.json, schema_version):
    1   the first: raw/<target>/<job-id>/ as it came, test.npz, baseline.npy, variants/; tables are derived from them
    2   test/input-<n>.npy and test/labels.npy in test.npz's place: mapped, so that the test set may exceed memory
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import numpy as np
from pydantic import TypeAdapter, ValidationError

from harness.dataset import Dataset
from harness.errors import StoreError
from harness.raw import read_piece
from harness.records import BY_DATA, Affine, Case, Plan, Round, Run, Scoring, Shard, TargetRecord, Variant
from harness.run_arrays import keep_baseline, keep_test_set, read_baseline, read_packed, read_test_set

SCHEMA_VERSION = 2
_Piece = TypeVar("_Piece", Round, Shard)


@dataclass(frozen=True)
class Header:
    """run.json: everything of a run but its arrays. Paths in it are relative to the run's folder."""

    run_id: str
    experiment: str
    task: str
    class_names: tuple[str, ...]
    affines: tuple[Affine, ...]
    plan: Plan
    variants: tuple[Variant, ...]
    targets: tuple[TargetRecord, ...]
    cases: tuple[Case, ...]
    hashes: dict[str, str]
    provenance: dict[str, object] = field(default_factory=dict)
    tune: bool = False  # the devices' governors were set for the run
    labelled: bool = True  # the test set has labels
    scoring: Scoring = BY_DATA  # before it was there, all runs were scored by accuracy, as their data would have it
    output_names: tuple[str, ...] = ()  # of the baseline, one an array
    finished: bool = False
    schema_version: int = SCHEMA_VERSION


_HEADER = TypeAdapter(Header)


def new_run_id() -> str:
    """Sorts by time: UTC to the second, and four hexadecimal digits against a second run in it."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


class Record:
    """A run while it is measured: what it is, and where its pieces go."""

    def __init__(self, path: Path, header: Header) -> None:
        self.path = path
        self.header = header

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
        text = json.dumps(_HEADER.dump_python(header, mode="json"), indent=1)
        write_atomically(self.path / "run.json", text.encode() + b"\n")


class Store:
    """The runs below one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def open(self, header: Header, dataset: Dataset, baseline: Sequence[np.ndarray]) -> Record:
        """A new run's folder, with its variants, test set and baseline in it."""
        path = self.root / header.experiment / header.run_id
        (path / "variants").mkdir(parents=True)
        for variant in header.variants:
            if variant.path:
                shutil.copyfile(variant.path, path / "variants" / f"{variant.name}.tflite")
        keep_test_set(path, dataset.test_inputs, dataset.test_labels)
        keep_baseline(path, baseline)
        moved = tuple(replace(v, path=v.path and Path("variants") / f"{v.name}.tflite") for v in header.variants)
        record = Record(path, header)
        labelled = dataset.test_labels is not None
        record.save(replace(header, variants=moved, labelled=labelled, schema_version=SCHEMA_VERSION))
        if header.plan.accuracy:
            point_latest(path)
        return record

    def reopen(self, reference: str) -> Record:
        path = self.find(reference)
        return Record(path, read_header(path))

    def paths(self) -> list[Path]:
        """The folders of all runs, newest first."""
        found = [p.parent for p in self.root.glob("*/*/run.json") if not p.parent.is_symlink()]
        return sorted(found, key=lambda path: path.name, reverse=True)

    def find(self, reference: str) -> Path:
        """The folder of a run: `latest`, a run id, or a path. Raises StoreError.

        `latest` is the newest of all but those in which a gate timed a reference again: they are of another run.
        """
        if (Path(reference) / "run.json").exists():
            return Path(reference).resolve()
        latest = reference == "latest"
        matching = (p for p in self.paths() if (read_header(p).plan.accuracy if latest else p.name == reference))
        found = next(matching, None)
        if found is None:
            raise StoreError(f"there is no run {reference!r} in {self.root}", "`harness list` shows the stored runs")
        return found

    def load(self, reference: str) -> Run:
        return load(self.find(reference))


def load(path: Path) -> Run:
    """All that a run left, as far as it came. Raises StoreError."""
    header = read_header(path)
    dataset = read_dataset(path, header)
    pieces = [read_piece(folder) for folder in sorted(path.glob("raw/*/*")) if folder.suffix != ".part"]
    return Run(
        run_id=header.run_id,
        experiment=header.experiment,
        task=header.task,
        class_names=header.class_names,
        plan=header.plan,
        variants=absolute_variants(path, header),
        targets=header.targets,
        cases=header.cases,
        labels=dataset.test_labels,
        inputs=dataset.test_inputs,
        baseline=read_baseline(path),
        rounds=of_kind(pieces, Round),
        shards=of_kind(pieces, Shard),
        path=path,
        finished=header.finished,
        provenance=header.provenance,
        hashes=header.hashes,
        scoring=header.scoring,
        output_names=header.output_names,
    )


def of_kind(pieces: Sequence[Round | Shard], kind: type[_Piece]) -> tuple[_Piece, ...]:
    return tuple(piece for piece in pieces if isinstance(piece, kind))


def read_header(path: Path) -> Header:
    try:
        content = json.loads((path / "run.json").read_text())
        if content["schema_version"] > SCHEMA_VERSION:
            raise StoreError(
                f"{path} was written by a newer harness (schema {content['schema_version']})", "upgrade edge-harness"
            )
        header: Header = _HEADER.validate_python(content)
    except (OSError, ValueError, KeyError, TypeError, ValidationError) as error:
        raise StoreError(f"{path}/run.json cannot be read: {error}", "is it a run's folder?") from error
    return header


def read_dataset(path: Path, header: Header) -> Dataset:
    """The test set that the run was measured on, mapped; it holds no training samples. Raises StoreError."""
    read = read_packed if header.schema_version == 1 else read_test_set
    inputs, labels = read(path, len(header.affines), header.labelled)
    return Dataset(header.experiment, (), None, inputs, labels, header.affines, header.class_names, str(path))


def check_unchanged(record: Record) -> None:
    """Raises StoreError where the test set is not the one that the run began with: half of it would be of another."""
    header = record.header
    if header.schema_version > 1 and read_dataset(record.path, header).test_sha256 != header.hashes["test"]:
        raise StoreError(f"{record.path}/test is not the test set that this run began with", "start a new run")


def absolute_variants(path: Path, header: Header) -> tuple[Variant, ...]:
    return tuple(replace(v, path=v.path and path / v.path) for v in header.variants)


def point_latest(path: Path) -> None:
    """results/<experiment>/latest, a relative link, set in one step. A file system without links goes without."""
    link = path.parent / f".latest.{os.getpid()}"
    with suppress(OSError):
        link.symlink_to(path.name)
        link.replace(path.parent / "latest")


def write_atomically(path: Path, content: bytes) -> Path:
    """Whole or not at all: a reader never meets half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        part.write_bytes(content)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path
