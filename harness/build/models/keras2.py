"""The configuration of a model that Keras 2 wrote, translated for Keras 3, which would refuse or misread it.

Known differences, each seen in real files:
    options that a layer no longer has (groups of a DepthwiseConv2D, time_major of an LSTM): dropped where they have
        no effect, else refused
    batch_input_shape at a Sequential's first layer: an InputLayer of its own
    class "Model"; a Sequential's layers as a bare list; names with a slash; dtypes as {"class_name": "Policy"}
    a nested model's first call has node index 1 in Keras 2 and 0 in Keras 3
    hard_sigmoid is another function: clip(x / 5 + 1/2, 0, 1) in Keras 2, relu6(x + 3) / 6 in Keras 3
    GRU without reset_after means False, and Keras 3's default is True

Why not the package tf_keras, which is Keras 2 itself? Its release 2.19.0 reads most of these files and
converts them to the same answers. But it
    takes weights whose names say another order, and files of Keras 1, without a word: wrong answers go unnoticed
    refuses a GRU from before reset_after, since it assumes True
    gives token ids of an Embedding as float32, not int32, so that the .tflite file's input would be another one
    runs the bytecode in a Lambda layer of a file, whoever made that
Our own checks would have to stay in front of it, and its models need a second class beside KerasModel.
What it would add: models that hold a TensorFlow operation as a layer. For those we ask for a SavedModel.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

from harness.errors import BuildError

SAVE_ELSEWHERE = (
    "load it with the TensorFlow that made it (tf.keras.models.load_model), save it as a folder (model.save), "
    "and give that folder"
)
RENAMED = {
    "Model": "Functional",
    "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization",
}
RAW_OPS = {"TFOpLambda", "SlicingOpLambda", "TensorFlowOpLayer", "ClassMethod"}
MODELS = {"Functional", "Sequential"}
# Options that change no number.
HARMLESS = {"implementation", "fused", "input_dtype", "input_length", "batch_input_shape", "build_input_shape"}
IN_MODULE = {"Functional": "keras.src.models.functional", "Sequential": "keras"}
NEWER = {"module", "registered_name", "build_config", "compile_config"}  # of Keras 2.12 and later, and not Keras 3's
Config = dict[str, Any]


def modern(config: Config) -> Config:
    """The configuration of a whole model, or of one nested in it, as Keras 3 would have written it in its old form."""
    name, inner = kind_of(config), config["config"]
    config = {key: value for key, value in config.items() if key not in NEWER}
    if name == "Sequential":
        return {**config, "class_name": name, "config": sequential(inner)}
    if name == "Functional":
        return {**config, "class_name": name, "config": functional(inner)}
    return layer(config)


def kind_of(config: Config) -> str:
    name: str = config["class_name"]
    return RENAMED.get(name, name)


def sequential(config: Config | list[Config]) -> Config:
    layers = config if isinstance(config, list) else config["layers"]
    name = plain("sequential" if isinstance(config, list) else config["name"])
    shape = first_shape(layers[0]) if layers else None
    if shape is None and isinstance(config, dict):
        shape = config.get("build_input_shape")
    made = [modern(each) for each in layers]
    if shape is not None and layers[0]["class_name"] != "InputLayer":
        dtype = "int32" if layers[0]["class_name"] == "Embedding" else dtype_of(layers[0]["config"].get("dtype"))
        made.insert(0, {"class_name": "InputLayer", "config": {"batch_shape": shape, "dtype": dtype, "name": "input"}})
    return {"name": name, "layers": made}


def first_shape(config: Config) -> Any:
    """What a Sequential's first layer takes, batch and all; where that is a model, what its own first layer takes."""
    inner = config["config"]
    if kind_of(config) in MODELS:
        layers = inner if isinstance(inner, list) else inner["layers"]
        return first_shape(layers[0]) if layers else None
    return inner.get("batch_input_shape") or inner.get("batch_shape")


