"""Whether what came back is an answer to what was asked: the shapes and dtypes of the variant's own file, the number of
samples and timings of the job. A device is believed in nothing of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from harness.errors import StoreError
from harness.measure.connections.bounds import number
from harness.measure.raw import one_line, read_piece
from harness.records import Job, Piece, Round, Shard, Tensor, Variant

NS = 1e9
PHASES_ASKED = (("warmup", "warmup"), ("timed", "min"))  # phase, and what its seconds and runs are called in a job


def refusal(folder: Path, job: Job) -> str:
    """Why the folder holds no answer to the job; "" where it holds one."""
    try:
        piece = read_piece(folder)
    except StoreError as error:
        return one_line(f"what it sent cannot be read: {error.__cause__!r}")
    if isinstance(piece, Round):
        return wrong_number(piece, job) or other_duration(piece, job) or other_outputs(piece, job.outputs)
    return other_outputs(piece, job.outputs)


def wrong_number(piece: Round, job: Job) -> str:
    """Why the timings are not as many as were asked for; "" for a failed round."""
    if piece.timed is None:
        return ""
    least, most = (job.spec[name] for name in ("min_runs", "max_runs"))
    assert isinstance(least, int) and isinstance(most, int)
    if min(least, most) <= len(piece.timed) <= most:
        return ""
    return f"it sent {len(piece.timed):,} timings, where {least:,} to {most:,} were asked for"


def other_duration(piece: Round, job: Job) -> str:
    """Why the round is shorter or longer than the plan's seconds, which device/job.py keeps to; "" where it is not."""
    if piece.timed is None:
        return ""
    asked = {phase: (number(job, f"{name}_s"), number(job, f"{name}_runs")) for phase, name in PHASES_ASKED}
    warmup = piece.timings.get("warmup")
    if (0 if warmup is None else warmup.count.sum()) < asked["warmup"][1]:
        return f"it warmed up with fewer than the {asked['warmup'][1]:,.0f} invokes that were asked for"
    whole = len(piece.timed) >= number(job, "max_runs")  # it may end early then
    least_s = asked["warmup"][0] + (0 if whole else asked["timed"][0])
    if piece.device_ns is not None and piece.device_ns < least_s * NS:
        return f"its process ran for {piece.device_ns / NS:.3f} s, where {least_s:g} s were asked for"
    return over_time(piece.timed.ns, *asked["timed"])


def over_time(ns: np.ndarray, seconds: float, least: float) -> str:
    """Why a further timing was begun after the seconds and the least number of timings were reached; "" where none was.
    Of those, only the last one may pass the seconds.
    """
    before_ns = int(ns[:-1].sum())
    if len(ns) <= least or before_ns <= seconds * NS:
        return ""
    return f"it timed for {before_ns / NS:.3f} s and then went on, where {seconds:g} s were asked for"


def other_outputs(piece: Piece, own: Sequence[Tensor]) -> str:
    """Why the outputs are not of the form that the variant's file gives them; "" for what failed."""
    if piece.status in ("failed", "unsupported") or not own or (isinstance(piece, Round) and not piece.samples):
        return ""
    if len(piece.outputs) != len(own):
        return f"it sent {len(piece.outputs)} outputs, and the file has {len(own)}"
    for output, tensor in zip(piece.outputs, own, strict=True):
        if output.dtype.name != tensor.dtype or output.shape[1:] != tensor.sample_shape:
            told = (
                f"{output.dtype} of shape {output.shape[1:]}, and in the file {tensor.dtype} of {tensor.sample_shape}"
            )
            return f"output {tensor.name} is {told}"
    if isinstance(piece, Shard):
        return other_scales(piece.tensors, own)
    return ""


def other_scales(tensors: Sequence[Tensor], own: Sequence[Tensor]) -> str:
    for tensor, known in zip(tensors, own, strict=True):
        if (tensor.scale, tensor.zero_point) != (known.scale, known.zero_point):
            told = f"{tensor.scale} and {tensor.zero_point}, and in the file {known.scale} and {known.zero_point}"
            return f"output {known.name} has the scale and zero point {told}"
    return ""


def check_outputs(pieces: Sequence[Piece], variants: Sequence[Variant]) -> None:
    """Raises StoreError where stored outputs are not those of the variant's file, as an older version believed them."""
    by_name = {variant.name: variant for variant in variants}
    for piece in pieces:
        variant = by_name.get(piece.case.variant)
        if variant and (why := other_outputs(piece, variant.outputs)):
            raise StoreError(f"what {piece.case.target} sent for {variant.name}: {why}", "measure in a new run")
