"""The run that times a reference's models beside the candidate's: what it holds, and what a gate makes of it."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from harness import pipeline
from harness.compare.baseline import compare
from harness.errors import ConfigError
from harness.gate.reference import side_by_side as remeasure
from harness.gate.reference.side_by_side import CANDIDATE, REFERENCE, SIDES, on_side
from harness.measure.jobs import job_id
from harness.records import Case, TargetRecord
from harness.report import render
from harness.report.material import Material
from harness.runs.header import Header, read_header
from harness.runs.loading import load
from harness.runs.own_runs import own_runs
from harness.runs.record import Record
from harness.runs.store import Store
from harness.support.cache import file_sha256
from tests.devices import RUNTIMES, Quiet, copy_of_recording

RUNTIME = "ai-edge-litert"
FLOAT32, INT8 = (Case(name, "host", RUNTIME, 1) for name in ("float32", "int8"))
ROUNDS = 6
OLD, NEW = "20260101-000000-0000", "20260102-000000-0000"
NOT_SLOWER = '[[rule]]\nmetric = "latency_p50"\nmax_increase = "20%"\nagainst = "reference"\nvariant = "int8"\n'
Call = Callable[..., tuple[int, str, str]]


def six_rounds(path: Path, cases: tuple[Case, ...]) -> None:
    """The recorded rounds of these cases, three times over."""
    for case in cases:
        for index in range(2, ROUNDS):
            copy_round(path / "raw" / "host" / job_id(case, "latency", index % 2), path / "raw" / "host", case, index)


def copy_round(source: Path, folder: Path, case: Case, index: int, slower: float = 1.0) -> None:
    """A round of another case and index, its timed invokes slower by a factor."""
    target = folder / job_id(case, "latency", index)
    shutil.copytree(source, target)
    label = json.loads((target / "piece.json").read_text())
    label |= {"first": index, "case": label["case"] | {"variant": case.variant}}
    (target / "piece.json").write_text(json.dumps(label))
    timings = np.load(target / "latencies.npy")
    timings["ns"] = (timings["ns"] * slower).astype(timings["ns"].dtype)
    np.save(target / "latencies.npy", timings)


@dataclass(frozen=True)
class Two:
    """A candidate and a reference in one store: the recorded run twice, as six rounds on a device that replays."""

    results: Path
    store: Store

    @property
    def candidate(self) -> Path:
        return self.results / "digits" / NEW

    @property
    def reference(self) -> Path:
        return self.results / "digits" / OLD

    def record(self, int8: float, reference_int8: float) -> None:
        """What the device says of both when they are timed beside each other: the recorded times, so much slower."""
        raw = self.candidate / "raw" / "host"
        for case in (FLOAT32, INT8):
            for index in range(ROUNDS):
                for side, slower in zip(SIDES, (int8, reference_int8), strict=True):
                    again = on_side(case, side)
                    factor = slower if case == INT8 else 1.0
                    copy_round(raw / job_id(case, "latency", index), self.recording, again, index, factor)

    @property
    def recording(self) -> Path:
        return self.results.parent / "recording" / "raw" / "host"

    def session(self) -> Path:
        """The run that timed them."""
        (path,) = (p for p in self.store.paths() if p.name not in (OLD, NEW))
        return path


def prepared(results: Path, run_id: str, recording: Path) -> None:
    copied = copy_of_recording(results)
    path = copied.rename(copied.with_name(run_id))
    header = read_header(path)
    six_rounds(path, (FLOAT32, INT8))
    target = replace(header.targets[0].target, kind="replay", host=str(recording))
    known = TargetRecord(target, header.targets[0].environment)
    plan = replace(header.plan, rounds=ROUNDS)
    Record(path, header).save(replace(header, run_id=run_id, cases=(FLOAT32, INT8), targets=(known,), plan=plan))


@pytest.fixture
def two(tmp_path: Path) -> Two:
    both = Two(tmp_path / "results", Store(tmp_path / "results", trust=True))
    for run_id in (OLD, NEW):
        prepared(both.results, run_id, both.recording)
    both.recording.mkdir(parents=True)
    both.record(1.5, 1.0)
    retrained(both.reference)
    recorded_models(both)
    return both


def retrained(path: Path) -> None:
    """Its int8 is another file."""
    header, file = read_header(path), path / "variants" / "int8.tflite"
    file.write_bytes(file.read_bytes() + b" ")
    others = tuple(replace(v, sha256=file_sha256(file)) if v.name == "int8" else v for v in header.variants)
    Record(path, header).save(replace(header, variants=others))


def recorded_models(two: Two) -> None:
    """run.json of the recording: the candidate's, with the models of both."""
    folder = two.recording.parent.parent
    own, other = read_header(two.candidate), read_header(two.reference)
    named = tuple(
        replace(v, name=f"{v.name}@{side}") for side, h in zip(SIDES, (own, other), strict=True) for v in h.variants
    )
    Record(folder, own).save(replace(own, variants=named))


