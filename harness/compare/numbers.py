"""One test sample of a model that gives numbers: what Keras and every variant say, and how far apart they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.compare.said_boxes import finds_objects, in_words, labels_in_words
from harness.metrics.masks import classes_given, classes_labelled
from harness.metrics.task import ANOMALIES, MASKS, are_logits, one_column_each
from harness.records import Case, Comparison
from harness.support.format import is_known, listed, plural, significant

MOST_NUMBERS = 8  # written out; the rest is counted
MOST_CLASSES = 4  # of a mask


@dataclass(frozen=True)
class NumberAnswer:
    """One model's output. case is None for Keras. apart: mean |Δ| from Keras'; error: from the label, None without. Of
    masks these are the shares of the pixels that differ.
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
    if finds_objects(run):
        return object_sample(comparison, index)
    if run.task in MASKS:
        return mask_sample(comparison, index)
    label = None if run.labels is None else np.asarray(run.labels[index])
    outputs = [(None, base), *((case, scores[index]) for case, scores in comparison.scores.items())]
    wanted = None if run.task in ANOMALIES else label  # 0 or 1, from which an error of reconstruction has no distance
    answers = tuple(
        NumberAnswer(c, written(o), mean_distance(o, base) or 0.0, mean_distance(o, wanted)) for c, o in outputs
    )
    return NumberSample(index, "" if label is None else written(label), inputs_of(comparison, index), answers)


def object_sample(comparison: Comparison, index: int) -> NumberSample:
    """Says what is found on a picture with objects. apart: 1 − the mean overlap of boxes with Keras'."""
    run = comparison.run
    label = "" if run.labels is None else labels_in_words(run, run.labels[index])
    rows = ((case, scores[index], comparison.samples[case]) for case, scores in comparison.scores.items())
    variants = [NumberAnswer(c, in_words(run, r), float(t["max_abs_diff"][index]), None) for c, r, t in rows]
    keras = NumberAnswer(None, in_words(run, comparison.baseline[index]), 0.0, None)
    return NumberSample(index, label, inputs_of(comparison, index), (keras, *variants))


def mask_sample(comparison: Comparison, index: int) -> NumberSample:
    """Says of a mask how much of the picture each class covers, and which shares of its pixels are not Keras', and not
    right.
    """
    run, base = comparison.run, comparison.baseline
    logits = one_column_each(base) and are_logits(base)
    tables = [] if run.labels is None else list(comparison.samples.values())
    error = float(tables[0]["baseline_error"][index]) if tables else None
    said = [NumberAnswer(None, covered(classes_given(base[index : index + 1], logits)), 0.0, error)]
    for case, table in comparison.samples.items():
        given = covered(classes_given(comparison.scores[case][index : index + 1], logits))
        row = table[index]
        said.append(NumberAnswer(case, given, float(row["differing"]), None if error is None else float(row["error"])))
    truth = None if run.labels is None else classes_labelled(run.labels[index : index + 1], run.scoring.ignore)
    label = "" if truth is None else covered(truth[truth >= 0])
    return NumberSample(index, label, inputs_of(comparison, index), tuple(said))


def covered(classes: np.ndarray) -> str:
    """Write which classes a mask has, and how much of it."""
    found, counts = np.unique(classes, return_counts=True)
    largest = np.argsort(-counts, kind="stable")[:MOST_CLASSES]
    shown = ", ".join(f"{found[n]} ({100 * counts[n] / classes.size:.2g} %)" for n in largest)
    return f"{'class' if len(found) == 1 else 'classes'} {shown}{' …' if len(found) > MOST_CLASSES else ''}"


def mean_distance(one: np.ndarray, other: np.ndarray | None) -> float | None:
    """Return the mean |Δ|; None where the two differ in size."""
    if other is None or np.size(one) != np.size(other):
        return None
    return float(np.abs(np.ravel(one).astype(np.float64) - np.ravel(other)).mean())


def inputs_of(comparison: Comparison, index: int) -> tuple[str, ...]:
    """Write the first numbers of each input, as they are stored."""
    arrays = [np.asarray(array[index]) for array in comparison.run.inputs]
    many = len(arrays) > 1
    return tuple(f"input{f' {n}' if many else ''}: {written(a)}" for n, a in enumerate(arrays))


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
