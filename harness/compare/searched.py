"""Samples that are looked for in a run: those that flipped, those that moved most, those of one class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from harness.errors import ConfigError
from harness.metrics.detection_rows import finds
from harness.metrics.discrepancy import fields_of, top1
from harness.metrics.task_table import kind_of
from harness.records import Case, Comparison, Run
from harness.records.terms import SearchOrder
from harness.support.format import nearest
from harness.support.globs import chosen

Rows = TypeVar("Rows")
LOST, OTHER_FLIP, NO_FLIP = 0, 1, 2  # ranks, in the order in which flips are shown


@dataclass(frozen=True)
class Search:
    """What is looked for. flips: samples that a row answers otherwise than Keras; those that a row lost come first.
    of_class: the name or number of a class. by: what comes first. most: how many are shown.
    """

    flips: bool = False
    of_class: str = ""
    by: SearchOrder = "discrepancy"
    most: int = 12


@dataclass(frozen=True)
class Hit:
    """A sample, and the row that goes furthest there. place: in the run's arrays. apart: how far the row is from Keras,
    in the task's own measure. flipped: how many rows flipped; None where the task has no flips.
    """

    place: int
    case: Case
    apart: float
    outcome: str
    flipped: int | None


@dataclass(frozen=True)
class Hits:
    """The samples that are shown, of so many that were found."""

    shown: tuple[Hit, ...]
    total: int


def narrowed(comparison: Comparison, variants: Sequence[str]) -> Comparison:
    """Returns the comparison with the rows alone whose variant the globs choose; without globs those that are not
    suspect, unless all are. Raises ConfigError where no row is left.
    """
    names = dict.fromkeys(case.variant for case in comparison.samples)
    if not names:
        advice = "harness run --resume goes on with it; a row that was decided early has no answer to the rest"
        raise ConfigError(f"no row of run {comparison.run.run_id} has answers to the whole test set", advice)
    kept = set(chosen(names, variants))
    if not kept:
        raise ConfigError(
            f"no variant fits {', '.join(variants)}", nearest(variants[0], names, "those with answers are")
        )
    cases = {case for case in comparison.samples if case.variant in kept}
    return only(comparison, cases if variants else set(comparison.sound))


def only(comparison: Comparison, cases: set[Case]) -> Comparison:
    """Returns the comparison with these rows' samples alone, also of each further output."""

    def kept(of: dict[Case, Rows]) -> dict[Case, Rows]:
        return {case: rows for case, rows in of.items() if case in cases}

    samples, outputs, scores = kept(comparison.samples), kept(comparison.outputs), kept(comparison.scores)
    heads = {name: only(head, cases) for name, head in comparison.heads.items()}
    return replace(comparison, samples=samples, outputs=outputs, scores=scores, heads=heads)


def search(comparison: Comparison, asked: Search) -> Hits:
    """Returns the samples that were looked for, in the order that was asked for. Raises ConfigError where the task
    knows no such thing.
    """
    check_known(comparison, asked)
    cases, tables = list(comparison.samples), list(comparison.samples.values())
    rank = np.full(comparison.run.test_count, NO_FLIP)
    value = np.full(len(rank), -np.inf)
    furthest, flipped = np.zeros(len(rank), int), np.zeros(len(rank), int)
    for n, table in enumerate(tables):  # one after another: of 10^6 samples and 100 rows only one is in memory
        own_rank, own_value = ranks(table), measure(comparison.run, table, asked.by)
        flipped += own_rank < NO_FLIP
        ahead = own_value > value if not asked.flips else (own_rank < rank) | ((own_rank == rank) & (own_value > value))
        ahead |= n == 0
        rank[ahead], value[ahead], furthest[ahead] = own_rank[ahead], own_value[ahead], n
    wanted = in_class(comparison, asked.of_class) if asked.of_class else np.full(len(rank), True)
    places = np.flatnonzero(wanted & (rank < NO_FLIP) if asked.flips else wanted)
    first = rank[places] if asked.flips else np.zeros(len(places))
    order = places[np.lexsort((-value[places], first))].tolist()
    known = "flip" in fields_of(tables[0])
    shown = (hit(comparison, n, cases[furthest[n]], int(flipped[n]) if known else None) for n in order[: asked.most])
    return Hits(tuple(shown), len(order))


