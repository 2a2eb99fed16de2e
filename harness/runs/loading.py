"""A stored run, read: where it is what was sealed, as one Run with all its arrays mapped."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from harness.errors import BuildError, StoreError
from harness.measure.raw import read_piece
from harness.measure.received import check_outputs
from harness.records import Audit, Dataset, Piece, Round, Run, Shard, Variant
from harness.runs import seal
from harness.runs.coherent import check_run
from harness.runs.header import SEALED_SINCE, Header, absolute_variants, read_header
from harness.runs.own_runs import is_own
from harness.runs.run_arrays import read_baseline, read_heads, read_marks, read_packed, read_test_set
from harness.support.format import listed

ROUND_NAME = "round-"  # what the folder of a round begins with: jobs.job_id
ROUND = re.compile(rf"raw/[^/]+/{ROUND_NAME}.*")
NOT_SEALED = "it was stored before runs were sealed"
_Piece = TypeVar("_Piece", Round, Shard, Audit)


def load(path: Path, trust: bool = False) -> Run:
    """Reads all that a run left, as far as it came, where it is what was sealed. Raises StoreError.

    trust: the code that it names may be called, as that of a run which this user began may.
    """
    header = read_header(path)
    unsealed = check_seal(path, header)
    scoring = replace(header.scoring, trusted=trust or not header.names_code or is_own(header))
    return replace(read_run(path, replace(header, scoring=scoring)), unsealed=unsealed)


def load_rounds(path: Path) -> Run:
    """Reads a run as far as its times go: no outputs, and nothing of a test set or a baseline but its form. Their files
    are not held against its seal; those of rounds are. Raises StoreError.
    """
    header = read_header(path)
    unsealed = check_seal(path, header, lambda name: name == seal.HEADER or bool(ROUND.fullmatch(name)))
    return replace(read_run(path, header, read=lambda piece: piece.name.startswith(ROUND_NAME)), unsealed=unsealed)


def check_seal(path: Path, header: Header, read: Callable[[str], bool] = lambda name: True) -> str:
    """Returns why a run is not sealed, "" where it is. Raises StoreError where it is not what was sealed. read: as in
    seal.check_sealed.
    """
    if seal.was_finished(path) or (header.finished and header.schema_version >= SEALED_SINCE):
        seal.check_sealed(path, header.run_id, read)
        return ""
    for _ in seal.files_of(path):
        """Raises for a link."""
    return NOT_SEALED if header.finished else "it is not finished"


def read_run(
    path: Path, header: Header, dataset: Dataset | None = None, read: Callable[[Path], bool] = lambda piece: True
) -> Run:
    """Reads what a run left, without a look at its seal. dataset: its test set, where that was read before. read: which
    of its pieces, by their folders.

    Raises StoreError.
    """
    dataset = dataset or read_dataset(path, header)
    pieces = [read_piece(p) for p in sorted(path.glob("raw/*/*")) if p.is_dir() and p.suffix != ".part" and read(p)]
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
        queries=dataset.queries,
        pairs=dataset.pairs,
        state=dataset.state,
        numbers=dataset.numbers,
        heads=header.heads,
        head_labels={name: head.labels for name, head in dataset.heads.items()},
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


def read_dataset(path: Path, header: Header) -> Dataset:
    """Maps the test set that the run was measured on; there are no training samples in it. Raises StoreError."""
    read = read_packed if header.schema_version == 1 else read_test_set
    inputs, labels = read(path, len(header.affines), header.labelled)
    known = (inputs, labels, header.affines, header.class_names, str(path))
    marks = read_marks(path)
    heads = read_heads(path, header.heads, header.output_names)
    dataset = Dataset(
        header.experiment,
        (),
        None,
        *known,
        heads=heads,
        clips=marks["clips"],
        groups=marks["groups"],
        queries=marks["queries"],
        pairs=marks["pairs"],
        numbers=marks["numbers"],
        state=header.state,
    )
    if dataset.marks_sha256 != header.hashes.get("marks", ""):
        told = (
            f"{path}/test does not say of which clips and groups its samples are, and in which order, as this run began"
        )
        raise StoreError(told, f"bring {listed(f'{mark}.npy' for mark in marks)} back, or start a new run")
    return dataset


def with_activations(variant: Variant) -> Variant:
    """Reads activation_bytes from the .tflite file, where that is still there and the run was stored without it."""
    if variant.activation_bytes is not None or variant.path is None:
        return variant
    from harness.build.artifact import inspect  # flatbuffers: only where an old run is read

    with suppress(OSError, BuildError):
        return replace(variant, activation_bytes=inspect(variant.path).activation_bytes)
    return variant
