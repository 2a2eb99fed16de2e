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

import keras
import numpy as np
import tensorflow as tf

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
    (HERE / "weightless.tflite").write_bytes(weightless(model))
    (HERE / "float_fallback.tflite").write_bytes(float_fallback(model, lambda: samples(feeds, calibration)))


if __name__ == "__main__":
    main()
