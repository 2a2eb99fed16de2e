"""What a notebook shows: pieces of HTML in which every text is escaped."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

REPORT_HEIGHT_PX = 800
NUMBERS = 40  # characters, at most, of a cell that holds no sentence


def kernel() -> bool:
    """Whether this process is a notebook's kernel. IPython is not imported where it is not there already."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return getattr(shell, "kernel", None) is not None


def paragraph(text: str, tag: str = "p") -> str:
    return f"<{tag}>{escape(text)}</{tag}>" if text else ""


def table(headings: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """One row a line; a line break in a text stays one."""
    head = "".join(f"<th>{cell(text)}</th>" for text in headings)
    body = "".join(f"<tr>{''.join(map(table_cell, line))}</tr>" for line in lines)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def table_cell(text: str) -> str:
    """A value and its interval keep their lines; a sentence may wrap."""
    style = ' style="white-space: nowrap"' if len(text) <= NUMBERS else ""
    return f"<td{style}>{cell(text)}</td>"


def cell(text: str) -> str:
    return escape(text).replace("\n", "<br>")


def frame(page: Path) -> str:
    """A whole HTML page in a frame of its own, so that its style stays its own."""
    content = escape(page.read_text("utf-8"))
    return f'<iframe srcdoc="{content}" width="100%" height="{REPORT_HEIGHT_PX}" style="border: 0"></iframe>'
