"""Samples that were looked for, in the terminal: a line each."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from harness.api.found_samples import FoundSamples
from harness.cli.tables.run_tables import add_row, natural_width, plain_table

SAID = ("Label", "Keras says", "Says")  # as long as a model's answer is, such as the objects on a picture
WORDS = (*SAID, "Row", "Than Keras")
MOST_WIDE = 40  # characters of what is said
LEAST_WIDE = 6


def samples_table(found: FoundSamples, console: Console) -> Table:
    """Makes the table; a row's place stands below its variant where the console is narrow."""
    wide, narrow = (stacked_table(found, stacked) for stacked in (False, True))
    return wide if natural_width(wide, console) <= console.width else narrow


def stacked_table(found: FoundSamples, stacked: bool) -> Table:
    table = plain_table()
    for name in found.headings:
        said = name in SAID
        title = name.replace(", ", "\n").replace("Than ", "Than\n").replace("that ", "that\n") if stacked else name
        table.add_column(title, justify="left" if name in WORDS else "right", no_wrap=not said)
        if said:
            table.columns[-1].min_width, table.columns[-1].max_width = LEAST_WIDE, MOST_WIDE
    row = found.headings.index("Row")
    for line in found.lines:
        cells = [text.replace(" · ", "\n", 1) if stacked and n == row else text for n, text in enumerate(line)]
        add_row(table, *cells)
    return table
