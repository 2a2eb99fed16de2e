"""docs/reliability.md, row by row: what breaks on a device, what a device that lies says, and how long it may take."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.lib import format as npy

from harness.device import protocol
from harness.errors import TargetUnreachable
from harness.measure.connections import bounds, connect, server
from harness.measure.connections import device_code as device_code_module
from harness.measure.connections.device_code import device_code
from harness.measure.connections.local import install
from harness.measure.connections.server import ServerConnection
from harness.measure.connections.ssh import LACKS
from harness.measure.provision.doctor import doctor
from harness.measure.provision.probe import Here, look_at
from harness.measure.validity import with_status
from harness.records import Blob, Job, Round, Shard, Timings
from harness.support.cache import file_sha256
from tests.devices import append, device_source, processes_with
from tests.made_runs import case
from tests.test_connections import ignore, jobs_of, local, piece_of
from tests.test_jobs import Device, measured, work

Damage = Callable[[Path], object]


# What a power cut leaves.


def empty(path: Path) -> None:
    path.write_bytes(b"")


def zero_half(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] + bytes(len(content) - len(content) // 2))


def folder_instead(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES = [empty, zero_half, folder_instead]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_blob_is_sent_again(tmp_path: Path, own_lock: Path, damage: Damage) -> None:
    job, answers = jobs_of("int8")["outputs"], []
    samples = job.blobs["inputs/0-0.npy"]
    for name in ("before", "after"):
        with closing(connect(local(tmp_path), name)) as connection:
            piece = piece_of(connection, job, tmp_path / name)
            assert isinstance(piece, Shard) and piece.status == "ok"
            answers.append(np.asarray(piece.outputs[0]))
            sent = connection.bytes_sent["blobs"]
        damage(tmp_path / "device" / "blobs" / samples.sha256)
    np.testing.assert_array_equal(answers[0], answers[1])
    assert sent == len(samples.read())


def test_a_blob_that_changes_while_the_session_lasts_is_sent_again(tmp_path: Path, own_lock: Path) -> None:
    job = jobs_of("int8")["outputs"]
    model = job.blobs["model.tflite"]
    with closing(connect(local(tmp_path), "a-run")) as connection:
        connection.send(job.blobs.values())
        zero_half(kept := tmp_path / "device" / "blobs" / model.sha256)
        connection.send(job.blobs.values())
    assert file_sha256(kept) == model.sha256


@pytest.mark.parametrize("damage", [empty, zero_half])
@pytest.mark.parametrize("file", ["outputs/0.npy", "state.json", "result.json"])
def test_a_spooled_job_that_is_damaged_is_run_again(tmp_path: Path, own_lock: Path, file: str, damage: Damage) -> None:
    job = jobs_of("int8")["outputs"]
    with closing(connect(local(tmp_path), "a-run")) as first:
        first.send(job.blobs.values())
        first.run(job, ignore)  # and the power is cut before it is fetched
    spooled = tmp_path / "device" / "spool" / "a-run" / job.id
    right = np.load(spooled / "outputs" / "0.npy")
    damage(spooled / file)
    with closing(connect(local(tmp_path), "a-run")) as second:
        piece = piece_of(second, job, tmp_path / "piece")
    assert isinstance(piece, Shard) and piece.status == "ok"
    np.testing.assert_array_equal(np.asarray(piece.outputs[0]), right)


@pytest.mark.parametrize("damage", [empty, zero_half])
def test_damaged_device_code_is_named_by_doctor_and_written_again(
    tmp_path: Path, own_lock: Path, damage: Damage
) -> None:
    target = local(tmp_path)
    code = install(tmp_path / "device")
    damage(code)
    (found,) = (f for f in doctor(target, look_at(Here(target))) if f.topic == "code")
    assert found.level == "note" and code.name[:16] in found.text
    assert install(tmp_path / "device").read_bytes() == device_code()
    (found,) = (f for f in doctor(target, look_at(Here(target))) if f.topic == "code")
    assert found.level == "ok"


def test_a_device_behind_ssh_lacks_code_that_is_not_what_its_name_says(tmp_path: Path) -> None:
    path = install(tmp_path)

    def lacks() -> str:
        argv = ["sh", "-c", LACKS, "sh", "/bin/sh", str(path), path.stem]
        return subprocess.run(argv, capture_output=True, text=True, check=False).stdout

    assert lacks() == ""
    zero_half(path)
    assert lacks() == "code\n"
    path.unlink()
    assert lacks() == "code\n"


# Timings that cannot be.

SECOND = 10**9
IMPOSSIBLE: dict[str, tuple[list[tuple[int, int]], str]] = {  # a round of a second; (invokes, ns) of its timings
    "more than the process ran": ([(1, SECOND)] * 2, "its timings make 2.000 s"),
    "more than any clock shows": ([(1, 2**53)] * 2, "its timings make"),
    "65,535 invokes in a nanosecond": ([(65_535, 1)], "a call alone takes longer"),
    "no time": ([(1, 0)], "its clock stood"),
}


@pytest.mark.parametrize("what", IMPOSSIBLE)
def test_a_round_whose_timings_cannot_be_is_invalid(what: str) -> None:
    rows, told = IMPOSSIBLE[what]
    count, ns = (np.array(column) for column in zip(*rows, strict=True))
    found = with_status(Round(case(), 0, timings={"timed": Timings(count, ns)}, device_ns=SECOND, host_ns=SECOND))
    assert found.status == "invalid" and told in found.reasons[0]


@pytest.mark.parametrize("clock", ["device_ns", "host_ns"])
def test_timings_are_held_against_each_clock_by_itself(clock: str) -> None:
    """Even where both clocks agree within their slack, or only one is known."""
    timed = {"timed": Timings.of([SECOND // 2] * 3), "warmup": Timings.of([SECOND])}
    assert with_status(Round(case(), 0, timings=timed, **{clock: 2 * SECOND})).status == "invalid"  # type: ignore[arg-type]
    assert with_status(Round(case(), 0, timings=timed, **{clock: 5 * SECOND // 2})).status == "valid"  # type: ignore[arg-type]


def test_a_round_that_a_device_kept_is_measured_again_where_the_host_sees_it(tmp_path: Path, own_lock: Path) -> None:
    job = jobs_of("int8")["latency"]
    with closing(connect(local(tmp_path), "a-run")) as first:
        first.send(job.blobs.values())
        first.run(job, ignore)  # and the link breaks before it is fetched
    with closing(connect(local(tmp_path), "a-run")) as second:
        piece = piece_of(second, job, tmp_path / "piece")
    assert isinstance(piece, Round) and piece.host_ns is not None and piece.counts


# A device that lies: it speaks the protocol, and lies in one place. Each lie ends in TargetUnreachable, exit code 3.

SAYS = """
import json, os, subprocess, sys, time
def say(event, **fields):
    sys.stdout.buffer.write(json.dumps(dict(fields, event=event)).encode() + b"\\n")
    sys.stdout.flush()
