"""Every operation on files fails once, and every moment is one in which a run is killed: nothing is lost or believed.

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
from harness.measure.raw import read_piece
from harness.records import Shard
from harness.runs.loading import load
from harness.runs.record import Record
from harness.runs.store import Store
from harness.support.files import telling_disk
from tests.devices import RECORDED, Quiet
from tests.faults import Faults
from tests.sealed_runs import RUN_ID, unfinished_run

SOME = 25
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
    pipeline.measure_target(record, record.header.targets[0], Quiet())
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
