"""The blocks of README, CONTRIBUTING and docs/: commands, TOML, Python, and what is shown."""

from __future__ import annotations

import ast
import shlex
import tomllib
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/*.md"))]
PROGRAMS = {  # a line that begins with one of them is a command
    *("harness", "scripts/run", "scripts/test", "scripts/virtual-pi", "sudo", "pip", "python", "uv", "uvx"),
    *("cd", "ssh-copy-id", "ip", "pytest-benchmark", "litert-benchmark", "sed", "mkdir"),
    *(".venv/bin/python", ".venv/bin/harness", "VIRTUAL_PI_NETNS=pi"),
}
KINDS = {"toml": "toml", "python": "python", "bash": "commands", "text": "shown", "yaml": "yaml", "sql": "sql"}


@dataclass(frozen=True)
class Block:
    page: str
    line: int  # of the page, from 1
    kind: str  # a value of KINDS
    text: str

    @property
    def first(self) -> str:
        return self.text.strip().partition("\n")[0]

    @property
    def commands(self) -> list[list[str]]:
        """The words of each command, without what stands behind #. Commands that && joins are several."""
        lines = [line for text in self.text.splitlines() for line in text.split(" && ")]
        return [words for line in lines if (words := shlex.split(line, comments=True))]

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks() -> list[Block]:
    return [block for page in PAGES for block in blocks_of(page)]


def blocks_of(page: Path) -> list[Block]:
    tokens = MarkdownIt("commonmark").enable("table").parse(page.read_text("utf-8"))
    found = [token for token in tokens if token.type in ("fence", "code_block")]
    return [
        Block(page.name, token.map[0] + 1, KINDS.get(token.info.split(" ")[0]) or kind_of(token.content), token.content)
        for token in found
        if token.map
    ]


def kind_of(text: str) -> str:
    """Returns the kind of a block that does not say it itself."""
    if all(line.split(" ")[0] in PROGRAMS for line in text.splitlines() if line.strip()):
        return "commands"
    return "toml" if is_toml(text) else "python" if is_python(text) else "shown"


def is_toml(text: str) -> bool:
    try:
        return bool(tomllib.loads(text))
    except tomllib.TOMLDecodeError:
        return False


def is_python(text: str) -> bool:
    try:
        return bool(ast.parse(text).body)
    except SyntaxError:
        return False
