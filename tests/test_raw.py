"""raw.py: what came back is read as it is, or refused; nothing in it is trusted."""

from __future__ import annotations

import errno
import io
import json
import pickle
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.device.job import PHASES, TIMING
from harness.errors import DiskError, StoreError
from harness.measure import raw
from harness.measure.raw import label_piece, read_piece
from harness.records import Audit, Case, Job, Round, Shard
from tests.devices import RECORDED

ROUND = "round-001.int8.ai-edge-litert.t1"
SHARD = "shard-000000.int8.ai-edge-litert.t1"
CASE = Case("int8", "host", "ai-edge-litert", 1)
Damage = Callable[[Path], object]


@pytest.fixture
def copy(tmp_path: Path) -> Callable[[str], Path]:
    return lambda name: Path(shutil.copytree(RECORDED / "raw" / "host" / name, tmp_path / name))


def edit(file: str, **changes: Any) -> Damage:
    """Damage: these keys of a JSON file hold something else; ... removes one."""

    def damage(folder: Path) -> None:
        content = json.loads((folder / file).read_text()) | changes
        (folder / file).write_text(json.dumps({key: value for key, value in content.items() if value is not ...}))

    return damage


def write(file: str, content: bytes) -> Damage:
    return lambda folder: (folder / file).write_bytes(content)


