"""What in a run supports no claim, and why: too few rounds, emulated targets, rows that did not end well."""

from __future__ import annotations

from harness.compare.rows import Row
from harness.records import KERAS, Comparison
from harness.records.names import row_name
from harness.statistics.stats import CLAIM_ROUNDS
from harness.support.format import listed, plural


def limits(comparison: Comparison, shown: tuple[Row, ...]) -> list[str]:
    """Give one sentence a reason; empty where everything that was measured supports its claim."""
    return [
        *stand_in(comparison),
        *unfinished(comparison),
        *unsealed(comparison),
        *withheld(comparison),
        *timed_alone(comparison),
        *few_rounds(comparison, shown),
        *emulated_targets(comparison, shown),
        *bad_endings(shown),
        *data_remarks(comparison),
    ]


def stand_in(comparison: Comparison) -> list[str]:
    name = comparison.run.provenance.baseline
    return [f"There is no Keras model: wherever this report says Keras, {name} is meant."] * (name != KERAS)


def unfinished(comparison: Comparison) -> list[str]:
    return [] if comparison.run.finished else ["The run is not finished: rows and rounds are missing."]


def unsealed(comparison: Comparison) -> list[str]:
    run = comparison.run
    told = f"The run is not sealed: {run.unsealed}, so a change to its files would not be noticed."
    return [told] if run.unsealed and run.finished else []


def withheld(comparison: Comparison) -> list[str]:
    """Give one sentence a metric of the run's own that was left out, since nobody here trusts its code."""
    text = "{} is left out: it is code that the run names, {}, and you did not begin the run here; --trust calls it."
    return [text.format(each.name, each.reference) for each in comparison.run.withheld]


def timed_alone(comparison: Comparison) -> list[str]:
    run = comparison.run
    if run.plan.accuracy:
        return []
    candidate, reference = run.provenance.candidate or "?", run.provenance.reference or "?"
    return [f"No accuracy was measured: a gate timed run {candidate} and its reference {reference} side by side."]


def few_rounds(comparison: Comparison, shown: tuple[Row, ...]) -> list[str]:
    plan = comparison.run.plan
    if plan.rounds == 0:
        return ["No latency was measured (plan none)."]
    if plan.rounds < CLAIM_ROUNDS:
        text = (
            f"The {plan.profile} plan took {plural(plan.rounds, 'round')}: its latencies are a first look and support "
            f"no claim, which takes at least {CLAIM_ROUNDS} rounds."
        )
        return [text]
    short = [r for r in shown if 0 < r.rounds < CLAIM_ROUNDS]
    if not short:
        return []
    names = listed([f"{row_name(r.case)} ({r.rounds})" for r in short])
    return [f"Fewer than {CLAIM_ROUNDS} usable rounds, so no latency claim: {names}."]


def emulated_targets(comparison: Comparison, shown: tuple[Row, ...]) -> list[str]:
    names = list(dict.fromkeys(r.case.target for r in shown if r.emulated))
    verb = "is" if len(names) == 1 else "are"
    text = f"{listed(names)} {verb} emulated: answers count there, but latency and memory support no claim."
    return [text] if names else []


def bad_endings(shown: tuple[Row, ...]) -> list[str]:
    """Give one sentence a variant × status × reason, however many rows share it."""
    groups: dict[tuple[str, str, str], list[Row]] = {}
    for row in shown:
        if row.standing.status != "ok" or row.standing.reason:
            groups.setdefault((row.case.variant, row.standing.status, row.standing.reason), []).append(row)
    return [bad_ending(group) for group in groups.values()]


def bad_ending(group: list[Row]) -> str:
    row, status = group[0], group[0].standing.status
    words = {
        "ok": "is remarked on",
        "failed": "failed",
        "suspect": "is suspect (measured, but something is probably wrong)",
        "invalid": "is invalid",
        "unsupported": "is not supported",
    }
    runtimes = listed(list(dict.fromkeys(r.case.runtime for r in group)))
    targets = listed(list(dict.fromkeys(r.case.target for r in group)))
    reason = f": {row.standing.reason.rstrip('.')}" if row.standing.reason else ""
    return f"{row.case.variant} {words.get(status, status)} with {runtimes} on {targets}{reason}."


def data_remarks(comparison: Comparison) -> list[str]:
    """Repeat what was odd about the data, found before anything was built."""
    return [f"About the data: {remark}." for remark in comparison.run.provenance.remarks]
