"""Samples that were looked for, in the terminal: a line each."""

from __future__ import annotations

from rich.table import Table

from harness.api.found_samples import FoundSamples
from harness.cli.tables.run_tables import add_row, plain_table

WORDS = ("Label", "Keras says", "Row", "Says", "Than Keras")
MOST_WIDE = 40  # characters of what a model says, as the objects on a picture


def samples_table(found: FoundSamples) -> Table:
    table = plain_table()
    for name in found.headings:
        said = name in ("Label", "Keras says", "Says")
        table.add_column(
            name, justify="left" if name in WORDS else "right", no_wrap=not said, max_width=MOST_WIDE if said else None
        )
    for line in found.lines:
        add_row(table, *line)
    return table
