"""Scenes composed of scikit-learn's digits, by a seed: pictures whose masks, boxes and classes are known exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

TRAINING = 1_200  # of the digits: scenes to test with are made of the others
INK = 4  # of 16: over it a pixel is the digit's
LOUDEST = 60  # of the background, where ink begins at 90
TRIES = 40  # for a place where a digit's box meets no other

Box = tuple[int, int, int, int]  # left, top, right, bottom, of which the last two are outside


@dataclass(frozen=True, eq=False)
class Scenes:
    """n scenes with one to `most` digits each, whose boxes do not meet.

    pictures: uint8 (n, side, side). masks: uint8 (n, side, side): 0 for the background, 1 + the digit's class for
        its ink.
    boxes: of each scene int32 (digits, 4): left, top, right, bottom, of which the last two are outside.
    classes: of each scene int32 (digits,): the place of each among the kinds of digits that are drawn.
    """

    pictures: np.ndarray
    masks: np.ndarray
    boxes: tuple[np.ndarray, ...]
    classes: tuple[np.ndarray, ...]


def scenes(
    n: int, seed: int = 0, side: int = 48, most: int = 3, training: bool = False, digits: Sequence[int] = range(10)
) -> Scenes:
    """Composes n scenes. training: of handwriting that scenes to test with are not made of. digits: those to draw."""
    from sklearn.datasets import load_digits

    stored, rng = load_digits(), np.random.default_rng(seed)
    part = slice(None, TRAINING) if training else slice(TRAINING, None)
    drawn = np.isin(stored.target[part], digits)
    glyphs, kinds = stored.images[part][drawn], [list(digits).index(kind) for kind in stored.target[part][drawn]]
    pictures = rng.integers(0, LOUDEST, (n, side, side)).astype(np.uint8)
    masks = np.zeros_like(pictures)
    placed = [compose(rng, glyphs, kinds, picture, mask, most) for picture, mask in zip(pictures, masks, strict=True)]
    boxes, classes = zip(*placed, strict=True) if placed else ((), ())
    return Scenes(pictures, masks, tuple(boxes), tuple(classes))


def compose(
    rng: np.random.Generator, glyphs: np.ndarray, kinds: list[int], picture: np.ndarray, mask: np.ndarray, most: int
) -> tuple[np.ndarray, np.ndarray]:
    """Draws digits into a picture and its mask. Returns their boxes and classes."""
    boxes: list[Box] = []
    classes: list[int] = []
    for _ in range(rng.integers(1, most + 1)):
        chosen = rng.integers(len(glyphs))
        glyph = glyphs[chosen].repeat(times := rng.integers(1, 4), axis=0).repeat(times, axis=1)
        if box := draw(rng, glyph, kinds[chosen], picture, mask, boxes):
            boxes.append(box)
            classes.append(kinds[chosen])
    return np.array(boxes, np.int32).reshape(-1, 4), np.array(classes, np.int32)


def draw(
    rng: np.random.Generator, glyph: np.ndarray, kind: int, picture: np.ndarray, mask: np.ndarray, taken: list[Box]
) -> Box | None:
    """Draws one digit where it meets no box that is taken. Returns the box of its ink; None where there is no place."""
    ink, size = glyph > INK, len(glyph)
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    for _ in range(TRIES):
        top, left = (int(place) for place in rng.integers(0, len(picture) - size + 1, 2))
        box = left + int(columns[0]), top + int(rows[0]), left + int(columns[-1]) + 1, top + int(rows[-1]) + 1
        if not any(meet(box, other) for other in taken):
            there = slice(top, top + size), slice(left, left + size)
            picture[there][ink] = 90 + (165 / 16) * glyph[ink]
            mask[there][ink] = 1 + kind
            return box
    return None


def meet(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