def begun(two: Two, *cases: Case) -> Header:
    return remeasure.begin(two.candidate, two.reference, cases or (INT8,), two.store).header


# --- what it holds -------------------------------------------------------------------------------------------------


def test_it_holds_both_models_on_the_candidates_device_and_plan(two: Two) -> None:
    header, own = begun(two), read_header(two.candidate)
    assert header.cases == (on_side(INT8, CANDIDATE), on_side(INT8, REFERENCE))
    both = [read_header(path).variants[1].sha256 for path in (two.candidate, two.reference)]
    assert [v.sha256 for v in header.variants] == both
    assert len({v.sha256 for v in header.variants}) == 2
    assert header.plan == replace(own.plan, accuracy=False)
    assert [t.target for t in header.targets] == [own.targets[0].target]
    assert (header.provenance.candidate, header.provenance.reference) == (NEW, OLD)
    files = {path.name for path in (two.session() / "variants").iterdir()}
    assert files == {"int8@candidate.tflite", "int8@reference.tflite"}


def test_both_have_paths_of_one_length_on_the_device() -> None:
    for name in ("int8", "a", "a_variant_with_a_name_that_is_so_long_that_it_is_cut"):
        row = replace(INT8, variant=name)
        ids = [job_id(on_side(row, side), "latency", 3, attempt) for side in SIDES for attempt in (0, 2)]
        assert len(set(ids)) == 4
        assert len(ids[0]) == len(ids[2]) <= 64
        assert len(ids[1]) == len(ids[3]) <= 64
        assert not any(set(each) - set("abcdefghijklmnopqrstuvwxyz0123456789._-") for each in ids)


def test_they_are_shuffled_in_each_round_and_no_accuracy_is_measured(two: Two) -> None:
    watcher = Quiet()
    run = pipeline.remeasure(two.candidate, two.reference, (FLOAT32, INT8), two.store, watcher).run
    assert watcher.begun == ("host", 0, 4 * ROUNDS)
    orders = [tuple(j.case for j in watcher.jobs[4 * n : 4 * n + 4]) for n in range(ROUNDS)]
    assert all(set(order) == set(run.cases) for order in orders)
    assert len(set(orders)) > 1
    assert {standing.status for standing in compare(run).standings} == {"ok"}
    assert run.shards == () and run.finished


def test_latest_stays_the_candidate(two: Two) -> None:
    pipeline.remeasure(two.candidate, two.reference, (INT8,), two.store, Quiet())
    assert two.session().name > NEW
    assert two.store.find("latest") == two.candidate
    assert not (two.results / "digits" / "latest").exists()  # nobody set it, so neither did this


def test_an_interrupted_one_is_gone_on_with_and_a_finished_one_is_not(two: Two) -> None:
    first = begun(two)
    assert begun(two).run_id == first.run_id
    assert begun(two, FLOAT32).run_id != first.run_id
    path = two.results / "digits" / first.run_id
    assert pipeline.resume(first.run_id, two.store, Quiet()).comparison.run.finished
    assert read_header(path).finished
    assert begun(two).run_id != first.run_id


