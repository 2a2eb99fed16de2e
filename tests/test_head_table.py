"""report/tables/head_table.py, and the page docs/heads.md: each labelled output in tables, words and in a terminal."""

from __future__ import annotations

import io
import re
from pathlib import Path

from rich.console import Console

from harness.cli.tables.run_tables import summary_tables
from harness.compare.baseline import compare
from harness.gate.decide import judge
from harness.gate.run_gate import policy_of
from harness.gate.verdict_text import heads
from harness.report import render
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
