"""device/serve.py, run for real: the protocol, the lock, and that nothing is left running whatever ends first."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from harness.support.arrays import npy_bytes
from tests.devices import (
    PATIENCE_S,
    RECORDED,
    RUNTIMES,
    alive,
    append,
    children,
    device_source,
    endless,
    job_spec,
    stored_inputs,
    wait_for,
    zipapp,
)

pytestmark = pytest.mark.usefixtures("traced")  # by coverage
MODEL = (RECORDED / "variants" / "int8.tflite").read_bytes()
INPUTS = npy_bytes(stored_inputs(20))


class Host:
    """The host's end of the protocol, by hand."""

    def __init__(self, pyz: Path, workdir: Path, cwd: Path | None = None) -> None:
        self.workdir = workdir
        argv = [sys.executable, "-I", str(pyz), "serve"]
        pipe = subprocess.PIPE
        self.server = subprocess.Popen(argv, cwd=cwd, stdin=pipe, stdout=pipe, stderr=pipe)
        self.watchdog = threading.Timer(2 * PATIENCE_S, self.server.kill)  # no test hangs in a read
        self.watchdog.start()

    def say(self, op: str, data: bytes = b"", **fields: Any) -> None:
        assert self.server.stdin
        self.server.stdin.write(json.dumps(fields | {"op": op}).encode() + b"\n" + data)
        self.server.stdin.flush()

    def hear(self) -> dict[str, Any]:
        assert self.server.stdout
        message: dict[str, Any] = json.loads(self.server.stdout.readline())
        message["data"] = self.server.stdout.read(message["size"]) if message["event"] == "file" else b""
        return message

    def outcome(self) -> dict[str, Any]:
        """What comes of a job: the first message that does not merely tell how it goes."""
        while (message := self.hear())["event"] in ("cooling", "begin", "progress", "end", "alive"):
            pass
        return message

    def hello(self, run_id: str = "a-run", who: str = "me@here") -> dict[str, Any]:
        self.say("hello", workdir=str(self.workdir), run_id=run_id, who=who)
        return self.hear()

    def blob(self, data: bytes) -> str:
        name = hashlib.sha256(data).hexdigest()
        self.say("blob", data, sha256=name, size=len(data))
        return name

    def job(self, spec: dict[str, Any], job_id: str = "a-job", limit_s: float = 60) -> None:
        blobs = {"model.tflite": self.blob(MODEL), "inputs/0.npy": self.blob(INPUTS)}
        self.say("job", job_id=job_id, job=spec, blobs=blobs, limit_s=limit_s)

    def fetch(self, job_id: str = "a-job") -> dict[str, bytes]:
        self.say("fetch", job_id=job_id)
        files = {}
        while (message := self.hear())["event"] == "file":
            assert hashlib.sha256(message["data"]).hexdigest() == message["sha256"]
            files[message["name"]] = message["data"]
        assert message["event"] == "sent"
        return files

    def running_job(self) -> int:
        """The pid of the job's process, once it is past its start and has its runtime."""

        def with_runtime() -> int:
            return next((pid for pid in children(self.server.pid) if "tflite" in maps(pid)), 0)

        found: int = wait_for(with_runtime)
        return found

    def end(self) -> int:
        assert self.server.stdin
        self.server.stdin.close()
        return self.server.wait(PATIENCE_S)

    def close(self) -> None:
        self.watchdog.cancel()
        self.server.kill()
        self.server.wait()
        for stream in (self.server.stdin, self.server.stdout, self.server.stderr):
            assert stream
            try:
                stream.close()
            except BrokenPipeError:
                continue


