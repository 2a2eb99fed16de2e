"""The tables of the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from harness.provision.doctor import Finding
from harness.records import KERAS, Comparison, Target, Variant
from harness.remeasure import CANDIDATE
from harness.report.material import baseline_name
from harness.report.tables import Heading, Line, tables
from harness.report.tables import Table as Summary
from harness.report.units import MISSING
from harness.store import Header

# Left to the report, in this order, until the rest fits the terminal. Status goes early where every row is ok.
DISPENSABLE = ("Peak RSS", "Model RSS", "p90", "max |Δ|", "Flips", "Status", "Size", "Speed-up", "p50", "Accuracy")
LEVEL_STYLES = {"ok": "green", "note": "yellow", "problem": "red"}
STYLES = {"suspect": "yellow", "failed": "red", "invalid": "red", "unsupported": "dim"}


def plain_table(title: str = "") -> Table:
    return Table(
        title=title or None, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False,
        collapse_padding=True, show_edge=False,
    )  # fmt: skip


def summary_tables(comparison: Comparison, console: Console) -> Iterator[Table]:
    """The report's summary, one table a target, as wide as the console allows: no number is ever cut."""
    for summary in tables(comparison):
        run = comparison.run
        title = f"{run.experiment} on {summary.target}, {run.plan.profile} plan, {run.test_count:,} samples"
        if baseline_name(run) != KERAS:
            title += f", against {baseline_name(run)} in Keras' place"
        if summary.emulated:
            title += " (emulated: no latency claim)"
        left_out = [heading for heading in DISPENSABLE if heading != "Status" or all_ok(summary)]
        made = [summary_table(summary, title, left_out[:count]) for count in range(len(left_out) + 1)]
        yield next((table for table in made if natural_width(table, console) <= console.width), made[-1])


def summary_table(summary: Summary, title: str, left_out: Sequence[str]) -> Table:
    """Without the columns left out or empty; the reasons of rows that are not ok stand under it."""
    table = plain_table(title)
    shown = [
        n
        for n, heading in enumerate(summary.headings)
        if heading.title not in left_out and any(line.cells[n].text != MISSING for line in summary.lines)
    ]
    for n in shown:
        add_column(table, summary.headings[n])
    for line in summary.lines:
        table.add_row(*(one_cell(line, n) for n in shown), style=STYLES.get(line.status))
    table.caption = escape("\n".join(dict.fromkeys(reasons(summary.lines)))) or None
    table.caption_justify = "left"
    return table


def all_ok(summary: Summary) -> bool:
    return all(line.status == "ok" for line in summary.lines)


def natural_width(table: Table, console: Console) -> int:
    return console.measure(table, options=console.options.update(width=1000)).maximum


def add_column(table: Table, heading: Heading) -> None:
    title = f"{heading.title}\n{heading.unit}" if heading.unit else heading.title
    table.add_column(title, justify="right" if heading.number else "left", no_wrap=True)


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
        table.add_row(v.name, v.status, size, *ends, escape(v.reason), style=STYLES.get(v.status))
    return table


def runs_table(headers: Sequence[Header]) -> Table:
    table = plain_table()
    for name in ("Run", "Experiment", "Plan", "Target", "Created", "State"):
        table.add_column(name, no_wrap=name != "Target")
    for header in headers:
        created = datetime.fromisoformat(str(header.provenance["created"])).astimezone()
        names = ", ".join(record.target.name for record in header.targets)
        state = "finished" if header.finished else "unfinished"
        if not header.plan.accuracy:
            state += f", beside {header.provenance.get(CANDIDATE)}"
        table.add_row(
            header.run_id, header.experiment, header.plan.profile, names, f"{created:%Y-%m-%d %H:%M}", state,
            style=None if header.finished else "yellow",
        )  # fmt: skip
    if not all(header.finished for header in headers):
        table.caption = "harness run --resume RUN goes on with an unfinished one"
        table.caption_justify = "left"
    return table


def targets_table(targets: Sequence[Target]) -> Table:
    table = plain_table()
    for name in ("Target", "Kind", "Host", "Runtimes", "Threads", "Emulated", "Labels"):
        table.add_column(name, overflow="fold", no_wrap=name == "Runtimes")
    for t in targets:
        emulated = "yes" if t.emulated else ""
        threads = ", ".join(map(str, t.threads))
        table.add_row(t.name, t.kind, t.host or "", "\n".join(t.runtimes), threads, emulated, ", ".join(t.labels))
    return table


def findings_table(findings: Sequence[Finding]) -> Table:
    table = plain_table()
    for name in ("", "Topic", "Finding", "What to do"):
        table.add_column(name)
    for f in findings:
        table.add_row(f.level, f.topic, escape(f.text), escape(f.advice), style=LEVEL_STYLES[f.level])
    return table
