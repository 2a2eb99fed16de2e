"""The reference model of the built-in workloads: a small dense classifier of 28×28 images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.data.calibration import model_inputs
from harness.records import Dataset

if TYPE_CHECKING:
    import keras

EPOCHS = 5
BATCH_SIZE = 32


def reference_model() -> keras.Model:
    """Untrained: images of 28×28 in 0..1 to ten class probabilities; 101,770 weights."""
    import keras

    return keras.Sequential(
        [
            keras.Input((28, 28)),
            keras.layers.Flatten(),
            keras.layers.Dense(128, activation="relu"),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )


def train(dataset: Dataset, seed: int) -> keras.Model:
    """The reference model trained on the training samples: the same weights for the same seed, machine and versions."""
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    model = reference_model()
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    (images,) = model_inputs(dataset, dataset.train_inputs)
    model.fit(images, dataset.train_labels, epochs=EPOCHS, batch_size=BATCH_SIZE, verbose=0)
    return model
