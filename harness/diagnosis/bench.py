"""Files run on a row's own device and engine, with any of their tensors kept."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from harness.device import protocol
from harness.device.tensors import from_tensor
from harness.errors import JobFailed
from harness.measure.connections import Connection
from harness.measure.job_spec import outputs_spec
from harness.measure.jobs import Watcher, obtain
from harness.records import Affine, Blob, Case, Job, Shard, Tensor
from harness.records.terms import Reset
from harness.support.arrays import StoredArray, npy_bytes

MOST_TENSORS = 900  # that one job keeps: protocol.RESULT_FILE has three digits
AS_IT_IS = Affine()


@dataclass(frozen=True)
class Numbers:
    """What one tensor held for each sample, as it was stored."""

    kept: np.ndarray | StoredArray
    tensor: Tensor

    def read(self) -> np.ndarray:
        """The real numbers, float32, (samples, …)."""
        return from_tensor(np.asarray(self.kept), self.tensor.scale, self.tensor.zero_point)


@dataclass(frozen=True)
class Bench:
    """One row's device and engine. folder: what came back lies there, so that nothing is asked twice."""

    connection: Connection
    case: Case
    folder: Path
    watcher: Watcher

    def run(
        self,
        content: bytes,
        stored: Sequence[np.ndarray],
        affines: Sequence[Affine] = (),
        keep: Sequence[int] = (),
        reset: Reset = "none",
    ) -> tuple[Numbers, ...]:
        """The outputs of a file for these samples, or what the tensors to keep held, one each.

        stored: one array an input of the file, real numbers or, with affines, as the run has them. Raises JobFailed.
        """
        parts = range(0, max(1, len(keep)), MOST_TENSORS)
        return tuple(
            numbers
            for first in parts
            for numbers in self._asked(content, stored, affines, keep[first : first + MOST_TENSORS], reset)
        )

    def _asked(
        self,
        content: bytes,
        stored: Sequence[np.ndarray],
        affines: Sequence[Affine],
        keep: Sequence[int],
        reset: Reset,
    ) -> tuple[Numbers, ...]:
        inputs = {protocol.input_file(n, 0): Blob(partial(npy_bytes, array)) for n, array in enumerate(stored)}
        given = affines or [AS_IT_IS] * len(stored)
        spec = outputs_spec(self.case.runtime, list(inputs), given, self.case.threads, reset)
        spec |= {"keep": list(keep)} if keep else {}
        blobs = {protocol.MODEL: Blob(lambda: content), **inputs}
        known = repr((sorted(blob.sha256 for blob in blobs.values()), spec, self.case))
        name = f"explain.{hashlib.sha256(known.encode()).hexdigest()[:32]}"
        job = Job(name, self.case, "outputs", 0, len(stored[0]), spec, blobs)
        piece = obtain(job, self.connection, self.folder, self.watcher, lambda job_id: None)
        assert isinstance(piece, Shard)
        if piece.status != "ok":
            told = (
                f"{self.case.variant} cannot be looked into on {self.case.target} with {self.case.runtime}: "
                f"{piece.reason}"
            )
            raise JobFailed(told, "choose another row: --target and --runtime say which")
        return tuple(map(Numbers, piece.outputs, piece.tensors))

    def of(self, variant: str) -> Bench:
        """The same device and engine under the name of another variant."""
        return replace(self, case=replace(self.case, variant=variant))
