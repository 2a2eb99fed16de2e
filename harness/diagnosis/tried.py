"""A part of a look that may fail by itself: the rest goes on, and a note says what is not known."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from harness.errors import JobFailed

_T = TypeVar("_T")


def tried(what: str, notes: list[str], action: Callable[[], _T]) -> _T | None:
    """None where a part of a file does not run by itself, which a note then says."""
    try:
        return action()
    except JobFailed as error:
        notes.append(f"{what} is not known: {error}")
        return None