def hit(comparison: Comparison, place: int, case: Case, flipped: int | None) -> Hit:
    row = comparison.samples[case][place : place + 1]
    return Hit(place, case, float(row[apart_column(comparison.run)][0]), outcome(row), flipped)


def check_known(comparison: Comparison, asked: Search) -> None:
    """Raises ConfigError where the task has no flips, or no errors, to look for."""
    columns, task = fields_of(next(iter(comparison.samples.values()))), comparison.run.task
    if asked.flips and "flip" not in columns:
        raise ConfigError(f"the task {task} has no flips", "--worst 12 shows the samples that moved most")
    if asked.by == "error" and "error" not in columns:
        advice = "leave out --by: then they are ordered by how far they are from Keras"
        raise ConfigError(f"samples of the task {task} have no error of their own here", advice)


# --- rows ------------------------------------------------------------------------------------------------------------


def apart_column(run: Run) -> str:
    told = kind_of(run.task).told
    return told.apart if told else "max_abs_diff"


def measure(run: Run, rows: np.ndarray, by: SearchOrder) -> np.ndarray:
    """Returns what samples are ordered by, (samples,): outputs that are not finite come first, unlabelled ones last."""
    apart = np.nan_to_num(rows[apart_column(run)].astype(np.float64), nan=np.inf)
    if by == "discrepancy":
        return np.asarray(apart)
    error = rows["error"].astype(np.float64)
    return np.where(np.isnan(error), np.where(np.isinf(apart), np.inf, -np.inf), error)


def ranks(rows: np.ndarray) -> np.ndarray:
    """Returns which samples were lost, which flipped otherwise, and which did not."""
    if "flip" not in fields_of(rows):
        return np.full(len(rows), NO_FLIP)
    return np.select([rows["flip"] & worse(rows), rows["flip"]], [LOST, OTHER_FLIP], NO_FLIP)


def worse(rows: np.ndarray) -> np.ndarray:
    """Returns where the row is further from the label than Keras is, (samples,); nowhere without labels."""
    if "correct" in fields_of(rows):
        return np.asarray(rows["baseline_correct"] & ~rows["correct"])
    return (
        np.asarray(rows["error"] > rows["baseline_error"]) if "error" in fields_of(rows) else np.zeros(len(rows), bool)
    )


def outcome(row: np.ndarray) -> str:
    """Says in a word what became of one sample: "" where it did not flip. row: an array of one."""
    columns = fields_of(row)
    if ranks(row)[0] == NO_FLIP:
        return ""
    if "correct" not in columns:
        return "worse" if worse(row)[0] else "flip"
    before, after = bool(row["baseline_correct"][0]), bool(row["correct"][0])
    return "flip" if before == after else "lost" if before else "won"


# --- one class -------------------------------------------------------------------------------------------------------


def in_class(comparison: Comparison, name: str) -> np.ndarray:
    """Returns which samples have the class as a label; without labels, which Keras takes for it, or on which it finds
    an object of it. Raises ConfigError.
    """
    run, kind = comparison.run, kind_of(comparison.run.task)
    if kind.holds is None:
        raise ConfigError(f"samples of the task {run.task} have no class", "leave out --class")
    if run.labels is not None:
        return kind.holds(run.labels, class_number(run, name))
    if kind.says == "boxes":
        return finds(run, comparison.baseline, class_number(run, name))
    if kind.says != "classes":
        told = f"the test set has no labels, and answers of the task {run.task} do not say one class a sample"
        raise ConfigError(told, "leave out --class")
    return np.asarray(top1(comparison.baseline) == class_number(run, name))


def class_number(run: Run, name: str) -> int:
    """Returns the number of a class that was given by its name or number. Raises ConfigError."""
    if name in run.class_names:
        return run.class_names.index(name)
    if name.isdecimal() and (not run.class_names or int(name) < len(run.class_names)):
        return int(name)
    known = (
        nearest(name, run.class_names, "the classes are") if run.class_names else "classes have numbers here, from 0"
    )
    raise ConfigError(f"there is no class {name!r}", known)
