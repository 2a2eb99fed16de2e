"""A Keras model behind the seam."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from harness.build.models import Facts, kept_parameters
from harness.build.models.feed import Feed
from harness.build.models.h5 import from_h5, is_hdf5
from harness.build.models.load_error import cause
from harness.build.models.saved_model import converter_of
from harness.build.models.state import State
from harness.errors import BuildError
from harness.records import Affine, Tensor
from harness.support.files import TemporaryFolder

NORMALISING = ("Rescaling", "Normalization", "BatchNormalization")
UNKNOWN = ("Lambda", "TFSMLayer")  # may scale, or not
HALF = ("mixed_float16", "mixed_bfloat16", "float16", "bfloat16")
ARITHMETIC = ("Add", "Divide", "Multiply", "Subtract", "TrueDivide")  # written into the model, such as x / 255


class KerasModel:
    """A functional or Sequential model: one whose inputs are known."""

    def __init__(self, model: Any) -> None:
        self.model = model
        if not getattr(model, "inputs", None):
            told = f"the model {model.name} has no known inputs: it was never called on a keras.Input"
            raise BuildError(told, "return keras.Model(inputs, model(inputs)) from a function of yours")
        if all(any(y is x for x in model.inputs) for y in model.outputs):
            told = f"the model {model.name} computes nothing: it gives its inputs as they are"
            raise BuildError(told, "check that it is the model that was trained")
        forget(model)
        self._state = State([*model.non_trainable_variables, *states(model)])

    @property
    def state(self) -> tuple[str, ...]:
        return self._state.names

    @property
    def facts(self) -> Facts:
        model = self.model
        outputs = zip(output_names(model), model.outputs, strict=True)
        return Facts(
            tuple(as_tensor(x.name, x) for x in model.inputs),
            tuple(as_tensor(name, y) for name, y in outputs),
            kept_parameters([tuple(v.shape) for v in model.weights]),
            normalisation(model),
            not scales(model),
            by_alphabet=isinstance(getattr(model, "_outputs_struct", None), dict),
            half=half_policy(model),
            loops=tuple(layer.name for layer in recurrent(model) if not layer.unroll),
        )

    def predict(self, inputs: Sequence[np.ndarray], last: bool = True) -> list[np.ndarray]:
        import keras

        given = self._state.answered(lambda: self.model.predict_on_batch(self.packed(inputs)), last)
        return [np.asarray(y) for y in keras.tree.flatten(given)]

    def converter(self, feeds: Sequence[Feed], unrolled: bool = False) -> Any:
        import keras

        check_unquantised(self.model)
        shapes = [feed.tensor.shape for feed in feeds]
        model = self.model
        unrolled = unrolled and bool(recurrent(model))
        if unrolled or half_policy(model):
            model = copied(model, shapes, unrolled)
        inputs = [
            keras.Input(batch_shape=shape, dtype=x.dtype, name=x.name)
            for shape, x in zip(shapes, model.inputs, strict=True)
        ]
        # A flat list of outputs: the file's signature then numbers them.
        return exported(keras.Model(inputs, keras.tree.flatten(model(self.packed(inputs)))), states(model))

    def packed(self, values: Sequence[Any]) -> Any:
        """One value an input in the structure that the model was made with: a single one, a list or a dict."""
        import keras

        structure = getattr(self.model, "_inputs_struct", None)
        if structure is not None:
            return keras.tree.pack_sequence_as(structure, list(values))
        return list(values) if len(values) > 1 else values[0]


def exported(model: Any, state: Sequence[Any]) -> Any:
    """A TFLiteConverter of the model, by way of a SavedModel.

    from_keras_model does the same, but leaves variables that are not the model's own in the order of a set: the file of
    one model then differs from process to process.
    """
    import keras
    import tensorflow as tf

    specs = [tf.TensorSpec(x.shape, x.dtype, x.name) for x in model.inputs]
    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_variable_collection("state", list(state))
    archive.add_endpoint("serve", partial(model.__call__, training=False), specs if len(specs) == 1 else [specs])
    folder = TemporaryFolder()
    archive.write_out(folder.name, verbose=False)
    return converter_of(folder)


def recurrent(model: Any) -> list[Any]:
    import keras

    return [layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.RNN)]


def forget(model: Any) -> None:
    """Brings recurrent layers to their initial state: they may have been saved with what the last sample left."""
    for layer in recurrent(model):
        if layer.stateful:
            layer.reset_state()


def states(model: Any) -> list[Any]:
    """The variables that recurrent layers keep state in, which are not among the model's own."""
    import keras

    return [v for layer in recurrent(model) if layer.stateful for v in keras.tree.flatten(layer.states or [])]


