"""What a device or another program says, made safe before it is printed or kept."""

from __future__ import annotations

from typing import Any


def harmless(value: Any) -> Any:
    """Returns a text, or a JSON value with texts in it, without control characters: a terminal would obey them."""
    if isinstance(value, str):
        return value if value.isprintable() else "".join(c if c.isprintable() else " " for c in value)
    if isinstance(value, dict):
        return {harmless(key): harmless(value) for key, value in value.items()}
    if isinstance(value, list):
        return [harmless(value) for value in value]
    return value


def harmless_lines(text: str) -> str:
    """Returns a text of several lines, each made harmless."""
    return "\n".join(map(harmless, text.split("\n")))


def harmless_cell(text: str) -> str:
    """Returns a text for a cell of a CSV file that no spreadsheet computes: it would what begins with =, +, - or @."""
    line: str = harmless(text)
    return f"'{line}" if line.lstrip()[:1] in ("=", "+", "-", "@") and not is_number(line) else line


def is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def last_line(output: bytes | str, otherwise: str) -> str:
    """Returns the last line of what a program printed, made harmless: mostly the reason why it failed.
    `otherwise` where it printed nothing.
    """
    text = output.decode(errors="replace") if isinstance(output, bytes) else output
    line: str = harmless((text.strip().splitlines() or [otherwise])[-1])
    return line
