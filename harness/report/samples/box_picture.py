"""A picture with the boxes of its labels, of Keras and of a variant, each in a line of its own style."""

from __future__ import annotations

import io

import numpy as np

from harness.compare.said_boxes import said_boxes
from harness.data.picture import picture_of
from harness.records import Case, Comparison

LEAST_SIDE = 224  # of what is drawn: small pictures are enlarged, pixel by pixel
LINES = (("#56c9a2", 0, "labels solid green"), ("#7cbcf0", 6, "Keras dashed blue"), ("#ff9d66", 2, "{} dotted orange"))
KEY = "Boxes: " + ", ".join(told for *_, told in LINES) + "."


def box_picture(comparison: Comparison, pictures: np.ndarray | None, index: int, case: Case | None) -> bytes:
    """Returns the picture as a PNG, or nothing where it cannot be drawn. case: None draws no variant."""
    picture = picture_of(pictures, index)
    return b"" if picture is None else png_with_boxes(picture, comparison, index, case)


def png_with_boxes(picture: np.ndarray, comparison: Comparison, index: int, case: Case | None) -> bytes:
    from PIL import Image, ImageDraw

    said, times = said_boxes(comparison, index), max(1, -(-LEAST_SIDE // min(picture.shape[:2])))
    size = picture.shape[1] * times, picture.shape[0] * times
    image = Image.fromarray(picture).convert("RGB").resize(size, Image.Resampling.NEAREST)
    pen = ImageDraw.Draw(image)
    layers = (said.labels, said.keras, said.variants.get(case, said.keras[:0]) if case else said.keras[:0])
    for boxes, (colour, dash, _) in zip(layers, LINES, strict=True):
        for corners in (boxes * np.array(size * 2)).tolist():
            outline(pen, corners, colour, dash)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def outline(pen, corners: list[float], colour: str, dash: int) -> None:  # type: ignore[no-untyped-def]
    """Draws a box, two pixels wide. dash: the length of a dash and of a gap; 0 for a solid line."""
    x1, y1, x2, y2 = corners
    for ends in ((x1, y1, x2, y1), (x2, y1, x2, y2), (x2, y2, x1, y2), (x1, y2, x1, y1)):
        start, end = np.array(ends[:2]), np.array(ends[2:])
        length = float(np.linalg.norm(end - start))
        step = dash or length or 1.0
        for at in np.arange(0, length, 2 * step if dash else step):
            part = start + (end - start) * np.array([[at], [min(at + step, length)]]) / (length or 1.0)
            pen.line([tuple(point) for point in part.tolist()], fill=colour, width=2)
