"""Boxes are drawn where they are, each kind in a line of its own."""

from __future__ import annotations

from PIL import Image, ImageDraw

from harness.report.samples.box_picture import LINES, outline


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
