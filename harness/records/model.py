"""The files that are run, and what goes in and out of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.records.terms import FileStatus

CONTROL = "float32"  # the plain .tflite form: every variant of a target and runtime stands beside it
KERAS = "keras"  # the baseline, where no .tflite file takes its place


@dataclass(frozen=True)
class Tensor:
    """An input or output of a model."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    scale: float | None = None  # None where it is not quantised, as is zero_point
    zero_point: int | None = None

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """The shape of one sample's values: without the first axis where that is a batch of 1."""
        return self.shape[1:] if self.shape[:1] == (1,) else self.shape


@dataclass(frozen=True)
class Affine:
    """Stored value × scale + offset = model input."""

    scale: float = 1.0
    offset: float = 0.0


@dataclass(frozen=True)
class Variant:
    """One .tflite form of the model. One that could not be built has status "failed", one that cannot exist of this
    model "unsupported": either has a reason and no path.
    """

    name: str
    recipe: str
    path: Path | None = None
    sha256: str = ""
    size_bytes: int | None = None
    inputs: tuple[Tensor, ...] = ()
    outputs: tuple[Tensor, ...] = ()
    status: FileStatus = "ok"
    reason: str = ""
    feeds: tuple[int, ...] = ()  # for each input tensor of the file the data's input; () where the order is the same
    yields: tuple[int, ...] = ()  # for each output of the baseline the file's output; () where the order is the same
    activation_bytes: int | None = None  # of its tensors that are not constants; None where some have no fixed size