def maps(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/maps").read_text().replace("ai_edge_litert", "tflite")
    except OSError:
        return ""


@pytest.fixture
def pyz(tmp_path: Path) -> Path:
    return zipapp(device_source(tmp_path))


@contextmanager
def serving(pyz: Path, workdir: Path, cwd: Path | None = None) -> Iterator[Host]:
    host = Host(pyz, workdir, cwd)
    try:
        yield host
    finally:
        host.close()


@pytest.fixture
def host(pyz: Path, tmp_path: Path) -> Iterator[Host]:
    with serving(pyz, tmp_path / "device") as found:
        yield found


# The protocol.


def test_hello_is_answered_with_what_the_device_is(host: Host) -> None:
    ready = host.hello()
    assert ready["event"] == "ready"
    assert ready["environment"]["cores"] == os.cpu_count()
    assert RUNTIMES[0] in ready["environment"]["runtimes"]


def test_only_blobs_that_are_not_there_are_missing(host: Host) -> None:
    host.hello()
    there, absent = host.blob(MODEL), "0" * 64
    host.say("missing", sha256=[there, absent])
    assert host.hear()["sha256"] == [absent]


def test_a_job_runs_and_its_files_can_be_fetched_until_they_have_arrived(host: Host) -> None:
    host.hello()
    host.job(job_spec("outputs", RUNTIMES[0]))
    assert host.outcome() == {"event": "done", "job_id": "a-job", "data": b""}
    files = host.fetch()
    assert set(files) == {"result.json", "state.json", "latencies.npy", "outputs/0.npy", "stderr.txt"}
    assert json.loads(files["result.json"])["status"] == "ok"
    state = json.loads(files["state.json"])
    assert state["exit"] == 0 and state["device_ns"] > 0 and set(state["before"]) == set(state["after"])
    host.say("fetched", job_id="a-job")
    assert host.fetch() == {}
    assert host.end() == 0
    assert list((host.workdir / "spool").iterdir()) == []


def test_every_round_starts_with_the_same_words_whatever_it_is_called(tmp_path: Path) -> None:
    """A longer argv takes the room of another's heap: memory figures would tell of names."""
    source = device_source(tmp_path)
    append(source, "job.py", SAYING_HOW_IT_WAS_CALLED)
    zipapp(source)
    with serving(Path("device.pyz"), tmp_path / "device", cwd=tmp_path) as host:  # a relative path, as ssh gives it
        host.hello()
        said = []
        for job_id in ("a", "a" * 64):
            host.job(job_spec("latency", RUNTIMES[0], min_s=0.0), job_id)
            assert host.outcome()["event"] == "done"
            files = host.fetch(job_id)
            assert json.loads(files["result.json"])["status"] == "ok"
            said.append(files["stderr.txt"])
    assert said[0] == said[1]
    assert said[0].split(b"\0")[-3:] == [b"job", b".", b""]


SAYING_HOW_IT_WAS_CALLED = """
said = read_bytes
def read_bytes(path):
    sys.stderr.write(open("/proc/self/cmdline").read())
    return said(path)
"""


def test_what_native_code_prints_in_the_server_is_no_message(tmp_path: Path) -> None:
    source = device_source(tmp_path)
    append(source, "sensors.py", 'quiet = state\ndef state():\n    os.write(1, b"noise\\n")\n    return quiet()\n')
    with serving(zipapp(source), tmp_path / "device") as host:
        host.hello()
        host.job(job_spec("outputs", RUNTIMES[0]))
        assert host.outcome()["event"] == "done"


def test_progress_is_told_while_a_job_runs(tmp_path: Path) -> None:
    source = device_source(tmp_path)
    append(source, "job.py", "PROGRESS_S = 0\n")
    with serving(zipapp(source), tmp_path / "device") as host:
        host.hello()
        host.job(job_spec("outputs", RUNTIMES[0]))
        told = [host.hear() for _ in range(23)]
    assert [message["event"] for message in told] == ["begin", *["progress"] * 20, "end", "done"]
    assert [(message["done"], message["of"]) for message in told[1:21]] == [(n, 20) for n in range(1, 21)]


# What it refuses.


def refusal(host: Host) -> str:
    """What the server said before it ended, by itself and without an abort."""
    message = host.hear()
    assert message["event"] == "error"
    assert host.server.wait(PATIENCE_S) in (0, 1)
    what: str = message["what"]
    return what


def test_a_blob_that_is_not_what_its_name_says_is_refused(host: Host) -> None:
    host.hello()
    name = hashlib.sha256(MODEL).hexdigest()
    host.say("blob", MODEL[:-1] + b"?", sha256=name, size=len(MODEL))
    assert "damaged" in refusal(host)
    assert not (host.workdir / "blobs" / name).exists()


@pytest.mark.parametrize("name", ["../../evil", "a/b", "..", ".hidden", "", "x" * 65, "a b", 7])
def test_a_job_id_that_is_no_plain_name_is_refused(host: Host, name: object) -> None:
    host.hello()
    host.say("job", job_id=name, job={}, blobs={}, limit_s=1)
    assert "not a name" in refusal(host)


@pytest.mark.parametrize("op", ["fetch", "fetched"])
def test_a_job_id_cannot_reach_out_of_the_spool_to_read_or_remove(host: Host, op: str) -> None:
    host.hello()
    host.say(op, job_id="../../blobs")
    assert "not a name" in refusal(host)
    assert (host.workdir / "blobs").is_dir()


def test_a_blobs_name_cannot_reach_out_of_the_blobs(host: Host) -> None:
    host.hello()
    host.say("blob", b"x", sha256="../evil", size=1)
    assert "not a name" in refusal(host)


@pytest.mark.parametrize("name", ["/evil", "../evil", "inputs/../../evil"])
def test_a_jobs_files_stay_in_its_directory(host: Host, name: str) -> None:
    host.hello()
    host.say("job", job_id="a-job", job={}, blobs={name: "0" * 64}, limit_s=1)
    assert "not a job file" in refusal(host)


def test_a_run_id_that_is_no_plain_name_ends_the_server(host: Host) -> None:
    host.say("hello", workdir=str(host.workdir), run_id="../evil", who="me")
    assert host.server.wait(PATIENCE_S) != 0
    assert not (host.workdir / "evil").exists()


@pytest.mark.parametrize("begun", [False, True])
def test_a_message_without_end_ends_the_server(host: Host, begun: bool) -> None:
    """It takes a MiB of memory and no more."""
    if begun:
        host.hello()
    assert host.server.stdin
    with suppress(BrokenPipeError):
        host.server.stdin.write(b"x" * (2 << 20))
        host.server.stdin.flush()
    if begun:
        assert "longer than 1048576 bytes" in refusal(host)
    else:
        assert host.server.wait(PATIENCE_S) == 1


def test_a_message_that_is_cut_is_not_obeyed(host: Host) -> None:
    host.hello()
    name = host.blob(MODEL)
    assert host.server.stdin
    host.server.stdin.write(json.dumps({"op": "missing", "sha256": [name]}).encode())
    host.server.stdin.close()
    assert "cut" in refusal(host)


# The lock.


def test_a_second_server_is_told_who_holds_the_device(pyz: Path, tmp_path: Path) -> None:
    with serving(pyz, tmp_path / "one") as first, serving(pyz, tmp_path / "two") as second:
        first.hello(who="ann@laptop, run 17,")
        answer = second.hello()
        assert answer["event"] == "busy"
        assert answer["holder"].startswith("ann@laptop, run 17, since 20")
        assert second.server.wait(PATIENCE_S) == 1


def test_a_server_that_is_killed_frees_the_device(pyz: Path, tmp_path: Path) -> None:
    with serving(pyz, tmp_path / "one") as first:
        first.hello(who="someone with a longer name than the next")
        first.server.kill()
        first.server.wait()
    with serving(pyz, tmp_path / "two") as second, serving(pyz, tmp_path / "three") as third:
        assert second.hello(who="bob")["event"] == "ready"
        assert third.hello()["holder"].startswith("bob since")


def broken_lock(path: Path, kind: str) -> None:
    if kind == "symlink":
        path.symlink_to(path.with_name("another"))
    elif kind == "folder":
        path.mkdir()
    elif kind == "second name":
        (path.with_name("precious")).write_text("data")
        path.hardlink_to(path.with_name("precious"))
    else:
        os.mkfifo(path)


@pytest.mark.parametrize("kind", ["symlink", "folder", "pipe", "second name"])
def test_a_lock_that_is_not_a_file_is_busy_and_named(pyz: Path, tmp_path: Path, kind: str) -> None:
    broken_lock(tmp_path / "device.lock", kind)
    with serving(pyz, tmp_path / "one") as host:
        answer = host.hello()
    assert answer["event"] == "busy"
    assert f"{tmp_path / 'device.lock'}, which cannot be locked" in answer["holder"]
    assert not (tmp_path / "another").exists()
    assert kind != "second name" or (tmp_path / "precious").read_text() == "data"


def test_a_lock_that_holds_no_text_is_busy_while_it_is_held(pyz: Path, tmp_path: Path) -> None:
    path = tmp_path / "device.lock"
    path.write_bytes(b"ann \xff\xfe")
    with path.open() as file, serving(pyz, tmp_path / "one") as first:
        fcntl.flock(file, fcntl.LOCK_EX)
        answer = first.hello()
    assert answer["event"] == "busy" and str(os.getpid()) in answer["holder"]
    with serving(pyz, tmp_path / "two") as second:
        assert second.hello()["event"] == "ready"


@pytest.mark.parametrize("umask", [0o000, 0o077, 0o777])
def test_another_user_can_lock_it_whatever_the_first_ones_umask_is(pyz: Path, tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        with serving(pyz, tmp_path / "no such folder") as host:
            host.hello()
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "device.lock").stat().st_mode) == 0o666


