"""Files and texts that others wrote, read so that nothing in them can stop, fill or mislead the reader.

A run's folder may come from a stranger, a device may lie, a disk may be damaged: a file may be a pipe that never ends,
nested a million deep, or hold a number that nothing can count. What is not as it must be is Unreadable, whatever it is.
"""

from __future__ import annotations

import io
import json
import lzma
import math
import os
import stat
import struct
import sys
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import IO, Any, TypeVar

import numpy as np
from numpy.lib import format as npy
from pydantic import TypeAdapter

from harness.errors import Unreadable
from harness.support.files import check_disk

T = TypeVar("T")
JSON_BYTES = 64 << 20  # a run.json with 100,000 remarks has less
DEEPEST = 64  # levels of a JSON value; ours have 6
BAD_ZIP = (OSError, EOFError, ValueError, RuntimeError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error)
SURROGATES = 0xD800 >> 11
LONGEST_NUMBER = 40  # characters: a float64 has 25, an int64 20


def open_regular(path: Path) -> BufferedReader:
    """Opens a regular file to read: a pipe would block for ever, a device may never end. Raises OSError, Unreadable."""
    try:
        number = os.open(path, os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NONBLOCK", 0))
    except ValueError as error:  # a NUL in its name
        raise Unreadable(f"{str(path)!r} names no file: {error}") from error
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise Unreadable(f"{path} is not a regular file", "give the file itself")
    return os.fdopen(number, "rb")


def read_bytes(path: Path, limit_bytes: int = JSON_BYTES) -> bytes:
    """Raises OSError; Unreadable for more than limit_bytes, and for what is no regular file."""
    with open_regular(path) as file:
        known = os.fstat(file.fileno()).st_size  # read() makes room for all that it is asked for
        content = file.read(min(known, limit_bytes) + 1)
    if len(content) > limit_bytes:
        raise Unreadable(f"{path.name} has over {limit_bytes:,} bytes")
    return content


def read_text(path: Path, limit_bytes: int = JSON_BYTES) -> str:
    """The text of a file in UTF-8, without a byte order mark. Raises as read_bytes does."""
    try:
        return read_bytes(path, limit_bytes).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable(f"{path.name} is not a text in UTF-8: {error}") from error


def read_json(path: Path, limit_bytes: int = JSON_BYTES) -> Any:
    """The value in a JSON file, as parse_json has it. Raises OSError, Unreadable."""
    try:
        return parse_json(read_text(path, limit_bytes))
    except Unreadable as error:
        raise Unreadable(f"{path.name}: {error}") from error


def read_valid(path: Path, adapter: TypeAdapter[T]) -> T:
    """What the adapter makes of a JSON file. Raises OSError, Unreadable."""
    content = read_json(path)
    try:
        return valid(content, adapter)
    except Unreadable as error:
        raise Unreadable(f"{path.name}: {error}") from error


def valid(content: Any, adapter: TypeAdapter[T]) -> T:
    """What the adapter makes of a value that was read. Raises Unreadable."""
    try:
        return adapter.validate_python(content)
    except Exception as error:  # pydantic's own, and what the standard library raises for a value that it cannot hold
        raise Unreadable(" ".join(str(error).split())[:400]) from error


def parse_json(text: str | bytes) -> Any:
    """A JSON value of at most 64 levels, with numbers that a float64 can hold. In its texts a NUL, and half of a
    surrogate pair, become U+FFFD: the one can be in no path, the other in no file. Raises Unreadable.
    """
    try:
        content = json.loads(text, parse_int=whole, parse_float=finite, parse_constant=finite)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"it is not JSON that can be used: {str(error)[:200]}") from error
    return content if is_plain(text) else writable(content)


def is_plain(text: str | bytes) -> bool:
    """Whether a JSON text has no NUL, no half of a surrogate pair, and too few brackets to be nested too deep."""
    if isinstance(text, bytes):
        return text.isascii() and b"\\u" not in text and text.count(b"[") + text.count(b"{") <= DEEPEST
    return text.isascii() and "\\u" not in text and text.count("[") + text.count("{") <= DEEPEST


def whole(text: str) -> int:
    if len(text) > LONGEST_NUMBER:
        raise ValueError(f"a number of {len(text):,} digits")
    return int(text)


def finite(text: str) -> float:
    number = float(text[:LONGEST_NUMBER])
    if len(text) > LONGEST_NUMBER or not math.isfinite(number):
        raise ValueError(f"the number {text[:LONGEST_NUMBER]}")
    return number


