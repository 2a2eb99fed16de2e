"""Which output the labels are of: where several could be, it is asked for, not guessed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.build.models import Facts
from harness.errors import ConfigError
from harness.metrics.fitting import of_numbers
from harness.metrics.task import task_of
from harness.records import Dataset, Scoring


def check_scored(scoring: Scoring, dataset: Dataset, facts: Facts, outputs: Sequence[np.ndarray]) -> None:
    """Raises ConfigError where the first output would be scored for its name alone, though the labels may be another's.

    Outputs that stand in the order in which the model's maker gave them are taken at their word: the first is scored.
    outputs: the baseline's.
    """
    if scoring.output or len(outputs) == 1 or not facts.by_alphabet or dataset.test_labels is None:
        return
    fitting = [n for n, output in enumerate(outputs) if fits(scoring, dataset, output)]
    alike = all(np.array_equal(outputs[0], other, equal_nan=True) for other in outputs[1:])
    if alike or fitting in ([], [0]):
        return
    names = [tensor.name for tensor in facts.outputs]
    told = f"the model has the outputs {', '.join(map(repr, names))}, in the order of their names"
    could = f"the labels could be those of {' or of '.join(repr(names[n]) for n in fitting)}"
    raise ConfigError(f"{told}; {could}", f'say which is scored: output = "{names[fitting[-1]]}" under [metrics]')


def fits(scoring: Scoring, dataset: Dataset, output: np.ndarray) -> bool:
    asked = (scoring.primary, *scoring.others)
    numbers = any(of_numbers(name) for name in asked if name)
    return task_of(dataset.test_labels, output, dataset.class_names, numbers) != "custom"
