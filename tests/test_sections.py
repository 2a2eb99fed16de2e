"""A section of the report is one place: what it shows, and its line in SECTIONS."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from harness.diagnosis.explanation import Explanation
from harness.gate.run_gate import default_verdict
from harness.records import Comparison
from harness.report import render, sections, write_report
from harness.report.charts.chart import Axis, Box, Boxes, Chart, Panel
from harness.report.material import Material
from harness.report.part import Block, Cards, Note, Part
from harness.report.plots.drawing import Plot, draw
from harness.report.plots.style import NothingToDrawError
from harness.report.sections import SECTIONS, Section
from harness.report.tables.columns import Cell, Heading, Line, Table, Tables
from harness.report.words.summary import Sentence, Sentences
from harness.support.format import whole
from tests.synthetic import pictures, synthetic

TEMPLATES = Path(sections.__file__).parent / "out" / "templates"


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    return synthetic(samples=100, rounds=3, profile="quick")


class Headings(HTMLParser):
    """The anchors of a page's sections, and its headings with their level."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.anchors: list[str] = []
        self.headings: list[tuple[str, str]] = []
        self.level = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "section":
            self.anchors.append(dict(attrs)["id"] or "")
        self.level = tag if re.fullmatch("h[1-4]", tag) else ""

    def handle_data(self, data: str) -> None:
        if self.level and data.strip():
            self.headings.append((self.level, data.strip()))


# --- one more section, in one place --------------------------------------------------------------------------------


def rows_of_runtimes(material: Material) -> Part:
    """Show what most sections are made of: sentences, a table and a note."""
    names = dict.fromkeys(row.case.runtime for row in material.rows)
    lines = (Line((Cell(n), Cell(whole(sum(r.case.runtime == n for r in material.rows))))) for n in names)
    table = Table((Heading("Runtime", number=False), Heading("Rows")), tuple(lines))
    topics = (Sentence("Runtimes of this run", f"There are {len(names)} of them, <b>*all*</b> tried."),)
    return Part("Rows by runtime", (Sentences(topics), Tables((table,)), Note("Counted, not measured.")))


def bars(material: Material) -> Chart:
    boxes = [Box((n - 0.4, n + 0.4), (0, 1), row.case.variant) for n, row in enumerate(material.rows)]
    return Chart((Panel([Boxes(boxes, "c1")], Axis(), Axis(limits=(0, 1))),))


ROWS = Plot("rows", "Rows by {}", "A bar a row.", bars)
ADDED = Section("runtimes", "The runtimes", (rows_of_runtimes, ROWS))


@pytest.fixture
def added(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sections, "SECTIONS", (*SECTIONS, ADDED))


@pytest.mark.usefixtures("added")
def test_a_section_is_added_in_one_place(comparison: Comparison, tmp_path: Path) -> None:
    page = write_report(Material(comparison, pictures(100)), tmp_path).read_text()
    text = (tmp_path / "report.md").read_text()
    shown = Headings(page)
    assert shown.anchors[-1] == "runtimes"
    assert shown.headings[-3:] == [("h2", "The runtimes"), ("h3", "Rows by runtime"), ("h3", "Rows by Accuracy")]
    assert "<dt>Runtimes of this run</dt><dd>There are 2 of them, &lt;b&gt;*all*&lt;/b&gt; tried.</dd>" in page
    assert '<th scope="row">tflite-runtime</th>' in page.split('id="runtimes"')[1]
    section = text.split("## Rows by runtime")[1].split("## Figures")[0]
    assert r"- **Runtimes of this run.** There are 2 of them, \<b\>\*all\*\</b\> tried." in section
    assert "| tflite-runtime | 7 |" in section and "Counted, not measured." in section
    assert "- [Rows by Accuracy](plots/rows.svg): A bar a row." in text
    assert (tmp_path / "plots" / "rows.svg").read_text().count("<title>") == len(Material(comparison).rows)


# --- what a section may leave out ----------------------------------------------------------------------------------


def contents_of(comparison: Comparison, *shown: Section) -> list[sections.Content]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sections, "SECTIONS", shown)
        material = Material(comparison)
        return sections.contents(material, sections.draw_all(material))


def test_a_section_that_has_nothing_to_show_is_left_out(comparison: Comparison) -> None:
    assert contents_of(comparison, Section("empty", "Empty", (lambda material: None,))) == []


def test_a_section_without_a_title_takes_that_of_what_it_shows(comparison: Comparison) -> None:
    (content,) = contents_of(comparison, Section("runtimes", "", (rows_of_runtimes,)))
    assert (content.title, [part.title for part in content.parts]) == ("Rows by runtime", [""])


def test_a_plot_is_drawn_for_its_tasks_alone(comparison: Comparison) -> None:
    other = Plot("other", "Another", "", bars, tasks=("regression",))
    assert contents_of(comparison, Section("other", "Others", (other,))) == []


def test_a_plot_without_data_is_no_section_and_says_why(comparison: Comparison) -> None:
    def nothing(material: Material) -> Chart:
        raise NothingToDrawError("It needs more.")

    plot = Plot("none", "Nothing", "", nothing)
    assert contents_of(comparison, Section("none", "", (plot,))) == []
    drawing = draw(plot, Material(comparison))
    assert (drawing.wide, drawing.absent) == ("", "It needs more.")


def test_a_section_of_the_page_alone_is_not_in_markdown(comparison: Comparison) -> None:
    run = comparison.run
    explained = Explanation(run.run_id, run.cases[0], None, (0, 1), 0, (), (), (), (), ())
    material = Material(comparison, verdict=default_verdict(comparison), explained=(explained,))
    anchors = Headings(render(material, "html")).anchors
    text = render(material, "markdown")
    alone = [section.title for section in SECTIONS if not section.in_markdown]
    assert anchors == [section.anchor for section in SECTIONS]
    assert alone and not any(title in text for title in alone)


# --- blocks --------------------------------------------------------------------------------------------------------


def macros(name: str) -> set[str]:
    return set(re.findall(r"{% macro (\w+)\(block, title\)", (TEMPLATES / name).read_text()))


def kinds() -> set[str]:
    return {block.kind for block in (*Block.__subclasses__(), *Cards.__subclasses__()) if block is not Cards}


def test_every_kind_of_block_has_a_macro_in_html() -> None:
    assert macros("blocks.html.j2") == kinds()


def test_markdown_has_a_macro_for_all_but_what_only_the_page_shows() -> None:
    assert kinds() - macros("blocks.md.j2") == {
        "box_gallery",
        "drawing",
        "gallery",
        "mask_gallery",
        "method",
        "number_gallery",
    }
