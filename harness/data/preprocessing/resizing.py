"""Resizing as a matrix: the weights of an axis, for each kernel that programs use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.sparse import csr_array

Shape = Callable[[np.ndarray], np.ndarray]  # distance from the centre, in source pixels of the kernel → weight


def triangle(x: np.ndarray) -> np.ndarray:
    return np.maximum(1 - np.abs(x), 0)


def box(x: np.ndarray) -> np.ndarray:
    return ((x > -0.5) & (x <= 0.5)).astype(float)


def hamming(x: np.ndarray) -> np.ndarray:
    """The kernel of Pillow's HAMMING."""
    return np.where(np.abs(x) < 1, np.sinc(x) * (0.54 + 0.46 * np.cos(np.pi * x)), 0)


def lanczos(x: np.ndarray) -> np.ndarray:
    return np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0)


def cubic(a: float) -> Shape:
    """Keys' kernel (1981): a = −.5 in Pillow and TensorFlow, −.75 in OpenCV and PyTorch."""

    def weight(x: np.ndarray) -> np.ndarray:
        x = np.abs(x)
        near, far = (a + 2) * x**3 - (a + 3) * x**2 + 1, a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a
        return np.where(x < 1, near, np.where(x < 2, far, 0))

    return weight


@dataclass(frozen=True)
class Kernel:
    """reach: of the shape, in pixels. antialiased: as wide as the scale, where a picture gets smaller.
    place: where pixel 0 of the result lies: "half" a pixel in, at a "corner", or "corners" of both are one.
    """

    shape: Shape
    reach: float
    antialiased: bool
    place: str = "half"


KERNELS = {
    "bilinear, antialiased": Kernel(triangle, 1, True),
    "bilinear, not antialiased": Kernel(triangle, 1, False),
    "bilinear, not antialiased, corners aligned": Kernel(triangle, 1, False, "corners"),
    "bilinear, not antialiased, half a pixel off (the old TensorFlow's)": Kernel(triangle, 1, False, "corner"),
    "nearest pixel": Kernel(box, 0.5, False),
    "nearest pixel, half a pixel off": Kernel(box, 0.5, False, "corner"),
    "mean of the area": Kernel(box, 0.5, True),
    "Hamming, antialiased": Kernel(hamming, 1, True),
    "bicubic, antialiased": Kernel(cubic(-0.5), 2, True),
    "bicubic, not antialiased, a = -0.5 (TensorFlow's)": Kernel(cubic(-0.5), 2, False),
    "bicubic, not antialiased, a = -0.75 (OpenCV's)": Kernel(cubic(-0.75), 2, False),
    "Lanczos, antialiased": Kernel(lanczos, 3, True),
}


@lru_cache(maxsize=4096)
def weights(name: str, size: int, low: float, high: float, count: int) -> csr_array:
    """Returns the matrix (count, size) that brings the part low ≤ x < high of an axis of `size` pixels to `count`."""
    kernel, scale = KERNELS[name], (high - low) / count
    wide = max(scale, 1.0) if kernel.antialiased else 1.0
    reach = int(np.ceil(kernel.reach * wide)) + 1
    centres = places(kernel.place, low, high, count)
    pixels = np.floor(centres)[:, np.newaxis].astype(int) + np.arange(-reach, reach + 1)
    found = kernel.shape((pixels + 0.5 - centres[:, np.newaxis]) / wide)
    inside = (pixels >= 0) & (pixels < size)
    found = np.where(inside, found, 0) if kernel.antialiased else found  # else the border's pixel is repeated
    total = found.sum(axis=1, keepdims=True)
    found = np.divide(found, total, out=np.zeros_like(found), where=np.abs(total) > 1e-9)
    rows = np.broadcast_to(np.arange(count)[:, np.newaxis], pixels.shape)
    shape = (count, size)
    return csr_array(
        (found.astype(np.float32).ravel(), (rows.ravel(), np.clip(pixels, 0, size - 1).ravel())), shape=shape
    )


def places(place: str, low: float, high: float, count: int) -> np.ndarray:
    """Returns where the pixels of the result lie in the source, (count,)."""
    n, scale = np.arange(count), (high - low) / count
    if place == "corner":
        return low + n * scale + 0.5
    if place == "corners":
        return np.asarray(low + 0.5 + n * (high - low - 1) / max(count - 1, 1))
    return low + (n + 0.5) * scale


def resized(
    picture: np.ndarray, kernel: str, part: tuple[float, float, float, float], size: tuple[int, int]
) -> np.ndarray:
    """Returns the part (top, left, bottom, right) of a picture (h, w, channels), brought to size (height, width)."""
    top, left, bottom, right = part
    rows = weights(kernel, picture.shape[0], top, bottom, size[0])
    columns = weights(kernel, picture.shape[1], left, right, size[1])
    flat = rows @ picture.reshape(picture.shape[0], -1)
    turned = flat.reshape(size[0], picture.shape[1], -1).transpose(1, 0, 2)
    done = columns @ turned.reshape(picture.shape[1], -1)
    return np.asarray(done.reshape(size[1], size[0], -1).transpose(1, 0, 2))
