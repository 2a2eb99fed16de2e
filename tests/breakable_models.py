"""Small trained models of every shape that breaks in its own way, as float32, as sound int8, and broken in the build.

A process with TensorFlow is sent to call `build`. Every model sees scikit-learn's digits, in colour where it is said.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from harness.build.workloads import digits

TESTED = 240
COLOURS = np.array([[1, 0.3, 0.1], [0.1, 1, 0.4], [0.2, 0.1, 1]], np.float32)


def pictures(train: bool, colour: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """uint8 (n, 28, 28, channels), and the digits. A red, a green and a blue one of the same form differ by colour."""
    data = digits.load()
    grey = (data.train_inputs if train else data.test_inputs)[0][..., None]
    labels = np.asarray(data.train_labels if train else data.test_labels).astype(np.int64)
    if colour:
        grey = np.rint(grey * COLOURS[labels % 3][:, None, None, :]).astype(np.uint8)
    return (grey, labels) if train else (grey[:TESTED], labels[:TESTED])


# --- the models ---


def residual(keras: Any) -> Any:
    """Depthwise and pointwise convolutions with two residuals."""
    k = keras.layers
    x = inputs = k.Input((28, 28, 3))
    x = k.ReLU(6.0)(k.Conv2D(12, 3, strides=2, padding="same")(x))
    for _ in range(2):
        branch = k.ReLU(6.0)(k.BatchNormalization(momentum=0.9)(k.DepthwiseConv2D(3, padding="same")(x)))
        branch = k.BatchNormalization(momentum=0.9)(k.Conv2D(12, 1)(branch))
        x = k.Add()([x, branch])
    x = k.GlobalAveragePooling2D()(k.MaxPooling2D()(k.Conv2D(24, 3, activation="relu")(x)))
    return keras.Model(inputs, k.Dense(10, activation="softmax")(x))


def attention(keras: Any) -> Any:
    k = keras.layers
    inputs = k.Input((28, 28, 1))
    x = k.Reshape((16, 24))(k.Conv2D(24, 7, strides=7)(inputs))
    normed = k.LayerNormalization()(x)
    x = k.Add()([x, k.MultiHeadAttention(2, 12)(normed, normed)])
    x = k.Add()([x, k.Dense(24)(k.Dense(32, activation="gelu")(k.LayerNormalization()(x)))])
    return keras.Model(inputs, k.Dense(10, activation="softmax")(k.Flatten()(x)))


def recurrent(keras: Any) -> Any:
    """An LSTM whose steps are written out, four rows of the picture each."""
    k = keras.layers
    inputs = k.Input((28, 28, 1))
    x = k.LSTM(16, unroll=True)(k.Reshape((7, 112))(inputs))
    return keras.Model(inputs, k.Dense(10, activation="softmax")(x))


def unet(keras: Any) -> Any:
    """Says for every pixel how bright it is without the noise."""
    k = keras.layers
    inputs = k.Input((28, 28, 1))
    one = k.Conv2D(8, 3, padding="same", activation="relu")(inputs)
    two = k.Conv2D(16, 3, padding="same", activation="relu")(k.MaxPooling2D()(one))
    deep = k.Conv2D(16, 3, padding="same", activation="relu")(k.AveragePooling2D(2)(two))
    up = k.Concatenate()([k.UpSampling2D(interpolation="bilinear")(deep), two])
    up = k.Conv2D(8, 3, padding="same", activation="relu")(up)
    up = k.Concatenate()([k.UpSampling2D()(up), one])
    return keras.Model(inputs, k.Conv2D(1, 1)(up))


def heads(keras: Any) -> Any:
    """Which digit, how bright, and whether it is even."""
    k = keras.layers
    inputs = k.Input((28, 28, 1))
    x = k.MaxPooling2D()(k.Conv2D(8, 3, activation="relu")(inputs))
    x = k.Dense(24, activation="relu")(k.Flatten()(k.Conv2D(12, 3, strides=2, activation="relu")(x)))
    digit = k.Dense(10, activation="softmax", name="digit")(x)
    bright = k.Dense(3, name="bright")(k.Dense(8, activation="tanh")(x))
    return keras.Model(inputs, [digit, bright, k.Dense(1, activation="sigmoid", name="even")(x)])


MODELS: dict[str, Callable[[Any], Any]] = {
    "residual": residual,
    "attention": attention,
    "recurrent": recurrent,
    "unet": unet,
    "heads": heads,
}


def noisy(images: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(1).integers(0, 60, images.shape)
    return np.clip(images.astype(int) + noise, 0, 255).astype(np.uint8)


def samples(name: str, train: bool) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """The inputs as stored, the digits, and what the model shall say."""
    images, labels = pictures(train, colour=name == "residual")
    if name == "unet":
        return noisy(images), labels, [images / np.float32(255)]
    if name == "heads":
        rows = np.array_split(images.astype(np.float32) / 255, 3, axis=1)
        bright = np.stack([row.mean(axis=(1, 2, 3)) * 4 for row in rows], axis=1)
        return images, labels, [labels, bright, (labels % 2 == 0).astype(np.float32)]
    return images, labels, [labels]


# --- the files ---

SOUND: dict[str, dict[str, Any]] = {
    "int8": {},
    "int8_float_io": {"io": "float32"},
    "int16x8": {"kind": "int16x8", "io": "float32"},
    "float16": {"kind": "float16"},
    "dynamic_range": {"kind": "dynamic_range"},
}
OPS = {
    "int8": "TFLITE_BUILTINS_INT8",
    "int16x8": "EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8",
}


def build(name: str, folder: Path) -> None:
    """Writes float32.tflite, every int8 file, and data.npz with what Keras says."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras

    keras.utils.set_random_seed(7)
    model = MODELS[name](keras)
    stored, _, wanted = samples(name, train=True)
    losses = ["mse" if w.dtype == np.float32 else "sparse_categorical_crossentropy" for w in wanted]
    model.compile("adam", losses)
    model.fit(stored / np.float32(255), wanted, epochs=12 if name == "residual" else 6, batch_size=32, verbose=0)
    tested, labels, _ = samples(name, train=False)
    said = model.predict(tested / np.float32(255), verbose=0)
    outputs = said if isinstance(said, list) else [said]
    folder.mkdir(parents=True, exist_ok=True)
    seen = stored[:150] / np.float32(255)
    (folder / "float32.tflite").write_bytes(converted(model))
    for sound, how in SOUND.items():
        with suppress(Exception):  # the converter has no int16 form of some ops
            (folder / f"{sound}.tflite").write_bytes(converted(model, seen, **how))
    for broken, content in broken_builds(keras, model, seen, samples(name, train=True)[1][:150]).items():
        (folder / f"{broken}.tflite").write_bytes(content)
    np.savez(folder / "data.npz", x=tested, y=labels, **{f"said{n}": each for n, each in enumerate(outputs)})


