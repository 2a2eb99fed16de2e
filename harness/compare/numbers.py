"""One test sample of a model that gives numbers: what Keras and every variant say, and how far apart they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.metrics.discrepancy import fields_of, mean_distance, mean_error
from harness.metrics.task import ANOMALIES, EMBEDDINGS
from harness.metrics.task_table import Told, kind_of
from harness.records import Case, Comparison
from harness.support.format import is_known, listed, plural, significant

MOST_NUMBERS = 8  # written out; the rest is counted


@dataclass(frozen=True)
class NumberAnswer:
    """One model's output. case is None for Keras. apart: mean |Δ| from Keras'; error: from the label, None without.
    Where the task has words of its own, both are what its rows say.
    """

    case: Case | None
    text: str
    apart: float
    error: float | None

    @property
    def variant(self) -> str:
        return self.case.variant if self.case else "Keras"


@dataclass(frozen=True)
class NumberSample:
    """One test sample, Keras first. label is "" where there is none; inputs: what went in, in words."""

    index: int
    label: str
    inputs: tuple[str, ...]
    answers: tuple[NumberAnswer, ...]


def number_sample(comparison: Comparison, index: int) -> NumberSample:
    run, base = comparison.run, comparison.baseline[index]
    if told := kind_of(run.task).told:
        return told_sample(comparison, index, told)
    label = None if run.labels is None else np.asarray(run.labels[index])
    outputs = [(None, base), *((case, scores[index]) for case, scores in comparison.scores.items())]
    wanted = None if run.task in (*ANOMALIES, *EMBEDDINGS) else label  # from which such numbers have no distance
    answers = tuple(NumberAnswer(c, written(o), apart(o, base), error_of(o, wanted)) for c, o in outputs)
    return NumberSample(index, "" if label is None else written(label), inputs_of(comparison, index), answers)


def told_sample(comparison: Comparison, index: int, told: Told) -> NumberSample:
    """Says it in the task's words; how far each answer is from Keras', and from the label, as the rows have it."""
    run, tables = comparison.run, comparison.samples
    keras = [float(table[index]["baseline_error"]) for table in tables.values() if "error" in fields_of(table)]
    said = [NumberAnswer(None, told.answer(comparison, comparison.baseline[index]), 0.0, keras[0] if keras else None)]
    for case, table in tables.items():
        error = float(table[index]["error"]) if keras else None
        text = told.answer(comparison, comparison.scores[case][index])
        said.append(NumberAnswer(case, text, float(table[index][told.apart]), error))
    label = "" if run.labels is None else told.label(comparison, np.asarray(run.labels[index]))
    return NumberSample(index, label, inputs_of(comparison, index), tuple(said))


def apart(one: np.ndarray, base: np.ndarray) -> float:
    """Return the mean |Δ| from Keras' output; NaN where a number of either is NaN."""
    return float(mean_distance(np.reshape(one, (1, -1)), np.reshape(base, (1, -1)))[0])


def error_of(one: np.ndarray, label: np.ndarray | None) -> float | None:
    """Return the mean |Δ| from the labels that are known; None without any, or where the two differ in size."""
    if label is None or np.size(one) != np.size(label):
        return None
    return float(mean_error(np.reshape(one, (1, -1)), np.reshape(label, (1, -1)))[0])


def inputs_of(comparison: Comparison, index: int) -> tuple[str, ...]:
    """Write the first numbers of each input, as they are stored, and of each state that Keras had."""
    run = comparison.run
    arrays = [np.asarray(run.inputs[n][index]) for n in run.brought]
    many = len(arrays) > 1
    brought = (f"input{f' {n}' if many else ''}: {written(a)}" for n, a in enumerate(arrays))
    inside = bool(run.clips is not None and index and run.clips[index] == run.clips[index - 1])
    states = {c.input: run.baseline[c.yielded][index - 1] if inside else run.inputs[c.fed][index] for c in run.state}
    return (*brought, *(f"{name}, Keras' state: {written(np.asarray(state))}" for name, state in states.items()))


def written(values: np.ndarray) -> str:
    """Write the numbers as text; only the first where there are many."""
    flat = np.ravel(values)
    shown = ", ".join(significant(float(v), 5) for v in flat[:MOST_NUMBERS])
    return shown if len(flat) <= MOST_NUMBERS else f"{shown} … ({plural(len(flat), 'number')})"


def nearness(sample: NumberSample) -> str:
    """Say in a sentence how far the variants are from Keras."""
    others = sample.answers[1:]
    if not others:
        return "No variant has an output for the whole test set."
    if unknown := [o.variant for o in others if not is_known(o.apart)]:
        return f"Outputs that are not finite: {listed(dict.fromkeys(unknown))}."
    far = max(others, key=lambda one: one.apart)
    if not far.apart:
        return f"Keras and all {plural(len(others), 'row')} say the same."
    furthest = [o.variant for o in others if o.apart == far.apart and o.case]
    return f"Furthest from Keras, by {significant(far.apart)}: {listed(dict.fromkeys(furthest))}."
