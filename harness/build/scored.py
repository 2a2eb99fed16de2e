"""Which output the labels are of, where several could be, and what they are taken for: said, and never guessed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from harness.build.lint import Remark
from harness.build.models import Facts
from harness.data.labels import extend_names, numbered
from harness.data.texts import labelled_texts, unknown_characters
from harness.detection.decoders import DECODERS
from harness.detection.objects import as_objects
from harness.detection.points import as_keypoints
from harness.errors import ConfigError, DataError
from harness.metrics.fitting import check
from harness.metrics.masks import as_clips, classes_of, frame_labels
from harness.metrics.meaning import as_classes, declared_task, said_by, supposed_task, task_for
from harness.metrics.task import MASKS, are_logits, class_count, one_column, whole_below
from harness.metrics.task_table import Given, task_of
from harness.records import BY_DATA, Dataset, Experiment, Head, Labelled, Scoring, Transcription
from harness.support.arrays import stretches
from harness.support.format import listed

ORDER = 'if {0!r} are, give the order: labels = ["{1}", "{0}"] under [data]'
WAYS = ("detection", "keypoints", "transcription")  # how an output becomes something else
OF_OUTPUT = (
    "primary",
    "others",
    "ignore",
    *WAYS,
)  # what [heads.NAME] may say of the scored one
LEFT_OUT = "which delta1 and abs_rel leave out, and mae, rmse and r2 take for numbers"
OF_MAPS = "where 0 stands for nothing measured, write ignore = 0 under [metrics]"
HOLES = "to leave them out of every metric of labels, write ignore = nan under [metrics]; else fix those samples"
NUMBERS = 'if they are numbers to predict, write primary = "rmse" under [metrics]'


def as_asked(experiment: Experiment, dataset: Dataset) -> Experiment:
    """Returns the experiment with a scoring of every labelled output: where several have labels, the scored one is
    named, and the others are heads. Raises ConfigError.
    """
    scoring, asked = experiment.scoring, experiment.heads
    first = scoring.output or dataset.labels_of
    labelled = [*([first] if dataset.test_labels is not None else []), *dataset.heads]
    if unknown := [name for name in asked if name not in labelled]:
        told = f"[heads.{unknown[0]}] says how that output is scored, and it has no labels"
        raise ConfigError(
            told, f"give labels by the name of the output; those given are of {listed(labelled) or 'none'}"
        )
    own = asked.get(first, BY_DATA)
    if (own.primary or own.others) and (scoring.primary or scoring.others):
        raise ConfigError(f"[metrics] and [heads.{first}] both say how {first} is scored", "say it in one of them")
    said = {field: getattr(own, field) for field in OF_OUTPUT if getattr(own, field) not in (None, ())}
    if twice := [way for way in WAYS if way in said and any(getattr(scoring, other) for other in WAYS)]:
        told = f"[heads.{first}.{twice[0]}] says what {first} gives, and a table beside it says so, too"
        raise ConfigError(told, "keep one of them")
    scoring = replace(scoring, **said)
    check_asked(dataset, [scoring, *asked.values()])
    check_holes(scoring, dataset.test_labels, "the labels")
    for name, head in dataset.heads.items():
        check_holes(asked.get(name, BY_DATA), head.labels, f"the labels of {name}")
    if dataset.heads:
        scoring = replace(scoring, output=first)
    heads = {name: replace(asked.get(name, BY_DATA), output=name, folder=scoring.folder) for name in dataset.heads}
    return replace(
        experiment,
        scoring=with_boxes(scoring) if scoring.output else scoring,
        heads={name: with_boxes(head) for name, head in heads.items()},
    )


def check_holes(scoring: Scoring, labels: np.ndarray | None, what: str) -> None:
    """Raises DataError where some labels are NaN, and nothing says that these are not known."""
    if labels is None or labels.dtype.kind != "f" or scoring.ignore is not None:
        return
    if unknown := sum(int(np.isnan(stretch).sum()) for stretch in stretches(labels)):
        raise DataError(f"{unknown / labels.size:.2%} of {what} are NaN", HOLES)


def check_asked(dataset: Dataset, scorings: Sequence[Scoring]) -> None:
    """Raises ConfigError where the data say how embeddings are asked, and no output is one."""
    if dataset.queries is None and dataset.pairs is None:
        return
    if "embeddings" not in map(said_by, scorings):
        what = "query" if dataset.queries is not None else "pairs"
        told = f"[data] {what} is of embeddings, and no metric says that an output is one"
        raise ConfigError(told, f'write primary = "recall_at_1" under [metrics], or leave {what} out')


def with_boxes(scoring: Scoring) -> Scoring:
    """Returns the scoring of a named output; the boxes of its detections are that output, where nothing else is said.

    Raises ConfigError where its decoder does not read the output that its labels are of.
    """
    if not (how := scoring.detection) or how.decoder not in DECODERS:
        return scoring
    how = how if how.boxes else replace(how, boxes=scoring.output)
    if scoring.output not in how.reads:
        told = f"the labels are of the output {scoring.output!r}, and its detections are read from {listed(how.reads)}"
        raise ConfigError(told, f'give the labels of the boxes by the name of that output: "{how.boxes}"')
    return replace(scoring, detection=how)


def check_scored(scoring: Scoring, dataset: Dataset, facts: Facts, outputs: Sequence[np.ndarray]) -> None:
    """Raises ConfigError where the first output would be scored for its name alone, though the labels may be another's.

    Outputs that stand in the order in which the model's maker gave them are taken at their word: the first is scored.
    outputs: the baseline's. Labels that were given for an output by its name are that one's alone.
    """
    names = [tensor.name for tensor in facts.outputs]
    for name in dataset.heads:
        check_named(name, name, names)
    if scoring.detection:  # it names its outputs
        return
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
    if names.count(labelled) > 1:
        message = f"the labels are of the output {labelled!r}, and {names.count(labelled)} outputs are called so"
        raise ConfigError(message, "give each output of the model a name of its own")
    if labelled != scored:
        message = f"the labels are of the output {labelled!r}, and {scored!r} is scored"
        raise ConfigError(message, f'write output = "{labelled}" under [metrics]')


def heads_meant(heads: Mapping[str, Scoring], dataset: Dataset, outputs: Mapping[str, np.ndarray]) -> Dataset:
    """Returns the data set with the labels of each head as they are meant. outputs: the baseline's, by name."""
    meant = {}
    for name, scoring in heads.items():
        with told_of(name):
            meant[name] = as_meant(scoring, dataset.of_head(name), outputs[name])
    each = {name: Labelled(of.test_labels, of.class_names) for name, of in meant.items() if of.test_labels is not None}
    return replace(dataset, heads=each)


