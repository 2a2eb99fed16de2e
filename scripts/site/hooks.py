"""What MkDocs calls while it builds the site (mkdocs.yml names this file): pages are made, links are moved."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # MkDocs loads this file by its path, from any folder

from mkdocs.structure.files import File, Files  # noqa: E402

from scripts.site import examples, links, notebook, reference  # noqa: E402


def made() -> Iterator[tuple[str, str]]:
    """Yields the path in the site and the content of each page that is no file of docs/."""
    for name, place in links.OUTSIDE.items():
        yield place, (ROOT / name).read_text("utf-8")
    yield links.NOTEBOOK, notebook.page(ROOT / "docs" / "mnist.ipynb")
    yield from examples.pages(ROOT / "docs" / "examples")
    yield from reference.pages()


def on_files(files: Files, config: Any) -> Files:
    for place, content in made():
        files.append(File.generated(config, place, content=content))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    return links.moved(markdown, page.file.src_uri)
