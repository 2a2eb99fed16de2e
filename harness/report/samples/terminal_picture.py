"""A picture as characters in a terminal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from rich.color import Color
from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.style import Style

RAMP = " .:-=+*#%@"
MOST_COLUMNS = 64


@dataclass(frozen=True)
class TerminalPicture:
    """Two pixels a character as half blocks; where there is no colour, two characters a pixel from light to dark."""

    picture: np.ndarray

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        step = -(-self.picture.shape[1] // min(MOST_COLUMNS, options.max_width))
        small = self.picture[::step, ::step]
        yield from (
            half_blocks(small) if console.color_system and not options.ascii_only else letters(small, options.max_width)
        )


def half_blocks(picture: np.ndarray) -> RenderResult:
    colour = picture if picture.ndim == 3 else np.repeat(picture[:, :, None], 3, axis=2)
    if len(colour) % 2:
        colour = np.concatenate([colour, np.zeros_like(colour[:1])])
    for upper, lower in zip(colour[::2], colour[1::2], strict=True):
        for top, bottom in zip(upper.tolist(), lower.tolist(), strict=True):
            yield Segment("▀", Style(color=Color.from_rgb(*top), bgcolor=Color.from_rgb(*bottom)))
        yield Segment.line()


def letters(picture: np.ndarray, width: int) -> RenderResult:
    grey = picture if picture.ndim == 2 else picture.mean(axis=2)
    repeat = 2 if grey.shape[1] * 2 <= width else 1
    for line in grey[:: 3 - repeat]:  # a character is twice as high as wide
        yield Segment("".join(RAMP[int(v) * len(RAMP) // 256] * repeat for v in line).rstrip())
        yield Segment.line()
