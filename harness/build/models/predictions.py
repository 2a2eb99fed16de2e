"""The model's own outputs: what every variant is compared with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from harness.build.models import Model, load
from harness.build.models.feed import Feed
from harness.errors import BuildError, one_line

BATCH = 256
BATCH_BYTES = 4 << 20  # of float32 input: the activations are often many times as much


def outputs(model_path: Path, feeds: Sequence[Feed], stored: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
    """One float32 array an output, shape (samples, …), for samples as they are stored, one array an input of the data.

    In batches of one size, the last one padded and cut: a model may take no other size.
    """
    import tensorflow as tf

    tf.config.experimental.enable_op_determinism()
    model = load(model_path)
    size = batch_of(model.facts.inputs[0].shape[0], feeds)
    made = []
    for first in range(0, len(stored[0]), size):
        batch = [feed.values([array[first : first + size] for array in stored]) for feed in feeds]
        count = len(batch[0])
        outputs = predicted(model, [filled(values, size) for values in batch])
        made.append([np.asarray(y[:count], np.float32) for y in outputs])
    return tuple(np.concatenate(parts) for parts in zip(*made, strict=True))


def predicted(model: Model, batch: Sequence[np.ndarray]) -> list[np.ndarray]:
    try:
        return model.predict(batch)
    except Exception as error:  # TensorFlow raises a class for each of its codes
        told = f"the model fails on samples of the test set: {one_line(error)}"
        advice = "try model.predict on such samples; the first axis must be the batch, of the length it declares"
        raise BuildError(told, advice) from error


def batch_of(fixed: int, feeds: Sequence[Feed]) -> int:
    """The model's own batch where it has a fixed one, else one of bounded memory."""
    if fixed > 0:
        return fixed
    sample_bytes = 4 * sum(int(np.prod(feed.tensor.shape)) for feed in feeds)
    return max(1, min(BATCH, BATCH_BYTES // max(sample_bytes, 1)))


def filled(values: np.ndarray, size: int) -> np.ndarray:
    return np.concatenate([values, values[-1:].repeat(size - len(values), axis=0)]) if len(values) < size else values
