"""harness audit: its rules on made-up rounds, a run on this machine, and engines that cheat, which it must find."""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import harness as front
from harness import pipeline
from harness.errors import ConfigError
from harness.measure.connections import device_code as code
from harness.measure.jobs import LATENCY_SAMPLES
from harness.measure.selftest import run_audit
from harness.measure.selftest.audit_result import (
    MARGIN,
    AuditResult,
    Terms,
    answers_check,
    order_check,
    repeated_check,
    session_of,
)
from harness.measure.selftest.run_audit import NAMES, SEEDED, SINGLE, STORED, Audit, chosen_cases
from harness.measure.selftest.twins import pack
from harness.records import Case, Job, Round, Run, TargetRecord
from harness.runs.header import read_header
from harness.runs.loading import load, read_dataset
from harness.runs.record import Record
from harness.runs.store import Store
from tests.conftest import Call
from tests.devices import RUNTIMES, Quiet, append, copy_of_recording, device_source, stored_inputs
from tests.stateful_files import variable_tensor

CASE = Case("float32", "host", RUNTIMES[0], 1)


# --- when a check passes ---------------------------------------------------------------------------------------------


def rounds(factor: float, spread: float = 0.004, count: int = 10, seed: int = 1) -> dict[int, float]:
    each = np.random.default_rng(seed).normal(0, spread, count)
    return {n: float(7000 * factor * np.exp(x)) for n, x in enumerate(each - each.mean())}


@pytest.mark.parametrize(
    ("factor", "spread", "repeated", "order"),
    [
        (1.0, 0.004, "pass", "pass"),
        (0.97, 0.004, "pass", "pass"),
        (0.5, 0.004, "fail", "fail"),
        (1.5, 0.004, "pass", "fail"),  # a repeated sample may be slower
        (0.95, 0.02, "inconclusive", "inconclusive"),
        (1.05, 0.02, "pass", "inconclusive"),
        (1.0, 0.2, "inconclusive", "inconclusive"),  # nothing is shown by rounds that lie so far apart
    ],
)
def test_a_check_passes_where_its_whole_interval_is_within_the_margin(
    factor: float, spread: float, repeated: str, order: str
) -> None:
    before, after = rounds(1.0, spread, seed=2), rounds(factor, spread)
    assert repeated_check(CASE, before, after, MARGIN).outcome == repeated
    found = order_check(CASE, before, after, MARGIN)
    assert found.outcome == order
    assert found.ratio is not None and found.ratio.low < factor < found.ratio.high


def test_five_pairs_decide_nothing() -> None:
    few = rounds(0.1, count=5)
    for check in (repeated_check(CASE, rounds(1.0), few, MARGIN), order_check(CASE, rounds(1.0), few, MARGIN)):
        assert (check.outcome, check.ratio) == ("inconclusive", None)
        assert "only 5 pairs of rounds count" in check.reason


# --- on this machine -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The recorded float32 model, measured here by an honest engine. Its results folder, to be copied."""
    folder = tmp_path_factory.mktemp("audited")
    path = copy_of_recording(folder / "results")
    shutil.rmtree(path / "raw")
    header = read_header(path)
    target = TargetRecord(replace(header.targets[0].target, workdir=str(folder / "device")))
    plan = replace(header.plan, rounds=1)
    Record(path, header).save(replace(header, cases=(CASE,), targets=(target,), plan=plan, finished=False))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(code, "SOURCE", device_source(folder))
        pipeline.resume(path.name, Store(folder / "results", trust=True), Quiet())
    yield folder / "results"


@pytest.fixture
def run(results: Path) -> Run:
    return load(next(results.glob("digits/2*")), trust=True)


def audit_of(run: Run, seed: int, emulated: bool = False) -> Audit:
    known = run.targets[0]
    record = replace(known, target=replace(known.target, emulated=emulated))
    return Audit(run, read_dataset(run.path, read_header(run.path)), record, run.cases, Terms(seed, rounds=6))


def test_each_name_is_asked_its_own_samples_and_as_often(run: Run) -> None:
    jobs = {job.case.variant.partition("@")[2]: job for job in audit_of(run, 1).round_of(3)}
    assert set(jobs) == set(NAMES) and len({len(name) for name in NAMES}) == 1
    assert {(job.spec["min_runs"], job.spec["max_runs"]) for job in jobs.values()} == {(50, 450)}
    assert (jobs[STORED].last, jobs[SEEDED].last, jobs[SINGLE].last) == (LATENCY_SAMPLES, 500, 1)
    assert jobs[SEEDED].spec["warmup_samples"] == 50  # they are not among the 450 that are timed once
    assert all(len(job.samples) == 20 for job in jobs.values())
    assert jobs[STORED].samples == tuple(jobs[STORED].spec["answers"])  # type: ignore[arg-type]
    assert len(set(jobs[SEEDED].samples)) == 20 and len(set(jobs[SINGLE].samples)) == 1


