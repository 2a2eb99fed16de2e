"""Ways to a device. Each kind has four verbs: send blobs, run a job, fetch its result, close."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
from typing import Protocol

from harness.errors import ConfigError
from harness.records import Blob, Environment, Job, Target

KINDS = {
    "local": "harness.measure.connections.local:Local",
    "ssh": "harness.measure.connections.ssh:Ssh",
    "replay": "harness.measure.connections.replay:Replay",
}

OnProgress = Callable[[int, int], None]  # samples done, of how many


class Connection(Protocol):
    """One device for the length of one run.

    Every verb raises TargetUnreachable when the device or the link to it is gone.
    """

    environment: Environment
    bytes_sent: dict[str, int]

    def send(self, blobs: Iterable[Blob]) -> None:
        """Sends the blobs to the device, except those that it already has."""

    def run(self, job: Job, on_progress: OnProgress) -> int | None:
        """Runs the job to its end, whatever that is; the files of a job that failed say so.

        Returns how many ns its process ran by the host's clock, None where it had run earlier.
        """

    def fetch(self, job: Job, folder: Path) -> None:
        """Writes the job's files into the folder, checked against their hashes."""

    def close(self) -> None:
        """Ends the server on the device; nothing is left running."""


def connect(target: Target, run_id: str, tune: bool = False) -> Connection:
    """Opens the connection of the target's kind. tune: set the device's governor, and restore it at the end.

    Raises TargetBusy, TargetUnreachable, ConfigError, JobFailed where the governor cannot be set.
    """
    if target.kind not in KINDS:
        raise ConfigError(
            f"target {target.name} has the unknown kind {target.kind!r}", f"known kinds: {', '.join(KINDS)}"
        )
    module, name = KINDS[target.kind].split(":")
    connection: Connection = getattr(import_module(module), name)(target, run_id, tune)
    return connection
