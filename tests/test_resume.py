"""A run that is interrupted stays readable, leaves nothing running, and goes on to the same result."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from multiprocessing.context import ForkProcess
from pathlib import Path

import numpy as np
import pytest

from harness import pipeline
from harness.errors import StoreError
from harness.measure.connections import device_code as code
from harness.pipeline import measure_target
from harness.records import Run
from harness.runs.header import read_header
from harness.runs.loading import load
from harness.runs.record import Record
from harness.runs.store import Store
from tests.devices import RUNTIMES, Quiet, copy_of_recording, device_source, header, processes_with, wait_for
from tests.sealed_runs import unfinished_run

# The command itself, only that its device holds a lock of the test's own.
HARNESS = """
import signal, sys
from pathlib import Path
from harness.measure.connections import device_code as code
signal.signal(signal.SIGINT, signal.default_int_handler)  # a test run in the background would ignore it
code.SOURCE = Path(sys.argv.pop(1))
from harness.cli import main
main()
"""
FORK = multiprocessing.get_context("fork")
PIECES = 2 * len(RUNTIMES) * (2 + header().plan.rounds)  # of each case its answers, an audit, and the rounds
BEFORE_THE_BREAK = 3
SOME_KILLS = 2


class Interrupted:
    """The recorded run with nothing measured yet: to be gone on with, interrupted, and gone on with again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.source = device_source(folder)
        self.path = copy_of_recording(folder / "results")
        shutil.rmtree(self.path / "raw")
        content = json.loads((self.path / "run.json").read_text()) | {"finished": False}
        content["targets"][0]["target"]["workdir"] = str(folder / "device")
        (self.path / "run.json").write_text(json.dumps(content))

    def argv(self, *words: str) -> list[str]:
        return [sys.executable, "-c", HARNESS, str(self.source), *words, "--results", str(self.folder / "results")]

    def harness(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.argv(*words), capture_output=True, text=True, timeout=60, check=False)

    def resume(self) -> subprocess.CompletedProcess[str]:
        return self.harness("run", "--resume", self.path.name, "--trust")

    def interrupt(self, how: signal.Signals) -> tuple[int, str]:
        """Goes on, and is ended by a signal in the middle: the exit code and what stood on stderr."""
        argv = self.argv("run", "--resume", self.path.name, "--trust")
        process = subprocess.Popen(argv, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        try:
            wait_for(lambda: len(self.measured()) >= BEFORE_THE_BREAK or process.poll() is not None)
        finally:
            os.kill(process.pid, how)
        _, said = process.communicate(timeout=30)
        return process.returncode, said

    def measured(self) -> dict[str, int]:
        """When each piece was measured, by job id."""
        states = self.path.glob("raw/host/*/state.json")
        return {path.parent.name: path.stat().st_mtime_ns for path in states if path.parent.suffix != ".part"}

    def left_running(self) -> list[int]:
        return processes_with(str(self.folder))


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The same run, measured in one go."""
    run = Interrupted(tmp_path_factory.mktemp("uninterrupted"))
    record = Record(run.path, read_header(run.path))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(code, "SOURCE", run.source)
        measure_target(record, record.header.targets[0], Quiet())
    assert len(run.measured()) == PIECES
    return load(run.path)


def answers(run: Run) -> dict[str, list[list[float]]]:
    return {f"{s.case} {s.first}": np.concatenate(s.outputs).tolist() for s in run.shards}


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_an_interrupted_run_goes_on_to_the_same_result(tmp_path: Path, uninterrupted: Run, how: signal.Signals) -> None:
    run = Interrupted(tmp_path)
    exit_code, said = run.interrupt(how)
    assert exit_code == {signal.SIGKILL: -signal.SIGKILL, signal.SIGINT: 130}[how]

    # It ends, and nothing of it stays behind.
    wait_for(lambda: not run.left_running(), 10)
    if how == signal.SIGINT:
        assert f"harness run --resume {run.path.name} --results {tmp_path / 'results'}" in said
        assert "Traceback" not in said
        sent = read_header(run.path).targets[0].bytes_sent["blobs"]
        assert 0 < sent < uninterrupted.targets[0].bytes_sent["blobs"]
    before = run.measured()
    assert BEFORE_THE_BREAK <= len(before) < PIECES

    # What there is can be read.
    (listed,) = json.loads(run.harness("list", "--json").stdout)
    assert listed["run_id"] == run.path.name and listed["finished"] is False
    report = run.harness("report", run.path.name, "--format", "markdown")
    assert report.returncode == 0, report.stderr
    assert "not finished" in report.stdout

    # It goes on, and measures only what is missing.
    done = run.resume()
    assert done.returncode == 0, done.stderr
    after = run.measured()
    assert len(after) == PIECES
    assert {name: after[name] for name in before} == before
    assert not list(run.path.glob("raw/host/*.part"))
    finished = load(run.path)
    assert finished.finished
    assert answers(finished) == answers(uninterrupted)
    assert {(r.case, r.index) for r in finished.rounds} == {(r.case, r.index) for r in uninterrupted.rounds}
    assert (run.path / "report.html").exists() and (run.path / "summary.csv").exists()


# Killed at any moment. KILLS=100 tries as many, KILLS_SEED=… those of a failure.


class Fresh(Interrupted):
    """A run of this version, begun by this user, with a round a case. It goes on in a process of its own."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder, self.source = folder, device_source(folder)
        record = unfinished_run(folder / "results", measured=False)
        known, (target,) = record.header, record.header.targets
        here = replace(target, target=replace(target.target, workdir=str(folder / "device")), environment=None)
        cases = tuple(case for case in known.cases if case.runtime == RUNTIMES[0])
        record.save(replace(known, cases=cases, targets=(here,), plan=replace(known.plan, rounds=1)))
        self.path = record.path

    def go_on(self) -> ForkProcess:
        process = FORK.Process(target=self.to_the_seal)
        process.start()
        return process

    def to_the_seal(self) -> None:
        """All but the report, which takes as long again and can be made again."""
        code.SOURCE, pipeline.conclude = self.source, lambda *_: None
        pipeline.resume(str(self.path), Store(self.folder / "results", trust=True), Quiet(), wait_s=30)

    def has_ended(self, process: ForkProcess) -> None:
        process.join(120)
        assert process.exitcode is not None, "it hangs"
        wait_for(lambda: not self.left_running())

    def files(self) -> set[str]:
        return {str(file.relative_to(self.path)) for file in self.path.rglob("*")}


@pytest.mark.slow
def test_a_run_that_is_killed_at_any_moment_goes_on_to_the_same_result(tmp_path: Path) -> None:
    seed = os.environ.get("KILLS_SEED") or str(random.randrange(2**32))
    print(f"KILLS_SEED={seed}")
    whole, begin = Fresh(tmp_path / "whole"), time.monotonic()
    whole.has_ended(first := whole.go_on())
    assert first.exitcode == 0
    whole_s, sound = time.monotonic() - begin, load(whole.path)
    for n in range(int(os.environ.get("KILLS", SOME_KILLS))):
        chance, run = random.Random(f"{seed}/{n}"), Fresh(tmp_path / str(n))
        process, after_s = run.go_on(), chance.uniform(0, whole_s)
        process.join(after_s)
        process.kill()
        run.has_ended(process)
        before = run.measured()
        told = f"kill {n} after {after_s:.3f} of {whole_s:.3f} s, with {len(before)} pieces: {process.exitcode}"
        print(told, flush=True)
        run.has_ended(again := run.go_on())
        assert again.exitcode == 0, told
        assert {name: when for name, when in run.measured().items() if name in before} == before, told
        found = load(run.path)
        assert found.finished and found.unsealed == "", told
        assert answers(found) == answers(sound), told
        assert {(r.case, r.index) for r in found.rounds} == {(r.case, r.index) for r in sound.rounds}, told
        attempts = {name for name in run.files() ^ whole.files() if "-again" in name}  # as a busy machine has them
        assert run.files() ^ whole.files() == attempts, told
        shutil.rmtree(run.folder)


def test_a_run_that_does_not_exist_cannot_be_resumed(tmp_path: Path) -> None:
    run = Interrupted(tmp_path)
    done = run.harness("run", "--resume", "20990101-000000-0000")
    assert done.returncode == StoreError.exit_code
    assert done.stderr.startswith("harness: there is no run")
