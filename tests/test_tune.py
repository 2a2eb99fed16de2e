"""device/tune.py on a made-up sysfs, in a real server: the governor is set for a run and put back however that ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.devices import PATIENCE_S, RUNTIMES, append, device_source, endless, processes_with, wait_for, zipapp
from tests.test_serve import Host, serving

pytestmark = pytest.mark.usefixtures("traced")  # by coverage

SYSFS = "/sys/devices/system/cpu/cpu*/cpufreq/scaling_governor"
BEFORE = {"cpu0": "ondemand", "cpu1": "ondemand", "cpu2": "powersave", "cpu3": "ondemand"}


@pytest.fixture
def sysfs(tmp_path: Path) -> Path:
    """The governors of four cores, one of which differs."""
    for core, governor in BEFORE.items():
        folder = tmp_path / "cpu" / core / "cpufreq"
        folder.mkdir(parents=True)
        (folder / "scaling_governor").write_text(governor + "\n")
    return tmp_path / "cpu"


def governors(sysfs: Path) -> dict[str, str]:
    files = sysfs.glob("cpu*/cpufreq/scaling_governor")
    return {path.parts[-3]: path.read_text().strip() for path in sorted(files)}


def source_for(tmp_path: Path, sysfs: Path) -> Path:
    return device_source(tmp_path, (SYSFS, str(sysfs / "cpu*" / "cpufreq" / "scaling_governor")))


@pytest.fixture
def host(tmp_path: Path, sysfs: Path) -> Iterator[Host]:
    with serving(zipapp(source_for(tmp_path, sysfs)), tmp_path / "device") as found:
        yield found


def hello(host: Host, **fields: Any) -> dict[str, Any]:
    host.say("hello", workdir=str(host.workdir), run_id="a-run", who="me", **fields)
    return host.hear()


def put_back(sysfs: Path) -> None:
    """No sooner than the guard has done it, which is a process of its own."""
    wait_for(lambda: governors(sysfs) == BEFORE)


def test_a_tuned_run_sets_every_core_and_puts_each_back_as_it_was(host: Host, sysfs: Path) -> None:
    assert hello(host, tune=True)["event"] == "ready"
    assert set(governors(sysfs).values()) == {"performance"}
    assert host.end() == 0
    assert governors(sysfs) == BEFORE  # at once: the server waits for its guard


def test_a_run_that_was_not_asked_to_tune_touches_nothing(host: Host, sysfs: Path, tmp_path: Path) -> None:
    assert hello(host, tune=False)["event"] == "ready"
    assert governors(sysfs) == BEFORE
    assert not [pid for pid in processes_with(str(tmp_path)) if restores(pid)]


def restores(pid: int) -> bool:
    try:
        return b"\0restore\0" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "with a job"])
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_server_that_is_killed_leaves_the_governors_as_they_were(
    host: Host, sysfs: Path, how: signal.Signals, busy: bool
) -> None:
    hello(host, tune=True)
    if busy:
        host.job(endless(RUNTIMES[0]))
        host.running_job()
    host.server.send_signal(how)
    host.server.wait(PATIENCE_S)
    put_back(sysfs)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGHUP, signal.SIGKILL])
def test_what_hits_the_servers_whole_process_group_does_not_hit_the_guard(
    tmp_path: Path, sysfs: Path, how: signal.Signals
) -> None:
    """Ctrl-C in a terminal, a terminal that is closed, a supervisor that kills."""
    # Under nohup, or in a background job, the tests themselves ignore some of these signals, and so would the server.
    argv = ["env", "--default-signal", sys.executable, "-I", str(zipapp(source_for(tmp_path, sysfs))), "serve"]
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, start_new_session=True, stdin=pipe, stdout=pipe, stderr=pipe) as server:
        assert server.stdin and server.stdout
        hello = {"op": "hello", "workdir": str(tmp_path / "device"), "run_id": "a-run", "who": "me", "tune": True}
        server.stdin.write(json.dumps(hello).encode() + b"\n")
        server.stdin.flush()
        assert json.loads(server.stdout.readline())["event"] == "ready"
        assert set(governors(sysfs).values()) == {"performance"}
        time.sleep(0.5)  # it reads again by then: Python tells of a signal just before a read only after it
        os.killpg(server.pid, how)
        server.wait(PATIENCE_S)
        put_back(sysfs)


def test_a_server_that_its_host_forgot_leaves_them_as_they_were(tmp_path: Path, sysfs: Path) -> None:
    change = (SYSFS, str(sysfs / "cpu*" / "cpufreq" / "scaling_governor"))
    pyz = zipapp(device_source(tmp_path, change, ("SILENCE_S = 30", "SILENCE_S = 1")))
    with serving(pyz, tmp_path / "device") as host:
        hello(host, tune=True)
        assert host.server.wait(PATIENCE_S) == 0
        put_back(sysfs)


REFUSES = """
really = write
def write(path, value):
    if "/cpu2/" in path and value == "performance":
        raise OSError(22, "Invalid argument: " + path)
    really(path, value)
