"""Files that appear whole or not at all: a reader never meets half of one. What a kill leaves of them is removed."""

from __future__ import annotations

import errno
import fcntl
import glob
import hashlib
import json
import os
import re
import shutil
import socket
import tempfile
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from harness.errors import DiskError

NEW_S = 60.0  # a temporary folder is made and then held: one that is younger may not be held yet
A_DAY_S = 86_400.0  # nothing takes this long to make
OTHER_PLACE = "give another place, or fix that one"
ADVICE = {
    errno.ENOSPC: "make room on that disk, then give the same command again",
    errno.EIO: "that disk may be failing: look into the system's log (dmesg), and save what is on it",
    errno.EMFILE: "allow more open files (`ulimit -n`), then give the same command again",
    errno.EAGAIN: "the system starts no further process or thread: end some, or allow more (`ulimit -u`), then give the"
    " same command again",
    errno.ENOMEM: "the system has no memory left: end some processes, then give the same command again",
}
OF_PROCESSES = (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE)  # where no file is named
ADVICE[errno.EDQUOT] = ADVICE[errno.ENOSPC]
ADVICE[errno.ENFILE] = ADVICE[errno.EMFILE]


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields a path beside the file to write to.
    It takes the file's place at the end, and is gone where writing failed.
    """
    with naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers_of(path)
        part = part_beside(path)
        try:
            yield part
            settle(part)
            part.replace(path)
            with suppress(OSError):  # not every file system takes a folder
                settle(path.parent)
        finally:
            with suppress(OSError):
                part.unlink()


@contextmanager
def appearing(folder: Path) -> Iterator[Path]:
    """Yields a new folder to fill. It gets its name at the end, and is gone where filling it failed.

    Raises FileExistsError where there is one of that name.
    """
    if folder.exists():
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(folder))
    part = part_beside(folder)
    with naming(folder):
        remove_folders_left_in(folder.parent)
        part.mkdir(parents=True)
        try:
            yield part
            part.rename(folder)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise


def part_beside(path: Path) -> Path:
    """Where this process writes what is to get that name: no other writes there, not in another container either."""
    return path.with_name(f".{path.name}.{place()}-{os.getpid()}")


@cache
def place() -> str:
    """What tells where a process's number means something: this machine since it started, and this container."""
    known = [socket.gethostname()]
    with suppress(OSError):  # only Linux has them
        known += [Path("/proc/sys/kernel/random/boot_id").read_text(), str(Path("/proc/self/ns/pid").readlink())]
    return hashlib.sha256("\0".join(known).encode()).hexdigest()[:8]


def remove_folders_left_in(folder: Path) -> None:
    """Removes what processes that were killed left half-filled there, of whatever name."""
    for part in folder.glob(".*"):
        if part.is_dir() and not part.is_symlink() and is_left(part):
            shutil.rmtree(part, ignore_errors=True)


def remove_leftovers_of(path: Path) -> None:
    """Removes what processes that were killed left half-written in this file's place."""
    for part in path.parent.glob(f".{glob.escape(path.name)}.*"):
        if is_left(part):
            with suppress(OSError):  # another process removes it, too
                part.unlink()


def is_left(part: Path) -> bool:
    """Whether the file or folder has a name as part_beside gives, of a process that has ended.

    One of another machine or container is not seen from here, and may write on: that has ended a day later.
    """
    owner = re.fullmatch(r"\..+\.(?:([0-9a-f]{8})-)?(\d+)", part.name)  # an older version named no place
    if not owner:
        return False
    if owner[1] == place():
        return not is_alive(int(owner[2]))
    return age_s(part) > A_DAY_S


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # it is another user's, and lives
        return True
    return True


def age_s(path: Path) -> float:
    """Seconds since it was made or, of an entry of the cache, used; 0 where it is gone."""
    with suppress(OSError):
        return time.time() - path.lstat().st_mtime
    return 0.0


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """An OSError names this file, where it names none: a write or a sync that fails does not say of which."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise


@contextmanager
def telling_disk() -> Iterator[None]:
    """Tells an OSError as what it is: something with this machine's files or processes; the same of a thread that could
    not start. Raises DiskError.
    """
    try:
        yield
    except OSError as error:
        raise disk_error(error) from error
    except RuntimeError as error:
        check_disk(error)
        raise


def check_disk(error: BaseException) -> None:
    """Raises DiskError where the error is of this machine's disk, memory or processes: no fault of a device, of a model
    or of what a file holds.
    """
    if isinstance(error, OSError) and error.errno in ADVICE:
        raise disk_error(error) from error
    if isinstance(error, RuntimeError) and "can't start new thread" in str(error):  # Python has no class for it
        raise DiskError("this process may start no further thread", ADVICE[errno.EAGAIN]) from error


def disk_error(error: OSError) -> DiskError:
    """What cannot be written is the second of two names: of a link, a copy, a rename."""
    nameless = "a process that was to start" if error.errno in OF_PROCESSES else "what was written last, perhaps stdout"
    where = error.filename2 or error.filename or nameless
    told = os.fsdecode(where) if isinstance(where, bytes) else where
    return DiskError(f"{told}: {error.strerror or error}", ADVICE.get(error.errno or 0, OTHER_PLACE))


def settle(path: Path) -> None:
    """Waits until the file, or the folder's list of names, is on the disk: a power cut leaves it as it is."""
    with naming(path):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_atomically(path: Path, content: bytes) -> Path:
    with replacing(path) as part:
        part.write_bytes(content)
    return path


def copy(source: Path, path: Path) -> None:
    """Copies what is in a file. An OSError names the copy where that cannot be written."""
    with naming(path):
        shutil.copyfile(source, path)


def write_json(path: Path, content: object) -> Path:
    """Writes JSON. Raises ValueError for NaN and infinities, which JSON does not have."""
    return write_atomically(path, json_bytes(content))


def json_bytes(content: object) -> bytes:
    """Returns the file that write_json writes."""
    return json.dumps(content, indent=1, allow_nan=False).encode() + b"\n"


class TemporaryFolder(tempfile.TemporaryDirectory[str]):
    """A temporary folder, held by a lock while its owner lives: what a killed one left is removed by the next."""

    PREFIX = "edge-harness-"

    def __init__(self, folder: str | None = None) -> None:
        remove_temporary_folders(Path(folder or tempfile.gettempdir()))
        super().__init__(prefix=self.PREFIX, dir=folder)
        held = os.open(self.name, os.O_RDONLY | os.O_CLOEXEC)
        weakref.finalize(self, os.close, held)
        fcntl.flock(held, fcntl.LOCK_EX)


def remove_temporary_folders(place: Path) -> None:
    for folder in left_temporary_folders(place):
        shutil.rmtree(folder, ignore_errors=True)


def left_temporary_folders(place: Path) -> Iterator[Path]:
    """Yields this user's temporary folders that nobody holds."""
    for folder in place.glob(f"{TemporaryFolder.PREFIX}*"):
        with suppress(OSError):
            known = folder.lstat()
            if known.st_uid == os.getuid() and time.time() - known.st_mtime > NEW_S and not is_held(folder):
                yield folder


def is_held(folder: Path) -> bool:
    """Whether a process has the folder's lock. Raises OSError where it is no folder."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