def remove(file: str) -> Damage:
    return lambda folder: (folder / file).unlink()


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def archive(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.savez(file, array)
    return file.getvalue()


def timings(*rows: tuple[int, int, int]) -> bytes:
    return npy(np.array(list(rows), TIMING))


TIMED = PHASES.index("timed")
HUGE = npy(np.zeros((7, 10), np.int8)).replace(b"(7, 10), }             ", b"(7, 9999999999999), }  ")


def test_a_round_is_read_as_it_was_measured() -> None:
    piece = read_piece(RECORDED / "raw" / "host" / ROUND)
    assert isinstance(piece, Round)
    assert (piece.case, piece.index, piece.status, piece.reasons) == (CASE, 1, "valid", ())
    assert set(piece.timings) == set(PHASES)
    raw = np.load(RECORDED / "raw" / "host" / ROUND / "latencies.npy")
    np.testing.assert_array_equal(piece.timings["timed"].ns, raw["ns"][raw["phase"] == TIMED])
    assert all(series.ns.dtype == series.count.dtype == np.int64 for series in piece.timings.values())
    assert sum(len(series) for series in piece.timings.values()) == len(raw)  # nothing is discarded
    assert piece.before.boot_id == piece.after.boot_id != None  # noqa: E711
    assert piece.clock_step_ns and piece.timing_pair_ns


def test_a_shard_is_read_as_the_runtime_gave_it() -> None:
    piece = read_piece(RECORDED / "raw" / "host" / SHARD)
    assert isinstance(piece, Shard)
    assert (piece.case, piece.first, piece.last, piece.status) == (CASE, 0, 500, "ok")
    assert (piece.outputs[0].shape, piece.outputs[0].dtype) == ((500, 10), np.int8)
    (tensor,) = piece.tensors
    assert (tensor.dtype, tensor.shape, tensor.scale, tensor.zero_point) == ("int8", (1, 10), 1 / 256, -128)


def test_of_each_timing_it_is_known_how_many_invokes_it_held(copy) -> None:
    folder = copy(ROUND)
    held = (1, 2, 4, 8, 8)
    (folder / "latencies.npy").write_bytes(timings(*((TIMED, count, 1000 * count) for count in held)))
    piece = read_piece(folder)
    assert isinstance(piece, Round) and tuple(piece.timings["timed"].count) == held
    assert piece.timings["timed"].invokes_ns.tolist() == [1000.0] * 5


def test_what_a_device_says_of_its_time_is_read(copy, audit: Path) -> None:
    """Of a round how long it cooled, and of answers how long they took."""
    cooled, shard = copy(ROUND), copy(SHARD)
    edit("state.json", waited_s=12.5, start_temperature_c=60, started_s=1.7e9)(cooled)
    piece = read_piece(cooled)
    assert isinstance(piece, Round)
    assert (piece.waited_s, piece.start_temperature_c, piece.started_s) == (12.5, 60.0, 1.7e9)
    for folder in (shard, audit):
        edit("result.json", answering_ns=7_000_000)(folder)
        said = read_piece(folder)
        assert isinstance(said, Shard | Audit) and said.answering_ns == 7_000_000


def test_answers_that_a_round_kept_are_read_and_of_another_shape_refused(copy) -> None:
    folder = copy(ROUND)
    edit("piece.json", samples=[4, 0, 2])(folder)
    (folder / "outputs").mkdir()
    kept = np.arange(30, dtype=np.int8).reshape(3, 10)
    np.save(folder / "outputs" / "0.npy", kept)
    piece = read_piece(folder)
    assert isinstance(piece, Round) and piece.samples == (4, 0, 2)
    np.testing.assert_array_equal(np.asarray(piece.outputs[0]), kept)
    np.save(folder / "outputs" / "0.npy", kept[:2])
    with pytest.raises(StoreError, match=r"shape \(2, 10\)"):
        read_piece(folder)


MALFORMED_ROUNDS: dict[str, Damage] = {
    "no timings": remove("latencies.npy"),
    "empty timings": write("latencies.npy", b""),
    "half a file of timings": lambda folder: (folder / "latencies.npy").write_bytes(
        (folder / "latencies.npy").read_bytes()[:-5]
    ),
    "timings of another dtype": write("latencies.npy", npy(np.zeros((9, 3), np.int64))),
    "timings of another shape": write("latencies.npy", npy(np.zeros((2, 2), TIMING))),
    "a pickle": write("latencies.npy", pickle.dumps([1, 2])),
    "a pickled array": write("latencies.npy", npy(np.array([{"evil": 1}], dtype=object))),
    "an archive": write("latencies.npy", archive(np.zeros(3, TIMING))),
    "negative nanoseconds": write("latencies.npy", timings((TIMED, 1, 100), (TIMED, 1, -1))),
    "a timing of no invoke": write("latencies.npy", timings((TIMED, 0, 100))),
    "a phase that nobody knows": write("latencies.npy", timings((TIMED, 1, 100), (len(PHASES), 1, 100))),
    "no timed invokes": write("latencies.npy", timings((0, 1, 100))),
    "no rows": write("latencies.npy", npy(np.zeros(0, TIMING))),
    "memory beyond all numbers": edit("result.json", memory_bytes={"first": {"VmHWM": 10**400}}),
    "a clock beyond all numbers": edit("state.json", device_ns=10**400),
    "nested without end": write("result.json", b"[" * 100_000),
    "no memory": edit("result.json", memory_bytes=...),
    "memory in words": edit("result.json", memory_bytes={"start": {"VmRSS": "much"}}),
    "no clock step": edit("result.json", clock_step_ns=...),
    "a clock step in words": edit("result.json", clock_step_ns="small"),
    "a cost that is a list": edit("result.json", timing_pair_ns=[1]),
    "no state": remove("state.json"),
    "no state before": edit("state.json", before=...),
    "a state of another form": edit("state.json", after={"temperature_c": "hot"}),
    "no exit code": edit("state.json", exit=...),
    "an exit code in words": edit("state.json", exit="killed"),
    "state that is no JSON": write("state.json", b"{"),
    "no status": edit("result.json", status=...),
    "failed without a word": edit("result.json", status="failed"),
    "failed with a list": edit("result.json", status="failed", error=["x"]),
    "a result that is a list": write("result.json", b"[1]"),
    "a result that is not text": write("result.json", b"\xff\xfe"),
    "no label": remove("piece.json"),
    "a label of another form": edit("piece.json", case="int8"),
}

MALFORMED_SHARDS: dict[str, Damage] = {
    "no outputs": remove("outputs/0.npy"),
    "empty outputs": write("outputs/0.npy", b""),
    "another dtype": write("outputs/0.npy", npy(np.zeros((500, 10), np.float32))),
    "a pickled array": write("outputs/0.npy", npy(np.full((500, 10), None, dtype=object))),
    "an archive": write("outputs/0.npy", archive(np.zeros((500, 10), np.int8))),
    "more than fits any memory": write("outputs/0.npy", HUGE),
    "a broken header": write("outputs/0.npy", HUGE.replace(b"}", b" ")),
    "a scale without a zero point": edit(
        "result.json", outputs=[{"name": "out", "dtype": "int8", "shape": [1, 10], "scale": 0.1, "zero_point": None}]
    ),
    "tensors without a name": edit("result.json", outputs=[{"dtype": "int8", "shape": [1, 10]}]),
    "tensors that are words": edit("result.json", outputs=["int8"]),
    "a dtype that numpy does not know": edit(
        "result.json", outputs=[{"name": "x", "dtype": "int7", "shape": [1, 10], "scale": None, "zero_point": None}]
    ),
}


def test_the_damaged_files_of_these_tests_are_what_their_names_say() -> None:
    assert b"9999999999999" in HUGE
    assert zipfile.is_zipfile(io.BytesIO(archive(np.zeros(1))))


@pytest.mark.parametrize("name", MALFORMED_ROUNDS)
def test_a_malformed_round_is_refused_with_its_folder(copy: Callable[[str], Path], name: str) -> None:
    folder = copy(ROUND)
    MALFORMED_ROUNDS[name](folder)
    with pytest.raises(StoreError, match=ROUND) as caught:
        read_piece(folder)
    assert "resume" in caught.value.advice


def test_a_fault_of_this_disk_is_none_of_the_device(
    copy: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends the run, which can be gone on with; the row has not failed."""

    def broken(path: Path, **_: object) -> None:
        raise OSError(errno.EIO, "Input/output error", str(path))

    folder = copy(ROUND)
    monkeypatch.setattr(raw, "read_npy", broken)
    with pytest.raises(DiskError, match="Input/output error") as caught:
        read_piece(folder)
    assert "dmesg" in caught.value.advice


def test_a_round_whose_clock_stood_is_invalid(copy: Callable[[str], Path]) -> None:
    folder = copy(ROUND)
    write("latencies.npy", timings((TIMED, 1, 100), (TIMED, 1, 0), (TIMED, 1, 90)))(folder)
    piece = read_piece(folder)
    assert isinstance(piece, Round)
    assert (piece.status, piece.reasons) == ("invalid", ("1 of 3 timings are 0 ns: its clock stood",))


@pytest.mark.parametrize("name", MALFORMED_SHARDS)
def test_a_malformed_shard_is_refused_with_its_folder(copy: Callable[[str], Path], name: str) -> None:
    folder = copy(SHARD)
    MALFORMED_SHARDS[name](folder)
    with pytest.raises(StoreError, match=SHARD):
        read_piece(folder)


@pytest.mark.parametrize("shape", [(499, 10), (500, 9)])
def test_outputs_of_another_shape_fail_their_case_and_no_other(
    copy: Callable[[str], Path], shape: tuple[int, ...]
) -> None:
    """As where a model's output is as long as the values that go in make it."""
    folder = copy(SHARD)
    write("outputs/0.npy", npy(np.zeros(shape, np.int8)))(folder)
    piece = read_piece(folder)
    assert isinstance(piece, Shard) and piece.status == "failed"
    assert f"has shape {shape} where the model says (500, 10)" in piece.reason


@pytest.mark.parametrize(
    ("exit_code", "stderr", "reason"),
    [
        (-9, "", "the process died with signal 9"),
        (-11, "INFO: delegate\nfatal: bad node\n\n", "the process died with signal 11: fatal: bad node"),
        (1, "KeyError: 'runtime'\n", "the process died with exit code 1: KeyError: 'runtime'"),
    ],
)
@pytest.mark.parametrize("name", [ROUND, SHARD])
def test_a_process_that_died_is_a_failed_piece_with_the_reason(
    copy: Callable[[str], Path], name: str, exit_code: int, stderr: str, reason: str
) -> None:
    folder = copy(name)
    edit("state.json", exit=exit_code)(folder)  # even where it had written its result before
    (folder / "stderr.txt").write_text(stderr)
    piece = read_piece(folder)
    assert piece.status == "failed"
    assert (piece.reasons[0] if isinstance(piece, Round) else piece.reason) == reason


def test_a_job_that_failed_is_a_failed_piece_with_its_error_in_one_short_line(copy: Callable[[str], Path]) -> None:
    folder = copy(SHARD)
    edit("result.json", status="failed", error="ValueError: op\n  is unknown " + "x" * 999)(folder)
    piece = read_piece(folder)
    assert isinstance(piece, Shard) and piece.status == "failed"
    assert piece.reason.startswith("ValueError: op is unknown xxx")
    assert len(piece.reason) == 300


def test_what_the_host_knows_of_a_piece_is_kept_beside_it(tmp_path: Path) -> None:
    job = Job("7", CASE, "latency", 3, 4, {}, {}, restless_ratio=1.5, attempt=2, samples=(7, 5))
    label_piece(tmp_path, job, 1234, "it is no answer")
    known = {"kind": "latency", "first": 3, "last": 4, "attempt": 2, "host_ns": 1234, "restless_ratio": 1.5}
    known |= {"case": asdict(CASE), "samples": [7, 5], "refused": "it is no answer"}
    assert json.loads((tmp_path / "piece.json").read_text()) == known
    piece = read_piece(tmp_path)  # nothing of what came is read
    assert isinstance(piece, Round) and (piece.index, piece.attempt, piece.status) == (3, 2, "failed")
    assert piece.reasons == ("no answer of the device could be used: it is no answer",)


# An audit: so many samples asked twice.


@pytest.fixture
def audit(tmp_path: Path) -> Path:
    name = "audit.int8.ai-edge-litert.t1"
    return Path(shutil.copytree(RECORDED.parent / "digits-schema-5" / "raw" / "host" / name, tmp_path / name))


@pytest.mark.parametrize("samples", [None, range(100), range(1, 101)], ids=["as recorded", "from 0", "from 1"])
def test_an_audit_is_read_with_its_samples_and_both_passes(audit: Path, samples: range | None) -> None:
    recorded = json.loads((audit / "piece.json").read_text())["samples"]
    edit("piece.json", samples=list(samples or recorded))(audit)
    piece = read_piece(audit)
    assert isinstance(piece, Audit)
    assert (piece.case, piece.status, piece.reason) == (CASE, "ok", "")
    assert piece.samples == tuple(samples or recorded)
    np.testing.assert_array_equal(np.asarray(piece.outputs[0]), np.load(audit / "outputs" / "0.npy"))


@pytest.mark.parametrize(
    "samples",
    [[0] * 100, list(range(99)), list(range(101)), [*range(99), -1], [*range(99), 0]],
    ids=["one a hundred times", "one too few", "one too many", "one before the first", "one twice"],
)
def test_an_audit_of_other_samples_than_it_says_is_refused(audit: Path, samples: list[int]) -> None:
    edit("piece.json", samples=samples)(audit)
    with pytest.raises(StoreError, match=r"audit\.int8.* not as many as it says"):
        read_piece(audit)


@pytest.mark.parametrize("rows", [100, 199, 300])
def test_an_audit_without_both_passes_has_failed(audit: Path, rows: int) -> None:
    """One pass alone, which nothing is held against, must not be taken for two that agree."""
    write("outputs/0.npy", npy(np.zeros((rows, 10), np.int8)))(audit)
    piece = read_piece(audit)
    assert isinstance(piece, Audit) and piece.status == "failed"
    assert f"has shape ({rows}, 10) where the model says (200, 10)" in piece.reason
