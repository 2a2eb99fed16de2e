"""results/ on disk: results/<experiment>/<run-id>/. Files appear whole or not at all; what was measured stays.

History of the schema (run.json, schema_version):
    1   the first: raw/<target>/<job-id>/ as it came, test.npz, baseline.npy, variants/; tables are derived from them
    2   test/input-<n>.npy and test/labels.npy in test.npz's place: mapped, so that the test set may exceed memory
    3   raw/ also holds order audits, one a variant and runtime; a variant tells its activation bytes; test/clips.npy
        and test/groups.npy, where the data have them
    4   a plan may say until_decided: test/ is then in a shuffled order, which test/numbers.npy has, and a case may have
        answered only the first samples of it
    5   manifest.json: the hash of every file that a verdict rests on; arrived.jsonl until the run is finished
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import numpy as np
from pydantic import TypeAdapter

from harness.errors import BuildError, ConfigError, StoreError
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
from harness.runs import seal
from harness.runs.coherent import check_header, check_run
from harness.runs.own_runs import check_trusted, is_own, note_own
from harness.runs.run_arrays import (
    baseline_sha256,
    keep_baseline,
    keep_test_set,
    read_baseline,
    read_marks,
    read_packed,
    read_test_set,
)
from harness.runs.signature import SIGNATURE
from harness.runs.stored_names import check_names
from harness.support.cache import file_sha256
from harness.support.files import appearing, copy, json_bytes, write_atomically
from harness.support.foreign import read_json, valid
from harness.support.locks import locked

SCHEMA_VERSION = 5
SEALED_SINCE = 5
NOT_SEALED = "it was stored before runs were sealed"
_NEVER_STORED = {"scoring": {"trusted"}}  # a run cannot say of itself that it is trusted
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
    """A run while it is measured: what it is, and where its pieces go.

    noted: the hashes of its parts so far.
    """

    def __init__(self, path: Path, header: Header, noted: Mapping[str, seal.Prints] | None = None) -> None:
        self.path = path
        self.header = header
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


class Store:
    """The runs below one folder.

    trust: what they name, such as code of a metric, is executed and followed, whoever made them.
    """

    def __init__(self, root: Path, trust: bool = False) -> None:
        self.root = root
        self.trust = trust

    def open(self, header: Header, dataset: Dataset, baseline: Sequence[np.ndarray]) -> Record:
        """Makes a new run's folder, with its variants, test set and baseline in it: it appears whole or not at all."""
        check_stored_so(header)
        path = self.root / header.experiment / header.run_id
        with appearing(path) as part:
            header, noted = begun(part, header, dataset, baseline)
        note_own(read_header(path))  # as it is read again, where a number may have become another type
        return Record(path, header, {seal.BEGUN: noted})

    def reopen(self, reference: str) -> Record:
        """Returns a run to go on with. Raises ConfigError where it is not trusted, StoreError where it was changed."""
        path = self.find(reference, finished=False)
        header = read_header(path)
        check_trusted(header, self.trust)
        return again(path, replace(header, scoring=replace(header.scoring, trusted=True)))

    def paths(self) -> list[Path]:
        """Returns the folders of all runs, newest first."""
        folders = [p.parent for p in self.root.glob("*/[!.]*/run.json") if not p.parent.is_symlink()]
        return sorted(folders, key=lambda path: path.name, reverse=True)

    def find(self, reference: str, finished: bool = True) -> Path:
        """Returns the folder of a run: `latest`, a run id, or a path. Raises StoreError.

        `latest` is the newest finished one, or to go on with (finished=False) the newest unfinished one; where there is
        none of these, the newest. Those in which a gate timed a reference again are of another run, and never it.
        """
        if (Path(reference) / "run.json").exists():
            return Path(reference).resolve()
        named = (p for p in self.paths() if p.name == reference)
        path = self.latest(finished) if reference == "latest" else next(named, None)
        if path is None:
            raise StoreError(f"there is no run {reference!r} in {self.root}", "`harness list` shows the stored runs")
        return path

    def latest(self, finished: bool = True) -> Path | None:
        """Returns the newest run's folder of those that are finished or not, else the newest; None where there is none.

        One dated into the future, by a clock that ran ahead, comes last. A broken one is passed over; where there is
        nothing else, its StoreError is raised.
        """
        every = self.newest_first()
        asked = (path for path, header in every if header.finished == finished)
        return next(asked, every[0][0] if every else None)

    def newest_first(self) -> list[tuple[Path, Header]]:
        """Returns the runs that `latest` may mean."""
        tomorrow = f"{datetime.now(UTC) + timedelta(days=1):%Y%m%d-%H%M%S}"
        found: list[tuple[Path, Header]] = []
        unreadable: list[StoreError] = []
        for path in sorted(self.paths(), key=lambda path: path.name > tomorrow):
            try:
                header = read_header(path)
            except StoreError as error:
                unreadable.append(error)
                continue
            if header.plan.accuracy:
                found.append((path, header))
        if unreadable and not found:
            raise unreadable[0]
        return found

    def passed_over(self, latest: Path) -> list[str]:
        """Returns the ids of the runs that are newer than the latest finished one."""
        newer: list[str] = []
        for path, header in self.newest_first():
            if path.resolve() == latest.resolve():
                return newer
            newer.append(header.run_id)
        return []

    def load(self, reference: str) -> Run:
        return load(self.find(reference), self.trust)


