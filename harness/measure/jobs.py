"""Cases × plan × connection → Shards, Audits and Rounds, each saved as it arrives. No statistics here."""

from __future__ import annotations

import hashlib
import math
import random
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import chain, pairwise, product
from pathlib import Path
from typing import Protocol

import numpy as np

from harness.device import protocol
from harness.device.engines import is_simulated
from harness.errors import DataError, StoreError
from harness.measure.connections import Connection
from harness.measure.counted_rows import Counts, counts_of
from harness.measure.job_spec import audit_spec, latency_spec, outputs_spec, with_counts, with_state
from harness.measure.looks import FIRST_LOOK, Decided, Looks, growing_places
from harness.measure.model_state import reset_of
from harness.measure.raw import label_piece, read_piece
from harness.measure.received import refusal
from harness.measure.validity import AGAIN
from harness.metrics.two_stage import rounds_planned
from harness.records import (
    Affine,
    Blob,
    Case,
    Dataset,
    Environment,
    Job,
    Piece,
    Plan,
    Round,
    Target,
    TargetRecord,
    Tensor,
    Variant,
)
from harness.records.dataset import places, starts_of, starts_within
from harness.records.terms import PieceKind, Reset
from harness.support.arrays import let_go, npy_bytes, pick

SHARD_SAMPLES = 5_000  # at most; what a broken link can cost
SHARD_BYTES = 32 << 20  # of inputs and outputs together: memory on both sides, disk on the device
REPEATS = 2  # of a round that does not count
ASKS = 3  # for a job, where what comes back is no answer to it
AUDIT_SAMPLES = 200  # that are asked again in another order, at most
AUDIT_SHARE, AUDIT_LEAST = 5, 20  # of a small test set one sample in five, but 20
AUDIT_CLIPS = 10  # of data in clips at least so many, each from its beginning
CLIP_BYTES = 256 << 20  # of a clip's inputs and outputs: it is one shard, whole
LATENCY_SAMPLES = 64  # real test samples that a latency round cycles through


Replaces = Callable[[str], None]  # is told a job's id


class Watcher(Protocol):
    """Is told what is going on."""

    def begin(self, target: str, shards: int, rounds: int) -> None: ...
    def job(self, job: Job) -> None: ...
    def samples(self, done: int, of: int) -> None: ...
    def done(self, piece: Piece) -> None: ...


@dataclass(frozen=True)
class Work:
    """What is to be measured on one target."""

    target: Target
    cases: tuple[Case, ...]
    variants: tuple[Variant, ...]
    dataset: Dataset
    plan: Plan

    def variant(self, name: str) -> Variant:
        return next(v for v in self.variants if v.name == name)

    @cached_property
    def models(self) -> dict[str, Blob]:
        """The .tflite files by variant."""
        return {v.name: Blob(partial(model_bytes, v.path), v.sha256) for v in self.variants if v.path is not None}

    @cached_property
    def resets(self) -> dict[str, Reset]:
        """What each variant needs to begin a sample in its initial state."""
        return {v.name: reset_of(v.path) for v in self.variants if v.path is not None}

    @cached_property
    def counts(self) -> dict[str, Counts]:
        """Which outputs of each variant hold only as many rows as another counts."""
        return {v.name: counts_of(v.path) for v in self.variants if v.path is not None}


def model_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
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
    return tuple(c for c in work.cases if c.variant in built and environment.version_of(c.runtime))


