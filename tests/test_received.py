"""measure/received.py: what is an answer to a job, at the borders; tests/test_reliability.py has devices that lie."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.errors import StoreError
from harness.measure.received import check_outputs, other_duration, other_outputs, refusal, wrong_number
from harness.records import Job, Round, Shard, Tensor, Timings, Variant
from tests.devices import RECORDED, header
from tests.made_runs import case, shard, timed

CASE = case("int8")
TENSOR = Tensor("scores", "int8", (1, 10), 0.5, 3)
SPEC: dict[str, object] = {"warmup_s": 0.5, "warmup_runs": 10, "min_s": 2.0, "min_runs": 5, "max_runs": 8}
S = 10**9


def job(kind: Any = "latency", outputs: tuple[Tensor, ...] = (TENSOR,), **spec: float) -> Job:
    return Job("a-job", CASE, kind, 0, 1, SPEC | spec, {}, outputs=outputs)


def round_of(ns: Sequence[int], warmed: Sequence[int] = (1, 2, 4, 8), device_s: float = 60.0) -> Round:
    """warmed: how many invokes each timing of the warm-up held."""
    made = timed(CASE, 0, ns)
    warmup = Timings(np.array(warmed), np.full(len(warmed), 1000))
    return replace(made, timings=dict(made.timings) | {"warmup": warmup}, device_ns=int(device_s * S))


@pytest.mark.parametrize("count", [5, 6, 8])
def test_as_many_timings_as_were_asked_for(count: int) -> None:
    assert wrong_number(round_of([1000] * count), job()) == ""


@pytest.mark.parametrize("count", [1, 4, 9, 1000])
def test_fewer_or_more_timings_are_told_with_what_was_asked_for(count: int) -> None:
    told = f"it sent {count:,} timings, where 5 to 8 were asked for"
    assert wrong_number(round_of([1000] * count), job()) == told


def test_the_most_ends_a_round_that_has_not_the_least() -> None:
    assert wrong_number(round_of([1000] * 3), job(max_runs=3)) == ""
    assert wrong_number(round_of([1000] * 2), job(max_runs=3)) != ""


def test_a_round_that_failed_has_no_timings_to_be_held_against_anything() -> None:
    failed = Round(CASE, 0, "failed", ("no memory",))
    assert wrong_number(failed, job()) == other_duration(failed, job()) == other_outputs(failed, (TENSOR,)) == ""


@pytest.mark.parametrize(("warmed", "taken"), [((1, 2, 4, 3), True), ((10,), True), ((1, 2, 4, 2), False), ((), False)])
def test_a_warm_up_counts_its_invokes_and_not_its_timings(warmed: Sequence[int], taken: bool) -> None:
    told = other_duration(round_of([S] * 5, warmed), job())
    assert told == ("" if taken else "it warmed up with fewer than the 10 invokes that were asked for")


def test_without_a_warm_up_none_is_missed_where_none_was_asked_for() -> None:
    assert other_duration(timed(CASE, 0, [S] * 5), job(warmup_runs=0)) == ""
    assert "warmed up" in other_duration(timed(CASE, 0, [S] * 5), job(warmup_runs=1))


@pytest.mark.parametrize(
    ("device_s", "count", "told"),
    [
        (2.5, 5, ""),
        (2.499, 5, "it ran for 2.499 s, where 2.5 s were asked for"),  # the warm-up and the timing
        (0.5, 8, ""),  # the most timings end it early, and its warm-up is still due
        (0.499, 8, "it ran for 0.499 s, where 0.5 s were asked for"),
    ],
)
def test_a_process_ran_as_long_as_the_plan_says(device_s: float, count: int, told: str) -> None:
    made = round_of([1000] * count, device_s=device_s)
    assert other_duration(made, job()) == told.replace("it ran", "its process ran")


def test_a_process_whose_duration_nobody_knows_is_not_held_against_it() -> None:
    """As in runs of before it was noted."""
    assert other_duration(replace(round_of([1000] * 5), device_ns=None), job()) == ""


@pytest.mark.parametrize(
    ("seconds", "taken"),
    [
        ((0.4,) * 5, True),
        ((0.5, 0.5, 0.5, 0.5, 9.0), True),  # the fifth was begun in time
        ((1.0, 1.0, 1.0, 1.0, 1.0), True),  # the least number, however long
        ((0.4, 0.4, 0.4, 0.4, 0.4, 5.0), True),  # at 2.0 s it was not over
        ((0.4, 0.4, 0.4, 0.4, 0.41, 0.1), False),
    ],
)
def test_nothing_is_timed_after_the_plans_seconds_and_runs(seconds: Sequence[float], taken: bool) -> None:
    told = other_duration(round_of([round(each * S) for each in seconds]), job())
    assert told == ("" if taken else "it timed for 2.010 s and then went on, where 2 s were asked for")


# --- outputs ---

ANSWERS = np.zeros((4, 10), np.int8)


def answered(values: np.ndarray = ANSWERS, tensor: Tensor = TENSOR) -> Shard:
    return shard(CASE, values, tensor=tensor)


@pytest.mark.parametrize(
    ("piece", "told"),
    [
        (answered(), ""),
        (answered(ANSWERS[:, :9]), "int8 of shape (9,), and in the file int8 of (10,)"),
        (answered(ANSWERS.astype(np.uint8)), "uint8 of shape (10,), and in the file int8 of (10,)"),
        (answered(tensor=replace(TENSOR, scale=0.25)), "scale and zero point 0.25 and 3, and in the file 0.5 and 3"),
        (answered(tensor=replace(TENSOR, zero_point=4)), "scale and zero point 0.5 and 4, and in the file 0.5 and 3"),
        (replace(answered(), outputs=(ANSWERS, ANSWERS)), "it sent 2 outputs, and the file has 1"),
        (replace(answered(), status="failed", outputs=()), ""),
    ],
)
def test_answers_are_of_the_form_that_the_file_gives(piece: Shard, told: str) -> None:
    found = other_outputs(piece, (TENSOR,))
    assert told in found and bool(told) == bool(found)
    if found and "outputs" not in told:
        assert found.startswith("output scores ")


def test_of_a_file_that_says_nothing_nothing_is_asked() -> None:
    assert other_outputs(answered(ANSWERS[:, :2]), ()) == ""


def test_of_a_round_that_kept_no_answers_none_are_asked_and_others_as_of_a_shard() -> None:
    made = round_of([1000] * 5)
    assert other_outputs(made, (TENSOR,)) == ""
    kept = replace(made, samples=(3, 1), outputs=(ANSWERS[:2, :9],))
    assert "shape (9,)" in other_outputs(kept, (TENSOR,))
    assert other_outputs(replace(kept, outputs=(ANSWERS[:2],)), (TENSOR,)) == ""


def test_stored_answers_that_are_not_the_variants_end_with_who_sent_them() -> None:
    variant = Variant("int8", "int8", Path("int8.tflite"), "0" * 64, 1, outputs=(TENSOR,))
    check_outputs([answered()], [variant])
    check_outputs([answered(ANSWERS[:, :3])], [replace(variant, name="another")])
    with pytest.raises(StoreError, match="what host sent for int8: output scores is") as caught:
        check_outputs([answered(), answered(ANSWERS[:, :3])], [variant])
    assert caught.value.advice == "measure in a new run"


# --- whole folders ---


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(RECORDED / "raw" / "host" / "round-001.int8.ai-edge-litert.t1", tmp_path / "round"))


def test_a_recorded_round_is_an_answer_to_its_plan_and_to_no_longer_one(folder: Path) -> None:
    known = header()
    names = ("warmup_s", "warmup_runs", "min_s", "min_runs", "max_runs")
    plan = {name: getattr(known.plan, name) for name in names}
    assert refusal(folder, job(**plan)) == ""
    assert "timings, where" in refusal(folder, job(**plan | {"min_runs": 10**6, "max_runs": 10**7}))
    assert "its process ran for" in refusal(folder, job(**plan | {"warmup_s": 600.0}))


def test_what_cannot_be_read_is_refused_in_one_line(folder: Path) -> None:
    state = json.loads((folder / "state.json").read_text())
    (folder / "state.json").write_text(json.dumps(state | {"device_ns": "long\n"}))
    told = refusal(folder, job())
    assert told.startswith("what it sent cannot be read: ") and "\n" not in told
