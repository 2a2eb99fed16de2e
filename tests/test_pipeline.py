"""The whole story after building, on the recorded run: replay answers in the device's place, so no device is needed;
and what is asked of the devices before building."""

from __future__ import annotations

import csv
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import pipeline
from harness.compare.baseline import compare
from harness.errors import BuildError, StoreError, TargetError, TargetUnreachable
from harness.experiment.plans import plan_of
from harness.experiment.resolve import builtin
from harness.gate.policy.policy_file import parse_policy
from harness.gate.run_gate import default_verdict
from harness.measure.targets import host
from harness.pipeline import Request
from harness.records import Scoring, Target, TargetRecord, Verdict
from harness.runs.header import read_header
from harness.runs.loading import load
from harness.runs.record import Record
from harness.runs.spent import read_spent
from harness.runs.store import Store
from harness.support.cache import Cache
from tests.devices import RECORDED, Quiet, copy_of_recording
from tests.made_answers import DROP, RULE

STOPPED = RECORDED.with_name("digits-schema-4")  # a run until decided


def replayed(results: Path) -> Path:
    """A run with nothing measured yet, whose only target replays the recording."""
    path = copy_of_recording(results)
    shutil.rmtree(path / "raw")
    header = read_header(path)
    target = replace(header.targets[0].target, kind="replay", host=str(RECORDED / "raw" / "host"))
    Record(path, header).save(replace(header, targets=(TargetRecord(target),), finished=False))
    return path


def test_a_replayed_run_says_what_the_recorded_one_said(tmp_path: Path) -> None:
    path = replayed(tmp_path)
    found, recorded = (
        pipeline.resume(path.name, Store(tmp_path, trust=True), Quiet()).comparison,
        compare(load(RECORDED)),
    )
    assert found.standings == recorded.standings
    assert found.changes == recorded.changes
    assert found.samples.keys() == recorded.samples.keys()
    assert all((table == recorded.samples[case]).all() for case, table in found.samples.items())


def test_it_leaves_every_file_of_the_contract(tmp_path: Path) -> None:
    path = replayed(tmp_path)
    pipeline.resume(path.name, Store(tmp_path, trust=True), Quiet())
    files = ("run.json", "baseline.npy", "latency.parquet", "samples.parquet", "metrics.csv", "summary.csv")
    for name in (*files, "report.html", "report.md"):
        assert (path / name).stat().st_size > 0
    assert read_header(path).finished


def test_the_accuracy_of_the_summary_is_that_of_the_raw_answers(tmp_path: Path) -> None:
    path = replayed(tmp_path)
    run = pipeline.resume(path.name, Store(tmp_path, trust=True), Quiet()).comparison.run
    rows = {(r["variant"], r["runtime"]): r for r in csv.DictReader((path / "summary.csv").open())}
    assert len(rows) == len({(s.case.variant, s.case.runtime) for s in run.shards}) > 1
    for (variant, runtime), row in rows.items():
        shards = sorted(
            (s for s in run.shards if (s.case.variant, s.case.runtime) == (variant, runtime)), key=lambda s: s.first
        )
        answers = np.concatenate([s.outputs[0] for s in shards]).argmax(axis=1)
        assert float(row["accuracy"]) == (answers == run.labels).mean()


def test_what_was_replayed_is_not_asked_for_again(tmp_path: Path) -> None:
    path = replayed(tmp_path)
    pipeline.resume(path.name, Store(tmp_path, trust=True), Quiet())
    kept = {folder: folder.stat().st_mtime_ns for folder in path.glob("raw/*/*")}
    pipeline.resume(path.name, Store(tmp_path, trust=True), Quiet())
    assert {folder: folder.stat().st_mtime_ns for folder in path.glob("raw/*/*")} == kept != {}


# Until decided.


def replayed_until_decided(results: Path) -> Path:
    """A run with nothing measured yet, whose only target replays the recording of a run until decided."""
    path = results / "digits" / read_header(STOPPED).run_id
    shutil.copytree(STOPPED, path)
    shutil.rmtree(path / "raw")
    header = read_header(path)
    target = replace(header.targets[0].target, kind="replay", host=str(STOPPED / "raw" / "host"))
    Record(path, header).save(replace(header, targets=(TargetRecord(target),), finished=False))
    return path


def answered(path: Path) -> dict[str, int]:
    """How many samples each variant answered, on whichever runtime answered most."""
    shards = load(path).shards
    return {name: max(s.last for s in shards if s.case.variant == name) for name in ("float32", "int8")}


