"""Which metrics a run asks for, and whether they fit its data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from harness.data.validation import FROM_1, begins_at_1
from harness.detection.decoders import detections_of
from harness.detection.points import check_skeleton, points_of, sigmas_of
from harness.errors import ConfigError
from harness.metrics.anomaly import why_no_anomalies
from harness.metrics.embedding import why_no_embeddings
from harness.metrics.horizon import STEP, steps_of
from harness.metrics.masks import are_masks, as_clips, classes_of, why_no_masks
from harness.metrics.meaning import said_by, said_by_metric, task_for
from harness.metrics.registry import METRICS, Metric
from harness.metrics.scores import NUMBERS, TOP_K, declaration_of, metric_named
from harness.metrics.task import (
    ANOMALIES,
    EACH_PLACE,
    EMBEDDINGS,
    FRAMES,
    LABELLED,
    class_count,
    output_index,
    row_by_row,
    whole_below,
)
from harness.metrics.task_table import OF_CLASSES
from harness.metrics.transcription import jiwer
from harness.metrics.transcripts import transcribed
from harness.records import Dataset, Scoring
from harness.records.terms import Task
from harness.support.functions import FunctionRef, is_reference

FEW = 8  # samples that show whether outputs can be decoded

# --- before anything is measured ------------------------------------------------------------------------------------


def check(
    scoring: Scoring, dataset: Dataset, outputs: Sequence[np.ndarray], names: Sequence[str] = ()
) -> tuple[Scoring, Task]:
    """Returns the scoring with its open choices made by the data, and the task.
    outputs: the baseline's, an array an output; names: theirs.

    Raises ConfigError where a metric does not fit the data, or a user's cannot be loaded.
    """
    output = outputs[output_index(scoring.output, names)]
    asked = tuple(dict.fromkeys(filter(None, (scoring.primary, *scoring.others))))
    task = task_for(dataset.test_labels, output, dataset.class_names, said_by(scoring), scoring.ignore)
    check_ignored(scoring.ignore, task, dataset.test_labels, output)
    check_anomalies(task, dataset, output)
    check_keypoints(scoring, dataset, outputs, names)
    check_embeddings(task, dataset.test_labels, output)
    check_class_names(task, dataset, output)
    check_transcription(scoring, dataset, output)
    scoring = with_declarations(with_detection(scoring, dataset, outputs, names))
    declarations = {d.reference: d for d in scoring.declared}
    names_of = {name: fitting(name, task, dataset.test_labels, output) for name in asked if name not in declarations}
    names_of |= {reference: declaration.name for reference, declaration in declarations.items()}
    primary = names_of[scoring.primary] if scoring.primary else default(task, dataset.test_labels, output)
    others = tuple(dict.fromkeys(names_of[name] for name in scoring.others))
    if task in NUMBERS and scoring.ignore is not None:  # run.json holds no NaN
        scoring = replace(scoring, holes=True, ignore=None if math.isnan(scoring.ignore) else scoring.ignore)
    return replace(scoring, primary=primary, others=others), task


def with_detection(scoring: Scoring, dataset: Dataset, outputs: Sequence[np.ndarray], names: Sequence[str]) -> Scoring:
    """Returns the scoring with the output of boxes as the scored one. Raises ConfigError where what [detection] says
    does not fit the outputs, or nothing is there to score by.
    """
    if not (how := scoring.detection):
        return scoring
    if dataset.test_labels is None and scoring.primary not in ("box_iou", "class_agreement"):
        advice = 'give labels, or hold it against Keras alone: primary = "box_iou" under [metrics]'
        raise ConfigError("the test set has no labels of objects", advice)
    names = names or tuple(map(str, range(len(outputs))))
    detections_of({name: output[:FEW] for name, output in zip(names, outputs, strict=True)}, how)
    return replace(scoring, output=scoring.output or how.boxes)


def check_transcription(scoring: Scoring, dataset: Dataset, output: np.ndarray) -> None:
    """Raises ConfigError where the output does not become texts as [transcription] says, or nothing is there to judge
    them by.
    """
    if how := scoring.transcription:
        if dataset.test_labels is None:
            raise ConfigError("the test set has no labels of texts", "give each sample its text as label")
        jiwer()
        transcribed(output[:FEW], how)


def check_ignored(ignore: float | None, task: Task, labels: np.ndarray | None, output: np.ndarray) -> None:
    """Raises ConfigError where a label is to be ignored that nothing would ignore, or nothing would be left."""
    if ignore is None:
        return
    if task in EACH_PLACE and math.isnan(ignore):
        told = "masks and frames hold whole numbers, and ignore = nan is none"
        raise ConfigError(told, "store a whole number, such as 255, where a pixel or frame has no class, and name it")
    if labels is not None and task in NUMBERS and math.prod(labels.shape[1:]) > 1:
        check_each_labelled(labels, ignore)
    elif task not in EACH_PLACE:
        several = "of masks, frames, and numbers of which a sample has several"
        message = f"ignore = {ignore:g} is {several}, and it does not fit {data_in_words(labels, output)}"
        fits = labels is not None and are_masks(labels, output, ignore)
        told = "" if fits else why_no_masks_of(labels, output, ignore)
        raise ConfigError(
            message, told or "leave ignore out: metrics of other tasks know no such label; leave out those samples"
        )


def check_each_labelled(labels: np.ndarray, ignore: float) -> None:
    """Raises ConfigError where a sample has no number that is known."""
    lost = [n for n, each in enumerate(row_by_row(all_unknown, labels)) if each]
    if lost:
        what = "NaN" if math.isnan(ignore) else f"{ignore:g} or NaN"
        told = f"{len(lost):,} of {len(labels):,} samples have no label but {what}, such as sample {lost[0]}"
        raise ConfigError(told, "leave those samples out of the test set")


def all_unknown(labels: np.ndarray) -> np.ndarray:
    return np.asarray(np.isnan(labels.reshape(len(labels), -1)).all(axis=1))


def check_anomalies(task: Task, dataset: Dataset, output: np.ndarray) -> None:
    """Raises ConfigError where a metric of anomalies is asked for, and labels or the output are none for it."""
    labels = dataset.test_labels
    if task in ANOMALIES and labels is not None and (told := why_no_anomalies(labels, output, dataset.test_inputs[0])):
        message = f"anomaly_auc and its like do not fit {data_in_words(labels, output)}"
        raise ConfigError(message, f'{told}; your own metric: primary = "package.module:function"')


def check_keypoints(scoring: Scoring, dataset: Dataset, outputs: Sequence[np.ndarray], names: Sequence[str]) -> None:
    """Raises ConfigError where what [keypoints] says does not fit labels and output."""
    if not (how := scoring.keypoints):
        return
    if (labels := dataset.test_labels) is None:
        advice = "give labels; or leave [keypoints] out, and the output is held against Keras' as numbers"
        raise ConfigError("the test set has no labels of points", advice)
    names = names or tuple(map(str, range(len(outputs))))
    few = {name: output[:FEW] for name, output in zip(names, outputs, strict=True)}
    points, wanted = points_of(few, scoring.output or names[0], how).shape[1], labels.shape[1]
    if points != wanted:
        advice = "labels and output need the same points in the same order; of several outputs, say which: output = …"
        raise ConfigError(f"the output has {points} points, and the labels have {wanted}", advice)
    sigmas_of(how, points)
    check_skeleton(how, points)


def check_embeddings(task: Task, labels: np.ndarray | None, output: np.ndarray) -> None:
    """Raises ConfigError where a metric of embeddings is asked for, and labels or the output are none for it."""
    if task in EMBEDDINGS and labels is not None and (told := why_no_embeddings(labels, output)):
        raise ConfigError(f"recall_at_1 and its like do not fit {data_in_words(labels, output)}", told)


def why_no_masks_of(labels: np.ndarray | None, output: np.ndarray, ignore: float | None = None) -> str:
    return "" if labels is None else why_no_masks(labels, output, ignore)


def check_class_names(task: Task, dataset: Dataset, output: np.ndarray) -> None:
    """Raises ConfigError where not every class has a name: the numbers of those after a gap would be shifted."""
    names, labels, scores = dataset.class_names, dataset.test_labels, class_count(output)
    if task in EACH_PLACE and labels is not None:
        scores = classes_of(labels, as_clips(output) if task in FRAMES else output)
    if task in (*OF_CLASSES, *EACH_PLACE) and names and len(names) != scores:
        message = f"the data name {len(names)} classes ({', '.join(names[:10])}), and the model has {scores} scores"
        raise ConfigError(message, "name every class under [data] labels = […], in the order of the model's outputs")


def with_declarations(scoring: Scoring) -> Scoring:
    """Returns the scoring with what its user's functions declare. Raises ConfigError where one cannot be loaded."""
    asked = dict.fromkeys(name for name in (scoring.primary, *scoring.others) if name and is_reference(name))
    declarations = tuple(declaration_of(FunctionRef(name, scoring.folder)) for name in asked)
    check_names([d.name for d in declarations])
    return replace(scoring, declared=declarations)


