"""The blocks of README, CONTRIBUTING and docs/: commands, TOML, Python, and what is shown."""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

from tests.devices import device_source, python_with

NUMBER = re.compile(r"[−+-]?\d[\d,.]*(?:-\d+-\w+)?")  # with the id of a run
TIMEOUT_S = 900  # of one block, on a busy machine
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
    title: str = ""  # the name of the file that it is

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
        Block(page.name, token.map[0] + 1, kind_of(token.info, token.content), token.content, title_of(token.info))
        for token in found
        if token.map
    ]


def title_of(info: str) -> str:
    return info.partition('title="')[2].rstrip('"')


def kind_of(info: str, text: str) -> str:
    """Returns the kind of a block. info: the words behind its fence; "" where there are none."""
    if info:
        return KINDS[info.split(" ")[0]]
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


def readme_table() -> dict[tuple[str, str], list[str]]:
    """The table of README: variant and runtime → accuracy in %, drop, flips, size in kB, p50 in µs, speed-up."""
    rows = re.findall(
        r"^\| (\w+) \| ([\w-]+) \| (9\d\.\d+ .*) \|$", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE
    )
    return {(variant, runtime): cells.split(" | ") for variant, runtime, cells in rows}


# --- pages that are followed ------------------------------------------------------------------------------------------


class Reader:
    """A folder, and a shell in which `harness` is this checkout's, whose devices have a lock of their own.

    own_lock: not of a board, which has not the folder that such a lock lies in.
    """

    def __init__(self, folder: Path, own_lock: bool = True) -> None:
        self.folder = folder / "empty"
        self.folder.mkdir()
        script = folder / "called.py"
        begin = python_with(device_source(folder)) if own_lock else ""
        script.write_text(begin + "from harness.cli import main\nmain()\n")
        called = folder / "bin" / "harness"
        called.parent.mkdir()
        called.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{script}" "$@"\n')
        called.chmod(0o755)
        self.environment = os.environ | {
            "PATH": f"{called.parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "XDG_CACHE_HOME": str(folder / "cache"),
        }

    def follow(self, found: list[Block]) -> None:
        """Types the commands, writes the files, and holds what is shown against what the commands before it printed."""
        printed = ""
        for block in found:
            if block.kind == "commands":
                printed = self.type(block.text)
            elif block.title:
                (self.folder / block.title).write_text(block.text)
            elif block.kind == "shown":
                missing = [line for line in block.text.splitlines() if not stands_in(line, printed)]
                assert missing == [], f"{block}: {printed}"

    def type(self, text: str) -> str:
        """What it prints; the last command must end with 0."""
        done = subprocess.run(
            ["bash", "-c", text], cwd=self.folder, env=self.environment, timeout=TIMEOUT_S,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout
        return done.stdout


def words(line: str) -> list[str]:
    """The words of a line, each number as #: figures differ from machine to machine, what is said does not."""
    return NUMBER.sub("#", line).split()


def stands_in(shown: str, printed: str) -> bool:
    """Whether a line that was printed has all the words of the one that is shown, in this order."""
    for line in printed.splitlines():
        rest: Iterator[str] = iter(words(line))
        if all(word in rest for word in words(shown)):
            return True
    return False
