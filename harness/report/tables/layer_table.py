"""The layers of an explained row, one a line: what is wrong with each, what it adds, and its range."""

from __future__ import annotations

from harness.diagnosis.explanation import Explanation
from harness.diagnosis.gaps import Gap
from harness.diagnosis.layers import Layer
from harness.report.tables.columns import Cell, Heading, Line, Table
from harness.support.format import MISSING, decimals, significant, whole

HEADINGS = (
    Heading("Layer", number=False),
    Heading("SQNR", "dB"),
    Heading("Adds", "dB"),
    Heading("Adds", "steps"),
    Heading("Range used", "%"),
    Heading("Clipped", "%"),
    Heading("Alone", "% of error"),
    Heading("Flips"),
)
TIME = Heading("Time", "µs")
GAP_HEADINGS = (
    *(Heading(name, number=False) for name in ("Step", "From", "To")),
    *(Heading(name) for name in ("Largest difference", "Answers that differ", "Lost", "Gained", "Samples")),
)


def layer_table(found: Explanation) -> Table:
    """Show a line a layer, in the order of the graph and numbered as in the pictures."""
    headings = (*HEADINGS, TIME) if found.times.ops else HEADINGS
    return Table(headings, tuple(Line(tuple(cells(n, layer, found))) for n, layer in enumerate(found.layers)))


def cells(number: int, layer: Layer, found: Explanation) -> list[Cell]:
    alone = found.alone_of(layer.place)
    clipped = 100 * (layer.below + layer.above) if layer.scale else None
    is_first = next(each for each in found.layers if each.place == layer.place) is layer
    time = found.times.of(layer.place) if is_first else None
    timed = [Cell(significant(time.us if time else None))] if found.times.ops else []
    return [
        Cell(f"{number} {layer.name}"),
        Cell(decimals(layer.sqnr_db, 1)),
        Cell(decimals(layer.added_db, 1)),
        Cell(decimals(layer.added_steps, 2)),
        Cell(decimals(None if layer.used is None else 100 * layer.used, 0)),
        Cell(decimals(clipped, 2)),
        Cell(decimals(None if alone is None else 100 * alone.error_share, 0)),
        Cell(whole(None if alone is None else alone.flips)),
        *timed,
    ]


def gap_table(found: Explanation) -> Table:
    return Table(GAP_HEADINGS, tuple(Line(tuple(map(Cell, gap_texts(gap)))) for gap in found.gaps))


def gap_texts(gap: Gap) -> tuple[str, ...]:
    largest = "bit-equal" if gap.equal else significant(gap.largest, 2)
    counts = (MISSING if n is None else whole(n) for n in (gap.flips, gap.lost, gap.gained, gap.samples))
    return gap.step, gap.before, gap.after, largest, *counts