def check_names(names: list[str]) -> None:
    for name in names:
        if names.count(name) > 1 or name in METRICS or TOP_K.fullmatch(name) or STEP.fullmatch(name):
            advice = 'rename yours: @scored("iou", unit="fraction", better="higher") from harness.metrics'
            raise ConfigError(f"two metrics are called {name}", advice)


def default(task: Task, labels: np.ndarray | None, output: np.ndarray) -> str:
    if task == "custom":  # the distance from the baseline is shown; it says nothing of such labels
        raise ConfigError(f"no metric fits {data_in_words(labels, output)}", misfit_advice("", task, labels, output))
    return default_of(task)


def default_of(task: Task) -> str:
    """Returns the metric that a task is judged by first where the user names none."""
    return next(metric.name for metric in METRICS.values() if task in metric.default_for)


def choices(task: Task) -> tuple[str, ...]:
    """Returns the metrics that a user can ask for; top5_accuracy stands for all of its kind."""
    fit = [metric.name for metric in METRICS.values() if task in metric.offered_for]
    return (*fit, "top5_accuracy") if task in LABELLED else tuple(fit)


def fitting(name: str, task: Task, labels: np.ndarray | None, output: np.ndarray) -> str:
    """Returns the metric's name where it fits the task; `distance` in place of an agreement of numbers."""
    if name == "agreement" and task == "distance":
        return "distance"
    metric = metric_named(name)
    if metric is None or not metric.may_be_primary:
        fit = ", ".join(choices(task)) or "none of its own"
        raise ConfigError(f"there is no metric {name!r}", f'those that fit: {fit}; your own: "package.module:function"')
    if task not in metric.tasks:
        message = f"{name} does not fit {data_in_words(labels, output)}"
        raise ConfigError(message, misfit_advice(name, task, labels, output))
    if (match := STEP.fullmatch(name)) and labels is not None and int(match[2]) > steps_of(labels):
        message = f"the labels have {steps_of(labels)} steps a sample, and no step {match[2]}"
        raise ConfigError(message, "labels are (samples, steps) or (samples, steps, numbers); steps count from 1")
    if (match := TOP_K.fullmatch(name)) and int(match[1]) >= max(2, output.shape[-1]):
        message = f"{name} of {max(2, output.shape[-1])} classes is always 1"
        raise ConfigError(message, "give a smaller number, or accuracy")
    return name


