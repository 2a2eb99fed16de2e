"""docs/reliability.md, row by row: what breaks on a device, what a device that lies says, and how long it may take."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from harness.measure.connections import connect
from harness.measure.connections.device_code import device_code
from harness.measure.connections.local import install
from harness.measure.connections.ssh import LACKS
from harness.measure.provision.doctor import doctor
from harness.measure.provision.probe import Here, look_at
from harness.measure.validity import with_status
from harness.records import Round, Shard, Timings
from harness.support.cache import file_sha256
from tests.made_runs import case
from tests.test_connections import ignore, jobs_of, local, piece_of

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