def writable(value: Any, level: int = 0) -> Any:
    if level > DEEPEST:
        raise Unreadable(f"it is nested over {DEEPEST} deep")
    if isinstance(value, str):
        return value.replace("\0", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [writable(each, level + 1) for each in value]
    if isinstance(value, dict):
        return {writable(key): writable(each, level + 1) for key, each in value.items()}
    return value


def dtype_of(name: str) -> np.dtype[Any]:
    """The dtype of that name, of plain numbers or truth values. Raises Unreadable: numpy raises one of seven."""
    try:
        dtype = np.dtype(name)
    except Exception as error:
        raise Unreadable(f"{name!r} is not a dtype") from error
    if dtype.kind not in "fiub" or dtype.name != name:
        raise Unreadable(f"{name!r} is not a dtype of numbers")
    return dtype


def read_npy(path: Path, mapped: bool = True) -> np.ndarray:
    """The array in an .npy file, read-only where it is mapped.

    Raises OSError; Unreadable for anything else (np.load would also open archives, and unpickle), and for a header that
    promises more than the file has.
    """
    with open_regular(path) as file:
        try:
            check_npy(file, os.fstat(file.fileno()).st_size)
            array: np.ndarray = npy.open_memmap(path, mode="r") if mapped else whole_array(file)
        except OSError:
            raise
        except Exception as error:  # a broken header alone can end in any of seven
            raise Unreadable(f"{path.name} is not an array: {str(error)[:200]}") from error
    return array


def check_npy(file: IO[bytes], size: int) -> None:
    """Raises Unreadable where the file, of size bytes, is not as long as its header says; whatever numpy raises for a
    broken one.
    """
    read_header = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}[npy.read_magic(file)]
    shape, _, dtype = read_header(file)
    if min(shape, default=0) < 0 or dtype.hasobject:
        raise Unreadable(f"an array of shape {shape} and of {dtype}")
    if size - file.tell() != math.prod(map(int, shape)) * dtype.itemsize:
        raise Unreadable(f"it does not hold {shape} numbers of {dtype}")


def read_npz(path: Path, names: Sequence[str], limit_bytes: int) -> dict[str, np.ndarray]:
    """The arrays of these names in an .npz file, in memory. Raises OSError; KeyError for a name that it has not;
    Unreadable for anything else, and for arrays of over limit_bytes together.
    """
    with opened_zip(path) as archive:
        there = {member.filename: member for member in archive.infolist()}
        if missing := [name for name in names if f"{name}.npy" not in there]:
            raise KeyError(missing[0])
        members = [there[f"{name}.npy"] for name in names]
        if sum(member.file_size for member in members) > limit_bytes:
            raise Unreadable(f"it unpacks to over {limit_bytes:,} bytes")
        return {name: array_in(archive.read(member)) for name, member in zip(names, members, strict=True)}


@contextmanager
def opened_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """A zip archive to read. What is wrong with it, and what is found wrong in it meanwhile, is Unreadable, which names
    the file. Raises OSError, DiskError.
    """
    with open_regular(path) as file:
        try:
            with zipfile.ZipFile(file) as archive:
                known = os.fstat(file.fileno()).st_size
                if any(member.compress_size > known for member in archive.infolist()):
                    raise Unreadable("it says that it holds more than it has")
                yield archive
        except BAD_ZIP as error:
            check_disk(error)
            raise Unreadable(f"{path.name} cannot be read: {str(error)[:200]}") from error


def array_in(content: bytes) -> np.ndarray:
    """The array in what an .npy file holds. Raises Unreadable."""
    file = io.BytesIO(content)
    try:
        check_npy(file, len(content))
        file.seek(0)
        array: np.ndarray = npy.read_array(file, allow_pickle=False)
    except Exception as error:  # as in read_npy
        raise Unreadable(f"an array in it is none: {str(error)[:200]}") from error
    return array


def check_text(array: np.ndarray) -> None:
    """Raises Unreadable for text with what is no character: Python fails where it reads one, or prints it."""
    if array.dtype.kind == "U" and array.dtype.itemsize:
        codes = np.ascontiguousarray(array).view(np.dtype("u4").newbyteorder(array.dtype.byteorder))
        if (codes > sys.maxunicode).any() or (codes >> 11 == SURROGATES).any():
            raise Unreadable("it holds text with what is no character")


def whole_array(file: BufferedReader) -> np.ndarray:
    file.seek(0)
    array: np.ndarray = npy.read_array(file, allow_pickle=False)
    return array
