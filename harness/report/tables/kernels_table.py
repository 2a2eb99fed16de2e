"""Which kernels ran: what the delegate took of each file, which says why one is slow; a microcontroller's arena."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from harness.compare.rows import Row
from harness.records import Ran, Shard
from harness.report.material import Material
from harness.report.part import Part
from harness.report.tables.columns import Cell, Column, Heading, Table, identity, table_of
from harness.report.tables.costs import part_of
from harness.support.format import MISSING, whole

NOTE = (
    "As the engine itself tells, of the file's first graph. A delegate, XNNPACK where no other is named, takes runs of "
    "ops at a time (partitions); what it does not take runs in the library's own kernels, and each border between the "
    "two costs time. With :builtin and :reference there is no delegate. CompiledModel and tflite-micro do not tell."
)
ARENA = (
    " The arena is the smallest in which the model starts, found by trying, on this machine, where pointers are of 64 "
    "bits; a chip with 32 bits takes less. No latency is claimed for tflite-micro, so it is not timed."
)


def kernels(material: Material) -> Part | None:
    """Show one table a target, of the rows of which anything is told; None in a run that is older than this."""
    told = {row.case: shard for row in material.rows if (shard := shard_of(row)) is not None}
    rows = [row for row in material.rows if row.case in told]
    names = dict.fromkeys(row.case.target for row in rows)
    tables = tuple(target_table(name, [row for row in rows if row.case.target == name]) for name in names)
    arena = any(shard.arena_bytes is not None for shard in told.values())
    return part_of("Which kernels ran", tables, NOTE + ARENA * arena)


def shard_of(row: Row) -> Shard | None:
    """Return a shard of the row that tells anything."""
    first = row.run.accuracy_case(row.case)
    own = (shard for shard in row.run.shards if shard.case == first)
    return next((shard for shard in own if shard.ran is not None or shard.arena_bytes is not None), None)


def target_table(target: str, rows: list[Row]) -> Table:
    columns: list[Column] = [
        (Heading("Ops"), of_ran(lambda ran: whole(ran.ops))),
        (Heading("By the delegate"), of_ran(lambda ran: whole(ran.delegated))),
        (Heading("Partitions"), of_ran(lambda ran: whole(ran.partitions))),
        (Heading("Outside it", number=False), of_ran(lambda ran: names_of(ran.outside))),
    ]
    if any(arena_of(row) is not None for row in rows):
        columns.append((Heading("Arena", "bytes"), lambda row: Cell(whole(arena_of(row)))))
    return table_of(rows, target, [*identity(rows), *columns])


def of_ran(text: Callable[[Ran], str]) -> Callable[[Row], Cell]:
    def cell(row: Row) -> Cell:
        shard = shard_of(row)
        return Cell(text(shard.ran) if shard and shard.ran else MISSING)

    return cell


def arena_of(row: Row) -> int | None:
    shard = shard_of(row)
    return shard.arena_bytes if shard else None


def names_of(outside: tuple[str, ...]) -> str:
    """Return the names with how often each is there, in the order of the graph: `CONV_2D × 2, SOFTMAX`."""
    counted = Counter(outside)
    return ", ".join(f"{name} × {count}" if count > 1 else name for name, count in counted.items()) or "none"
