"""device/disk.py: what a device keeps stays within its limit, and nothing goes that a job needs."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import time
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest

from harness.device import disk
from harness.device.disk import Blobs, drop_old_spools

Usage = namedtuple("Usage", "total used free")


@pytest.fixture(autouse=True)
def hundred_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "BLOBS_BYTES", 100)


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(str(tmp_path / "blobs"))


def name_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def bring(blobs: Blobs, *contents: bytes) -> None:
    """As a host brings what a job needs: it asks, sends what is missing, and the job runs."""
    missing = blobs.missing([name_of(data) for data in contents])
    for data in contents:
        if name_of(data) in missing:
            blobs.receive(name_of(data), len(data), [data])
    blobs.running = set(map(name_of, contents))


def kept(blobs: Blobs) -> set[str]:
    return {path.name for path in Path(blobs.folder).iterdir()}


def aged(blobs: Blobs, *contents: bytes) -> None:
    """The first was used longest ago."""
    for n, data in enumerate(contents):
        os.utime(blobs.path(name_of(data)), (1000 + n, 1000 + n))


MODEL, A, B, C = b"m" * 20, b"a" * 40, b"b" * 40, b"c" * 40


def test_blobs_stay_from_job_to_job_while_there_is_room(blobs: Blobs) -> None:
    bring(blobs, MODEL, A)
    bring(blobs, MODEL, B)
    assert kept(blobs) == {name_of(data) for data in (MODEL, A, B)}
    assert blobs.missing([name_of(A), name_of(C)]) == [name_of(C)]


def test_what_was_not_used_for_longest_goes_first(blobs: Blobs) -> None:
    bring(blobs, MODEL, A)
    bring(blobs, MODEL, B)
    aged(blobs, A, B, MODEL)
    bring(blobs, MODEL, C)
    assert kept(blobs) == {name_of(data) for data in (MODEL, B, C)}


def test_what_is_asked_for_counts_as_used(blobs: Blobs) -> None:
    bring(blobs, MODEL, A)
    bring(blobs, MODEL, B)
    aged(blobs, A, B, MODEL)
    bring(blobs, MODEL, A)
    bring(blobs, MODEL, C)
    assert kept(blobs) == {name_of(data) for data in (MODEL, A, C)}


def test_a_job_larger_than_the_limit_has_all_that_it_needs(blobs: Blobs) -> None:
    parts = [bytes([n]) * 60 for n in range(4)]
    bring(blobs, *parts)
    assert kept(blobs) == set(map(name_of, parts))
    bring(blobs, A)  # the job before may still be running
    assert kept(blobs) == {*map(name_of, parts), name_of(A)}
    bring(blobs, B)
    assert kept(blobs) == {name_of(A), name_of(B)}


def test_a_small_disk_gets_at_most_half_of_what_it_has_left(blobs: Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    bring(blobs, A)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(1000, 980, 20))  # 40 of blobs and 20 free
    blobs.missing([])
    blobs.running = set()
    blobs.receive(name_of(MODEL), len(MODEL), [MODEL])
    assert kept(blobs) == {name_of(MODEL)}


def test_a_hundred_stretches_take_no_more_than_the_limit(blobs: Blobs) -> None:
    most = 0
    for n in range(100):
        bring(blobs, MODEL, n.to_bytes(1, "big") * 30)
        most = max(most, sum(path.stat().st_size for path in Path(blobs.folder).iterdir()))
    assert 70 < most <= 100
    assert name_of(MODEL) in kept(blobs)


def test_damaged_bytes_are_not_kept(blobs: Blobs) -> None:
    with pytest.raises(ValueError, match="damaged"):
        blobs.receive(name_of(A), 40, [A[:20], B[:20]])
    assert kept(blobs) == set()


def test_what_a_killed_server_left_half_written_goes(tmp_path: Path) -> None:
    folder = tmp_path / "bl[o]bs"
    folder.mkdir()
    (folder / f"{name_of(A)}.part").write_bytes(A[:7])
    (folder / name_of(B)).write_bytes(B)
    assert kept(Blobs(str(folder))) == {name_of(B)}


@pytest.mark.parametrize("umask", [0o000, 0o777])
def test_what_is_kept_is_private_to_its_user_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    folder = tmp_path / "workdir" / "blobs"
    folder.parent.mkdir()
    before = os.umask(umask)
    try:
        for _ in range(2):
            disk.private(str(folder))
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
            folder.chmod(0o777)  # as an older version left it
    finally:
        os.umask(before)


def test_a_folder_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "ROOT", -1)
    uid = os.getuid()
    monkeypatch.setattr(disk.os, "getuid", lambda: uid + 1)
    with pytest.raises(PermissionError, match="belongs to another user; set a workdir"):
        Blobs(str(tmp_path))


def test_a_blob_that_another_user_may_still_write_to_is_sent_again(
    blobs: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring(blobs, b"a model")
    assert blobs.missing([name_of(b"a model")]) == []
    uid = os.getuid()
    monkeypatch.setattr(disk.os, "getuid", lambda: uid + 1)
    assert blobs.missing([name_of(b"a model")]) == [name_of(b"a model")]


def test_spools_that_nobody_came_back_for_go_after_two_weeks(tmp_path: Path) -> None:
    ages: dict[str, Any] = {"own": 20, "old": 15, "young": 13}
    for name, days in ages.items():
        (tmp_path / name / "a-job").mkdir(parents=True)
        then = time.time() - days * 86400
        os.utime(tmp_path / name, (then, then))
    drop_old_spools(str(tmp_path / "own"))
    assert {path.name for path in tmp_path.iterdir()} == {"own", "young"}
