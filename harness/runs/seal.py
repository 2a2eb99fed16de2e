"""manifest.json: the hash and the size of every file that a verdict rests on, so that a stored run proves itself.

While a run is measured, arrived.jsonl holds the hashes of what was stored, a line a part: what the run began with, then
each piece as it came. At the end manifest.json is made of them, so no file is read twice. It is written before run.json
says `finished`, and holds the hash of that run.json, too.

A seal shows that something was changed. Whoever can write the folder can write a new seal: who sealed it, a signature
says (signature.py).
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

from pydantic import TypeAdapter

from harness.errors import StoreError, Unreadable
from harness.support.cache import file_sha256
from harness.support.files import naming, write_atomically, write_json
from harness.support.foreign import parse_json, read_json, read_text, valid
from harness.support.format import listed, plural
from harness.support.text import harmless

MANIFEST, ARRIVED, HEADER = "manifest.json", "arrived.jsonl", "run.json"
SCHEMA_VERSION = 1
BEGUN = ""  # the part that a run begins with: its test set, baseline and variants
FOLDERS = ("raw/", "test/", "variants/")  # of what a verdict rests on, beside baseline*.npy and test.npz
NAMED_AT_MOST = 5  # files in a message
BRING_BACK = "bring back what was measured, or measure again"


@dataclass(frozen=True)
class Print:
    """What is known of a sealed file."""

    sha256: str
    size: int  # bytes


Prints = Mapping[str, Print]  # by the path in the run's folder, with /


@dataclass(frozen=True)
class Manifest:
    """What manifest.json holds."""

    run_id: str
    files: dict[str, Print]  # sorted
    schema_version: int = SCHEMA_VERSION


_MANIFEST = TypeAdapter(Manifest)
_LINE = TypeAdapter(tuple[str, dict[str, Print]])


# --- what there is ---------------------------------------------------------------------------------------------------


def files_of(path: Path) -> Iterator[str]:
    """Yields every file of a run's folder by its path in it. Raises StoreError for a link, and for what is no file."""
    for folder, folders, files in os.walk(path):
        inner = os.path.relpath(folder, path)
        for name in (*folders, *files):
            place = Path(folder, name)
            if not is_plain(place):
                told = f"{harmless(str(place))} is a link or no regular file, and a run holds none: it is not followed"
                raise StoreError(told, "put the file itself there, as `cp -rL` or `rsync -L` do")
        yield from (name if inner == "." else f"{Path(inner).as_posix()}/{name}" for name in files)


def is_plain(place: Path) -> bool:
    """Returns whether it is a folder or a regular file. What is gone by now, as in a run under way, is harmless."""
    try:
        mode = place.lstat().st_mode
    except FileNotFoundError:
        return True
    return stat.S_ISDIR(mode) or stat.S_ISREG(mode)


def sealed_names(path: Path) -> list[str]:
    """Returns the files that a verdict rests on; a piece that was still arriving is none of them. Raises StoreError."""
    return sorted(
        name
        for name in files_of(path)
        if (name.startswith(FOLDERS) and not part_of(name).endswith(".part"))
        or (name.startswith("baseline") and name.endswith(".npy") and "/" not in name)
        or name == "test.npz"
    )


def part_of(name: str) -> str:
    """Returns the piece that a file is of, as raw/TARGET/JOB; BEGUN for what a run begins with."""
    words = name.split("/")
    return "/".join(words[:3]) if words[0] == "raw" else BEGUN


def print_of(file: Path) -> Print:
    return Print(file_sha256(file), file.stat().st_size)


# --- while it is measured --------------------------------------------------------------------------------------------


def note_arrival(path: Path, part: str, known: Prints | None = None) -> Prints:
    """Hashes the files of a part, and notes them where they are not noted so already. Returns them.

    known: what is noted of the part. Raises StoreError.
    """
    folder = path / part
    names = sealed_names(path) if part == BEGUN else [f"{part}/{name}" for name in files_of(folder)]
    prints = {name: print_of(path / name) for name in names if part_of(name) == part}
    if prints != known:
        add_line(path, part, prints)
    return prints


def withdraw(path: Path, part: str) -> None:
    """Takes back what is noted of a part, as another is about to take its place."""
    add_line(path, part, {})


def add_line(path: Path, part: str, prints: Prints) -> None:
    with naming(path / ARRIVED), (path / ARRIVED).open("a", encoding="utf-8") as file:
        file.write(line_of(part, prints))


def line_of(part: str, prints: Prints) -> str:
    """Returns a line that begins with its line end: one that was cut short does not spoil the next."""
    return "\n" + json.dumps([part, {name: asdict(each) for name, each in prints.items()}])


def arrived(path: Path) -> dict[str, Prints]:
    """Returns what is noted of each part; {} in an older run. A line that a kill cut short is none, and what was
    withdrawn is not noted.
    """
    try:
        lines = read_text(path / ARRIVED).splitlines()
    except FileNotFoundError:
        return {}
    except (OSError, Unreadable) as error:
        raise StoreError(f"{path / ARRIVED} cannot be read: {error}", BRING_BACK) from error
    parts: dict[str, Prints] = {}
    for line in lines:
        with suppress(Unreadable):
            part, prints = valid(parse_json(line), _LINE)
            parts[part] = prints
    return {part: prints for part, prints in parts.items() if prints}


