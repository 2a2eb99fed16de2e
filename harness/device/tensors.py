"""From stored bytes to model input, and from output to numbers: one definition for Keras and the device."""

import numpy as np


def to_model_input(stored, scale, offset):
    """stored × scale + offset in float64, cast to float32 once. The identity leaves floats as they are."""
    if scale == 1.0 and offset == 0.0 and stored.dtype == np.float32:
        return stored
    return (stored.astype(np.float64) * scale + offset).astype(np.float32)


def quantise(values, scale, zero_point, dtype):
    """Real numbers → integers of dtype: round half to even, then clip."""
    limits = np.iinfo(dtype)
    steps = np.rint(values.astype(np.float64) / scale) + zero_point
    return np.clip(steps, limits.min, limits.max).astype(dtype)


def dequantise(steps, scale, zero_point):
    """Integers → float32: (step − zero point) × scale, in float64, cast once."""
    return ((steps.astype(np.float64) - zero_point) * scale).astype(np.float32)


def to_tensor(stored, affine, tensor):
    """What the interpreter's input tensor is given for stored values.

    affine: {"scale", "offset"}; tensor: {"dtype", "scale", "zero_point"}. It is quantised where it has a scale and its
    dtype is an integer: some converters leave a scale on float tensors, and it means nothing there.
    """
    dtype = np.dtype(tensor["dtype"])
    if tensor["scale"] is not None and np.issubdtype(dtype, np.integer):
        values = to_model_input(stored, affine["scale"], affine["offset"])
        return quantise(values, tensor["scale"], tensor["zero_point"], dtype)
    if np.issubdtype(dtype, np.floating):
        return to_model_input(stored, affine["scale"], affine["offset"]).astype(dtype)
    return stored.astype(dtype)


def without_rest(outputs, counts):
    """The outputs of one sample with 0 in the rows after those that another output counts: nobody wrote them.

    counts: [output that counts, outputs of so many rows], for each op that does so.
    """
    for count, rows in counts:
        written = int(np.ravel(outputs[count])[0])
        for row in rows:
            outputs[row][written:] = 0
    return outputs


def handed_on(value, given, taken):
    """An output's value as the input that takes it at the next sample, as a program on the device hands it on: its
    bytes where both tensors mean the same by them, else dequantised and quantised anew.

    given, taken: {"dtype", "scale", "zero_point"} of the output and of the input.
    """
    if all(given[key] == taken[key] for key in ("dtype", "scale", "zero_point")):
        return value
    numbers = value if given["scale"] is None else from_tensor(value, given["scale"], given["zero_point"])
    return to_tensor(numbers, {"scale": 1.0, "offset": 0.0}, taken)


def from_tensor(output, scale, zero_point):
    """A runtime's output as float32 numbers: dequantised where it has a scale and is of an integer dtype."""
    if scale is None or not np.issubdtype(output.dtype, np.integer):
        return output.astype(np.float32)
    return dequantise(output, scale, zero_point)
