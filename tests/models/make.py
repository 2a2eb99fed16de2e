"""Makes the small .tflite files beside this script, with TensorFlow: python tests/models/make.py

One dense model of 28×28 digits (8 hidden units, 6,370 weights) in every recipe of harness/variants.py, and three files
to be caught:

    weightless      Keras 3 through from_concrete_functions: the converter drops the weights and says nothing
    float_fallback  int8 with float ops allowed, and a layer that has no int8 kernel: some ops silently stay float
    untrained       a faithful float32 conversion of other weights: nothing is wrong with it but its answers

weights.npz holds the weights, for an independent forward pass with numpy.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import flatbuffers
import keras
import numpy as np
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema

from harness.build.models import describe
from harness.build.models.feed import feeds_of
from harness.build.variants import RECIPES, Sample, convert, samples
from harness.build.workloads import digits
from harness.data.calibration import calibration_samples, model_inputs

HERE = Path(__file__).parent


def dense_8() -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((28, 28)),
            keras.layers.Flatten(),
            keras.layers.Dense(8, activation="relu"),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )


def trained(images: np.ndarray, labels: np.ndarray) -> keras.Model:
    keras.utils.set_random_seed(1)
    tf.config.experimental.enable_op_determinism()
    model = dense_8()
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss="sparse_categorical_crossentropy")
    model.fit(images, labels, epochs=30, verbose=0)
    return model


def weightless(model: keras.Model) -> bytes:
    function = tf.function(lambda x: model(x), input_signature=[tf.TensorSpec((1, 28, 28), tf.float32)])
    return tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()], model).convert()


def float_fallback(model: keras.Model, calibration: Callable[[], Iterator[Sample]]) -> bytes:
    layers = [keras.Input(batch_shape=(1, 28, 28)), keras.layers.Lambda(tf.math.sin), *model.layers]
    converter = tf.lite.TFLiteConverter.from_keras_model(keras.Sequential(layers))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = calibration
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8, tf.lite.OpsSet.TFLITE_BUILTINS]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    return converter.convert()


def convolutions() -> keras.Model:
    """Ordinary, strided and depthwise, over 28×28: what kernels of two libraries may do differently."""
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input(batch_shape=(1, 28, 28)),
            layers.Reshape((28, 28, 1)),
            layers.Conv2D(6, 3, strides=2, padding="same", activation="relu", bias_initializer="random_normal"),
            layers.DepthwiseConv2D(3, padding="same", activation="relu", bias_initializer="random_normal"),
            layers.Conv2D(8, 1, activation="relu6"),
            layers.AveragePooling2D(2),
            layers.Flatten(),
            layers.Dense(10),
            layers.Softmax(),
        ]
    )


def two_inputs() -> keras.Model:
    """Two inputs and two outputs, of which each is of one input alone."""
    later, first = keras.Input(batch_shape=(1, 2), name="z"), keras.Input(batch_shape=(1, 3), name="a")
    outputs = {"q": keras.layers.Rescaling(2.0)(later), "b": keras.layers.Rescaling(3.0)(first)}
    return keras.Model([later, first], outputs)


def other_way_round(content: bytes) -> bytes:
    """The file with its inputs and outputs in another order than its signature has them."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(bytearray(content), 0))
    graph, builder = model.subgraphs[0], flatbuffers.Builder(1024)
    graph.inputs, graph.outputs = graph.inputs[::-1], graph.outputs[::-1]
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def main() -> None:
    dataset = digits.load()
    (images,) = model_inputs(dataset, dataset.train_inputs)
    calibration = calibration_samples(dataset)
    model = trained(images, dataset.train_labels)
    names = ("hidden_weights", "hidden_bias", "output_weights", "output_bias")
    np.savez_compressed(HERE / "weights.npz", **dict(zip(names, model.get_weights(), strict=True)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        feeds = feeds_of(describe(path).inputs, dataset)
        for recipe in [recipe for recipe in RECIPES.values() if not recipe.package]:
            convert(path, recipe, feeds, calibration, HERE / f"{recipe.name}.tflite")
        keras.utils.set_random_seed(2)
        dense_8().save(Path(folder) / "untrained.keras")
        convert(Path(folder) / "untrained.keras", RECIPES["float32"], feeds, (), HERE / "untrained.tflite")
    keras.utils.set_random_seed(3)
    with_convolutions = convolutions()
    for name in ("float32", "int8"):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.keras"
            with_convolutions.save(path)
            feeds = feeds_of(describe(path).inputs, dataset)
            convert(path, RECIPES[name], feeds, calibration, HERE / f"convolutions_{name}.tflite")
    plain = tf.lite.TFLiteConverter.from_keras_model(two_inputs()).convert()
    (HERE / "two_inputs.tflite").write_bytes(other_way_round(plain))
    (HERE / "weightless.tflite").write_bytes(weightless(model))
    (HERE / "float_fallback.tflite").write_bytes(float_fallback(model, lambda: samples(feeds, calibration)))


if __name__ == "__main__":
    main()
