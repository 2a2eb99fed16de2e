"""What `harness init` sees of a model and test samples of the user's: shapes, classes, and the task that they make."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from harness.build.artifact import Artifact, inspect
from harness.build.keras_process import KerasProcess
from harness.build.models import Facts, describe
from harness.build.models.feed import feeds_of
from harness.build.models.model_source import check_whole
from harness.build.scored import as_meant
from harness.data.kinds import obtain
from harness.data.labels import settle
from harness.data.on_disk import Samples
from harness.data.source import DataSource, Split
from harness.errors import DataError, HarnessError
from harness.experiment.starters import STARTERS, TFLITE
from harness.metrics.task_table import Given, task_of
from harness.records import Affine, Dataset, Scoring, Tensor
from harness.support.cache import Cache, cache_dir
from harness.support.format import listed, plural
from harness.support.functions import is_reference

T = TypeVar("T")
Say = Callable[[str], None]
STARTER_OF = {"agreement": "classification", "distance": "regression"}  # of a task without a starter of its own
IS_FUNCTION = "it is a function, which only a run calls"
PICTURE_AXES = 3


@dataclass(frozen=True)
class Looked:
    """facts: of the model; samples: the test set. None of what was not given, or could not be looked at."""

    facts: Facts | None = None
    samples: Samples | None = None

    @property
    def task(self) -> str:
        """What labels and outputs make; "" where that is not known."""
        if self.samples is None or self.facts is None:
            return ""
        if self.samples.heads:
            return "heads"
        shape = (len(self.samples.inputs[0]), *self.facts.outputs[0].shape[1:])
        alike = np.float32(1 / max(1, shape[-1]))  # scores that add up to 1: more is not known of what it answers
        output = np.broadcast_to(alike, shape) if min(shape) >= 0 else np.zeros((0, 0), np.float32)
        labels, _, names = settle(self.samples.labels, None, self.samples.class_names)
        meant = as_meant(Scoring(), replace(self.dataset, test_labels=labels, class_names=names), output)
        task = task_of(Given(meant.test_labels, output, meant.class_names))
        return STARTER_OF.get(task, task if task in STARTERS else "")

    @property
    def dataset(self) -> Dataset:
        """The samples as a run has them, stored as the model takes them."""
        assert self.samples
        inputs, names = self.samples.inputs, self.samples.names
        return Dataset("init", (), None, inputs, None, (Affine(),) * len(inputs), (), "", names)

    @property
    def misfit(self) -> DataError | None:
        """Why the samples cannot be given to the model; None where they can, or where that is not known."""
        if self.facts is None or self.samples is None:
            return None
        try:
            feeds_of(self.facts.inputs, self.dataset)
        except DataError as error:
            return error
        return None

    @property
    def needs_scale(self) -> bool:
        """Whether [data] scale must be known: not where the model scales by itself, or takes numbers as they are."""
        if self.facts is None:
            return self.samples is None or any(array.dtype.kind in "ui" for array in self.samples.inputs)
        if self.facts.normalisation or not any(tensor.dtype.startswith("float") for tensor in self.facts.inputs):
            return False
        if self.samples is None or self.misfit:
            return True
        fed = ((feed.tensor, self.samples.inputs[feed.index]) for feed in feeds_of(self.facts.inputs, self.dataset))
        return any(tensor.dtype.startswith("float") and stored.dtype.kind in "ui" for tensor, stored in fed)

    @property
    def of_pictures(self) -> dict[str, str]:
        """Keys of [data] that bring picture files to what the model takes; {} where it takes no pictures."""
        shape = self.facts.inputs[0].shape[1:] if self.facts else ()
        if len(shape) != PICTURE_AXES or min(shape) < 1 or shape[-1] not in (1, 3):
            return {}
        return {"size": f"[{shape[0]}, {shape[1]}]", "color": '"rgb"' if shape[-1] == 3 else '"grayscale"'}


def look(model: str, data: str, say: Say, label: str = "") -> Looked:
    """Looks at a model's file and at test samples, paths relative to the working directory; what cannot be looked at
    is said. label: the array or column of labels, where it is named.
    """
    facts = tried("the model", model, facts_of, say)
    seen = Looked(facts)
    samples = tried("the test samples", data, lambda path: samples_of(path, seen, label), say)
    return Looked(facts, samples)


def tried(what: str, named: str, action: Callable[[str], T], say: Say) -> T | None:
    if not named:
        return None
    try:
        if is_reference(named):
            raise HarnessError(IS_FUNCTION)
        return action(named)
    except HarnessError as error:
        say(f"{what}, {named}, {'was' if what == 'the model' else 'were'} not looked at: {error}")
        return None


def facts_of(model: str) -> Facts:
    if model.endswith(TFLITE):
        return facts_of_file(inspect(Path(model)))
    check_whole(Path(model))
    with KerasProcess(cache_dir() / "tensorflow.log") as keras:
        return keras.call(describe, Path(model).resolve())


def facts_of_file(file: Artifact) -> Facts:
    """Returns what a .tflite file takes and gives, where it is quantised the numbers that this stands for."""

    def seen(tensor: Tensor) -> Tensor:
        dtype = tensor.dtype if tensor.scale is None else "float32"
        return replace(tensor, dtype=dtype, shape=(-1, *tensor.shape[1:]))

    return Facts(tuple(map(seen, file.named_inputs)), tuple(map(seen, file.named_outputs)), 0)


def samples_of(data: str, seen: Looked, label: str = "") -> Samples:
    pictures = seen.of_pictures if Path(data).is_dir() else {}
    shape = seen.facts.inputs[0].shape[1:] if seen.facts and pictures else (0, 0)
    source = DataSource(
        "init",
        data,
        None,
        Path(),
        size=(shape[0], shape[1]) if pictures else None,
        color=pictures["color"].strip('"') if pictures else None,
        label=label or None,
    )
    return obtain(Split(source, "test", data), Cache(cache_dir()))


# --- in words --------------------------------------------------------------------------------------------------------


def in_words(seen: Looked) -> list[str]:
    """What was seen, a line each."""
    lines = []
    if seen.facts:
        took, gave = (listed([tensor_in_words(t) for t in of]) for of in (seen.facts.inputs, seen.facts.outputs))
        weights = f"; {seen.facts.parameters:,} parameters" if seen.facts.parameters else ""
        lines.append(f"the model takes {took} and gives {gave}{weights}")
        if seen.facts.normalisation:
            scale, offset = seen.facts.normalisation.scale, seen.facts.normalisation.offset
            lines.append(f"it begins with input × {scale:g} + {offset:g} by itself: [data] scale is not to do so again")
    if seen.samples:
        lines.append(samples_in_words(seen.samples))
    return lines


def tensor_in_words(tensor: Tensor) -> str:
    return f"{tensor.name} {tensor.dtype} {shape_in_words(tensor.shape[1:])}"


def shape_in_words(shape: tuple[int, ...]) -> str:
    return "×".join("?" if n < 0 else str(n) for n in shape) or "of one number"


def samples_in_words(samples: Samples) -> str:
    inputs = listed([f"{array.dtype} {shape_in_words(array.shape[1:])}" for array in samples.inputs])
    classes = f", of {plural(len(samples.class_names), 'class', 'classes')}" if samples.class_names else ""
    labels = "no labels" if samples.labels is None else f"labels {samples.labels.dtype}"
    shape = "" if samples.labels is None or samples.labels.ndim == 1 else f" {shape_in_words(samples.labels.shape[1:])}"
    return f"{plural(len(samples.inputs[0]), 'test sample')}: {inputs}, {labels}{shape}{classes}"
