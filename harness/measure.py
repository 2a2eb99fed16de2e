"""Cases × plan × connection → Shards and Rounds, each saved as it arrives. No statistics here."""

from __future__ import annotations

import hashlib
import io
import random
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Protocol

import numpy as np

from harness.connections import Connection
from harness.dataset import Dataset
from harness.errors import StoreError
from harness.raw import label_piece, read_piece
from harness.records import Blob, Case, Environment, Job, Plan, Round, Shard, Target, Variant

SHARD_SAMPLES = 5_000  # at most; what a broken link can cost
SHARD_BYTES = 32 << 20
REPEATS = 2  # of an invalid round
LATENCY_SAMPLES = 64  # real test samples that a latency round cycles through


class Watcher(Protocol):
    """Is told what is going on."""

    def begin(self, target: str, shards: int, rounds: int) -> None: ...
    def job(self, job: Job) -> None: ...
    def samples(self, done: int, of: int) -> None: ...
    def done(self, piece: Round | Shard) -> None: ...


@dataclass(frozen=True)
class Work:
    """What is to be measured on one target."""

    target: Target
    cases: tuple[Case, ...]
    variants: tuple[Variant, ...]
    dataset: Dataset
    plan: Plan

    @cached_property
    def models(self) -> dict[str, Blob]:
        """The .tflite files by variant: each is read once, however many jobs carry it."""
        try:
            return {v.name: Blob(v.sha256, v.path.read_bytes()) for v in self.variants if v.path is not None}
        except OSError as error:
            raise StoreError(f"a variant of this run cannot be read: {error}", "start a new run") from error


def cases_of(
    variants: Sequence[Variant], target: Target, runtimes: Sequence[str], threads: Sequence[int]
) -> tuple[Case, ...]:
    """Every combination, each once, in a stable order."""
    return tuple(dict.fromkeys(Case(v.name, target.name, r, t) for v, r, t in product(variants, runtimes, threads)))


def measurable(work: Work, environment: Environment) -> tuple[Case, ...]:
    """The cases whose model exists and whose runtime this device has."""
    built = {v.name for v in work.variants if v.path is not None}
    return tuple(c for c in work.cases if c.variant in built and environment.runtimes.get(c.runtime))


def measure(work: Work, connection: Connection, folder: Path, watcher: Watcher) -> Iterator[Round | Shard]:
    """Yields every piece of the work: from `folder` where it is already, else from the device into it.

    Accuracy comes first; a case whose outputs could not be had is not timed. An invalid round is measured again, at
    most REPEATS times, and every attempt is kept.
    """
    cases = measurable(work, connection.environment)
    shards = shard_jobs(work, cases)
    rounds = round_jobs(work, cases)
    watcher.begin(work.target.name, len(shards), len(rounds))
    broken: set[Case] = set()
    for job in [*shards, *rounds]:
        if job.case in broken:
            continue
        for piece in tried(job, connection, folder, watcher):
            yield piece
        if piece.status == "failed":
            broken |= {c for c in cases if c == job.case or (job.kind == "outputs" and same_but_threads(c, job.case))}


def tried(job: Job, connection: Connection, folder: Path, watcher: Watcher) -> Iterator[Round | Shard]:
    """The job's piece, or where that is invalid every attempt at it: the last one counts."""
    for again in attempts(job):
        watcher.job(again)
        piece = obtain(again, connection, folder, watcher)
        yield piece
        if piece.status != "invalid":
            return


def obtain(job: Job, connection: Connection, folder: Path, watcher: Watcher) -> Round | Shard:
    """One piece. Its folder appears whole or not at all, so what is there need not be measured again."""
    kept = folder / job.id
    if not kept.exists():
        part = folder / f"{job.id}.part"
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        connection.send(job.blobs.values())
        host_ns = connection.run(job, watcher.samples)
        connection.fetch(job, part)
        label_piece(part, job, host_ns)
        part.rename(kept)
    return read_piece(kept)


