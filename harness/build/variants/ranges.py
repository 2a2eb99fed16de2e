"""What a tensor's range holds of the values that it had over the calibration samples.

TensorFlow takes all of them, so that one outlier takes the steps of all others (Wu et al., Integer Quantization for
Deep Learning Inference, 2020, compares such choices).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from harness.records.adjusted import BY_ERROR

Samples = Iterator[list[np.ndarray] | dict[str, np.ndarray]]
MOST_VALUES = 100_000  # of one tensor, over all samples
MOST_OF_SAMPLE = 1_000  # of one tensor, of one sample
STEPS = 255
SHARES = np.geomspace(0.005, 1, 60)  # of the whole range, that are tried


def with_ranges(content: bytes, samples: Samples, ranges: str) -> bytes:
    """The calibrated file with other ranges. ranges: as Adjusted has them."""
    from tensorflow.lite.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    tensors = model.subgraphs[0].tensors
    places = [n for n, tensor in enumerate(tensors) if has_range(tensor)]
    for place, values in values_of(content, samples, places).items():
        low, high = best_range(values) if ranges == BY_ERROR else share_of(values, float(ranges.rstrip("%")))
        tensors[place].quantization.min, tensors[place].quantization.max = [min(low, 0.0)], [max(high, 0.0)]
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def has_range(tensor: Any) -> bool:
    return tensor.quantization is not None and tensor.quantization.min is not None and len(tensor.quantization.min) == 1


def values_of(content: bytes, samples: Samples, places: list[int]) -> dict[int, np.ndarray]:
    """The values of each tensor over the samples, evenly thinned out, float32."""
    import tensorflow as tf

    interpreter = tf.lite.Interpreter(model_content=content, experimental_preserve_all_tensors=True)
    interpreter.allocate_tensors()
    found: dict[int, list[np.ndarray]] = {place: [] for place in places}
    for sample in samples:
        for index, values in fed(interpreter, sample).items():
            interpreter.set_tensor(index, values)
        interpreter.invoke()
        for place in places:
            found[place].append(thinned(interpreter.get_tensor(place).reshape(-1), MOST_OF_SAMPLE).astype(np.float32))
    return {place: thinned(np.concatenate(parts), MOST_VALUES) for place, parts in found.items() if parts}


def fed(interpreter: Any, sample: list[np.ndarray] | dict[str, np.ndarray]) -> dict[int, np.ndarray]:
    """The sample's arrays by the input tensors that take them."""
    if isinstance(sample, dict):
        (signature,) = interpreter.get_signature_list()
        inputs = interpreter.get_signature_runner(signature).get_input_details()
        return {inputs[name]["index"]: values for name, values in sample.items()}
    return {into["index"]: values for into, values in zip(interpreter.get_input_details(), sample, strict=True)}


def thinned(values: np.ndarray, most: int) -> np.ndarray:
    """At most so many of the values, evenly apart, and copied."""
    places = np.linspace(0, len(values) - 1, min(len(values), most)).round().astype(np.int64)
    return np.asarray(values[places])


def share_of(values: np.ndarray, percent: float) -> tuple[float, float]:
    """The range that holds so many of the values, as many left out at either end."""
    rest = (100 - percent) / 2
    low, high = np.percentile(values, [rest, 100 - rest])
    return float(low), float(high)


def best_range(values: np.ndarray) -> tuple[float, float]:
    """Returns the range, a share of the whole one, whose 255 steps leave the least squared error."""
    low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
    if low == high:
        return low, high
    errors = [squared_error(values, low * share, high * share) for share in SHARES]
    best = SHARES[int(np.argmin(errors))]
    return low * best, high * best


def squared_error(values: np.ndarray, low: float, high: float) -> float:
    step = (high - low) / STEPS
    held = np.clip(np.round((values - low) / step), 0, STEPS) * step + low
    return float(np.mean(np.square(held - values, dtype=np.float64)))
