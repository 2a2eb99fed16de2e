"""Errors of a forecast at one step of its horizon: mae_step1, rmse_step24. Steps count from 1, and stand first."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from harness.metrics.discrepancy import mean_of_labelled
from harness.metrics.registry import METRICS, Answers, Metric
from harness.records import Absent
from harness.records.terms import Task
from harness.statistics.bootstrap import Statistic

STEP = re.compile(r"(mae|rmse)_step([1-9]\d*)")
NUMBERS: tuple[Task, ...] = ("regression",)


def step_metric(name: str) -> Metric | None:
    """Makes the metric of that name; None where it is no error at a step."""
    if not (match := STEP.fullmatch(name)):
        return None
    error, step = match[1], int(match[2])

    def of(whole: str, answers: Answers) -> Statistic:
        statistic = METRICS[whole].statistic
        assert statistic
        return statistic(at_step(answers, step))

    return Metric(
        name, unit="", better="lower", title=f"{METRICS[error].title}, step {step}", about="answers", against="keras",
        tasks=NUMBERS, statistic=lambda answers: of(error, answers), method=f"{METRICS[error].method}, of step {step}",
        judged="samples", alone=True, interval_percent=90, compared="samples", chance=lambda _: 0.0,
        chance_of=lambda answers: of("r2", answers),
    )  # fmt: skip


def at_step(answers: Answers, step: int) -> Answers:
    """Returns the answers at that step. Raises Absent where the horizon is shorter."""
    form = answers.truth.shape if answers.truth.ndim > 1 else (len(answers.truth), 1)
    if step > steps_of(answers.truth):
        raise Absent(f"no value: the horizon has {steps_of(answers.truth)} steps, and no step {step}")
    labels, outputs, baseline = (
        array.reshape(form)[:, step - 1 : step] for array in (answers.truth, answers.outputs, answers.baseline)
    )
    if unknown := int(np.isnan(labels.reshape(len(labels), -1)).all(axis=1).sum()):
        raise Absent(f"no value: {unknown:,} of {len(labels):,} samples have no label at step {step}")
    return replace(answers, labels=labels, outputs=outputs, baseline=baseline, kept={})


def steps_of(labels: np.ndarray) -> int:
    """Returns the length of the horizon: 1 where labels are one number a sample. labels: (samples, steps, …)."""
    return labels.shape[1] if labels.ndim > 1 else 1


def rmse_by_step(labels: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    """Returns √ of the mean (output − label)² of each step, (steps,), as rmse_step1 and its like have it: each sample
    that has a label at the step counts the same. NaN where none has.
    """
    squares = np.square(outputs.reshape(labels.shape).astype(np.float64) - labels)
    steps = range(steps_of(labels))
    return np.array([np.sqrt(mean_over_samples(squares[:, step], labels[:, step])) for step in steps])


def mean_over_samples(values: np.ndarray, labels: np.ndarray) -> float:
    """Returns the mean over samples of each one's mean where its label is known; NaN where no label is."""
    labels = labels.reshape(len(labels), -1)
    labelled = ~np.isnan(labels).all(axis=1)
    means = mean_of_labelled(values.reshape(labels.shape), labels)
    return float(means[labelled].mean()) if labelled.any() else float("nan")
