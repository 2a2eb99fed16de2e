"""The sections of the report, in their order. To add one, write what it shows and add its line to SECTIONS."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from harness.report.charts.chart import Chart
from harness.report.material import Material
from harness.report.part import Note, Part
from harness.report.plots.discrepancy_plots import CLASS_DROPS, DIFFERENCES, DISTANCES, MARGINS
from harness.report.plots.drawing import Drawing, OneOutput, Plot, draw
from harness.report.plots.latency_plots import COLD_START, LATENCIES
from harness.report.plots.over_time import OVER_TIME
from harness.report.plots.style import NothingToDrawError
from harness.report.plots.tradeoff import TRADEOFF
from harness.report.samples.first_sample import first_sample
from harness.report.samples.gallery import galleries
from harness.report.tables.costs import calls, memory
from harness.report.tables.endings import endings
from harness.report.tables.facts import facts
from harness.report.tables.further import further
from harness.report.tables.head_table import every_head
from harness.report.tables.horizon_table import by_step
from harness.report.tables.iou_table import iou_by_class
from harness.report.tables.kernels_table import kernels
from harness.report.tables.output_table import every_output
from harness.report.tables.summary_table import summary
from harness.report.words.method import method
from harness.report.words.round_quality import invalid_rounds
from harness.report.words.ship_answer import rule_by_rule, ship_answer
from harness.report.words.summary import in_words
from harness.report.words.why import why_it_dropped

Shown = Part | Sequence[Part] | None  # None: this run has nothing to show there
Showing = Plot | Callable[[Material], Shown]
OneOfSeveral = tuple[Material, OneOutput | None]  # None where one output has labels


def of_each_output(show: Callable[[Material], Part | None]) -> Callable[[Material], Shown]:
    """Makes of what one output shows a part for each of several labelled ones, the worst first."""

    def parts(material: Material) -> Shown:
        each = [(head.comparison.run.scored_output, show(head)) for head in material.heads]
        named = [replace(part, title=f"{part.title}, output {name}") for name, part in each if part]
        return named if material.heads else show(material)

    return parts


@dataclass(frozen=True)
class Section:
    """anchor: its address on the page. title: "" takes the title of the one thing that it shows. of_several: its title
    then, where it shows several.

    in_markdown: whether report.md, the short form, has its words and tables; it links to all plots at its end.
    folded: whether the page shows it only to those who ask.
    """

    anchor: str
    title: str
    shows: tuple[Showing, ...]
    in_markdown: bool = True
    folded: bool = False
    of_several: str = ""


SECTIONS = (
    Section("answer", "May it ship?", (ship_answer,)),
    Section("summary", "Summary", (every_head, summary, further, of_each_output(by_step), every_output)),
    Section("words", "In words", (in_words,)),
    Section("verdict", "Rule by rule", (rule_by_rule,)),
    Section("what", "What was run on what", (facts, kernels)),
    Section("why", "Rows that were explained", (why_it_dropped,)),
    Section("tradeoff", "", (TRADEOFF,), of_several="Quality, latency and size"),
    Section("latency", "Latency and cold start", (LATENCIES, OVER_TIME, invalid_rounds, COLD_START, calls)),
    Section("memory", "", (memory,)),
    Section("discrepancy", "Sample by sample against Keras", (MARGINS, DIFFERENCES, DISTANCES)),
    Section("classes", "", (CLASS_DROPS, of_each_output(iou_by_class)), of_several="Class by class"),
    Section("gallery", "The samples that moved most", (galleries,), in_markdown=False),
    Section("sample", "Test sample 0", (first_sample,)),
    Section("ended", "Rows that did not end well", (endings,), in_markdown=False),
    Section("method", "How the figures are made", (method,), in_markdown=False, folded=True),
)


@dataclass(frozen=True)
class Content:
    """A section as one run fills it: at least one part."""

    section: Section
    title: str
    parts: tuple[Part, ...]


def contents(material: Material, drawings: Sequence[Drawing]) -> list[Content]:
    """Fill the sections that have something to show of this run."""
    filled = [(section, tuple(parts_of(section, material, drawings))) for section in SECTIONS]
    return [content_of(section, parts) for section, parts in filled if parts]


def parts_of(section: Section, material: Material, drawings: Sequence[Drawing]) -> list[Part]:
    parts: list[Part] = []
    for showing in section.shows:
        if isinstance(showing, Plot):
            parts += [part_of(drawing) for drawing in drawings if drawing.name == showing.name and drawing.wide]
        else:
            shown = showing(material)
            parts += [shown] if isinstance(shown, Part) else shown or []
    return parts


def part_of(drawing: Drawing) -> Part:
    """Make a part of a plot; of an output that is not scored it is folded away."""
    elsewhere = Note(f"It is in plots/{drawing.file_name}, to keep this page small.")
    return Part(drawing.title, (drawing if drawing.on_page else elsewhere,), folded=drawing.place is not None)


def content_of(section: Section, parts: tuple[Part, ...]) -> Content:
    if section.title or len(parts) > 1:
        return Content(section, section.title or section.of_several, parts)
    (only,) = parts
    return Content(section, only.title, (Part("", only.blocks),))


# --- what is drawn ---------------------------------------------------------------------------------------------------

MOST_BYTES = 2_000_000  # on the page, of the plots of outputs that are not scored


def draw_all(material: Material) -> tuple[Drawing, ...]:
    """Draw every plot of the sections that is made for the run's task; one without data says why. Then those of each
    further output with labels, the worst first.
    """
    lead, further = outputs_of(material)
    drawings = [draw(plot, *(lead if plot.of_answers else (material, None))) for plot in plots_of(material)]
    return (*drawings, *bounded(draw(plot, *output) for output in further for plot in answers_plots(output[0])))


def outputs_of(material: Material) -> tuple[OneOfSeveral, list[OneOfSeveral]]:
    """Find what plots of answers are drawn of: the scored output, and the further ones with labels, the worst first."""
    if not material.heads:
        return (material, None), []
    run = material.comparison.run
    each = {head.comparison.run.scored_output: head for head in material.heads}
    lead = each.pop(run.scored_output, material)
    further: list[OneOfSeveral] = [(head, OneOutput(name, run.outputs.index(name))) for name, head in each.items()]
    return (lead, OneOutput(run.scored_output, None)), further


def bounded(drawings: Iterable[Drawing]) -> Iterator[Drawing]:
    """Leave to their files the plots for which the page has no room."""
    room = MOST_BYTES
    for drawing in drawings:
        room -= len(drawing.wide) + len(drawing.narrow)
        yield replace(drawing, on_page=room >= 0)


def charts(material: Material) -> tuple[dict[str, Chart], dict[str, str]]:
    """Make every plot of the run's task by its name; and say why there is none of those without data."""
    made: dict[str, Chart] = {}
    absent: dict[str, str] = {}
    for plot in plots_of(material):
        try:
            made[plot.name] = plot.chart(material)
        except NothingToDrawError as nothing:
            absent[plot.name] = str(nothing)
    return made, absent


def plots_of(material: Material) -> list[Plot]:
    """The plots of the sections that are made for the run's task."""
    return [plot for plot in every_plot() if material.comparison.run.task in plot.tasks]


def answers_plots(material: Material) -> list[Plot]:
    return [plot for plot in plots_of(material) if plot.of_answers]


def every_plot() -> list[Plot]:
    return [showing for section in SECTIONS for showing in section.shows if isinstance(showing, Plot)]
