"""report/tables/head_table.py, and the page docs/heads.md: each labelled output in tables, words and in a terminal."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from harness.cli.tables.run_tables import summary_tables
from harness.compare.baseline import compare
from harness.gate.decide import judge
from harness.gate.run_gate import policy_of
from harness.gate.verdict_text import heads
from harness.report import render, write_report
from harness.report.material import Material
from harness.report.samples.one_sample import sample_text
from harness.report.tables.head_table import every_head
from harness.report.words.ship_answer import ship_answer
from harness.report.words.summary import headline, sentences
from harness.runs.loading import load
from harness.support.format import percent

ROOT = Path(__file__).parents[1]
RUN = load(ROOT / "tests" / "recorded" / "heads-schema-6")  # of docs/examples/heads
EXAMPLE = ROOT / "docs" / "examples" / "heads"
COMPARISON = compare(RUN)
VERDICT = judge(COMPARISON, policy_of(EXAMPLE / "policy.toml"))
MATERIAL = Material(COMPARISON, verdict=VERDICT)


def plain(*renderables: object) -> str:
    console = Console(file=io.StringIO(), width=200)
    console.print(*renderables)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_the_table_has_a_line_a_head_and_variant_the_worst_head_first():
    (tables, _) = every_head(MATERIAL).blocks
    (table,) = tables.tables  # type: ignore[attr-defined]
    shown = [[cell.text for cell in line.cells] for line in table.lines]
    assert [(line[0], line[1]) for line in shown] == [
        (output, variant) for output in ("parity", "digit", "ink") for variant in ("float32", "int8")
    ]
    right = (COMPARISON.heads["parity"].samples[COMPARISON.run.cases[1]]["prediction"] == RUN.labels % 2).mean()
    parity = shown[1]
    assert parity[4:7] == ["Accuracy, %", "88.83", percent(right)] and parity[7].endswith(" pp")
    assert shown[5][4] == "MAE" and shown[5][7].endswith(" %")


def test_one_labelled_output_has_no_such_table():
    run = load(ROOT / "tests" / "recorded" / "digits-schema-1")
    assert every_head(Material(compare(run))) is None


def test_the_report_begins_with_each_head_and_says_what_became_of_it():
    told = {sentence.topic: sentence.text for sentence in ship_answer(MATERIAL).blocks[0].topics}  # type: ignore[attr-defined]
    assert list(told)[:2] == ["May ship", "Each output"]
    assert told["Each output"] == " ".join(heads(VERDICT))
    assert told["Each output"].startswith("Output parity does not pass: fail (int8). Output digit passes.")
    words = {sentence.topic: sentence.text for sentence in sentences(MATERIAL)}
    assert list(words)[:3] == ["Output parity", "Output digit", "Output ink"] and "Accuracy" not in words
    assert words["Output parity"].startswith("int8: Accuracy 49.56 % against Keras' 88.83 %; suspect: ")
    assert "Flips of digit" in words and "digit: accuracy drop" in headline(MATERIAL)
    page = render(MATERIAL, "markdown")
    assert "## Every output with labels" in page and "Labels are of digit, parity and ink" in page


def folded(page: str) -> list[str]:
    return re.findall(r"<details>\s*<summary><h3>(.*?)</h3>", page)


def test_each_head_has_its_plots_folded_away_the_worst_first(tmp_path: Path):
    page, text = write_report(MATERIAL, tmp_path).read_text(), (tmp_path / "report.md").read_text()
    assert "<h3>How far the outputs moved, output digit</h3>" in page  # which leads: open
    moved = [title for title in folded(page) if title.startswith("How far")]
    assert moved == [f"How far the outputs moved, output {name}" for name in ("parity", "ink")]
    assert {"Drop per class, output parity", "Each number against Keras&#39;, output ink"} <= {*folded(page)}
    names = {path.name for path in (tmp_path / "plots").iterdir()}
    assert {"classes.svg", "classes-output-1.svg", "differences-output-2.svg", "ecdf-output-2.svg"} <= names
    assert "classes-output-2.svg" not in names  # ink has no classes
    assert "- [Drop per class, output parity](plots/classes-output-1.svg)" in text
    flips = int(COMPARISON.heads["parity"].samples[COMPARISON.run.cases[1]]["flip"].sum())
    assert f"int8: {flips} flips" in (tmp_path / "plots" / "margin-output-1.svg").read_text()
    assert flips != int(COMPARISON.samples[COMPARISON.run.cases[1]]["flip"].sum())


def test_a_plot_of_a_head_for_which_the_page_has_no_room_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    whole = write_report(MATERIAL, tmp_path).stat().st_size
    monkeypatch.setattr("harness.report.sections.MOST_BYTES", 0)
    page = write_report(MATERIAL, tmp_path).read_text()
    assert "It is in plots/margin-output-1.svg, to keep this page small." in page and 'data-place="' not in page
    assert len(page) < 0.8 * whole and (tmp_path / "plots" / "margin-output-1.svg").exists()


def test_plots_of_heads_that_an_earlier_report_left_go(tmp_path: Path):
    (tmp_path / "plots").mkdir()
    for name in ("classes-output-2.svg", "mine.svg"):
        (tmp_path / "plots" / name).write_text("")
    write_report(MATERIAL, tmp_path)
    left = {path.name for path in (tmp_path / "plots").iterdir()}
    assert "classes-output-2.svg" not in left and "mine.svg" in left


def test_the_terminal_has_each_head_too():
    text = plain(*summary_tables(COMPARISON, Console(width=200)))
    assert "output digit leads" in text and "output parity, int8: Accuracy 49.56 % against Keras' 88.83 %" in text
    sample = plain(sample_text(COMPARISON, None, 3))
    assert re.search(r"Sample 3, label 5\n(.*\n)*output digit\n(.*\n)*output parity, label odd\n", sample)
    assert "output ink, label 0.40625" in sample


def test_the_page_has_the_files_and_the_figures_of_the_example():
    page = (ROOT / "docs" / "heads.md").read_text()
    code = "\n".join(line[4:] for line in page.splitlines() if line.startswith("    ") or not line)
    for name in ("experiment.toml", "policy.toml"):
        assert (EXAMPLE / name).read_text() in code + "\n"
    shown = [line for line in code.splitlines() if line.startswith(("output ", "Output ")) and " = " not in line]
    printed = plain(*summary_tables(COMPARISON, Console(width=200))) + "\n".join(heads(VERDICT))
    flat = " ".join(printed.split())
    assert [line for line in shown if "float16" not in line and line not in flat] == []  # float16 is not recorded
