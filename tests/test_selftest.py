"""harness aa: the statistics on rounds with known answers, going on after an interrupt, and a small study for real."""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest
from typer.testing import CliRunner

from harness.cli import app
from harness.cli import command_aa as command
from harness.device import job as device_job
from harness.errors import ConfigError, JobFailed, StoreError, TargetError, TargetUnreachable
from harness.measure.connections.replay import Replay
from harness.measure.jobs import LATENCY_SAMPLES
from harness.measure.raw import read_piece
from harness.measure.selftest import AaResult, Asked, Pairs, Record, Study, begin, conclude, go_on, latest_for, reopen
from harness.measure.selftest.aa_study import comparisons, rounds_wanted
from harness.records import Environment, Job, Round, Target, Variant
from harness.statistics import stats
from tests.devices import (
    RECORDED,
    RUNTIMES,
    Quiet,
    device_source,
    job_spec,
    lay_job,
    recorded_work,
    run_job,
    stored_inputs,
    zipapp,
)

SERIAL = "5e" * 32
ENVIRONMENT = Environment(serial_sha256=SERIAL, board="a board", runtimes={"ai-edge-litert": "2.3.0"})
MODEL = next(v for v in recorded_work().variants if v.name == "float32")
TARGET = Target("desk")
ASKED = Asked(comparisons=3, rounds=6, min_s=0.005, warmup_s=0.005)
TEMPLATE = RECORDED / "raw" / "host" / "round-000.float32.ai-edge-litert.t1"


def study(measured: tuple[Pairs, ...], comparisons: int, **changes: Any) -> Study:
    made = Study(
        "20260101-120000-aaaa", "2026-01-01T12:00:00+00:00", "0.1.0", "desk", "a board", SERIAL, "float32", "f" * 64,
        "ai-edge-litert", "2.3.0", 1, Asked(comparisons, 10), measured,
    )  # fmt: skip
    return replace(made, **changes)


def simulated(comparisons: int, seed: int = 1, sd: float = 0.01, slowed: float = 1.05) -> Study:
    """Rounds of A and B from one distribution: each round a drift of its own, each process an offset of its own."""
    random = np.random.default_rng(seed)
    drift = random.normal(0, 0.05, (comparisons + 1, 10, 1))
    ns = 7000 * np.exp(drift + random.normal(0, sd, (comparisons + 1, 10, 2)))
    ns[-1, :, 1] = slowed * ns[-1, :, 1]
    pairs = tuple(Pairs(tuple(a), tuple(b)) for a, b in zip(ns[..., 0].tolist(), ns[..., 1].tolist(), strict=True))
    return study(pairs, comparisons)


# --- statistics ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("k", "n"), [(0, 1), (1, 1), (0, 10), (10, 10), (3, 10), (8, 200), (16, 200), (198, 200)])
@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_clopper_pearson_equals_scipys_exact_interval(k: int, n: int, confidence: float) -> None:
    known = binomtest(k, n).proportion_ci(confidence, "exact")
    found = stats.clopper_pearson(k, n, confidence)
    assert (found.low, found.high) == pytest.approx((known.low, known.high), abs=1e-12)


def test_clopper_pearson_gives_published_limits() -> None:
    """Agresti & Coull (The American Statistician 52, 1998): 0 of 10 to .308; and the rule of three at 0 of n."""
    assert round(stats.clopper_pearson(0, 10).high, 4) == 0.3085
    assert stats.clopper_pearson(0, 1000, 0.90).high == pytest.approx(3 / 1000, rel=5e-3)
    assert stats.clopper_pearson(0, 5).low == 0 and stats.clopper_pearson(5, 5).high == 1


@pytest.mark.parametrize(("k", "n"), [(-1, 5), (6, 5), (0, 0)])
def test_impossible_counts_are_refused(k: int, n: int) -> None:
    with pytest.raises(ValueError, match="impossible"):
        stats.clopper_pearson(k, n)


