"""two_stage.py and the formulas under it: how many rounds a precision takes, and that intervals keep their level."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.compare.baseline import compare
from harness.compare.rows import rows
from harness.device import protocol
from harness.errors import ConfigError, TargetUnreachable
from harness.experiment.plans import PLANS, adjust, precision_of
from harness.measure.connections.replay import Replay
from harness.measure.jobs import Work, job_id, measure
from harness.metrics.latency import pair_rounds
from harness.metrics.two_stage import rounds_planned, rounds_wanted
from harness.metrics.typical import TwoSessions, Typical
from harness.records import Comparison, Job, Plan, Round, Target
from harness.report.words.precision import precision
from harness.runs.loading import load
from harness.statistics import stats
from tests.devices import RECORDED, Quiet, copy_of_recording, recorded_work
from tests.made_runs import case, timed

ONE_PERCENT = math.log(1.01)
FIRST = 10
NARROW = replace(PLANS["standard"], precision=0.01, max_rounds=60)


# --- the formulas --------------------------------------------------------------------------------------------------


def with_sd(sd: float, rounds: int = FIRST) -> np.ndarray:
    """Values of exactly this sd."""
    values = np.random.default_rng(5).normal(size=rounds)
    return (values - values.mean()) / values.std(ddof=1) * sd


def test_the_number_of_rounds_is_steins() -> None:
    """t of 9 degrees of freedom at 97.5 % is 2.262157 in any table: (2.262157 × .03 / ln 1.01)² = 46.5."""
    assert stats.rounds_for(with_sd(0.03), ONE_PERCENT) == 47
    assert stats.rounds_for(with_sd(0.01), ONE_PERCENT) == FIRST  # 5.2, and ten are there


def test_the_half_width_is_of_the_first_rounds_sd() -> None:
    values = np.concatenate([with_sd(0.03), with_sd(0.02, 37)])
    expected = 2.262157 * 0.03 / math.sqrt(47)
    assert stats.half_width(values, first=FIRST) == pytest.approx(expected, rel=1e-6)
    assert expected < ONE_PERCENT


def test_without_two_rounds_of_the_first_stage_there_are_no_limits() -> None:
    early, late = {n: 10.0 + n for n in range(6)}, {n: 10.0 + n % 3 for n in range(5, 12)}
    assert pair_rounds(early | late, late, first_stage=6) is None
    assert Typical.of([1.0, 2.0, 3.0], first=1).limits() is None
    assert TwoSessions(Typical.of([1.0, 2.0, 3.0], first=0), Typical.of([1.0, 2.0])).limits() is None


def test_later_rounds_that_show_what_the_first_did_not_widen_the_interval() -> None:
    values = np.concatenate([with_sd(0.001), np.tile([0.0, 0.08], 20)])
    assert stats.round_sd(values, FIRST) == (pytest.approx(values.std(ddof=1)), FIRST - 1)
    moved = np.concatenate([with_sd(0.001), np.full(40, 0.05)])  # a step between the stages
    assert stats.round_sd(moved, FIRST)[0] == pytest.approx(moved.std(ddof=1))


@pytest.mark.parametrize(("first", "sd"), [(6, 0.02), (10, 0.02)])
def test_the_interval_keeps_its_level(first: int, sd: float) -> None:
    """Two rows share a float32, and the rounds that the wider one needs. 4,000 runs: 5 % ± .7 pp twice over."""
    rng, runs = np.random.default_rng(13), 4_000
    missed = np.zeros(2)
    for _ in range(runs):
        float32, *own = rng.normal(0, [[sd * 0.8], [sd * 0.6], [sd * 0.3]], (3, 200))
        rows = [float32 - each for each in own]
        rounds = min(200, max(stats.rounds_for(row[:first], ONE_PERCENT) for row in rows))
        means = np.abs([row[:rounds].mean() for row in rows])
        missed += means > [stats.half_width(row[:rounds], first=first) for row in rows]
    assert (abs(missed / runs - 0.05) < 0.0105).all()


# --- how many rounds a target is timed in --------------------------------------------------------------------------


def first_stage(**sds: float) -> list[Round]:
    """Ten rounds of each variant, whose ratios to float32 have these sds; float32 itself drifts by 30 %."""
    drift = np.linspace(0, 0.3, FIRST)
    logs = {"float32": drift} | {name: drift + with_sd(sd) for name, sd in sds.items()}
    return [timed(case(name), n, [round(1e8 * math.exp(log[n]))]) for name, log in logs.items() for n in range(FIRST)]


def test_the_widest_ratio_says_how_many_rounds_all_are_timed_in() -> None:
    rounds = first_stage(int8=0.03, float16=0.015)
    assert rounds_planned(NARROW, rounds) == 47
    assert rounds_planned(replace(NARROW, precision=None), rounds) == FIRST
    assert rounds_planned(NARROW, first_stage(int8=0.005)) == FIRST


def test_no_more_than_the_most_are_timed_and_none_where_nothing_is_claimed() -> None:
    rounds = first_stage(int8=0.1)
    assert (rounds_planned(NARROW, rounds), rounds_wanted(NARROW, rounds)) == (60, 517)
    assert rounds_planned(NARROW, rounds, emulated=True) == FIRST


def test_later_rounds_and_those_that_do_not_count_change_nothing() -> None:
    rounds = first_stage(int8=0.03)
    later = [timed(case(name), n, [n]) for name in ("float32", "int8") for n in range(FIRST, 47)]
    unsteady = replace(rounds[0], status="repeated", timings=timed(case(), 0, [1]).timings)
    assert rounds_planned(NARROW, [unsteady, *rounds, *later]) == 47


def test_without_float32_the_rows_own_medians_count() -> None:
    alone = [r for r in first_stage(int8=0.001) if r.case.variant == "int8"]  # which drift by 30 %
    assert rounds_planned(NARROW, alone) == 60


def test_a_candidate_is_held_against_the_reference_beside_it() -> None:
    names = {"float32": "int8@reference", "int8": "int8@candidate"}
    rounds = [replace(r, case=case(names[r.case.variant])) for r in first_stage(int8=0.03)]
    assert rounds_planned(NARROW, rounds) == 47


# --- a run ---------------------------------------------------------------------------------------------------------


class Uneven(Replay):
    """The recorded device, whose int8 processes on one runtime lie apart by a made amount; it may fall silent."""

    def __init__(self, sd: float, jobs_until_lost: int = 9_999, later: float = 1.0) -> None:
        super().__init__(Target("host", "replay", host=str(RECORDED / "raw" / "host")), "a-run")
        self.sd, self.left, self.asked = sd, jobs_until_lost, 0
        self.later = later  # times as far apart, after the first stage

    def answers(self, job: Job) -> bool:
        return job.kind != "audit"

    def run(self, job: Job, on_progress: Any) -> None:
        if self.asked == self.left:
            raise TargetUnreachable("the link broke")
        self.asked += 1

    def fetch(self, job: Job, folder: Path) -> None:
        recorded = replace(job, id=job_id(job.case, job.kind, 0), attempt=0)
        super().fetch(recorded, folder)
        if job.kind == "latency" and (job.case.variant, job.case.runtime) == ("int8", "tflite-runtime"):
            path = folder / protocol.TIMINGS
            rows = np.load(path)
            sd = self.sd * (self.later if job.first >= 6 else 1.0)
            rows["ns"] = rows["ns"] * math.exp(sd * np.random.default_rng(job.first).normal())
            np.save(path, rows)


def narrow_work(most: int = 60) -> Work:
    known = recorded_work()
    return replace(known, plan=replace(known.plan, rounds=6, precision=0.01, max_rounds=most))


def measured(device: Uneven, path: Path, work: Work) -> list[Round]:
    pieces = list(measure(work, device, path / "raw" / "host", Quiet()))
    return [piece for piece in pieces if isinstance(piece, Round)]


def stored(results: Path, work: Work) -> Path:
    """The recorded run with this plan and nothing measured yet."""
    path = copy_of_recording(results)
    shutil.rmtree(path / "raw")
    content = json.loads((path / "run.json").read_text())
    content["plan"] |= {"rounds": 6, "precision": 0.01, "max_rounds": work.plan.max_rounds}
    (path / "run.json").write_text(json.dumps(content))
    return path


def indices(rounds: list[Round]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for round_ in rounds:
        found.setdefault(f"{round_.case.variant} {round_.case.runtime}", []).append(round_.index)
    return found


def speedup_limits(comparison: Comparison) -> tuple[float, float]:
    """The limits of the uneven row's ratio."""
    (change,) = (
        c
        for c in comparison.changes
        if (c.metric, c.case.variant, c.case.runtime) == ("speedup_vs_float32", "int8", "tflite-runtime")
    )
    assert change.low and change.high
    return change.low, change.high


