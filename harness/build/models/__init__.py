"""Models of every kind behind one seam, where TensorFlow may be imported: predict, and a converter at batch 1.

To add a kind: one file here with a class that is a Model, and its line in `load`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from harness.build.models.feed import Feed
from harness.records import Affine, Tensor


@dataclass(frozen=True)
class Facts:
    """What a model takes, gives and has learnt. A dimension that it leaves open is −1; the first is the batch.

    normalisation: what it begins by doing to its first input, where that is one scale and one offset. bare: whether
    nothing in it brings inputs to a common size before its first layer with weights; False where that is not known.
    """

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    parameters: int
    normalisation: Affine | None = None
    bare: bool = False


class Model(Protocol):
    """A model as it was loaded."""

    @property
    def facts(self) -> Facts: ...

    def predict(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """One array an output, in the order of facts.outputs, for one array an input: a batch that fits in memory."""
        ...

    def converter(self, feeds: Sequence[Feed]) -> Any:
        """A TFLiteConverter of the model with the shapes of the feeds, batch 1: an open batch costs ops, and XNNPACK
        with them."""
        ...


@lru_cache(maxsize=1)  # the process is asked of one model many times
def load(path: Path) -> Model:
    """The model in a .keras or .h5 file or in a SavedModel's folder. Raises BuildError."""
    if path.is_dir():
        from harness.build.models.saved_model import SavedModel

        return SavedModel(path)
    from harness.build.models.keras_model import KerasModel, from_file

    return KerasModel(from_file(path))


def describe(path: Path) -> Facts:
    return load(path).facts
