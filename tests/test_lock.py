"""device/lock.py: who holds the device is told by the system, whatever the file says."""

from __future__ import annotations

import fcntl
import getpass
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.device import lock

HOLD = "import fcntl, sys\nf = open(sys.argv[1])\nfcntl.flock(f, fcntl.LOCK_EX)\nprint(flush=True)\nsys.stdin.read()"


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(lock, "LOCK", str(tmp_path / "lock"))
    monkeypatch.setattr(lock, "AGAIN_S", 0)
    return tmp_path / "lock"


@contextmanager
def stranger(path: Path) -> Iterator[int]:
    """Another program holds the file, and says nothing in it."""
    with subprocess.Popen([sys.executable, "-c", HOLD, path], stdin=-1, stdout=-1) as process:
        assert process.stdout
        process.stdout.readline()
        yield process.pid


@pytest.mark.parametrize("said", ["", "ann@laptop, run 17, since 2026-01-01 10:00:00 UTC, process 1"])
def test_a_stranger_who_holds_the_device_is_named_by_process_and_user(path: Path, said: str) -> None:
    """What the file says is of a run that has ended."""
    path.write_text(said)
    with stranger(path) as pid:
        held, holder = lock.take("me")
        looked = lock.holder()
    assert held is None and holder == looked
    assert holder is not None and holder.startswith(f"process {pid} (") and f"of user {getpass.getuser()}" in holder
    assert "ann" not in holder


def test_where_the_system_does_not_say_who_the_file_does(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock.sensors, "read", lambda path: None)
    path.write_text("ann@laptop, run 17, since yesterday, process 1")
    with stranger(path):
        assert lock.take("me")[1] == lock.holder() == "ann@laptop, run 17, since yesterday, process 1"


def test_who_holds_it_is_known_from_outside_of_its_container(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read, said = lock.sensors.read, "ann@container, run 17, since today, process 12"
    path.write_text(said)
    with stranger(path) as pid:
        inside = f"NSpid:\t{pid}\t12"
        monkeypatch.setattr(lock.sensors, "read", lambda file: inside if file.endswith("/status") else read(file))
        assert lock.holder() == said


def test_a_file_that_was_replaced_before_it_was_locked_is_not_the_lock(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flock, times = fcntl.flock, iter([True, False])

    def replaced(file: object, how: int) -> None:
        if next(times):
            path.unlink()
            path.touch()
        flock(file, how)  # type: ignore[arg-type]

    monkeypatch.setattr(lock.fcntl, "flock", replaced)
    held, _ = lock.take("me")
    assert held is not None and os.path.samestat(os.fstat(held.fileno()), path.stat())
    assert path.read_text().startswith("me since")


def test_a_file_that_is_replaced_again_and_again_is_not_taken(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock.fcntl, "flock", lambda file, how: path.unlink())
    held, holder = lock.take("me")
    assert held is None and holder is not None and "again and again" in holder


def test_another_users_file_that_cannot_be_written_is_locked_all_the_same(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As older versions made it; root may write it, so it is refused here."""
    path.write_text("bob since long ago")
    opened = os.open

    def refusing(name: str, flags: int, mode: int = 0o777, **options: int) -> int:
        if name == str(path) and flags & os.O_RDWR:
            raise PermissionError(13, "Permission denied", name)
        return opened(name, flags, mode, **options)

    monkeypatch.setattr(lock.os, "open", refusing)
    held, _ = lock.take("me")
    told = f"process {os.getpid()}{lock.described(os.getpid())}, who did not say what for"
    assert held is not None and lock.holder() == told
    assert path.read_text() == "bob since long ago"


def test_what_is_there_is_not_created_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A system with fs.protected_regular refuses O_CREAT for another user's file in /tmp."""
    flags_of: list[int] = []
    opened = os.open

    def noted(name: str, flags: int, mode: int = 0o777) -> int:
        flags_of.append(flags)
        return opened(name, flags, mode)

    monkeypatch.setattr(lock.os, "open", noted)
    for _ in range(2):
        held, _ = lock.take("me")
        assert held is not None
        held.close()
    assert [bool(flags & os.O_CREAT) for flags in flags_of] == [False, True, False]
    assert stat.S_IMODE(path.stat().st_mode) == 0o666