def test_a_workdir_that_another_device_works_in_is_busy(pyz: Path, tmp_path: Path) -> None:
    """Boards with one home folder, and containers, have a lock each: one removed what the other's was receiving."""
    blobs = tmp_path / "one/blobs"
    with serving(pyz, tmp_path / "one") as first:
        assert first.hello()["event"] == "ready"
        (blobs / "half.part").touch()
        (tmp_path / "device.lock").rename(tmp_path / "lock of the first")
        with serving(pyz, tmp_path / "one") as second:
            answer = second.hello()
        assert answer["event"] == "busy" and f"the same workdir {tmp_path / 'one'}:" in answer["holder"]
        assert (blobs / "half.part").exists()
    with serving(pyz, tmp_path / "one") as third:
        assert third.hello()["event"] == "ready" and not (blobs / "half.part").exists()


# How it ends.


def test_the_end_of_stdin_ends_the_server_and_its_job(host: Host) -> None:
    host.hello()
    host.job(endless(RUNTIMES[0]))
    job = host.running_job()
    begin = time.monotonic()
    assert host.end() == 0
    assert time.monotonic() - begin < 5
    assert not alive(job)
    assert not list(host.workdir.glob("spool/*/*/state.json"))  # what was cut short was not measured


def test_a_killed_server_takes_its_job_with_it(host: Host) -> None:
    host.hello()
    host.job(endless(RUNTIMES[0]))
    job = host.running_job()
    host.server.kill()
    wait_for(lambda: not alive(job), 5)


