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

    parameters: how many numbers its weights of two axes and more hold, which a converter keeps; biases and what
    normalises may be folded into others. normalisation: what it begins by doing to its first input, where that is one
    scale and one offset. bare: whether nothing in it brings inputs to a common size before its first layer with
    weights; False where that is not known. by_alphabet: whether the outputs stand in the order of their names, for
    want of another. half: the dtype policy of a model that computes in 16 bits. fake_quantised: whether it was trained
    with quantisation inside. loops: the names of what the converter keeps as loops.
    """

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    parameters: int
    normalisation: Affine | None = None
    bare: bool = False
    by_alphabet: bool = False
    half: str = ""
    fake_quantised: bool = False
    loops: tuple[str, ...] = ()


def kept_parameters(shapes: Sequence[tuple[int, ...]]) -> int:
    """How many numbers the variables of these shapes hold that a converter keeps: those of two axes and more, or where
    there are none of all.
    """
    sizes = [int(np.prod(shape)) for shape in shapes if len(shape) > 1]
    return sum(sizes or [int(np.prod(shape)) for shape in shapes])


class Model(Protocol):
    """A model as it was loaded."""

    @property
    def facts(self) -> Facts: ...

    def predict(self, inputs: Sequence[np.ndarray], last: bool = True) -> list[np.ndarray]:
        """One array an output, in the order of facts.outputs, for one array an input: a batch that fits in memory.
        The answer begins with the model's initial state, except after one that was not the last of its clip.
        """
        ...

    @property
    def state(self) -> tuple[str, ...]:
        """The names of the variables that an answer changes; empty before the first."""
        ...

    def converter(self, feeds: Sequence[Feed], unrolled: bool = False) -> Any:
        """A TFLiteConverter of the model with the shapes of the feeds, batch 1: an open batch costs ops, and XNNPACK
        with them. unrolled: without loops. Raises BuildError where there is none."""
        ...


@lru_cache(maxsize=1)  # the process is asked of one model many times
def load(path: Path) -> Model:
    """The model in a .keras or .h5 file or in a SavedModel's folder, to answer. Raises BuildError."""
    return fresh(path)


def fresh(path: Path) -> Model:
    """The same, loaded anew, to be converted: one that has answered may hold state that its last sample left in it, and
    Keras counts the names of layers on, which end up in the file. Raises BuildError.
    """
    load.cache_clear()  # two copies of a large model would not fit in memory
    if path.is_dir():
        from harness.build.models.saved_model import SavedModel

        return SavedModel(path)
    import keras

    from harness.build.models.keras_model import KerasModel, from_file

    keras.utils.clear_session()  # names are counted from 0
    return KerasModel(from_file(path))


def describe(path: Path) -> Facts:
    return load(path).facts
