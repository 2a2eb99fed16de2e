"""What the commands print: results on stdout, everything else on stderr."""

from __future__ import annotations

import json
import sys
from typing import Any

from rich.console import Console

WIDTH_WITHOUT_TERMINAL = 160


def stdout() -> Console:
    return Console(width=None if sys.stdout.isatty() else WIDTH_WITHOUT_TERMINAL, highlight=False, emoji=False)


def stderr() -> Console:
    return Console(stderr=True, highlight=False, emoji=False)


def say(text: str) -> None:
    """One line on stderr, as it is."""
    stderr().print(text, soft_wrap=True, markup=False)


def print_json(content: Any) -> None:
    print(json.dumps(content, indent=1, default=str))
