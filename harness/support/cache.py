"""What was built before, kept by content: $XDG_CACHE_HOME/edge-harness. An entry appears whole or not at all, with the
hash of each of its files: one that is not what was kept is removed, and made again."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import TypeVar

import platformdirs
from pydantic import TypeAdapter

from harness.errors import Unreadable
from harness.support.files import A_DAY_S, naming, settle
from harness.support.foreign import open_regular, read_json, read_valid

T = TypeVar("T")
HASHES = "sha256.json"  # of an entry: the name of each other file in it → its hash


def cache_dir() -> Path:
    """Returns where this platform keeps caches; on Linux $XDG_CACHE_HOME/edge-harness, or ~/.cache/edge-harness."""
    return platformdirs.user_cache_path("edge-harness")


def key_of(*parts: object) -> str:
    """Returns the hash of everything that a cached thing was made from; names of files may not be UTF-8."""
    return hashlib.sha256("\0".join(map(str, parts)).encode(errors="surrogateescape")).hexdigest()[:20]


Form = tuple[int, int, int, int]
_proved: dict[Path, dict[str, Form]] = {}  # entry → its files as they were when this process found their hashes right


def forms(folder: Path) -> dict[str, Form]:
    """What changes with the content of each file of an entry, by its name."""
    files = {str(path.relative_to(folder)): path.stat() for path in folder.rglob("*") if path.is_file()}
    return {name: (s.st_ino, s.st_size, s.st_mtime_ns, s.st_ctime_ns) for name, s in files.items() if name != HASHES}


def seal(folder: Path) -> None:
    """Keeps the hashes of a new entry with it, and waits until all of it is on the disk."""
    with naming(folder / HASHES):
        (folder / HASHES).write_text(json.dumps({name: file_sha256(folder / name) for name in forms(folder)}))
    for path in folder.rglob("*"):
        if path.is_file():
            settle(path)


def whole(folder: Path) -> bool:
    """Whether an entry is what was kept: hashed once in a process, and again where a file has changed since."""
    try:
        seen = forms(folder)
        if _proved.get(folder) != seen:
            if read_json(folder / HASHES) != {name: file_sha256(folder / name) for name in seen}:
                return False
            _proved[folder] = seen
    except (OSError, Unreadable):
        return False
    return True


def read_kept(file: Path, adapter: TypeAdapter[T]) -> T:
    """Returns what a JSON file of an entry says. Raises Unreadable where that is nothing which the harness keeps so."""
    try:
        return read_valid(file, adapter)
    except (OSError, Unreadable) as error:
        told = f"the cache's {file} is not what was kept: {error}"
        raise Unreadable(told, "add --fresh: it is made again") from error


def file_sha256(path: Path) -> str:
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def code_sha256(*files: Path) -> str:
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()


def code_of(*modules: ModuleType) -> str:
    """Returns the hash of the modules' sources: what they make is made again when they change."""
    return code_sha256(*(Path(str(module.__file__)) for module in modules))


def version(distribution: str) -> str:
    """Returns the installed version, or "none". In a key: what another version built is built again."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "none"


class Cache:
    """Folders under a root, each made once."""

    def __init__(self, root: Path, fresh: bool = False) -> None:
        self.root = root
        self.fresh = fresh
        self._made: set[Path] = set()

    def folder(self, kind: str, key: str) -> Path:
        return self.root / kind / key

    def has(self, kind: str, key: str) -> bool:
        """Whether there is such an entry, whole. A damaged one is removed, and said."""
        folder = self.folder(kind, key)
        if not folder.is_dir() or (self.fresh and folder not in self._made):
            return False
        if whole(folder):
            with suppress(OSError):  # a cache that may only be read
                os.utime(folder)  # so that `harness clean` knows when it was used
            return True
        logging.getLogger(__name__).warning(
            "the cache's %s is damaged, or of an older version: it is made again", folder
        )
        self._drop(folder)
        return False

    @staticmethod
    def _drop(folder: Path) -> None:
        """Removes an entry that is not whole. One that another process has made anew meanwhile is put back."""
        away = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", suffix=".part", dir=folder.parent)) / folder.name
        with suppress(OSError):  # another process removed it, or has made one
            folder.rename(away)
            if whole(away):
                away.rename(folder)
        shutil.rmtree(away.parent, ignore_errors=True)

    def obtain(self, kind: str, key: str, make: Callable[[Path], None]) -> Path:
        """Returns the folder of this key; where there is none, `make` fills a new one, which is then put in place."""
        folder = self.folder(kind, key)
        if not self.has(kind, key):
            folder.parent.mkdir(parents=True, exist_ok=True)
            part = Path(tempfile.mkdtemp(prefix=f"{key}.", suffix=".part", dir=folder.parent))
            try:
                make(part)
                for array in part.glob("*.npy"):  # runs link to them
                    array.chmod(0o444)
                seal(part)
                self._place(part, folder)
            except BaseException:
                shutil.rmtree(part, ignore_errors=True)
                raise
            self._made.add(folder)
        return folder

    def sweep(self) -> None:
        """Removes what processes that were killed left half-made, a day later: until then somebody may be making it."""
        for part in self.root.glob("*/*.part"):
            with suppress(OSError):  # another process removes it, too
                if time.time() - part.stat().st_mtime > A_DAY_S:
                    shutil.rmtree(part)

    def _place(self, part: Path, folder: Path) -> None:
        """Puts a new folder in place.
        Where another process was faster its folder stays, since it may be read already; a fresh one replaces it.
        """
        if self.fresh:
            shutil.rmtree(folder, ignore_errors=True)
        try:
            part.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
            shutil.rmtree(part)


class Shelf:
    """A cache that says what is missing before it is made, and remembers what was made."""

    def __init__(self, cache: Cache, say: Callable[[str], None]) -> None:
        self.cache, self.say = cache, say
        self.made: list[str] = []
        cache.sweep()

    def obtain(self, what: str, kind: str, key: str, make: Callable[[Path], None]) -> Path:
        """Returns the folder of this key. what: is said where it has to be made; "" for what takes no time."""
        if what and not self.cache.has(kind, key):
            self.say(what)
            self.made.append(what)
        return self.cache.obtain(kind, key, make)
