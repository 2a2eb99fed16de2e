"""A picture with the boxes, or points, of its labels, of Keras and of a variant, each in a line of its own style."""

from __future__ import annotations

import io

import numpy as np

from harness.compare.said_boxes import said_boxes
from harness.data.picture import picture_of
from harness.metrics.task_table import kind_of
from harness.records import Case, Comparison, Run

LEAST_SIDE = 224  # of what is drawn: small pictures are enlarged, pixel by pixel
LINES = (("#56c9a2", 0, "labels solid green"), ("#7cbcf0", 6, "Keras dashed blue"), ("#ff9d66", 2, "{} dotted orange"))
MARKS = ("labels green circles", "Keras blue crosses", "{} orange diagonal crosses")
REACH = 5  # of a mark, in pixels of what is drawn


def key_of(run: Run, row: str) -> str:
    """Returns what is drawn how. row: the variant's name."""
    if kind_of(run.task).says == "points":
        return f"Points: {', '.join(MARKS)}.".format(row)
    return f"Boxes: {', '.join(told for *_, told in LINES)}.".format(row)


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
    how = comparison.run.scoring.keypoints
    for n, (shares, (colour, dash, _)) in enumerate(zip(layers, LINES, strict=True)):
        for line in how.skeleton if how and len(shares) else ():
            ends = shares[list(line)] * np.array(size)
            if np.isfinite(ends).all():
                stroke(pen, ends[0], ends[1], colour, dash, width=1)
        for place in (shares * np.array(size * (shares.shape[1] // 2))).tolist():
            if len(place) == 2:
                mark(pen, place, colour, n)
            else:
                outline(pen, place, colour, dash)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def mark(pen, place: list[float], colour: str, kind: int) -> None:  # type: ignore[no-untyped-def]
    """Draws a point in the form that MARKS has at that place; nothing where it is not finite."""
    if not np.isfinite(place).all():
        return
    x, y = place
    if kind == 0:
        pen.ellipse((x - REACH, y - REACH, x + REACH, y + REACH), outline=colour, width=2)
    for dx, dy in ((), ((REACH, 0), (0, REACH)), ((REACH, REACH), (REACH, -REACH)))[kind]:
        pen.line((x - dx, y - dy, x + dx, y + dy), fill=colour, width=2)


def outline(pen, corners: list[float], colour: str, dash: int) -> None:  # type: ignore[no-untyped-def]
    """Draws a box, two pixels wide. dash: the length of a dash and of a gap; 0 for a solid line."""
    x1, y1, x2, y2 = corners
    for ends in ((x1, y1, x2, y1), (x2, y1, x2, y2), (x2, y2, x1, y2), (x1, y2, x1, y1)):
        stroke(pen, np.array(ends[:2]), np.array(ends[2:]), colour, dash)


def stroke(pen, start: np.ndarray, end: np.ndarray, colour: str, dash: int, width: int = 2) -> None:  # type: ignore[no-untyped-def]
    """Draws a line. dash: as in outline. width: in pixels."""
    length = float(np.linalg.norm(end - start))
    step = dash or length or 1.0
    for at in np.arange(0, length, 2 * step if dash else step):
        part = start + (end - start) * np.array([[at], [min(at + step, length)]]) / (length or 1.0)
        pen.line([tuple(point) for point in part.tolist()], fill=colour, width=width)
