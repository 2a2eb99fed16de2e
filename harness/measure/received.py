"""Whether what came back is an answer to what was asked: the shapes and dtypes of the variant's own file, the number of
samples and timings of the job. A device is believed in nothing of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from harness.errors import StoreError
from harness.measure.raw import one_line, read_piece
from harness.records import Job, Piece, Round, Shard, Tensor, Variant


def refusal(folder: Path, job: Job) -> str:
    """Why the folder holds no answer to the job; "" where it holds one."""
    try:
        piece = read_piece(folder)
    except StoreError as error:
        return one_line(f"what it sent cannot be read: {error.__cause__!r}")
    if isinstance(piece, Round):
        return wrong_number(piece, job)
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


def other_outputs(piece: Piece, own: Sequence[Tensor]) -> str:
    """Why the outputs are not of the form that the variant's file gives them; "" for what failed."""
    if isinstance(piece, Round) or piece.status != "ok" or not own:
        return ""
    if len(piece.outputs) != len(own):
        return f"it sent {len(piece.outputs)} outputs, and the file has {len(own)}"
    for output, tensor in zip(piece.outputs, own, strict=True):
        if output.dtype != np.dtype(tensor.dtype) or output.shape[1:] != tensor.sample_shape:
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