def test_every_row_is_timed_in_the_rounds_that_one_row_needs(tmp_path: Path) -> None:
    work = narrow_work()
    path = stored(tmp_path, work)
    rounds = measured(Uneven(0.015), path, work)
    needed = rounds_planned(work.plan, rounds)
    assert 6 < needed < 60
    assert [sorted(own) for own in indices(rounds).values()] == [list(range(needed))] * 4
    orders = {tuple(r.case for r in rounds[n : n + 4]) for n in range(24, len(rounds), 4)}
    assert len(orders) > 1 and all(len(set(order)) == 4 for order in orders)  # shuffled, and each round holds every row
    comparison = compare(load(path))
    low, high = speedup_limits(comparison)
    assert math.log(high / low) / 2 <= ONE_PERCENT
    methods = {c.method for c in comparison.changes if c.metric == "speedup_vs_float32" and c.case.variant == "int8"}
    assert methods == {f"95 %, t on log ratios of {needed} paired rounds, in two stages (Stein), the first of 6"}
    told = precision(comparison, rows(comparison))[0]
    assert told.startswith(
        f"By the spread of the first 6 rounds on host, {needed} were to bring every ratio within ± 1.00 %, "
    )
    assert {s.status for s in comparison.standings} == {"ok"}


def test_a_run_that_stopped_in_its_second_stage_goes_on_to_the_same_rounds(tmp_path: Path) -> None:
    work = narrow_work()
    whole = measured(Uneven(0.015), stored(tmp_path / "whole", work), work)
    path = stored(tmp_path / "broken", work)
    with pytest.raises(TargetUnreachable):
        measured(Uneven(0.015, jobs_until_lost=4 + 24 + 5), path, work)
    reasons = {s.reason for s in compare(load(path)).standings}
    assert reasons == {f"{n} of {len(whole) // 4} rounds were measured; resume the run" for n in (7, 8)}
    device = Uneven(0.015)
    resumed = measured(device, path, work)
    assert device.asked == len(whole) - 24 - 5
    assert [(r.case, r.index, r.median_ns) for r in resumed] == [(r.case, r.index, r.median_ns) for r in whole]


