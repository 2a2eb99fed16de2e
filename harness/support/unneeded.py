"""What no run needs: builds that were not used for long, and what killed processes left. It can all be made again."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.device import venvs
from harness.support.cache import HASHES
from harness.support.files import A_DAY_S, age_s, is_left, left_temporary_folders


@dataclass(frozen=True)
class Unneeded:
    """A file or folder. frees_bytes: of its files that nothing else links to, as runs do to test sets in the cache."""

    path: Path
    why: str
    frees_bytes: int


def unneeded(cache: Path, results: Path, unused_days: float) -> Iterator[Unneeded]:
    """Yields what can be removed of the cache, the runs and the folder of temporary files.

    Never a run, nor a file of one: only what a process that ended left half-written there.
    """
    for path in sorted(cache.glob("*/*")):
        if path.suffix == ".part" and age_s(path) > A_DAY_S:
            yield found(path, "half built")
        elif (path / HASHES).is_file() and age_s(path) > unused_days * A_DAY_S:
            yield found(path, f"built, and not used for {age_s(path) / A_DAY_S:.0f} days")
    for path in sorted(cache.glob(f"device/{venvs.FOLDER}/*")):
        if path.suffix == ".part" and age_s(path) > A_DAY_S:
            yield found(path, "half made")
        elif (about := path / venvs.ABOUT).is_file() and age_s(about) > unused_days * A_DAY_S:
            yield found(path, f"an engine, not used for {age_s(about) / A_DAY_S:.0f} days")
    for path in sorted(left_in(results)):
        yield found(path, "half written")
    for path in sorted(left_temporary_folders(Path(tempfile.gettempdir()))):
        yield found(path, "temporary")


def left_in(results: Path) -> Iterator[Path]:
    """Yields what has the name of a part, and is left or a day old.

    What a link leads to outside is not looked at: a run may be a stranger's.
    """
    parts = (*results.glob("*/.*"), *results.glob("*/*/.*"), *results.glob("*/*/raw/*/*.part"))
    for path in parts:
        inside = not path.is_symlink() and path.resolve().is_relative_to(results.resolve())
        if inside and (is_left(path) or (path.suffix == ".part" and age_s(path) > A_DAY_S)):
            yield path


def found(path: Path, why: str) -> Unneeded:
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    sizes = (file.lstat() for file in files)
    return Unneeded(path, why, sum(known.st_size for known in sizes if known.st_nlink == 1))


def remove(path: Path) -> None:
    """Removes a file or folder, without following a link. Raises OSError."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
