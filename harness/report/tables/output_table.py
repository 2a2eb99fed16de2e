"""The outputs of a model that has several: how far each is from Keras', by what needs no labels."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf

from harness.compare.rows import Row, rows
from harness.metrics import METRICS
from harness.report.material import Material
from harness.report.part import Part
from harness.report.tables.columns import Cell, Column, Heading, Table, identity, table_of
from harness.report.tables.costs import part_of
from harness.report.tables.summary_table import metric_column
from harness.support.format import decimals, listed

ROUNDING_DB = 100.0  # over it, what differs is rounding in single precision, and tells nothing of an output
SHOWN = ("agreement", "max_abs_diff", "distance", "sqnr")
NOTE = (
    "Each output against Keras' own, over the whole test set. Outputs differ in scale, so |Δ| of one says nothing of "
    "another; SQNR, 10·log10(Σx²/Σ(x−y)²), can be held against each other. "
)
ALONE = "Labels are of the scored output alone."


def every_output(material: Material) -> Part | None:
    """Show one table a target, a line a row and output; None of one output, or where nothing was answered."""
    comparison = material.comparison
    shown = len(comparison.by_output) > 1 and bool(comparison.outputs)
    targets = [record.target.name for record in comparison.run.targets] if shown else []
    several = f"Labels are of {listed(comparison.run.labelled_outputs)}." if comparison.run.heads else ALONE
    return part_of("Every output", tuple(target_table(name, material) for name in targets), NOTE + several)


def target_table(target: str, material: Material) -> Table:
    group = [row for outputs in by_case(material) for row in outputs if row.case.target == target]
    shown = [METRICS[metric] for metric in SHOWN if any(row.value(metric) is not None for row in group)]
    columns = (metric_column(metric, group) for metric in shown)
    return table_of(group, target, [*identity(group), output_column(material), *columns])


def output_column(material: Material) -> Column:
    scored = material.comparison.run.scored_output

    def cell(row: Row) -> Cell:
        return Cell(name := row.run.scored_output, "scored" if name == scored else "")

    return Heading("Output", number=False), cell


def by_case(material: Material) -> Iterator[tuple[Row, ...]]:
    """Go through the cases at their lowest thread count: of each a row an output, in the model's order."""
    for outputs in zip(*map(rows, material.comparison.by_output.values()), strict=True):
        if outputs[0].run.accuracy_case(outputs[0].case) == outputs[0].case:
            yield outputs


# --- in a sentence ---------------------------------------------------------------------------------------------------


def furthest_outputs(material: Material, target: str) -> list[str]:
    """Say of each row of the target which output is furthest from Keras', where that is not the scored one."""
    scored = material.comparison.run.scored_output
    there = (outputs for outputs in by_case(material) if outputs[0].case.target == target)
    return [told for outputs in there if (told := furthest(outputs, scored))]


def furthest(outputs: tuple[Row, ...], scored: str) -> str:
    """Compare one row's outputs; "" where none is off by more than rounding, or the scored one is as far off as any."""
    levels = {row.run.scored_output: level for row in outputs if (level := likeness(row)) is not None}
    name = min(levels, key=lambda output: levels[output], default=scored)
    if levels.get(name) == levels.get(scored) or levels[name] > ROUNDING_DB:
        return ""
    own = in_words(levels[scored]) if scored in levels else "unknown"
    case = outputs[0].case
    return (
        f"{case.variant} on {case.runtime}: of its outputs {name} is furthest from Keras', "
        f"SQNR {in_words(levels[name])}; of {scored}, which is scored, {own}"
    )


def likeness(row: Row) -> float | None:
    """Return the SQNR in dB, ∞ where the output equals Keras'."""
    return inf if row.value("max_abs_diff") == 0 else row.value("sqnr")


def in_words(level_db: float) -> str:
    return "∞" if level_db == inf else f"{decimals(level_db, 1)} dB"
