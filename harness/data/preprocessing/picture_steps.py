"""What a program does to a picture before the model sees it: the steps that are known, and what each choice makes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import permutations
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from harness.data.preprocessing.resizing import KERNELS, resized
from harness.data.preprocessing.steps import Choice, Family, Rendered

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".gif", ".webp")
ORIENTATION = 0x0112  # the EXIF tag
GEOMETRY = ("EXIF orientation", "direction", "fit", "resizing", "shift")
KEPT = 24  # choices whose pictures are kept in memory: neighbours in a search share them
Part = tuple[float, float, float, float]  # top, left, bottom, right
Place = tuple[Part, Part]  # the part of the source, and where it goes to in the result
Fit = Callable[[int, int, int, int], Place]  # height and width of the source, and of the result


def whole(height: int, width: int) -> Part:
    return 0, 0, height, width


def stretched(h: int, w: int, height: int, width: int) -> Place:
    return whole(h, w), whole(height, width)


def cut(h: int, w: int, height: int, width: int, share: float = 1.0, keep: bool = True, at: float = 0.5) -> Place:
    """Cuts out a part, and brings it to size. share: of the source that stays; keep: its aspect is the result's.
    at: 0.5 the centre, 0 the top left.
    """
    scale = min(h / height, w / width) * share
    if keep:
        part_h, part_w = round(height * scale), round(width * scale)
    else:
        part_h, part_w = h - 2 * int(h * (1 - share) / 2), w - 2 * int(w * (1 - share) / 2)
    top, left = int((h - part_h) * at), int((w - part_w) * at)
    return (top, left, top + part_h, left + part_w), whole(height, width)


def shorter_side(h: int, w: int, height: int, width: int, to: int) -> Place:
    """Brings the shorter side to so many pixels, and cuts out the centre."""
    scale = to / min(h, w)
    high, wide = max(height, round(h * scale)), max(width, round(w * scale))
    top, left = (high - height) // 2 * h / high, (wide - width) // 2 * w / wide
    return (top, left, top + height * h / high, left + width * w / wide), whole(height, width)


def padded(h: int, w: int, height: int, width: int, at: float) -> Place:
    """Keeps the aspect, and leaves a border."""
    scale = min(height / h, width / w)
    high, wide = max(1, round(h * scale)), max(1, round(w * scale))
    top, left = round((height - high) * at), round((width - wide) * at)
    return whole(h, w), (top, left, top + high, left + wide)


def unscaled(h: int, w: int, height: int, width: int, at: float) -> Place:
    high, wide = min(h, height), min(w, width)
    top, left = int((h - high) * at), int((w - wide) * at)
    put = int((height - high) * at), int((width - wide) * at)
    return (top, left, top + high, left + wide), (*put, put[0] + high, put[1] + wide)


FITS: dict[str, Fit] = {
    "stretched to the size": stretched,
    "cut to the aspect at the centre": partial(cut),
    "cut to the aspect at the top left": partial(cut, at=0.0),
    "the central 87.5 %, stretched": partial(cut, share=0.875, keep=False),
    "the central 80 %, stretched": partial(cut, share=0.8, keep=False),
    "the aspect kept, a border on both sides": partial(padded, at=0.5),
    "the aspect kept, a border at the right or bottom": partial(padded, at=0.0),
    "cut at the centre, not resized": partial(unscaled, at=0.5),
    "cut at the top left, not resized": partial(unscaled, at=0.0),
}
LARGER = (256 / 224, 232 / 224, 1.05, 1.1, 1.2, 1.25)  # what the shorter side is often brought to, of the result's
TURNS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "as it is": lambda p: p,
    "mirrored": lambda p: p[:, ::-1],
    "upside down": lambda p: p[::-1],
    "turned by 90°": lambda p: np.rot90(p, -1),
    "turned by 180°": lambda p: p[::-1, ::-1],
    "turned by 270°": lambda p: np.rot90(p, 1),
    "rows and columns exchanged": lambda p: p.swapaxes(0, 1),
}
TONES = {"linear": 1.0, "a gamma of 2.2": 2.2, "a gamma of 1/2.2": 1 / 2.2}
LUMA = {"grey by luma (0.299, 0.587, 0.114)": (0.299, 0.587, 0.114), "grey by the mean": (1 / 3, 1 / 3, 1 / 3)}
ALONE = {"the red channel alone": (1, 0, 0), "the green channel alone": (0, 1, 0), "the blue channel alone": (0, 0, 1)}
SHIFTS = {f"by {dy} rows and {dx} columns": (dy, dx) for dy in (0, -1, 1) for dx in (0, -1, 1)}


def fits(height: int, width: int) -> dict[str, Fit]:
    """Returns the ways to bring a picture to this size, by name."""
    sides = sorted({round(min(height, width) * larger) for larger in LARGER})
    cuts = {f"the shorter side to {to} pixels, then cut at the centre": partial(shorter_side, to=to) for to in sides}
    return FITS | cuts


def channel_choices(count: int) -> dict[str, tuple[tuple[float, float, float], ...]]:
    """Returns, for results of one channel or three, what each is mixed from: name → a row (red, green, blue) each."""
    if count == 1:
        return {name: (mix,) for name, mix in (LUMA | ALONE).items()}
    one = np.eye(3)
    orders = {"".join("RGB"[n] for n in order): tuple(map(tuple, one[list(order)])) for order in permutations(range(3))}
    return orders | {f"{name}, three times": (mix,) * 3 for name, mix in LUMA.items()}


def family(files: Sequence[Path], shape: tuple[int, int, int]) -> Family:
    """Returns what is known of programs that make results of this shape, (height, width, channels), of these files."""
    raw = [read(path) for path in files]
    channels, ways = channel_choices(shape[2]), fits(*shape[:2])
    steps = {
        "EXIF orientation": ("ignored", "applied") if any(each.tagged for each in raw) else ("ignored",),
        "direction": tuple(TURNS),
        "fit": tuple(ways),
        "resizing": tuple(KERNELS),
        "shift": tuple(SHIFTS),
        "channels": tuple(channels),
        "tone": tuple(TONES),
    }

    def render(choice: Choice) -> Rendered:
        first = placed(tuple(choice[step] for step in GEOMETRY), small=False)
        mixed = first.values @ np.array(channels[choice["channels"]], np.float32).T
        tone = TONES[choice["tone"]]
        toned = mixed if tone == 1 else 255 * (np.clip(mixed, 0, 255) / 255) ** tone
        return Rendered(toned, first.inside)

    def roughly(choice: Choice) -> Rendered:
        first = placed(tuple(choice[step] for step in GEOMETRY), small=True)
        return Rendered(first.values.mean(axis=-1, keepdims=True), first.inside)

    @lru_cache(maxsize=KEPT)
    def placed(geometry: tuple[str, ...], small: bool) -> Rendered:
        exif, turn, fit, kernel, shift = geometry
        picked = [(TURNS[turn](each.upright if exif == "applied" else each.plain)) for each in raw]
        each = [place(picture, ways[fit], kernel, SHIFTS[shift], shape, small) for picture in picked]
        return Rendered(np.stack([values for values, _ in each]), np.stack([inside for _, inside in each]))

    where = ("EXIF orientation", "direction", "fit")
    together = (where, ("channels",), ("resizing",), ("fit",), ("shift",), ("tone", "channels"))
    return Family(steps, together, render, roughly)


@dataclass(frozen=True)
class Raw:
    """A picture as it is stored and as its EXIF tag turns it, float32 (h, w, 3), and whether there is such a tag."""

    plain: np.ndarray
    upright: np.ndarray
    tagged: bool


def read(path: Path) -> Raw:
    with Image.open(path) as image:
        tagged = image.getexif().get(ORIENTATION, 1) not in (0, 1)
        plain, upright = (np.asarray(i.convert("RGB"), np.float32) for i in (image, ImageOps.exif_transpose(image)))
    return Raw(plain, upright, tagged)


def place(
    picture: np.ndarray, fit: Fit, kernel: str, shift: tuple[int, int], shape: tuple[int, int, int], small: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the picture in the result's frame, (height, width, 3), and where it is, bool (height, width). small: of a
    picture that is much larger than the result, of every n-th pixel.
    """
    source, target = fit(picture.shape[0], picture.shape[1], shape[0], shape[1])
    top, left, bottom, right = map(int, target)
    dy, dx = shift[0] * (source[2] - source[0]) / (bottom - top), shift[1] * (source[3] - source[1]) / (right - left)
    moved = source[0] + dy, source[1] + dx, source[2] + dy, source[3] + dx
    every = max(1, min(picture.shape[0] // shape[0], picture.shape[1] // shape[1])) if small else 1
    part = moved[0] / every, moved[1] / every, moved[2] / every, moved[3] / every
    values, inside = np.zeros((*shape[:2], 3), np.float32), np.zeros(shape[:2], bool)
    size = bottom - top, right - left
    values[top:bottom, left:right] = resized(picture[::every, ::every], kernel, part, size)
    edge_y, edge_x = int(size[0] < shape[0]), int(size[1] < shape[1])  # rounding decides where a border begins
    inside[top + edge_y : bottom - edge_y, left + edge_x : right - edge_x] = True
    return values, inside