def test_rounds_that_differ_in_nothing_give_false_alarms_as_often_as_promised() -> None:
    found = conclude(simulated(4000))
    assert found.comparisons == 4000 and found.false_alarms == round(4000 * found.rate)
    assert 0.04 < found.rate < 0.06
    assert found.low < 0.05 < found.high
    assert found.good


def test_the_half_width_is_that_of_t_on_logarithms() -> None:
    """t₉ · √2 · 1 % / √10 = 1.01 %: drift that both share does not count."""
    assert conclude(simulated(4000)).half_width == pytest.approx(0.0101, rel=0.05)


def test_a_larger_slow_down_is_found_more_often() -> None:
    found = conclude(simulated(2000, sd=0.02)).detection
    assert list(found) == ["2", "5", "10"]
    assert 0.4 < found["2"] < found["5"] < found["10"] <= 1
    assert found["10"] > 0.99


def test_a_sure_difference_between_a_and_b_is_an_alarm_in_every_comparison() -> None:
    honest = simulated(50)
    biased = replace(
        honest, measured=tuple(replace(p, b_ns=tuple(1.03 * ns for ns in p.b_ns)) for p in honest.measured)
    )
    found = conclude(biased)
    assert found.rate > 0.9 and not found.good


def test_the_slowed_comparison_is_no_false_alarm() -> None:
    found = conclude(simulated(20, sd=0.001, slowed=1.05))
    assert found.confirmed and found.confirmed.low > 1.04 and found.found
    assert found.comparisons == 20


def test_a_harness_that_misses_a_real_slow_down_is_not_good() -> None:
    found = conclude(simulated(20, slowed=1.0))
    assert not found.found and not found.good


def test_what_was_measured_so_far_can_be_concluded_from_and_nothing_cannot() -> None:
    whole = simulated(20)
    found = conclude(replace(whole, measured=whole.measured[:7]))
    assert (found.comparisons, found.confirmed, found.found) == (7, None, False)
    with pytest.raises(StoreError):
        conclude(replace(whole, measured=()))


def test_a_comparison_that_lost_its_rounds_does_not_count() -> None:
    whole = simulated(5)
    lost = (Pairs((7000.0,), (7000.0,), repeated=30), *whole.measured[1:])
    found = conclude(replace(whole, measured=lost))
    assert (found.comparisons, found.repeated) == (4, 30)


# --- a study on a device that is made up ---------------------------------------------------------------------------


class Device(Replay):
    """Answers every round with a recorded one, its timings scaled by a factor that only the job decides.

    invalid: job ids (a regular expression) of which every attempt finds the device throttled.
    """

    def __init__(self, jobs_until_lost: int = 10**6, invalid: str = "nothing", status: str = "ok") -> None:
        self.environment, self.bytes_sent = ENVIRONMENT, {}
        self.left, self.invalid, self.status = jobs_until_lost, invalid, status
        self.asked: list[Job] = []

    def run(self, job: Job, on_progress: Any) -> None:
        if not self.left:
            raise TargetUnreachable("the link broke")
        self.left -= 1
        self.asked.append(job)

    def fetch(self, job: Job, folder: Path) -> None:
        for path in TEMPLATE.iterdir():
            (folder / path.name).write_bytes(path.read_bytes())
        rows = np.load(folder / "latencies.npy")
        rows["ns"] = rows["ns"] * self.factor(job)
        np.save(folder / "latencies.npy", rows)
        told = json.loads((folder / "result.json").read_text())
        (folder / "result.json").write_text(json.dumps(told | {"slowed": job.spec.get("slowdown")}))
        state = json.loads((folder / "state.json").read_text())
        state["after"]["throttled"] = "0x4" if re.search(self.invalid, job.id) else None
        (folder / "state.json").write_text(json.dumps(state))
        if self.status != "ok":
            (folder / "result.json").write_text(json.dumps({"status": self.status, "error": "no kernel"}))

    def factor(self, job: Job) -> float:
        seed = int(hashlib.sha256(job.id.encode()).hexdigest()[:8], 16)
        slowdown = job.spec.get("slowdown", 0.0)
        assert isinstance(slowdown, float)
        return float(np.exp(np.random.default_rng(seed).normal(0, 0.01)) * (1 + slowdown))