def test_the_seed_decides_what_is_asked(run: Run) -> None:
    def asked(seed: int) -> list[tuple[str, tuple[int, ...]]]:
        return [(job.id, job.samples) for n in range(6) for job in audit_of(run, seed).round_of(n)]

    assert asked(1) == asked(1) != asked(2)


def test_answers_that_were_not_kept_prove_nothing(run: Run) -> None:
    check = answers_check(run, CASE, ())
    assert (check.outcome, check.reason.partition(":")[0]) == ("inconclusive", "no answer was kept")


def test_a_row_that_cannot_be_audited_is_named(run: Run) -> None:
    both = replace(run, cases=(CASE, replace(CASE, variant="int8")))
    chosen, left_out = chosen_cases(both, ["*"], ["*"])
    assert chosen == [CASE] and [case.variant for case in left_out] == ["int8"]


def test_a_model_with_state_on_an_emulated_device_leaves_nothing_to_check(run: Run, tmp_path: Path) -> None:
    """Its answers are not compared, and no time is claimed: an audit would find nothing wrong with anything."""
    (tmp_path / "stateful.tflite").write_bytes(variable_tensor())
    keeps_state = replace(run.variant(CASE.variant), path=tmp_path / "stateful.tflite")
    emulated = replace(run.targets[0], target=replace(run.targets[0].target, emulated=True))
    for changed in (replace(run, variants=(keeps_state,)), replace(run, targets=(emulated,))):
        assert chosen_cases(replace(changed, cases=(CASE,)), ["*"], ["*"])[0] == [CASE]
    nothing = replace(run, variants=(keeps_state,), targets=(emulated,), cases=(CASE,))
    with pytest.raises(ConfigError, match=r"can be audited; .* keeps state") as caught:
        chosen_cases(nothing, ["*"], ["*"])
    assert caught.value.exit_code == 2


def test_samples_of_which_a_device_takes_few_are_refused(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_audit, "shard_samples", lambda work: 6)
    with pytest.raises(ConfigError, match="6 samples of this size"):
        audit_of(run, 1)


def test_devices_whose_names_differ_after_a_dot_are_packed_apart(tmp_path: Path) -> None:
    for name in ("pi.one", "pi.two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a").write_text(name)
        pack(tmp_path / name)
    assert sorted(path.name for path in tmp_path.glob("*.zip")) == ["pi.one.zip", "pi.two.zip"]


def test_an_audit_of_nothing_is_not_good_and_says_so() -> None:
    nothing = AuditResult("a", "b", "2026-01-01T00:00:00", "1", Terms(5), (), ())
    assert not nothing.good and str(nothing).startswith("Nothing was checked")


def test_an_emulated_device_has_one_round_and_no_claim_of_time(run: Run) -> None:
    audit = audit_of(run, 1, emulated=True)
    assert audit.plan.rounds == 1 and "no claim of latency" in audit.notes[0]
    assert [check.what for check in audit.checks(CASE, ())] == ["answers"]


def test_a_run_of_one_round_has_no_session_to_show(run: Run) -> None:
    assert session_of(run, CASE, rounds(1.0)) is None


# What stands in for the interpreter. An honest invoke takes at least .2 ms, so that a busy machine hides no cheat.
CHEAT = """

import time
Honest = interpreter_class


def interpreter_class(name):
    class Cheat(Honest(name)):
        known, unread, given = {}, False, b""

        def set_tensor(self, index, values):
            self.given = values.tobytes()
            super().set_tensor(index, values)

        def slow(self):
            end = time.perf_counter_ns() + 200_000
            while time.perf_counter_ns() < end:
                pass

        def get_tensor(self, index):
            self.unread = False
            return self.answer(super().get_tensor(index))

        def answer(self, output):
            return output

        def invoke(self):
            super().invoke()
            %s
    return Cheat
"""
ENGINES = {
    "honest": "self.slow()",
    "caches by input": "self.given in self.known or self.slow(); self.known[self.given] = True",
    "zeroes what is not read": """\
self.slow(); skipped, self.unread = self.unread, True
            self.answer = (lambda output: output * 0) if skipped else (lambda output: output)""",
    "knows the samples of the run": """\
import hashlib
            hashlib.sha256(self.given).hexdigest() in KNOWN or self.slow()
            self.slow()""",
}
FOUND = {  # which checks fail
    "honest": set(),
    "caches by input": {"repeated sample"},  # and another order, where the rounds are long enough to fill the cache
    "zeroes what is not read": {"answers"},
    "knows the samples of the run": {"another order"},
}


@pytest.mark.parametrize("engine", ENGINES)
def test_a_cheat_is_found(results: Path, tmp_path: Path, own_lock: Path, harness: Call, engine: str) -> None:
    append(own_lock, "engines.py", CHEAT % ENGINES[engine] + f"\nKNOWN = {samples_of_the_run()}\n")
    shutil.copytree(results, tmp_path / "results", symlinks=True)
    words = ("--rounds", "6", "--seed", "5", "--trust", "--results", str(tmp_path / "results"), "--json")
    exit_code, out, err = harness("audit", "latest", *words)
    assert out, err
    found = json.loads(out)
    failed = {check["what"] for check in found["checks"] if check["outcome"] == "fail"}
    assert failed >= FOUND[engine] and bool(failed) == bool(FOUND[engine]), found["checks"]
    assert exit_code == (not found["good"]) and found["good"] <= (not failed)
    (kept,) = (tmp_path / "results").glob("digits/2*/audits/*/audit.json")
    assert json.loads(kept.read_text()) == found and (kept.parent / "host.zip").exists()