def heads_of(
    heads: Mapping[str, Scoring], dataset: Dataset, outputs: Sequence[np.ndarray], names: Sequence[str]
) -> dict[str, Head]:
    """Returns how each head is scored. Raises ConfigError where a metric does not fit its labels."""
    found = {}
    for name, asked in heads.items():
        of = dataset.of_head(name)
        with told_of(name):
            scoring, task = check(asked, of, outputs, names)
        found[name] = Head(task, of.class_names, scoring)
    return found


@contextmanager
def told_of(name: str) -> Iterator[None]:
    """Raises ConfigError of the head by its name, with the tables that say how it is scored."""
    try:
        yield
    except ConfigError as error:
        told, advice = str(error), error.advice
        tables = {"[data] labels": "] labels", "[metrics]": "]", **{f"[{way}]": f".{way}]" for way in WAYS}}
        for table, own in tables.items():
            told, advice = (text.replace(table, f"[heads.{name}{own}") for text in (told, advice))
        under = "" if f"[heads.{name}" in told + advice else f"under [heads.{name}], "
        raise ConfigError(f"output {name}: {told}", under + advice) from error


def fits(scoring: Scoring, dataset: Dataset, output: np.ndarray) -> bool:
    labels = as_meant(scoring, dataset, output).test_labels
    return task_for(labels, output, dataset.class_names, said_by(scoring), scoring.ignore) != "custom"


def as_meant(scoring: Scoring, dataset: Dataset, output: np.ndarray) -> Dataset:
    """Returns the data set with a name for every class that the scored output tells apart, none where it scores no
    classes. Floats that are classes become class numbers, those of the training samples too; where these are something
    else, they are left out.
    """
    if scoring.detection and dataset.test_labels is not None:
        return replace(dataset, test_labels=as_objects(dataset.test_labels, scoring.detection), train_labels=None)
    if scoring.keypoints and dataset.test_labels is not None:
        points = as_keypoints(dataset.test_labels, scoring.keypoints)
        return replace(dataset, test_labels=points, train_labels=None, class_names=())
    if (how := scoring.transcription) and dataset.test_labels is not None:
        texts = labelled_texts(dataset.test_labels, dataset.class_names, how)
        return replace(dataset, test_labels=texts, train_labels=None, class_names=())
    said, count = said_by(scoring), class_count(output)
    labels = as_classes(dataset.test_labels, output, said)
    if labels is not None:
        training = as_classes(dataset.train_labels, output, said)
        dataset = replace(dataset, test_labels=labels, train_labels=training, class_names=numbered(count))
    task = task_for(dataset.test_labels, output, dataset.class_names, said, scoring.ignore)
    if task == "frames" and dataset.test_labels is not None:
        frames = frame_labels(dataset.test_labels, output)
        dataset = replace(dataset, test_labels=frames, train_labels=None)
        count = 0 if frames is None else classes_of(frames, as_clips(output))
    elif task in MASKS and dataset.test_labels is not None:
        count = classes_of(dataset.test_labels, output)
    elif task == "regression" and dataset.test_labels is not None and scoring.ignore is not None:
        dataset = replace(dataset, test_labels=with_holes(dataset.test_labels, scoring.ignore))
    if task != "frames" and task not in MASKS and dataset.test_labels is not None and dataset.test_labels.ndim > 2:
        return replace(dataset, class_names=())
    names = () if task in ("custom", "anomaly", "embedding") else extend_names(dataset.class_names, count)
    return dataset if names == dataset.class_names else replace(dataset, class_names=names)