def hear(op):
    while json.loads(sys.stdin.buffer.readline())["op"] != op: pass
def for_ever(event, **fields):
    while True: say(event, **fields) or time.sleep(.02)
def drip():
    while True: print(end=" ", flush=True) or time.sleep(.02)
def leave_another():  # which holds every pipe
    subprocess.Popen(["sleep", "9"], start_new_session=True)
    os.kill(os.getpid(), 9)
hear("hello")
"""
READY = "say('ready', environment={})\n"
BEGUN = READY + "hear('job')\nsay('begin')\n"
FETCHED = READY + "hear('fetch')\n"
BIG = Blob(lambda: bytes(1 << 20))
LACKS_BIG = f"{READY}hear('missing')\nsay('missing', sha256=[{BIG.sha256!r}])\n"
LACKING = LACKS_BIG + "for_ever('alive')"
TWICE = f"{FETCHED}for_ever('file', name='stderr.txt', size=0, sha256={hashlib.sha256().hexdigest()!r})"
IMPATIENT_S = 0.4  # instead of minutes
LATENCY = jobs_of("int8")["latency"]
FILE = "say('file', name='state.json', size=1 << 20, sha256='')\n"


def connected(connection: ServerConnection, folder: Path) -> None:
    raise AssertionError("it was never ready")


def run(connection: ServerConnection, folder: Path) -> object:
    return connection.run(replace(LATENCY, limit_s=0.0, spec={}, first=0, last=0, cooldown_timeout_s=0.0), ignore)


def send(connection: ServerConnection, folder: Path) -> None:
    connection.send([BIG])


def fetch(connection: ServerConnection, folder: Path) -> None:
    connection.fetch(LATENCY, folder)


LIES: dict[str, tuple[str, Callable[[ServerConnection, Path], object], str]] = {
    "is never ready": ("time.sleep(60)", connected, "did not get on"),
    "is never ready, and alive": ("for_ever('alive')", connected, "did not get on"),
    "drips a byte at a time": ("drip()", connected, "did not get on"),
    "lives, and does not say what it lacks": (READY + "for_ever('alive')", send, "did not get on"),
    "takes no byte of a blob": (LACKING, send, "did not get on"),
    "cools for ever": (READY + "hear('job')\nfor_ever('cooling', temperature_c=90)", run, "did not get on"),
    "lives for ever in a job": (BEGUN + "for_ever('alive')", run, "did not get on"),
    "makes no progress": (BEGUN + "for_ever('progress', done=1, of=9)", run, "did not get on"),
    "makes progress for ever": (BEGUN + "n = 0\nwhile True:\n n += 1\n say('progress', done=n, of=9)\n time.sleep(.02)",
        run, "did not get on"),
    "is done with a round that it never began": (READY + "while True:\n hear('job')\n say('done')\n",
        run, "never began it"),
    "speaks of another job": (READY + "hear('job')\nsay('begin', job_id='another')\ndrip()", run, "out of turn"),
    "has an id that is no text": (READY + "hear('job')\nsay('begin', job_id=[{}])\ndrip()", run, "out of turn"),
    "begins again and again": (BEGUN + "for_ever('begin')", run, "out of turn"),
    "ends a job, and is never done": (BEGUN + "say('end')\nfor_ever('alive')", run, "did not get on"),
    "drips a file": (FETCHED + FILE + "drip()", fetch, "did not get on"),
    "sends one file again and again": (TWICE, fetch, "twice"),
    "never has sent all": (FETCHED + "for_ever('alive')", fetch, "did not get on"),
    "ends before it is ready, and leaves another": ("leave_another()", connected, "lost host"),
    "ends in a job, and leaves another": (BEGUN + "leave_another()", run, "lost host"),
    "ends while it takes a blob, and leaves another": (LACKS_BIG + "leave_another()", send, "lost host"),
    "prints to stderr without end": (READY + "while True: sys.stderr.write('x' * 65536)", run, "to stderr"),
}  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
def test_no_lie_holds_the_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lie: str) -> None:
    for name in ("ANSWER_S", "INVOKE_S"):
        monkeypatch.setattr(bounds, name, IMPATIENT_S)
    monkeypatch.setattr(bounds, "READY_S", IMPATIENT_S if LIES[lie][1] is connected else 10)
    monkeypatch.setattr(server, "CLOSE_S", IMPATIENT_S)
    monkeypatch.setattr(bounds, "LEAST_BYTES_S", 4 << 20)
    script, verb, told = LIES[lie]
    (tmp_path / "liar.py").write_text(SAYS + script)
    argv, begin = [sys.executable, str(tmp_path / "liar.py")], time.monotonic()
    with pytest.raises(TargetUnreachable, match=told) as caught:  # noqa: SIM117
        with closing(ServerConnection(local(tmp_path), "a-run", argv, str(tmp_path))) as connection:
            verb(connection, tmp_path / "piece")
    assert caught.value.exit_code == 3 and "resume" in caught.value.advice
    assert time.monotonic() - begin < 8
    assert processes_with(str(tmp_path)) == []


def test_a_job_that_prints_without_end_is_ended_and_what_it_said_first_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = device_source(tmp_path, ("STDERR_LIMIT_BYTES = 16 << 20", "STDERR_LIMIT_BYTES = 1 << 20"))
    append(source, "job.py", "def run(job, say):\n    while True: os.write(2, b'printed\\n' * 1000)\n")
    monkeypatch.setattr(device_code_module, "SOURCE", source)
    with closing(connect(local(tmp_path), "a-run")) as connection:
        piece = piece_of(connection, LATENCY, tmp_path / "piece")
    assert isinstance(piece, Round) and piece.status == "failed" and "it printed over 1 MiB" in piece.reasons[0]
    kept = (tmp_path / "piece" / "stderr.txt").read_bytes()
    assert kept.startswith(b"printed\n") and len(kept) < 66_000


# Answers to something else.


def rewrite(file: str, change: Callable[[np.ndarray], np.ndarray]) -> Damage:
    return lambda folder: np.save(folder / file, change(np.load(folder / file)))


def retold(**changes: object) -> Damage:
    """The first output's tensor is told otherwise."""

    def damage(folder: Path) -> None:
        result = json.loads((folder / "result.json").read_text())
        result["outputs"][0] |= changes
        (folder / "result.json").write_text(json.dumps(result))

    return damage