def measure(
    work: Work,
    connection: Connection,
    folder: Path,
    watcher: Watcher,
    decided: Decided | None = None,
    replaces: Replaces = lambda job_id: None,
) -> Iterator[Piece]:
    """Yields every piece of the work: from `folder` where it is already, else from the device into it.

    Accuracy comes first, a shard of the test set after the other, then for each case some samples again in another
    order; a case whose outputs could not be had is asked for no further ones, and not timed. A round that does not
    count is measured again, at most REPEATS times, and every attempt is kept. Between two shards, `decided` says which
    cases need no further samples; None: all are asked. A plan with a precision goes on, by the spread of its rounds,
    with as many as that takes. replaces: is told the id of a failed piece before another takes its place.
    """
    remove_leftovers(folder)
    cases = measurable(work, connection.environment)
    shards = shard_jobs(work, cases) if work.plan.accuracy else []
    audits = [job for job in audit_jobs(work, cases) if connection.answers(job)] if work.plan.accuracy else []
    rounds = round_jobs(work, cases)
    watcher.begin(work.target.name, len(shards) + len(audits), len(rounds))
    broken: set[Case] = set()
    looks = Looks(decided)
    timed: list[Round] = []
    further = further_rounds(work, cases, timed, connection, watcher)
    for job in chain([*shards, *audits, *rounds], further):
        if job.case in broken or looks.skip(job):
            continue
        for piece in tried(job, connection, folder, watcher, replaces):
            yield piece
            timed += [piece] if isinstance(piece, Round) else []
        if piece.status in ("failed", "unsupported"):
            broken |= {c for c in cases if c == job.case or (job.kind != "latency" and same_but_threads(c, job.case))}


def further_rounds(
    work: Work, cases: Sequence[Case], timed: Sequence[Round], connection: Connection, watcher: Watcher
) -> Iterator[Job]:
    """Yields the jobs of the second stage. timed: the rounds of the first, complete when the first job is asked for."""
    emulated = TargetRecord(work.target, connection.environment).emulated
    further = round_jobs(work, cases, range(work.plan.rounds, rounds_planned(work.plan, timed, emulated)))
    if further:
        watcher.begin(work.target.name, 0, len(further))
    yield from further


def tried(
    job: Job, connection: Connection, folder: Path, watcher: Watcher, replaces: Replaces = lambda job_id: None
) -> Iterator[Piece]:
    """The job's piece, or where that does not count every attempt at it: the last one does."""
    for again in attempts(job):
        watcher.job(again)
        piece = obtain(again, connection, folder, watcher, replaces)
        yield piece
        if piece.status not in AGAIN:
            return


def obtain(job: Job, connection: Connection, folder: Path, watcher: Watcher, replaces: Replaces) -> Piece:
    """One piece. Its folder appears whole or not at all, so what is there need not be measured again, unless it failed:
    a process that was killed once may come to its end the next time. What is no answer is asked for again;
    where it is none ASKS times, the job has failed.
    """
    kept = folder / job.id
    if kept.exists():
        piece = read_piece(kept)
        if piece.status != "failed":
            return piece
    part = folder / f"{job.id}.part"
    for _ in range(ASKS):
        ask(job, connection, part, watcher)
        if not (refused := refusal(part, job)):
            break
    else:
        label_piece(part, job, None, refused)
    if kept.exists():
        replaces(job.id)
        set_aside(kept)
    part.rename(kept)
    return read_piece(kept)


def set_aside(kept: Path) -> None:
    """Removes a piece so that a kill leaves all of it under its name, or nothing."""
    aside = kept.with_name(f"{kept.name}.old.part")
    shutil.rmtree(aside, ignore_errors=True)
    kept.rename(aside)
    shutil.rmtree(aside, ignore_errors=True)


def remove_leftovers(folder: Path) -> None:
    """Removes what was still arriving when a run was killed."""
    for part in folder.glob("*.part"):
        shutil.rmtree(part, ignore_errors=True)


def ask(job: Job, connection: Connection, part: Path, watcher: Watcher) -> None:
    """Fills a new folder with what the device answers, whatever that is."""
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    connection.send(job.blobs.values())
    host_ns = connection.run(job, watcher.samples)
    connection.fetch(job, part)
    label_piece(part, job, host_ns)


def attempts(job: Job) -> Iterator[Job]:
    """The job and its repetitions, each with an id of its own."""
    yield job
    for attempt in range(1, REPEATS + 1):
        yield replace(job, attempt=attempt, id=job_id(job.case, job.kind, job.first, attempt))


def same_but_threads(one: Case, other: Case) -> bool:
    return replace(one, threads=other.threads) == other


