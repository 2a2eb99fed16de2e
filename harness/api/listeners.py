"""Who hears how a run goes where no listener was handed in: bars in a notebook or on a terminal, else nobody."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from html import escape
from typing import TYPE_CHECKING, Any

from harness.api.inline import kernel

if TYPE_CHECKING:
    from harness.pipeline import Listener
    from harness.records import Job, Piece
    from harness.runs.record import Record


@contextmanager
def listening(progress: Listener | None) -> Iterator[Listener]:
    """The listener that was handed in, as it is; or the one that fits this place, until the end of the block."""
    with nullcontext(progress) if progress is not None else fitting() as listener:
        yield listener


def fitting() -> AbstractContextManager[Listener]:
    """The default: it writes nothing where stderr is no terminal."""
    if kernel():
        return NotebookProgress()
    if sys.stderr.isatty():
        from harness.api.progress import Progress

        return Progress()
    return nullcontext(Silence())


class Silence:
    """A Listener that says nothing."""

    def say(self, text: str) -> None: ...
    def opened(self, record: Record) -> None: ...
    def begin(self, target: str, shards: int, rounds: int) -> None: ...
    def job(self, job: Job) -> None: ...
    def samples(self, done: int, of: int) -> None: ...
    def done(self, piece: Piece) -> None: ...


class NotebookProgress:
    """A Listener in a notebook: one output, drawn again as it changes. (rich has bars there only with ipywidgets.)"""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.bars: dict[str, Bar] = {}
        self.current: Job | None = None
        self.now: Bar | None = None
        self.output: Any = None

    def __enter__(self) -> NotebookProgress:
        from IPython.display import display

        self.output = display(self, display_id=True)
        return self

    def __exit__(self, *_: object) -> None:
        self.output.update(self)

    def say(self, text: str) -> None:
        self.lines.append(text)
        self.output.update(self)

    def opened(self, record: Record) -> None:
        self.say(f"run {record.header.run_id}")

    def begin(self, target: str, shards: int, rounds: int) -> None:
        self.bars |= {
            f"{target} {kind}": Bar(f"{target}: {what}", total)
            for kind, what, total in (("outputs", "accuracy", shards), ("latency", "latency", rounds))
            if total
        }

    def job(self, job: Job) -> None:
        kind = "latency" if job.kind == "latency" else "outputs"  # an order audit is part of the accuracy
        self.current, self.now = job, self.bars[f"{job.case.target} {kind}"]
        self.now.text = f"{job.case.variant} on {job.case.runtime}"
        self.output.update(self)

    def samples(self, done: int, of: int) -> None: ...

    def done(self, piece: Piece) -> None:
        from harness.api.progress import is_last

        if self.current and self.now and is_last(self.current, piece):
            self.now.done += 1
            self.now.text = ""

    def __repr__(self) -> str:
        return "; ".join(f"{bar.name} {bar.done}/{bar.total}" for bar in self.bars.values()) or "building"

    def _repr_html_(self) -> str:
        said = "<br>".join(map(escape, self.lines))
        return f"<div><small>{said}</small></div>" + "".join(bar.html for bar in self.bars.values())


class Bar:
    """One row of bars. text: what is being measured."""

    def __init__(self, name: str, total: int) -> None:
        self.name, self.total, self.done, self.text = name, total, 0, ""

    @property
    def html(self) -> str:
        drawn = f'<progress value="{self.done}" max="{self.total}"></progress> {self.done}/{self.total}'
        return f"<div>{escape(self.name)} {drawn} <small>{escape(self.text)}</small></div>"