def both(*damages: Damage) -> Damage:
    return lambda folder: [damage(folder) for damage in damages]


def one_more(folder: Path) -> None:
    result = json.loads((folder / "result.json").read_text())
    result["outputs"] *= 2
    (folder / "result.json").write_text(json.dumps(result))
    shutil.copyfile(folder / "outputs" / "0.npy", folder / "outputs" / "1.npy")


def said_ns(device_ns: int) -> Damage:
    """Another duration of the process, by its own clock."""

    def damage(folder: Path) -> None:
        state = json.loads((folder / "state.json").read_text())
        (folder / "state.json").write_text(json.dumps(state | {"device_ns": device_ns}))

    return damage


def slower(rows: np.ndarray) -> np.ndarray:
    """Each timed invoke takes a second."""
    rows["ns"][rows["phase"] == 6] = SECOND
    return rows


def endless_timings(folder: Path) -> None:
    """10⁹ timings that are all zeros: a file of 11 GB that takes no room on the disk."""
    with (folder / "latencies.npy").open("wb") as file:
        header = {"descr": protocol.TIMING, "fortran_order": False, "shape": (10**9,)}
        npy.write_array_header_1_0(file, header)
        file.truncate(file.tell() + 11 * 10**9)


OUTPUTS = "outputs/0.npy"
OTHER_ANSWERS: dict[str, tuple[str, Damage, str]] = {
    "another shape": ("outputs", both(rewrite(OUTPUTS, lambda a: a[:, :7]), retold(shape=[1, 7])), "of shape (7,)"),
    "another dtype": (
        "outputs",
        both(rewrite(OUTPUTS, lambda a: a.astype(np.float32)), retold(dtype="float32")),
        "is float32",
    ),
    "another scale": ("outputs", retold(scale=0.5), "has the scale and zero point 0.5"),
    "another zero point": ("outputs", retold(zero_point=3), "has the scale and zero point"),
    "one output more": ("outputs", one_more, "it sent 2 outputs"),
    "no timings": ("latency", lambda folder: (folder / "latencies.npy").unlink(), "cannot be read"),
    "one timing": ("latency", rewrite("latencies.npy", lambda rows: rows[rows["phase"] == 6][:1]), "it sent 1 timings"),
    "a million timings": (
        "latency",
        rewrite("latencies.npy", lambda rows: np.repeat(rows[rows["phase"] == 6], 20_000)),
        "it sent 1,000,000",
    ),
    "a round that ended early": ("latency", said_ns(10**6), "its process ran for 0.001 s, where 0.02 s were asked"),
    "a round that went on": (
        "latency",
        rewrite("latencies.npy", lambda rows: slower(np.append(rows, rows[rows["phase"] == 6][:1]))),
        "it timed for",
    ),
    "no warm-up": ("latency", rewrite("latencies.npy", lambda rows: rows[rows["phase"] != 5]), "it warmed up with"),
    "more timings than a memory may take": ("latency", endless_timings, "no round has over"),
    "a result without end": ("latency", lambda f: os.truncate(f / "result.json", 1 << 30), "has over 8,388,608 bytes"),
    "timings over all numbers": ("latency", rewrite("latencies.npy", lambda r: over_all_numbers(r)), "cannot be read"),
}


