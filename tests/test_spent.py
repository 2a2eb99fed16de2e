"""runs/spent.py: what the time of a run went to."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from harness.records import Audit, Case, Round, Shard, Timings
from harness.report.tables.facts import time_words
from harness.runs.spent import FILE, PARTS, Spent, Stopwatch, read_spent

CASE = Case("int8", "host", "ai-edge-litert", 1)
ROUND = Round(CASE, 0, timings={"warmup": Timings.of([3e8], 64), "timed": Timings.of([2e8, 4e8])}, waited_s=0.25)


def test_a_round_is_split_into_what_its_process_did(tmp_path: Path) -> None:
    watch = Stopwatch(tmp_path)
    watch.ran(ROUND, 2.0)
    watch.save()
    spent = read_spent(tmp_path)
    assert spent == Spent(warmup_s=0.3, timing_s=0.6, cooling_s=0.25, starting_s=0.85)
    assert spent.total_s == pytest.approx(2.0) and spent.share_beside == pytest.approx(1 - 0.9 / 2)


@pytest.mark.parametrize("piece", [Shard(CASE, 0, 9, answering_ns=10**9), Audit(CASE, (1, 2), answering_ns=10**9)])
def test_answers_are_inference_and_the_rest_is_the_start(tmp_path: Path, piece: Shard | Audit) -> None:
    watch = Stopwatch(tmp_path)
    watch.ran(piece, 1.5)
    assert (watch.seconds["inference_s"], watch.seconds["starting_s"]) == (1.0, 0.5)


def test_what_was_timed_for_longer_than_it_took_was_replayed(tmp_path: Path) -> None:
    watch = Stopwatch(tmp_path)
    watch.ran(ROUND, 0.1)
    assert watch.seconds["starting_s"] == 0.1 and not watch.seconds["timing_s"]


def test_what_is_given_to_one_part_is_not_given_to_another_round_it(tmp_path: Path) -> None:
    watch, begin = Stopwatch(tmp_path), time.monotonic()
    with watch.on("keeping_s"):
        with watch.on("sending_s"):
            time.sleep(0.05)
        watch.ran(ROUND, 1000.0)
        time.sleep(0.01)
    assert watch.seconds["sending_s"] >= 0.05
    assert watch.seconds["keeping_s"] == 0.0  # more was given away within it than it took
    with watch.on("keeping_s"), watch.on("sending_s"):
        time.sleep(0.05)
    assert watch.seconds["sending_s"] + watch.seconds["keeping_s"] <= time.monotonic() - begin


def test_a_run_that_goes_on_adds_to_what_it_took(tmp_path: Path) -> None:
    for _ in range(2):
        watch = Stopwatch(tmp_path)
        watch.ran(ROUND, 2.0)
        watch.save()
    assert read_spent(tmp_path).timing_s == pytest.approx(1.2)


@pytest.mark.parametrize("text", ["", "[]", '{"timing_s": -1}', '{"timing_s": NaN}', '{"timing_s": "much"}'])
def test_a_file_that_says_nothing_is_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    assert read_spent(tmp_path) is None
    assert Stopwatch(tmp_path).total_s == 0


def test_the_file_names_every_part(tmp_path: Path) -> None:
    Stopwatch(tmp_path).save()
    assert json.loads((tmp_path / FILE).read_text()) == dict.fromkeys(PARTS, 0.0)


def test_the_report_says_what_took_most_first() -> None:
    spent = Spent(building_s=10, warmup_s=20, timing_s=50, inference_s=5, starting_s=20, sending_s=0.01, report_s=5)
    told = "timing 50.0, warm-up 20.0, starting processes 20.0, building 10.0, report 5.0, inference 5.0"
    assert time_words(spent) == (f"110.0 s: {told}; 25 % beside building went to no warm-up, timing or inference")
    assert time_words(Spent(inference_s=2)) == "2.0 s: inference 2.0"