def check_arrived(path: Path) -> dict[str, Prints]:
    """Checks what an unfinished run has stored so far, and returns what is noted of it.

    A piece whose folder is gone is measured again, and one that came in the moment of a kill is not noted yet. Raises
    StoreError, which names the files that are not what was stored.
    """
    noted, names = arrived(path), sealed_names(path)
    there = {part_of(name) for name in names} | {BEGUN}
    expected = {name: each for part, prints in noted.items() if part in there for name, each in prints.items()}
    found = [name for name in names if part_of(name) in noted]
    if wrong := differences(path, expected, found):
        advice = "remove the folders of such pieces, raw/TARGET/JOB, and they are measured again; else start a new run"
        raise StoreError(f"{path} is not what was stored: {told_of(wrong)}", advice)
    return noted


def remove_unproved(path: Path, noted: Mapping[str, Prints]) -> None:
    """Removes the pieces that are not noted and were stored before this machine started: what a power cut left may have
    the length of what was measured, and other bytes. A kill alone leaves them as they were.
    """
    for piece in (path / "raw").glob("*/*"):
        if piece.relative_to(path).as_posix() not in noted and piece.lstat().st_ctime < started_s():
            shutil.rmtree(piece, ignore_errors=True)


def started_s() -> float:
    """Returns when this machine started, by the clock of its files; 0 where that is not known."""
    try:
        return time.time() - float(Path("/proc/uptime").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return 0.0


def seal(path: Path, run_id: str, header: bytes, noted: Mapping[str, Prints]) -> None:
    """Writes the manifest of a run that is measured. header: run.json as it is about to be written.

    noted: the parts as they arrived; a part that is not among them is hashed now.
    """
    there = sealed_names(path)
    parts = {part_of(name) for name in there}
    files = {name: each for part in parts for name, each in noted.get(part, {}).items()}
    files |= {name: print_of(path / name) for name in there if part_of(name) not in noted}
    files[HEADER] = Print(sha256(header).hexdigest(), len(header))
    write_json(path / MANIFEST, asdict(Manifest(run_id, dict(sorted(files.items())))))


def reopen(path: Path) -> None:
    """Notes what a manifest holds as if it arrived: the run goes on, and is sealed anew at its end."""
    manifest = read_manifest(path)
    parts: dict[str, dict[str, Print]] = {}
    for name, each in manifest.files.items():
        if name != HEADER:
            parts.setdefault(part_of(name), {})[name] = each
    write_atomically(path / ARRIVED, "".join(line_of(*part) for part in parts.items()).encode())


# --- afterwards ------------------------------------------------------------------------------------------------------


def has_seal(path: Path) -> bool:
    """Returns whether a run has a manifest; whether its files are those, check_sealed says."""
    return (path / MANIFEST).is_file()


def was_finished(path: Path) -> bool:
    """Returns whether a run has come to its end, whatever its run.json says by now: arrived.jsonl goes last of all."""
    return has_seal(path) and not (path / ARRIVED).exists()


def manifest_sha256(path: Path) -> str:
    """Returns the hash of a run's manifest, by which a reference knows it; "" where there is none."""
    return file_sha256(path / MANIFEST) if has_seal(path) else ""


def read_manifest(path: Path) -> Manifest:
    """Raises StoreError where there is none, or it cannot be read."""
    try:
        content = read_json(path / MANIFEST)
        if content["schema_version"] > SCHEMA_VERSION:
            raise StoreError(f"{path / MANIFEST} was written by a newer harness", "upgrade edge-harness")
        return valid(content, _MANIFEST)
    except FileNotFoundError as error:
        raise StoreError(f"{path} is finished, and its {MANIFEST} is missing", BRING_BACK) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{path / MANIFEST} cannot be read: {error}", BRING_BACK) from error


def check_sealed(path: Path, run_id: str, read: Callable[[str], bool] = lambda name: True) -> None:
    """Raises StoreError where a finished run is not what was sealed, and names what is another, missing or too much.

    read: of which files, by name: all, or only those that are going to be read.
    """
    manifest = read_manifest(path)
    if manifest.run_id != run_id:
        raise StoreError(f"{path / MANIFEST} is of run {harmless(manifest.run_id)}, not of {run_id}", BRING_BACK)
    expected = {name: known for name, known in manifest.files.items() if read(name)}
    if wrong := differences(path, expected, [name for name in (*sealed_names(path), HEADER) if read(name)]):
        raise StoreError(f"{path} is not what was measured: {told_of(wrong)}", BRING_BACK)


def differences(path: Path, expected: Prints, found: list[str]) -> list[str]:
    """Says of each file that is not as expected what is wrong with it."""
    there = set(found)
    missing = [f"{name} is missing" for name in expected if name not in there]
    added = [f"{name} was added" for name in found if name not in expected]
    both = (name for name in expected if name in there)
    changed = [f"{name} was changed" for name in both if is_another(path / name, expected[name])]
    return [*changed, *missing, *added]


def is_another(file: Path, expected: Print) -> bool:
    """Returns whether the file is not the one that was sealed; its size says so without reading it."""
    return file.stat().st_size != expected.size or file_sha256(file) != expected.sha256


def told_of(wrong: list[str]) -> str:
    more = len(wrong) - NAMED_AT_MOST
    named = [harmless(each) for each in wrong[:NAMED_AT_MOST]]
    return listed([*named, f"{plural(more, 'further file')} too"] if more > 0 else named)
