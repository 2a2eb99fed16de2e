"""Which output the labels are of, where several could be, and what they are taken for: said, and never guessed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from harness.build.lint import Remark
from harness.build.models import Facts
from harness.data.labels import extend_names, numbered
from harness.errors import ConfigError
from harness.metrics.meaning import as_classes, said_by, task_for
from harness.metrics.task import are_logits, class_count, one_column, whole_below
from harness.metrics.task_table import Given, task_of
from harness.records import Dataset, Scoring

NUMBERS = 'if they are numbers to predict, write primary = "rmse" under [metrics]'


def check_scored(scoring: Scoring, dataset: Dataset, facts: Facts, outputs: Sequence[np.ndarray]) -> None:
    """Raises ConfigError where the first output would be scored for its name alone, though the labels may be another's.

    Outputs that stand in the order in which the model's maker gave them are taken at their word: the first is scored.
    outputs: the baseline's. Labels that were given for an output by its name are that one's alone.
    """
    names = [tensor.name for tensor in facts.outputs]
    if dataset.labels_of and len(outputs) > 1:
        check_named(dataset.labels_of, scoring.output or names[0], names)
        return
    if scoring.output or len(outputs) == 1 or not facts.by_alphabet or dataset.test_labels is None:
        return
    fitting = [n for n, output in enumerate(outputs) if fits(scoring, dataset, output)]
    alike = all(np.array_equal(outputs[0], other, equal_nan=True) for other in outputs[1:])
    if alike or fitting in ([], [0]):
        return
    told = f"the model has the outputs {', '.join(map(repr, names))}, in the order of their names"
    could = f"the labels could be those of {' or of '.join(repr(names[n]) for n in fitting)}"
    raise ConfigError(f"{told}; {could}", f'say which is scored: output = "{names[fitting[-1]]}" under [metrics]')


def check_named(labelled: str, scored: str, names: Sequence[str]) -> None:
    """Raises ConfigError where labels were given for another output than the scored one."""
    if labelled not in names:
        message = f"the labels are of the output {labelled!r}, which the model does not have"
        raise ConfigError(message, f"its outputs are {', '.join(names)}")
    if labelled != scored:
        message = f"the labels are of the output {labelled!r}, and {scored!r} is scored"
        raise ConfigError(message, f'write output = "{labelled}" under [metrics]')


def fits(scoring: Scoring, dataset: Dataset, output: np.ndarray) -> bool:
    labels = as_meant(scoring, dataset, output).test_labels
    return task_for(labels, output, dataset.class_names, said_by(scoring), scoring.ignore) != "custom"


def as_meant(scoring: Scoring, dataset: Dataset, output: np.ndarray) -> Dataset:
    """Returns the data set with a name for every class that the scored output tells apart, none where it scores no
    classes. Floats that are classes become class numbers, those of the training samples too; where these are something
    else, they are left out.
    """
    said, count = said_by(scoring), class_count(output)
    labels = as_classes(dataset.test_labels, output, said)
    if labels is not None:
        training = as_classes(dataset.train_labels, output, said)
        dataset = replace(dataset, test_labels=labels, train_labels=training, class_names=numbered(count))
    task = task_for(dataset.test_labels, output, dataset.class_names, said, scoring.ignore)
    names = () if task == "custom" else extend_names(dataset.class_names, count)
    return dataset if names == dataset.class_names else replace(dataset, class_names=names)


def of_labels(scoring: Scoring, stored: np.ndarray | None, output: np.ndarray) -> Iterator[Remark]:
    """Yields what labels are taken for that could mean something else, where no metric says what they are.
    stored: the labels as the data have them.
    """
    if stored is None or said_by(scoring):
        return
    task = task_of(Given(stored, output, ignore=scoring.ignore))
    over = "a logit of 0" if are_logits(output) else "a probability of ½"
    if as_classes(stored, output, "") is not None:
        begins = f" (class 1 over {over})" if one_column(output) else ""
        yield Remark(f"the labels are whole numbers, stored as {stored.dtype}, and taken as classes{begins}", NUMBERS)
    elif task == "multilabel":
        told = f"each sample has {stored.shape[1]} labels of 0 or 1, and each is judged as a class (1 over {over})"
        yield Remark(told, NUMBERS)
    elif task == "segmentation" and stored.dtype.kind == "f" and stored.size == output.size:
        yield Remark(f"every label is 0 or 1, and they are taken as masks (class 1 over {over})", NUMBERS)
    elif task == "regression" and whole_below(stored, 2):
        advice = "to judge them as a mask, write a metric of your own under [metrics]"
        yield Remark("every label is 0 or 1, and they are taken as numbers to predict", advice)
