"""Locks on this machine's files, of whoever works on them: the kernel frees one when its process dies."""

from __future__ import annotations

import fcntl
import getpass
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from harness.errors import StoreError, Unreadable
from harness.support.files import naming
from harness.support.foreign import open_regular
from harness.support.text import harmless

TRY_AGAIN_S = 0.05


@contextmanager
def locked(file: Path, what: str, wait_s: float = 0.0) -> Iterator[None]:
    """Holds the lock of this file, which is gone afterwards.

    Raises StoreError where another holds it for longer than wait_s, and says who and since when.
    """
    end = time.monotonic() + wait_s
    while (held := _taken(file)) is None:
        if time.monotonic() >= end:
            raise StoreError(f"{what} is in use by {holder(file)}", "wait until that has ended, and try again")
        time.sleep(TRY_AGAIN_S)
    try:
        with naming(file):
            os.truncate(held, 0)
            os.write(held, f"{whoami()}, process {os.getpid()}, since {time.strftime('%Y-%m-%d %H:%M:%S %Z')}".encode())
        yield
    finally:
        with suppress(OSError):
            file.unlink()
        os.close(held)


def _taken(file: Path) -> int | None:
    """Returns the open file, locked; None where another holds it."""
    held = os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, 0o666)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(held), file.stat()):  # else it was removed by who held it, and means nothing
            return held
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(held)
    return None


def holder(file: Path) -> str:
    try:
        with open_regular(file) as opened:
            return str(harmless(opened.read(400).decode(errors="replace"))) or "another process"
    except (OSError, Unreadable):
        return "another process"


def whoami() -> str:
    """Returns user@host."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"
