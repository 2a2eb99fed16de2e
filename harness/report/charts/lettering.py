"""How wide a text is, and what is done where it does not fit; the paths of the shapes that points have."""

from __future__ import annotations

from functools import cache

# Widths of DejaVu Sans, in thousandths of the size of type: the widest sans-serif that systems have of themselves.
WIDTHS = {
    **dict.fromkeys("'ijlIJ ,.·/:;|", 330),
    **dict.fromkeys("-()[]frt", 400),
    **dict.fromkeys("!⁰¹²³⁴⁵⁶⁷⁸⁹", 401),
    **dict.fromkeys("*_°szcL⁻", 540),
    **dict.fromkeys("vxykFPTYoae", 610),
    **dict.fromkeys("KAVXZBRCΔ", 690),
    **dict.fromkeys("UNHDGOQ&w", 785),
    **dict.fromkeys("+<=>~×−≤→M", 850),
    **dict.fromkeys("%mW@…", 990),
}
USUAL = 636  # every digit, and most letters
SMALL, BOLD = 12.0, 15.0  # px; bold type has 13, and letters that are wider
ELLIPSIS = " …"

SHAPES = ("circle", "square", "triangle", "diamond", "down", "plus", "cross", "star")


@cache
def breadth(text: str, size: float = SMALL) -> float:
    """Return about how wide a text is, in px."""
    return sum(WIDTHS.get(letter, USUAL) for letter in text) * size / 1000


def wrapped(text: str, room: float, size: float = SMALL) -> list[str]:
    """Break a text between words into lines that fit the room, in px; a line break in it stays one."""
    lines: list[str] = []
    for part in text.split("\n") if text else ():
        lines.append("")
        for word in part.split(" "):
            longer = f"{lines[-1]} {word}".strip()
            if lines[-1] and breadth(longer, size) > room:
                lines.append(word)
            else:
                lines[-1] = longer
    return lines


def shortened(text: str, room: float, size: float = SMALL) -> str:
    """Cut a text that does not fit the room, in px, and say so by an ellipsis."""
    if breadth(text, size) <= room:
        return text
    kept = text
    while kept and breadth(kept + ELLIPSIS, size) > room:
        kept = kept[:-1]
    return kept.rstrip() + ELLIPSIS


def shape_path(shape: str, x: float, y: float, r: float) -> str:
    """Return the path of a shape around a point. Every shape has about the area of a circle of radius r."""
    at = f"M{number(x)} {number(y)}"
    if shape == "circle":
        half, across = f"a{number(r)} {number(r)} 0 1 0", number(2 * r)
        return f"{at}m{number(-r)} 0{half} {across} 0{half} -{across} 0"
    (first, *others) = ((r * a, r * b) for a, b in OUTLINES[shape])
    moves, (px, py) = [f"m{number(first[0])} {number(first[1])}"], first
    for qx, qy in others:
        moves.append(f"l{number(qx - px)} {number(qy - py)}")
        px, py = qx, qy
    return f"{at}{''.join(moves)}z"


A, B = 0.28, 1.15  # half the thickness and half the length of a plus' arms, against the radius
PLUS = tuple((x * sx, y * sy) for x, y, sx, sy in (
    (A, B, -1, -1), (A, B, 1, -1), (A, A, 1, -1), (B, A, 1, -1), (B, A, 1, 1), (A, A, 1, 1),
    (A, B, 1, 1), (A, B, -1, 1), (A, A, -1, 1), (B, A, -1, 1), (B, A, -1, -1), (A, A, -1, -1),
))  # fmt: skip
OUTLINES: dict[str, tuple[tuple[float, float], ...]] = {
    "square": ((-0.89, -0.89), (0.89, -0.89), (0.89, 0.89), (-0.89, 0.89)),
    "triangle": ((0, -1.25), (1.2, 0.85), (-1.2, 0.85)),
    "down": ((0, 1.25), (1.2, -0.85), (-1.2, -0.85)),
    "diamond": ((0, -1.3), (1.15, 0), (0, 1.3), (-1.15, 0)),
    "plus": PLUS,
    "cross": tuple(((x - y) * 0.7071, (x + y) * 0.7071) for x, y in PLUS),
    "star": (
        (0, -1.4), (0.35, -0.48), (1.33, -0.43), (0.56, 0.18), (0.82, 1.13),
        (0, 0.59), (-0.82, 1.13), (-0.56, 0.18), (-1.33, -0.43), (-0.35, -0.48),
    ),
}  # fmt: skip


def number(value: float) -> str:
    """Write a length in px to a tenth, as short as it goes."""
    return f"{round(value, 1) + 0.0:g}"