def test_a_job_that_has_hardly_begun_does_not_outlive_a_killed_server_either(host: Host) -> None:
    host.hello()
    host.job(endless(RUNTIMES[0]))
    (job,) = wait_for(lambda: children(host.server.pid))
    host.server.kill()
    wait_for(lambda: not alive(job), 5)


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "with a job"])
def test_a_server_that_hears_nothing_ends_and_so_does_its_job(tmp_path: Path, busy: bool) -> None:
    pyz = zipapp(device_source(tmp_path, ("SILENCE_S = 30", "SILENCE_S = 1")))
    with serving(pyz, tmp_path / "device") as host:
        host.hello()
        jobs = []
        if busy:
            host.job(endless(RUNTIMES[0]))
            jobs = wait_for(lambda: children(host.server.pid))
        assert host.server.wait(8) == 0
        assert not any(alive(job) for job in jobs)


@pytest.mark.alone
def test_a_heartbeat_keeps_a_server_alive(tmp_path: Path) -> None:
    pyz = zipapp(device_source(tmp_path, ("SILENCE_S = 30", "SILENCE_S = 2")))
    with serving(pyz, tmp_path / "device") as host:
        host.hello()
        for _ in range(8):
            time.sleep(0.4)
            host.say("alive")
        assert host.server.poll() is None


