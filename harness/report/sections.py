"""The sections of the report, in their order. To add one, write what it shows and add its line to SECTIONS."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from harness.report.charts.chart import Chart
from harness.report.material import Material
from harness.report.part import Part
from harness.report.plots.discrepancy_plots import CLASS_DROPS, DIFFERENCES, DISTANCES, MARGINS
from harness.report.plots.drawing import Drawing, Plot, draw
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


def of_each_output(show: Callable[[Material], Part | None]) -> Callable[[Material], Shown]:
    """Makes of what one output shows a part for each of several labelled ones, the worst first."""

    def parts(material: Material) -> Shown:
        each = [(head.comparison.run.scored_output, show(head)) for head in material.heads]
        named = [replace(part, title=f"{part.title}, output {name}") for name, part in each if part]
        return named if material.heads else show(material)

    return parts


@dataclass(frozen=True)
class Section:
    """anchor: its address on the page. title: "" takes the title of the one thing that it shows.

    in_markdown: whether report.md, the short form, has its words and tables; it links to all plots at its end.
    folded: whether the page shows it only to those who ask.
    """

    anchor: str
    title: str
    shows: tuple[Showing, ...]
    in_markdown: bool = True
    folded: bool = False


SEVERAL = "Output by output"  # the title of a section that shows one thing, where several outputs have it
SECTIONS = (
    Section("answer", "May it ship?", (ship_answer,)),
    Section("summary", "Summary", (every_head, summary, further, of_each_output(by_step), every_output)),
    Section("words", "In words", (in_words,)),
    Section("verdict", "Rule by rule", (rule_by_rule,)),
    Section("what", "What was run on what", (facts, kernels)),
    Section("why", "Why the accuracy dropped", (why_it_dropped,)),
    Section("tradeoff", "", (TRADEOFF,)),
    Section("latency", "Latency and cold start", (LATENCIES, OVER_TIME, invalid_rounds, COLD_START, calls)),
    Section("memory", "", (memory,)),
    Section("discrepancy", "Sample by sample against Keras", (MARGINS, DIFFERENCES, DISTANCES)),
    Section("classes", "", (CLASS_DROPS, of_each_output(iou_by_class))),  # of one class a sample, or of masks
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
    by_name = {drawing.name: drawing for drawing in drawings}
    filled = [(section, tuple(parts_of(section, material, by_name))) for section in SECTIONS]
    return [content_of(section, parts) for section, parts in filled if parts]


def parts_of(section: Section, material: Material, drawings: dict[str, Drawing]) -> list[Part]:
    parts: list[Part] = []
    for showing in section.shows:
        if not isinstance(showing, Plot):
            shown = showing(material)
            parts += [shown] if isinstance(shown, Part) else shown or []
        elif (drawing := drawings.get(showing.name)) and drawing.wide:
            parts.append(Part(drawing.title, (drawing,)))
    return parts


def content_of(section: Section, parts: tuple[Part, ...]) -> Content:
    if section.title or len(parts) > 1:
        return Content(section, section.title or SEVERAL, parts)
    (only,) = parts
    return Content(section, only.title, (Part("", only.blocks),))


def draw_all(material: Material) -> tuple[Drawing, ...]:
    """Draw every plot of the sections that is made for the run's task; one without data says why."""
    return tuple(draw(plot, material) for plot in plots_of(material))


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


def every_plot() -> list[Plot]:
    return [showing for section in SECTIONS for showing in section.shows if isinstance(showing, Plot)]
