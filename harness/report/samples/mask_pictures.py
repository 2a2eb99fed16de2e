"""Masks as pictures: one picture's label, what Keras and a variant give its pixels, and where these two part."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

import numpy as np

from harness.data.picture import picture_of
from harness.metrics.masks import classes_given, classes_labelled
from harness.metrics.task import are_logits, one_column_each
from harness.records import Case, Comparison
from harness.records.names import row_name

BACKGROUND, NO_LABEL = (38, 43, 54), (128, 128, 128)
COLOURS = ((0, 114, 178), (230, 159, 0), (0, 158, 115), (204, 121, 167), (86, 180, 233), (240, 228, 66))  # Okabe, Ito
SAME, PARTED = (38, 43, 54), (213, 94, 0)
GOLDEN = 0.618034  # of a turn of hues, so that classes that follow each other differ most


@dataclass(frozen=True)
class Panel:
    title: str
    pixels: np.ndarray  # uint8, (H, W, 3), or (H, W) of grey


def panels(comparison: Comparison, pictures: np.ndarray | None, n: int) -> list[Panel]:
    """Return sample n's picture, where it can be drawn, its label, Keras' mask, and that of the row that differs most
    from it.
    """
    run, base = comparison.run, comparison.baseline
    logits = one_column_each(base) and are_logits(base)
    found = [] if (picture := picture_of(pictures, n)) is None else [Panel("Picture", picture)]
    if run.labels is not None:
        labels = classes_labelled(np.asarray(run.labels[n : n + 1]), run.scoring.ignore)[0]
        found.append(Panel("Label", drawn(labels)))
    keras = classes_given(np.asarray(base[n : n + 1]), logits)[0]
    found.append(Panel("Keras", drawn(keras)))
    if (case := furthest(comparison, n)) is not None:
        own = classes_given(np.asarray(comparison.scores[case][n : n + 1]), logits)[0]
        apart = np.where((own == keras)[..., None], SAME, PARTED).astype(np.uint8)
        found += [Panel(row_name(case), drawn(own)), Panel("Where they part", tall(apart))]
    return found


def furthest(comparison: Comparison, n: int) -> Case | None:
    """Return the sound row whose mask of sample n differs most from Keras'; None where no row has one."""
    return max(comparison.sound, key=lambda case: float(comparison.samples[case]["differing"][n]), default=None)


def drawn(classes: np.ndarray) -> np.ndarray:
    return tall(coloured(classes))


def tall(pixels: np.ndarray) -> np.ndarray:
    """Return a map that can be seen: of frames, which are one pixel high, a band of an eighth of their width."""
    height, width = pixels.shape[:2]
    return np.repeat(pixels, max(1, width // 8), axis=0) if height == 1 else pixels


def coloured(classes: np.ndarray) -> np.ndarray:
    """Return a map of classes as colours, uint8 (H, W, 3). −1, a pixel without a label, is grey."""
    table = np.array([colour_of(n) for n in range(int(classes.max(initial=0)) + 1)] + [NO_LABEL], np.uint8)
    return table[classes]


def colour_of(n: int) -> tuple[int, int, int]:
    if n == 0:
        return BACKGROUND
    if n <= len(COLOURS):
        return COLOURS[n - 1]
    red, green, blue = colorsys.hsv_to_rgb(n * GOLDEN % 1, 0.55 + 0.4 * (n % 2), 0.95)
    return round(255 * red), round(255 * green), round(255 * blue)


def strip(shown: list[Panel]) -> np.ndarray:
    """Return masks of one size side by side, uint8 (H, W, 3), with a column of black between them."""
    gap = np.zeros((len(shown[0].pixels), 1, 3), np.uint8)
    return np.concatenate([part for panel in shown for part in (panel.pixels, gap)][:-1], axis=1)
