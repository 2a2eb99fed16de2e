"""A test input as a picture: a PNG, or characters in a terminal."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

import numpy as np
from rich.color import Color
from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.style import Style

RAMP = " .:-=+*#%@"
MOST_COLUMNS = 64


def picture_of(pictures: np.ndarray | None, index: int) -> np.ndarray | None:
    """One stored input as uint8 (h, w) or (h, w, 3), or None where it cannot be drawn."""
    if pictures is None or not 0 <= index < len(pictures) or pictures.dtype != np.uint8:
        return None
    picture = pictures[index]
    if picture.ndim == 3 and picture.shape[2] == 1:
        picture = picture[:, :, 0]
    return picture if picture.ndim == 2 or (picture.ndim == 3 and picture.shape[2] == 3) else None


def picture_png(picture: np.ndarray) -> bytes:
    """The picture, pixel for pixel, as PNG bytes: grey for (h, w), RGB for (h, w, 3)."""
    height, width = picture.shape[:2]
    lines = b"".join(b"\0" + line.tobytes() for line in np.ascontiguousarray(picture))
    header = struct.pack(">IIBBBBB", width, height, 8, 0 if picture.ndim == 2 else 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


@dataclass(frozen=True)
class TerminalPicture:
    """Two pixels a character as half blocks; where there is no colour, two characters a pixel from light to dark."""

    picture: np.ndarray

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        step = -(-self.picture.shape[1] // min(MOST_COLUMNS, options.max_width))
        small = self.picture[::step, ::step]
        yield from (
            _blocks(small) if console.color_system and not options.ascii_only else _letters(small, options.max_width)
        )


def _blocks(picture: np.ndarray) -> RenderResult:
    colour = picture if picture.ndim == 3 else np.repeat(picture[:, :, None], 3, axis=2)
    if len(colour) % 2:
        colour = np.concatenate([colour, np.zeros_like(colour[:1])])
    for upper, lower in zip(colour[::2], colour[1::2], strict=True):
        for top, bottom in zip(upper.tolist(), lower.tolist(), strict=True):
            yield Segment("▀", Style(color=Color.from_rgb(*top), bgcolor=Color.from_rgb(*bottom)))
        yield Segment.line()


def _letters(picture: np.ndarray, width: int) -> RenderResult:
    grey = picture if picture.ndim == 2 else picture.mean(axis=2)
    repeat = 2 if grey.shape[1] * 2 <= width else 1
    for line in grey[:: 3 - repeat]:  # a character is twice as high as wide
        yield Segment("".join(RAMP[int(v) * len(RAMP) // 256] * repeat for v in line).rstrip())
        yield Segment.line()
