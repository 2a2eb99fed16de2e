"""IDX, the file format of the MNIST originals: 0, 0, a type code, the number of dimensions, the dimensions as
big-endian uint32, then the values. Source: http://yann.lecun.com/exdb/mnist/ ("The IDX file format")."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np

from harness.errors import DataError, Unreadable
from harness.support.foreign import read_bytes

UNSIGNED_BYTE = 0x08  # the only type MNIST uses
GZIP_MAGIC = b"\x1f\x8b"  # looked at instead of the suffix: an unpacked file may keep its name, and the reverse


def read_idx(path: Path) -> np.ndarray:
    """The uint8 array in an IDX file, plain or gzipped. Raises DataError for anything but exactly one whole array."""
    content = _read(path)
    if len(content) < 4 or content[:3] != bytes([0, 0, UNSIGNED_BYTE]):
        raise _broken(path, f"is not an IDX file of bytes: it starts with {content[:4].hex(' ') or 'nothing'}")
    start = 4 + 4 * content[3]
    if len(content) < start:
        raise _broken(path, "is truncated inside its header")
    shape = struct.unpack(f">{content[3]}I", content[4:start])
    if len(content) - start != math.prod(shape):
        raise _broken(path, f"declares {math.prod(shape):,} values, shape {shape}, but holds {len(content) - start:,}")
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape)


def _read(path: Path) -> bytes:
    try:
        content = read_bytes(path)  # the largest of MNIST has 47 MB
        return gzip.decompress(content) if content.startswith(GZIP_MAGIC) else content
    except (EOFError, OSError, Unreadable, zlib.error) as error:
        raise _broken(path, f"cannot be read: {error}") from error


def _broken(path: Path, what: str) -> DataError:
    return DataError(f"{path} {what}", "download the file again, or give another with --data")
