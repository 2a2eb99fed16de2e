"""All that is known of a metric stands in its declaration here: unit, direction, tasks, judge, title and columns.

Whoever shows, compares or judges a metric reads its record: metrics.csv and summary.csv, the report, `harness compare`,
policies and the gate. To add a metric, declare it in the module it belongs to; nothing else needs to change.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

import numpy as np

from harness.metrics.asked import RESAMPLED_BYTES, Table, arrays_of, picked
from harness.metrics.task import UNLABELLED
from harness.records import Absent, Case, Keypoints, Ran, Round, Variant
from harness.records.terms import ABOUT, TASKS, About, Against, Better, Compared, Judged, Task
from harness.statistics.bootstrap import Statistic

Made = TypeVar("Made")


@dataclass(frozen=True)
class Estimate:
    """A metric's value for one case. Where there is no value, `method` says why."""

    value: float | None = None
    baseline: float | None = None  # the same metric of what the case stands against
    low: float | None = None
    high: float | None = None  # low and high bound `value`
    method: str = ""


@dataclass(frozen=True)
class Observation:
    """What is known of one case, for metrics to compute from."""

    case: Case
    variant: Variant
    labels: np.ndarray | None  # None where there are none
    baseline: np.ndarray  # its scored output, (samples, classes) where it scores classes
    scores: np.ndarray | None  # the same of the case; None where there are no outputs
    samples: np.ndarray | None  # a row a sample (see Comparison); None where there are no outputs
    rounds: tuple[Round, ...]
    control: Observation | None  # the same case with the variant float32
    logits: bool = False  # whether the scores of classes are logits, not probabilities
    task: Task = "classification"
    emulated: bool = False  # its device is: how long anything takes there says nothing of a real one
    groups: np.ndarray | None = None  # the group of each sample, (samples,); None where all are independent
    until_decided: bool = False  # how many samples there are depends on what they say
    first_stage: int | None = None  # rounds under this index are of the first of two stages; None: there is one
    first_attempts: tuple[Round, ...] = ()  # at the rounds; () where none was measured again for being unsteady
    arena_bytes: int | None = None  # that the model takes, of an engine that has an arena
    ran: Ran | None = None  # which kernels ran; None where the engine does not tell

    @property
    def medians_ns(self) -> dict[int, float]:
        return medians_ns(self.rounds)

    @property
    def first_medians_ns(self) -> dict[int, float]:
        return {r.index: r.median_ns for r in self.first_attempts or self.rounds}


def medians_ns(rounds: Iterable[Round]) -> dict[int, float]:
    """Returns round → median ns an invoke, for the rounds that count."""
    return {r.index: r.median_ns for r in rounds if r.counts}


@dataclass(frozen=True)
class Answers:
    """What a model answered to the test set."""

    labels: np.ndarray | None  # (samples, …)
    outputs: np.ndarray  # the scored output, (samples, classes) where it scores classes
    baseline: np.ndarray  # the same of the model that it stands against
    further: Mapping[str, Callable[[], Table]] = field(default_factory=dict)  # inputs and all_outputs, made when asked
    answer_score: float = 0.5  # of detections, the least that is held against the baseline's
    ignore: float | None = None  # the label of pixels that have none
    keypoints: Keypoints | None = None  # what is said of points
    queries: np.ndarray | None = None  # of embeddings, which samples ask the others, (samples,); None: all do
    pairs: np.ndarray | None = None  # of embeddings, the places of two samples each, (pairs, 2); None: every pair
    kept: dict[str, Any] = field(default_factory=dict)  # what several metrics are made of, by its name

    def beside(self, name: str) -> Table:
        """Returns inputs or all_outputs, for a metric of the user's own that asks for them. Raises Absent."""
        if name not in self.further:
            raise Absent(f"it asks for {name}, which is not known here")
        return self.further[name]()

    def once(self, name: str, make: Callable[[Answers], Made]) -> Made:
        """Returns what is made of the answers, which is made once."""
        if name not in self.kept:
            self.kept[name] = make(self)
        made: Made = self.kept[name]
        return made

    @property
    def size_bytes(self) -> int:
        """How much is copied of the answers to all samples."""
        return self.outputs.nbytes

    @property
    def truth(self) -> np.ndarray:
        assert self.labels is not None  # of the tasks that have a metric of labels
        return self.labels

    def of(self, chosen: np.ndarray) -> Answers:
        """Returns the answers to these samples. chosen: bool, (samples,)."""
        labels = None if self.labels is None else self.labels[chosen]
        further = {name: partial(rows_of, make, chosen) for name, make in self.further.items()}
        return replace(
            self,
            labels=labels,
            outputs=self.outputs[chosen],
            baseline=self.baseline[chosen],
            further=further,
            queries=None if self.queries is None else self.queries[chosen],
            pairs=None if self.pairs is None else pairs_among(self.pairs, chosen),
            kept={},
        )


