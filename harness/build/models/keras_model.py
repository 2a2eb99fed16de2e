"""A Keras model behind the seam."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.build.models import Facts
from harness.build.models.feed import Feed
from harness.build.models.h5 import from_h5, is_hdf5
from harness.errors import BuildError, one_line
from harness.records import Affine, Tensor

NORMALISING = ("Rescaling", "Normalization", "BatchNormalization")
UNKNOWN = ("Lambda", "TFSMLayer")  # may scale, or not
ARITHMETIC = ("Add", "Divide", "Multiply", "Subtract", "TrueDivide")  # written into the model, such as x / 255


class KerasModel:
    """A functional or Sequential model: one whose inputs are known."""

    def __init__(self, model: Any) -> None:
        self.model = model
        if not getattr(model, "inputs", None):
            told = f"the model {model.name} has no known inputs: it was never called on a keras.Input"
            raise BuildError(told, "return keras.Model(inputs, model(inputs)) from a function of yours")

    @property
    def facts(self) -> Facts:
        model = self.model
        outputs = zip(output_names(model), model.outputs, strict=True)
        return Facts(
            tuple(as_tensor(x.name, x) for x in model.inputs),
            tuple(as_tensor(name, y) for name, y in outputs),
            int(model.count_params()),
            normalisation(model),
            not scales(model),
        )

    def predict(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        import keras

        return [np.asarray(y) for y in keras.tree.flatten(self.model.predict_on_batch(self.packed(inputs)))]

    def converter(self, feeds: Sequence[Feed]) -> Any:
        import keras
        import tensorflow as tf

        inputs = [
            keras.Input(batch_shape=feed.tensor.shape, dtype=x.dtype, name=x.name)
            for feed, x in zip(feeds, self.model.inputs, strict=True)
        ]
        # A flat list of outputs: the file's signature then numbers them.
        return tf.lite.TFLiteConverter.from_keras_model(
            keras.Model(inputs, keras.tree.flatten(self.model(self.packed(inputs))))
        )

    def packed(self, values: Sequence[Any]) -> Any:
        """One value an input in the structure that the model was made with: a single one, a list or a dict."""
        import keras

        structure = getattr(self.model, "_inputs_struct", None)
        if structure is not None:
            return keras.tree.pack_sequence_as(structure, list(values))
        return list(values) if len(values) > 1 else values[0]


def normalisation(model: Any) -> Affine | None:
    """The affine of a model that begins with a Rescaling of one scale and offset."""
    first: Any = next((layer for layer in model.layers if type(layer).__name__ != "InputLayer"), None)
    if type(first).__name__ != "Rescaling" or np.size(first.scale) + np.size(first.offset) > 2:
        return None
    return Affine(float(np.ravel(first.scale)[0]), float(np.ravel(first.offset)[0]))


def scales(model: Any) -> bool:
    """Whether something may bring the inputs to a common size before the first layer with weights takes them."""
    for layer in steps(model):
        if type(layer).__name__ in (*NORMALISING, *UNKNOWN, *ARITHMETIC):
            return True
        if getattr(layer, "weights", ()):
            return False
    return False


def steps(model: Any) -> Iterator[Any]:
    """Layers and other operations in their order, those of models within it too."""
    for each in getattr(model, "operations", None) or model.layers:
        if hasattr(each, "layers"):
            yield from steps(each)
        elif type(each).__name__ != "InputLayer":
            yield each


def output_names(model: Any) -> list[str]:
    """The keys of a dict of outputs, else the names of the layers that give them; numbered where two are the same."""
    structure = getattr(model, "_outputs_struct", None)
    if isinstance(structure, dict) and len(structure) == len(model.outputs):
        return sorted(structure)  # as keras.tree flattens it
    names = [y._keras_history.operation.name for y in model.outputs]
    return [name if names.count(name) == 1 else f"{name}_{n}" for n, name in enumerate(names)]


def as_tensor(name: str, tensor: Any) -> Tensor:
    return Tensor(name, str(tensor.dtype), tuple(-1 if n is None else int(n) for n in tensor.shape))


def from_file(path: Path) -> Any:
    """The Keras model in a file. Raises BuildError in Keras' words."""
    import keras

    if is_hdf5(path):
        return from_h5(path)
    try:
        return keras.saving.load_model(path, compile=False)
    except Exception as error:  # Keras raises whatever its layers raise
        told = f"Keras cannot load {path.name}: {one_line(error)}"
        raise BuildError(
            told, "where it has code of its own, give a function that loads it, as module:function"
        ) from error
