"""What came back from a device, read and checked: raw/<target>/<job-id>/ → Piece. Nothing in it is trusted."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field, FiniteFloat, TypeAdapter

from harness.device import protocol
from harness.device.engines import is_simulated
from harness.device.protocol import PHASES
from harness.errors import StoreError
from harness.measure.validity import with_status
from harness.records import Audit, Case, DeviceState, Job, Piece, Ran, Round, Shard, Tensor, Timings
from harness.records.terms import PieceKind, ShardStatus
from harness.support.arrays import StoredArray
from harness.support.files import check_disk, naming
from harness.support.foreign import dtype_of, read_bytes, read_json, read_npy, read_valid
from harness.support.text import harmless


@dataclass(frozen=True)
class Label:
    """What a folder holds: written by the host, so that it can be read without the job that asked for it."""

    case: Case
    kind: PieceKind
    first: int
    last: int
    attempt: int = 0
    host_ns: int | None = None
    restless_ratio: float | None = None
    samples: tuple[int, ...] = ()
    refused: str = ""  # why what came back is no answer to the job; it is kept as it came


PIECE = "piece.json"  # a Label
TIMING = np.dtype(protocol.TIMING)
TIMINGS_BYTES = TIMING.itemsize << 22  # four million; a round of the longest plan has a hundredth of it
SAID_BYTES = 8 << 20  # of result.json, of state.json: a model of 10,000 outputs has less
_LABEL = TypeAdapter(Label)
_TENSORS = TypeAdapter(tuple[Tensor, ...])
_STATE = TypeAdapter(DeviceState)
MOST = 2**53  # what a float can tell exactly, and more than anything here can be
_Count = Annotated[int, Field(ge=0, le=MOST)]
_MEMORY = TypeAdapter(dict[str, dict[str, _Count]])
_COUNT = TypeAdapter(_Count)
_NS = TypeAdapter(_Count | None)
_CANARY = TypeAdapter(tuple[_Count, ...])
_RAN = TypeAdapter(Annotated[Ran, Field()] | None)
_SECONDS = TypeAdapter(FiniteFloat | None)
_PAIR = TypeAdapter(FiniteFloat)


def label_piece(folder: Path, job: Job, host_ns: int | None, refused: str = "") -> None:
    place = job.first, job.last, job.attempt
    label = Label(job.case, job.kind, *place, host_ns, job.restless_ratio, job.samples, refused)
    with naming(folder / PIECE):
        (folder / PIECE).write_text(json.dumps(asdict(label)))


def read_piece(folder: Path) -> Piece:
    """The Round, Shard or Audit that the folder holds. Raises StoreError where a file is not what it must be, DiskError
    where the disk is at fault.
    """
    try:
        label = read_valid(folder / PIECE, _LABEL)
        state = {} if label.refused else read_json(folder / protocol.STATE, SAID_BYTES)
        result = _refused(label.refused) if label.refused else _result(folder, state["exit"])
        if label.kind == "latency":
            return with_status(_round(folder, label, result, state))
        return (_audit if label.kind == "audit" else _shard)(folder, label, result)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ArithmeticError) as error:
        check_disk(error)
        raise StoreError(f"{folder} cannot be read: {error}", "remove that folder and resume the run") from error


def _refused(why: str) -> Mapping[str, Any]:
    return {"status": "failed", "error": f"no answer of the device could be used: {why}"}


def _result(folder: Path, exit_code: int) -> Mapping[str, Any]:
    """result.json, or a failed result in its words where the process died before it could write one."""
    path = folder / protocol.RESULT
    if exit_code == 0 and path.exists():
        result: dict[str, Any] = read_json(path, SAID_BYTES)
        return result
    said = read_bytes(folder / protocol.STDERR).decode(errors="replace").strip().splitlines()
    how = f"signal {-exit_code}" if exit_code < 0 else f"exit code {exit_code}"
    return {"status": "failed", "error": f"the process died with {how}" + (f": {said[-1]}" if said else "")}


def _round(folder: Path, label: Label, result: Mapping[str, Any], state: Mapping[str, Any]) -> Round:
    if result["status"] != "ok":
        return Round(label.case, label.first, "failed", (one_line(result["error"]),), label.attempt)
    return Round(
        label.case,
        label.first,
        attempt=label.attempt,
        timings=_timings(folder / protocol.TIMINGS),
        memory_bytes=_MEMORY.validate_python(result["memory_bytes"]),
        clock_step_ns=_COUNT.validate_python(result["clock_step_ns"]),
        timing_pair_ns=_PAIR.validate_python(result["timing_pair_ns"]),
        before=_state(state["before"]),
        after=_state(state["after"]),
        device_ns=_COUNT.validate_python(state["device_ns"]),
        host_ns=label.host_ns,
        canary_ns=_CANARY.validate_python(result.get("canary_ns", ())),
        waited_s=_SECONDS.validate_python(state.get("waited_s")),
        start_temperature_c=_SECONDS.validate_python(state.get("start_temperature_c")),
        restless_ratio=label.restless_ratio,
        slowed=_SECONDS.validate_python(result.get("slowed")),
        started_s=_SECONDS.validate_python(state.get("started_s")),
        samples=label.samples,
        outputs=_answers(folder, label, result) if label.samples else (),
    )


def _state(said: object) -> DeviceState:
    """Raises ValueError where a number is larger than anything that a device can mean."""
    state: DeviceState = _STATE.validate_python(said)
    numbers = [value for value in asdict(state).values() if isinstance(value, int | float)]
    if not all(abs(value) <= MOST for value in numbers):
        raise ValueError("the state of the device holds numbers that nothing can be")
    return state


def _timings(path: Path) -> dict[str, Timings]:
    if path.stat().st_size > TIMINGS_BYTES:  # before they are in memory
        raise ValueError(f"{path.name} has {path.stat().st_size:,} bytes, and no round has over {TIMINGS_BYTES:,}")
    rows = read_npy(path, mapped=False)
    if (
        rows.dtype != TIMING
        or rows.ndim != 1
        or (rows["ns"] < 0).any()
        or (rows["ns"] > MOST).any()
        or (rows["count"] < 1).any()
    ):
        raise ValueError(f"{path.name} is not a table of timings")
    if PHASES.index("timed") not in rows["phase"] or rows["phase"].max() >= len(PHASES):
        raise ValueError(f"{path.name} has no timed invokes, or a phase that nobody knows")
    count, ns = (rows[name].astype(np.int64) for name in ("count", "ns"))
    phases = np.ascontiguousarray(rows["phase"])
    places = {name: own for n, name in enumerate(PHASES) if (own := np.flatnonzero(phases == n)).size}
    return {name: Timings(in_little(count[own]), ns[own]) for name, own in places.items()}


def in_little(counts: np.ndarray) -> np.ndarray:
    """The counts, which mostly are all the same, then in the room of one."""
    return np.broadcast_to(counts[:1].copy(), counts.shape) if (counts == counts[0]).all() else counts


def _shard(folder: Path, label: Label, result: Mapping[str, Any]) -> Shard:
    if result["status"] != "ok":
        return Shard(label.case, label.first, label.last, _ended(label, result), one_line(result["error"]))
    outputs, tensors = _outputs(folder, result)
    if misfit := _misfit(outputs, tensors, label.last - label.first):
        return Shard(label.case, label.first, label.last, "failed", misfit)
    answering_ns = _NS.validate_python(result.get("answering_ns"))
    ran, arena_bytes = _RAN.validate_python(result.get("ran")), _NS.validate_python(result.get("arena_bytes"))
    place = label.case, label.first, label.last
    return Shard(*place, outputs=outputs, tensors=tensors, answering_ns=answering_ns, ran=ran, arena_bytes=arena_bytes)


def _ended(label: Label, result: Mapping[str, Any]) -> ShardStatus:
    """A device is believed that it cannot run a file only of an engine that is known to lack kernels: rules leave out
    what is unsupported.
    """
    refuses = result["status"] == "unsupported" and is_simulated(label.case.runtime)
    return "unsupported" if refuses else "failed"


def _outputs(folder: Path, result: Mapping[str, Any]) -> tuple[tuple[StoredArray, ...], tuple[Tensor, ...]]:
    tensors = _TENSORS.validate_python([{k: v for k, v in t.items() if k != "index"} for t in result["outputs"]])
    return tuple(StoredArray.of(folder / protocol.output_file(n)) for n in range(len(tensors))), tensors


def _answers(folder: Path, label: Label, result: Mapping[str, Any]) -> tuple[StoredArray, ...]:
    """What was answered while it was timed. Raises ValueError where that is not what was asked for."""
    outputs, tensors = _outputs(folder, result)
    if misfit := _misfit(outputs, tensors, len(label.samples)):
        raise ValueError(misfit)
    return outputs


def _audit(folder: Path, label: Label, result: Mapping[str, Any]) -> Audit:
    """Raises ValueError where the samples are not distinct, or not as many as the label says."""
    if not len(set(label.samples)) == len(label.samples) == label.last or min(label.samples) < 0:
        raise ValueError("the samples of an audit are not as many as it says")
    shard = _shard(folder, replace(label, first=0, last=2 * label.last), result)
    return Audit(label.case, label.samples, shard.status, shard.reason, shard.outputs, shard.answering_ns)


def _misfit(outputs: Sequence[StoredArray], tensors: Sequence[Tensor], rows: int) -> str:
    """Why the outputs are not those of so many samples; "" where they are. Raises ValueError for what is no output."""
    for output, tensor in zip(outputs, tensors, strict=True):
        wanted = (rows, *tensor.sample_shape)
        if (tensor.scale is None) != (tensor.zero_point is None):
            raise ValueError(f"output {tensor.name} has a scale or a zero point, not both")
        if output.dtype != dtype_of(tensor.dtype):
            raise ValueError(f"output {tensor.name} is of {output.dtype}, not {tensor.dtype}")
        if output.shape != wanted:  # as where it depends on the values that go in
            return f"output {tensor.name} has shape {output.shape} where the model says {wanted}"
    return ""


def one_line(error: str) -> str:
    text: str = harmless(" ".join(error.split())[:300])
    return text
