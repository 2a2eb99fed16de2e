"""Ways to a device. Each kind has four verbs: send blobs, run a job, fetch its result, close.

To add a kind: one file here with a class that is a Connection, and its line in KINDS.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol

from harness.errors import ConfigError
from harness.records import Blob, Environment, Job, Target


@dataclass(frozen=True)
class Kind:
    """What is known of a kind of connection before one is opened."""

    connection: str  # its class, as "module:name"; it is loaded when a connection is opened
    is_remote: bool = False  # over ssh: it may not answer, has a host key, and can be set up
    is_device: bool = True  # False for a recording, which can only be replayed

    @property
    def is_this_machine(self) -> bool:
        return self.is_device and not self.is_remote


KINDS = {
    "local": Kind("harness.measure.connections.local:Local"),
    "ssh": Kind("harness.measure.connections.ssh:Ssh", is_remote=True),
    "replay": Kind("harness.measure.connections.replay:Replay", is_device=False),
}

OnProgress = Callable[[int, int], None]  # samples done, of how many


class Connection(Protocol):
    """One device for the length of one run.

    Every verb raises TargetUnreachable when the device or the link to it is gone.
    """

    environment: Environment
    bytes_sent: dict[str, int]

    def answers(self, job: Job) -> bool:
        """Whether it may be asked the job: a recording has none that was not thought of when it was made."""

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


def kind_of(target: Target) -> Kind:
    """Raises ConfigError where there is no such kind."""
    if target.kind not in KINDS:
        raise ConfigError(
            f"target {target.name} has the unknown kind {target.kind!r}", f"known kinds: {', '.join(KINDS)}"
        )
    return KINDS[target.kind]


def connect(target: Target, run_id: str, tune: bool = False) -> Connection:
    """Opens the connection of the target's kind. tune: set the device's governor, and restore it at the end.

    Raises TargetBusy, TargetUnreachable, ConfigError, JobFailed where the governor cannot be set.
    """
    module, name = kind_of(target).connection.split(":")
    connection: Connection = getattr(import_module(module), name)(target, run_id, tune)
    return connection
