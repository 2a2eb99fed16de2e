"""Where one more session would lie, by the stored ones: of the same file, device and way, one a boot and day."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from scipy import stats

from harness.api.shown import Changes
from harness.cli.tables.two_run_tables import two_run_tables
from harness.compare.baseline import compare
from harness.compare.two_runs import compare_runs
from harness.metrics import METRICS
from harness.records import Run
from harness.report.material import Material
from harness.report.words.next_session import next_sessions
from harness.runs import sessions
from harness.runs.loading import load
from harness.runs.sessions import ahead_of, sessions_of
from tests.devices import RECORDED
from tests.made_runs import case
from tests.test_spread import LEVELS, STORED, on_day, session

P50 = METRICS["latency_p50"]
INT8 = case("int8", target=STORED[0].cases[0].target, runtime=STORED[0].cases[0].runtime)


def test_one_more_session_lies_where_scipys_t_says() -> None:
    found = ahead_of(STORED[0], STORED, INT8, P50)
    logs = np.log(LEVELS)
    half = stats.t.ppf(0.975, 4) * logs.std(ddof=1) * np.sqrt(1 + 1 / 5)
    assert found.sessions == 5 and found.limits
    expected = np.exp([logs.mean() - half, logs.mean() + half])
    assert [found.limits.low, found.limits.high] == pytest.approx(expected, rel=2e-3)


def test_of_normal_sessions_one_more_lies_inside_in_95_percent() -> None:
    rng = np.random.default_rng(3)
    draws = rng.normal(size=(4_000, 6))
    found = [sessions.prediction_interval(own[:5]) for own in draws]
    inside = np.mean([ends.low <= own[5] <= ends.high for ends, own in zip(found, draws, strict=True)])
    assert inside == pytest.approx(0.95, abs=0.012)


@pytest.mark.parametrize(
    ("stored", "told"),
    [
        (STORED[:4], "4 sessions of the same file are stored"),
        (STORED[:1], "1 session of the same file is stored"),
        ([on_day(s, "2025-01-01", f"b{n}") for n, s in enumerate(STORED)], "from 5 boots and 1 day"),
        ([on_day(s, f"2025-01-0{n + 1}", "b") for n, s in enumerate(STORED)], "from 1 boot and 5 days"),
    ],
)
def test_too_few_boots_or_days_do_not_tell(stored: Sequence[Run], told: str) -> None:
    found = ahead_of(stored[0], stored, INT8, P50)
    assert found.limits is None and told in found.why


def test_copies_of_one_session_do_not_tell() -> None:
    copies = [session(n + 1, 100.0) for n in range(5)]
    found = ahead_of(copies[0], copies, INT8, P50)
    assert found.limits is None and "copies" in found.why


def test_another_file_is_no_session() -> None:
    other = replace(STORED[4], variants=tuple(replace(v, sha256="f" * 64) for v in STORED[4].variants))
    found = ahead_of(STORED[0], (*STORED[:4], other), INT8, P50)
    assert found.sessions == 4 and found.limits is None


def test_the_report_says_where_the_next_session_lies_or_why_not() -> None:
    known, unknown, unasked = (Material(compare(STORED[0]), sessions=stored) for stored in (STORED, STORED[:2], None))
    (told,) = [text for text in next_sessions(known) if "int8" in text]
    assert "p50 97" in told and "× as fast as float32" in told and "5 sessions" in told
    assert "not known" in next_sessions(unknown)[0] and "under 5 do not tell" in next_sessions(unknown)[0]
    assert next_sessions(unasked) == []


def test_compare_says_where_one_more_session_of_the_reference_lies(monkeypatch: pytest.MonkeyPatch) -> None:
    candidate = session(6, 120.0)
    monkeypatch.setattr("harness.runs.sessions.sessions_of", lambda run: (*STORED, candidate))
    console = Console(width=200, record=True)
    for table in two_run_tables(compare_runs(STORED[0], candidate), console):
        console.print(table)
    text = " ".join(console.export_text().split())
    assert "one more session of the reference would lie −" in text and "by 5 stored ones" in text


@pytest.fixture
def siblings(tmp_path: Path) -> list[Path]:
    """Four copies of a recorded run, the first first. That is older than seals, so each may have an id of its own."""
    paths = []
    for n in range(4):
        path = tmp_path / "digits" / f"2026010{n + 1}-000000-0000"
        shutil.copytree(RECORDED, path)
        about = json.loads((path / "run.json").read_text()) | {"run_id": path.name}
        (path / "run.json").write_text(json.dumps(about))
        paths.append(path)
    return paths


def names_of(found: Sequence[Run]) -> list[str]:
    return [run.path.name for run in found]


def test_of_stored_sessions_only_rounds_are_read(siblings: list[Path]) -> None:
    for folder in siblings[0].glob("raw/*/shard-*"):
        shutil.rmtree(folder)  # what is not there is not read
    run = load(siblings[-1])
    found = sessions_of(run)
    assert names_of(found) == [path.name for path in siblings]
    assert all(len(each.rounds) == len(run.rounds) > 0 for each in found)
    assert [each.shards for each in found[:3]] == [()] * 3
    values = [sessions.typical_of(P50, run.cases[0])(each) for each in found]
    assert values[0] and values == [values[0]] * 4


def test_no_more_sessions_are_read_than_memory_is_for(siblings: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    run = load(siblings[-1])
    monkeypatch.setattr(sessions, "TIMINGS_BYTES", 2 * sessions.timings_bytes(siblings[0]) + 1)
    assert names_of(sessions_of(run)) == [path.name for path in siblings[1:]]  # the newest, and the run itself


def test_a_session_whose_rounds_cannot_be_read_is_none(siblings: list[Path]) -> None:
    next(siblings[1].glob("raw/*/round-*/latencies.npy")).write_bytes(b"")
    run = load(siblings[-1])
    assert names_of(sessions_of(run)) == [siblings[n].name for n in (0, 2, 3)]


def test_the_changes_of_a_program_have_it_as_numbers_and_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    candidate, own = session(6, 120.0), P50
    monkeypatch.setattr("harness.runs.sessions.sessions_of", lambda run: (*STORED, candidate))
    changes = Changes(compare_runs(STORED[0], candidate))
    (row,) = [r for r in changes.rows if (r["variant"], r["metric"]) == ("int8", own.name)]
    limits = ahead_of(STORED[0], STORED, INT8, own).limits
    assert limits and row["next_high"] / row["next_low"] == pytest.approx(limits.high / limits.low)
    assert row["next_low"] < 1 < row["next_high"] and row["next_why"] == ""
    assert any("one more session of the reference would lie −" in note for note in changes.notes)
    others = [r for r in changes.rows if r["metric"] != own.name]
    assert others and {(r["next_low"], r["next_high"], r["next_why"]) for r in others} == {(None, None, "")}
    monkeypatch.setattr("harness.runs.sessions.sessions_of", lambda run: STORED[:2])
    (few,) = [r for r in Changes(compare_runs(STORED[0], candidate)).rows if r["variant"] == "int8" and r["next_why"]]
    assert few["next_low"] is None and "under 5 do not tell" in few["next_why"]


def test_a_run_alone_in_its_folder_is_its_only_session(tmp_path: Path) -> None:
    run = replace(STORED[0], path=tmp_path / "experiment" / STORED[0].run_id)
    assert sessions_of(run) == (run,)
