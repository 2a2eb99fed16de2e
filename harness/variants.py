"""The recipes: each a function that tells TensorFlow's converter what to make of the Keras model.

A recipe declares beside itself what must be true of its file; artifact.py checks it. To add a variant, add a function.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import ConfigError


@dataclass(frozen=True)
class Expectation:
    """What a recipe promises: dtypes of inputs and outputs, of the large weights, and of what flows between the ops."""

    io: str
    weights: str
    activations: str


@dataclass(frozen=True)
class Recipe:
    name: str
    configure: Callable[[Any], None]
    expectation: Expectation
    calibrated: bool


RECIPES: dict[str, Recipe] = {}


def variant(
    name: str, *, io: str = "float32", weights: str, activations: str, calibrated: bool = False
) -> Callable[[Callable[[Any], None]], Callable[[Any], None]]:
    """Registers a recipe under its name, with what it promises."""

    def register(configure: Callable[[Any], None]) -> Callable[[Any], None]:
        RECIPES[name] = Recipe(name, configure, Expectation(io, weights, activations), calibrated)
        return configure

    return register


def recipe(name: str) -> Recipe:
    if name not in RECIPES:
        raise ConfigError(f"there is no variant {name!r}", f"the variants are {', '.join(RECIPES)}")
    return RECIPES[name]


@variant("float32", weights="float32", activations="float32")
def float32(converter: Any) -> None:
    """The control: a difference from Keras here is one of conversion, not of quantisation."""


@variant("float16", weights="float16", activations="float32")
def float16(converter: Any) -> None:
    import tensorflow as tf

    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]


@variant("dynamic_range", weights="int8", activations="float32")
def dynamic_range(converter: Any) -> None:
    import tensorflow as tf

    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    # Per-channel dense weights need FULLY_CONNECTED version 12, which tflite-runtime 2.14 lacks.
    converter._experimental_disable_per_channel_quantization_for_dense_layers = True


@variant("int8", io="int8", weights="int8", activations="int8", calibrated=True)
def int8(converter: Any) -> None:
    import tensorflow as tf

    int8_float_io(converter)
    converter.inference_input_type = converter.inference_output_type = tf.int8


@variant("int8_float_io", weights="int8", activations="int8", calibrated=True)
def int8_float_io(converter: Any) -> None:
    import tensorflow as tf

    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]


@variant("int16x8", weights="int8", activations="int16", calibrated=True)
def int16x8(converter: Any) -> None:
    import tensorflow as tf

    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    mode = tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
    converter.target_spec.supported_ops = [mode]


def convert(model_path: Path, name: str, calibration: tuple[np.ndarray, ...], target: Path) -> None:
    """Writes the variant `name` of a .keras file to `target`, at a static batch of 1.

    calibration: one float32 array a model input, as the model takes it, of training samples only.
    """
    import keras
    import tensorflow as tf

    chosen = recipe(name)
    converter = tf.lite.TFLiteConverter.from_keras_model(at_batch_1(keras.saving.load_model(model_path)))
    if chosen.calibrated:
        converter.representative_dataset = lambda: samples(calibration)
    chosen.configure(converter)
    target.write_bytes(converter.convert())


def at_batch_1(model: Any) -> Any:
    """The same model and weights behind inputs of a fixed batch: a dynamic one costs ops, and XNNPACK with them."""
    import keras

    inputs = [keras.Input(batch_shape=(1, *x.shape[1:]), dtype=x.dtype, name=x.name) for x in model.inputs]
    return keras.Model(inputs, model(inputs if len(inputs) > 1 else inputs[0]))


def samples(arrays: tuple[np.ndarray, ...]) -> Iterator[list[np.ndarray]]:
    """One sample at a time, at batch 1."""
    for n in range(len(arrays[0])):
        yield [array[n : n + 1] for array in arrays]