def unanswered(dataset: Dataset, scorings: Mapping[str, Scoring]) -> Dataset:
    """Returns the data set as it is known before a model has answered: labels that are numbers have their holes."""

    def own(name: str, labels: np.ndarray) -> np.ndarray:
        how = scorings[name]
        if how.ignore is None or (declared_task(how) or supposed_task(labels)) != "regression":
            return labels
        return with_holes(labels, how.ignore)

    labels = None if dataset.test_labels is None else own(dataset.labels_of, dataset.test_labels)
    heads = {name: replace(head, labels=own(name, head.labels)) for name, head in dataset.heads.items()}
    return replace(dataset, test_labels=labels, heads=heads)


def with_holes(labels: np.ndarray, ignore: float) -> np.ndarray:
    """Returns labels with NaN for what is not known: the one that stands for that, and what is NaN already."""
    kept = np.promote_types(labels.dtype, np.float32)
    return np.concatenate([np.where(some == ignore, np.nan, some).astype(kept) for some in stretches(labels)])


def of_labels(
    scoring: Scoring, stored: np.ndarray | None, output: np.ndarray, names: Sequence[str] = ()
) -> Iterator[Remark]:
    """Yields what labels are taken for that could mean something else, where no metric says what they are.
    stored: the labels as the data have them. names: of the classes, as the data have them.
    """
    if scoring.transcription and stored is not None:
        yield from of_texts(labelled_texts(stored, names, scoring.transcription), scoring.transcription)
    if said_by(scoring) == "anomalies" and tuple(names) != numbered(len(names)) and len(names) > 1:
        yield Remark(f"samples of class {names[1]!r} are taken for the anomalies", ORDER.format(*names))
    maps = scoring.ignore != 0 and {"delta1", "abs_rel"} & {scoring.primary, *scoring.others}
    if stored is not None and maps and (stored == 0).any():
        yield Remark(f"{share_of_zeros(stored)} of the labels are 0, {LEFT_OUT}", OF_MAPS)
    if stored is not None and scoring.ignore is not None and not math.isnan(scoring.ignore):
        yield from of_both(stored, scoring.ignore)
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
    elif task == "frames" and stored.dtype.kind == "f":
        advice = 'to have them as numbers to predict, name a metric of numbers: primary = "rmse" under [metrics]'
        yield Remark(f"the labels, stored as {stored.dtype}, are taken as the class of each frame", advice)
    elif task == "segmentation" and stored.dtype.kind == "f" and stored.size == output.size:
        yield Remark(f"every label is 0 or 1, and they are taken as masks (class 1 over {over})", NUMBERS)
    elif task == "regression" and whole_below(stored, 2):
        advice = "to judge them as a mask, write a metric of your own under [metrics]"
        yield Remark("every label is 0 or 1, and they are taken as numbers to predict", advice)


def of_both(labels: np.ndarray, ignore: float) -> Iterator[Remark]:
    """Yields that labels are left out that are not the ignored one."""
    if labels.dtype.kind == "f" and (unknown := sum(int(np.isnan(stretch).sum()) for stretch in stretches(labels))):
        told = f"{unknown / labels.size:.2%} of the labels are NaN, and left out beside those that are {ignore:g}"
        yield Remark(told, "if they should not be, fix those samples")


def share_of_zeros(labels: np.ndarray) -> str:
    zeros = int(sum((stretch == 0).sum() for stretch in stretches(labels)))
    return f"{zeros / labels.size:.2%}"


def of_texts(labels: np.ndarray, how: Transcription) -> Iterator[Remark]:
    """Yields that labels hold characters that no answer can have. labels: rows of code points."""
    if unknown := unknown_characters(labels, how):
        told = f"labels hold characters that the alphabet has not, and each counts as an error: {unknown!r}"
        yield Remark(told, "write labels as the model does, or give it an alphabet that has them")
