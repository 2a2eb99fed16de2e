"""What a difference in preprocessing costs: the model's answers to the same files, prepared in two ways."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from harness.build import original
from harness.build.keras_process import KerasProcess
from harness.build.original import Original
from harness.build.scored import as_meant
from harness.errors import ConfigError
from harness.measure import once
from harness.metrics import fitting
from harness.metrics.discrepancy import top1
from harness.metrics.registry import METRICS, Answers
from harness.metrics.scores import metric_named
from harness.metrics.scoring import CONFIDENCE, difference_of, limits_of
from harness.metrics.task import are_logits, output_index, row_by_row
from harness.metrics.task_table import OF_CLASSES, kind_of
from harness.records import Absent, Affine, Dataset, Experiment, Scoring
from harness.statistics.bootstrap import Bounded, Statistic
from harness.support.arrays import sha256_of
from harness.support.cache import Cache, Shelf


@dataclass(frozen=True)
class Cost:
    """A metric of the model with files as training prepared them, and as the device does. low, high: 90 % limits of
    device − training, paired by file; None where there are none, and `why` says why. flips: files whose answer is
    another class; None where there are no classes.
    """

    metric: str
    training: float
    device: float
    low: float | None
    high: float | None
    flips: int | None
    why: str = ""


def cost_of(
    experiment: Experiment,
    training: np.ndarray,
    device: np.ndarray,
    labels: np.ndarray | None,
    names: tuple[str, ...],
    cache: Cache,
    say: Callable[[str], None],
) -> Cost:
    """Asks the experiment's model. training, device: (files, …), as the model takes them. Raises BuildError, DataError,
    and ConfigError where no metric fits.
    """
    scoring = experiment.scoring
    if scoring.detection or scoring.keypoints or scoring.transcription:
        raise ConfigError(
            "the cost for boxes, points and texts is not measured",
            "compare two runs, of the files prepared in either way",
        )
    if experiment.state or (experiment.preprocessing and experiment.preprocessing.of_clips):
        told = "the cost for a stream is not measured: a raw file says nothing of the clip that it is of"
        raise ConfigError(told, "compare two runs, of the files prepared in either way")
    if training.shape != device.shape:
        raise ConfigError("the model takes one shape, and the programs make two", "mend the shape first")
    sets = [dataset_of(experiment.name, made, labels, names) for made in (training, device)]
    shelf = Shelf(cache, say)
    with KerasProcess(cache.root / "tensorflow.log") as keras:
        known = (
            original.of_model(experiment, sets[0], shelf, keras)
            if experiment.model
            else original.of_file(experiment, sets[0], once.run_once)
        )
        answers = [answers_to(known, dataset, shelf) for dataset in sets]
    index = output_index(experiment.scoring.output, [tensor.name for tensor in known.facts.outputs])
    meant = as_meant(experiment.scoring, sets[0], answers[0][index])
    scoring, task = fitting.check(experiment.scoring, meant, answers[0], [t.name for t in known.facts.outputs])
    raw = [each[index] for each in answers]
    logits = are_logits(raw[0])
    kind, given = kind_of(task), (training, device)
    decoded = [kind.decode(each, logits) for each in raw]
    if kind.of_input:
        decoded = [kind.of_input(each, made) for each, made in zip(raw, given, strict=True)]
    name = fitting.primary_of(scoring, task)
    flips = int((row_by_row(top1, decoded[0]) != row_by_row(top1, decoded[1])).sum()) if task in OF_CLASSES else None
    one, other = (statistic(name, scoring, meant.test_labels, each, decoded[0]) for each in decoded)
    return paired(name, one, other, flips)


def dataset_of(name: str, made: np.ndarray, labels: np.ndarray | None, names: tuple[str, ...]) -> Dataset:
    return Dataset(name, (), None, (made,), labels, (Affine(),), names, "raw files, prepared by a program")


def answers_to(known: Original, dataset: Dataset, shelf: Shelf) -> tuple[np.ndarray, ...]:
    what = f"running {known.name} over the prepared files"
    return original.answers(known, what, dataset.test_inputs, sha256_of(*dataset.test_inputs), shelf)


def statistic(name: str, scoring: Scoring, labels: np.ndarray | None, own: np.ndarray, other: np.ndarray) -> Statistic:
    """Returns the metric of one model's answers; `other`: those that it stands against. Raises ConfigError."""
    metric = metric_named(name, scoring)
    if name == "accuracy":
        return Bounded(row_by_row(top1, own) == labels, 0, 1)
    if name == "agreement":
        return Bounded(row_by_row(top1, own) == row_by_row(top1, other), 0, 1)
    if metric is None or metric.statistic is None:
        raise ConfigError(f"the cost in {name} is not known", f"name a metric of answers: {', '.join(METRICS)}")
    return metric.statistic(Answers(labels, own, other))


def paired(name: str, training: Statistic, device: Statistic, flips: int | None) -> Cost:
    found = Cost(name, training.value, device.value, None, None, flips)
    try:
        limits = limits_of(difference_of(device, training), CONFIDENCE)
    except Absent as absent:
        return replace(found, why=absent.reason)
    return replace(found, low=limits.low, high=limits.high)
