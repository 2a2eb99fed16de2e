"""A process of its own: what is called there, what it prints, how it ends."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.errors import BuildError, DataError, DiskError
from harness.support import child_process
from harness.support.child_process import ChildProcess, allow


@pytest.fixture
def process(tmp_path):
    with ChildProcess(tmp_path / "logs" / "mine.log", DataError, "mine:f") as process:
        yield process


def divide(a: int, b: int) -> float:
    return a / b


def print_everywhere() -> None:
    print("python speaks", flush=True)
    os.write(1, b"native code speaks\n")
    os.write(2, b"and complains\n")


def die() -> None:
    os.write(2, b"last words\n")
    os._exit(134)


def out_of_time() -> None:
    raise TimeoutError


def hang() -> None:
    while True:
        time.sleep(1)


def ask_for_time(count: int) -> int:
    for _ in range(count):
        allow(2)
        time.sleep(0.5)
    return count


def test_calls_happen_in_one_other_process(process):
    there = {process.call(os.getpid) for _ in range(3)}
    assert len(there) == 1
    assert os.getpid() not in there


def test_a_script_without_a_guard_does_not_run_a_second_time(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(f"""
import os, pathlib
from harness.errors import BuildError, DataError, DiskError
from harness.support import child_process
from harness.support.child_process import ChildProcess
print("once", flush=True)
with ChildProcess(pathlib.Path({str(tmp_path / "mine.log")!r}), DataError, "mine") as process:
    assert process.call(os.getpid) != os.getpid()
    assert __import__("sys").modules["__main__"].__file__ == __file__
""")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "once\n"), done.stderr
    assert "once" not in (tmp_path / "mine.log").read_text()


def test_nothing_is_started_where_nothing_is_called(tmp_path):
    with ChildProcess(tmp_path / "mine.log", DataError, "mine:f"):
        pass
    assert not (tmp_path / "mine.log").exists()


def test_an_error_over_there_is_raised_here(process):
    assert process.call(divide, 3, 2) == 1.5
    with pytest.raises(ZeroDivisionError):
        process.call(divide, 1, 0)


def test_an_error_of_another_package_comes_as_words_for_its_class_would_have_to_be_imported_here(process):
    with pytest.raises(DataError, match="Expecting value"):
        process.call(json.loads, "no JSON")


def test_what_is_printed_goes_to_the_log(process, capfd):
    process.call(print_everywhere)
    said = process.log.read_text()
    assert all(words in said for words in ("python speaks", "native code speaks", "and complains"))
    assert capfd.readouterr() == ("", "")


def test_an_abort_is_an_error_of_the_class_that_was_given_and_names_the_log_and_the_next_call_works(process):
    before = process.call(os.getpid)
    with pytest.raises(DataError, match=r"^mine:f crashed its process") as caught:
        process.call(die)
    assert str(process.log) in str(caught.value)
    assert "last words" in process.log.read_text()
    assert process.call(os.getpid) != before


def test_what_never_ends_is_killed_and_the_next_call_works(tmp_path):
    with ChildProcess(tmp_path / "mine.log", DataError, "mine:f", limit_s=0.5) as process:
        before = process.call(os.getpid)
        with pytest.raises(DataError, match=r"^mine:f has no answer for 0\.5 s"):
            process.call(hang)
        assert process.call(os.getpid) != before
        assert not alive(before)


def test_a_call_that_goes_on_may_take_longer(tmp_path):
    with ChildProcess(tmp_path / "mine.log", DataError, "mine:f", limit_s=1) as process:
        assert process.call(ask_for_time, 5) == 5


def test_an_error_that_time_is_out_over_there_is_its_own(process):
    with pytest.raises(TimeoutError):
        process.call(out_of_time)


def test_the_process_is_gone_at_the_end(tmp_path):
    with ChildProcess(tmp_path / "mine.log", DataError, "mine:f") as process:
        there = process.call(os.getpid)
    deadline = time.monotonic() + 5
    while alive(there) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not alive(there)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("at", [1, 2])
def test_a_process_or_thread_that_cannot_start_is_told_and_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    """The second thread is the pool's own: that it is missing, nobody says."""
    from tests.faults import BrokenStart  # not above: each process of these tests would import all of it

    BrokenStart(monkeypatch, at, threads_only=True)
    monkeypatch.setattr(child_process, "START_S", 1.0)
    with ChildProcess(tmp_path / "log", BuildError, "it") as process, pytest.raises(DiskError, match="start") as caught:
        process.call(os.getpid)
    assert "ulimit -u" in caught.value.advice and not multiprocessing.active_children()
