"""Two at once: the second is told who is at it and since when, and nothing is lost."""

from __future__ import annotations

import multiprocessing
import os
import shutil
from pathlib import Path

import pytest

from harness import pipeline
from harness.errors import StoreError
from harness.runs import references
from harness.runs.loading import load
from harness.runs.record import measuring
from harness.runs.store import Store
from harness.support.locks import locked
from tests.conftest import Call
from tests.devices import Quiet
from tests.sealed_runs import RUN_ID, sealed_run, unfinished_run

FORK = multiprocessing.get_context("fork")


def test_the_second_is_told_who_holds_it_and_since_when(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    with locked(file, "the run"), pytest.raises(StoreError) as caught, locked(file, "the run"):
        pass
    assert f"process {os.getpid()}" in str(caught.value) and "since 20" in str(caught.value)
    assert not file.exists()
    with locked(file, "the run"):
        pass


def test_a_lock_of_a_process_that_died_is_free(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("somebody@somewhere, process 1, since long ago")
    with locked(tmp_path / "lock", "the run"):
        assert f"process {os.getpid()}" in (tmp_path / "lock").read_text()


def test_a_link_in_the_place_of_a_lock_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("data")
    (tmp_path / "lock").symlink_to(tmp_path / "precious")
    with pytest.raises(OSError, match=r".*"), locked(tmp_path / "lock", "the run"):
        pass
    assert (tmp_path / "precious").read_text() == "data"


def add_one(file: str, times: int) -> None:
    path = Path(file)
    for _ in range(times):
        with locked(path.with_suffix(".lock"), "the count", wait_s=30):
            path.write_text(str(int(path.read_text()) + 1))


def test_nobody_counts_over_another(tmp_path: Path) -> None:
    count = tmp_path / "count"
    count.write_text("0")
    processes = [FORK.Process(target=add_one, args=(str(count), 40)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert count.read_text() == "160"


def test_a_run_that_is_measured_is_not_measured_twice(tmp_path: Path) -> None:
    """The second changes nothing: the first's run stays unfinished until the first ends it."""
    record = unfinished_run(tmp_path)
    before = (record.path / "run.json").read_bytes()
    with measuring(record.path), pytest.raises(StoreError, match=rf"run {RUN_ID} is in use by .*process"):
        pipeline.resume(RUN_ID, Store(tmp_path), Quiet())
    assert (record.path / "run.json").read_bytes() == before
    record.finish()
    assert load(record.path).unsealed == "", "the lock is no part of the run"


def test_sessions_that_two_add_at_once_are_both_kept(tmp_path: Path) -> None:
    ids = [f"2026010{n}-000000-0000" for n in range(1, 6)]
    for run_id in ids:
        sealed_run(tmp_path, run_id)
    references.accept(Store(tmp_path), ids[:1])
    processes = [FORK.Process(target=references.add, args=(Store(tmp_path), [run_id])) for run_id in ids[1:]]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert {path.name for path in references.accepted_runs(Store(tmp_path), "digits", print)} == set(ids)


# latest.


def test_latest_is_what_was_finished_last_and_what_is_newer_is_said(tmp_path: Path, harness: Call) -> None:
    sealed_run(tmp_path, "20260101-000000-0000")
    refused = unfinished_run(tmp_path, "20260102-000000-0000")
    shutil.rmtree(refused.path / "raw")
    store = Store(tmp_path)
    assert store.find("latest").name == "20260101-000000-0000"
    assert store.find("latest", finished=False).name == "20260102-000000-0000"
    code, out, err = harness("gate", "latest", "--results", str(tmp_path))
    assert code in (0, 1) and "20260101-000000-0000" in out
    assert "20260102-000000-0000, newer, is not finished" in err


def test_where_none_is_finished_the_latest_is_the_newest(tmp_path: Path) -> None:
    for run_id in ("20260101-000000-0000", "20260102-000000-0000"):
        unfinished_run(tmp_path, run_id)
    assert Store(tmp_path).find("latest").name == "20260102-000000-0000"