def functional(config: Config) -> Config:
    """Node indices of nested models one lower, names without slashes."""
    nested = {each["name"]: kind_of(each) for each in config["layers"] if kind_of(each) in MODELS}

    def reference(to: list[Any], lower: set[str]) -> list[Any]:
        name, node, *rest = to
        return [plain(name), node - 1 if node and nested.get(name) in lower else node, *rest]

    layers = []
    for each in config["layers"]:
        nodes = [[reference(to, MODELS) for to in node] for node in each.get("inbound_nodes", [])]
        layers.append({**modern(each), "name": plain(each["name"]), "inbound_nodes": nodes})
    ends = {
        key: renamed_ends(config[key], lambda to: reference(to, {"Sequential"}))  # Keras 3 lowers the others itself
        for key in ("input_layers", "output_layers")
    }
    return {"name": plain(config["name"]), "trainable": config.get("trainable", True), "layers": layers, **ends}


def renamed_ends(ends: Any, reference: Any) -> Any:
    if isinstance(ends, dict):
        return {key: renamed_ends(value, reference) for key, value in ends.items()}
    if len(ends) == 3 and isinstance(ends[0], str):
        return reference(ends)
    made = [renamed_ends(each, reference) for each in ends]
    return made[0] if len(made) == 1 else made  # a single one was not a list to its caller


def layer(config: Config) -> Config:
    """One layer, with what it wraps, and without the options that have no effect."""
    name, inner = str(kind_of(config)), dict(config["config"])
    if name in RAW_OPS:
        told = f"the .h5 file holds a TensorFlow operation as a layer ({inner.get('name')}), which Keras 3 cannot load"
        raise BuildError(told, SAVE_ELSEWHERE)
    if name == "Lambda":
        told = f"the .h5 file holds the bytecode of another Python as a layer ({inner.get('name')})"
        raise BuildError(told, SAVE_ELSEWHERE)
    if name == "GRU":
        inner.setdefault("reset_after", False)
    for key in ("layer", "backward_layer", "cell"):
        if isinstance(inner.get(key), dict):
            inner[key] = wrapped(inner[key])
    if isinstance(inner.get("cells"), list):
        inner["cells"] = [wrapped(cell) for cell in inner["cells"]]
    inner["name"] = plain(inner.get("name", name.lower()))
    if "dtype" in inner:
        inner["dtype"] = dtype_of(inner["dtype"])
    return {**config, "class_name": name, "config": dict(understood(name, inner))}


def wrapped(config: Config) -> Config:
    """A layer inside another: Keras 3 reads it in its newer form, which says the module."""
    made = modern(config)
    module = IN_MODULE.get(made["class_name"], "keras.layers")
    return {"module": module, "registered_name": None, **made}


def understood(name: str, config: Config) -> Iterator[tuple[str, Any]]:
    """The options that Keras 3's layer of that name takes. Raises BuildError for another one that is set."""
    import keras

    kind = getattr(keras.layers, name, None)
    if kind is None:
        yield from config.items()  # Keras itself reports it
        return
    known = {
        p for base in kind.__mro__ if "__init__" in vars(base) for p in inspect.signature(base.__init__).parameters
    }
    for key, value in config.items():
        if key in known or (name, key) in {("LeakyReLU", "alpha"), ("InputLayer", "batch_input_shape")}:
            yield key, value
        elif key not in HARMLESS and not says_nothing(key, value):
            told = f"layer {config['name']}, a {name}, has {key} = {value!r}, which Keras 3 does not know"
            raise BuildError(told, SAVE_ELSEWHERE)


def says_nothing(key: str, value: Any) -> bool:
    """Off, empty, or what Keras 3 does in any case."""
    return not value or (key == "groups" and value == 1) or key.endswith("_initializer") or key == "dtype"


def dtype_of(dtype: Any) -> Any:
    return (
        dtype["config"]["name"] if isinstance(dtype, dict) and "name" in dtype.get("config", {}) else dtype or "float32"
    )


def plain(name: str) -> str:
    return name.replace("/", "_")