def start(results: Path, **changes: Any) -> Record:
    given: dict[str, Any] = {"runtime": None, "asked": ASKED, "variant": MODEL} | changes
    path = results / "aa" / "desk" / given.pop("study_id", "20260101-120000-aaaa")
    return begin(path, TARGET, ENVIRONMENT, given["variant"], given["runtime"], given["asked"])


def carried_out(record: Record, device: Device) -> AaResult:
    return go_on(record, TARGET, recorded_work().dataset, device, Quiet())


def test_no_two_comparisons_share_a_round_and_each_round_holds_a_and_b(tmp_path: Path) -> None:
    groups = comparisons(start(tmp_path), TARGET, recorded_work().dataset)
    assert [len(group) for group in groups] == [12] * 4
    assert len({job.id for group in groups for job in group}) == 48
    for number, group in enumerate(groups):
        rounds = [[job for job in group if job.first == n] for n in range(6 * number, 6 * number + 6)]
        assert all({job.case.variant for job in pair} == {"A", "B"} and len(pair) == 2 for pair in rounds)
    firsts = [job.case.variant for group in groups for job in group[::2]]
    assert 4 < firsts.count("A") < 20  # shuffled inside each round


def test_a_and_b_are_the_same_bytes_and_are_asked_the_same(tmp_path: Path) -> None:
    groups = comparisons(start(tmp_path), TARGET, recorded_work().dataset)
    honest = [job for group in groups[:-1] for job in group]
    assert len({job.blobs["model.tflite"].sha256 for job in honest}) == 1
    assert len({json.dumps(job.spec) for job in honest}) == 1
    assert honest[0].last == LATENCY_SAMPLES


def test_only_b_of_the_last_rounds_is_really_slowed(tmp_path: Path) -> None:
    groups = comparisons(start(tmp_path), TARGET, recorded_work().dataset)
    told = [(n, job.case.variant, job.spec.get("slowdown")) for n, group in enumerate(groups) for job in group]
    assert {one for one in told if one[2] is not None} == {(3, "B", 0.05)}
    assert [job.spec.get("slowdown") for job in groups[3] if job.case.variant == "A"] == [None] * 6


def test_the_seed_decides_the_order(tmp_path: Path) -> None:
    def order(seed: int, name: str) -> list[str]:
        record = start(tmp_path, asked=replace(ASKED, seed=seed), study_id=name)
        return [job.id for group in comparisons(record, TARGET, recorded_work().dataset) for job in group]

    assert order(1, "a") == order(1, "b") != order(2, "c")


def test_a_study_that_was_interrupted_goes_on_to_the_same_result(tmp_path: Path) -> None:
    whole = carried_out(start(tmp_path / "whole"), Device())
    lost, later = Device(jobs_until_lost=17), Device()
    with pytest.raises(TargetUnreachable):
        carried_out(start(tmp_path / "broken"), lost)
    assert not (tmp_path / "broken" / "aa" / "desk" / "aa.json").exists()  # an older result would still stand
    record = reopen(tmp_path / "broken", TARGET)
    assert len(record.study.measured) == 1
    assert replace(carried_out(record, later), date=whole.date) == whole
    assert len(lost.asked) == 17 and len(later.asked) == 48 - 17  # nothing is measured twice
    assert whole.comparisons == 3 and whole.confirmed and whole.found and whole.slowed == pytest.approx(0.05)


