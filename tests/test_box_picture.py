"""Boxes are drawn where they are, each kind in a line of its own."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageDraw

from harness.compare.baseline import compare
from harness.records import Keypoints, Scoring
from harness.report.samples.box_picture import LINES, box_picture, outline
from tests.made_tasks import run_of


def drawn(dash: int) -> Image.Image:
    image = Image.new("RGB", (100, 100))
    outline(ImageDraw.Draw(image), [20, 30, 80, 70], LINES[0][0], dash)
    return image


def test_a_solid_line_goes_round_the_box_and_nowhere_else():
    image = drawn(0)
    assert image.getbbox() is not None and all(
        abs(a - b) <= 2 for a, b in zip(image.getbbox(), (20, 30, 80, 70), strict=True)
    )
    assert all(image.getpixel((x, 30)) != (0, 0, 0) for x in range(20, 80))
    assert image.getpixel((50, 50)) == (0, 0, 0)


def test_a_dashed_line_has_gaps():
    gaps = sum(drawn(6).getpixel((x, 30)) == (0, 0, 0) for x in range(20, 80))
    assert 15 < gaps < 40


def pixels_of(skeleton: tuple[tuple[int, int], ...], labels: np.ndarray) -> np.ndarray:
    """Draws what three points that all models find look like, on a black picture of 240 × 240."""
    scoring = Scoring("oks", keypoints=Keypoints((240, 240), normalised=False, sigmas=(0.05,), skeleton=skeleton))
    points = np.array([[[40, 40], [200, 40], [200, 200]]], np.float32)
    black = np.zeros((1, 240, 240), np.uint8)
    made = run_of("keypoints", labels, points, {"int8": points}, scoring, [black])
    image = Image.open(io.BytesIO(box_picture(compare(made), black, 0, None)))
    return np.asarray(image).astype(int).sum(axis=2)


def test_a_skeleton_joins_the_points_that_it_names_and_no_others():
    labels = np.array([[[40, 40, 2, 900], [200, 40, 2, 900], [200, 200, 2, 900]]], float)
    plain, joined = pixels_of((), labels), pixels_of(((0, 1),), labels)
    assert not plain[38:43, 60:180].any() and joined[40, 60:180].all()  # the labels' line has no gaps
    assert (plain[60:180] == joined[60:180]).all()  # nothing else: neither down to the third point nor across


def test_no_line_goes_to_a_point_without_a_label():
    labels = np.array([[[40, 40, 2, 900], [200, 40, 0, 900], [200, 200, 2, 900]]], float)
    drawn = pixels_of(((0, 1),), labels)
    assert 0 < (drawn[40, 60:180] > 0).sum() < 90  # Keras' dashes alone
