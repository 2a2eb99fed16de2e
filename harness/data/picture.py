"""A stored input as a picture: whether it is one, and its bytes."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np

SMALLEST_SIDE, LONGEST = 8, 4  # a picture has at least so many numbers a side, and its sides this ratio at most
DARK = 64  # bytes that never exceed it have fewer levels, such as 0 to 16
LOOKED_AT = 64  # samples whose range decides how numbers become brightness


def drawable(inputs: np.ndarray) -> bool:
    """Say whether a stored input is pictures: (samples, h, w), (samples, h, w, 1) grey, (samples, h, w, 3) colour."""
    if inputs.ndim not in (3, 4) or (inputs.ndim == 4 and inputs.shape[3] not in (1, 3)):
        return False
    low, high = sorted(inputs.shape[1:3])
    bytes_in_two = inputs.dtype == np.uint8
    return bool(low > 0 and (low >= SMALLEST_SIDE or bytes_in_two) and high <= LONGEST * low)


def pictures_of(inputs: Sequence[np.ndarray]) -> np.ndarray | None:
    """Find the first of a model's inputs that is a picture."""
    return next((array for array in inputs if drawable(array)), None)


def picture_of(pictures: np.ndarray | None, index: int) -> np.ndarray | None:
    """Return one stored input as uint8 (h, w) or (h, w, 3), or None where it cannot be drawn."""
    if pictures is None or not 0 <= index < len(pictures) or not drawable(pictures):
        return None
    picture = as_bytes(np.asarray(pictures[index]), pictures)
    return picture[:, :, 0] if picture.ndim == 3 and picture.shape[2] == 1 else picture


def as_bytes(picture: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Map 0 to 1, −1 to 1 or 0 to 255 to bytes; any other range from its lowest number to its highest."""
    seen = np.asarray(among[:: max(1, len(among) // LOOKED_AT)][:LOOKED_AT], dtype=np.float64)
    low, high = float(np.nanmin(seen)), float(np.nanmax(seen))
    if picture.dtype == np.uint8 and high > DARK:
        return picture
    meant = ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0)) if picture.dtype != np.uint8 else ((0.0, max(high, 1.0)),)
    fitting = ((a, b) for a, b in meant if a - 1e-3 <= low and high <= b + 1e-3)
    low, high = next(fitting, (low, high if high > low else low + 1))
    share = np.nan_to_num((picture.astype(np.float64) - low) / (high - low))
    return np.asarray(np.round(255 * np.clip(share, 0, 1)).astype(np.uint8))


def picture_png(picture: np.ndarray) -> bytes:
    """Return the picture, pixel for pixel, as PNG bytes: grey for (h, w), RGB for (h, w, 3)."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def png_of(pictures: np.ndarray | None, index: int) -> bytes:
    """Return one stored input as PNG bytes, or nothing where it cannot be drawn."""
    picture = picture_of(pictures, index)
    return b"" if picture is None else picture_png(picture)