def test_every_round_is_kept_as_it_came(tmp_path: Path) -> None:
    record = start(tmp_path)
    carried_out(record, Device())
    assert sorted(path.name for path in (record.path / "raw").iterdir()) == [f"{n:03d}.zip" for n in range(4)]
    with zipfile.ZipFile(record.path / "raw" / "002.zip") as archive:
        archive.extractall(tmp_path / "again")
    pieces = [read_piece(folder) for folder in sorted((tmp_path / "again").iterdir())]
    timed = [p.timings["timed"] for p in pieces if isinstance(p, Round)]
    assert [(p.case.variant, p.index) for p in pieces if isinstance(p, Round)] == [
        (name, n) for n in range(12, 18) for name in "AB"
    ]
    medians = [float(np.median(timings.ns / timings.count)) for timings in timed]
    assert tuple(medians[::2]) == record.study.measured[2].a_ns
    assert tuple(medians[1::2]) == record.study.measured[2].b_ns
    assert (record.path / "model.tflite").read_bytes() == MODEL.path.read_bytes()


def test_an_invalid_round_is_measured_again_and_a_hopeless_one_takes_its_partner_along(tmp_path: Path) -> None:
    once, always = start(tmp_path / "once"), start(tmp_path / "always")
    found = carried_out(once, Device(invalid=r"^round-008\.B"))
    assert found.repeated == 1 and len(once.study.measured[1].a_ns) == 6
    found = carried_out(always, Device(invalid=r"^round-008(-again.)?\.B"))
    assert found.repeated == 3
    assert len(always.study.measured[1].a_ns) == len(always.study.measured[1].b_ns) == 5


def test_a_model_that_cannot_run_ends_the_study(tmp_path: Path) -> None:
    with pytest.raises(JobFailed, match="no kernel"):
        carried_out(start(tmp_path), Device(status="failed"))


def test_the_targets_first_runtime_that_is_there_is_taken(tmp_path: Path) -> None:
    assert start(tmp_path).study.runtime == "ai-edge-litert"
    with pytest.raises(ConfigError, match="tflite-runtime"):
        start(tmp_path, runtime="tflite-runtime")
    with pytest.raises(ConfigError, match="at all"):
        begin(tmp_path / "x", TARGET, Environment(), MODEL, None, ASKED)
    with pytest.raises(ConfigError, match="no converter"):
        start(tmp_path, variant=Variant("int8", "int8", status="failed", reason="no converter"))


def test_a_study_does_not_go_on_on_another_device_or_runtime(tmp_path: Path) -> None:
    for changes in ({"serial_sha256": "other"}, {"runtimes": {"ai-edge-litert": "2.4.0"}}):
        device = Device()
        device.environment = replace(ENVIRONMENT, **changes)
        record = start(tmp_path, study_id=next(iter(changes)))
        with pytest.raises(TargetError, match="is not what this study began on") as caught:
            carried_out(record, device)
        assert caught.value.exit_code == 3


