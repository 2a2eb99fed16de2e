"""Measures a model against itself, comparison by comparison; each is kept as soon as it is complete."""

from __future__ import annotations

import math
import shutil
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from harness import __version__
from harness.device.engines import is_simulated
from harness.errors import ConfigError, StoreError
from harness.measure.connections import Connection
from harness.measure.jobs import Watcher, Work, cases_of, round_jobs
from harness.measure.same_device import Identity, check_same_device
from harness.measure.selftest.aa_result import (
    REAL_SLOWDOWN,
    RESULT,
    STUDY,
    AaResult,
    Asked,
    Pairs,
    Study,
    conclude,
    read,
)
from harness.measure.selftest.twins import measured, pack
from harness.measure.validity import AGAIN
from harness.metrics.registry import medians_ns
from harness.metrics.two_stage import first_of
from harness.records import Dataset, Environment, Job, Plan, Round, Target, Variant
from harness.records.plan import RESTLESS_RATIO
from harness.statistics.stats import CLAIM_ROUNDS, rounds_for
from harness.support.files import write_json


class Record:
    """A study while it is measured."""

    def __init__(self, path: Path, study: Study) -> None:
        self.path, self.study = path, study

    def save(self, study: Study) -> None:
        self.study = study
        write_json(self.path / "study.json", STUDY.dump_python(study, mode="json"))

    def raw(self, number: int) -> Path:
        return self.path / "raw" / f"{number:03d}"


def begin(
    path: Path, target: Target, environment: Environment, variant: Variant, runtime: str | None, asked: Asked
) -> Record:
    """A new study in the folder results/aa/<target>/<study-id>, which must not be there yet. Raises ConfigError."""
    chosen = present_runtime(target, environment, runtime)
    if variant.path is None:
        raise ConfigError(f"{variant.name} cannot be measured: {variant.reason}", "take another variant")
    study = Study(
        path.name, datetime.now(UTC).isoformat(timespec="seconds"), __version__, target.name, environment.board,
        environment.serial_sha256, variant.name, variant.sha256, chosen, environment.version_of(chosen),
        min(target.threads), asked,
    )  # fmt: skip
    record = Record(path, study)
    path.mkdir(parents=True)
    shutil.copyfile(variant.path, path / "model.tflite")
    record.save(study)
    return record


def present_runtime(target: Target, environment: Environment, wanted: str | None) -> str:
    """The runtime that is wanted, or else the target's first that is there. Raises ConfigError."""
    if wanted and is_simulated(wanted):
        raise ConfigError(f"{wanted} is not timed: how long it takes here says nothing", "take another runtime")
    present = [name for name in target.runtimes if environment.version_of(name) and not is_simulated(name)]
    chosen = wanted or next(iter(present), None)
    if chosen is None or not environment.version_of(chosen):
        raise ConfigError(
            f"{target.name} has no runtime {chosen or 'at all'}", f"it has {', '.join(present) or 'none'}"
        )
    return chosen


def reopen(results: Path, target: Target) -> Record:
    """The newest study of the target that is not finished. Raises StoreError."""
    for path in sorted((results / "aa" / target.name).glob("*/study.json"), reverse=True):
        study = read(path, STUDY)
        if not study.finished:
            return Record(path.parent, study)
    raise StoreError(f"there is no unfinished study of {target.name} in {results}", "start one without --resume")


def go_on(record: Record, target: Target, dataset: Dataset, connection: Connection, watcher: Watcher) -> AaResult:
    """Measures what the study lacks, and concludes. Each comparison is saved as it is complete."""
    check_same_device(target.name, "study", identity_of(record.study), connection.environment)
    groups = comparisons(record, target, dataset)
    done = len(record.study.measured)
    watcher.begin(target.name, 0, sum(map(len, groups[done:])))
    for number in range(done, len(groups)):
        pairs = timed(record, number, groups[number], connection, watcher)
        pack(record.raw(number))
        record.save(replace(record.study, measured=(*record.study.measured, pairs)))
        shutil.rmtree(record.raw(number))
    result = conclude(record.study)
    write_json(record.path.parent / "aa.json", RESULT.dump_python(result, mode="json"))
    return result


def timed(record: Record, number: int, jobs: list[Job], connection: Connection, watcher: Watcher) -> Pairs:
    """Measures one comparison: its rounds, and where a precision is asked for as many more as that takes."""
    asked, folder = record.study.asked, record.raw(number)
    first = 2 * asked.rounds
    rounds = measured(jobs[:first], connection, folder, watcher)
    if asked.precision is None:
        return paired(rounds)
    rounds += measured(jobs[first : 2 * rounds_wanted(asked, paired(rounds))], connection, folder, watcher)
    return paired(rounds, jobs[0].first + asked.rounds)


def rounds_wanted(asked: Asked, first: Pairs) -> int:
    """Returns how many rounds in all the spread of the first ones' ratios asks for, as of a plan with a precision."""
    if len(first.a_ns) < CLAIM_ROUNDS or asked.precision is None:
        return asked.rounds
    return min(asked.most, rounds_for(np.log(first.b_ns) - np.log(first.a_ns), math.log1p(asked.precision)))


def identity_of(study: Study) -> Identity:
    """Returns what must still hold of the device: a study knows less of it than a run."""
    device = {"serial_sha256": study.serial_sha256, "board": study.board}
    return device | {study.runtime: study.runtime_version}


def comparisons(record: Record, target: Target, dataset: Dataset) -> list[list[Job]]:
    """The jobs of each comparison: at most so many rounds of A and B, in an order shuffled by the seed; the last is the
    slowed one.
    """
    study = record.study
    asked, path = study.asked, record.path / "model.tflite"
    twins = tuple(Variant(name, study.variant, path, study.model_sha256) for name in ("A", "B"))
    cases = cases_of(twins, target, (study.runtime,), (study.threads,))
    total = (asked.comparisons + 1) * asked.most
    plan = Plan("aa", total, 50, asked.min_s, warmup_s=asked.warmup_s, seed=asked.seed, restless_ratio=RESTLESS_RATIO)
    jobs = round_jobs(Work(target, cases, twins, dataset, plan), cases)
    size = len(twins) * asked.most
    groups = [jobs[n : n + size] for n in range(0, len(jobs), size)]
    return [*groups[:-1], [slowed(job) if job.case.variant == "B" else job for job in groups[-1]]]


def slowed(job: Job) -> Job:
    return replace(job, spec=job.spec | {"slowdown": REAL_SLOWDOWN})


def paired(rounds: Sequence[Round], first_stage: int | None = None) -> Pairs:
    """What counts of a comparison: the rounds in which neither stayed invalid. first_stage: as in first_of."""
    a, b = (medians_ns(r for r in rounds if r.case.variant == name) for name in ("A", "B"))
    shared = sorted(a.keys() & b.keys())
    again, flagged = (sum(r.status in kind for r in rounds) for kind in (AGAIN, ("flagged",)))
    added = [r.slowed for r in rounds if r.counts and r.slowed is not None]
    slowed = sum(added) / len(added) if added else None
    first = first_of(first_stage, shared)
    return Pairs(tuple(a[n] for n in shared), tuple(b[n] for n in shared), again, flagged, first, slowed)
