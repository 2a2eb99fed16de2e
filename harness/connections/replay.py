"""Answers from a recorded run, by case, kind and round: the whole pipeline with no device."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path

from pydantic import TypeAdapter

from harness.connections import OnProgress
from harness.errors import ConfigError, JobFailed
from harness.records import Blob, Environment, Job, Target


class Replay:
    """A Connection to the recording that the target's `host` names: RUN/raw/TARGET.

    A job's id holds its case, kind and round, never a model's hash, since a model that is built again differs.
    """

    def __init__(self, target: Target, run_id: str, tune: bool = False) -> None:
        self.recording = Path(target.host or "").expanduser()
        self.environment = recorded_environment(target.name, self.recording)
        self.bytes_sent = {"blobs": 0, "jobs": 0}

    def send(self, blobs: Iterable[Blob]) -> None:
        """A recording needs none."""

    def run(self, job: Job, on_progress: OnProgress) -> int | None:
        if not (self.folder_of(job) / "state.json").exists():
            raise JobFailed(f"{self.recording} holds no job {job.id}", "ask only for the cases that were recorded")
        host_ns: int | None = json.loads((self.folder_of(job) / "piece.json").read_text()).get("host_ns")
        return host_ns

    def fetch(self, job: Job, folder: Path) -> None:
        shutil.copytree(self.folder_of(job), folder, dirs_exist_ok=True)

    def folder_of(self, job: Job) -> Path:
        """The job's folder; of an attempt that was never made, the attempt that was."""
        own = self.recording / job.id
        return own if own.exists() else self.recording / job.id.replace(f"-again{job.attempt}.", ".")

    def close(self) -> None:
        """Nothing was opened."""


def recorded_environment(name: str, recording: Path) -> Environment:
    """What the recorded device was. Raises ConfigError where there is no recording."""
    try:
        run = json.loads((recording.parent.parent / "run.json").read_text())
        record = next(t for t in run["targets"] if t["target"]["name"] == recording.name)
        environment: Environment = TypeAdapter(Environment).validate_python(record["environment"])
    except (OSError, ValueError, KeyError, StopIteration) as error:
        raise ConfigError(
            f"target {name} replays {recording}, which is no recording", "set host to a run's raw/TARGET folder"
        ) from error
    return environment
