"""run.json: what a run is, without its arrays. It is read as a stranger's, and written whole or not at all.

History of the schema (run.json, schema_version):
    1   the first: raw/<target>/<job-id>/ as it came, test.npz, baseline.npy, variants/; tables are derived from them
    2   test/input-<n>.npy and test/labels.npy in test.npz's place: mapped, so that the test set may exceed memory
    3   raw/ also holds order audits, one a variant and runtime; a variant tells its activation bytes; test/clips.npy
        and test/groups.npy, where the data have them
    4   a plan may say until_decided: test/ is then in a shuffled order, which test/numbers.npy has, and a case may have
        answered only the first samples of it
    5   manifest.json: the hash of every file that a verdict rests on; arrived.jsonl until the run is finished
    6   heads: how outputs beside the scored one are scored, and test/labels-<n>.npy, their labels
    7   tasks that are not in TASKS_BEFORE, of the scored output or of a head, with what their scoring says; state that
        is carried from outputs to inputs; holes: labels that are NaN, since they are not known
A run is written as the oldest that holds all of it, 5 at least: an older harness reads what it understands, and refuses
the rest as newer. Who adds a task that the last release does not know begins another schema, where 7 was released.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from harness.errors import ConfigError, StoreError
from harness.records import BY_DATA, Affine, Carried, Case, Head, Plan, Provenance, Scoring, TargetRecord, Variant
from harness.records.terms import TASKS, Task
from harness.runs.coherent import check_header
from harness.runs.stored_names import check_names
from harness.support.files import json_bytes
from harness.support.foreign import read_json, valid

SCHEMA_VERSION = 7
SEALED_SINCE, HEADS_SINCE, TASKS_SINCE = 5, 6, 7
TASKS_BEFORE: tuple[Task, ...] = ("classification", "multilabel", "regression", "agreement", "distance", "custom")
_NEVER_STORED: dict[str, Any] = {  # a run cannot say of itself that it is trusted
    "scoring": {"trusted"},
    "heads": {"__all__": {"scoring": {"trusted"}}},
}


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
    heads: dict[str, Head] = field(default_factory=dict)  # by name, of the outputs beside the scored one with labels
    state: tuple[Carried, ...] = ()  # which outputs go to which inputs inside a clip
    finished: bool = False
    schema_version: int = SCHEMA_VERSION

    @property
    def names_code(self) -> bool:
        """Whether it names metrics or a decoder of the user's own, which are code."""
        return any(s.calls for s in (self.scoring, *(head.scoring for head in self.heads.values())))


_HEADER = TypeAdapter(Header)


def schema_of(header: Header) -> int:
    """Returns the schema to write a new run as."""
    tasks = {header.task, *(head.task for head in header.heads.values())}
    holes = any(s.holes for s in (header.scoring, *(head.scoring for head in header.heads.values())))
    if not tasks <= set(TASKS_BEFORE) or header.state or holes:
        return TASKS_SINCE
    return HEADS_SINCE if header.heads else SEALED_SINCE


def new_run_id() -> str:
    """Makes a run id that sorts by time: UTC to the second, and four random hexadecimal digits."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def read_header(path: Path) -> Header:
    try:
        content = read_json(path / "run.json")
        if content["schema_version"] > SCHEMA_VERSION:
            raise StoreError(
                f"{path} was written by a newer harness (schema {content['schema_version']})", "upgrade edge-harness"
            )
        if isinstance(task := content["task"], str) and task not in TASKS:
            raise StoreError(
                f"{path} is of the task {task!r}, which this harness does not know", "upgrade edge-harness"
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


def absolute_variants(path: Path, header: Header) -> tuple[Variant, ...]:
    return tuple(replace(v, path=v.path and path / v.path) for v in header.variants)
