"""A row of a stored run, looked into on its own device (`harness explain`), and what was found kept beside the run."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from harness.compare.baseline import compare
from harness.diagnosis.bench import Bench
from harness.diagnosis.explain_row import Study, check, explain
from harness.diagnosis.explanation import Explanation
from harness.diagnosis.kept_explanations import keep
from harness.diagnosis.picked import LEAST_SAMPLES, MOST_SAMPLES
from harness.errors import ConfigError
from harness.measure.connections import kind_of
from harness.measure.jobs import Watcher
from harness.measure.patience import connect_when_free
from harness.measure.same_device import check_same_device, identity_of
from harness.records import CONTROL, Case, Comparison
from harness.records.names import row_name
from harness.runs.header import new_run_id, read_header
from harness.runs.loading import load
from harness.runs.own_runs import check_trusted
from harness.runs.store import Store
from harness.support.files import TemporaryFolder, telling_disk
from harness.support.format import listed


@dataclass(frozen=True)
class Asked:
    """Which row, and how. "" for what need not be named. file: a .tflite file, instead of the variant's of the run."""

    variant: str = ""
    target: str = ""
    runtime: str = ""
    samples: int = MOST_SAMPLES
    file: Path | None = None
    wait_s: float = 0.0
    times: bool = False  # of the ops, too


@telling_disk()
def explain_stored(store: Store, run: str, asked: Asked, watcher: Watcher, say: Callable[[str], None]) -> Explanation:
    """Raises ConfigError, StoreError, TargetError."""
    path = store.find(run)
    header = read_header(path)
    check_trusted(header, store.trust)
    if not asked.samples >= LEAST_SAMPLES:
        raise ConfigError(f"{asked.samples} samples are too few to tell anything", f"take {LEAST_SAMPLES} or more")
    stored = load(path, store.trust)
    comparison = compare(stored)
    case = chosen(comparison, asked)
    known = stored.target(case.target)
    remote = kind_of(known.target).is_remote
    study = Study(comparison.early.get(case, comparison), case, asked.samples, asked.file, remote)
    check(study)
    with (
        TemporaryFolder() as folder,
        closing(connect_when_free(known.target, new_run_id(), header.tune, asked.wait_s, say)) as connection,
    ):
        if known.environment:
            then = identity_of(known.environment, [case])
            check_same_device(known.target.name, "run", then, connection.environment)
        found = explain(study, Bench(connection, study.case, Path(folder), watcher), asked.times, say)
    if asked.file is None:
        keep(found, path)
    return found


def chosen(comparison: Comparison, asked: Asked, preferred: Callable[[Case], bool] = lambda case: True) -> Case:
    """The row that is asked for; of several the one with the largest drop, or with the most that moved. preferred: of
    these, where there are any. Raises ConfigError where there is none.
    """
    run = comparison.run
    if asked.file is not None:
        if asked.variant or asked.file.name in {variant.name for variant in run.variants}:
            told = "a file of yours takes the place of a variant"
            raise ConfigError(told, "leave --variant out, and give the file a name that no variant has")
        fits = [case for case in run.cases if case.variant == CONTROL and of_place(case, asked)]
        named = [replace(case, variant=asked.file.name) for case in fits]
    else:
        named = [
            c for c in run.cases if c.variant != CONTROL and asked.variant in ("", c.variant) and of_place(c, asked)
        ]
    named = [case for case in named if case == run.accuracy_case(case)] or named
    if not named:
        rows = listed([row_name(case) for case in run.cases if case.variant != CONTROL])
        raise ConfigError(f"run {run.run_id} has no such row", f"it has {rows or 'float32 alone'}")
    first = [case for case in named if preferred(case)] or named
    return max(first, key=lambda case: moved(comparison, case))


def of_place(case: Case, asked: Asked) -> bool:
    return asked.target in ("", case.target) and asked.runtime in ("", case.runtime)


def moved(comparison: Comparison, case: Case) -> float:
    """How far a row is from the baseline: its flips, or where nothing flips the greatest difference."""
    rows = comparison.answered.get(case)
    if rows is None:
        return -1.0
    if "flip" in (rows.dtype.names or ()):
        return float(rows["flip"].mean())
    return float(np.nan_to_num(rows["max_abs_diff"], nan=np.inf).max())
