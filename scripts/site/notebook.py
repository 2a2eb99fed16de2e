"""A notebook as it is stored → a page: its text, its code, and what each cell shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import nbformat


def page(path: Path) -> str:
    return "\n\n".join(part for cell in nbformat.read(path, as_version=4).cells for part in parts(cell)) + "\n"


def parts(cell: nbformat.NotebookNode) -> Iterator[str]:
    if cell.cell_type == "markdown":
        yield cell.source
        return
    yield f"```python\n{cell.source}\n```"
    for output in cell.outputs:
        yield shown(output.get("text", ""), output.get("data", {}))


def shown(text: str, data: Mapping[str, Any]) -> str:
    """Returns what one output shows: HTML, else a picture, else text."""
    if "text/html" in data:
        return f'<div class="shown">{in_one_block(data["text/html"])}</div>'
    for kind in ("image/svg+xml", "image/png"):
        if kind in data:
            return picture(kind, data[kind])
    return f"```text\n{text or data.get('text/plain', '')}\n```"


def picture(kind: str, data: str) -> str:
    if kind == "image/png":
        return f'<div class="shown"><img alt="" src="data:{kind};base64,{data.replace(chr(10), "")}"></div>'
    return f'<div class="shown">{in_one_block(data)}</div>'


def in_one_block(html: str) -> str:
    """Markdown ends a block of HTML at an empty line."""
    return "\n".join(line for line in html.splitlines() if line.strip())