def test_what_somebody_else_began_is_not_gone_on_with(two: Two) -> None:
    """Its rounds would be believed, and its devices reached."""
    first = begun(two)
    path = two.results / "digits" / first.run_id / "run.json"
    content = json.loads(path.read_text())
    content["targets"][0]["target"] |= {"kind": "ssh", "host": "pi@elsewhere"}
    path.write_text(json.dumps(content))
    again = begun(two)
    assert again.run_id != first.run_id
    *before, _ = own_runs().read_text().splitlines(keepends=True)
    own_runs().write_text("".join(before))  # as on another machine
    assert begun(two).run_id != again.run_id


def test_its_report_says_what_it_is(two: Two) -> None:
    pipeline.remeasure(two.candidate, two.reference, (FLOAT32, INT8), two.store, Quiet())
    path = two.session()
    for name in ("report.html", "report.md", "summary.csv", "metrics.csv", "latency.parquet", "samples.parquet"):
        assert (path / name).stat().st_size > 0
    text = render(Material(compare(load(path))), "markdown")
    assert f"No accuracy was measured: a gate timed run {NEW} and its reference {OLD} side by side." in text
    assert r"int8\@reference" in text and "resume the run" not in text


def test_where_there_is_nothing_to_time_nothing_is_begun(two: Two) -> None:
    header = read_header(two.reference)
    fewer = tuple(replace(v, inputs=()) for v in header.variants)
    Record(two.reference, header).save(replace(header, variants=fewer))
    with pytest.raises(ConfigError, match=f"nothing of the reference {OLD} can be measured beside {NEW}"):
        begun(two)
    own = read_header(two.candidate)
    Record(two.candidate, own).save(replace(own, plan=replace(own.plan, profile="none", rounds=0)))
    with pytest.raises(ConfigError, match="plan none, which times nothing"):
        begun(two)
    assert {path.name for path in two.store.paths()} == {OLD, NEW}


def test_files_that_are_the_same_are_named(two: Two) -> None:
    assert remeasure.same_files(begun(two, FLOAT32, INT8)) == ("float32",)


# --- the gate ------------------------------------------------------------------------------------------------------


def gate(two: Two, harness: Call, policy: str, *words: str) -> tuple[int, str, str]:
    file = two.results.parent / "policy.toml"
    file.write_text(policy)
    common = ("--policy", str(file), "--reference", OLD, "--results", str(two.results))
    return harness("gate", NEW, *common, "--remeasure-reference", "--trust", *words)


@pytest.mark.parametrize(("int8", "code", "outcome"), [(1.5, 1, "fail"), (1.0, 0, "pass"), (0.5, 0, "pass")])
def test_the_gate_judges_by_the_rounds_of_that_run(
    two: Two, harness: Call, int8: float, code: int, outcome: str
) -> None:
    shutil.rmtree(two.recording)
    two.record(int8, 1.0)
    found, out, err = gate(two, harness, NOT_SLOWER, "--json")
    assert found == code, err
    verdict = json.loads(out)
    (finding,) = verdict["findings"]
    assert (verdict["outcome"], verdict["reference"], verdict["again"]) == (outcome, OLD, two.session().name)
    assert finding["value"] == pytest.approx(100 * (int8 - 1), abs=0.5)
    assert finding["method"] == f"t on log ratios of 6 paired rounds, in run {two.session().name}"
    assert json.loads((two.candidate / "verdict.json").read_text()) == verdict


def test_the_verdict_says_that_it_was_measured_again_and_in_which_run(two: Two, harness: Call, tmp_path: Path) -> None:
    code, out, err = gate(two, harness, NOT_SLOWER, "--summary", str(tmp_path / "summary.md"))
    told = f"Against {OLD}, its time and memory measured again beside it in run {two.session().name}."
    assert (code, told in out, told in (tmp_path / "summary.md").read_text()) == (1, True, True)
    assert f"run {two.session().name} in" in err
    assert "host: latency in 12 jobs" in err
    listed = harness("list", "--results", str(two.results))[1]
    assert re.search(rf"finished, beside\s+{NEW}\b", listed)


