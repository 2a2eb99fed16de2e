"""Why Keras cannot load a model, in one sentence: the cause may stand deep in what it prints of the whole model."""

from __future__ import annotations

import re

from harness.errors import one_line

UNKNOWN = re.compile(r"Could not (?:locate|find|interpret) (?:class|function|object)?\W*'?(?P<name>[\w>.]+)'?")
INNER = "Exception encountered:"
LIMIT = 400


def cause(error: BaseException) -> str:
    """The innermost reason: a class or function that Keras does not know by its name, else the last exception that it
    quotes, else what it says first.
    """
    text = " ".join(f"{each}" for each in chain(error))
    if match := UNKNOWN.search(text):
        return f"it has code of its own, {match['name'].split('>')[-1]}, which Keras does not know"
    return one_line(ValueError(text.rpartition(INNER)[2]), LIMIT)


def chain(error: BaseException | None) -> list[BaseException]:
    """The error and those that it came from."""
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found
