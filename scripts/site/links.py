"""Links between files of the repository → links between pages of the site, some of which stand elsewhere."""

from __future__ import annotations

import re
from posixpath import dirname, join, normpath, relpath

OUTSIDE = {  # a file outside of docs/ → its place in the site
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "action.yml": "action.yml",
}
NOTEBOOK = "mnist.md"
LINK = re.compile(r"(?<=\]\()(?!\w+:|#)([^)\s#]+)")


def moved(markdown: str, page: str) -> str:
    """Returns the text with its links as they are in the site. page: its path there."""
    source = {place: name for name, place in OUTSIDE.items()}.get(page, f"docs/{page}")

    def link(found: re.Match[str]) -> str:
        return relpath(place_of(normpath(join(dirname(source), found[1]))), dirname(page) or ".")

    return LINK.sub(link, markdown)


def place_of(path: str) -> str:
    """Returns where a file of the repository stands in the site. path: relative to the top of the repository."""
    if path == "docs/mnist.ipynb":
        return NOTEBOOK
    place = OUTSIDE.get(path) or path.removeprefix("docs/")
    return f"{place}/index.md" if re.fullmatch(r"examples/[\w-]+", place) else place
