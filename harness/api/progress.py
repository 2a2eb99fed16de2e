"""How a run goes, on stderr: bars with the time left on a terminal, plain lines elsewhere. Tells how to resume."""

from __future__ import annotations

import shlex
import sys
from types import TracebackType

from rich import progress as rich_progress
from rich.console import Console

from harness.errors import DiskError, TargetError
from harness.gate.hopeless import hopeless
from harness.gate.known import Known
from harness.gate.policy import Policy
from harness.measure.jobs import REPEATS
from harness.measure.validity import AGAIN
from harness.records import Job, Piece
from harness.runs.record import Record


class Progress:
    """The pipeline's Listener in a terminal, or in a log.

    policy: by which the run is judged at its end, where that is known.
    """

    def __init__(self, policy: Policy | None = None) -> None:
        self.policy = policy
        self.console = Console(stderr=True, highlight=False, emoji=False)
        self.record: Record | None = None
        self.tasks: dict[str, rich_progress.TaskID] = {}
        self.current: Job | None = None
        self.bars = rich_progress.Progress(
            rich_progress.TextColumn("{task.description}", markup=False),
            rich_progress.BarColumn(bar_width=24),
            rich_progress.MofNCompleteColumn(),
            rich_progress.TextColumn("{task.fields[left]}"),
            rich_progress.TimeRemainingColumn(elapsed_when_finished=True),
            rich_progress.TextColumn("{task.fields[now]}", markup=False),
            console=self.console,
            disable=not sys.stderr.isatty(),
        )

    def __enter__(self) -> Progress:
        self.bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bars.stop()
        if isinstance(error, KeyboardInterrupt | TargetError | DiskError | OSError):
            self.console.print(self.how_to_go_on(), soft_wrap=True, markup=False)

    def how_to_go_on(self) -> str:
        if self.record is None:
            return "Nothing was measured yet. Run the same command again: it reuses what was already built."
        root = self.record.path.parent.parent
        where = "" if root.name == "results" and root.parent.samefile(".") else f" --results {shlex.quote(str(root))}"
        return f"What was measured is kept. Go on with: harness run --resume {self.record.header.run_id}{where}"

    def say(self, text: str) -> None:
        self.console.print(text, soft_wrap=True, markup=False)

    def opened(self, record: Record) -> None:
        self.record = record
        self.say(f"run {record.header.run_id} in {record.path}")
        if self.policy:
            tested, header = record.dataset, record.header
            tasks = {tested.labels_of: header.task} | {name: head.task for name, head in header.heads.items()}
            for sentence in hopeless(self.policy, Known.of(tested, tasks), header.plan):
                self.say(sentence)

    def begin(self, target: str, shards: int, rounds: int) -> None:
        self.tasks = {
            kind: self.bars.add_task(f"{target}: {what}", total=total, left="left", now="")
            for kind, what, total in (("outputs", "accuracy", shards), ("latency", "latency ", rounds))
            if total
        }
        if not sys.stderr.isatty():
            at_most = "at most " if self.record and self.record.header.plan.until_decided else ""
            accuracy = f"accuracy in {at_most}{shards} jobs, then " if shards else ""
            self.say(f"{target}: {accuracy}latency in {rounds} jobs")

    def job(self, job: Job) -> None:
        self.current = job
        self.bars.update(self.task_of(job), now=f"{job.case.variant} on {job.case.runtime}")

    def task_of(self, job: Job) -> rich_progress.TaskID:
        return self.tasks["latency" if job.kind == "latency" else "outputs"]

    def samples(self, done: int, of: int) -> None:
        if self.current:
            case = self.current.case
            self.bars.update(self.task_of(self.current), now=f"{case.variant} on {case.runtime} {done}/{of}")

    def done(self, piece: Piece) -> None:
        if self.current and is_last(self.current, piece):
            task = self.task_of(self.current)
            self.bars.update(task, advance=1, now="")
            if self.bars.tasks[task].finished:
                self.bars.update(task, left="took")


def is_last(job: Job, piece: Piece) -> bool:
    """Whether the piece ends its job: a round that does not count is measured again, a few times."""
    return piece.status not in AGAIN or job.attempt == REPEATS
