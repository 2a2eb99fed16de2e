"""Our ends of the pipes of a process. What it started may hold the others for ever: no pipe is waited for longer than
the process itself."""

from __future__ import annotations

import errno
import io
import os
import select
import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import IO, Any

TICK_S = 0.25  # between two looks at whether the process still lives
CHUNK_BYTES = 1 << 16


class Pipe(io.RawIOBase):
    """A pipe from or to a process. It ends when the process has ended, or at once when it is given up."""

    def __init__(self, file: IO[bytes] | None, process: subprocess.Popen[bytes], is_given_up: Callable[[], bool]):
        assert file is not None
        self._file, self._process, self._is_given_up = file, process, is_given_up
        os.set_blocking(file.fileno(), False)  # our end alone

    def fileno(self) -> int:
        return self._file.fileno()

    def readable(self) -> bool:
        return self._file.readable()

    def writable(self) -> bool:
        return self._file.writable()

    def readinto(self, buffer: Any) -> int:
        return os.readv(self.fileno(), [buffer]) if self._wait(select.POLLIN) else 0

    def write(self, data: Any) -> int:
        if not self._wait(select.POLLOUT):
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
        return os.write(self.fileno(), data)

    def has_room(self, seconds: float) -> bool:
        """Whether something can be written, at the latest after so long."""
        return bool(self._poll(select.POLLOUT).poll(1000 * seconds))

    def _poll(self, event: int) -> select.poll:
        look = select.poll()  # select() takes no file number over 1,023
        look.register(self.fileno(), event)
        return look

    def _wait(self, event: int) -> bool:
        """Whether there are bytes, or is room for some. False where none will come any more."""
        look = self._poll(event)
        while not self._is_given_up():
            has_ended = self._process.poll() is not None  # before the look: what it wrote last is still read
            if look.poll(0 if has_ended else 1000 * TICK_S):
                return True
            if has_ended:
                return False
        return False

    def close(self) -> None:
        super().close()
        self._file.close()


class Printed(threading.Thread):
    """Takes what a process prints, however much, and keeps the end of it."""

    def __init__(self, pipe: Pipe, kept_bytes: int) -> None:
        super().__init__(daemon=True)
        self.size = 0
        self._pipe, self._kept, self._kept_bytes = pipe, b"", kept_bytes

    def run(self) -> None:
        with suppress(OSError, ValueError):  # it was closed
            while chunk := self._pipe.read(CHUNK_BYTES):
                self.size += len(chunk)
                self._kept = (self._kept + chunk)[-self._kept_bytes :]

    def text(self) -> str:
        """Returns what was kept; of a process that has ended, all of it."""
        self.wait()
        return self._kept.decode(errors="replace")

    def close(self) -> None:
        self.wait()
        self._pipe.close()

    def wait(self) -> None:
        if self.is_alive():  # it may never have started
            self.join(2 * TICK_S)
