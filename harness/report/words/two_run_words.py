"""Two runs side by side, in words and figures that every format shares."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from harness.compare.fingerprint import REFUSE, WARN
from harness.compare.two_runs import CAVEAT, MOVED, Pair, TwoRuns, claims
from harness.metrics import METRICS
from harness.metrics.scores import metric_named
from harness.records import Case, Change
from harness.records.names import row_name
from harness.records.terms import ChangeKind
from harness.runs.sessions import NEXT, Ahead, next_by_case
from harness.support.format import (
    MISSING,
    decimals,
    listed,
    percent,
    plural,
    points,
    signed,
    significant,
    size_scale,
    time_scale,
    with_limits,
)

KINDS: dict[ChangeKind, str] = {  # what a reader looks at first comes first
    "regressed": "regressed",
    "changed": "changed",
    "improved": "improved",
    "not_comparable": "not comparable",
    "missing": "missing",
    "unknown": "not known",
    "similar": "similar",
    "": "not judged",
}
FOUND = "a change of x % is found about four times in five"
CHANGED = "changed: between these two sessions; whether the model did or the session, two sessions cannot tell"
KNOWN = "{}: one more session of the reference would lie {} to {} % from it, with 95 %, by {} stored ones"
UNKNOWN = "where one more session of the reference would lie is not known: {}"
OF_ROUNDS = "each value is that of a typical round, the change is their ratio with its 95 % interval"


def headline(both: TwoRuns) -> str:
    """Counts the comparisons of every output by what became of them."""
    counts = Counter(change.kind for change in every_change(both))
    judged = [f"{counts[kind]} {text}" for kind, text in KINDS.items() if kind and counts[kind]]
    return f"{plural(counts.total() - counts[''], 'comparison')}: {listed(judged)}" if judged else "nothing to compare"


def every_change(both: TwoRuns) -> list[Change]:
    """Returns the changes of the scored output, then of each other."""
    return [change for output in (both, *both.heads.values()) for change in output.changes]


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


# --- what to know of it -------------------------------------------------------------------------------------------


def notes(both: TwoRuns, pairs: Sequence[Pair]) -> list[str]:
    """Returns each reason once, however many rows share it: not comparable, missing, warnings."""
    differences = dict.fromkeys(difference for pair in pairs for difference in pair.differences)
    changes = [change for pair in pairs for change in pair.changes]
    lines = [f"not comparable: {d}" for d in differences if d.level == REFUSE]
    lines += dict.fromkeys(f"{KINDS[c.kind]}: {c.method}" for c in changes if c.kind in ("missing", "unknown"))
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
    lines += next_sessions(next_by_case(both))
    lines += chance(changes)
    return lines


def next_sessions(found: Mapping[Case, Ahead]) -> list[str]:
    """Says of each row where one more session of the reference would lie, or why that is not known."""
    title = METRICS[NEXT].title
    told = [
        KNOWN.format(f"{title} of {row_name(c)}", *next_percents(a), a.sessions) for c, a in found.items() if a.limits
    ]
    return [*told, *dict.fromkeys(UNKNOWN.format(a.why) for a in found.values() if a.why)]


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
