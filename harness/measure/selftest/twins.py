"""One model under several names, timed in paired rounds: how its time under one name stands to that under another."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import JobFailed
from harness.measure.connections import Connection
from harness.measure.jobs import Watcher, tried
from harness.metrics.typical import Typical
from harness.records import Job, Round
from harness.statistics.stats import Interval

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Ratio:
    """The time under one name over that under another, with its 95 % limits."""

    ratio: float
    low: float
    high: float


def ratio_of(before: Mapping[int, float], after: Mapping[int, float], first_stage: int | None = None) -> Ratio:
    """after / before, as any two variants are compared, over the rounds that both have. before, after: round → ns.

    first_stage: rounds under this index are of the first of two stages; None: there is one.
    """
    typical = Typical.of_pairs(before, after, first_stage=first_stage)
    limits = typical.limits(CONFIDENCE) or Interval(0.0, math.inf)
    return Ratio(typical.value, limits.low, limits.high)


def measured(
    jobs: Sequence[Job], connection: Connection, folder: Path, watcher: Watcher, advice: str = "choose another runtime"
) -> list[Round]:
    """Every attempt at every job, in order. Raises JobFailed."""
    rounds = []
    for job in jobs:
        for piece in tried(job, connection, folder, watcher):
            watcher.done(piece)
            assert isinstance(piece, Round)
            rounds.append(piece)
            if piece.status == "failed":
                raise JobFailed(f"{job.case.variant} failed: {'; '.join(piece.reasons)}", advice)
    return rounds


def pack(folder: Path) -> None:
    """raw/<n>/ → raw/<n>.zip, whole or not at all: a comparison's latencies shrink to an eighth."""
    part = folder.with_name(folder.name + ".part")  # a target's name may have a dot
    with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            archive.write(path, path.relative_to(folder))
    part.replace(folder.with_name(folder.name + ".zip"))
