"""An .npz file, or an .npy file of inputs alone.

`y` holds the labels, or the array that [data] label names; arrays that [data] sequence and group name say of which
clip and group each sample is; every other array is an input. A single input may have any name; several have the model's
own. In an .npz that holds both halves, as Keras' own data sets do, the test samples are `x_test` and `y_test`, the
calibration samples `x_train` and `y_train`; plain `y` works for either. Where there are labels of several outputs,
those of the output boxes are `y_boxes`, or label = { boxes = "…" } names them. Calibration samples need those of the
scored output alone.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection
from pathlib import Path
from zipfile import ZipFile

from harness.data.on_disk import LABELS, head_file, input_file, mark_file, write_about
from harness.data.source import Split, scored_first
from harness.errors import DataError, Unreadable
from harness.support.arrays import map_npy
from harness.support.cache import file_sha256, key_of
from harness.support.files import copy, naming
from harness.support.foreign import check_text, opened_zip
from harness.support.format import nearest

SAID = "an .npz or .npy file"
OPTIONS: tuple[str, ...] = ("label",)
BY_OUTPUT = "y_"
MISNAMED = ("label", "labels", "target", "targets")
HALVES = {"test": "test", "calibration": "train"}
CHUNK_BYTES = 4 << 20


def fits(split: Split) -> bool:
    return split.path.suffix.lower() in (".npz", ".npy")


def key(split: Split) -> str:
    source = split.source
    about = (split.name, split.path.suffix, file_sha256(split.path))
    return key_of("npz", *about, source.label, source.output, source.marks)


def write(split: Split, folder: Path) -> None:
    """Unpacks the members as a stream: each is an .npy file already."""
    try:
        packed = split.path.suffix.lower() == ".npz"
        names, labelled = unpack(split, folder) if packed else (copy_array(split, folder), {})
    except (OSError, Unreadable) as error:
        raise DataError(f"{split.where} cannot be read: {error}", "fix the file, or write it again") from error
    write_about(folder, names, labelled=tuple(name for name in labelled if name))
    for n, name in enumerate(names):
        check(f"{split.where}: {name}", input_file(folder, n))
    for n, array in enumerate(labelled.values()):
        check(f"{split.where}: {array}", labels_file(folder, n))
    for mark, name in split.source.marks.items():
        if mark_file(folder, mark).exists():
            check(f"{split.where}: {name}", mark_file(folder, mark))


def copy_array(split: Split, folder: Path) -> tuple[str, ...]:
    check_marked(split, dict.fromkeys(split.source.marks.values()))
    copy(split.path, input_file(folder, 0))
    return ("x",)


def labels_file(folder: Path, n: int) -> Path:
    """Returns the file of the n-th labels: those of the scored output are the first."""
    return head_file(folder, n - 1) if n else folder / LABELS


def unpack(split: Split, folder: Path) -> tuple[tuple[str, ...], dict[str, str]]:
    """Fills the folder; returns the inputs' names, and the arrays of labels by their output, the scored one first: ""
    where they are given without its name.
    """
    with opened_zip(split.path) as archive:
        stored = {member.removesuffix(".npy"): member for member in archive.namelist() if member.endswith(".npy")}
        half = HALVES[split.name]
        marks = {mark: named(f"{name}_{half}", name, stored) for mark, name in split.source.marks.items()}
        arrays = [name for name in stored if name not in marks.values()]
        by_output = labels_by_output(split, arrays)
        labelled = scored_first(by_output, split.source.output) if by_output else {"": label_array(split, arrays)}
        others = [name for name in arrays if name not in labelled.values()]
        labelled = {output: name for output, name in labelled.items() if name in stored}
        if split.name != "test":
            labelled = dict([*labelled.items()][:1])
        inputs = [f"x_{half}"] if f"x_{half}" in stored else others
        if not inputs:
            raise DataError(f"{split.where} holds no inputs, only {', '.join(stored) or 'nothing'}", "add an array x")
        check_misnamed(split, inputs, bool(labelled))
        check_marked(split, {name: None for name in marks.values() if name not in stored}, others)
        files = {name: input_file(folder, n) for n, name in enumerate(inputs)}
        further = [(name, labels_file(folder, n)) for n, name in enumerate(labelled.values())]
        further += [(name, mark_file(folder, mark)) for mark, name in marks.items() if name in stored]
        check_room(split, archive, [stored[name] for name in (*files, *(name for name, _ in further))], folder)
        for name, file in [*files.items(), *further]:
            with naming(file), archive.open(stored[name]) as member, file.open("wb") as out:
                shutil.copyfileobj(member, out, CHUNK_BYTES)
    return tuple(inputs), labelled


def check_room(split: Split, archive: ZipFile, members: Collection[str], folder: Path) -> None:
    """Raises DataError where they take more room than there is: an archive of 1 MB may hold 1 GB of zeros."""
    takes, free = sum(archive.getinfo(name).file_size for name in members), shutil.disk_usage(folder).free
    if takes > free:
        told = f"{split.where} unpacks to {takes / 1e6:,.0f} MB, and the disk of {folder} has {free / 1e6:,.0f} MB left"
        raise DataError(told, "make room there, set XDG_CACHE_HOME to another disk, or give a smaller file")


def labels_by_output(split: Split, stored: Collection[str]) -> dict[str, str]:
    """Returns the arrays of labels by the outputs that they are of: those that [data] label names, else y_boxes and the
    like, where there is no y and they cannot be inputs. {} where labels are not given so. Raises DataError.
    """
    given, half = split.source.label, HALVES[split.name]
    if isinstance(given, dict):
        present = {output: name for output, name in given.items() if name in stored}
        if split.name == "test" and (missing := [name for name in given.values() if name not in stored]):
            raise DataError(f"{split.where} has no array {missing[0]!r}", f"it holds {', '.join(stored)}")
        return present
    named = {name.removeprefix(BY_OUTPUT): name for name in stored if name.startswith(BY_OUTPUT)}
    alone = set(stored) - set(named.values()) <= {"x", f"x_{half}"}
    if given or {"y", f"y_{half}"} & set(stored) or not (alone or split.source.output in named):
        return {}
    return named


def label_array(split: Split, stored: Collection[str]) -> str:
    """Returns the name of the array of labels, whether it is there or not. Raises DataError where one that [data] label
    names is not in the test set.
    """
    given, half = split.source.label, HALVES[split.name]
    if isinstance(given, str) and given not in stored and split.name == "test":
        raise DataError(f"{split.where} has no array {given!r}", f"it holds {', '.join(stored)}")
    return given if isinstance(given, str) else f"y_{half}" if f"y_{half}" in stored else "y"


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
        array = map_npy(path)
        check_text(array)
    except (OSError, ValueError) as error:
        raise DataError(f"{what} cannot be used: {error}", "store one dtype, text as str") from error
    if not array.shape:
        raise DataError(f"{what} is a single number", "every array needs the samples along its first axis")
