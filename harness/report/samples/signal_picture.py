"""An input as what it is: a picture, or a sound or another signal as its curve over time."""

from __future__ import annotations

import numpy as np

from harness.data.picture import picture_png, png_of
from harness.report.material import Material
from harness.report.samples.mask_pictures import BACKGROUND, COLOURS

WIDE, HIGH = 224, 112  # px
LEAST_STEPS, LEAST_NUMBERS = 16, 128  # of (samples, steps, channels); of (samples, steps): fewer are a table's columns
MOST_CHANNELS = 9  # three sensors of three axes
LINE = 1  # px that a curve is wider than its values


def input_png(material: Material, index: int) -> bytes:
    """Returns one stored input as PNG bytes, or nothing where it can be drawn neither as a picture nor as a signal."""
    if drawn := png_of(material.pictures, index):
        return drawn
    return next((signal_png(array[index]) for array in material.comparison.run.inputs if is_signal(array)), b"")


def is_signal(inputs: np.ndarray) -> bool:
    """Says whether inputs are series: (samples, steps), (samples, steps, 1) or (samples, steps, channels)."""
    if inputs.dtype.kind not in "fiu" or inputs.ndim not in (2, 3):
        return False
    if inputs.ndim == 2 or inputs.shape[2] == 1:
        return inputs.shape[1] >= LEAST_NUMBERS
    return inputs.shape[1] >= LEAST_STEPS and inputs.shape[2] <= MOST_CHANNELS


def signal_png(values: np.ndarray) -> bytes:
    """Returns a series, (steps,) or (steps, channels), as a PNG: time to the right, each channel in a colour, from the
    lowest value of all to the highest. Of many steps, each column of pixels shows the least and the most of its own.
    """
    series = np.nan_to_num(np.asarray(values, float)).reshape(len(values), -1)
    low, high = series.min(), series.max()
    image = np.full((HIGH, WIDE, 3), BACKGROUND, np.uint8)
    rows = np.arange(HIGH)[:, None]
    for n, channel in enumerate(series.T):
        least, most = (
            (HIGH - 3) * (high - ends) / ((high - low) or 1.0) + 1 for ends in reversed(ends_of_columns(channel))
        )
        image[(rows >= least - LINE) & (rows <= most + LINE)] = COLOURS[(n + 4) % len(COLOURS)]
    return picture_png(image)


def ends_of_columns(channel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the least and the most value of each column of pixels, neighbours joined."""
    if len(channel) >= 2 * WIDE:
        parts = np.array_split(channel, WIDE)
        return np.array([part.min() for part in parts]), np.array([part.max() for part in parts])
    along = np.interp(np.linspace(0, len(channel) - 1, WIDE + 1), np.arange(len(channel)), channel)
    return np.minimum(along[:-1], along[1:]), np.maximum(along[:-1], along[1:])
