"""Answers from a recorded run, by case, kind and round: the whole pipeline with no device."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import TypeAdapter

from harness.data.on_disk import TEST, mark_file, run_input_file
from harness.device import protocol
from harness.errors import ConfigError, JobFailed
from harness.measure.connections import OnProgress
from harness.measure.job_spec import TIMED_BY
from harness.measure.raw import PIECE
from harness.records import Blob, Carried, Environment, Job, Target
from harness.records.dataset import starts_of, starts_within
from harness.support.arrays import let_go, map_npy, npy_bytes
from harness.support.files import copy
from harness.support.foreign import read_json

SAME_PLAN = "ask with the plan of the recording, or measure on a device"
AGAIN = "record it again with what is to be measured now, or measure on a device"


class Replay:
    """A Connection to the recording that the target's `host` names: RUN/raw/TARGET.

    It answers only for the models and the test set that were recorded. A job's id holds its case, kind and round, so
    the hashes of its blobs are compared with those of the recorded run.
    """

    def __init__(self, target: Target, run_id: str, tune: bool = False) -> None:
        self.recording = Path(target.host or "").expanduser()
        self.environment, self.models, self.plan = recorded_run(target.name, self.recording)
        self.bytes_sent = {"blobs": 0, "jobs": 0}
        self.carried = recorded_state(self.recording)
        self._inputs: dict[tuple[str, int], str] = {}

    def answers(self, job: Job) -> bool:
        """A recording may be older than audits."""
        return job.kind != "audit" or (self.folder_of(job) / protocol.STATE).exists()

    def send(self, blobs: Iterable[Blob]) -> None:
        """A recording needs no blobs."""

    def run(self, job: Job, on_progress: OnProgress) -> int | None:
        if not (self.folder_of(job) / protocol.STATE).exists():
            raise JobFailed(f"{self.recording} has no job {job.id}", "request only cases that were recorded")
        self.check_same(job)
        host_ns: int | None = read_json(self.folder_of(job) / PIECE).get("host_ns")
        return host_ns

    def check_same(self, job: Job) -> None:
        """Raises JobFailed where the job's model or inputs are not those that were recorded."""
        variant = job.case.variant
        # A gate renames the variants that it times again, so a name that was not recorded may be any of them.
        known = {self.models[variant]} if variant in self.models else set(self.models.values())
        if job.blobs[protocol.MODEL].sha256 not in known:
            raise JobFailed(f"{self.recording} was recorded with another {variant}", AGAIN)
        for name in job.blobs.keys() - {protocol.MODEL}:
            if self.inputs(name, job.last) not in (None, job.blobs[name].sha256):
                raise JobFailed(f"{self.recording} was recorded with another test set", AGAIN)
        if job.kind == "outputs" and job.spec.get("starts") != self.starts(job.first, job.last):
            raise JobFailed(f"{self.recording} was recorded with other clips", AGAIN)
        if job.spec.get("carried", []) not in self.carried[job.blobs[protocol.MODEL].sha256]:
            raise JobFailed(f"{self.recording} was recorded with other [state]", AGAIN)
        if job.kind == "latency":
            self.check_plan(job.spec)

    def check_plan(self, spec: Mapping[str, object]) -> None:
        """Raises JobFailed where a round is to be timed in another way than it was recorded."""
        differ = [name for name in TIMED_BY if name in self.plan and self.plan[name] != spec.get(name)]
        if differ:
            then, now = (" and ".join(f"{name} {values.get(name)}" for name in differ) for values in (self.plan, spec))
            told = f"{self.recording} was recorded with plan {self.plan.get('profile')} ({then})"
            raise JobFailed(f"{told}, and the plan that is asked for has {now}", SAME_PLAN)

    def inputs(self, name: str, last: int) -> str | None:
        """The sha256 of a job's input file up to sample `last`, made of the recorded test set.

        None where that is unknown: a recording of schema 1 has no file of it.
        """
        found = re.fullmatch(protocol.INPUT, name)
        path = run_input_file(self.recording.parent.parent, int(found[1])) if found else None
        if found and path and (name, last) not in self._inputs and path.exists():
            array = map_npy(path)
            self._inputs[name, last] = hashlib.sha256(npy_bytes(array[int(found[2]) : last])).hexdigest()
            let_go(array)
        return self._inputs.get((name, last))

    def starts(self, first: int, last: int) -> list[int] | None:
        """Where the clips of the recorded samples begin, as a job's spec has it; None where there are none."""
        path = mark_file(self.recording.parent.parent / TEST, "clips")
        starts = starts_within(starts_of(map_npy(path)), first, last) if path.exists() else None
        return None if starts is None else starts.tolist()

    def fetch(self, job: Job, folder: Path) -> None:
        recorded = self.folder_of(job)
        for file in (path for path in recorded.rglob("*") if path.is_file()):
            place = folder / file.relative_to(recorded)
            place.parent.mkdir(parents=True, exist_ok=True)
            copy(file, place)

    def folder_of(self, job: Job) -> Path:
        """The job's folder; of an attempt that was never made, the attempt that was."""
        own = self.recording / job.id
        return own if own.exists() else self.recording / job.id.replace(f"-again{job.attempt}.", ".")

    def close(self) -> None:
        """Nothing was opened."""


def recorded_state(recording: Path) -> dict[str, list[list[list[int]]]]:
    """For each model by its sha256 which outputs went to which of its inputs, as a job's spec has it."""
    run = read_json(recording.parent.parent / "run.json")
    state = [Carried(**each) for each in run.get("state", [])]
    found: dict[str, list[list[list[int]]]] = {}
    for variant in run["variants"]:
        pairs = [list(c.in_file(variant.get("feeds", ()), variant.get("yields", ()))) for c in state]
        found.setdefault(variant["sha256"], []).append(pairs)
    return found


def recorded_run(name: str, recording: Path) -> tuple[Environment, dict[str, str], Mapping[str, object]]:
    """What the recorded device was, variant → sha256, and the plan. Raises ConfigError where it is not a recording."""
    try:
        run = read_json(recording.parent.parent / "run.json")
        record = next(t for t in run["targets"] if t["target"]["name"] == recording.name)
        environment: Environment = TypeAdapter(Environment).validate_python(record["environment"])
        models = {variant["name"]: variant["sha256"] for variant in run["variants"]}
        plan: Mapping[str, object] = TypeAdapter(dict[str, object]).validate_python(run["plan"])
    except (OSError, ValueError, KeyError, TypeError, StopIteration) as error:
        raise ConfigError(
            f"target {name} replays {recording}, which is not a recording", "set host to a run's raw/TARGET folder"
        ) from error
    return environment, models, plan
