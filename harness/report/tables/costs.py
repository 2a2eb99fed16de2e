"""What a row costs besides its invokes, as tables: Python's own calls, and memory at the named points of a process."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from harness.records import Case, Round
from harness.report.format import MEGABYTES, MISSING, Scale, decimals, significant, size_scale, whole
from harness.report.material import Material
from harness.report.part import Note, Part
from harness.report.rows import Row
from harness.report.tables.columns import Cell, Column, Heading, Table, Tables, identity, table_of
from harness.report.words.timing import invokes_a_timing

Sizes = tuple[float | None, float | None]  # RssAnon, VmHWM in bytes
POINTS = {
    "start": "Start",
    "runtime": "Runtime imported",
    "model": "Model read",
    "allocated": "Allocated",
    "first": "First invoke",
    "end": "End",
}


CALLS = (
    "Medians. Every latency in this report is invoke() alone. To compare it with another tool, add set_tensor and "
    "get_tensor: that is what a caller in Python sees of one sample. The empty timing is what reading the clock adds "
    "to each of them. Where several invokes share one timing, the time is divided by their number."
)
MEMORY = (
    "Private memory (RssAnon) at this point of the process, with its peak so far (VmHWM); medians over "
    "rounds. Growth after the first invoke is the harness' own: prepared samples and timings. Activations: an upper "
    "bound read from the .tflite file, the sum over its tensors that are not constants (including weights that an op "
    "unpacks, as with float16); a runtime lets them share memory."
)


def calls(material: Material) -> Part | None:
    return part_of("What the Python call costs", call_tables(material), CALLS)


def memory(material: Material) -> Part | None:
    return part_of("Memory of one process", memory_tables(material), MEMORY)


def part_of(title: str, tables: tuple[Table, ...], note: str) -> Part | None:
    """The tables with the note below them; None where there are none."""
    return Part(title, (Tables(tables), Note(note))) if tables else None


def call_tables(material: Material) -> tuple[Table, ...]:
    """invoke() beside what Python adds to it: set and get, and the two readings of the clock inside every timing."""
    counts = invokes_a_timing(material.comparison)
    columns: list[Column] = [
        (Heading("invoke()", "µs"), lambda r: Cell(significant(r.value("latency_p50")))),
        (Heading("set_tensor", "µs"), lambda r: Cell(significant(r.value("set_input")))),
        (Heading("get_tensor", "µs"), lambda r: Cell(significant(r.value("get_output")))),
        (Heading("All three", "µs"), lambda r: Cell(significant(_caller(r)))),
        (Heading("Empty timing", "ns"), lambda r: Cell(whole(r.value("timing_pair")))),
        (Heading("Invokes per timing"), lambda r: Cell(whole(counts.get(r.case)))),
    ]
    return tuple(_tables(material, columns, "latency_p50"))


def _caller(row: Row) -> float | None:
    """What a caller in Python sees of one sample, in µs."""
    parts = [row.value(name) for name in ("latency_p50", "set_input", "get_output")]
    known = [part for part in parts if part is not None]
    return sum(known) if len(known) == len(parts) else None


def memory_tables(material: Material) -> tuple[Table, ...]:
    """Private memory at each point, and under it the process' high-water mark so far; medians over rounds."""
    medians = _memory(material.comparison.run.rounds)
    columns = [_point(point, title, medians) for point, title in POINTS.items()]
    scale = size_scale([v for r in material.rows if (v := r.value("activation_bytes_upper_bound")) is not None])
    columns.append((Heading("Activations", scale.name, "at most"), lambda r: Cell(_activations(r, scale))))
    return tuple(_tables(material, columns, "peak_rss"))


def _tables(material: Material, columns: list[Column], needed: str) -> list[Table]:
    """One table a target, of the rows that have the metric."""
    shown = [r for r in material.rows if r.value(needed) is not None]
    names = [record.target.name for record in material.comparison.run.targets]
    groups = {name: [r for r in shown if r.case.target == name] for name in names}
    return [table_of(group, name, [*identity(group), *columns]) for name, group in groups.items() if group]


def _memory(rounds: Iterable[Round]) -> dict[tuple[Case, str], Sizes]:
    """(case, point) → medians over the rounds that count of RssAnon and VmHWM, in bytes."""
    found: dict[tuple[Case, str], list[dict[str, int]]] = {}
    for piece in rounds:
        if piece.counts:
            for point, sizes in piece.memory_bytes.items():
                found.setdefault((piece.case, point), []).append(sizes)
    return {key: (_median(sizes, "RssAnon"), _median(sizes, "VmHWM")) for key, sizes in found.items()}


def _median(sizes: Sequence[dict[str, int]], name: str) -> float | None:
    known = [size[name] for size in sizes if name in size]
    return float(np.median(known)) if known else None


def _point(point: str, title: str, medians: dict[tuple[Case, str], Sizes]) -> Column:
    return Heading(title, "MB", "peak"), lambda r: _at(medians.get((r.case, point)))


def _at(sizes: Sizes | None) -> Cell:
    anonymous, peak = sizes or (None, None)
    return Cell(_megabytes(anonymous), _megabytes(peak) if peak is not None else "")


def _megabytes(value: float | None) -> str:
    return MISSING if value is None else decimals(value / MEGABYTES.base, 1)


def _activations(row: Row, scale: Scale) -> str:
    value = row.value("activation_bytes_upper_bound")
    return MISSING if value is None else decimals(value / scale.base, 1)
