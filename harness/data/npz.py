"""An .npz file, or an .npy file of inputs alone.

`y` holds the labels, arrays that [data] sequence and group name say of which clip and group each sample is; every other
array is an input. A single input may have any name; several have the model's own. In an .npz that holds both halves, as
Keras' own data sets do, the test samples are `x_test` and `y_test`, the calibration samples `x_train` and `y_train`;
plain `y` works for either.
"""

from __future__ import annotations

import shutil
import zipfile
import zlib
from collections.abc import Collection
from pathlib import Path

from harness.data.on_disk import LABELS, input_file, mark_file, write_about
from harness.data.source import Split
from harness.errors import DataError
from harness.support.arrays import map_npy
from harness.support.cache import file_sha256, key_of
from harness.support.toml import nearest

SAID = "an .npz or .npy file"
OPTIONS: tuple[str, ...] = ()
MISNAMED = ("label", "labels", "target", "targets")
HALVES = {"test": "test", "calibration": "train"}
CHUNK_BYTES = 4 << 20


def fits(split: Split) -> bool:
    return split.path.suffix.lower() in (".npz", ".npy")


def key(split: Split) -> str:
    return key_of("npz", split.name, split.path.suffix, file_sha256(split.path), split.source.marks)


def write(split: Split, folder: Path) -> None:
    """Unpacks the members as a stream: each is an .npy file already."""
    try:
        names = copy_array(split, folder) if split.path.suffix.lower() == ".npy" else unpack(split, folder)
    except (OSError, EOFError, ValueError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{split.where} cannot be read: {error}", "fix the file, or write it again") from error
    write_about(folder, names)
    for n, name in enumerate(names):
        check(f"{split.where}: {name}", input_file(folder, n))
    if (folder / LABELS).exists():
        check(f"{split.where}: y", folder / LABELS)
    for mark, name in split.source.marks.items():
        if mark_file(folder, mark).exists():
            check(f"{split.where}: {name}", mark_file(folder, mark))


def copy_array(split: Split, folder: Path) -> tuple[str, ...]:
    check_marked(split, dict.fromkeys(split.source.marks.values()))
    shutil.copyfile(split.path, input_file(folder, 0))
    return ("x",)


def unpack(split: Split, folder: Path) -> tuple[str, ...]:
    """Fills the folder; returns the inputs' names."""
    with zipfile.ZipFile(split.path) as archive:
        stored = {member.removesuffix(".npy"): member for member in archive.namelist() if member.endswith(".npy")}
        half = HALVES[split.name]
        labels = f"y_{half}" if f"y_{half}" in stored else "y"
        marks = {mark: named(f"{name}_{half}", name, stored) for mark, name in split.source.marks.items()}
        others = [name for name in stored if name != labels and name not in marks.values()]
        inputs = [f"x_{half}"] if f"x_{half}" in stored else others
        if not inputs:
            raise DataError(f"{split.where} holds no inputs, only {', '.join(stored) or 'nothing'}", "add an array x")
        check_misnamed(split, inputs, labels in stored)
        check_marked(split, {name: None for name in marks.values() if name not in stored}, others)
        files = {name: input_file(folder, n) for n, name in enumerate(inputs)}
        further = [(labels, folder / LABELS)] if labels in stored else []
        if split.name == "test":
            further += [(name, mark_file(folder, mark)) for mark, name in marks.items()]
        for name, file in [*files.items(), *further]:
            with archive.open(stored[name]) as member, file.open("wb") as out:
                shutil.copyfileobj(member, out, CHUNK_BYTES)
    return tuple(inputs)


def named(of_half: str, name: str, stored: Collection[str]) -> str:
    """Returns the array's name in this half: clip_test before clip."""
    return of_half if of_half in stored else name


def check_marked(split: Split, missing: Collection[str], there: Collection[str] = ()) -> None:
    """Raises DataError where the test set has no array that says which clip or group a sample is of."""
    if split.name == "test" and missing:
        name = next(iter(missing))
        advice = nearest(name, there, "its arrays are") if there else "store the samples as an .npz file that holds it"
        raise DataError(f"{split.where} holds no array {name}, which [data] names", advice)


def check_misnamed(split: Split, inputs: list[str], labelled: bool) -> None:
    """Raises DataError where labels would be taken for a second input."""
    misnamed = [name for name in inputs if name.lower() in MISNAMED]
    if misnamed and not labelled and len(inputs) == 2:
        raise DataError(
            f"{split.where} holds no y, but an array {misnamed[0]}", "labels are called y: rename the array"
        )


def check(what: str, path: Path) -> None:
    """Raises DataError where the file holds no array with an axis of samples."""
    try:
        shape = map_npy(path).shape
    except (OSError, ValueError) as error:
        raise DataError(f"{what} cannot be used: {error}", "store one dtype, text as str") from error
    if not shape:
        raise DataError(f"{what} is a single number", "every array needs the samples along its first axis")
