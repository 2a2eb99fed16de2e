"""Every operation on files, message and start of a process fails once, and a run is killed at every moment: nothing is
lost or believed.

FAULTS=all tries every operation; without it some are drawn, and the seed is printed.
"""

from __future__ import annotations

import errno
import os
import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness import pipeline
from harness.errors import DiskError, HarnessError
from harness.measure import jobs
from harness.measure.connections import bounds
from harness.measure.raw import read_piece
from harness.records import Run, Shard, TargetRecord
from harness.runs.loading import load
from harness.runs.record import Record
from harness.runs.store import Store
from harness.support.files import telling_disk
from tests.devices import RECORDED, RUNTIMES, Quiet, append, processes_with, wait_for
from tests.faults import ON_THE_DEVICE, BrokenMessage, BrokenStart, Faults
from tests.sealed_runs import RUN_ID, unfinished_run

SOME, SOME_LINKS = 25, 2
IMPATIENT_S = 4.0
CODES = (errno.ENOSPC, errno.EIO)
LEFT = (".part", f"-{os.getpid()}")


def begun(results: Path) -> Record:
    """A run of this user's with nothing measured yet, whose device is the recording."""
    record = unfinished_run(results, measured=False)
    (known,) = record.header.targets
    target = replace(known.target, kind="replay", host=str(RECORDED / "raw" / "host"))
    record.save(replace(record.header, targets=(replace(known, target=target, environment=None),)))
    return record


@telling_disk()
def measured(results: Path) -> None:
    """What a run does between its beginning and its report."""
    record = Store(results, trust=True).reopen(RUN_ID)
    pipeline.measure_target(record, record.header.targets[0], Quiet(), wait_s=30)
    record.finish()


def stored(path: Path) -> dict[str, float]:
    """When each stored piece was measured."""
    return {p.parent.name: p.stat().st_ctime for p in path.glob("raw/host/*/piece.json") if p.parent.suffix != ".part"}


def answers(path: Path) -> dict[str, list[float]]:
    run = load(path)
    assert run.unsealed == "" and run.finished
    return {f"{s.case} {s.first}": np.concatenate(s.outputs).ravel().tolist() for s in run.shards} | {
        f"{r.case} {r.index}": r.timings["timed"].ns.tolist() for r in run.rounds
    }


def test_an_operation_that_fails_anywhere_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun(tmp_path / "sound")
    faults = Faults(monkeypatch)
    faults.arm(0, errno.ENOSPC)
    measured(tmp_path / "sound")
    faults.armed = False
    total, sound = faults.count, answers(tmp_path / "sound" / "digits" / RUN_ID)
    assert total > 100
    seed = random.randrange(2**32)
    print(f"seed {seed}, {total} operations")
    chance = random.Random(seed)
    every = range(1, total + 1)
    for n in every if os.environ.get("FAULTS") == "all" else sorted(chance.sample(every, SOME)):
        results, code = tmp_path / str(n), chance.choice(CODES)
        path = begun(results).path
        faults.arm(n, code)
        try:
            measured(results)
        except HarnessError as error:
            assert isinstance(error, DiskError), f"{faults.broke}: {error!r}"
            assert str(results) in str(error) and os.strerror(code) in str(error), f"{faults.broke}: {error}"
            assert error.exit_code == 2 and error.advice
        finally:
            faults.armed = False
        before = stored(path)
        measured(results)
        assert {name: when for name, when in stored(path).items() if name in before} == before, faults.broke
        assert answers(path) == sound, faults.broke
        assert [p for p in path.rglob("*") if p.name.endswith(LEFT)] == [], faults.broke
        shutil.rmtree(results)


# --- messages, processes and threads: on this machine as a device ----------------------------------------------------


def begun_here(folder: Path) -> Path:
    """The same with one model, one round, and this machine as its device. Returns the results folder."""
    record = begun(folder / "results")
    (known,) = record.header.targets
    target = replace(known.target, kind="local", host=None, workdir=str(folder / "device"))
    cases = tuple(c for c in record.header.cases if (c.variant, c.runtime) == ("float32", RUNTIMES[0]))
    plan = replace(record.header.plan, rounds=1)
    record.save(replace(record.header, targets=(TargetRecord(target),), cases=cases, plan=plan))
    return folder / "results"


def told_of(results: Path) -> HarnessError | None:
    """How measuring ends; whatever it is, what was stored then stays, and another go comes to the end."""
    try:
        measured(results)
    except HarnessError as error:
        assert error.advice and "Traceback" not in str(error)
        return error
    return None


def comes_to(results: Path, sound: dict[str, list[float]], told: str) -> None:
    """What was stored stays, another go comes to the end, and nothing is left over."""
    path = results / "digits" / RUN_ID
    good = {
        name: when for name, when in stored(path).items() if read_piece(path / "raw/host" / name).status != "failed"
    }
    measured(results)
    assert {name: when for name, when in stored(path).items() if name in good} == good, told
    run = load(path)
    assert [s.status for s in run.shards] == ["ok"] and run.rounds and run.rounds[-1].status != "failed", told
    assert outputs_of(run) == sound, told
    assert [p for p in path.rglob("*") if p.name.endswith(LEFT)] == [], told


def outputs_of(run: Run) -> dict[str, list[float]]:
    return {f"{s.case} {s.first}": np.concatenate(s.outputs).ravel().tolist() for s in run.shards}


