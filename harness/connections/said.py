"""What a device says, before anybody prints or keeps it."""

from __future__ import annotations

from typing import Any


def harmless(said: Any) -> Any:
    """A text, or a JSON value with texts in it, without control characters: a terminal would obey them."""
    if isinstance(said, str):
        return said if said.isprintable() else "".join(c if c.isprintable() else " " for c in said)
    if isinstance(said, dict):
        return {harmless(key): harmless(value) for key, value in said.items()}
    if isinstance(said, list):
        return [harmless(value) for value in said]
    return said