def test_a_row_stops_where_its_rules_are_decided(tmp_path: Path) -> None:
    path = replayed_until_decided(tmp_path)
    found, recorded = pipeline.resume(path.name, Store(tmp_path, trust=True), Quiet()), compare(load(STOPPED))
    assert answered(path) == {"float32": 250, "int8": 375}  # no rule of the default policy is on float32
    assert found.comparison.standings == recorded.standings and found.comparison.changes == recorded.changes
    assert isinstance(found.verdict, Verdict) and found.verdict.outcome == "pass" and found.verdict.ships == ("int8",)
    report = (path / "report.md").read_text()
    assert "stopped after 375 of 500 samples" in report and "Tango" not in report
    assert "compare their drops, not their accuracies" in report
    assert "Rows stopped after different numbers of samples" in report  # in the place of accuracy against latency


def test_a_run_until_decided_goes_on_by_another_policy(tmp_path: Path) -> None:
    """The recording has no more samples than it was stopped after: a device asked for them here cannot answer."""
    record = Store(tmp_path, trust=True).reopen(str(replayed_until_decided(tmp_path)))
    (known,) = record.header.targets
    for limit, samples in (("2pp", 250), ("1pp", 375), ("2pp", 375)):
        policy = parse_policy(DROP.replace("0.5pp", limit) + 'variant = "int8"\n', "policy.toml")
        pipeline.measure_target(record, known, Quiet(), policy)
        assert answered(record.path) == {"float32": 250, "int8": samples}
    with pytest.raises(TargetError, match=r"shard-000250\.float32"):
        pipeline.measure_target(record, known, Quiet(), parse_policy(DROP, "policy.toml"))


def test_a_policy_of_the_whole_test_set_is_told_of_and_asks_it(tmp_path: Path) -> None:
    plan = replace(plan_of("none"), until_decided=True)
    request, heard = Request(builtin("digits", None, (), plan), (host(),)), Heard()
    flips = parse_policy(DROP + RULE + 'metric = "flips"\nmax = 3\n', "policy.toml")
    assert pipeline.planned(request, flips, heard).experiment.plan == plan_of("none")
    assert len(heard.said) == 1 and "rule 2, flips max 3" in heard.said[0]
    assert pipeline.planned(request, parse_policy(DROP, "policy.toml"), heard) == request and len(heard.said) == 1


def test_a_default_policy_that_is_of_the_whole_test_set_is_told_of(tmp_path: Path) -> None:
    """Where the experiment declares the task before anything is built, else when the run begins."""
    plan, heard = replace(plan_of("none"), until_decided=True), Heard()
    numbers = replace(builtin("digits", None, (), plan), scoring=Scoring("rmse"))
    assert pipeline.planned(Request(numbers, (host(),)), None, heard).experiment.plan == plan_of("none")
    assert "rule 1, rmse max_increase 5%" in heard.said[0] and "only accuracy_drop, of classes, is" in heard.said[0]
    record = Store(tmp_path, trust=True).reopen(str(replayed_until_decided(tmp_path)))
    assert pipeline.why_not_early(None, record.header.task) == "" and pipeline.decided_by(None, record)
    record.header = replace(record.header, task="custom")
    assert pipeline.decided_by(None, record) is None
    assert "no default policy for metrics of your own" in pipeline.why_not_early(None, "custom")


def test_the_data_of_a_run_until_decided_are_shuffled_and_of_no_other() -> None:
    plain, shuffled = (builtin("digits", None, (), replace(plan_of("none"), until_decided=u)) for u in (False, True))
    assert pipeline.dataset_of(plain).numbers is None
    numbers = pipeline.dataset_of(shuffled).numbers
    assert numbers is not None and (numbers == load(STOPPED).numbers).all()


# Before building.

OFF = Target("off", "ssh", host="127.0.0.1", port=1)  # where nothing listens
ALSO_OFF = replace(OFF, name="also-off")
BUILDING = "building"


