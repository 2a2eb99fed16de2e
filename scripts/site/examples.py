"""docs/examples → a page for each, which shows its files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

LANGUAGES = {".py": "python", ".toml": "toml"}
FIRST = ("experiment.toml", "policy.toml")


def pages(folder: Path) -> Iterator[tuple[str, str]]:
    """Yields the path in the site and the text of each page."""
    for example in sorted(path for path in folder.iterdir() if path.is_dir()):
        files = [path for path in example.iterdir() if path.suffix in LANGUAGES]
        ordered = sorted(files, key=lambda path: (path.name not in FIRST, path.name))
        text = "\n".join(map(shown, ordered))
        yield (
            f"examples/{example.name}/index.md",
            f"# Example: {example.name}\n\nThe files of `docs/examples/{example.name}`.\n\n{text}",
        )


def shown(path: Path) -> str:
    return f"## {path.name}\n\n```{LANGUAGES[path.suffix]}\n{path.read_text('utf-8')}```\n"