def test_a_device_that_fails_on_the_way_exits_3_and_the_same_command_goes_on(two: Two, harness: Call) -> None:
    last = sorted(two.recording.iterdir())[-1]
    away = last.rename(two.results.parent / last.name)
    code, out, err = gate(two, harness, NOT_SLOWER)
    assert (code, out) == (3, "")
    assert "Run the same command again" in err
    assert "Traceback" not in err
    begun_ = two.session()
    away.rename(last)
    assert gate(two, harness, NOT_SLOWER)[0] == 1
    assert two.session() == begun_


@pytest.mark.skipif(not shutil.which("ssh"), reason="there is no ssh")
def test_a_device_that_is_not_reached_exits_3(two: Two, harness: Call) -> None:
    header = read_header(two.candidate)
    gone = replace(header.targets[0].target, kind="ssh", host="127.0.0.1", port=9)
    Record(two.candidate, header).save(replace(header, targets=(replace(header.targets[0], target=gone),)))
    code, out, err = gate(two, harness, NOT_SLOWER)
    assert (code, out) == (3, "")
    assert "Run the same command again" in err
    assert not (two.candidate / "verdict.json").exists()


def test_without_a_rule_that_needs_it_nothing_is_measured(two: Two, harness: Call) -> None:
    code, _, err = gate(two, harness, '[[rule]]\nmetric = "accuracy_drop"\nmax = "5pp"\nagainst = "reference"\n')
    assert (code, "nothing is measured again" in err) == (0, True)
    code, _, err = gate(two, harness, '[[rule]]\nmetric = "accuracy_drop"\nmax = "5pp"\n')
    assert (code, "--remeasure-reference changes nothing" in err) == (0, True)
    assert {path.name for path in two.store.paths()} == {OLD, NEW}


def test_without_a_reference_there_is_nothing_to_measure_again(two: Two, harness: Call) -> None:
    file = two.results.parent / "policy.toml"
    file.write_text(NOT_SLOWER)
    words = ("gate", NEW, "--policy", str(file), "--results", str(two.results), "--remeasure-reference", "--trust")
    code, _, err = harness(*words)
    assert code == 2
    assert "there is no reference to measure again" in err


# --- on a real device ----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_on_this_machine(own_lock: Path, tmp_path: Path, harness: Call) -> None:
    """Measured, accepted, measured again, and gated with the reference beside it: the files are the same."""
    cases = tuple(Case(name, "host", RUNTIMES[0], 1) for name in ("float32", "int8"))
    for run_id in (OLD, NEW):
        copied = copy_of_recording(tmp_path / "results")
        path = copied.rename(copied.with_name(run_id))
        shutil.rmtree(path / "raw")
        header = read_header(path)
        target = TargetRecord(replace(header.targets[0].target, workdir=str(tmp_path / "device")))
        plan = replace(header.plan, rounds=3)
        saved = replace(header, run_id=run_id, cases=cases, targets=(target,), plan=plan, finished=False)
        Record(path, header).save(saved)
        assert pipeline.resume(run_id, Store(tmp_path / "results", trust=True), Quiet()).comparison.run.finished
    (tmp_path / "policy.toml").write_text(NOT_SLOWER.replace("20%", "100000%"))
    words = ("--results", str(tmp_path / "results"))
    assert harness("accept", OLD, *words)[0] == 0
    code, out, err = harness(
        "gate", NEW, "--policy", str(tmp_path / "policy.toml"), "--remeasure-reference", "--trust", *words
    )
    assert code == 0, out + err
    assert "int8: the reference's .tflite file is the candidate's" in err
    assert "measured again beside it in run" in out