def check_unquantised(model: Any) -> None:
    """Raises BuildError where Keras has quantised the model: TFLite has no op for such layers."""
    import keras

    policies = (layer.dtype_policy for layer in model._flatten_layers())
    if found := next((p.name for p in policies if isinstance(p, keras.dtype_policies.QuantizedDTypePolicy)), ""):
        told = f"Keras' quantize() has made layers of the policy {found}, for which TFLite has no operations"
        raise BuildError(told, "give the model as it was before quantize(): the recipes quantise it")


def half_policy(model: Any) -> str:
    """The dtype policy of a layer that computes in 16 bits, for which TFLite has few ops; "" where none does."""
    policies = (layer.dtype_policy for layer in model._flatten_layers() if layer.weights)
    return next((p.name for p in policies if p.compute_dtype in ("float16", "bfloat16")), "")


def copied(model: Any, shapes: Sequence[tuple[int, ...]], unrolled: bool) -> Any:
    """The same model with the same weights, made to compute in float32, and where `unrolled` without loops. An unrolled
    layer has to know its number of steps: the inputs are made of these shapes.
    """
    import keras

    config = rewritten(keras.saving.serialize_keras_object(model), unrolled)
    if unrolled:
        by_name = dict(zip((x.name for x in model.inputs), shapes, strict=True))
        config = sized(config, by_name)
    copy = keras.saving.deserialize_keras_object(config)
    if not copy.built:
        copy.build(shapes[0])
    weights, theirs = copy.weights, model.weights
    if [tuple(w.shape) for w in weights] != [tuple(w.shape) for w in theirs]:
        raise BuildError(f"the model {model.name} cannot be copied layer by layer", "give one of Keras' own layers")
    for weight, value in zip(weights, theirs, strict=True):
        weight.assign(np.asarray(value.numpy()).astype(weight.dtype))
    return copy


def rewritten(config: Any, unrolled: bool) -> Any:
    """A serialised model with float32 in the place of 16 bits, and where `unrolled` its recurrent layers so."""
    if isinstance(config, list | tuple):
        return type(config)(rewritten(each, unrolled) for each in config)
    if not isinstance(config, dict):
        return config
    made = {key: rewritten(value, unrolled) for key, value in config.items()}
    if config.get("class_name") == "DTypePolicy" and config["config"]["name"] in HALF:
        return made | {"config": {"name": "float32"}}
    if isinstance(config.get("dtype"), str) and config["dtype"] in HALF:
        made["dtype"] = "float32"
    return made | {"unroll": True} if unrolled and "unroll" in made else made


def sized(config: Any, shapes: dict[str, tuple[int, ...]]) -> Any:
    """A serialised model whose inputs have the shapes given by their names."""
    if isinstance(config, list | tuple):
        return type(config)(sized(each, shapes) for each in config)
    if not isinstance(config, dict):
        return config
    made = {key: sized(value, shapes) for key, value in config.items()}
    if config.get("class_name") == "InputLayer" and (shape := shapes.get(config["config"]["name"])):
        made["config"] = {**made["config"], "batch_shape": list(shape)}
    return made


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
        told = f"Keras cannot load {path.name}: {cause(error)}"
        raise BuildError(
            told,
            "copy or save it again; where it has code of its own, give a function that loads it, as module:function",
        ) from error
