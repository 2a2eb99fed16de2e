"""The same file at batch 1, as it is deployed, and several samples at once: kernels may add up in another order."""

from __future__ import annotations

import numpy as np

from harness.diagnosis.bench import Bench
from harness.diagnosis.gaps import Gap
from harness.diagnosis.row_study import Study
from harness.metrics.discrepancy import largest_distance, top1
from harness.metrics.task import as_scores, output_index
from harness.records.names import row_name

BATCH = 8


def batch_gap(study: Study, bench: Bench) -> Gap | None:
    """None where the batch of the file is not open, or the row has no answers. Raises JobFailed."""
    graph, outputs = study.graphs[0], study.comparison.outputs.get(study.case)
    places = np.array(study.picked.places[: len(study.picked.places) // BATCH * BATCH], int)
    if outputs is None or not len(places) or any(graph.wires[n].shape[:1] != (-1,) for n in graph.inputs):
        return None
    stored, affines = study.fed(study.own)
    batches = [each[: len(places)].reshape(-1, BATCH, *each.shape[1:]) for each in stored]
    given = bench.run(graph.content, batches, affines)[graph.outputs.index(study.goals[0][1])].read()
    one = outputs[output_index(study.run.scoring.output, study.run.outputs)][places]
    if given.size != one.size:
        return None  # its output has the batch elsewhere
    other, name = given.reshape(one.shape), row_name(study.case)
    largest = float(largest_distance(one, other).max())
    flips = None if study.logits is None else int(np.sum(answers(one, study.logits) != answers(other, study.logits)))
    return Gap("batch", f"{name}, batch 1", f"batch {BATCH}", np.array_equal(one, other), largest, len(places), flips)


def answers(outputs: np.ndarray, logits: bool) -> np.ndarray:
    return top1(as_scores(outputs.reshape(len(outputs), -1), logits))