def broken_builds(keras: Any, model: Any, seen: np.ndarray, labels: np.ndarray) -> dict[str, bytes]:
    """Each mistake that is made in a build, by its name."""
    loud = seen.copy()
    loud[3] *= 40
    files = {
        "narrow": converted(model, seen * np.float32(0.3)),
        "wide": converted(model, loud),
        "other_form": converted(with_inputs(keras, model, lambda x: x * 0.5 + 0.5), seen * 2 - 1),
        "quiet": converted(model, seen[np.argsort(seen.mean(axis=(1, 2, 3)))[:2]]),
    }
    if len(model.outputs) == 1 and model.output_shape[-1] == 10:
        files["one_class"] = converted(model, seen[labels == 1])
    if seen.shape[-1] == 3:
        swapped = np.ascontiguousarray(seen[..., ::-1])
        files["other_channels"] = converted(with_inputs(keras, model, lambda x: x[..., ::-1]), swapped)
        wild = with_a_wild_channel(keras, model)
        files |= {"wild.float32": converted(wild), "wild": converted(wild, seen, by_channel=False)}
    return files


def with_inputs(keras: Any, model: Any, change: Callable[[Any], Any]) -> Any:
    """The same model for inputs in another form."""
    inputs = keras.Input(model.input_shape[1:])
    return keras.Model(inputs, model(change(inputs)))


def with_a_wild_channel(keras: Any, model: Any) -> Any:
    """The same function: of the last convolution one filter × 200, and what reads it ÷ 200."""
    own = keras.models.clone_model(model)
    own.set_weights(model.get_weights())
    last, dense = (next(each for each in reversed(own.layers) if isinstance(each, kind))
                   for kind in (keras.layers.Conv2D, keras.layers.Dense))  # fmt: skip
    kernel, bias = last.get_weights()
    kernel[..., 0], bias[0] = kernel[..., 0] * 200, bias[0] * 200
    last.set_weights([kernel, bias])
    weights, offset = dense.get_weights()
    weights[0] /= 200
    dense.set_weights([weights, offset])
    return own


def converted(
    model: Any, seen: np.ndarray | None = None, by_channel: bool = True, io: str = "int8", kind: str = "int8"
) -> bytes:
    """float32 without samples to calibrate with."""
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if seen is None:
        return bytes(converter.convert())
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if kind == "float16":
        converter.target_spec.supported_types = [tf.float16]
    elif kind != "dynamic_range":
        converter.representative_dataset = lambda: ([each[None]] for each in seen)
        converter.target_spec.supported_ops = [getattr(tf.lite.OpsSet, OPS[kind])]
        converter._experimental_disable_per_channel = not by_channel
        converter.inference_input_type = converter.inference_output_type = getattr(tf, io)
    return bytes(converter.convert())
