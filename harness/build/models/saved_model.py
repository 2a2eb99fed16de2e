"""A SavedModel's folder behind the seam: its serving_default signature."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.build.models import Facts
from harness.build.models.feed import Feed
from harness.errors import BuildError, one_line
from harness.records import Tensor

SIGNATURE = "serving_default"


class SavedModel:
    """Inputs and outputs in the order of their names: a signature has no other."""

    def __init__(self, path: Path) -> None:
        import tensorflow as tf

        try:
            self.loaded = tf.saved_model.load(str(path))
        except Exception as error:
            told = f"TensorFlow cannot load the SavedModel {path.name}: {one_line(error)}"
            raise BuildError(told, "give the folder that holds saved_model.pb") from error
        self.function = signature_of(self.loaded, path)
        named = self.function.structured_input_signature[1]
        self.inputs = {name: named[name] for name in sorted(named)}
        self.outputs = dict(sorted(self.function.structured_outputs.items()))

    @property
    def facts(self) -> Facts:
        return Facts(
            tuple(as_tensor(name, spec) for name, spec in self.inputs.items()),
            tuple(as_tensor(name, spec) for name, spec in self.outputs.items()),
            parameters(self.function),
        )

    def predict(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        import tensorflow as tf

        outputs = self.function(**{n: tf.constant(a) for n, a in zip(self.inputs, inputs, strict=True)})
        return [outputs[name].numpy() for name in self.outputs]

    def converter(self, feeds: Sequence[Feed]) -> Any:
        """By way of a SavedModel with fixed shapes: from a concrete function the converter may lose the weights."""
        import tensorflow as tf

        fixed = next(iter(self.inputs.values())).shape[0]
        if fixed not in (None, 1):
            told = f"the SavedModel only takes a batch of {fixed}, but a device runs one sample at a time"
            raise BuildError(told, "save it with a batch of 1, or an open one")
        specs = {f.tensor.name: tf.TensorSpec(f.tensor.shape, f.tensor.dtype, f.tensor.name) for f in feeds}
        module = tf.Module()
        module.original = self.loaded  # keeps the weights
        module.call = tf.function(lambda **named: self.function(**named))
        folder = tempfile.TemporaryDirectory()
        tf.saved_model.save(module, folder.name, module.call.get_concrete_function(**specs))
        converter = tf.lite.TFLiteConverter.from_saved_model(folder.name)
        converter.folder = folder  # read at conversion, and removed with the converter
        return converter


def signature_of(loaded: Any, path: Path) -> Any:
    known = dict(loaded.signatures)
    function = known.get(SIGNATURE) or (next(iter(known.values())) if len(known) == 1 else None)
    if function is None:
        told = f"the SavedModel {path.name} has no signature {SIGNATURE}"
        told += f", but {', '.join(sorted(known))}" if known else ""
        raise BuildError(
            told, 'save it with one: tf.saved_model.save(model, folder, signatures={"serving_default": f})'
        )
    return function


def as_tensor(name: str, spec: Any) -> Tensor:
    if spec.shape.rank is None:
        raise BuildError(f"the SavedModel's {name} has no shape", "save it with an input signature that has one")
    return Tensor(name, spec.dtype.name, tuple(-1 if n is None else int(n) for n in spec.shape))


def parameters(function: Any) -> int:
    """How many numbers its variables hold, or where it is frozen its constants."""
    variables = {id(v): int(np.prod(v.shape)) for v in function.variables if v.dtype.is_floating}
    if variables:
        return sum(variables.values())
    frozen = [node for node in function.graph.as_graph_def().node if node.op == "Const"]
    shapes = [node.attr["value"].tensor.tensor_shape.dim for node in frozen]
    return sum(int(np.prod([d.size for d in shape])) for shape in shapes if len(shape) > 0)