def pairs_among(pairs: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Returns the pairs of which both samples are chosen, by their places among these."""
    return np.asarray((np.cumsum(chosen) - 1)[pairs[chosen[pairs].all(axis=1)]])


def rows_of(make: Callable[[], Table], chosen: np.ndarray) -> Table:
    table = make()
    if (size := sum(array.nbytes for array in arrays_of(table))) > RESAMPLED_BYTES:
        raise Absent(f"each would copy {size / 1e9:.1f} GB of what the metric asks for")
    return picked(table, chosen)


OfRound = Callable[[Round], float | None]
OfCase = Callable[[Observation], Estimate]
OfAnswers = Callable[[Answers], Statistic]
OfLabels = Callable[[np.ndarray], float]
OfSample = Callable[[Answers], np.ndarray]


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One metric. Its values come from `estimate` or from `statistic`; without either, only rules use it."""

    name: str = field(kw_only=False)
    unit: str
    title: str  # the heading of its column
    about: About
    better: Better = ""
    against: Against = ""
    tasks: tuple[Task, ...] = TASKS  # those that it means something for; a run of another has no row of it
    estimate: OfCase | None = None  # its value for a case, from all that is known of it
    statistic: OfAnswers | None = None  # its value for answers, resampled for limits; raises Absent where there is none
    method: str = ""  # how the statistic is made, in words

    of_round: OfRound | None = None  # what one process says of it, in its unit: the replicate of every judgement
    of_sample: OfSample | None = None  # whether each sample counts, (samples,): its value is their share
    interval_percent: int | None = None  # the two-sided confidence of the limits that are shown
    bounded: bool = True  # whether a fraction lies between 0 and 1
    to_baseline: bool = False  # it says itself how far the answers are from the baseline's
    in_percent: bool = False  # its values are shown so
    raw: bool = False  # of a statistic: it takes the outputs as the model gives them, not as scores of classes

    judged: Judged = "value"  # how a rule on it is decided
    beside: tuple[str, ...] = ()  # the metrics that its judge looks at, too
    chance: OfLabels | None = None  # its value where answers say nothing of the labels
    chance_from: Callable[[Answers], float] | None = None  # the same, where it takes more than the labels to say
    chance_of: OfAnswers | None = None  # what has that value at chance, where it is not the metric itself
    chance_by: str = ""  # the metric that tells whether answers say something, where that is another
    paired: bool = False  # it compares two models' answers to one test set, and stands against any of PAIRINGS
    alone: bool = False  # max and min bound the value itself, whatever it stands against
    fall_of: str = ""  # the metric whose loss it is: accuracy, of accuracy_drop
    compared: Compared = ""  # how `harness compare` holds two runs of it against each other

    columns: tuple[str, ...] = ()  # of summary.csv: its value, its lower and its upper limit
    in_table: tuple[Task, ...] = ()  # the tasks whose report shows it in the summary table
    default_for: tuple[Task, ...] = ()  # the tasks that are judged by it first, where the user names nothing
    always_for: tuple[Task, ...] = ()  # the tasks whose runs have it without being asked
    offered_for: tuple[Task, ...] = ()  # the tasks for which a user is told of it

    @property
    def of_file(self) -> bool:
        """Whether it is read off the .tflite file, whatever became of the row."""
        return self.about == "file"

    @property
    def of_any_output(self) -> bool:
        """Whether it needs no labels, so that every output of a model has it; a user's own is of the scored one."""
        return self.about == "answers" and not self.raw and any(task in self.tasks for task in UNLABELLED)

    @property
    def may_be_primary(self) -> bool:
        return self.statistic is not None or bool(self.offered_for)


METRICS: dict[str, Metric] = {}

NO_OUTPUTS = Estimate(method="no outputs")
NOT_FINITE = Estimate(method="some scores are not finite")
NO_ROUNDS = Estimate(method="no rounds were timed")


def declare(metric: Metric) -> Metric:
    METRICS[metric.name] = metric
    return metric


def of_case(metric: Metric) -> Callable[[OfCase], OfCase]:
    """Declares a metric whose value for one case the function computes."""

    def register(estimate: OfCase) -> OfCase:
        declare(replace(metric, estimate=estimate))
        return estimate

    return register


def of_answers(metric: Metric) -> Callable[[OfAnswers], OfAnswers]:
    """Declares a metric whose statistic the function makes from a model's answers to the test set."""

    def register(statistic: OfAnswers) -> OfAnswers:
        declare(replace(metric, statistic=statistic))
        return statistic

    return register


def in_order() -> list[Metric]:
    """Returns all metrics in the order of every table: answers, file, latency, process."""
    return sorted(METRICS.values(), key=lambda metric: ABOUT.index(metric.about))


def is_of_answers(name: str) -> bool:
    """Returns whether a row of that name is made of outputs. One that is not declared, such as a user's own, is."""
    return name not in METRICS or METRICS[name].about == "answers"


def is_wanted(name: str, metrics: Collection[str] | None) -> bool:
    """Returns whether the metric was asked for. metrics: the names that were; None for all."""
    return metrics is None or name in metrics


def of_any_output(metrics: Collection[str] | None) -> frozenset[str]:
    """Returns those of the metrics that every output has. metrics: as in is_wanted."""
    return frozenset(m.name for m in METRICS.values() if m.of_any_output and is_wanted(m.name, metrics))


def of_answers_alone(metrics: Collection[str] | None, further: Iterable[str] = ()) -> frozenset[str]:
    """Returns those of the metrics that are of answers. metrics: as in is_wanted. further: the names of some that are
    not declared here, such as a user's own.
    """
    declared = (metric.name for metric in METRICS.values() if metric.about == "answers")
    return frozenset(name for name in (*declared, *further) if is_wanted(name, metrics))


def per_sample(function: Callable[[Observation, np.ndarray], Estimate]) -> OfCase:
    """Makes a metric of the outputs: it has no value, and says why, where there are none."""
    return lambda o: NO_OUTPUTS if o.samples is None else function(o, o.samples)


def of_scores(function: Callable[[Observation, np.ndarray], Estimate]) -> OfCase:
    """Makes a metric of the scores themselves: it has no value, and says why, where one is NaN or infinite."""
    return per_sample(
        lambda o, samples: function(o, samples) if np.isfinite(samples["max_abs_diff"]).all() else NOT_FINITE
    )


def per_round(function: OfCase) -> OfCase:
    """Makes a metric of the rounds: it has no value, and says why, where there are none."""
    return lambda o: function(o) if o.rounds else NO_ROUNDS