def test_a_run_ends_at_the_most_rounds_and_says_what_was_reached(tmp_path: Path) -> None:
    work = narrow_work(most=9)
    path = stored(tmp_path, work)
    rounds = measured(Uneven(0.1), path, work)
    assert len(rounds) == 9 * 4
    comparison = compare(load(path))
    assert {s.status for s in comparison.standings} == {"ok"}
    low, high = speedup_limits(comparison)
    told, apart = precision(comparison, rows(comparison))
    assert told == (
        f"By the spread of the first 6 rounds on host, {rounds_wanted(work.plan, rounds):,} bring every ratio within "
        f"± 1.00 %; the most are 9, which left ± {100 * (math.sqrt(high / low) - 1):.2g} % at most "
        "(int8 with tflite-runtime)."
    )
    ns = [r.median_ns for r in rounds if (r.case.variant, r.case.runtime) == ("int8", "tflite-runtime")]
    assert f"int8 with tflite-runtime by {100 * math.expm1(np.log(ns).std(ddof=1)):.2g} %" in apart


def test_a_second_stage_that_is_louder_than_the_first_is_wider_and_says_so(tmp_path: Path) -> None:
    work = narrow_work()
    path = stored(tmp_path, work)
    measured(Uneven(0.015, later=20), path, work)
    comparison = compare(load(path))
    low, high = speedup_limits(comparison)
    assert math.log(high / low) / 2 > 5 * ONE_PERCENT
    assert "Where the further ones lie clearly farther apart" in precision(comparison, rows(comparison))[0]


def test_a_device_whose_rounds_are_alike_is_timed_in_the_plans_rounds(tmp_path: Path) -> None:
    device, quiet = Uneven(0.001), Quiet()
    list(measure(narrow_work(), device, tmp_path, quiet))
    assert quiet.begun == ("host", 4, 24)
    assert device.asked == 4 + 24


# --- what a user writes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "share"), [("1%", 0.01), (" .5 % ", 0.005), ("12.5%", 0.125)])
def test_a_precision_is_a_percentage(text: str, share: float) -> None:
    assert precision_of(text) == pytest.approx(share)


@pytest.mark.parametrize("text", ["1", "0.01", "0%", "60%", "-1%", "nan%", "1%%", ""])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="precision"):
        precision_of(text)


def test_a_first_stage_has_six_rounds_or_more() -> None:
    assert adjust(PLANS["quick"], precision=0.01).rounds == 6
    assert adjust(PLANS["standard"], precision=0.01).rounds == 10
    with pytest.raises(ConfigError, match="3 rounds"):
        adjust(PLANS["standard"], precision=0.01, rounds=3)
    with pytest.raises(ConfigError, match="plan none"):
        adjust(PLANS["none"], precision=0.01)


def test_a_plan_without_a_precision_has_one_stage() -> None:
    assert Plan("x", 10, 1, 0.0).first_stage is None
