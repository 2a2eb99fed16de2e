"""Where one more session would lie, by the stored ones: of the same file, device and way, one a boot and day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from scipy import stats

from harness.cli.tables.two_run_tables import two_run_tables
from harness.compare.baseline import compare
from harness.compare.two_runs import compare_runs
from harness.metrics import METRICS
from harness.records import Run
from harness.report.material import Material
from harness.report.words.next_session import next_sessions
from harness.runs import sessions
from harness.runs.sessions import ahead_of, sessions_of
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
    monkeypatch.setattr("harness.report.words.two_run_words.sessions_of", lambda run: (*STORED, candidate))
    console = Console(width=200, record=True)
    for table in two_run_tables(compare_runs(STORED[0], candidate), console):
        console.print(table)
    text = " ".join(console.export_text().split())
    assert "one more session of the reference would lie −" in text and "by 5 stored ones" in text


def test_a_run_alone_in_its_folder_is_its_only_session(tmp_path: Path) -> None:
    run = replace(STORED[0], path=tmp_path / "experiment" / STORED[0].run_id)
    assert sessions_of(run) == (run,)
