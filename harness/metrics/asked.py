"""What a metric of the user's own asks for by the names of its parameters, and gets: labels, outputs, inputs, …

labels        (samples, …), or None where there are none
outputs       the scored output, float32 (samples, …), as the model gives it
all_outputs   every output of the model: a dict of such arrays by their names
inputs        what the model was given: one array (samples, …), or of several inputs a dict of them by their names

A function that names neither labels nor outputs is called with these two, in this order, and the others by name.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from harness.errors import ConfigError
from harness.records import Absent

Table = np.ndarray | dict[str, np.ndarray]

FIRST = ("labels", "outputs")
FURTHER = ("inputs", "all_outputs")
RESAMPLED_BYTES = 512 << 20  # of what a function is given: each resample copies it


@dataclass(frozen=True)
class Asked:
    """by_place, by_name: what a function takes, in order and by name."""

    by_place: tuple[str, ...] = FIRST
    by_name: tuple[str, ...] = ()

    @property
    def further(self) -> tuple[str, ...]:
        return tuple(name for name in FURTHER if name in self.by_name)


def asked_by(function: Callable[..., object], what: str) -> Asked:
    """Returns what the function asks for. what: the function, in words. Raises ConfigError for what is not known."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # a function in C may have no signature
        return Asked()
    single = [p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    needed = [p.name for p in single if p.default is p.empty]
    further = tuple(p.name for p in single if p.name in FURTHER)
    if not needed or all(name in (*FIRST, *FURTHER) for name in needed):
        return Asked((), (*(n for n in needed if n in FIRST), *further)) if needed else Asked(by_name=further)
    two_first = len(needed) >= len(FIRST) and all(
        name == own or name not in (*FIRST, *FURTHER) for name, own in zip(needed, FIRST, strict=False)
    )
    if two_first and set(needed[2:]) <= set(FURTHER):
        return Asked(by_name=further)
    message = f"{what} asks for {', '.join(needed)}, which says too little of what it wants"
    raise ConfigError(message, f"name its parameters {', '.join((*FIRST, *FURTHER))}, those that it needs")


@dataclass(frozen=True, eq=False)
class Rows:
    """What a function is given of some samples beside their labels; rows of it are picked from all arrays alike.

    further: what it asks for besides, by its name.
    """

    outputs: np.ndarray
    further: dict[str, Table]

    def __len__(self) -> int:
        return len(self.outputs)

    def __getitem__(self, chosen: np.ndarray) -> Rows:
        """Copies some of the samples. Raises Absent where there is too much to copy again and again."""
        if (size := self.size_bytes) > RESAMPLED_BYTES:
            advice = "return one value a sample, which is resampled by itself"
            raise Absent(f"each resample would copy {size / 1e9:.1f} GB: {advice}")
        return Rows(self.outputs[chosen], {name: picked(table, chosen) for name, table in self.further.items()})

    @property
    def size_bytes(self) -> int:
        return sum(array.nbytes for table in (self.outputs, *self.further.values()) for array in arrays_of(table))


def arrays_of(table: Table) -> list[np.ndarray]:
    return list(table.values()) if isinstance(table, dict) else [table]


def picked(table: Table, chosen: np.ndarray) -> Table:
    return {name: array[chosen] for name, array in table.items()} if isinstance(table, dict) else table[chosen]


def read_only(table: Table) -> Table:
    """Returns views that a user's function cannot write into: that would change the metrics after it."""
    if isinstance(table, dict):
        return {name: view_of(array) for name, array in table.items()}
    return view_of(table)


def view_of(array: np.ndarray) -> np.ndarray:
    view = np.asarray(array).view()
    view.flags.writeable = False
    return view


def given(function: Callable[..., object], asked: Asked) -> Callable[[np.ndarray | None, Rows], object]:
    """Makes of the function one of labels and rows."""

    def call(labels: np.ndarray | None, rows: Rows) -> object:
        known = {"labels": labels, "outputs": rows.outputs, **rows.further}
        return function(*(known[name] for name in asked.by_place), **{name: known[name] for name in asked.by_name})

    return call