def shard_jobs(work: Work, cases: Sequence[Case]) -> list[Job]:
    """The test set in shards, each for every variant × runtime at its lowest thread count, and then no more. A clip is
    never cut. Raises DataError for one that is too long.
    """
    lowest = min((case.threads for case in cases), default=1)
    jobs = []
    for shard in shards_of(work):
        check_length(work, *shard)
        inputs = input_files(work.dataset, *shard)
        jobs += [job(work, case, "outputs", shard, inputs) for case in cases if case.threads == lowest]
    return jobs


def shards_of(work: Work) -> Iterator[tuple[int, int]]:
    """Yields the first and last sample of each shard."""
    if work.plan.until_decided:
        return growing_places(work.dataset.test_count, shard_samples(work))
    return places(work.dataset.test_count, shard_samples(work), work.dataset.starts)


def check_length(work: Work, first: int, last: int) -> None:
    """Raises DataError where a shard, which is then one clip, is more than a device takes at a time."""
    size = (last - first) * sample_bytes_of(work)
    if last - first > 1 and size > CLIP_BYTES:
        told = f"the clip of samples {first} to {last - 1} takes {size >> 20:,} MiB, inputs and outputs together"
        raise DataError(told, f"a clip is sent whole, and may take {CLIP_BYTES >> 20} MiB: cut it into several")


def audit_jobs(work: Work, cases: Sequence[Case]) -> list[Job]:
    """For each variant × runtime, at its lowest thread count, some samples in an order shuffled by the plan's seed."""
    lowest, samples = min((case.threads for case in cases), default=1), audited_samples(work)
    inputs = picked_files(work.dataset, samples)
    asked = [job(work, case, "audit", (0, len(samples)), inputs, samples) for case in cases if case.threads == lowest]
    return asked if len(samples) > 1 else []


