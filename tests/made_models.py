"""Tiny models with known weights, made where TensorFlow is: a process is sent to call these."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

TOKENS, PIXELS, CLASSES = 10, (4, 4, 1), 3


def weights(seed: int = 3) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    shapes = {
        "table": (TOKENS, 4),
        "scores": (20, CLASSES),
        "scores_bias": (CLASSES,),
        "age": (20, 1),
        "age_bias": (1,),
    }
    return {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def two_inputs_by_numpy(picture: np.ndarray, tokens: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The class scores and the age of the model below, by its weights alone."""
    w = weights()
    features = np.concatenate([picture.reshape(len(picture), -1), w["table"][tokens].mean(axis=1)], axis=1)
    return features @ w["scores"] + w["scores_bias"], features @ w["age"] + w["age_bias"]


def two_inputs(as_dict: bool = False) -> Any:
    import keras

    w = weights()
    picture, tokens = keras.Input(PIXELS, name="picture"), keras.Input((6,), dtype="int32", name="tokens")
    looked_up = keras.layers.Embedding(TOKENS, 4, name="table")(tokens)
    parts = [keras.layers.Flatten()(picture), keras.layers.GlobalAveragePooling1D()(looked_up)]
    features = keras.layers.Concatenate()(parts)
    scores = keras.layers.Dense(CLASSES, name="zscores")(features)  # Z: the alphabet is not the model's order
    age = keras.layers.Dense(1, name="age")(features)
    if as_dict:
        model = keras.Model({"picture": picture, "tokens": tokens}, {"zscores": scores, "age": age})
    else:
        model = keras.Model([picture, tokens], [scores, age])
    model.get_layer("table").set_weights([w["table"]])
    model.get_layer("zscores").set_weights([w["scores"], w["scores_bias"]])
    model.get_layer("age").set_weights([w["age"], w["age_bias"]])
    return model


def write_two_inputs(folder: Path) -> None:
    two_inputs().save(folder / "list.keras")
    two_inputs(as_dict=True).save(folder / "dict.keras")
    two_inputs().export(folder / "exported", verbose=False)
    write_saved_model(folder / "saved", None)
    write_saved_model(folder / "saved_at_4", 4)


def write_saved_model(folder: Path, batch: int | None) -> None:
    """Of TensorFlow alone, with names of its own."""
    import tensorflow as tf

    w = {name: tf.Variable(array) for name, array in weights().items()}
    module = tf.Module()
    module.weights = w

    @tf.function(
        input_signature=[
            tf.TensorSpec((batch, *PIXELS), tf.float32, "picture"),
            tf.TensorSpec((batch, 6), tf.int32, "tokens"),
        ]
    )
    def serve(picture: Any, tokens: Any) -> dict[str, Any]:
        looked_up = tf.reduce_mean(tf.gather(w["table"], tokens), axis=1)
        features = tf.concat([tf.reshape(picture, (-1, 16)), looked_up], axis=1)
        return {
            "zscores": features @ w["scores"] + w["scores_bias"],
            "age": features @ w["age"] + w["age_bias"],
        }

    tf.saved_model.save(module, str(folder), signatures=serve)


def write_determinant(folder: Path) -> None:
    """A model with an op that TFLite has not built in, as a SavedModel of four numbers."""
    import keras
    import tensorflow as tf

    class Determinant(keras.layers.Layer):
        def call(self, x: Any) -> Any:
            return tf.linalg.det(tf.reshape(x, (-1, 2, 2)))[:, None]

    x = keras.Input((4,), name="x")
    keras.Model(x, Determinant()(keras.layers.Dense(4, name="mix")(x))).export(folder, verbose=False)


def write_any_size(path: Path) -> None:
    """Images of any size to their mean colour, scaled by a weight of 2."""
    import keras

    x = keras.Input((None, None, 3), name="image")
    scale = keras.layers.Dense(3, use_bias=False, name="scale")
    model = keras.Model(x, scale(keras.layers.GlobalAveragePooling2D()(x)))
    scale.set_weights([np.eye(3, dtype=np.float32) * 2])
    model.save(path)


def write_bytes_model(path: Path) -> None:
    """Takes uint8 as they are stored: four of them to 2 × each, less 1."""
    import keras

    x = keras.Input((4,), dtype="uint8", name="bytes")
    scale = keras.layers.Dense(4, name="scale")
    model = keras.Model(x, scale(keras.layers.Rescaling(1.0)(x)))
    scale.set_weights([np.eye(4, dtype=np.float32) * 2, np.full(4, -1, np.float32)])
    model.save(path)


def scaling() -> dict[str, bool]:
    """By what a model of images begins with: whether that may scale its inputs."""
    import keras

    from harness.build.models.keras_model import KerasModel

    layers, image = keras.layers, (8, 8, 3)
    rest = [layers.Conv2D(4, 3), layers.GlobalAveragePooling2D(), layers.Dense(3)]
    inner = keras.Sequential([keras.Input(image), layers.Rescaling(1 / 255), layers.Conv2D(4, 3)])
    x = keras.Input(image)
    models = {
        "nothing": keras.Sequential([keras.Input(image), layers.ZeroPadding2D(), *rest]),
        "rescaling": keras.Sequential([keras.Input(image), layers.RandomFlip(), layers.Rescaling(1 / 255), *rest]),
        "nested": keras.Sequential([keras.Input(image), inner, layers.Flatten()]),
        "normalisation": keras.Sequential([keras.Input(image), layers.Normalization(mean=0.5, variance=1.0), *rest]),
        "written": keras.Model(x, layers.Conv2D(4, 3)(x / 255.0)),
        "lambda": keras.Sequential([keras.Input(image), layers.Lambda(lambda x: x / 255), *rest]),
        "batch normalisation first": keras.Sequential([keras.Input(image), layers.BatchNormalization(), *rest]),
        "batch normalisation later": keras.Sequential(
            [keras.Input(image), layers.Conv2D(4, 3), layers.BatchNormalization(), layers.Flatten()]
        ),
        "layer normalisation last": keras.Sequential([keras.Input(image), *rest, layers.LayerNormalization()]),
    }
    return {name: not KerasModel(model).facts.bare for name, model in models.items()}
