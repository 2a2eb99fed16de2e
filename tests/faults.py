"""Makes the n-th operation on files, message, or start of a process fail: it counts what is done, and breaks one."""

from __future__ import annotations

import errno
import io
import multiprocessing.util
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness.measure.connections.server import ServerConnection

NO_THREAD = "can't start new thread"
CALLS = ("fsync", "rename", "replace", "mkdir", "unlink", "rmdir", "link", "symlink", "truncate", "write", "sendfile")


class Faults:
    """Counts operations on files from `arm` on; the n-th raises OSError. n = 0: none does."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.count, self.at, self.code, self.armed = 0, 0, errno.ENOSPC, False
        self.broke = ""
        for name in CALLS:
            patch.setattr(os, name, self.counted(f"os.{name}", getattr(os, name)))
        opened = self.opening(io.open)
        patch.setattr("builtins.open", opened)
        patch.setattr("io.open", opened)

    def arm(self, at: int, code: int) -> None:
        self.count, self.at, self.code, self.armed, self.broke = 0, at, code, True, ""

    def step(self, what: str, named: object = None) -> None:
        if not self.armed:
            return
        self.count += 1
        if self.count == self.at:
            self.broke = what
            error = OSError(self.code, os.strerror(self.code))
            if named is not None:
                error.filename = str(named)
            raise error

    def counted(self, what: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            named = args[0] if args and not isinstance(args[0], int) else None
            self.step(f"{what}({', '.join(map(str, args))})", named)
            return call(*args, **kwargs)

        return wrapped

    def opening(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """open: of what is opened to be written, each write counts, too."""

        def wrapped(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
            if not set("wax+") & set(mode):
                return call(file, mode, *args, **kwargs)
            self.step(f"open({file})", file)
            opened = call(file, mode, *args, **kwargs)
            try:
                opened.write = self.counted_write(opened.write, file)
            except AttributeError:  # a buffer of C: it takes no other method
                return Written(opened, self, file)
            return opened

        return wrapped

    def counted_write(self, write: Callable[..., Any], file: Any) -> Callable[..., Any]:
        def wrapped(data: Any) -> Any:
            self.step(f"write to {file}")
            return write(data)

        return wrapped


class Written:
    """A file that is written to; everything but `write` is the file's own."""

    def __init__(self, file: Any, faults: Faults, name: Any) -> None:
        self._file, self.write = file, faults.counted_write(file.write, name)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> Written:
        return self

    def __exit__(self, *told: object) -> None:
        self._file.close()


# Carries the messages between a host and its device's server, and breaks one: WHICH AT HOW FOLDER ARGV…
CARRIER = """
import json, os, subprocess, sys, threading
which, at, how, folder, *argv = sys.argv[1:]
server = subprocess.Popen(argv, stdin=-1, stdout=-1)

def carry(source, sink, name):
    count = 0
    for line in iter(source.readline, b""):
        message = json.loads(line)
        whole = line + source.read(message.get("size", 0))
        if message.get("op", message.get("event")) != "alive":
            count += 1
            open(os.path.join(folder, name + ".count"), "w").write(str(count))
            if (name, count) == (which, int(at)):
                if how == "cut":
                    sink.write(whole[: len(whole) // 2])
                    sink.flush()
                    os._exit(1)
                whole = whole * 2 if how == "doubled" else b""
        sink.write(whole)
        sink.flush()
    sink.close()

back = threading.Thread(target=carry, args=(server.stdout, sys.stdout.buffer, "device"))
back.start()
try:
    carry(sys.stdin.buffer, server.stdin, "host")
except BrokenPipeError:
    pass
back.join()
sys.exit(server.wait())
"""


@dataclass
class BrokenMessage:
    """The n-th message from `which` is lost, cut (and the link with it) or doubled; of n = 0 none is."""

    which: str
    at: int
    how: str
    folder: Path

    def argv(self, argv: Sequence[str]) -> list[str]:
        return [sys.executable, "-c", CARRIER, self.which, str(self.at), self.how, str(self.folder), *argv]

    def counted(self, which: str) -> int:
        return int((self.folder / f"{which}.count").read_text())

    def arm(self, patch: pytest.MonkeyPatch) -> None:
        init = ServerConnection.__init__

        def through(own: ServerConnection, target: Any, run_id: str, argv: Sequence[str], *rest: Any) -> None:
            init(own, target, run_id, self.argv(argv), *rest)

        patch.setattr(ServerConnection, "__init__", through)


class BrokenStart:
    """The n-th start of a process or thread fails, as where a user may have no more of them."""

    def __init__(self, patch: pytest.MonkeyPatch, at: int, threads_only: bool = False) -> None:
        self.count, self.at = 0, at
        patch.setattr(threading.Thread, "start", self.counted(threading.Thread.start, RuntimeError(NO_THREAD)))
        if threads_only:
            return
        no_process = BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        for place, name in ((subprocess.Popen, "_execute_child"), (multiprocessing.util, "spawnv_passfds")):
            patch.setattr(place, name, self.counted(getattr(place, name), no_process))

    def counted(self, start: Callable[..., Any], error: Exception) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            self.count += 1
            if self.count == self.at:
                raise error
            return start(*args, **kwargs)

        return wrapped


# The same on a device, of which FAULT_AT says n: its two threads, and a process a job.
ON_THE_DEVICE = """

import os as _os
_count = []


def _failing(start, error):
    def wrapped(*args, **kwargs):
        if "vcgencmd" not in str(args):  # it may fail, and on most machines does
            _count.append(1)
        if len(_count) == int(_os.environ["FAULT_AT"]):
            raise error
        return start(*args, **kwargs)

    return wrapped


threading.Thread.start = _failing(threading.Thread.start, RuntimeError("can't start new thread"))
_unavailable = BlockingIOError(11, "Resource temporarily unavailable")
subprocess.Popen._execute_child = _failing(subprocess.Popen._execute_child, _unavailable)
"""
