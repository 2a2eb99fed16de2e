"""harness trend as a user meets it: copies of the recorded run, some of them changed."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import harness as package
from harness.compare.baseline import compare
from harness.compare.over_runs import Gap, Point, point
from harness.runs import references
from harness.runs.loading import load
from harness.runs.store import Store
from tests.test_command_compare import CASES, edit, environment, recorded, scale

RUNS = [f"202601{day:02d}-120000-00{day:02d}" for day in range(1, 11)]
SLOWER = RUNS[6]
JITTER = (1.5, -0.7, 0.1, -1.0, 0.4, -0.1, 0.7, -1.5, 1.0, -0.4)  # percent, of no order


@pytest.fixture(scope="module")
def ten(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten runs, the last four of a slower int8 with tflite-runtime."""
    results = tmp_path_factory.mktemp("trend") / "results"
    for run, jitter in zip(RUNS, JITTER, strict=True):
        path = recorded(results, run)
        for timings in path.glob("raw/host/round-*/latencies.npy"):
            slower = run >= SLOWER and "int8.tflite-runtime" in str(timings)
            scale(timings, (1 + jitter / 100) * (1.2 if slower else 1))
    return results


@pytest.fixture
def runs(ten: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(ten, tmp_path / "results")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "results"


def rows(harness, *words: str) -> list[dict]:
    code, out, _ = harness("trend", "--all", "--json", *words)
    assert code == 0
    return json.loads(out)


def test_the_change_that_was_made_is_the_one_that_is_told(harness, ten) -> None:
    code, out, _ = harness("trend", "--all", "--results", str(ten))
    assert code == 0
    (changed,) = (line for line in out.splitlines() if "2026010" in line)
    assert changed.startswith("int8") and "tflite-runtime · host" in changed and "p50" in changed
    assert changed.rstrip().endswith(SLOWER)
    words = " ".join(out.split())
    assert "1 series changed over 10 runs" in words
    assert "1 of 14 series changed: if nothing had changed, at most about 0.7 of them would say so" in words  # 14 × 5 %


def test_the_rows_hold_what_each_run_says(harness, ten) -> None:
    told = rows(harness, "--results", str(ten), "--metric", "latency_p50")
    assert [(r["variant"], r["runtime"]) for r in told] == [case for case in CASES for _ in RUNS]
    (newest,) = (r for r in told if (r["variant"], r["runtime"], r["run_id"]) == (*CASES[3], RUNS[-1]))
    run = package.load(ten / "digits" / RUNS[-1])
    frame = run.metrics.query("variant == 'int8' and runtime == 'tflite-runtime' and metric == 'latency_p50'")
    assert (newest["value"], newest["low"]) == (frame["value"].item(), frame["low"].item())
    levels = {(r["variant"], r["runtime"], r["run_id"]): r["level"] for r in told}
    assert {levels[(*CASES[3], run)] for run in RUNS[6:]} == {1}
    assert {level for key, level in levels.items() if key[:2] != CASES[3] or key[2] < SLOWER} == {0}


def test_a_run_that_cannot_be_compared_is_left_out_with_the_reason(harness, runs) -> None:
    environment(runs / "digits" / RUNS[0], serial_sha256="cd" * 32)
    edit(runs / "digits" / RUNS[1] / "run.json", lambda run: run["hashes"].update(test="8" * 64))
    told = rows(harness)
    absent = {(r["metric"], r["run_id"]): r["reason"] for r in told if r["value"] is None}
    metrics = {("latency_p50", RUNS[0]), ("model_rss", RUNS[0]), ("accuracy", RUNS[1])}
    assert set(absent) == metrics
    assert absent["latency_p50", RUNS[0]].startswith("device: ")
    assert absent["accuracy", RUNS[1]].startswith("test inputs and labels: ")
    words = " ".join(harness("trend", "--all")[1].split())
    assert f"left out of 8 series: {RUNS[0]}: device" in words and f"left out of 4 series: {RUNS[1]}: test" in words


def test_answers_in_doubt_are_no_point_of_a_series(ten) -> None:
    """Its accuracy is in doubt, and its latency is not."""
    run = compare(load(ten / "digits" / RUNS[2]))
    doubted = replace(run, standings=tuple(replace(s, status="suspect", reason="constant") for s in run.standings))
    newest = load(ten / "digits" / RUNS[3])
    case = run.standings[0].case
    gap = point(doubted, newest, case, "accuracy", "")
    assert isinstance(gap, Gap) and gap.reason == "suspect: constant"
    assert isinstance(point(doubted, newest, case, "latency_p50", ""), Point)
    assert isinstance(point(run, newest, case, "accuracy", ""), Point)


def test_of_few_runs_no_change_is_told(harness, runs) -> None:
    for run in RUNS[:3]:
        shutil.rmtree(runs / "digits" / run)
    words = " ".join(harness("trend", "digits", "--all")[1].split())
    assert "not told" in words and "no change" not in words.replace("no change can be told", "").replace(
        "no change is shown", ""
    )
    assert "of 14 series no change can be told: 7 comparable runs, and 8 are needed" in words


def test_it_follows_every_run_that_was_ever_accepted(harness, runs) -> None:
    code, _, err = harness("trend", "digits")
    assert code == 2 and "no run of digits was accepted" in err and "harness accept RUN" in err
    for run in RUNS[:3]:
        references.accept(Store(runs), [run])
    references.add(Store(runs), [RUNS[5]])
    references.accept(Store(runs), [RUNS[4]])
    assert package.trend("digits", runs).found.runs == (*RUNS[:3], RUNS[4], RUNS[5])
    shutil.rmtree(runs / "digits" / RUNS[1])
    code, out, err = harness("trend", "digits")
    assert code == 0 and "over 4 runs" in out
    assert f"1 accepted run not here: {RUNS[1]}" in err


def test_the_summary_is_added_to_the_file_with_what_changed_first(harness, runs, tmp_path) -> None:
    file = tmp_path / "summary.md"
    file.write_text("before\n")
    assert harness("trend", "--all", "--summary", str(file))[0] == 0
    text = file.read_text()
    assert text.startswith("before\n### digits: 1 series changed over 10 runs\n")
    assert f"p50 changed since run {SLOWER}: " in text
    first_line = text.split("|--:|---|\n")[1].splitlines()[0]
    assert first_line.startswith("| int8 · tflite-runtime · host | p50 | 10 |") and first_line.endswith(f"{SLOWER} |")


def test_the_page_draws_every_series_the_one_that_changed_first(harness, ten, tmp_path) -> None:
    file = tmp_path / "trend.html"
    assert harness("trend", "--all", "--results", str(ten), "--html", str(file))[0] == 0
    page = file.read_text()
    assert "at most about 0.7 of them would say so" in page
    assert page.index(f">{SLOWER}</td>") < page.index(">no change</td>")
    wide = page[page.index('class="chart wide"') : page.index('class="chart narrow"')]
    assert [wide.count(f"<title>{run}: ") for run in RUNS] == [14] * 10  # of every series
    crosses = wide.split('<g class="c4 dot">')[1:]
    (told,) = [one for one in crosses if "<title>" in one.split("</g>")[0]]
    assert f"<title>{SLOWER}: " in told.split("</g>")[0]


def test_a_metric_that_no_row_has_is_refused(harness, ten) -> None:
    code, _, err = harness("trend", "--all", "--metric", "nothing", "--results", str(ten))
    assert code == 2 and "no row of" in err and "metrics.csv" in err


def test_python_gives_the_same(ten) -> None:
    found = package.trend("digits", ten, every=True, metrics="latency_p50")
    assert found.frame.groupby("run_id").size().eq(len(CASES)).all()
    assert SLOWER in str(found) and SLOWER in found._repr_html_() and SLOWER in found.markdown
    values = found.frame.query("variant == 'int8' and runtime == 'tflite-runtime'")["value"]
    assert np.median(values[6:]) / np.median(values[:6]) == pytest.approx(1.2, rel=0.02)
