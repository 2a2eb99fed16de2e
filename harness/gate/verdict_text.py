"""A verdict as something to read: the words of its rows, a document for programs, Markdown for CI and pull requests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from harness import __version__
from harness.gate.ship import by_variant, holding
from harness.records import Finding, HeadVerdict, Verdict
from harness.records.names import row_name
from harness.support.format import (
    MISSING,
    decimals,
    in_markdown,
    is_known,
    listed,
    more_digits,
    plural,
    significant,
    whole,
)

SCHEMA_VERSION = 1
MARKDOWN_BYTES = 60_000  # a comment on GitHub takes 65,536 characters, a job's summary 1 MiB
REASON_CHARACTERS = 400
HEADER = "| Rule | Row | Value | Interval | Limit | Outcome | Reason |\n|---|---|--:|--:|--:|---|---|\n"
MARKS = {"pass": "✅", "inconclusive": "❔"}
MOVES = {"max_decrease": "the decrease of", "max_increase": "the increase of"}
SHARES = {"fraction": 100.0, "points": 100.0, "pp": 1.0, "%": 1.0}  # unit → how many of the unit it is shown in
SHOWN_IN = {"fraction": "%", "points": "pp", "us": "µs", "bytes": "B", "ratio": "×"}


# --- words ---------------------------------------------------------------------------------------------------------


def quantity(value: float | None, unit: str, more: int = 0) -> str:
    """Write a number with its unit; bytes unrounded, shares to three decimals."""
    return f"{number(value, unit, more)} {SHOWN_IN.get(unit, unit)}".strip() if is_known(value) else MISSING


def number(value: float | None, unit: str, more: int = 0) -> str:
    if unit in SHARES and is_known(value):
        return decimals(SHARES[unit] * value, 3 + more)
    return whole(value, more) if unit in ("bytes", "count") else significant(value, 4 + more)


def subject(finding: Finding) -> str:
    """Say what the value is of: the metric, or how far it moved."""
    return " ".join(filter(None, (move(finding), finding.metric)))


def move(finding: Finding) -> str:
    """Say which way the rule limits a move, in words; "" where it limits the value itself."""
    return next((words for kind, words in MOVES.items() if f" {kind} " in finding.words), "")


def value_and_limit(finding: Finding) -> tuple[str, str]:
    """Write both with their unit; a share moves by percentage points."""
    unit = "points" if finding.unit == "fraction" and move(finding) else finding.unit
    return quantity(finding.value, unit, more_of(finding)), quantity(finding.limit, unit)


def more_of(finding: Finding) -> int:
    """Return how many more digits it takes to tell the limits apart."""
    unit = finding.unit
    return more_digits(lambda value, more=0: number(value, unit, more), finding.low, finding.high)


def interval(finding: Finding) -> str:
    if not (is_known(finding.low) and is_known(finding.high)):
        return ""
    more = more_of(finding)
    return f"{number(finding.low, finding.unit, more)} to {number(finding.high, finding.unit, more)}"


def outcome(finding: Finding) -> str:
    """Name the outcome, with a note where a finding holds although it did not pass."""
    held = " (warns)" if finding.holds and finding.outcome != "pass" else ""
    return f"{finding.outcome.replace('_', ' ')}{held}"


def headline(verdict: Verdict) -> str:
    counts = Counter(f.outcome.replace("_", " ") for f in verdict.findings)
    outcomes = listed([f"{count} {name}" for name, count in counts.most_common()])
    result = "passes" if verdict.outcome == "pass" else f"does not pass: {verdict.outcome.replace('_', ' ')}"
    return f"{verdict.run_id} {result} ({plural(len(verdict.findings), 'finding')}: {outcomes}; by {verdict.policy})"


def ships(verdict: Verdict) -> str:
    """Name the variants that may ship, and those that only pass by themselves."""
    names = ", ".join(verdict.ships) or "none"
    said = f"{'May ship' if verdict.mode == 'any' else 'Passes every rule'}: {names}."
    return " ".join(filter(None, (said, only_alone(verdict))))


def only_alone(verdict: Verdict) -> str:
    """Name the variants that keep their rules by themselves, and not among all that are judged; "" for none."""
    groups = by_variant(verdict.findings)
    alone = [name for name in holding(verdict.findings) if name not in verdict.ships]
    if not alone:
        return ""
    return f"{listed(alone)} would pass alone, but not as one of {len(groups)} variants judged together (Holm)."


def heads(verdict: Verdict) -> list[str]:
    """Say what becomes of each output, in a line each, where several have labels; the worst first."""
    return [head_words(head) for head in verdict.heads]


def head_words(head: HeadVerdict) -> str:
    if not head.outcome:
        return f"Output {head.output}: no rule judges it."
    if head.outcome == "pass":
        return f"Output {head.output} passes."
    variants = f" ({listed(head.failing)})" if head.failing else ""  # none where a rule matches no row
    return f"Output {head.output} does not pass: {head.outcome.replace('_', ' ')}{variants}."


def stands_against(verdict: Verdict) -> str:
    """Say what the rules against a reference were judged against; "" where there are none."""
    if not verdict.reference:
        return ""
    if verdict.again:
        return f"Against {verdict.reference}, its time and memory measured again beside it in run {verdict.again}."
    more = f" and {plural(len(verdict.sessions), 'further session')} of it" if verdict.sessions else ""
    return f"Against {verdict.reference}{more}."


# --- for programs --------------------------------------------------------------------------------------------------


def document(verdict: Verdict) -> dict[str, Any]:
    """Return the content of verdict.json; a number that is not finite is null."""
    return {"schema_version": SCHEMA_VERSION, "harness": __version__, **finite(asdict(verdict))}


def finite(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: finite(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [finite(value) for value in content]
    return None if isinstance(content, float) and not is_known(content) else content


# --- Markdown ------------------------------------------------------------------------------------------------------


def markdown(verdict: Verdict, most_bytes: int = MARKDOWN_BYTES) -> str:
    """Write the headline and one table, what does not hold first; rows that do not fit are only counted."""
    mark = "✅" if verdict.outcome == "pass" else "❌"
    summary = " ".join(filter(None, (ships(verdict), stands_against(verdict), *heads(verdict))))
    head = f"### {mark} {in_markdown(headline(verdict))}\n\n{in_markdown(summary)}\n\n{HEADER}"
    ordered = sorted(verdict.findings, key=lambda f: (f.holds, f.outcome == "pass", f.rule))
    room = most_bytes - len(head.encode()) - 100  # for the line that counts those left out
    shown = fitting(map(line, ordered), room)
    left = len(ordered) - len(shown)
    more = f"\n{plural(left, 'further row')} left out for length; verdict.json has all.\n" if left else ""
    text = head + "".join(shown) + more
    return text if len(text.encode()) <= most_bytes else ""


def fitting(lines: Iterable[str], room: int) -> list[str]:
    """Return as many lines from the start as fit into so many bytes."""
    shown = []
    for text in lines:
        room -= len(text.encode())
        if room < 0:
            break
        shown.append(text)
    return shown


def line(finding: Finding) -> str:
    mark = MARKS.get(finding.outcome, "❌")
    value, limit = value_and_limit(finding)
    cells = (
        f"{finding.rule}: {finding.words}",
        row_name(finding.case),
        value,
        interval(finding),
        limit,
    )
    reason = finding.reason if len(finding.reason) <= REASON_CHARACTERS else finding.reason[:REASON_CHARACTERS] + " …"
    return f"| {' | '.join(map(in_markdown, cells))} | {mark} {outcome(finding)} | {in_markdown(reason)} |\n"
