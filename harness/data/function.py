"""A function of the user's, "package.module:function", for sets that no file holds and those larger than memory.

It is called with no argument, and returns or yields batches: `(x, y)`, or `x` without labels, where x is an array or
a dict of them by the names of the model's inputs, and of what [data] sequence and group name; y may be a dict by the
names of its outputs. An array is whatever numpy makes an array of. The
function runs in a process of its own, since it may import TensorFlow or be large. It is called again when its module
changes, a .py file beside that, or what these import from the experiment's folder; what else it reads is unknown:
`--fresh` calls it again.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from harness.data.on_disk import SamplesWriter, mark_file, write_about
from harness.data.source import Split, scored_first
from harness.errors import ConfigError, DataError, HarnessError
from harness.support.arrays import write_npy
from harness.support.cache import cache_dir, key_of
from harness.support.child_process import CALL_S, ChildProcess, allow
from harness.support.functions import FunctionRef, is_reference, load_function, looking_in, source_sha256

SAID = '"package.module:function"'
OPTIONS: tuple[str, ...] = ()


def fits(split: Split) -> bool:
    return is_reference(split.where)


def key(split: Split) -> str:
    ref = FunctionRef(split.where, split.source.folder)
    half = split.name if split.source.marks else ""  # without marks test and calibration are written alike
    return key_of("function", ref.text, source_sha256(ref), split.source.output, split.source.marks, half)


def write(split: Split, folder: Path) -> None:
    log = cache_dir() / "functions.log"
    with ChildProcess(log, DataError, split.where) as process:
        ref = FunctionRef(split.where, split.source.folder)
        process.call(write_batches, ref, folder, log, split.source.output, split.source.marks, split.name == "test")


def write_batches(ref: FunctionRef, folder: Path, log: Path, output: str, marks: dict[str, str], needed: bool) -> None:
    """Calls the function and writes what it gives. marks: as DataSource has them. needed: whether each batch must have
    them. Raises ConfigError, DataError.
    """
    marked: dict[str, list[np.ndarray]] = {mark: [] for mark in marks}
    try:
        with looking_in(ref.folder), SamplesWriter(folder) as writer:
            for batch in batches(load_function(ref)()):
                plain, own = apart(batch, marks, needed)
                inputs, labels = arrays(plain, output or next(iter(writer.labelled), ""))
                writer.add(inputs, labels)
                for mark, of_batch in own.items():
                    marked[mark].append(of_batch)
    except ConfigError:
        raise
    except HarnessError as error:
        raise DataError(f"{ref.text}: {error}", error.advice) from error
    except (Exception, SystemExit) as error:
        traceback.print_exc()
        message = f"{ref.text} failed: {type(error).__name__}: {error}"
        raise DataError(message, f"fix it; the traceback is in {log}") from None
    if not writer.names:
        raise DataError(f"{ref.text} gave no batches", "it must return or yield batches, (x, y) or x")
    for mark, parts in ((mark, parts) for mark, parts in marked.items() if parts):
        write_npy(mark_file(folder, mark), np.concatenate(parts))
    write_about(folder, writer.names, labelled=tuple(name for name in writer.labelled if name))


def apart(batch: Any, marks: dict[str, str], needed: bool) -> tuple[Any, dict[str, np.ndarray]]:
    """Returns the batch without what tells clips and groups apart, and that. Raises DataError where it is needed and
    not there.
    """
    x = batch[0] if isinstance(batch, tuple) and batch else batch
    if needed and (missing := [name for name in marks.values() if not isinstance(x, dict) or name not in x]):
        advice = f'x must be a dict of the inputs and of {missing[0]}: {{"image": …, "{missing[0]}": …}}'
        raise DataError(f"a batch has no {missing[0]}, which [data] names", advice)
    if not marks or not isinstance(x, dict):
        return batch, {}
    rest = {name: array for name, array in x.items() if name not in marks.values()}
    own = {mark: np.asarray(x[name]) for mark, name in marks.items() if name in x}
    return (rest, *batch[1:]) if isinstance(batch, tuple) else rest, own


def batches(given: Any) -> Iterator[Any]:
    """Yields what a function returned, batch by batch: it may be a single one."""
    if isinstance(given, tuple | dict) or hasattr(given, "__array__"):
        yield given
    elif hasattr(given, "__iter__"):
        for batch in given:
            allow(CALL_S)  # for the next one
            yield batch
    else:
        message = f"it returned {type(given).__name__}, which holds no batches"
        raise DataError(message, "it must return or yield batches, (x, y) or x, of arrays")


def arrays(batch: Any, output: str = "") -> tuple[dict[str, np.ndarray], dict[str, np.ndarray] | None]:
    """Returns inputs by name, and labels by the output that they are given for, the scored one first; "" where it is
    not named. Raises DataError where it is not a batch.
    """
    if isinstance(batch, tuple) and len(batch) != 2:
        raise DataError(f"a batch is a tuple of {len(batch)}", "a batch is (x, y), or x without labels")
    x, y = batch if isinstance(batch, tuple) else (batch, None)
    inputs = {str(name): numeric(array) for name, array in x.items()} if isinstance(x, dict) else {"x": numeric(x)}
    by_output = None if y is None else scored_first(y, output) if isinstance(y, dict) else {"": y}
    labels = None if by_output is None else {str(name): numeric(array) for name, array in by_output.items()}
    counts = {len(array) for array in [*inputs.values(), *(labels or {}).values()]}
    if len(counts) != 1:
        message = f"a batch holds arrays of different lengths: {sorted(counts)}"
        raise DataError(message, "every array needs one entry a sample")
    return inputs, labels


def numeric(given: Any) -> np.ndarray:
    array = np.asarray(given)
    if array.dtype.kind not in "uifb" or array.ndim == 0:
        message = f"a batch holds an array of dtype {array.dtype} and shape {array.shape}"
        raise DataError(message, "give arrays of numbers, the samples along the first axis; labels as class numbers")
    return array