def attempts(job: Job) -> Iterator[Job]:
    """The job and its repetitions, each with an id of its own."""
    yield job
    for attempt in range(1, REPEATS + 1):
        yield replace(job, attempt=attempt, id=job_id(job.case, job.kind, job.first, attempt))


def same_but_threads(one: Case, other: Case) -> bool:
    return replace(one, threads=other.threads) == other


def shard_jobs(work: Work, cases: Sequence[Case]) -> list[Job]:
    """The test set in stretches, for each variant × runtime at its lowest thread count."""
    size = shard_samples(work.dataset)
    total = len(work.dataset.test_labels)
    lowest = min((case.threads for case in cases), default=1)
    stretches = [(first, min(first + size, total)) for first in range(0, total, size)]
    inputs = {stretch: input_files(work.dataset, *stretch) for stretch in stretches}
    return [
        job(work, case, "outputs", stretch, inputs[stretch])
        for case in cases
        if case.threads == lowest
        for stretch in stretches
    ]


def shard_samples(dataset: Dataset) -> int:
    sample_bytes = sum(array[:1].nbytes for array in dataset.test_inputs)
    return max(1, min(SHARD_SAMPLES, SHARD_BYTES // sample_bytes))


def round_jobs(work: Work, cases: Sequence[Case]) -> list[Job]:
    """Every round holds every case once, in an order shuffled by the plan's seed: drift hits all alike."""
    samples = min(LATENCY_SAMPLES, len(work.dataset.test_labels))
    inputs = input_files(work.dataset, 0, samples)
    jobs = []
    for index in range(work.plan.rounds):
        order = list(cases)
        random.Random(f"{work.plan.seed}/{index}").shuffle(order)
        jobs += [job(work, case, "latency", (index, samples), inputs) for case in order]
    return jobs


def job(work: Work, case: Case, kind: str, place: tuple[int, int], inputs: dict[str, Blob]) -> Job:
    """place: first and last of the stretch of samples; for a latency job, the round and how many samples it cycles."""
    start_temperature_c: float | None = None
    spec: dict[str, object] = {
        "kind": kind,
        "runtime": case.runtime,
        "threads": case.threads,
        "inputs": list(inputs),
        "affines": [asdict(affine) for affine in work.dataset.affines],
    }
    if kind == "latency":
        spec |= {
            name: getattr(work.plan, name) for name in ("warmup_s", "warmup_runs", "min_s", "min_runs", "max_runs")
        }
        start_temperature_c = work.target.start_temperature_c
    blobs = {"model.tflite": work.models[case.variant], **inputs}
    return Job(
        job_id(case, kind, place[0]),
        case,
        kind,
        *place,
        spec,
        blobs,
        start_temperature_c=start_temperature_c,
        cooldown_timeout_s=work.target.cooldown_timeout_s,
    )


def input_files(dataset: Dataset, first: int, last: int) -> dict[str, Blob]:
    """One .npy an input of the model, holding the stored values of these test samples."""
    return {f"inputs/{n}-{first}.npy": npy(array[first:last]) for n, array in enumerate(dataset.test_inputs)}


def npy(array: np.ndarray) -> Blob:
    file = io.BytesIO()
    np.save(file, np.ascontiguousarray(array), allow_pickle=False)
    return Blob(hashlib.sha256(file.getvalue()).hexdigest(), file.getvalue())


def job_id(case: Case, kind: str, first: int, attempt: int = 0) -> str:
    """Says case, kind and place; 64 characters at most, so a long name is cut and told apart by its hash."""
    name = f"{case.variant}.{case.runtime}.t{case.threads}"
    prefix = f"shard-{first:06d}" if kind == "outputs" else f"round-{first:03d}"
    if attempt:
        prefix += f"-again{attempt}"
    if len(prefix) + len(name) + 1 > 64:
        name = f"{name[:30]}.{hashlib.sha256(name.encode()).hexdigest()[:12]}"
    return f"{prefix}.{name}"
