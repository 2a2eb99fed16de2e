"""Two runs side by side in the terminal: a row for each case and metric, and below what makes them differ."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from harness.cli.tables.run_tables import add_row, natural_width, plain_table
from harness.compare.fingerprint import REFUSE, WARN
from harness.compare.two_runs import CAVEAT, MOVED, Pair, TwoRuns, claims
from harness.metrics import METRICS
from harness.metrics.scores import metric_named
from harness.records import Case, Change
from harness.records.names import row_name
from harness.runs.sessions import Ahead, next_of, sessions_of
from harness.support.format import (
    MISSING,
    decimals,
    percent,
    plural,
    points,
    signed,
    significant,
    size_scale,
    time_scale,
    with_limits,
)

KINDS = {
    "improved": Text("improved", "green"),
    "regressed": Text("regressed", "bold red"),
    "changed": Text("changed", "bold yellow"),
    "similar": Text("similar"),
    "not_comparable": Text("not comparable", "yellow"),
    "missing": Text("missing", "yellow"),
    "": Text("not judged", "dim"),
}
FOUND = "a change of x % is found about four times in five"
CHANGED = "changed: between these two sessions; whether the model did or the session, two sessions cannot tell"
SHOWN_NEXT = "latency_p50"
KNOWN = "{}: one more session of the reference would lie {} to {} % from it, with 95 %, by {} stored ones"
UNKNOWN = "where one more session of the reference would lie is not known: {}"
OF_ROUNDS = "each value is that of a typical round, the change is their ratio with its 95 % interval"


def two_run_tables(both: TwoRuns, console: Console) -> Iterator[Table]:
    """Yields a table a target; variant and runtime share a column where the console is narrow."""
    for target in dict.fromkeys(pair.case.target for pair in both.pairs):
        pairs = [pair for pair in both.pairs if pair.case.target == target]
        wide, narrow = (two_run_table(both, pairs, stacked) for stacked in (False, True))
        table = wide if natural_width(wide, console) <= console.width else narrow
        table.caption, table.caption_justify = escape("\n".join(notes(both, pairs))) or None, "left"
        yield table
    for head in both.heads.values():
        yield from two_run_tables(head, console)


def two_run_table(both: TwoRuns, pairs: Sequence[Pair], stacked: bool) -> Table:
    one, other = both.reference.run, both.candidate.run
    title = f"{other.experiment} on {pairs[0].case.target}: {other.run_id} against the reference {one.run_id}"
    if len(other.outputs) > 1:
        title += f", output {other.scored_output}"
    table = plain_table(title)
    swept = len({pair.case.threads for pair in pairs}) > 1
    for name in ("Case",) if stacked else ("Variant", "Runtime", "Threads")[: 2 + swept]:
        table.add_column(name, no_wrap=True)
    for name in ("Metric", "Reference", "Candidate", "Change", "Verdict"):
        table.add_column(name, justify="left" if name in ("Metric", "Verdict") else "right", no_wrap=True)
    for pair in pairs:
        for line, change in enumerate(pair.changes):
            first = stacked_key(pair.case, swept, line) if stacked else key(pair.case, swept)
            add_row(table, *first, *cells(both, change, stacked), verdict(change))
        table.add_section()
    return table


def verdict(change: Change) -> Text:
    """Returns the kind of change; beside "similar", how small a change would be missed."""
    if change.smallest_percent is None:
        return KINDS[change.kind]
    return KINDS[change.kind] + Text(f" ±{decimals(change.smallest_percent, 1)} %", "dim")


def key(case: Case, swept: bool) -> list[str]:
    return [case.variant, case.runtime, *([str(case.threads)] if swept else [])]


def stacked_key(case: Case, swept: bool, line: int) -> list[str]:
    """Returns variant, runtime and threads below each other, in the first lines of a case."""
    parts = [case.variant, case.runtime, *([plural(case.threads, "thread")] if swept else [])]
    return [parts[line] if line < len(parts) else ""]


def cells(both: TwoRuns, change: Change, stacked: bool) -> list[str]:
    """Returns the metric, its value in each run, and the change with its interval beside or below it."""
    value, limits = change_texts(change)
    separator = "\n" if stacked else " "
    shown = f"{value}{separator}({limits})" if limits else value
    return [title(both, change), *own_texts(both, change), shown]


def title(both: TwoRuns, change: Change) -> str:
    """Returns the title of what stands in each run beside the change: for an accuracy drop, the accuracy."""
    name = change.metric.removesuffix(MOVED)
    metric = metric_named(name, both.candidate.run.scoring)
    if metric is None:
        return name
    return METRICS[metric.fall_of].title if metric.fall_of else metric.title


def own_texts(both: TwoRuns, change: Change) -> tuple[str, str]:
    values = both.values(change)
    present = [value for value in values if value is not None]
    unit = both.own_unit(change)
    if change.metric.endswith(MOVED):
        one, other = (significant(value, 4) for value in values)
        return one, other
    if unit == "fraction":
        one, other = (f"{percent(value)} %" if value is not None else MISSING for value in values)
        return one, other
    scale = time_scale(present) if unit == "us" else size_scale(present)
    one, other = (scale.with_unit(value) if value is not None else MISSING for value in values)
    return one, other


def change_texts(change: Change) -> tuple[str, str]:
    """Returns candidate less reference, with its sign, and its limits; "" where there is no interval."""
    value, low, high = change.value, change.low, change.high
    if value is None:
        return MISSING, ""
    if change.metric.endswith(MOVED):
        moved, *ends = with_limits(lambda v, more=0: significant(v, 3 + more), value, low, high)
        return signed(moved), " – ".join(ends) if low is not None and high is not None else ""
    if change.unit == "fraction":
        return f"{percent(value)} %", ""
    if change.unit == "bytes":
        return f"{signed(decimals(value - (change.baseline or 0), 0))} bytes", ""
    if low is None or high is None:
        return MISSING, ""
    if change.unit == "pp":  # a drop is a negative change
        moved, *ends = with_limits(points, -value, -high, -low)
        return f"{signed(moved)} pp", " – ".join(ends)
    percents = (100 * (ratio - 1) for ratio in (value, low, high))
    moved, *ends = with_limits(lambda v, more=0: decimals(v, 1 + more), *percents)
    return f"{signed(moved)} %", " – ".join(ends)


# --- under the table -----------------------------------------------------------------------------------------------


def notes(both: TwoRuns, pairs: Sequence[Pair]) -> list[str]:
    """Returns each reason once, however many rows share it: not comparable, missing, warnings."""
    differences = dict.fromkeys(difference for pair in pairs for difference in pair.differences)
    changes = [change for pair in pairs for change in pair.changes]
    lines = [f"not comparable: {d}" for d in differences if d.level == REFUSE]
    lines += dict.fromkeys(f"missing: {c.method}" for c in changes if c.kind == "missing")
    lines += [f"warning: {d}" for d in differences if d.level == WARN and not d.unknown]
    lines += unknown(d.field for d in differences if d.level == WARN and d.unknown)
    lines += suspects(both, {pair.case for pair in pairs})
    lines += both.unshared
    if both.reference.run.run_id == both.candidate.run.run_id:
        lines.append("warning: both are the same run")
    if any(c.unit == "ratio" and c.value is not None for c in changes):
        lines.append(f"latency and memory: {OF_ROUNDS}; {CAVEAT}; ±x % beside similar: {FOUND}")
    if any(c.kind == "changed" for c in changes):
        lines.append(CHANGED)
    lines += next_sessions(both, changes)
    lines += chance(changes)
    return lines


def next_sessions(both: TwoRuns, changes: Sequence[Change]) -> list[str]:
    """Says of each row where one more session of the reference would lie, or why that is not known."""
    timed = [c for c in changes if c.metric == SHOWN_NEXT and c.unit == "ratio" and c.value]
    stored = sessions_of(both.reference.run) if timed else ()
    found = [(c, next_of(both, c, stored)) for c in timed]
    told = [KNOWN.format(shown_name(c), *next_percents(a), a.sessions) for c, a in found if a.limits]
    return [*told, *dict.fromkeys(UNKNOWN.format(a.why) for _, a in found if a.why)]


def shown_name(change: Change) -> str:
    return f"{METRICS[change.metric].title} of {row_name(change.case)}"


def next_percents(ahead: Ahead) -> list[str]:
    """Writes both ends as a move from the reference."""
    assert ahead.limits
    percents = (100 * (end - 1) for end in (ahead.limits.low, ahead.limits.high))
    return [signed(end) for end in with_limits(lambda v, more=0: decimals(v, 1 + more), None, *percents)[1:]]


def chance(changes: Sequence[Change]) -> list[str]:
    count, expected = claims(changes)
    if not count:
        return []
    sessions = (
        "; of latency and memory more, as sessions differ"
        if any(c.unit == "ratio" and c.low is not None for c in changes)
        else ""
    )
    told = f"if nothing had changed, about {decimals(expected, 1)} of them would still say that it had{sessions}"
    return [f"{plural(count, 'comparison')} with an interval: {told}"]


def unknown(fields: Iterable[str]) -> list[str]:
    names = "; ".join(fields)
    return [f"warning: not known in either run: {names}"] if names else []


def suspects(both: TwoRuns, cases: set[Case]) -> Iterator[str]:
    for name, side in (("reference", both.reference), ("candidate", both.candidate)):
        for s in side.standings:
            if s.status == "suspect" and s.case in cases:
                yield f"warning: {s.case.variant} with {s.case.runtime} is suspect in the {name}: {s.reason}"