class Heard(Quiet):
    """A Listener that keeps what is said, too."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)


@pytest.fixture
def until_building(monkeypatch: pytest.MonkeyPatch) -> list[Target]:
    """A run ends where it would build, with a BuildError; the list is of the targets that were set up before."""
    provided: list[Target] = []

    def build(*_: Any) -> None:
        raise BuildError(BUILDING)

    monkeypatch.setattr(pipeline, "build", build)
    monkeypatch.setattr(pipeline, "provide", lambda target, say, runtimes: provided.append(target))
    return provided


def run(folder: Path, listener: Heard, *targets: Target, setup: bool = False) -> None:
    request = Request(builtin("digits", None, (), plan_of("none")), targets, setup=setup)
    pipeline.run(request, Store(folder / "results"), Cache(folder / "cache"), listener)


def test_nothing_is_built_for_devices_that_are_all_out_of_reach(tmp_path: Path, until_building: list[Target]) -> None:
    heard = Heard()
    with pytest.raises(TargetUnreachable, match=r"^off has nothing listening for ssh .*Connection refused") as caught:
        run(tmp_path, heard, OFF, ALSO_OFF)
    assert caught.value.exit_code == 3 and "switched on" in caught.value.advice
    assert [line.split(" (")[0] for line in heard.said] == ["also-off has nothing listening for ssh"]
    assert list(tmp_path.iterdir()) == []


def test_a_device_out_of_reach_is_told_before_the_others_are_built_for(
    tmp_path: Path, until_building: list[Target]
) -> None:
    heard = Heard()
    with pytest.raises(BuildError, match=BUILDING):
        run(tmp_path, heard, OFF, host())
    (line,) = heard.said
    assert line.startswith("off has nothing listening for ssh") and "Connection refused" in line
    assert line.endswith("; building continues, and it is tried again before measuring")


def test_only_a_device_that_answers_is_set_up(
    tmp_path: Path, until_building: list[Target], monkeypatch: pytest.MonkeyPatch
) -> None:
    on, heard = replace(OFF, name="on"), Heard()
    ssh = tmp_path / "ssh"
    ssh.write_text(f'#!/bin/sh\ncase "$*" in *"-p {OFF.port} "*) exit 255;; *) exit 0;; esac\n')
    ssh.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(BuildError, match=BUILDING):
        run(tmp_path, heard, OFF, replace(on, port=2), host(), setup=True)
    assert [target.name for target in until_building] == ["on"]
    assert [line.split(":")[0] for line in heard.said] == ["lost off"]


# Going on.


def gone_on(path: Path, **then: Any) -> None:
    """Resumes a run that lacks a piece, and whose device was, when it began, another in these fields."""
    header = read_header(path)
    known = header.targets[0]
    assert known.environment
    other = replace(known, environment=replace(known.environment, **then))
    Record(path, header).save(replace(header, targets=(other,), finished=False))
    shutil.rmtree(sorted((path / "raw" / "host").iterdir())[0])
    pipeline.resume(path.name, Store(path.parent.parent, trust=True), Quiet())


@pytest.mark.parametrize("then", [{"serial_sha256": "7" * 64}, {"runtimes": {"tflite-runtime": "2.13.0"}}])
def test_a_run_is_not_gone_on_with_on_another_device(tmp_path: Path, then: dict[str, Any]) -> None:
    path = replayed(tmp_path)
    pipeline.resume(path.name, Store(tmp_path, trust=True), Quiet())
    with pytest.raises(TargetError, match="host is not what this run began on"):
        gone_on(path, **then)


def test_a_runtime_may_be_installed_before_a_run_is_gone_on_with(tmp_path: Path) -> None:
    path = replayed(tmp_path)
    pipeline.resume(path.name, Store(tmp_path, trust=True), Quiet())
    gone_on(path, runtimes={"tflite-runtime": "2.14.0", "ai-edge-litert": None})
    assert read_header(path).finished


# After measuring.


def test_what_follows_the_measuring_is_named_while_it_works_and_its_time_is_told(tmp_path: Path) -> None:
    record = Store(tmp_path, trust=True).reopen(copy_of_recording(tmp_path).name)
    done_when_said: list[tuple[str, bool]] = []
    report = record.path / "report.html"
    report.unlink(missing_ok=True)
    pipeline.conclude(record, default_verdict, lambda text: done_when_said.append((text, report.exists())))
    assert done_when_said == [
        ("comparing each row with Keras", False),
        ("judging", False),
        ("writing tables, plots and the report", False),
    ]
    spent = read_spent(record.path)
    assert spent and spent.judging_s > 0 and spent.report_s > 0
    assert spent.total_s == pytest.approx(spent.judging_s + spent.report_s)
    assert "<dt>Time</dt><dd>" in report.read_text()


def test_a_run_that_cannot_be_judged_is_reported_and_says_why(tmp_path: Path) -> None:
    record = Store(tmp_path, trust=True).reopen(copy_of_recording(tmp_path).name)

    def judge(_: object) -> Verdict:
        raise StoreError("no reference", "accept one")

    with pytest.raises(StoreError, match="no reference"):
        pipeline.conclude(record, judge, lambda text: None)
    assert "no reference" in (record.path / "report.html").read_text()
