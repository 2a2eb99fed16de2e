"""The tables of the terminal. What users and devices name, such as [a], is never markup."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from harness.records import KERAS, Comparison, Target, Variant
from harness.runs.header import Header
from harness.support.format import MISSING

if TYPE_CHECKING:  # `list` starts without numpy and scipy
    from harness.measure.provision.doctor import Diagnosis
    from harness.report.material import Material
    from harness.report.tables.columns import Heading, Line
    from harness.report.tables.columns import Table as Summary

# Left out in this order until the rest fits the terminal. Status only where every row is ok.
DISPENSABLE = ("Peak RSS", "Model RSS", "p90", "max |Δ|", "Flips", "Status", "Size", "Speed-up", "p50", "Accuracy")
LEVEL_STYLES = {"ok": "green", "note": "yellow", "problem": "red"}
STYLES = {"suspect": "yellow", "failed": "red", "invalid": "red", "unsupported": "dim"}


def plain_table(title: str = "") -> Table:
    return Table(
        title=escape(title) or None, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False,
        collapse_padding=True, show_edge=False,
    )  # fmt: skip


def add_row(table: Table, *cells: str | Text, style: str | None = None) -> None:
    """Adds a row of these cells, in which only a Text has a style of its own."""
    table.add_row(*(escape(cell) if isinstance(cell, str) else cell for cell in cells), style=style)


def summary_tables(comparison: Comparison, console: Console) -> Iterator[Table]:
    """Yields the report's summary, one table a target, with as many columns as fit the console: no number is cut."""
    from harness.report.material import Material
    from harness.report.tables.output_table import furthest_outputs
    from harness.report.tables.summary_table import tables

    material, run = Material(comparison), comparison.run
    for summary in tables(material):
        title = f"{run.experiment} on {summary.target}, {run.plan.profile} plan, {run.test_count:,} samples"
        if run.provenance.baseline != KERAS:
            title += f", against {run.provenance.baseline} in Keras' place"
        if len(run.outputs) > 1:
            title += f", output {run.scored_output} {'leads' if run.heads else 'is scored'}"
        if summary.emulated:
            title += " (emulated: no latency claim)"
        left_out = [heading for heading in DISPENSABLE if heading != "Status" or all_ok(summary)]
        told = [*reasons(summary.lines), *head_lines(material, summary.target)]
        told += furthest_outputs(material, summary.target)
        candidates = [summary_table(summary, title, left_out[:count], told) for count in range(len(left_out) + 1)]
        yield next((table for table in candidates if natural_width(table, console) <= console.width), candidates[-1])


def head_lines(material: Material, target: str) -> Iterator[str]:
    """Says of each row what its further labelled outputs are worth, by the first metric of each."""
    from harness.report.words.primary_metric import row_text

    leading = material.comparison.run.scored_output
    for head in material.heads:
        for row in head.rows if head.comparison.run.scored_output != leading else ():
            if row.case.target == target and row.value(head.primary.name) is not None:
                yield f"output {head.comparison.run.scored_output}, {row_text(row, head.primary)}"


def summary_table(summary: Summary, title: str, left_out: Sequence[str], told: Sequence[str]) -> Table:
    """Makes a table without columns that are left out or empty. told: what stands under it, each once."""
    table = plain_table(title)
    shown = [
        n
        for n, heading in enumerate(summary.headings)
        if heading.title not in left_out and any(line.cells[n].text != MISSING for line in summary.lines)
    ]
    for n in shown:
        add_column(table, summary.headings[n])
    for line in summary.lines:
        add_row(table, *(one_cell(line, n) for n in shown), style=STYLES.get(line.status))
    gone = [heading.title for heading in summary.headings if heading.title in left_out]
    narrow = [f"{', '.join(gone)}: left out, as the terminal is narrow; the report has all"] if gone else []
    table.caption = escape("\n".join(dict.fromkeys([*told, *narrow]))) or None
    table.caption_justify = "left"
    return table


def all_ok(summary: Summary) -> bool:
    return all(line.status == "ok" for line in summary.lines)


def natural_width(table: Table, console: Console) -> int:
    return console.measure(table, options=console.options.update(width=1000)).maximum


def add_column(table: Table, heading: Heading) -> None:
    title = "\n".join(filter(None, (heading.title, heading.unit, heading.note)))
    table.add_column(escape(title), justify="right" if heading.number else "left", no_wrap=True)


def one_cell(line: Line, n: int) -> str:
    cell = line.cells[n]
    return f"{cell.text}\n{cell.note}" if cell.note else cell.text


def reasons(lines: Iterable[Line]) -> Iterator[str]:
    for line in lines:
        if line.reason:
            yield f"{line.cells[0].text} on {line.cells[1].text} {line.status}: {line.reason}"


def variants_table(variants: Sequence[Variant]) -> Table:
    table = plain_table()
    for name, justify in (("Variant", "left"), ("Status", "left"), ("Size, KB", "right"), ("Input", "left")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    table.add_column("Output")
    table.add_column("Reason")
    for v in variants:
        size = f"{v.size_bytes / 1000:.1f}" if v.size_bytes is not None else ""
        ends = (", ".join(t.dtype for t in tensors) for tensors in (v.inputs, v.outputs))
        add_row(table, v.name, v.status, size, *ends, v.reason, style=STYLES.get(v.status))
    return table


def created(header: Header) -> str:
    """Returns when the run was made, in this machine's time zone."""
    timestamp = header.provenance.created
    return f"{datetime.fromisoformat(timestamp).astimezone():%Y-%m-%d %H:%M}" if timestamp else "unknown"


def runs_table(headers: Sequence[Header], unsealed: Collection[str] = ()) -> Table:
    """unsealed: the ids of runs without a manifest."""
    table = plain_table()
    for name in ("Run", "Experiment", "Plan", "Target", "Created", "State"):
        # Run ids are never cut, since --resume and compare need all of one; the other columns give way.
        table.add_column(name, overflow="fold", no_wrap=name in ("Run", "State"))
    for header in headers:
        names = ", ".join(record.target.name for record in header.targets)
        state = "finished" if header.finished else "unfinished"
        if header.finished and header.run_id in unsealed:
            state += ", not sealed"
        if not header.plan.accuracy:
            state += f", beside\n{header.provenance.candidate}"
        add_row(
            table, header.run_id, header.experiment, header.plan.profile, names, created(header), state,
            style=None if header.finished else "yellow",
        )  # fmt: skip
    if not all(header.finished for header in headers):
        table.caption = "harness run --resume RUN continues an unfinished one"
        table.caption_justify = "left"
    return table


def targets_table(targets: Sequence[Target]) -> Table:
    table = plain_table()
    for name in ("Target", "Kind", "Host", "Runtimes", "Threads", "Emulated", "Labels"):
        table.add_column(name, overflow="fold", no_wrap=name == "Runtimes")
    for t in targets:
        emulated = "yes" if t.emulated else ""
        threads = ", ".join(map(str, t.threads))
        add_row(table, t.name, t.kind, t.host or "", "\n".join(t.runtimes), threads, emulated, ", ".join(t.labels))
    return table


def diagnoses_table(diagnoses: Sequence[Diagnosis]) -> Table:
    table = plain_table()
    for name in ("", "Topic", "Finding", "What to do"):
        table.add_column(name)
    for d in diagnoses:
        add_row(table, d.level, d.topic, d.text, d.advice, style=LEVEL_STYLES[d.level])
    return table
