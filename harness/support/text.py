"""What a device or another program says, made safe before it is printed or kept."""

from __future__ import annotations

from typing import Any


def harmless(said: Any) -> Any:
    """Returns a text, or a JSON value with texts in it, without control characters: a terminal would obey them."""
    if isinstance(said, str):
        return said if said.isprintable() else "".join(c if c.isprintable() else " " for c in said)
    if isinstance(said, dict):
        return {harmless(key): harmless(value) for key, value in said.items()}
    if isinstance(said, list):
        return [harmless(value) for value in said]
    return said


def last_line(said: bytes | str, otherwise: str) -> str:
    """Returns the last line of what a program printed, made harmless: mostly the reason why it failed.
    `otherwise` where it printed nothing.
    """
    text = said.decode(errors="replace") if isinstance(said, bytes) else said
    line: str = harmless((text.strip().splitlines() or [otherwise])[-1])
    return line
