"""Talks to device/serve.py over the stdin and stdout of a process; how that process is started is the kind's."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Annotated, Any

from pydantic import AfterValidator, Field, TypeAdapter

from harness.device import protocol
from harness.device.protocol import (
    CLOSE_S,
    FILES_LIMIT_BYTES,
    HEARTBEAT_S,
    MESSAGE_LIMIT_BYTES,
    SILENCE_S,
    STDERR_LIMIT_BYTES,
    Event,
    Op,
)
from harness.errors import JobFailed, TargetBusy, TargetError, TargetUnreachable
from harness.measure.connections import OnProgress, bounds
from harness.measure.connections.pipes import CHUNK_BYTES, TICK_S, Pipe, Printed
from harness.records import Blob, Environment, Job, Target
from harness.support.files import naming
from harness.support.foreign import parse_json
from harness.support.locks import whoami
from harness.support.text import harmless, last_line

LAST_WORDS_S = 2.0  # for a server that says nothing more to end, and so to tell why
Words = Annotated[str, AfterValidator(lambda text: text[:400])]
Word = Annotated[str, Field(max_length=64)]
FIELDS: dict[str, dict[str, Any]] = {  # that we read of a message from the device, by event
    Event.READY: {"environment": Environment},
    Event.BUSY: {"holder": Words},
    Event.MISSING: {"sha256": list[str]},
    Event.PROGRESS: {"done": int, "of": int},
    Event.FILE: {"name": str, "size": int, "sha256": str},
    Event.ERROR: {"what": Words},
}


class ServerConnection:
    """A Connection to a server that `argv` starts."""

    def __init__(self, target: Target, run_id: str, argv: Sequence[str], workdir: str, tune: bool = False) -> None:
        self.target = target
        self.bytes_sent = {"blobs": 0, "jobs": 0}
        self._writing = threading.Lock()
        self._waiting_since: float | None = None  # when the device last moved while we wait for it
        self._asked = ""  # the id of the job that was asked for last
        self._until: float | None = None  # when the wait ends that began with the last question
        self._gave_up = ""  # why we no longer wait
        self._closed = threading.Event()
        self._is_ready = False
        # A session of its own: Ctrl-C is the host's to handle, and the server ends with its stdin.
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(argv, 0, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True)
        self._into = self._pipe(self._process.stdin)
        self._stdin = io.BufferedWriter(self._into)
        self._stdout = io.BufferedReader(self._pipe(self._process.stdout))
        self._stderr = Printed(self._pipe(self._process.stderr), MESSAGE_LIMIT_BYTES)
        try:
            self._stderr.start()
            threading.Thread(target=self._watch, daemon=True).start()
            self._allow(bounds.READY_S)
            who = f"{whoami()}, run {run_id},"
            self._say({"op": Op.HELLO, "workdir": workdir, "run_id": run_id, "who": who, "tune": tune})
            self.environment: Environment = self._hear(Event.READY)["environment"]
        except BaseException:
            self.close()
            raise
        self._is_ready = True

    def _pipe(self, file: IO[bytes] | None) -> Pipe:
        return Pipe(file, self._process, lambda: bool(self._gave_up))

    def answers(self, job: Job) -> bool:
        return True

    def send(self, blobs: Iterable[Blob]) -> None:
        by_hash = {blob.sha256: blob for blob in blobs}
        self._allow(bounds.ANSWER_S)
        self._say({"op": Op.MISSING, "sha256": list(by_hash)})  # each time: a device drops what it did not use for long
        missing = set(self._hear(Event.MISSING)["sha256"])
        for sha256, blob in by_hash.items():
            if sha256 in missing:
                self._give(blob)

    def _give(self, blob: Blob) -> None:
        data = blob.read()
        self._allow(bounds.transfer_s(len(data)))
        self._say({"op": Op.BLOB, "sha256": blob.sha256, "size": len(data)}, data)
        self.bytes_sent["blobs"] += len(data)

    def run(self, job: Job, on_progress: OnProgress) -> int | None:
        """A round that the device made before is made again: nobody held its timings against the host's clock."""
        kept = self._start(job)
        if kept and job.kind == "latency":
            self._say({"op": Op.FETCHED, "job_id": job.id})  # so the device forgets it
            if self._start(job):
                told = f"{self.target.name} says that {job.id} is done, and never began it"
                raise TargetUnreachable(told, "its timings cannot be checked; resume the run")
        elif kept:
            return None
        begin_ns = time.monotonic_ns()
        self._follow(job, on_progress)
        host_ns = time.monotonic_ns() - begin_ns
        self._allow(bounds.ANSWER_S)
        self._hear(Event.DONE)
        return host_ns

    def _start(self, job: Job) -> bool:
        """Asks for the job and waits until its process begins. True where the device has its result already."""
        blobs = {name: blob.sha256 for name, blob in job.blobs.items()}
        message = {"op": Op.JOB, "job_id": job.id, "job": job.spec, "blobs": blobs, "limit_s": job.limit_s}
        if job.start_temperature_c is not None:
            message |= {"start_temperature_c": job.start_temperature_c, "cooldown_timeout_s": job.cooldown_timeout_s}
        self._asked = job.id
        self._allow(bounds.cooling_s(job))
        self.bytes_sent["jobs"] += self._say(message)
        answer = self._hear(Event.COOLING, Event.BEGIN, Event.DONE, again=Event.COOLING)
        return bool(answer["event"] == Event.DONE)

    def _follow(self, job: Job, on_progress: OnProgress) -> None:
        """Waits until the job's process has ended: as long as it gets on, and no longer than it may take."""
        last, most = time.monotonic() + bounds.longest_s(job), -1
        self._allow(bounds.without_progress_s(job), last)
        while (answer := self._hear(Event.PROGRESS, Event.END))["event"] == Event.PROGRESS:
            if answer["done"] > most:
                most = answer["done"]
                self._allow(bounds.without_progress_s(job), last)
                on_progress(most, answer["of"])

    def fetch(self, job: Job, folder: Path) -> None:
        self._asked = job.id
        self._allow(bounds.ANSWER_S)
        self._say({"op": Op.FETCH, "job_id": job.id})
        left, names = FILES_LIMIT_BYTES, set()
        while (answer := self._hear(Event.FILE, Event.SENT))["event"] == Event.FILE:
            if answer["name"] in names:
                raise TargetUnreachable(f"{self.target.name} sent {answer['name']} twice", "resume the run")
            names.add(answer["name"])
            left -= self._take(answer, job, folder, left)
        self._say({"op": Op.FETCHED, "job_id": job.id})

    def close(self) -> None:
        self._closed.set()
        if not self._into.has_room(CLOSE_S):  # it may still read what was sent last
            self._kill()  # it reads nothing: what waits for that, as closing may, would wait for ever
        with contextlib.suppress(OSError), self._writing:
            self._stdin.close()
        try:
            self._process.wait(CLOSE_S)
        except subprocess.TimeoutExpired:
            self._kill()
            self._process.wait()
        self._stdout.close()
        self._stderr.close()

    def _watch(self) -> None:
        """Ends the connection where the device lets us wait for too long, and sends it signs of life."""
        beaten = time.monotonic()
        while not self._closed.wait(min(TICK_S, HEARTBEAT_S)):
            if not self._gave_up and (why := self._too_long()):
                self._gave_up = why
                self._kill()  # whoever waits for it sees it end
            if self._is_ready and time.monotonic() - beaten > HEARTBEAT_S:
                beaten = time.monotonic()
                self._beat()

    def _too_long(self) -> str:
        """Why the device is not waited for any longer; "" where it is."""
        name, now, since, until = self.target.name, time.monotonic(), self._waiting_since, self._until
        if self._stderr.size > STDERR_LIMIT_BYTES:
            return f"{name} printed over {STDERR_LIMIT_BYTES >> 20} MiB to stderr"
        if since is None:
            return ""
        if self._is_ready and now - since > SILENCE_S:
            return f"{name} said nothing for {SILENCE_S:g} s"
        return f"{name} did not get on in the time that it has" if until is not None and now > until else ""

    def _beat(self) -> None:
        """A sign of life, unless something is being sent or the pipe is full: this never waits."""
        if self._writing.acquire(blocking=False):
            try:
                with contextlib.suppress(OSError, ValueError):
                    if self._into.has_room(0):
                        self._write({"op": Op.ALIVE})
            finally:
                self._writing.release()

    def _kill(self) -> None:
        """Ends the process and what it started in its session."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def _allow(self, seconds: float, last: float = float("inf")) -> None:
        """From now on the device has so long, and no longer than until `last`."""
        self._until = min(time.monotonic() + seconds, last)

    @contextlib.contextmanager
    def _waiting(self) -> Iterator[None]:
        self._waiting_since = time.monotonic()
        try:
            yield
        finally:
            self._waiting_since = None

    def _say(self, message: dict[str, Any], data: bytes = b"") -> int:
        try:
            with self._writing, self._waiting():
                return self._write(message, data)
        except (OSError, ValueError) as error:
            raise self._said_last() from error

    def _said_last(self) -> TargetError:
        """The error where the server takes nothing more: what it said before its end, such as that its disk is full."""
        try:
            with self._waiting():
                while (message := self._message())["event"] != Event.ERROR:
                    pass
        except TargetUnreachable:
            return self.lost()
        return self._failed(message)

    def _failed(self, message: dict[str, Any]) -> JobFailed:
        return JobFailed(f"the server on {self.target.name} failed: {message['what']}", "fix that, then resume")

    def _write(self, message: dict[str, Any], data: bytes = b"") -> int:
        line = json.dumps(message).encode() + b"\n"
        self._stdin.write(line)
        for first in range(0, len(data), CHUNK_BYTES):
            self._stdin.write(memoryview(data)[first : first + CHUNK_BYTES])
            self._moved()
        self._stdin.flush()
        return len(line)

    def _moved(self) -> None:
        self._waiting_since = time.monotonic()

    def _hear(self, *events: str, again: str = Event.ALIVE) -> dict[str, Any]:
        """The next message, which must be one of these events; signs of life are skipped, and `again`."""
        with self._waiting():
            while (message := self._message())["event"] in (Event.ALIVE, again):
                self._moved()
        event = message["event"]
        if event == Event.BUSY:
            raise TargetBusy(f"{self.target.name} is held by {message['holder']}", "wait until that run has ended")
        if event == Event.ERROR:
            raise self._failed(message)
        if event not in events or message.get("job_id", self._asked) != self._asked:
            raise TargetUnreachable(f"{self.target.name} sent {event!r} out of turn", "resume the run")
        return message

    def _message(self) -> dict[str, Any]:
        line = self._stdout.readline(MESSAGE_LIMIT_BYTES)
        if not line.endswith(b"\n"):
            raise self.lost()
        try:
            return checked(harmless(parse_json(line)))
        except (ValueError, KeyError, TypeError) as error:
            said = line[:200].decode(errors="replace").strip()
            raise TargetUnreachable(
                f"{self.target.name} answered {said!r}", "what was measured is kept; resume the run"
            ) from error

    def _take(self, answer: dict[str, Any], job: Job, folder: Path, limit: int) -> int:
        """Writes the file that follows its announcement, checked, and returns its size."""
        damaged = TargetUnreachable(
            f"{self.target.name} sent a damaged file for job {job.id}", "resume the run to fetch it again"
        )
        name, size = answer["name"], answer["size"]
        if not 0 <= size <= limit:
            raise TargetUnreachable(f"{self.target.name} announced a file of {size} bytes", "resume the run")
        if not re.fullmatch(protocol.RESULT_FILE, name):
            raise damaged
        self._allow(bounds.transfer_s(size))
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        with naming(path), path.open("wb") as file:
            for chunk in self._read(size):
                digest.update(chunk)
                file.write(chunk)
        if digest.hexdigest() != answer["sha256"]:
            path.unlink()
            raise damaged
        return size

    def _read(self, size: int) -> Iterator[bytes]:
        """That many bytes, as they arrive."""
        with self._waiting():
            while size:
                chunk = self._stdout.read1(min(size, CHUNK_BYTES))
                if not chunk:
                    raise self.lost()
                self._moved()
                size -= len(chunk)
                yield chunk

    def lost(self) -> TargetUnreachable:
        """The error to raise where the server ended too early."""
        if self._gave_up:
            return TargetUnreachable(
                self._gave_up, "what was measured is kept; restart it if it hangs, and resume the run"
            )
        code, said = self.ended()
        why = last_line(said, f"its server ended with exit code {code}")
        return TargetUnreachable(f"lost {self.target.name}: {why}", "what was measured is kept; resume the run")

    def ended(self) -> tuple[int | None, str]:
        """The exit code of the process, None where it has not ended, and what it printed to stderr."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(LAST_WORDS_S)
        return self._process.returncode, self._stderr.text()


def checked(message: dict[str, Any]) -> dict[str, Any]:
    """What we read of a device's message, each field of its type. Raises ValueError, KeyError, TypeError."""
    event = TypeAdapter(Word).validate_python(message["event"])
    fields = {name: TypeAdapter(kind).validate_python(message[name]) for name, kind in FIELDS.get(event, {}).items()}
    if "job_id" in message:
        fields["job_id"] = message["job_id"]
    return {"event": event, **fields}