@pytest.fixture
def sound(own_lock: Path, tmp_path: Path) -> dict[str, list[float]]:
    results = begun_here(tmp_path / "sound")
    measured(results)
    return outputs_of(load(results / "digits" / RUN_ID))


@pytest.mark.slow
def test_a_message_that_is_lost_cut_or_doubled_loses_nothing(
    tmp_path: Path, sound: dict[str, list[float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "ANSWER_S", IMPATIENT_S)
    results = begun_here(tmp_path / "whole")
    whole = BrokenMessage("", 0, "", results.parent)
    with monkeypatch.context() as patch:
        whole.arm(patch)
        assert told_of(results) is None
    counts = {which: whole.counted(which) for which in ("host", "device")}
    assert counts["host"] > 10 and counts["device"] > 15
    every = [(w, n, h) for w, count in counts.items() for n in range(1, count + 1) for h in ("lost", "cut", "doubled")]
    seed = random.randrange(2**32)
    print(f"seed {seed}, {len(every)} faults")
    for which, n, how in every if os.environ.get("FAULTS") == "all" else random.Random(seed).sample(every, SOME_LINKS):
        folder = tmp_path / f"{which}-{n}-{how}"
        results = begun_here(folder)
        with monkeypatch.context() as patch:
            BrokenMessage(which, n, how, folder).arm(patch)
            error = told_of(results)
        assert error is None or error.exit_code == 3, f"{folder.name}: {error!r}"
        wait_for(lambda: not processes_with(str(folder)))  # noqa: B023
        comes_to(results, sound, f"{folder.name}: {error}")


def test_a_process_or_thread_that_cannot_start_is_told(
    tmp_path: Path, own_lock: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = begun_here(tmp_path)
    for n in range(1, 10):
        with monkeypatch.context() as patch:
            starts = BrokenStart(patch, n)
            error = told_of(results)
        if error is None:
            break
        assert isinstance(error, DiskError) and error.exit_code == 2 and "start" in str(error), repr(error)
    assert starts.count == n - 1 == 3  # the server, and two threads beside it
    assert load(results / "digits" / RUN_ID).finished


@pytest.mark.slow
def test_a_process_or_thread_that_cannot_start_on_a_device_loses_nothing(
    tmp_path: Path, own_lock: Path, sound: dict[str, list[float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    append(own_lock, "serve.py", ON_THE_DEVICE)
    every = range(1, 5)  # two threads, and for each runtime the process that its jobs are forked from
    for n in every if os.environ.get("FAULTS") == "all" else random.sample(every, SOME_LINKS):
        results = begun_here(tmp_path / str(n))
        monkeypatch.setenv("FAULT_AT", str(n))
        error = told_of(results)
        assert error and error.exit_code == 3, repr(error)
        assert ("can't start new thread" if n < 3 else "temporarily unavailable") in str(error), f"{n}: {error}"
        monkeypatch.setenv("FAULT_AT", "0")
        comes_to(results, sound, f"start {n}: {error}")


class Killed(BaseException):
    """The process ends here."""


def kill(*_: object, **__: object) -> None:
    raise Killed


rmtree = shutil.rmtree


def kill_at_aside(folder: Path, ignore_errors: bool = False) -> None:
    """Removes a folder; of a piece that is set aside one file, and then the process ends."""
    if ".old." in folder.name and folder.exists():
        (folder / "piece.json").unlink()
        raise Killed
    rmtree(folder, ignore_errors=ignore_errors)


def then_kill(set_aside: Callable[[Path], None]) -> Callable[[Path], None]:
    def wrapped(kept: Path) -> None:
        set_aside(kept)
        raise Killed

    return wrapped


@pytest.mark.parametrize("moment", ["withdrawn", "half removed", "removed", "renamed", "noted"])
def test_a_failed_piece_that_is_measured_again_may_be_killed_at_any_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """It is not told as changed by somebody, and its new answer is sealed."""
    record = begun(tmp_path)
    path = record.path
    measured(tmp_path)
    sound = answers(path)
    record = Store(tmp_path, trust=True).reopen(RUN_ID)
    failed = sorted((path / "raw" / "host").glob("shard-*"))[0]
    record.replaces("host", failed.name)
    monkeypatch.setattr(record, "_inodes", {k: v for k, v in record._inodes.items() if failed.name not in k})
    label = (failed / "piece.json").read_text().replace('"refused": ""', '"refused": "it was killed"')
    (failed / "piece.json").write_text(label)
    record.arrived("host")
    piece = read_piece(failed)
    assert isinstance(piece, Shard) and piece.status == "failed"

    with monkeypatch.context() as patch:
        if moment == "withdrawn":
            patch.setattr(jobs, "set_aside", kill)
        if moment == "half removed":
            patch.setattr(jobs.shutil, "rmtree", kill_at_aside)
        if moment == "removed":
            patch.setattr(jobs, "set_aside", then_kill(jobs.set_aside))
        if moment in ("renamed", "noted"):
            patch.setattr(Record, "arrived" if moment == "renamed" else "finish", kill)
        with pytest.raises(Killed):
            measured(tmp_path)
    measured(tmp_path)
    assert answers(path) == sound
    assert not list(path.glob("raw/host/*.part"))
