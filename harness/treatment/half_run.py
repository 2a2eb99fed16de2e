"""Some samples of a run, with a file in the place of one of its rows: a run like any other, to compare and judge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from harness.compare.baseline import compare
from harness.metrics.registry import pairs_among
from harness.records import CONTROL, Case, Comparison, Run, Shard, Tensor, Variant
from harness.support.arrays import pick


def part_of(run: Run, places: np.ndarray, case: Case) -> Run:
    """Returns the run as if it had only these samples, and had measured only this row and its float32, without time."""
    control = replace(case, variant=CONTROL)
    chosen = np.zeros(run.test_count, bool)
    chosen[places] = True
    return replace(
        run,
        inputs=tuple(pick(array, places) for array in run.inputs),
        labels=None if run.labels is None else run.labels[places],
        baseline=tuple(pick(array, places) for array in run.baseline),
        groups=None if run.groups is None else run.groups[places],
        queries=None if run.queries is None else run.queries[places],
        pairs=None if run.pairs is None else pairs_among(run.pairs, chosen),
        numbers=numbers_of(run, places),
        head_labels={name: labels[places] for name, labels in run.head_labels.items()},
        targets=(run.target(case.target),),
        cases=tuple(dict.fromkeys((control, case))),
        plan=replace(run.plan, rounds=0, until_decided=False, precision=None),
        provenance=replace(run.provenance, distinct=None),
        rounds=(),
        shards=(),
        audits=(),
        stopped_of=None,
    )


def numbers_of(run: Run, places: np.ndarray) -> np.ndarray:
    """The numbers of the samples in the user's own order."""
    return np.asarray(places if run.numbers is None else run.numbers[places])


def compared(part: Run, files: Sequence[tuple[Case, Variant, Sequence[np.ndarray]]]) -> Comparison:
    """What these files answered, as a comparison. files: the row of each, the file, and its outputs in the file's
    order, as real numbers.
    """
    named = {case.variant: replace(file, name=case.variant) for case, file, _ in files}
    shards = tuple(answered(case, outputs) for case, _, outputs in files)
    cases = tuple(case for case, _, _ in files)
    return compare(replace(part, variants=tuple(named.values()), cases=cases, shards=shards))


def answered(case: Case, outputs: Sequence[np.ndarray]) -> Shard:
    tensors = tuple(Tensor(str(n), "float32", (1, *array.shape[1:])) for n, array in enumerate(outputs))
    return Shard(case, 0, len(outputs[0]), outputs=tuple(outputs), tensors=tensors)
