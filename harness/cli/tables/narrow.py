"""Tables that a narrow terminal shows in another form: rule by rule, with no word and no number cut."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from harness.cli.tables.run_tables import natural_width, plain_table

ROOM = 120  # columns in which a wide table may break its longest cells


@dataclass(frozen=True)
class ToFit:
    """wide: where it fits, or where there is room to break its cells. narrow: what stands in its place elsewhere."""

    wide: Table
    narrow: RenderableType

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        fits = options.max_width >= ROOM or natural_width(self.wide, console) <= options.max_width
        yield self.wide if fits else self.narrow


@dataclass(frozen=True)
class RuleBlock:
    """A rule's words, its lines, and what is to be said below them. columns: headings; () where the lines need none.

    widths: of each column at least, so that the blocks of several rules stand in line.
    """

    words: str
    lines: tuple[tuple[str | Text, ...], ...] = ()
    notes: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    widths: tuple[int, ...] = ()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Text(self.words, "bold")
        if self.lines:
            yield Padding(self.table(), (0, 0, 0, 2))
        for note in self.notes:
            yield Padding(Text(note), (0, 0, 0, 4))

    def table(self) -> Table:
        table = plain_table()
        table.show_header = bool(self.columns)
        for n, width in enumerate(self.widths):
            numbers = not isinstance(self.lines[0][n], Text) and (n or self.columns)
            title = self.columns[n] if self.columns else ""
            table.add_column(title, min_width=width, justify="right" if numbers else "left", overflow="fold")
        for line in self.lines:
            table.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in line))
        return table


def widest(lines: Iterable[tuple[str | Text, ...]]) -> tuple[int, ...]:
    """Returns how wide the widest cell of each column is."""
    return tuple(max(len(cell) for cell in column) for column in zip(*lines, strict=True))
