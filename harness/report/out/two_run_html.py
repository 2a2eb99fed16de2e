"""Two or more runs on a page, side by side: what changed first, then the rest, and what to know of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import inf

from harness.compare.two_runs import TwoRuns
from harness.records import Case, Change
from harness.records.names import row_label
from harness.report.charts.chart import Axis, Chart, Dot, Dots, Key, Mark, Panel, Strokes
from harness.report.charts.lettering import SHAPES
from harness.report.out.page import page
from harness.report.out.two_run_markdown import AT_ONCE
from harness.report.part import Block, Note, Part
from harness.report.plots.drawing import drawn
from harness.report.plots.style import COLOURS, GREY, lines_of
from harness.report.sections import Content, Section
from harness.report.tables.columns import Cell, Heading, Line, Table, Tables
from harness.report.words.summary import Sentence, Sentences
from harness.report.words.two_run_words import KINDS, change_texts, headline, notes, own_texts, title
from harness.support.format import MISSING, decimals, plural

ORDER = list(KINDS)
TONES = {"regressed": "bad", "improved": "good", "changed": "bad"}
DRAWN = {"accuracy_drop": "accuracy, pp (right is better)", "latency_p50": "p50, % (left is better)"}
METHOD = (
    "Candidate less reference, of every row that can be compared: of accuracy with its 90 % limits over the same"
    " samples, of p50 with its 95 % limits over rounds. Two sessions differ by more than their rounds show."
)
WHERE, ALWAYS = ("Variant", "Runtime", "Target", "Threads", "Metric"), ("Variant", "Runtime", "Metric")
ONE = [Heading("Candidate"), Heading("Change"), Heading("Verdict", number=False)]
Which = tuple[Case, str, str]  # a row, an output, a metric's name: titles are not unique
Found = tuple[TwoRuns, Change]  # a change, and the output of the two runs that it is of


def render(several: Sequence[TwoRuns]) -> str:
    """Return the page of one reference and each candidate. several: all of the same reference."""
    one = several[0].reference.run
    names = [both.candidate.run.run_id for both in several]
    lead = " ".join(f"{name}: {headline(both)}." for name, both in zip(names, several, strict=True))
    what = names[0] if len(names) == 1 else plural(len(names), "run")
    heading, command = f"{one.experiment}: {what} against the reference {one.run_id}", " ".join([one.run_id, *names])
    return page(heading, lead, list(contents(several)), f"edge-harness, harness compare {command}")


def contents(several: Sequence[TwoRuns]) -> Iterator[Content]:
    """Yield what changed, the rest, the plot, and what to know."""
    keys = dict.fromkeys(key for both in several for key in found_of(both))
    worst = {key: min(ORDER.index(f[1].kind) for both in several if (f := found_of(both).get(key))) for key in keys}
    ordered = sorted(keys, key=lambda key: worst[key])
    changed = [key for key in ordered if ORDER[worst[key]] in AT_ONCE]
    rest = [key for key in ordered if key not in changed]
    shown = Tables((table(several, changed),)) if changed else Note("No change is shown.")
    yield content("summary", "What changed", shown)
    if (chart := changes_chart(several)).panels:
        yield content("plot", "How far", drawn(chart, "changes", "How far the runs are apart", METHOD))
    if rest:
        yield content("rest", "What did not change, or cannot be told", Tables((table(several, rest),)))
    told = {both.candidate.run.run_id: (Sentences(tuple(noted(both))),) for both in several}
    parts = tuple(Part(name if len(several) > 1 else "", notes) for name, notes in told.items())
    yield Content(Section("notes", "", ()), "What to know of it", parts)


def content(anchor: str, name: str, block: Block) -> Content:
    return Content(Section(anchor, name, ()), name, (Part("", (block,)),))


def found_of(both: TwoRuns) -> dict[Which, Found]:
    outputs = (both, *both.heads.values())
    return {(c.case, side.output_of(c), c.metric): (side, c) for side in outputs for c in side.changes}


def named(side: TwoRuns, change: Change) -> str:
    output = side.output_of(change)
    return f"{title(side, change)} of {output}" if output else title(side, change)


def table(several: Sequence[TwoRuns], keys: Sequence[Which]) -> Table:
    """Show a line a change: what the reference says, and what each candidate says, with how far it moved."""
    names = [both.candidate.run.run_id for both in several]
    own = [Heading(name, note="change and limits") for name in names] if len(names) > 1 else ONE
    every = [[found_of(both).get(key) for both in several] for key in keys]
    places = [where(next(filter(None, found))) for found in every]
    shown = [name for name in WHERE if name in ALWAYS or len({place[name] for place in places}) > 1]
    headings = (*(Heading(name, number=False) for name in shown), Heading("Reference"), *own)
    lines = (line([place[name] for name in shown], found) for place, found in zip(places, every, strict=True))
    return Table(headings, tuple(lines))


def where(found: Found) -> dict[str, str]:
    case = found[1].case
    values = (case.variant, case.runtime, case.target, str(case.threads), named(*found))
    return dict(zip(WHERE, values, strict=True))


def line(place: Sequence[str], every: Sequence[Found | None]) -> Line:
    before = next(own_texts(*found)[0] for found in every if found)
    own = cells(every[0]) if len(every) == 1 else map(one_cell, every)
    return Line((*map(Cell, place), Cell(before), *own))


def cells(found: Found | None) -> tuple[Cell, Cell, Cell]:
    assert found  # of one candidate every line is found
    verdict = Cell(verdict_text(found[1]), tone=TONES.get(found[1].kind, ""))
    return Cell(own_texts(*found)[1]), Cell(*change_texts(found[1])), verdict


def one_cell(found: Found | None) -> Cell:
    """Show what cells() shows in one, where several candidates stand beside each other."""
    if found is None:
        return Cell(MISSING, "missing")
    value, limits = change_texts(found[1])
    moved = f"{value} [{limits}]" if limits else value
    return Cell(own_texts(*found)[1], f"{moved} {verdict_text(found[1])}", TONES.get(found[1].kind, ""))


def verdict_text(change: Change) -> str:
    """Name what became of the change; of one that is similar with the change that would have been found."""
    found = "" if change.smallest_percent is None else f" ±{decimals(change.smallest_percent, 1)} %"
    return f"{KINDS[change.kind]}{found}"


def noted(both: TwoRuns) -> Iterator[Sentence]:
    """Yield each note once."""
    outputs = (both, *both.heads.values())
    for note in dict.fromkeys(note for side in outputs for note in notes(side, side.pairs)):
        known = note.startswith(("warning: ", "not ", "missing: "))
        kind, _, text = note.partition(": ") if known else ("To know", "", note)
        yield Sentence(kind.capitalize(), f"{text[:1].upper()}{text[1:]}.")


# --- the plot ------------------------------------------------------------------------------------------------------


def changes_chart(several: Sequence[TwoRuns]) -> Chart:
    """Draw a panel a metric, a line a row, and of each candidate a mark with its limits."""
    panels = [panel for metric, words in DRAWN.items() if (panel := changes_panel(several, metric, words))]
    names = [both.candidate.run.run_id for both in several]
    keys = tuple(Key(name, COLOURS[1 + n % 6], SHAPES[n % len(SHAPES)]) for n, name in enumerate(names))
    return Chart(tuple(panels), keys, (2, 1), "y" if len(panels) > 1 else "")


def changes_panel(several: Sequence[TwoRuns], metric: str, words: str) -> Panel | None:
    cases = list(dict.fromkeys(c.case for both in several for c in both.changes if c.metric in DRAWN))
    marks = [mark for n, both in enumerate(several) for mark in marks_of(both, metric, cases, n, len(several))]
    if not marks:
        return None
    names = [row_label(case, len({c.target for c in cases}) > 1, len({c.threads for c in cases}) > 1) for case in cases]
    zero = Strokes([(0, -inf, 0, inf)], GREY, 0.9)
    return Panel([zero, *marks], Axis(words), lines_of(names), height=(14 + 10 * len(several)) * len(cases))


def marks_of(both: TwoRuns, metric: str, cases: Sequence[Case], n: int, of: int) -> Iterator[Mark]:
    for change in both.changes:
        if change.metric != metric or change.low is None or change.high is None or change.value is None:
            continue
        y = cases.index(change.case) + (n - (of - 1) / 2) * 0.6 / of
        ends = [-x if change.unit == "pp" else 100 * (x - 1) for x in (change.value, change.low, change.high)]
        value, limits = change_texts(change)
        told = f"{both.candidate.run.run_id}, {row_label(change.case, target=True)}: {value} ({limits}), {change.kind}"
        colour, shape = COLOURS[1 + n % 6], SHAPES[n % len(SHAPES)]
        yield Strokes([(ends[1], y, ends[2], y)], colour, 1.4)
        yield Dots([Dot(ends[0], y, told, 4)], colour, shape)
