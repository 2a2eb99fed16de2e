"""The answer that a report begins with: which variants may ship, which of them to prefer, and what is not known."""

from __future__ import annotations

from collections.abc import Sequence

from harness.gate.ship import by_variant, worst
from harness.gate.verdict_text import heads, interval, only_alone, outcome, stands_against, subject, value_and_limit
from harness.records import Absent, Finding, Verdict
from harness.records.names import row_name
from harness.records.terms import Outcome
from harness.report.material import Material
from harness.report.part import Note, Part
from harness.report.tables.columns import Cell, Heading, Line, Table, Tables
from harness.report.words.preference import preferred
from harness.report.words.summary import Sentence, Sentences
from harness.support.format import MISSING, decimals, listed, plural

RULES = ("Rule", "Row", "Value", "Interval", "Limit", "At the limit", "Harmless", "Outcome", "Reason")
NUMBERS = ("Value", "Interval", "Limit", "At the limit", "Harmless")
NOT_KNOWN: tuple[Outcome, ...] = ("invalid", "missing", "not_comparable", "inconclusive")
INTERVAL = "Interval: its ends are one-sided limits at the rule's confidence. "
RATES = (
    "At the limit: how often a model exactly at this limit would pass with so many samples. Harmless: how often a "
    "model would that changes as many answers and loses as many as it wins; under a limit of a value, one as good as "
    "Keras; under one of flips, one with as many."
)
MORE_RATES = " A dash: not computed here; `harness report {} --explain`, with the same --policy, simulates what can be."
JUDGED_OTHERWISE = "Judge it by rules of your own: harness gate RUN --policy FILE."


def ship_answer(material: Material) -> Part:
    """Say it in short sentences, most important first."""
    verdict = material.verdict
    if isinstance(verdict, Absent):
        return Part("", (Sentences((Sentence("No verdict", f"{verdict.reason}."),)),))
    topics = {
        "May ship": may_ship(verdict),
        "Each output": heads(verdict),
        "Prefer": preferred(material.rows, verdict.ships),
        "May not ship": refusals(verdict, ("fail",)),
        "Not known": [*refusals(verdict, NOT_KNOWN), *filter(None, [only_alone(verdict)])],
        "Judged by": rules(verdict),
    }
    return Part("", (Sentences(tuple(Sentence(topic, " ".join(said)) for topic, said in topics.items() if said)),))


def may_ship(verdict: Verdict) -> list[str]:
    if not verdict.ships:
        return ["No variant."]
    every = f"{listed(verdict.ships)}."
    if verdict.outcome == "pass" or verdict.mode == "any":
        return [every]
    return [every, "The run as a whole does not pass: under this policy every variant has to."]


def refusals(verdict: Verdict, outcomes: Sequence[str]) -> list[str]:
    """Name each variant whose worst finding is one of these, with that finding; what no rule found, too. What is the
    same of several is said once.
    """
    groups = [group for name, group in by_variant(verdict.findings).items() if name not in verdict.ships]
    kept = [[finding for finding in group if not finding.holds] for group in groups]
    rows: dict[str, list[str]] = {}
    for group in kept:
        if group and worst(group) in outcomes:
            row, why = refusal(group)
            rows.setdefault(why, []).append(row)
    told = [f"{'; '.join(names)}: {why}" for why, names in rows.items()]
    without = [f for f in verdict.findings if f.case is None and not f.holds and f.outcome in outcomes]
    return [*told, *(f"Rule {f.rule}, {f.words}: {f.reason}." for f in without)]


def refusal(findings: list[Finding]) -> tuple[str, str]:
    """Return the row of a variant's worst finding, and that finding in words."""
    first = next(finding for finding in findings if finding.outcome == worst(findings))
    others = plural(len(findings) - 1, "more finding")
    more = f" “Rule by rule” lists {others} against this variant." if len(findings) > 1 else ""
    return row_name(first.case), f"{subject(first)} {evidence(first)}.{more}"


def evidence(finding: Finding) -> str:
    """Give the value with its interval and the limit, and the reason where there is one."""
    value, limit = value_and_limit(finding)
    told = [f"is {value}"] if finding.value is not None else ["has no value"]
    if between := interval(finding):
        told.append(f" (interval {between})")
    if finding.limit is not None:
        told.append(f", and the limit is {limit}")
    return "".join(told) + (f"; {finding.reason}" if finding.reason else "")


def rules(verdict: Verdict) -> list[str]:
    """Name the policy and its rules; the default policy's need a word on what it leaves out."""
    words = listed(dict.fromkeys(finding.words for finding in verdict.findings))
    against = stands_against(verdict)
    told = [f"{verdict.policy}: {words}."]
    if verdict.policy == "the default policy":
        told = [f"The default policy, {words}; it asks nothing of time, size or memory.", JUDGED_OTHERWISE]
    return [*told, *([against] if against else [])]


def rule_by_rule(material: Material) -> Part | None:
    """Show every finding of the verdict in a table."""
    verdict = material.verdict
    if isinstance(verdict, Absent) or not verdict.findings:
        return None
    shown = RULES if any(finding.reason for finding in verdict.findings) else RULES[:-1]
    headings = tuple(Heading(title, number=title in NUMBERS) for title in shown)
    lines = tuple(Line(line_of(finding).cells[: len(shown)]) for finding in verdict.findings)
    note = Note(INTERVAL + RATES + (MORE_RATES.format(verdict.run_id) if not all_rates(verdict) else ""))
    return Part("", (Tables((Table(headings, lines),)), note))


def all_rates(verdict: Verdict) -> bool:
    return all(f.passes_at_limit is not None for f in verdict.findings)


def percent(share: float | None) -> str:
    return MISSING if share is None else f"{decimals(100 * share, 1)} %"


def line_of(finding: Finding) -> Line:
    value, limit = value_and_limit(finding)
    cells = (
        Cell(f"{finding.rule} {finding.words}"),
        Cell(row_name(finding.case)),
        Cell(value),
        Cell(interval(finding)),
        Cell(limit),
        Cell(percent(finding.passes_at_limit)),
        Cell(percent(finding.passes_if_harmless)),
        Cell(outcome(finding), tone="good" if finding.outcome == "pass" else "" if finding.holds else "bad"),
        Cell(finding.reason, tone="why"),
    )
    return Line(cells)
