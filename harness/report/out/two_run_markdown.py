"""Two runs side by side in Markdown, for a pull request: what changed first, what stayed behind a fold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.compare.two_runs import TwoRuns
from harness.records import Change
from harness.records.names import row_name
from harness.report.words.two_run_words import KINDS, change_texts, headline, notes, own_texts, title
from harness.support.format import in_markdown

HEADINGS = ("Row", "Metric", "Reference", "Candidate", "Change", "Verdict")
AT_ONCE = ("regressed", "changed", "improved")


def render(both: TwoRuns) -> str:
    """Return the count of each kind, what changed, and below a fold the rest and what to know of it."""
    one, other = both.reference.run, both.candidate.run
    told = f"{other.experiment}: {other.run_id} against the reference {one.run_id}"
    outputs = (both, *both.heads.values())
    changed = [line for output in outputs for line in lines_of(output, AT_ONCE)]
    rest = [line for output in outputs for line in lines_of(output, [kind for kind in KINDS if kind not in AT_ONCE])]
    below = [
        f"- {in_markdown(note)}" for note in dict.fromkeys(n for output in outputs for n in notes(output, output.pairs))
    ]
    lines = [f"### {in_markdown(told)}", "", in_markdown(headline(both)), ""]
    lines += [*table(changed), ""] if changed else []
    lines += ["<details><summary>What did not change, and what to know of it</summary>", "", *table(rest), "", *below]
    return "\n".join([*lines, "", "</details>", ""])


def table(lines: Sequence[str]) -> list[str]:
    return [f"| {' | '.join(HEADINGS)} |", "|---|---|--:|--:|--:|---|", *lines] if lines else []


def lines_of(both: TwoRuns, kinds: Sequence[str]) -> Iterator[str]:
    """Yield a line a change of these kinds, in the order of KINDS."""
    chosen = [change for change in both.changes if change.kind in kinds]
    for change in sorted(chosen, key=lambda c: list(KINDS).index(c.kind)):
        yield f"| {' | '.join(in_markdown(cell) for cell in cells(both, change))} |"


def cells(both: TwoRuns, change: Change) -> tuple[str, ...]:
    output = both.output_of(change)
    value, limits = change_texts(change)
    name = f"{title(both, change)} of {output}" if output else title(both, change)
    shown = f"{value} ({limits})" if limits else value
    return row_name(change.case), name, *own_texts(both, change), shown, KINDS[change.kind]
