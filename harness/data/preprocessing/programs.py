"""Runs the two programs over the raw files, each in a process of its own: they may import what they like."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from harness.data.preprocessing import picture_steps, sound_steps
from harness.errors import ConfigError, DataError
from harness.support.cache import cache_dir
from harness.support.child_process import CALL_S, ChildProcess, allow
from harness.support.functions import FunctionRef, load_function, looking_in

SUFFIXES = (*picture_steps.SUFFIXES, *sound_steps.SUFFIXES)


def raw_files(folder: Path, labels: Sequence[str] = ()) -> tuple[list[Path], np.ndarray | None, tuple[str, ...]]:
    """Returns the raw files in or below the folder, in order; the class of each, (files,), and the names of the
    classes: the folders in it, in the order of `labels` where these are given, by their numbers where they are numbers,
    else by their names. A flat folder has no classes.

    Raises DataError where there are none, and ConfigError for a class that `labels` does not name.
    """
    flat = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    if flat:
        return flat, None, ()
    below = {d.name: sorted(p for p in d.rglob("*") if p.suffix.lower() in SUFFIXES)
             for d in sorted(folder.iterdir()) if d.is_dir()}  # fmt: skip
    found = {name: paths for name, paths in below.items() if paths}
    if not found:
        raise DataError(f"{folder} holds no raw files", f"their names must end in {', '.join(SUFFIXES)}")
    names = tuple(labels) or numbered(tuple(found)) or tuple(found)
    if unknown := [name for name in found if name not in names]:
        raise ConfigError(f"{folder / unknown[0]} is not one of the classes", f"[data] labels are {', '.join(names)}")
    ordered = [(path, n) for n, name in enumerate(names) for path in found.get(name, [])]
    return [path for path, _ in ordered], np.array([n for _, n in ordered]), names


def numbered(names: tuple[str, ...]) -> tuple[str, ...]:
    """Returns the numbers of the classes up to the highest where all folders are numbers, as 0, 1, 10 are; else ()."""
    if not all(name.isdecimal() and str(int(name)) == name for name in names):
        return ()
    return tuple(map(str, range(max(map(int, names)) + 1)))


def results(ref: FunctionRef, files: Sequence[Path], into: Path) -> np.ndarray:
    """Returns what a program makes of each file, (files, …), mapped from `into`. Raises ConfigError, DataError."""
    with ChildProcess(cache_dir() / "functions.log", DataError, ref.text) as process:
        process.call(write_results, ref, list(files), into)
    return np.load(into, mmap_mode="r")


def write_results(ref: FunctionRef, files: list[Path], into: Path) -> None:
    with looking_in(ref.folder):
        program = load_function(ref)
        made: np.ndarray | None = None
        for n, path in enumerate(files):
            allow(CALL_S)
            result = result_of(program, ref.text, path)
            if made is None:
                dtype = np.float64 if result.dtype == np.float64 else np.float32
                made = np.lib.format.open_memmap(into, "w+", dtype, (len(files), *result.shape))
            if result.shape != made.shape[1:]:
                message = f"{ref.text} makes shape {made.shape[1:]} of {files[0]} and {result.shape} of {path}"
                raise DataError(message, "it must return samples of one shape, as the model takes them")
            made[n] = result


def result_of(program: object, name: str, path: Path) -> np.ndarray:
    assert callable(program)
    try:
        result = np.asarray(program(path))
    except (Exception, SystemExit) as error:
        message = f"{name} failed on {path}: {type(error).__name__}: {error}"
        raise DataError(message, "fix it, or remove that file") from error
    if result.dtype.kind not in "uif" or not result.ndim:
        message = f"{name} returned dtype {result.dtype} and shape {result.shape} for {path}"
        raise DataError(
            message, "it must return one sample as the model takes it, an array of numbers without a batch axis"
        )
    return result
