"""Model files as Keras 2 wrote them, put together by hand: a configuration in JSON, and weights in groups."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np

Config = dict[str, Any]
Weights = list[tuple[str, list[tuple[str, np.ndarray]]]]
GLOROT = {"class_name": "GlorotUniform", "config": {"seed": None}}
ZEROS = {"class_name": "Zeros", "config": {}}
ONES = {"class_name": "Ones", "config": {}}
KERNEL = {
    "kernel_initializer": GLOROT,
    "kernel_regularizer": None,
    "kernel_constraint": None,
    "bias_initializer": ZEROS,
    "bias_regularizer": None,
    "bias_constraint": None,
    "activity_regularizer": None,
}


def write(path: Path, config: Config, weights: Weights, version: str = "2.11.0") -> Path:
    """weights: of each layer its name and its named arrays."""
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(config)
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = [name.encode() for name, _ in weights]
        for place in (file, group):
            place.attrs["keras_version"], place.attrs["backend"] = version, "tensorflow"
        for name, arrays in weights:
            layer = group.require_group(name)
            layer.attrs["weight_names"] = [each.encode() for each, _ in arrays]
            for each, array in arrays:
                layer.create_dataset(each, data=array)
    return path


def layer(kind: str, name: str, **options: Any) -> Config:
    return {"class_name": kind, "config": {"name": name, "trainable": True, "dtype": "float32", **options}}


def dense(name: str, units: int, activation: str = "linear", **options: Any) -> Config:
    return layer("Dense", name, units=units, activation=activation, use_bias=True, **KERNEL, **options)


def placeholder(name: str, shape: list[int | None], dtype: str = "float32") -> Config:
    options = {"batch_input_shape": shape, "dtype": dtype, "sparse": False, "ragged": False, "name": name}
    return {"class_name": "InputLayer", "config": options}


def recurrent(kind: str, name: str, units: int, recurrent_activation: str, **options: Any) -> Config:
    flags = ("return_sequences", "return_state", "go_backwards", "stateful", "unroll")
    return layer(
        kind,
        name,
        units=units,
        activation="tanh",
        recurrent_activation=recurrent_activation,
        use_bias=True,
        recurrent_initializer=GLOROT,
        recurrent_regularizer=None,
        recurrent_constraint=None,
        dropout=0.0,
        recurrent_dropout=0.0,
        implementation=1,
        **dict.fromkeys(flags, False),
        **KERNEL,
        **options,
    )


def sequential(*layers: Config, name: str = "sequential") -> Config:
    return {"class_name": "Sequential", "config": {"name": name, "layers": list(layers)}}


def node(config: Config, *inbound: str, index: int = 0) -> Config:
    """The layer in a functional model, called once on the outputs of those layers."""
    return {
        **config,
        "name": config["config"]["name"],
        "inbound_nodes": [[[name, index, 0, {}] for name in inbound]] if inbound else [],
    }


def functional(name: str, layers: list[Config], inputs: list[str], outputs: list[str], index: int = 0) -> Config:
    ends = {
        "input_layers": [[each, 0, 0] for each in inputs],
        "output_layers": [[each, index, 0] for each in outputs],
    }
    return {"class_name": "Model", "config": {"name": name, "layers": layers, **ends}}