def test_only_an_unfinished_study_can_be_gone_on_with(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no unfinished"):
        reopen(tmp_path, TARGET)
    carried_out(start(tmp_path), Device())
    with pytest.raises(StoreError, match="no unfinished"):
        reopen(tmp_path, TARGET)


# --- what later reports find ---------------------------------------------------------------------------------------


def test_the_newest_result_on_the_same_device_is_found(tmp_path: Path) -> None:
    for name, date, serial in (
        ("old", "2026-01-01", SERIAL),
        ("new", "2026-02-01", SERIAL),
        ("other", "2026-03-01", "x"),
    ):
        (tmp_path / "aa" / name).mkdir(parents=True)
        result = replace(conclude(simulated(20)), date=date, serial_sha256=serial, target=name)
        (tmp_path / "aa" / name / "aa.json").write_text(json.dumps(asdict(result)))
    (tmp_path / "aa" / "broken").mkdir()
    (tmp_path / "aa" / "broken" / "aa.json").write_text("{")
    found = latest_for(tmp_path, ENVIRONMENT)
    assert found == replace(conclude(simulated(20)), date="2026-02-01", target="new")
    assert latest_for(tmp_path, Environment(serial_sha256="unseen")) is None


def test_an_unknown_serial_matches_nothing(tmp_path: Path) -> None:
    (tmp_path / "aa" / "x").mkdir(parents=True)
    result = replace(conclude(simulated(20)), serial_sha256=None)
    (tmp_path / "aa" / "x" / "aa.json").write_text(json.dumps(asdict(result)))
    assert latest_for(tmp_path, Environment()) is None


# --- for real ------------------------------------------------------------------------------------------------------


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, own_lock: Path) -> list[str]:
    """The command on the recorded model: 2 comparisons of 6 rounds of 5 ms, no TensorFlow."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(command, "built", lambda name, progress: MODEL)
    return ["aa", "--comparisons", "2", "--rounds", "6", "--min-s", "0.005", "--results", str(tmp_path / "results")]


def test_the_command_measures_and_tells_it_as_json(small: list[str], tmp_path: Path) -> None:
    done = CliRunner().invoke(app, [*small, "--json"])
    found = json.loads(done.stdout)
    assert found["comparisons"] == 2 and found["false_alarms"] in (0, 1, 2)
    assert set(found["detection"]) == {"2", "5", "10"} and all(0 <= share <= 1 for share in found["detection"].values())
    assert 0 < found["half_width"] < 1
    assert found["runtime"] in RUNTIMES and found["rounds"] == 6 and found["min_s"] == 0.005
    assert json.loads((tmp_path / "results" / "aa" / "host" / "aa.json").read_text()) == found
    known = Environment(serial_sha256=found["serial_sha256"])
    kept = latest_for(tmp_path / "results", known)
    assert kept is not None and json.loads(json.dumps(asdict(kept))) == found
    assert done.exit_code == (not kept.good), done.output


def test_the_command_tells_it_in_words(small: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    result = replace(conclude(simulated(20)), target="host", slowed=0.0503)
    monkeypatch.setattr(command, "measure", lambda *_: result)
    done = CliRunner().invoke(app, small)
    assert f"raises a false alarm in {result.false_alarms} of 20 comparisons" in done.stdout
    assert "half-width" in done.stdout and "really slowed by 5 %, as measured 5.03 %" in " ".join(done.stdout.split())
    assert max(map(len, done.stdout.splitlines()[:-1])) <= 80


@pytest.mark.parametrize("pattern", ["int8*", "nothing"])
def test_one_variant_is_asked_for(tmp_path: Path, pattern: str) -> None:
    done = CliRunner().invoke(app, ["aa", "-v", pattern, "--results", str(tmp_path)])
    assert isinstance(done.exception, ConfigError)


def test_nothing_to_resume_is_two_lines_of_help(small: list[str]) -> None:
    done = CliRunner().invoke(app, [*small, "--resume"])
    assert isinstance(done.exception, StoreError)


def test_a_slow_down_is_real_time_on_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0

    def clock() -> int:
        nonlocal now
        now += 40
        return now

    def invoke() -> None:
        nonlocal now
        now += 10_000

    monkeypatch.setattr(device_job, "time", SimpleNamespace(perf_counter_ns=clock))
    model = SimpleNamespace(
        interpreter=SimpleNamespace(invoke=invoke), set=lambda fed: None, clear_for=lambda fed: None
    )

    def timings(count: int, **spec: float) -> set[int]:
        rows: list[tuple[str, int, int]] = []
        log = SimpleNamespace(add=lambda *row: rows.append(row))
        asked = {"min_s": 0.0, "min_runs": 20, "max_runs": 20} | spec
        device_job.time_invokes(model, asked, [None], count, log)
        assert {row[2] for row in rows} == {count}
        return {row[1] for row in rows}

    assert timings(1) == {10_040}
    assert timings(3) == {30_040}
    slow = timings(1, slowdown=0.05)
    assert max(slow) < 10_040 * 1.05 + 40  # never more than one reading of the clock too long


@pytest.mark.parametrize("interrupted", [False, True])
def test_a_slow_down_is_what_it_says_also_of_short_invokes(monkeypatch: pytest.MonkeyPatch, interrupted: bool) -> None:
    """5 % of 4 µs is three readings of this clock: each wait once came out half a reading too long, and more. A wait in
    which the system took 5 ms does not end the slowing of the next thousands.
    """
    rng, now, rows = np.random.default_rng(2), 0, []

    def clock() -> int:
        nonlocal now
        now += 70 + (5_000_000 if interrupted and rng.random() < 1e-4 else 0)
        return now

    def invoke() -> None:
        nonlocal now
        now += int(rng.normal(4000, 100))

    monkeypatch.setattr(device_job, "time", SimpleNamespace(perf_counter_ns=clock))
    model = SimpleNamespace(
        interpreter=SimpleNamespace(invoke=invoke), set=lambda fed: None, clear_for=lambda fed: None
    )
    log = SimpleNamespace(add=lambda phase, ns, count: rows.append(ns))
    asked = {"min_s": 0.0, "min_runs": 4000, "max_runs": 4000, "slowdown": 0.05}
    slowed = device_job.time_invokes(model, asked, [None], 1, log)
    assert np.median(rows) == pytest.approx(4070 * 1.05, rel=0.004)
    assert slowed == pytest.approx(0.05, abs=0.004)


@pytest.mark.alone
def test_a_slowed_job_is_slower(tmp_path: Path) -> None:
    pyz = zipapp(device_source(tmp_path))
    assert MODEL.path
    medians: dict[float, list[float]] = {0.0: [], 0.05: []}
    told: dict[float, list[float]] = {0.0: [], 0.05: []}  # as each job measured itself; other work may disturb one
    for n in range(8):
        for slowdown in medians:
            spec = job_spec("latency", RUNTIMES[0], min_s=0.02, warmup_s=0.01, max_runs=20_000, slowdown=slowdown)
            folder = lay_job(tmp_path / f"job-{n}-{slowdown}", spec, MODEL.path.read_bytes(), stored_inputs(64))
            assert run_job(pyz, folder).returncode == 0
            told[slowdown].append(json.loads((folder / "result.json").read_text())["slowed"])
            rows = np.load(folder / "latencies.npy")
            timed = rows[rows["phase"] == device_job.PHASES.index("timed")]
            medians[slowdown].append(float(np.median(timed["ns"] / timed["count"])))
    assert told[0.0] == [None] * 8
    assert np.median(told[0.05]) == pytest.approx(0.05, abs=0.02)
    assert np.median(np.divide(medians[0.05], medians[0.0])) > 1.02


# --- with a precision ----------------------------------------------------------------------------------------------


def in_two_stages(comparisons: int, sd: float, precision: float) -> Study:
    """Ten rounds of each comparison, then as many as the study's own rule asks for."""
    random = np.random.default_rng(4)
    asked, pairs = Asked(comparisons, 10, precision=precision), []
    for _ in range(comparisons):
        ns = 7000 * np.exp(random.normal(0, sd / np.sqrt(2), (2, asked.most)))
        wanted = rounds_wanted(asked, Pairs(tuple(ns[0, :10]), tuple(ns[1, :10])))
        pairs.append(Pairs(tuple(ns[0, :wanted]), tuple(ns[1, :wanted]), first=10))
    return study(tuple(pairs), comparisons, asked=asked)


def test_a_precision_is_reached_and_false_alarms_stay_at_five_percent() -> None:
    """Stein 1945: the level holds at any number of rounds, and the half-width is the one that was asked for."""
    found = conclude(in_two_stages(300, sd=0.04, precision=0.01))
    needed = (stats.half_width(np.linspace(-1, 1, 10)) / np.linspace(-1, 1, 10).std(ddof=1) * 4.0) ** 2 * 10
    assert found.half_width <= 0.0102 and found.rounds_taken == pytest.approx(needed, rel=0.2)
    assert 0.015 < found.rate < 0.09 and found.precision == 0.01
    assert found.detection["2"] > 0.9


def test_a_study_with_a_precision_goes_on_until_it_is_reached_or_the_most_rounds(tmp_path: Path) -> None:
    asked = replace(ASKED, comparisons=1, precision=0.0005, max_rounds=9)
    device = Device()
    found = carried_out(start(tmp_path, asked=asked), device)
    assert len(device.asked) == 2 * 2 * 9
    assert found.rounds_taken == 9 and found.precision == 0.0005