def data_in_words(labels: np.ndarray | None, output: np.ndarray) -> str:
    shape = f"an output of shape {('samples', *output.shape[1:])}".replace("'", "").replace(",)", ")")
    if labels is None:
        return f"a test set without labels, and {shape}"
    span = f"from {labels.min():g} to {labels.max():g} " if len(labels) else ""
    of = f"of shape {('samples', *labels.shape[1:])} ".replace("'", "") if labels.ndim > 1 else ""
    return f"{labels.dtype} labels {of}{span}and {shape}"


def misfit_advice(asked: str, task: Task, labels: np.ndarray | None, output: np.ndarray) -> str:
    """Says what to do. asked: the metric that does not fit; "" where none was named."""
    if task == "custom" and (told := why_no_masks_of(labels, output)):
        return f'{told}; your own metric: primary = "package.module:function"'
    if fit := choices(task):
        return f'those that fit: {", ".join(fit)}; your own: "package.module:function"'
    advice = 'write a function of labels and outputs and name it: primary = "package.module:function"'
    if labels is not None and labels.dtype.kind in "ui" and labels.ndim == 1:
        message = "class labels run from 0 to the number of scores less one"
        if not asked and whole_below(labels, class_count(output)):
            return f'if these are scores of classes, write primary = "accuracy"; else {advice}'
        if said_by_metric(asked) == "numbers":
            return f"{asked} needs as many labels a sample as outputs; for classes write accuracy; else {advice}"
        message += '; for numbers, write primary = "rmse"'
        start = f"{FROM_1}; " if begins_at_1(labels, class_count(output)) else ""
        return f"{start}{message}; else {advice}"
    return f"for accuracy, store one integer a sample; for rmse, as many labels as outputs; else {advice}"


# --- afterwards ------------------------------------------------------------------------------------------------------


def scores_of(scoring: Scoring, task: Task) -> tuple[Metric, ...]:
    """Returns the run's metrics that are statistics of its answers, the primary metric first."""
    always = (metric.name for metric in METRICS.values() if task in metric.always_for)
    names = dict.fromkeys((primary_of(scoring, task), *scoring.others, *always))
    metrics = (metric_named(name, scoring) for name in names)
    return tuple(metric for metric in metrics if metric and metric.statistic)


def primary_of(scoring: Scoring, task: Task) -> str:
    """Returns the name of the metric that a run's answers are judged by first."""
    return scoring.primary or default_of(task)
