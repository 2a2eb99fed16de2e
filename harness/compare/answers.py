"""What Keras and every variant say to one sample, and whether they agree."""

from __future__ import annotations

from dataclasses import dataclass

from harness.errors import ConfigError
from harness.metrics.discrepancy import margins, top1
from harness.metrics.task_table import OF_CLASSES
from harness.records import Case, Comparison, Run
from harness.records.names import NO_ANSWER, class_name, row_name
from harness.support.format import listed, plural


@dataclass(frozen=True)
class Answer:
    """One model's answer: case is None for Keras; prediction is NO_ANSWER where a score is not finite; margin: highest
    less second highest score; flip: differs from Keras; correct: None without a label.
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
    """One test sample and its answers, Keras' first. index: its place in the run's arrays; number: in the user's."""

    index: int
    label: int | None
    label_name: str
    answers: tuple[Answer, ...]
    number: int

    @property
    def baseline(self) -> Answer:
        return self.answers[0]


def sample_answers(comparison: Comparison, index: int) -> Sample:
    """Collect the answers to a sample. Raises ConfigError where it does not exist or the run has no classes."""
    run = comparison.run
    if run.task not in OF_CLASSES:
        raise ConfigError(f"run {run.run_id} is not a classification", "its samples have no answers to show")
    if not 0 <= index < run.test_count:
        raise ConfigError(f"there is no sample {index}", f"choose one of 0 to {run.test_count - 1}")
    label = None if run.labels is None else int(run.labels[index])
    given = (variant_answer(comparison, case, index) for case in comparison.samples)
    name = "" if label is None else class_name(run, label)
    answers = (keras_answer(comparison, index, label), *given)
    return Sample(index, label, name, answers, run.number_of(index))


def keras_answer(comparison: Comparison, index: int, label: int | None) -> Answer:
    scores = comparison.baseline[index : index + 1]
    prediction = int(top1(scores)[0])
    correct = None if label is None else prediction == label
    return answer_of(comparison.run, None, prediction, float(scores.max()), float(margins(scores)[0]), False, correct)


def variant_answer(comparison: Comparison, case: Case, index: int) -> Answer:
    """Return the answer as compare derived it, so that a flip here is a flip in every table."""
    row = comparison.samples[case][index]
    correct = None if comparison.run.labels is None else bool(row["correct"])
    score = float(comparison.scores[case][index].max())
    return answer_of(
        comparison.run, case, int(row["prediction"]), score, float(row["margin"]), bool(row["flip"]), correct
    )


def answer_of(
    run: Run, case: Case | None, prediction: int, score: float, margin: float, flip: bool, correct: bool | None
) -> Answer:
    return Answer(case, prediction, class_name(run, prediction), score, margin, flip, correct)


def sample_title(n: int, label: str) -> str:
    """Name a sample. label: "" where there is none."""
    return f"Sample {n}, label {label}" if label else f"Sample {n}, without a label"


def agreement(sample: Sample) -> str:
    """Say in a sentence whether all models give the same answer."""
    others = sample.answers[1:]
    flips = [a for a in others if a.flip]
    if not others:
        return "No variant has an answer to the whole test set."
    truth = ", the true label" if sample.baseline.correct else f", but the label is {sample.label_name}"
    truth = "" if sample.label is None else truth
    if not flips:
        return f"Keras and all {plural(len(others), 'row')} {says(sample.baseline, many=True)}{truth}."
    answers = [f"{row_name(a.case)} {says(a)}" for a in flips]
    same = f"Keras and {len(others) - len(flips)} of {plural(len(others), 'row')}"
    return f"{same} {says(sample.baseline, many=True)}{truth}; {listed(answers)}."


def says(answer: Answer, many: bool = False) -> str:
    verb = "give" if answer.prediction == NO_ANSWER else "say"
    return f"{verb if many else verb + 's'} {answer.name}"


def grouped(sample: Sample) -> tuple[tuple[str, str, bool | None], ...]:
    """Return (answer, variants that gave it, whether right) without Keras; rows that agree are named once."""
    groups: dict[int, list[Answer]] = {}
    for answer in sample.answers[1:]:
        groups.setdefault(answer.prediction, []).append(answer)
    return tuple((g[0].name, variants_of(g, sample), g[0].correct) for g in sorted(groups.values(), key=len))


def variants_of(group: list[Answer], sample: Sample) -> str:
    names: dict[str, list[Answer]] = {}
    for answer in group:
        names.setdefault(answer.variant, []).append(answer)
    totals = {name: sum(a.variant == name for a in sample.answers) for name in names}
    several = len({a.case.target for a in sample.answers if a.case}) > 1
    partly = {n: listed([place_of(a, several) for a in g]) for n, g in names.items() if len(g) < totals[n]}
    return ", ".join(f"{n} ({partly[n]})" if n in partly else n for n in names)


def place_of(answer: Answer, several: bool) -> str:
    if answer.case is None:
        return ""
    return f"{answer.case.runtime} on {answer.case.target}" if several else answer.case.runtime