"""


def test_a_core_that_cannot_be_set_ends_the_run_and_the_others_are_put_back(tmp_path: Path, sysfs: Path) -> None:
    source = source_for(tmp_path, sysfs)
    append(source, "tune.py", REFUSES)
    with serving(zipapp(source), tmp_path / "device") as host:
        answer = hello(host, tune=True)
        assert answer["event"] == "error"
        assert answer["what"].startswith("tuning: ") and "Invalid argument" in answer["what"]
        assert "cpu2" in answer["what"]
        assert host.server.wait(PATIENCE_S) == 1
    assert governors(sysfs) == BEFORE


def test_a_governor_that_cannot_be_read_is_not_set_since_it_could_not_be_put_back(tmp_path: Path, sysfs: Path) -> None:
    (sysfs / "cpu1" / "cpufreq" / "scaling_governor").write_text("")
    with serving(zipapp(source_for(tmp_path, sysfs)), tmp_path / "device") as host:
        answer = hello(host, tune=True)
    assert answer["event"] == "error" and "cannot read" in answer["what"]
    assert governors(sysfs) == BEFORE | {"cpu1": ""}


def test_a_device_without_cpufreq_says_so(tmp_path: Path) -> None:
    with serving(zipapp(source_for(tmp_path, tmp_path / "nothing")), tmp_path / "device") as host:
        answer = hello(host, tune=True)
        assert answer == {
            "event": "error",
            "what": "tuning: this device has no cpufreq, so no governor to set",
            "data": b"",
        }
        assert host.server.wait(PATIENCE_S) == 1


def test_a_core_that_is_gone_when_the_guard_writes_does_not_keep_it_from_the_others(
    tmp_path: Path, sysfs: Path
) -> None:
    pyz = zipapp(source_for(tmp_path, sysfs))
    settings = {str(sysfs / core / "cpufreq" / "scaling_governor"): value for core, value in BEFORE.items()}
    gone = str(tmp_path / "cpu" / "cpu9" / "cpufreq" / "scaling_governor")
    for path in settings:
        Path(path).write_text("performance")
    argv = [sys.executable, "-I", str(pyz), "restore", json.dumps({gone: "ondemand"} | settings)]
    done = subprocess.run(argv, input=b"", capture_output=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 1 and gone in done.stderr.decode()
    assert governors(sysfs) == BEFORE


SUDO = """
real = open
def open(path, *args, **options):
    if str(path).endswith("scaling_governor") and args[:1] == ("w",):
        raise PermissionError(13, "Permission denied", path)
    return real(path, *args, **options)
"""


@pytest.mark.parametrize(("sudo", "works"), [('exec "$@"', True), ("echo a password is required >&2; exit 1", False)])
def test_what_a_user_may_not_write_goes_through_sudo_that_asks_no_password(
    tmp_path: Path, sysfs: Path, monkeypatch: pytest.MonkeyPatch, sudo: str, works: bool
) -> None:
    """Root may write everything, so that the refusal is made up as well."""
    command = tmp_path / "bin" / "sudo"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\n[ "$1" = -n ] && shift || exit 9\n{sudo}\n')
    command.chmod(0o755)
    monkeypatch.setenv("PATH", str(command.parent), prepend=os.pathsep)
    source = source_for(tmp_path, sysfs)
    append(source, "tune.py", SUDO)
    with serving(zipapp(source), tmp_path / "device") as host:
        answer = hello(host, tune=True)
        if works:
            assert answer["event"] == "ready"
            assert set(governors(sysfs).values()) == {"performance"}
        else:
            assert "a password is required" in answer["what"]
        host.end()
    assert governors(sysfs) == BEFORE
