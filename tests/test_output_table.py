"""report/tables/output_table.py: what a model with several outputs shows beside its summary; of one output nothing."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from harness.cli.tables.run_tables import summary_tables
from harness.compare.baseline import compare
from harness.records import Comparison
from harness.report import render
from harness.report.material import Material
from harness.report.out.csv_tables import metrics_csv
from harness.report.tables.columns import Tables
from harness.report.tables.output_table import every_output, furthest_outputs
from harness.support.format import decimals, significant
from tests.made_tasks import classes, several, three_outputs

LABELS, KERAS, INT8 = three_outputs()


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    return compare(several(KERAS, {"float32": KERAS, "int8": INT8}, LABELS))


def test_every_output_of_every_row_has_a_line_with_its_own_figures(comparison: Comparison) -> None:
    part = every_output(Material(comparison))
    assert part and isinstance(part.blocks[0], Tables)
    (table,) = part.blocks[0].tables
    titles = [heading.title for heading in table.headings]
    assert titles == ["Variant", "Runtime", "Output", "Agreement", "max |Δ|", "Distance", "SQNR"]
    lines = [[cell.text for cell in line.cells] for line in table.lines]
    assert [(line[0], line[2]) for line in lines] == [(v, o) for v in ("float32", "int8") for o in KERAS]
    off = INT8["boxes"].astype(np.float64) - KERAS["boxes"]
    level = 10 * np.log10(np.square(KERAS["boxes"].astype(np.float64)).sum() / np.square(off).sum())
    assert lines[4][3:] == ["–", significant(np.abs(off).max()), significant(np.abs(off).mean()), decimals(level, 1)]
    assert [line.cells[2].note for line in table.lines[:3]] == ["scored", "", ""]
    assert "## Every output" in render(Material(comparison), "markdown")


def test_metrics_csv_says_which_output_a_row_is_of(comparison: Comparison) -> None:
    rows = [row for row in csv.DictReader(io.StringIO(metrics_csv(comparison))) if row["variant"] == "int8"]
    assert list(rows[0])[-1] == "output"  # the last one: older readers find the others where they were
    largest = {row["output"]: float(row["value"]) for row in rows if row["metric"] == "max_abs_diff"}
    apart = {name: np.abs(INT8[name].astype(np.float64) - KERAS[name]).max() for name in KERAS}
    assert list(largest) == list(KERAS) and list(largest.values()) == pytest.approx(list(apart.values()), rel=1e-5)
    assert [row["output"] for row in rows if row["metric"] == "accuracy"] == ["digit"]
    assert {row["output"] for row in rows if row["metric"] in ("size_bytes", "latency_p50", "load")} == {""}


def test_the_terminal_names_the_scored_output_and_the_one_that_is_furthest(comparison: Comparison) -> None:
    noisy = {**INT8, "boxes": KERAS["boxes"] + np.random.default_rng(1).normal(0, 40, KERAS["boxes"].shape)}
    far = compare(several(KERAS, {"float32": KERAS, "int8": noisy}, LABELS))
    (told,) = furthest_outputs(Material(far), "host")
    assert told.startswith("int8 on ai-edge-litert: of its outputs boxes is furthest from Keras', SQNR 1")
    console = Console(width=200, file=io.StringIO())
    for table in summary_tables(far, console):
        console.print(table)
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "output digit is scored" in shown and told in " ".join(shown.split())
    assert furthest_outputs(Material(comparison), "host") == []  # there it is the scored one


def test_where_nothing_was_answered_there_is_no_table() -> None:
    run = several(KERAS, {"float32": KERAS, "int8": INT8}, LABELS)
    timed_alone = compare(replace(run, shards=(), plan=replace(run.plan, accuracy=False)))
    assert every_output(Material(timed_alone)) is None
    assert furthest_outputs(Material(timed_alone), "host") == []


def test_a_model_with_one_output_shows_nothing_more() -> None:
    one = compare(classes())
    assert every_output(Material(one)) is None and one.heads == {}
    assert "Every output" not in render(Material(one), "markdown")