@pytest.mark.alone
def test_a_server_tells_that_it_lives(tmp_path: Path) -> None:
    pyz = zipapp(device_source(tmp_path, ("HEARTBEAT_S = 5", "HEARTBEAT_S = 1")))
    with serving(pyz, tmp_path / "device") as host:
        host.hello()
        begin = time.monotonic()
        assert [host.hear()["event"] for _ in range(2)] == ["alive", "alive"]
        assert 1 < time.monotonic() - begin < 4


@pytest.mark.parametrize("room", [0, 10], ids=["full", "nearly full"])
def test_signs_of_life_for_which_there_is_no_room_hold_nothing_up(tmp_path: Path, room: int) -> None:
    """A pipe that nobody reads must not keep the server from noticing that its host is gone."""
    changes = ("HEARTBEAT_S = 5", "HEARTBEAT_S = 1"), ("SILENCE_S = 30", "SILENCE_S = 3"), ("END_S = 5", "END_S = 0.2")
    source = device_source(tmp_path, *changes)
    append(source, "serve.py", FILLING % room)
    with serving(zipapp(source), tmp_path / "device") as host:
        host.hello()
        host.say("missing", sha256=[])
        assert host.server.wait(10) in (0, 1)


FILLING = """
import fcntl
def fill(names):
    size = fcntl.fcntl(1, 1032)  # F_GETPIPE_SZ; fd 1 is stderr here, a pipe of the same size
    os.write(PIPE, b" " * (size - %d))
    return []
class Filled(Channel):
    def __init__(self):
        super().__init__()
        global PIPE
        PIPE = self.output.fileno()
    def say(self, event, data=None, **fields):
        fill([]) if event == "missing" else super().say(event, data, **fields)
Channel = Filled
"""


def test_a_server_that_is_stuck_in_a_write_to_nobody_ends_with_its_stdin(tmp_path: Path) -> None:
    source = device_source(tmp_path, ("END_S = 5", "END_S = 0.2"))
    talkative = (
        'quiet = read_bytes\ndef read_bytes(path):\n    sys.stderr.write("x" * (4 << 20))\n    return quiet(path)\n'
    )
    append(source, "job.py", talkative)
    with serving(zipapp(source), tmp_path / "device") as host:
        host.hello()
        host.job(job_spec("outputs", RUNTIMES[0]))
        assert host.outcome()["event"] == "done"
        host.say("fetch", job_id="a-job")  # more than a pipe holds, and nobody reads
        time.sleep(0.3)
        assert host.server.poll() is None
        host.end()


def test_a_job_that_makes_no_progress_is_ended_at_its_time_limit_and_says_so(host: Host) -> None:
    host.hello()
    host.job(endless(RUNTIMES[0]), limit_s=0.5)
    wait_for(lambda: children(host.server.pid))
    assert host.outcome()["event"] == "done"
    assert children(host.server.pid) == []
    files = host.fetch()
    assert json.loads(files["state.json"])["exit"] == -signal.SIGKILL
    assert b"no answer for 0.5 s, so it was ended" in files["stderr.txt"]