def audited_samples(work: Work) -> tuple[int, ...]:
    """The places in the test set of the samples that are asked again, in their new order: of data in clips, the first
    samples of some clips, each clip in its own order.
    """
    total, chance = asked_of_all(work), random.Random(f"{work.plan.seed}/audit")
    count = min(AUDIT_SAMPLES, max(AUDIT_LEAST, total // AUDIT_SHARE), max(2, shard_samples(work) // 2), total)
    if work.dataset.starts is None:
        return tuple(chance.sample(range(total), count))
    clips = list(pairwise([*work.dataset.starts.tolist(), total]))
    most = max(2, count // min(AUDIT_CLIPS, len(clips)))
    samples: list[int] = []
    for first, last in chance.sample(clips, len(clips)):
        if len(samples) < count:
            samples += range(first, min(last, first + most))
    return tuple(samples)


def asked_of_all(work: Work) -> int:
    """How many samples every case answers, whatever it is that it answers."""
    count = work.dataset.test_count
    return min(FIRST_LOOK, count) if work.plan.until_decided else count


def shard_samples(work: Work) -> int:
    """How many samples make a shard: what goes in and what comes out of it stay small on both sides."""
    return max(1, min(SHARD_SAMPLES, SHARD_BYTES // sample_bytes_of(work)))


def sample_bytes_of(work: Work) -> int:
    """What one sample takes, its inputs and the outputs of the variant that gives most."""
    sent = sum(array[:1].nbytes for array in work.dataset.test_inputs)
    return sent + max((sum(map(sample_bytes, variant.outputs)) for variant in work.variants), default=0)


def sample_bytes(tensor: Tensor) -> int:
    return math.prod(tensor.sample_shape) * np.dtype(tensor.dtype).itemsize


def round_jobs(work: Work, cases: Sequence[Case], indices: Iterable[int] | None = None) -> list[Job]:
    """Every round holds every case that is timed once, in an order shuffled by the plan's seed: drift hits all alike.

    indices: of the rounds; None: of all that the plan begins with.
    """
    samples = min(LATENCY_SAMPLES, shard_samples(work), work.dataset.test_count)
    inputs = input_files(work.dataset, 0, samples)
    jobs = []
    for index in range(work.plan.rounds) if indices is None else indices:
        order = [case for case in cases if not is_simulated(case.runtime)]
        random.Random(f"{work.plan.seed}/{index}").shuffle(order)
        jobs += [job(work, case, "latency", (index, samples), inputs) for case in order]
    return jobs


def job(
    work: Work,
    case: Case,
    kind: PieceKind,
    place: tuple[int, int],
    inputs: dict[str, Blob],
    samples: tuple[int, ...] = (),
) -> Job:
    """place: first and last of the shard's samples; for a latency job, the round and how many samples it cycles; for an
    audit, 0 and how many samples it asks: these `samples`. Those of a latency job are whose answers it keeps. It is
    taken to cycle the first samples of the test set, and where clips begin among these.
    """
    start_temperature_c = restless_ratio = None
    files, affines = fed(work, case, list(inputs))
    reset, variant = work.resets[case.variant], work.variant(case.variant)
    timed = kind == "latency"
    starts = clip_starts(work.dataset, (0, place[1]) if timed else place, () if timed else samples)
    if timed:
        spec = latency_spec(case.runtime, files, affines, case.threads, work.plan, reset)
        start_temperature_c, restless_ratio = work.target.start_temperature_c, work.plan.restless_ratio
    else:
        make = audit_spec if kind == "audit" else outputs_spec
        spec = make(case.runtime, files, affines, case.threads, reset, starts)
    spec = with_state(spec, [c.in_file(variant.feeds, variant.yields) for c in work.dataset.state], starts)
    blobs = {protocol.MODEL: work.models[case.variant], **inputs}
    return Job(
        job_id(case, kind, place[0]),
        case,
        kind,
        *place,
        with_counts(spec, work.counts[case.variant]),
        blobs,
        start_temperature_c=start_temperature_c,
        cooldown_timeout_s=work.target.cooldown_timeout_s,
        restless_ratio=restless_ratio,
        samples=samples,
        outputs=variant.outputs,
    )


def clip_starts(dataset: Dataset, place: tuple[int, int], samples: tuple[int, ...]) -> np.ndarray | None:
    """Where clips begin among the samples of a shard, first ≤ sample < last, or among these of an audit."""
    if dataset.clips is None or not samples:
        return starts_within(dataset.starts, *place)
    return starts_of(dataset.clips[list(samples)])


def fed(work: Work, case: Case, files: list[str]) -> tuple[list[str], list[Affine]]:
    """The files of the data's inputs and their affines, in the order of the variant's own input tensors."""
    feeds = work.variant(case.variant).feeds or range(len(files))
    return [files[n] for n in feeds], [work.dataset.affines[n] for n in feeds]


def input_files(dataset: Dataset, first: int, last: int) -> dict[str, Blob]:
    """One .npy an input of the model, holding the stored values of these test samples."""
    return {
        protocol.input_file(n, first): Blob(partial(shard_bytes, array, first, last))
        for n, array in enumerate(dataset.test_inputs)
    }


def picked_files(dataset: Dataset, samples: Sequence[int]) -> dict[str, Blob]:
    """The same of the samples at these places, in this order."""
    return {protocol.audit_file(n): Blob(partial(picked_bytes, a, samples)) for n, a in enumerate(dataset.test_inputs)}


def shard_bytes(array: np.ndarray, first: int, last: int) -> bytes:
    """These samples as an .npy file; nothing of them stays in memory."""
    try:
        return npy_bytes(array[first:last])
    finally:
        let_go(array)


def picked_bytes(array: np.ndarray, samples: Sequence[int]) -> bytes:
    """These samples, in this order, as an .npy file."""
    return npy_bytes(pick(array, np.array(samples)))


def job_id(case: Case, kind: PieceKind, first: int, attempt: int = 0) -> str:
    """Says case, kind and place. What the device would not take as a name is cut and known by its hash."""
    name = f"{case.variant}.{case.runtime}.t{case.threads}"
    prefix = {"outputs": f"shard-{first:06d}", "audit": "audit", "latency": f"round-{first:03d}"}[kind]
    if attempt:
        prefix += f"-again{attempt}"
    if not re.fullmatch(protocol.NAME, f"{prefix}.{name}"):
        digest = hashlib.sha256(name.encode()).hexdigest()
        name = f"{re.sub(protocol.NOT_IN_A_NAME, '-', name)[:30]}.{digest[:12]}"
    return f"{prefix}.{name}"
