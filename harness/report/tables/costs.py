"""What a row costs besides its invokes, as tables: Python's own calls, and memory at the named points of a process."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from harness.compare.rows import Row
from harness.records import Case, Round
from harness.report.material import Material
from harness.report.part import Note, Part
from harness.report.tables.columns import Cell, Column, Heading, Table, Tables, identity, table_of
from harness.report.words.timing import invokes_a_timing
from harness.support.format import MEGABYTES, MISSING, Scale, decimals, significant, size_scale, whole

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
    """Put the tables above their note; None where there are none."""
    return Part(title, (Tables(tables), Note(note))) if tables else None


def call_tables(material: Material) -> tuple[Table, ...]:
    """Show invoke() beside what Python adds: set and get, and the two readings of the clock inside every timing."""
    counts = invokes_a_timing(material.comparison)
    columns: list[Column] = [
        (Heading("invoke()", "µs"), lambda r: Cell(significant(r.value("latency_p50")))),
        (Heading("set_tensor", "µs"), lambda r: Cell(significant(r.value("set_input")))),
        (Heading("get_tensor", "µs"), lambda r: Cell(significant(r.value("get_output")))),
        (Heading("All three", "µs"), lambda r: Cell(significant(caller_us(r)))),
        (Heading("Empty timing", "ns"), lambda r: Cell(whole(r.value("timing_pair")))),
        (Heading("Invokes per timing"), lambda r: Cell(whole(counts.get(r.case)))),
    ]
    return tuple(tables_of(material, columns, "latency_p50"))


def caller_us(row: Row) -> float | None:
    """Add up what a caller in Python sees of one sample, in µs."""
    parts = [row.value(name) for name in ("latency_p50", "set_input", "get_output")]
    times_us = [part for part in parts if part is not None]
    return sum(times_us) if len(times_us) == len(parts) else None


def memory_tables(material: Material) -> tuple[Table, ...]:
    """Show private memory at each point, and under it the process' high-water mark so far; medians over rounds."""
    medians = memory_medians(material.comparison.run.rounds)
    columns = [point_column(point, title, medians) for point, title in POINTS.items()]
    scale = size_scale([v for r in material.rows if (v := r.value("activation_bytes_upper_bound")) is not None])
    columns.append((Heading("Activations", scale.name, "at most"), lambda r: Cell(activations(r, scale))))
    return tuple(tables_of(material, columns, "peak_rss"))


def tables_of(material: Material, columns: list[Column], needed: str) -> list[Table]:
    """Make one table a target, of the rows that have the metric."""
    shown = [r for r in material.rows if r.value(needed) is not None]
    names = [record.target.name for record in material.comparison.run.targets]
    groups = {name: [r for r in shown if r.case.target == name] for name in names}
    return [table_of(group, name, [*identity(group), *columns]) for name, group in groups.items() if group]


def memory_medians(rounds: Iterable[Round]) -> dict[tuple[Case, str], Sizes]:
    """Return the medians of RssAnon and VmHWM in bytes, over the rounds that count, for each case and point."""
    groups: dict[tuple[Case, str], list[dict[str, int]]] = {}
    for piece in rounds:
        if piece.counts:
            for point, sizes in piece.memory_bytes.items():
                groups.setdefault((piece.case, point), []).append(sizes)
    return {key: (median_of(sizes, "RssAnon"), median_of(sizes, "VmHWM")) for key, sizes in groups.items()}


def median_of(sizes: Sequence[dict[str, int]], name: str) -> float | None:
    values = [size[name] for size in sizes if name in size]
    return float(np.median(values)) if values else None


def point_column(point: str, title: str, medians: dict[tuple[Case, str], Sizes]) -> Column:
    return Heading(title, "MB", "peak"), lambda r: point_cell(medians.get((r.case, point)))


def point_cell(sizes: Sizes | None) -> Cell:
    anonymous, peak = sizes or (None, None)
    return Cell(megabytes(anonymous), megabytes(peak) if peak is not None else "")


def megabytes(value: float | None) -> str:
    return MISSING if value is None else decimals(value / MEGABYTES.base, 1)


def activations(row: Row, scale: Scale) -> str:
    value = row.value("activation_bytes_upper_bound")
    return MISSING if value is None else decimals(value / scale.base, 1)
