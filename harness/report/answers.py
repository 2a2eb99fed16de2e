"""What Keras and every variant say to one sample, and whether they agree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.errors import ConfigError
from harness.records import Case, Comparison
from harness.report.material import class_name, classifies
from harness.report.units import listed, plural

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Answer:
    """One model's answer. case is None for Keras; margin = highest − second score; flip = differs from Keras; correct:
    None without a label.
    """

    case: Case | None
    prediction: int
    name: str
    score: float
    margin: float
    flip: bool
    correct: bool | None

    @property
    def variant(self) -> str:
        return self.case.variant if self.case else "Keras"


@dataclass(frozen=True)
class Sample:
    """One test sample and its answers, Keras' first."""

    index: int
    label: int | None
    label_name: str
    answers: tuple[Answer, ...]

    @property
    def baseline(self) -> Answer:
        return self.answers[0]


def sample_answers(comparison: Comparison, index: int) -> Sample:
    """Raises ConfigError where the sample does not exist or the run has no classes."""
    run = comparison.run
    if not classifies(run):
        raise ConfigError(f"run {run.run_id} is no classification", "its samples have no answers to show")
    if not 0 <= index < run.test_count:
        raise ConfigError(f"there is no sample {index}", f"choose one of 0 to {run.test_count - 1}")
    label = None if run.labels is None else int(run.labels[index])
    baseline = comparison.baseline[index]
    base = int(baseline.argmax())
    said = [(None, baseline), *((case, scores[index]) for case, scores in comparison.scores.items())]
    name = "" if label is None else class_name(run, label)
    return Sample(index, label, name, tuple(_answer(comparison, c, s, base, label) for c, s in said))


def _answer(comparison: Comparison, case: Case | None, scores: np.ndarray, base: int, label: int | None) -> Answer:
    prediction = int(scores.argmax())
    ordered = sorted((float(s) for s in scores), reverse=True)
    margin = ordered[0] - ordered[1] if len(ordered) > 1 else ordered[0]
    name = class_name(comparison.run, prediction)
    correct = None if label is None else prediction == label
    return Answer(case, prediction, name, ordered[0], margin, prediction != base, correct)


def agreement(sample: Sample) -> str:
    """Whether everybody says the same, in a sentence."""
    others = sample.answers[1:]
    flips = [a for a in others if a.flip]
    if not others:
        return "No variant has an answer for it."
    truth = ", the true label" if sample.baseline.correct else f", but the label is {sample.label_name}"
    truth = "" if sample.label is None else truth
    if not flips:
        return f"Keras and all {plural(len(others), 'row')} say {sample.baseline.name}{truth}."
    said = [f"{a.variant} with {a.case.runtime} on {a.case.target} says {a.name}" for a in flips if a.case]
    same = f"Keras and {len(others) - len(flips)} of {plural(len(others), 'row')} say"
    return f"{same} {sample.baseline.name}{truth}; {listed(said)}."


def grouped(sample: Sample) -> tuple[tuple[str, str, bool | None], ...]:
    """(answer, variants that gave it, whether right), without Keras; a variant is named once where its rows agree."""
    groups: dict[int, list[Answer]] = {}
    for answer in sample.answers[1:]:
        groups.setdefault(answer.prediction, []).append(answer)
    return tuple((g[0].name, _who(g, sample), g[0].correct) for g in sorted(groups.values(), key=len))


def _who(group: list[Answer], sample: Sample) -> str:
    names: dict[str, list[Answer]] = {}
    for answer in group:
        names.setdefault(answer.variant, []).append(answer)
    totals = {name: sum(a.variant == name for a in sample.answers) for name in names}
    several = len({a.case.target for a in sample.answers if a.case}) > 1
    partly = {n: listed([_short(a, several) for a in g]) for n, g in names.items() if len(g) < totals[n]}
    return ", ".join(f"{n} ({partly[n]})" if n in partly else n for n in names)


def _short(answer: Answer, several: bool) -> str:
    if answer.case is None:
        return ""
    return f"{answer.case.runtime} on {answer.case.target}" if several else answer.case.runtime