SLOW_SAMPLES = """
def read_slowly(self):
    time.sleep(0.1)
    return [self.interpreter.get_tensor(tensor["index"])[0] for tensor in self.outputs]


PROGRESS_S, Model.get = 0, read_slowly
"""


@pytest.mark.parametrize("kind", ["outputs", "latency"])
def test_a_job_may_take_longer_than_its_limit_where_it_makes_progress(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """2 s of work in either, with a limit of 1 s: 20 samples, or the timings of 2 s told each .1 s."""
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)  # its start counts, too
    source = device_source(tmp_path, ("ROUND_PROGRESS_NS = 60 * 10**9", "ROUND_PROGRESS_NS = 10**8"))
    append(source, "job.py", SLOW_SAMPLES if kind == "outputs" else "")
    spec = job_spec("outputs", RUNTIMES[0])
    if kind == "latency":
        spec = job_spec("latency", RUNTIMES[0], min_s=2.0, max_runs=10**9)
    with serving(zipapp(source), tmp_path / "device") as host:
        host.hello()
        begin = time.monotonic()
        host.job(spec, limit_s=1.0)
        assert host.outcome()["event"] == "done"
        assert time.monotonic() - begin > 2
        files = host.fetch()
    assert json.loads(files["state.json"])["exit"] == 0
    assert json.loads(files["result.json"])["status"] == "ok"


def test_a_job_that_closes_its_end_and_hangs_is_ended_too(tmp_path: Path) -> None:
    source = device_source(tmp_path)
    append(source, "job.py", "def leave():\n    os.closerange(3, 64)\n    time.sleep(600)\n")
    with serving(zipapp(source), tmp_path / "device") as host:
        host.hello()
        host.job(job_spec("outputs", RUNTIMES[0]), limit_s=1.0)
        assert host.outcome()["event"] == "done"
        assert b"no answer for 1 s" in host.fetch()["stderr.txt"]


# The spool.


def test_a_job_that_was_spooled_is_not_run_again(pyz: Path, tmp_path: Path) -> None:
    spec = job_spec("latency", RUNTIMES[0])
    with serving(pyz, tmp_path / "device") as host:
        host.hello()
        host.job(spec)
        host.outcome()
        before = host.fetch()
        host.end()  # before "fetched": the link broke, for all the device knows
    with serving(pyz, tmp_path / "device") as host:
        host.hello()
        host.job(spec)
        assert host.outcome()["event"] == "done"
        assert host.fetch() == before
        host.job(job_spec("latency", RUNTIMES[0], min_runs=31), "a-job")
        host.outcome()
        assert host.fetch()["state.json"] != before["state.json"]  # another job of that name is another job


def test_what_another_device_spooled_in_the_same_folder_does_not_count(pyz: Path, tmp_path: Path) -> None:
    """Boards may have one home folder, and a run several boards: its ids of jobs are the same on each."""
    found = []
    for _ in range(2):
        with serving(pyz, tmp_path / "device") as host:
            host.hello()
            host.job(job_spec("outputs", RUNTIMES[0]))
            host.outcome()
            found.append(host.fetch()["state.json"])
            host.end()
        (spec,) = (tmp_path / "device/spool").glob("*/*/spec.json")
        spec.write_text(json.dumps(json.loads(spec.read_text()) | {"device": "another"}, sort_keys=True))
    assert found[0] != found[1]


def test_a_spooled_job_of_another_run_does_not_count(pyz: Path, tmp_path: Path) -> None:
    found = []
    for run_id in ("one", "two"):
        with serving(pyz, tmp_path / "device") as host:
            host.hello(run_id)
            host.job(job_spec("outputs", RUNTIMES[0]))
            host.outcome()
            found.append(host.fetch()["state.json"])
            host.end()
    assert found[0] != found[1]
