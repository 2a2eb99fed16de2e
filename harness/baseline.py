"""The Keras model's own outputs: what every variant is compared with."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def keras_outputs(model_path: Path, inputs: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
    """One float32 array an output, shape (samples, …), for float32 inputs as the model takes them."""
    import keras
    import tensorflow as tf

    tf.config.experimental.enable_op_determinism()
    model = keras.saving.load_model(model_path)
    outputs = model.predict(inputs if len(inputs) > 1 else inputs[0], batch_size=256, verbose=0)
    return tuple(np.asarray(o, np.float32) for o in (outputs if isinstance(outputs, list | tuple) else [outputs]))


def parameter_count(model_path: Path) -> int:
    """How many numbers the model has learnt: a file that is smaller has lost its weights."""
    import keras

    return int(keras.saving.load_model(model_path).count_params())
