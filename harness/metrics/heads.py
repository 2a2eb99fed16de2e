"""What became of an output beside the scored one, and of each column of an output whose columns differ in scale."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from harness.metrics.discrepancy import SUSPECT_EXPLAINED, doubt
from harness.metrics.task import OUTSIDE, are_logits, stretches
from harness.records import Run, Scoring
from harness.records.terms import Task

COLUMNS = 64  # more are features or pixels, which have no meaning one by one
ADDS_UP = 0.02  # how far a row of probabilities may be from 1
FIRST = 2_000  # samples that the form of an output is seen on
STEPS = 4 / 255  # of a range from 0 to 1: a smaller deviation drowns in eight bits, and no decision is lost with it
STILL = 1e-3  # of its largest value: a column that deviates less is a constant and rounding
TEST_SET = "the test set"


def as_scored(run: Run, n: int) -> Run:
    """Returns the run as if output n were the scored one. Where it has no labels, its answers stand against Keras'
    alone: its task is agreement where its rows are probabilities of classes, else distance.
    """
    if head := run.heads.get(run.outputs[n]):
        own = replace(head.scoring, trusted=run.scoring.trusted)
        alone = replace(run, task=head.task, class_names=head.class_names, scoring=own, output_names=run.outputs)
        return replace(alone, labels=run.head_labels[own.output], heads={}, head_labels={})
    task: Task = "agreement" if adds_up(run.baseline[n][:FIRST]) else "distance"
    scoring, names = Scoring(output=run.outputs[n]), run.outputs
    bare = replace(run, task=task, class_names=(), labels=None, scoring=scoring, output_names=names)
    return replace(bare, heads={}, head_labels={})


def lost_parts(wanted: np.ndarray, given: np.ndarray, whole: bool = True) -> list[str]:
    """Why an output is suspect, in words; [] where it is not. wanted: the baseline's, given: a variant's, (samples, …).

    whole: whether the output as a whole is looked at; where that is suspect, its columns are not named.
    """
    given = given.reshape(wanted.shape) if given.size == wanted.size else given
    if given.shape != wanted.shape or not len(wanted):
        return []
    of_classes = adds_up(wanted[:FIRST])
    if whole and (told := doubt(wanted, given, of_classes, "Keras", TEST_SET)):
        return [told]
    lost = [] if of_classes else list(lost_columns(wanted, given))
    if not lost:
        return []
    if len(lost) == 1:
        ((n, share),) = lost
        return [f"column {n} explains {max(share, 0):.1%} of the variation in Keras' over {TEST_SET}"]
    named = ", ".join(f"{n} ({max(share, 0):.1%})" for n, share in lost[:5]) + (" …" if len(lost) > 5 else "")
    return [f"columns {named} explain that little of the variation in Keras' over {TEST_SET}"]


def adds_up(rows: np.ndarray) -> bool:
    """Whether the rows are probabilities of classes."""
    return rows.ndim == 2 and rows.shape[1] > 1 and bool(np.allclose(rows.sum(axis=1), 1, atol=ADDS_UP))


def lost_columns(wanted: np.ndarray, given: np.ndarray) -> Iterator[tuple[int, float]]:
    """(column, share of the baseline's variation that is explained) of each column that is lost."""
    axis = column_axis(wanted)
    if axis is None:
        return
    judged, error, variation = deviating(wanted, axis), *errors(wanted, given, axis)
    for n in np.flatnonzero(judged & (variation > 0)):
        share = float(1 - error[n] / variation[n])
        if not share >= SUSPECT_EXPLAINED:  # NaN is lost, too
            yield int(n), share


def column_axis(outputs: np.ndarray) -> int | None:
    """Where the columns stand: of one axis a sample that one, of two the shorter, else the last. None where there are
    none, or too many.
    """
    axes = [n for n in range(1, outputs.ndim) if outputs.shape[n] > 1]
    lengths = [outputs.shape[n] for n in axes]
    if not axes or (len(axes) == 2 and lengths[0] == lengths[1]):
        return None
    axis = axes[-1] if len(axes) != 2 else min(axes, key=lambda n: outputs.shape[n])
    return axis if outputs.shape[axis] <= COLUMNS else None


def by_column(rows: np.ndarray, axis: int) -> np.ndarray:
    """float64, (values, columns)."""
    return np.moveaxis(rows, axis, -1).reshape(-1, rows.shape[axis]).astype(np.float64)


def deviating(wanted: np.ndarray, axis: int) -> np.ndarray:
    """Which columns of the baseline say something: they deviate, in more than few samples, and by more than rounding.

    Of scores, all between 0 and 1, the columns have one scale: a rare class deviates less than eight bits can tell,
    which decides nothing.
    """
    values = by_column(wanted[:FIRST], axis)
    deviation = values.std(axis=0)
    often = np.median(np.abs(values - np.median(values, axis=0)), axis=0) > 0
    least = np.maximum(STILL * np.abs(values).max(axis=0), 1e-6 * np.abs(values).max())
    if not are_logits(wanted) and values.max() > OUTSIDE:
        least = np.maximum(least, STEPS * values.max())
    return np.asarray(often & (deviation > least))


def errors(wanted: np.ndarray, given: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Σ(given − wanted)² and Σ(wanted − mean)² of each column."""
    count = wanted.size / wanted.shape[axis]
    means = sum(by_column(part, axis).sum(axis=0) for part in stretches(wanted)) / count
    variation = sum(np.square(by_column(part, axis) - means).sum(axis=0) for part in stretches(wanted))
    error = sum(
        np.square(by_column(x, axis) - by_column(y, axis)).sum(axis=0)
        for x, y in zip(stretches(wanted), stretches(given), strict=True)
    )
    return np.asarray(error), np.asarray(variation)
