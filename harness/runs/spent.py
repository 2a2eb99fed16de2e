"""spent.json: what the time of a run went to, in seconds of this machine's clock. It is no figure of a model."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Annotated

from pydantic import Field, TypeAdapter

from harness.measure.connections import Connection, OnProgress
from harness.records import Blob, Environment, Job, Piece, Round
from harness.support.files import write_json
from harness.support.foreign import read_json, valid

FILE = "spent.json"
NS = 1e9
Seconds = Annotated[float, Field(ge=0, le=1e9)]


@dataclass(frozen=True)
class Spent:
    """Seconds that a run took, by what they went to; those of a resumed run are those of all its parts together."""

    building_s: Seconds = 0.0  # data, variants, the baseline; loading them from the cache
    connecting_s: Seconds = 0.0  # until a device answered, and was free
    cooling_s: Seconds = 0.0
    sending_s: Seconds = 0.0  # models and samples there, results back
    starting_s: Seconds = 0.0  # processes: Python, the runtime, the model; and their ends
    warmup_s: Seconds = 0.0
    timing_s: Seconds = 0.0  # timed invokes
    inference_s: Seconds = 0.0  # the samples of the test set and of audits
    keeping_s: Seconds = 0.0  # what came back: reading, checking, hashing
    judging_s: Seconds = 0.0  # comparing with the baseline, and the verdict
    report_s: Seconds = 0.0  # tables, plots, pages

    @property
    def total_s(self) -> float:
        return sum(asdict(self).values())

    @property
    def share_beside(self) -> float:
        """The share of what is neither warm-up nor timing nor inference, building left out: that is done once."""
        whole = self.total_s - self.building_s
        return 1 - (self.warmup_s + self.timing_s + self.inference_s) / whole if whole else 0.0


_SPENT = TypeAdapter(Spent)
PARTS = tuple(field.name for field in fields(Spent))


def read_spent(run: Path) -> Spent | None:
    """Returns what a run's time went to; None where it does not say, as an older one."""
    try:
        return valid(read_json(run / FILE), _SPENT)
    except (OSError, ValueError):
        return None


class Stopwatch:
    """Adds up seconds, by the part of Spent that they go to. It goes on where the run's own file stops."""

    def __init__(self, run: Path) -> None:
        self.run = run
        self.seconds: dict[str, float] = asdict(read_spent(run) or Spent())

    @property
    def total_s(self) -> float:
        return sum(self.seconds.values())

    @contextmanager
    def on(self, part: str) -> Iterator[None]:
        """What runs within it goes to that part, less what it gives to others."""
        begin, others = time.monotonic(), self.total_s - self.seconds[part]
        try:
            yield
        finally:
            given = self.total_s - self.seconds[part] - others
            self.seconds[part] += max(0.0, time.monotonic() - begin - given)

    def ran(self, piece: Piece, seconds: float) -> None:
        """Splits what the process of a piece took. A replayed one was timed for longer than it took: it only starts."""
        parts = {part: ns / NS for part, ns in ns_of(piece)}
        if sum(parts.values()) > seconds:
            parts = {}
        for part, given in (*parts.items(), ("starting_s", seconds - sum(parts.values()))):
            self.seconds[part] += given

    def save(self) -> None:
        write_json(self.run / FILE, {part: round(self.seconds[part], 3) for part in PARTS})


def ns_of(piece: Piece) -> Iterable[tuple[str, float]]:
    """What a piece says of the time within its process, by the part of Spent."""
    if not isinstance(piece, Round):
        return (("inference_s", piece.answering_ns or 0),)
    known = {"warmup_s": piece.timings.get("warmup"), "timing_s": piece.timed}
    told = [(part, timings.total_ns) for part, timings in known.items() if timings is not None]
    return (*told, ("cooling_s", (piece.waited_s or 0.0) * NS))


class TimedConnection:
    """A Connection whose sending and fetching a stopwatch notes; running_s: of the jobs since it was asked last."""

    def __init__(self, connection: Connection, watch: Stopwatch) -> None:
        self.connection, self.watch = connection, watch
        self.environment: Environment = connection.environment
        self.bytes_sent = connection.bytes_sent
        self._running_s = 0.0

    def answers(self, job: Job) -> bool:
        return self.connection.answers(job)

    def send(self, blobs: Iterable[Blob]) -> None:
        with self.watch.on("sending_s"):
            self.connection.send(blobs)

    def run(self, job: Job, on_progress: OnProgress) -> int | None:
        begin = time.monotonic()
        try:
            return self.connection.run(job, on_progress)
        finally:
            self._running_s += time.monotonic() - begin

    def fetch(self, job: Job, folder: Path) -> None:
        with self.watch.on("sending_s"):
            self.connection.fetch(job, folder)

    def close(self) -> None:
        self.connection.close()

    def taken(self) -> float:
        """Returns the seconds that jobs ran since it was asked last."""
        seconds, self._running_s = self._running_s, 0.0
        return seconds