def over_all_numbers(rows: np.ndarray) -> np.ndarray:
    rows["ns"] = 2**63 - 1
    return rows


@pytest.mark.parametrize("what", OTHER_ANSWERS)
def test_an_answer_to_something_else_is_the_failure_of_its_row(tmp_path: Path, what: str) -> None:
    kind, damage, told = OTHER_ANSWERS[what]

    class Liar(Device):
        def fetch(self, job: Job, folder: Path) -> None:
            super().fetch(job, folder)
            if job.case == bad and job.kind == kind:
                damage(folder)

    known = work(rounds=1)
    known = replace(known, plan=replace(known.plan, max_runs=51))  # the recorded one ends at 50, as early as it may
    bad = next(case for case in known.cases if case.variant == "int8")
    liar, folder = Liar(), tmp_path / "raw"
    pieces = measured(liar, folder, known)
    failed = [piece for piece in pieces if piece.status == "failed"]
    assert len(failed) == 1 and failed[0].case == bad
    reason = failed[0].reasons[0] if isinstance(failed[0], Round) else failed[0].reason
    assert "no answer of the device could be used" in reason and told in reason
    assert len(liar.asked) == len(pieces) + 2
    assert {piece.case for piece in pieces if piece.status != "failed"} >= set(known.cases) - {bad}
    again = measured(Device(), folder, known)  # resumed with an honest device
    assert "failed" not in {piece.status for piece in again}
