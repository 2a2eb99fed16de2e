"""Where between the Keras model and the device the answers part: each step of the way by itself."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from harness.metrics.discrepancy import largest_distance
from harness.metrics.task import row_by_row
from harness.records import CONTROL, Case, Comparison
from harness.records.names import row_name

BASELINE = "the baseline"


@dataclass(frozen=True)
class Gap:
    """Two models over the same samples. largest: of the differences of all outputs, as the models give them; None where
    they are of other shapes or not finite. flips: answers that differ; lost, gained: right in `before` alone, and in
    `after` alone; None where the task has no such thing.
    """

    step: str
    before: str
    after: str
    equal: bool  # bit by bit
    largest: float | None
    samples: int
    flips: int | None = None
    lost: int | None = None
    gained: int | None = None


@dataclass(frozen=True)
class Said:
    """What one model answered over the test set."""

    name: str
    outputs: tuple[np.ndarray, ...]
    answers: np.ndarray | None
    correct: np.ndarray | None


def gaps_of(comparison: Comparison, case: Case) -> tuple[Gap, ...]:
    """From the baseline to a row: conversion, then quantisation; then this file, and float32's, on other rows."""
    control = replace(case, variant=CONTROL)
    found = []
    if control != case and control in comparison.samples:
        found.append(gap("conversion", baseline(comparison), said(comparison, control)))
    if case not in comparison.samples:
        return tuple(found)
    if found:
        found.append(gap("quantisation", said(comparison, control), said(comparison, case)))
    found.append(gap("all of it", baseline(comparison), said(comparison, case)))
    for variant in dict.fromkeys((case.variant, CONTROL)):
        rows = [c for c in comparison.samples if c.variant == variant]
        for one, other in combinations(rows, 2):
            found.append(gap("engine or target", said(comparison, one), said(comparison, other)))
    return tuple(found)


def baseline(comparison: Comparison) -> Said:
    rows = next(iter(comparison.samples.values()))
    names = rows.dtype.names or ()
    answers = rows["baseline_prediction"] if {"flip", "baseline_prediction"} <= {*names} else None
    correct = rows["baseline_correct"] if "baseline_correct" in names else None
    return Said(BASELINE, comparison.run.baseline, answers, correct)


def said(comparison: Comparison, case: Case) -> Said:
    rows = comparison.samples[case]
    names = rows.dtype.names or ()
    answers = rows["prediction"] if {"flip", "prediction"} <= {*names} else None
    return Said(row_name(case), comparison.outputs[case], answers, rows["correct"] if "correct" in names else None)


def gap(step: str, before: Said, after: Said) -> Gap:
    both = list(zip(before.outputs, after.outputs, strict=True))
    equal = all(one.shape == other.shape and np.array_equal(one, other, equal_nan=True) for one, other in both)
    apart = [row_by_row(largest_distance, *pair).max() for pair in both if pair[0].shape == pair[1].shape]
    largest = float(np.max(apart)) if len(apart) == len(both) and np.isfinite(apart).all() else None
    found = Gap(step, before.name, after.name, equal, largest, len(both[0][0]))
    if before.answers is None or after.answers is None:
        return found
    found = replace(found, flips=int(np.sum(before.answers != after.answers)))
    if before.correct is None or after.correct is None:
        return found
    right, still = before.correct.astype(bool), after.correct.astype(bool)
    return replace(found, lost=int(np.sum(right & ~still)), gained=int(np.sum(~right & still)))
