"""How embeddings are asked: which samples are queries and which the gallery, and which pairs are verified."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from harness.data.on_disk import Samples
from harness.data.source import DataSource
from harness.errors import ConfigError, DataError, Unreadable
from harness.support.arrays import map_npy
from harness.support.foreign import read_text

ASKS = {"1": True, "1.0": True, "true": True, "query": True, "0": False, "0.0": False, "false": False, "gallery": False}
PAIRS_BYTES = 256 << 20  # of a text file of pairs
HOW = "give two sample numbers a pair, counted from 0, and if you like a third number: 1 for one identity, 0 for two"


def settle_queries(name: str, test: Samples) -> np.ndarray | None:
    """Returns whether each test sample asks the others, bool; None where all do. name: of the experiment. Raises
    DataError.
    """
    if test.queries is None:
        return None
    marks = test.queries.reshape(-1)
    if len(marks) != len(test.inputs[0]):
        told = f"{name}: {len(marks):,} samples are called query or gallery, and there are {len(test.inputs[0]):,}"
        raise DataError(told, "say of each sample whether it is a query")
    kinds, which = np.unique(marks, return_inverse=True)
    words = [text(kind) for kind in kinds]
    if unknown := [word for word in words if word.lower() not in ASKS]:
        raise DataError(f"{name}: a sample is called {unknown[0]!r}", "write 1 or query, and 0 or gallery")
    asks = np.array([ASKS[word.lower()] for word in words])[which.reshape(-1)]
    if asks.all() or not asks.any():
        lacks = "gallery" if asks.all() else "query"
        raise DataError(f"{name}: no sample is a {lacks}", "queries find samples of the gallery: it takes both")
    return asks


def text(mark: object) -> str:
    return mark.decode("utf-8", "replace") if isinstance(mark, bytes) else str(mark)


def read_pairs(source: DataSource) -> np.ndarray | None:
    """Returns the pairs that [data] pairs names as they are stored; None where it names none. Raises ConfigError,
    DataError.
    """
    if not source.pairs:
        return None
    path = source.folder / Path(source.pairs).expanduser()
    if not path.exists():
        message = f"[data] pairs: there is no {source.pairs} in {source.folder}"
        raise ConfigError(message, "paths are relative to the experiment.toml")
    try:
        if path.suffix.lower() == ".npy":
            return map_npy(path)
        return np.loadtxt(io.StringIO(read_text(path, PAIRS_BYTES)), delimiter=",", ndmin=2)
    except (OSError, ValueError, Unreadable) as error:
        advice = f"store an .npy array, or numbers with commas between them and no heading; {HOW}"
        raise DataError(f"{source.pairs} cannot be read: {error}", advice) from error


def settle_pairs(name: str, test: Samples, labels: np.ndarray | None) -> np.ndarray | None:
    """Returns the pairs as places of two samples each, int64 (pairs, 2); None where none are given. Raises DataError
    where they are no such, or say otherwise than the labels which samples are of one identity.
    """
    if (given := test.pairs) is None:
        return None
    if given.ndim != 2 or given.shape[1] not in (2, 3) or not len(given) or given.dtype.kind not in "uifb":
        raise DataError(f"{name}: the pairs are {given.dtype} of shape {given.shape}", HOW)
    places, count = given[:, :2].astype(np.int64), len(test.inputs[0])
    if not np.array_equal(places, given[:, :2]) or places.min() < 0 or places.max() >= count:
        raise DataError(f"{name}: a pair names a sample that is not one of 0 to {count - 1}", HOW)
    if same := int((places[:, 0] == places[:, 1]).sum()):
        raise DataError(f"{name}: {same:,} of {len(places):,} pairs are of a sample with itself", HOW)
    if given.shape[1] == 3 and labels is not None:
        check_said(name, places, given[:, 2], labels)
    return places


def check_said(name: str, places: np.ndarray, said: np.ndarray, labels: np.ndarray) -> None:
    one, other = (labels.reshape(len(labels), -1)[places[:, n]] for n in (0, 1))
    wrong = np.flatnonzero((one == other).all(axis=1) != (said == 1))
    if wrong.size:
        first = places[wrong[0]].tolist()
        told = f"{name}: {wrong.size:,} of {len(places):,} pairs say otherwise than the labels, such as {first}"
        raise DataError(told, "the labels are identities: correct them, or the third column of pairs")