def samples_of_the_run() -> set[str]:
    """The hashes of the model inputs that a round of the run is timed with."""
    stored = stored_inputs(LATENCY_SAMPLES)
    inputs = (stored.astype(np.float64) / 255).astype(np.float32)
    return {hashlib.sha256(np.ascontiguousarray(sample).tobytes()).hexdigest() for sample in inputs}


def test_what_was_never_timed_is_not_audited(results: Path, harness: Call) -> None:
    exit_code, _, err = harness("audit", "latest", "-v", "int8", "--trust", "--results", str(results))
    assert exit_code == 2 and "asked the test set and timed" in err


def test_a_run_of_somebody_else_is_not_audited_without_trust(results: Path, harness: Call) -> None:
    exit_code, _, err = harness("audit", "latest", "--results", str(results))
    assert exit_code == 2 and "not begun by you" in err


def test_the_table_says_what_passed_and_what_was_not_judged(run: Run) -> None:
    checks = (
        order_check(CASE, rounds(1.0), rounds(2.0), MARGIN),
        repeated_check(CASE, rounds(1.0), rounds(1.0), MARGIN),
    )
    result = AuditResult("a", "b", "2026-01-01", "0.1.0", Terms(7), checks, (), ("a note",), "it is old")
    assert str(result).splitlines() == [
        "a note.",
        "The run is not sealed: it is old.",
        "2 checks, 1 fail, 0 are inconclusive (seed 7, 10 rounds, margin 5 %).",
    ]
    assert not result.good and not replace(result, checks=()).good and replace(result, checks=checks[1:]).good


# --- interrupted, and gone on with -----------------------------------------------------------------------------------


class Interrupting(Quiet):
    """Interrupts at the n-th job."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.at = at

    def job(self, job: Job) -> None:
        super().job(job)
        if len(self.jobs) == self.at:
            raise KeyboardInterrupt


@pytest.mark.slow
def test_an_interrupted_audit_goes_on_and_no_round_is_of_two_sessions(
    results: Path, tmp_path: Path, own_lock: Path, harness: Call
) -> None:
    shutil.copytree(results, tmp_path / "results", symlinks=True)
    where = {"results": tmp_path / "results", "trust": True}
    with pytest.raises(KeyboardInterrupt):
        front.audit("latest", rounds=6, seed=5, progress=Interrupting(8), **where)  # type: ignore[arg-type]
    (folder,) = (tmp_path / "results").glob("digits/2*/audits/*")
    assert len(list(folder.glob("host/*"))) >= 7 and not json.loads((folder / "audit.json").read_text())["finished"]
    again = ("--trust", "--results", str(tmp_path / "results"))
    code, _, err = harness("audit", "latest", "--resume", "latest", "--rounds", "7", *again)
    assert code == 2 and "as it was asked for" in err

    whole = Quiet()
    found = front.audit("latest", resume=folder.name, progress=whole, **where)  # type: ignore[arg-type]
    assert found.finished and found.terms == Terms(5, 6) and len(found.checks) == 3
    assert "it was interrupted" in str(found)
    assert len({piece.index for piece in whole.pieces if isinstance(piece, Round)}) == 6
    with zipfile.ZipFile(folder / "host.zip") as packed:
        assert len([name for name in packed.namelist() if name.endswith("piece.json")]) >= 18
    assert not (folder / "host").exists()
    code, _, err = harness("audit", "latest", "--resume", "latest", *again)
    assert code == 2 and "has no unfinished audit" in err


def test_what_was_interrupted_in_a_round_is_measured_anew(run: Run, tmp_path: Path) -> None:
    audit = audit_of(run, 1)
    whole, half = audit.round_of(0), audit.round_of(1)
    for job in (*whole, half[0]):
        (tmp_path / job.id).mkdir()
    for jobs in (whole, half):
        run_audit.begin_anew(jobs, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {job.id for job in whole}


@pytest.mark.parametrize("content", ["{}", '{"audit_id": "../../evil"}', "[" * 9000])
def test_an_audit_of_somebody_else_is_read_without_harm(
    results: Path, tmp_path: Path, harness: Call, content: str
) -> None:
    shutil.copytree(results, tmp_path / "results", symlinks=True)
    (run,) = (tmp_path / "results").glob("digits/2*")
    (run / "audits/a").mkdir(parents=True)
    (run / "audits/a/audit.json").write_text(content)
    code, _, err = harness("audit", "latest", "--resume", "a", "--trust", "--results", str(tmp_path / "results"))
    assert code == 2 and "audit.json cannot be read" in err and "Traceback" not in err
