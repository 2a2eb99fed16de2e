"""What the commands print: results on stdout, everything else on stderr."""

from __future__ import annotations

import codecs
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from harness.errors import ConfigError
from harness.support.text import harmless_lines

WIDTH_WITHOUT_TERMINAL = 160
SUMMARY_BYTES = 1_048_576  # what GitHub takes of $GITHUB_STEP_SUMMARY, and nothing of more


PLAIN = str.maketrans({"\u2212": "-", "–": "-", "…": "...", "µ": "u", "×": "x", "≤": "<=", "≥": ">="})


class HarmlessConsole(Console):
    """A console that a text of somebody else's cannot command: names of tensors and classes may hold escape codes."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else harmless_lines(text), style, control)


def open_streams() -> None:
    """Makes stdout and stderr take every text: where one was closed it is /dev/null, which no file that is opened later
    can then be; and where its encoding lacks a character, that is written with others.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) < 3:
        pass
    os.close(number)
    codecs.register_error("harness", in_plain)
    sys.stdout, sys.stderr = lasting(sys.stdout, 1), lasting(sys.stderr, 2)


@contextmanager
def answerable(without: str = "") -> Iterator[None]:
    """Whoever interrupts a question interrupts the command: without this it would exit with 1, "measured not good".

    without: how to do without an answer. Raises ConfigError with it where there is nobody to ask.
    """
    from typer import Abort

    try:
        yield
    except Abort as error:
        if without and isinstance(error.__context__, EOFError):
            raise ConfigError("nobody answered, as stdin has ended", without) from None
        raise KeyboardInterrupt from None


class LastingStream(TextIOWrapper):
    """A stream whose reader may go, as `head` does: the command goes on to its end, and says the rest to nobody."""

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except BrokenPipeError:
            return self.close_end(text)

    def flush(self) -> None:
        try:
            super().flush()
        except BrokenPipeError:
            self.close_end("")

    def close_end(self, text: str) -> int:
        nobody = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nobody, self.fileno())
        os.close(nobody)
        return len(text)


def lasting(stream: TextIO | None, number: int) -> TextIO:
    """The stream, where it is the process's own, as one that lasts; /dev/null in place of none."""
    if stream is None:
        return os.fdopen(number, "w")
    if stream not in (sys.__stdout__, sys.__stderr__) or not isinstance(stream, TextIOWrapper):
        return stream
    return LastingStream(stream.buffer, stream.encoding, "harness", line_buffering=stream.line_buffering)


def in_plain(error: UnicodeError) -> tuple[str, int]:
    """What stands for characters that an encoding lacks: never nothing, or a minus sign would be lost."""
    assert isinstance(error, UnicodeEncodeError)
    lacking = error.object[error.start : error.end].translate(PLAIN)
    return lacking.encode("ascii", "backslashreplace").decode("ascii"), error.end


def stdout() -> Console:
    return HarmlessConsole(width=None if sys.stdout.isatty() else WIDTH_WITHOUT_TERMINAL, highlight=False, emoji=False)


def stderr() -> Console:
    return HarmlessConsole(stderr=True, highlight=False, emoji=False)


def say(text: str) -> None:
    """One line on stderr, as it is."""
    stderr().print(text, soft_wrap=True, markup=False)


def write(text: str) -> None:
    """Lines on stdout, as they are."""
    print(harmless_lines(text))


def print_json(content: Any) -> None:
    print(json.dumps(content, indent=1, default=str))


def add_summary(written: Callable[[int], str], path: Path) -> None:
    """Adds Markdown after what stands in the file already. written: makes it of so many bytes at most."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        file.write(written(SUMMARY_BYTES - file.tell()).encode())


def within(text: str, room: int) -> str:
    """The Markdown; without what stands behind its fold where that does not fit, and "" where the rest does not."""
    parts = (text, text.partition("<details>")[0])
    return next((part for part in parts if len(part.encode()) <= room), "")