def load(path: Path, trust: bool = False) -> Run:
    """Reads all that a run left, as far as it came, where it is what was sealed. Raises StoreError.

    trust: the code that it names may be called, as that of a run which this user began may.
    """
    header = read_header(path)
    unsealed = check_seal(path, header)
    scoring = replace(header.scoring, trusted=trust or not header.scoring.declared or is_own(header))
    return replace(read_run(path, replace(header, scoring=scoring)), unsealed=unsealed)


def check_seal(path: Path, header: Header) -> str:
    """Returns why a run is not sealed, "" where it is. Raises StoreError where it is not what was sealed."""
    if seal.was_finished(path) or (header.finished and header.schema_version >= SEALED_SINCE):
        seal.check_sealed(path, header.run_id)
        return ""
    for _ in seal.files_of(path):
        """Raises for a link."""
    return NOT_SEALED if header.finished else "it is not finished"


def read_run(path: Path, header: Header, dataset: Dataset | None = None) -> Run:
    """Reads what a run left, without a look at its seal. dataset: its test set, where that was read before.

    Raises StoreError.
    """
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
        check_names(header)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{path}/run.json cannot be read: {error}", "is it a run's folder?") from error
    check_header(str(path), header)
    return replace(header, scoring=replace(header.scoring, trusted=False))


def header_bytes(header: Header) -> bytes:
    """Returns run.json."""
    return json_bytes(_HEADER.dump_python(header, mode="json", exclude=_NEVER_STORED))


def check_stored_so(header: Header) -> None:
    """Raises ConfigError for a name that the run could not be read with."""
    try:
        check_names(replace(header, variants=()))
    except ValueError as error:
        raise ConfigError(str(error), "give it a plain one: letters, digits, dots, - and _") from error


def begun(path: Path, header: Header, dataset: Dataset, baseline: Sequence[np.ndarray]) -> tuple[Header, seal.Prints]:
    """Fills a folder with what a new run begins with. Returns its header, and what is noted of it."""
    (path / "variants").mkdir()
    for variant in header.variants:
        if variant.path:
            copy(variant.path, path / "variants" / f"{variant.name}.tflite")
    keep_test_set(path, dataset)
    keep_baseline(path, baseline)
    variants = tuple(replace(v, path=v.path and Path("variants") / f"{v.name}.tflite") for v in header.variants)
    labelled, hashes = dataset.test_labels is not None, header.hashes | {"baseline": baseline_sha256(path)}
    known = replace(header, variants=variants, labelled=labelled, hashes=hashes)
    header = replace(known, schema_version=SCHEMA_VERSION, finished=False)
    Record(path, header).save(header)
    return header, seal.note_arrival(path, seal.BEGUN)


def again(path: Path, header: Header) -> Record:
    """Returns a run to go on with, where it is what was stored. A finished one is sealed anew at its end.

    Raises StoreError.
    """
    if not header.finished:
        check_seal(path, header)
        return Record(path, header, seal.check_arrived(path))
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
