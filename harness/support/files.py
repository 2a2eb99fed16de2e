"""Files that appear whole or not at all: a reader never meets half of one."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields a path beside the file to write to.
    It takes the file's place at the end, and is gone where writing failed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield part
        settle(part)
        part.replace(path)
        with suppress(OSError):  # not every file system takes a folder
            settle(path.parent)
    finally:
        part.unlink(missing_ok=True)


def settle(path: Path) -> None:
    """Waits until the file, or the folder's list of names, is on the disk: a power cut leaves it as it is."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_atomically(path: Path, content: bytes) -> Path:
    with replacing(path) as part:
        part.write_bytes(content)
    return path


def write_json(path: Path, content: object) -> Path:
    """Writes JSON. Raises ValueError for NaN and infinities, which JSON does not have."""
    return write_atomically(path, json_bytes(content))


def json_bytes(content: object) -> bytes:
    """Returns the file that write_json writes."""
    return json.dumps(content, indent=1, allow_nan=False).encode() + b"\n"
