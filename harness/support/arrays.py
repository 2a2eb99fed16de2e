"""Arrays in .npy files, read and written a stretch at a time: they may be larger than memory."""

from __future__ import annotations

import hashlib
import io
import math
import mmap
import os
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.support.files import naming
from harness.support.foreign import read_npy

STRETCH_BYTES = 8 << 20
IN_MEMORY_BYTES = 64 << 20  # of one output of one case
FEW = 16
READ_ONLY, WRITABLE = 0o444, 0o222


def stretches(array: np.ndarray, size_bytes: int = STRETCH_BYTES) -> Iterator[np.ndarray]:
    """Yields the array along its first axis, about size_bytes at a time: it may be larger than memory."""
    size = max(1, size_bytes // max(1, array[:1].nbytes))
    for first in range(0, len(array), size):
        yield array[first : first + size]
        let_go(array)


def sha256_of(*arrays: np.ndarray | None) -> str:
    """Returns the hash of the arrays that are not None: dtypes, shapes and bytes."""
    digest = hashlib.sha256()
    for array in arrays:
        if array is not None:
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            for stretch in stretches(array):
                digest.update(np.ascontiguousarray(stretch).data)
    return digest.hexdigest()


def digests(arrays: tuple[np.ndarray, ...]) -> Iterator[bytes]:
    """Yields a hash of each sample, over all of its inputs, one array an input."""
    at_once = max(1, STRETCH_BYTES // max(1, sum(array[:1].nbytes for array in arrays)))
    for n in range(len(arrays[0])):
        digest = hashlib.blake2b(digest_size=16)
        for array in arrays:
            digest.update(np.ascontiguousarray(array[n]).data)
            if n % at_once == 0:
                let_go(array)
        yield digest.digest()


def let_go(array: np.ndarray) -> None:
    """Gives the memory back that reading a mapped file took; the file can be read again."""
    owner = array
    while isinstance(owner.base, np.ndarray):
        owner = owner.base
    if isinstance(owner, np.memmap) and owner.mode == "r" and isinstance(owner.base, mmap.mmap):
        owner.base.madvise(mmap.MADV_DONTNEED)


def pick(array: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Copies those samples, a few at a time: a kernel may map megabytes around each one."""
    picked = np.empty((len(rows), *array.shape[1:]), array.dtype)
    for first in range(0, len(rows), FEW):
        few = slice(first, first + FEW)
        picked[few] = array[rows[few]]
        let_go(array)
    return picked


def gather(parts: Iterable[np.ndarray], shape: tuple[int, ...], folder: Path) -> np.ndarray:
    """Joins parts of an array as float32 of this shape:
    in memory, or where it is large in a mapped file in the folder, which is gone with the array.
    """
    if 4 * math.prod(shape) <= IN_MEMORY_BYTES:
        return np.concatenate([np.zeros((0, *shape[1:]), np.float32), *parts], dtype=np.float32)
    with naming(folder), tempfile.TemporaryFile(dir=folder) as file:
        for part in parts:
            file.write(np.ascontiguousarray(part, np.float32).data)
        file.flush()
        return np.memmap(file, np.float32, "r", shape=shape)


def npy_bytes(array: np.ndarray) -> bytes:
    """Returns the array as an .npy file. Raises ValueError for an array of objects."""
    file = io.BytesIO()
    np.save(file, np.ascontiguousarray(array), allow_pickle=False)
    return file.getvalue()


def write_npy(path: Path, array: np.ndarray) -> None:
    """Writes an array that may be larger than memory. The file is whole when this returns, and read-only."""
    form = {"shape": array.shape, "fortran_order": False, "descr": np.lib.format.dtype_to_descr(array.dtype)}
    with naming(path), path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, form)
        for stretch in stretches(array):
            file.write(np.ascontiguousarray(stretch).data)
    path.chmod(READ_ONLY)


def keep_npy(path: Path, array: np.ndarray) -> None:
    """Writes the array, or links the file that it is mapped from:
    where that is whole, and read-only, so that nobody changes it under this name.
    """
    source = whole_file(array)
    if source is None or source.stat().st_mode & WRITABLE or not link(source, path):
        write_npy(path, array)


def link(source: Path, path: Path) -> bool:
    try:
        os.link(source, path)
    except OSError:  # another file system, or one without links
        return False
    return True


def whole_file(array: np.ndarray) -> Path | None:
    """Returns the .npy file that holds this array and nothing else, where there is one."""
    if not isinstance(array, np.memmap) or array.filename is None or not array.flags.c_contiguous:
        return None
    path = Path(array.filename)
    try:
        stored = map_npy(path)
    except (OSError, ValueError):
        return None
    same = (stored.shape, stored.dtype) == (array.shape, array.dtype) and stored.flags.c_contiguous
    return path if same else None


def map_npy(path: Path) -> np.ndarray:
    """Maps the array in an .npy file, read-only. Raises OSError; ValueError where the file does not hold one."""
    return read_npy(path)


@dataclass(frozen=True)
class StoredArray:
    """An array in an .npy file, known by its form.
    np.asarray reads it, every time: a mapping for each of a run's many would hold as many files open.
    """

    path: Path
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @classmethod
    def of(cls, path: Path) -> StoredArray:
        """Reads the form of a stored array. Raises OSError, ValueError where the file is not what its header says."""
        array = map_npy(path)
        return cls(path, array.shape, array.dtype)

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        array = read_npy(self.path, mapped=False)
        return array if dtype is None else array.astype(dtype)
