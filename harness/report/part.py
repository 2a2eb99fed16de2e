"""What a section of the report is made of: parts, each a heading and blocks that every format can write."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar


class Block:
    """Something to read. `kind` names the macro that writes it, in blocks.html.j2 and in blocks.md.j2."""

    kind: ClassVar[str]


@dataclass(frozen=True)
class Cards(Block):
    """Samples, each with an address on the page. place: among the model's outputs, of those that are not scored; the
    scored output has the plain address. A point of an output's plot shows the sample of that output.
    """

    place: int | None = field(default=None, kw_only=True)

    def address(self, number: int) -> str:
        return f"sample-{number}" if self.place is None else f"sample-{number}-output-{self.place}"


@dataclass(frozen=True)
class Part:
    """Blocks under a heading; without a title they stand right under the section's own. folded: the page shows the
    blocks only to those who ask.
    """

    title: str
    blocks: tuple[Block, ...]
    folded: bool = False


@dataclass(frozen=True)
class Note(Block):
    """A paragraph on how to read what is above it. brief: what Markdown says instead, where that is something else."""

    kind = "note"
    text: str
    brief: str | None = None

    @property
    def short(self) -> str:
        return self.text if self.brief is None else self.brief
