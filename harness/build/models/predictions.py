"""The model's own outputs: what every variant is compared with."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from harness.build.models import Model, load
from harness.build.models.feed import Feed
from harness.errors import BuildError, one_line
from harness.support.child_process import allow

BATCH = 256
BATCH_BYTES = 4 << 20  # of float32 input: the activations are often many times as much
NO_ANSWER_S, LONGEST_S = 300.0, 3600.0  # for one sample, and for a batch at most: this may be no fast machine
NOISE, HALF_NOISE = 1e-4, 2e-2  # of an output's largest value: what another order of the same sums changes
SEED = 0
OUT_OF_RANGE = re.compile(r"indices\S* = (-?\d+) is not in \[0, (\d+)\)")

Arrays = tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Habits:
    """What a model does that a plain function of one sample would not.

    state: the variables that an answer changes. batch: how far the answer to a sample in a batch lies from the answer
    to it alone, as a share of the output's largest value; 0 where they are the same but for rounding. one_by_one:
    whether the model has to be asked one sample at a time. random: whether it answers a sample twice differently.
    """

    __pydantic_config__: ClassVar = {"ser_json_inf_nan": "strings"}  # JSON has no infinity

    state: tuple[str, ...] = ()
    batch: float = 0.0
    one_by_one: bool = False
    random: bool = False


PLAIN = Habits()


def outputs(
    model_path: Path,
    feeds: Sequence[Feed],
    stored: Arrays,
    one_by_one: bool = False,
    starts: np.ndarray | None = None,
) -> Arrays:
    """One float32 array an output, shape (samples, …), for samples as they are stored, one array an input of the data.

    In batches of one size, the last one padded and cut: a model may take no other size. one_by_one: at batch 1, as on a
    device. starts: the places at which a clip begins; then they are asked one after the other, and state is carried
    inside a clip. Raises BuildError where the model fails, or an output's length differs by sample.
    """
    model = ready(model_path)
    if starts is not None:
        return carried(model, feeds, stored, starts)
    size = 1 if one_by_one else batch_of(model, feeds)
    return answered(model, feeds, stored, size)


def habits(model_path: Path, feeds: Sequence[Feed], stored: Arrays) -> Habits:
    """What some samples say of it, asked alone, again, and in a batch. Raises BuildError as `outputs` does."""
    model = ready(model_path)
    size, fixed = batch_of(model, feeds), fixed_batch(model)
    if fixed > 1:
        answered(model, feeds, stored, size)
        return Habits(model.state)
    alone, again = (answered(model, feeds, stored, 1) for _ in range(2))
    random = any(not np.array_equal(a, b, equal_nan=True) for a, b in zip(alone, again, strict=True))
    if size == 1 or random:
        return Habits(model.state, 0.0, random, random)
    try:
        apart = difference(alone, answered(model, feeds, stored, size))
    except BuildError:  # it takes one sample alone, or its outputs have no row for each
        return Habits(model.state, 0.0, True)
    noise = HALF_NOISE if model.facts.half else NOISE
    return Habits(model.state, apart if apart > noise else 0.0, apart > noise)


def ready(model_path: Path) -> Model:
    import tensorflow as tf

    tf.config.experimental.enable_op_determinism()
    tf.random.set_seed(SEED)
    return load(model_path)


def difference(alone: Arrays, together: Arrays) -> float:
    """The largest difference, as a share of the largest value of its output."""
    shares = [0.0]
    for one, other in zip(alone, together, strict=True):
        if one.shape != other.shape:
            return float("inf")
        largest = float(np.nanmax(np.abs(one), initial=0.0))
        apart = float(np.nanmax(np.abs(one - other), initial=0.0))
        shares.append(apart / largest if largest else apart)
    return max(shares)


def answered(model: Model, feeds: Sequence[Feed], stored: Arrays, size: int) -> Arrays:
    made = []
    for first in range(0, len(stored[0]), size):
        batch = [feed.values([array[first : first + size] for array in stored]) for feed in feeds]
        count = len(batch[0])
        full = [values[0] if feed.whole else filled(values, size) for feed, values in zip(feeds, batch, strict=True)]
        given = predicted(model, full)
        made.append([rows(np.asarray(y, np.float32), size)[:count] for y in given])
    names = [tensor.name for tensor in model.facts.outputs]
    return tuple(joined(name, parts) for name, parts in zip(names, zip(*made, strict=True), strict=True))


def carried(model: Model, feeds: Sequence[Feed], stored: Arrays, starts: np.ndarray) -> Arrays:
    """The answers to whole clips, sample by sample. A model that takes a fixed batch has the sample in each row."""
    count, size = len(stored[0]), max(1, fixed_batch(model))
    begun, lasts = set(starts.tolist()), {*(starts - 1).tolist(), count - 1}
    made: list[list[np.ndarray]] = []
    given: list[np.ndarray] = []
    for n in range(count):
        batch = [feed.values([array[n : n + 1] for array in stored]) for feed in feeds]
        full = [values[0] if feed.whole else filled(values, size) for feed, values in zip(feeds, batch, strict=True)]
        if n not in begun:
            full = [handed_on(feed, own, given) for feed, own in zip(feeds, full, strict=True)]
        given = predicted(model, full, n in lasts)
        made.append([rows(np.asarray(y, np.float32), size)[:1] for y in given])
    names = [tensor.name for tensor in model.facts.outputs]
    return tuple(joined(name, parts) for name, parts in zip(names, zip(*made, strict=True), strict=True))


def handed_on(feed: Feed, own: np.ndarray, given: Sequence[np.ndarray]) -> np.ndarray:
    """What an input takes inside a clip: a state is what the model gave for the sample before."""
    return own if feed.carried is None else np.asarray(given[feed.carried], own.dtype).reshape(own.shape)


def rows(output: np.ndarray, size: int) -> np.ndarray:
    """The output with a first axis of samples. A single sample's is whole where its first axis is no batch of 1.

    Raises BuildError where there is no row for each sample of a batch.
    """
    if output.shape[:1] == (size,):
        return output
    if size == 1:
        return output[np.newaxis]
    told = f"an output has shape {output.shape} for {size} samples"
    raise BuildError(told, "its first axis must be the batch")


def joined(name: str, parts: Sequence[np.ndarray]) -> np.ndarray:
    """Raises BuildError where samples differ in the shape of the output."""
    for part in parts:
        check_shape(name, parts[0].shape[1:], part.shape[1:])
    return np.concatenate(parts)


def check_shape(name: str, one: tuple[int, ...], other: tuple[int, ...]) -> None:
    """Raises BuildError where an output has two shapes."""
    if one == other:
        return
    told = f"output {name} has {lengths(one, other)} for one sample and {lengths(other, one)} for another"
    raise BuildError(told, "pad it inside the model to a fixed number of rows: every sample needs outputs of one shape")


def lengths(shape: tuple[int, ...], other: tuple[int, ...]) -> str:
    """The shape in words: its rows where nothing else differs."""
    if shape[1:] == other[1:] and shape and other:
        return f"{shape[0]} rows" if shape[0] != 1 else "1 row"
    return f"shape {shape}"


def predicted(model: Model, batch: Sequence[np.ndarray], last: bool = True) -> list[np.ndarray]:
    allow(min(NO_ANSWER_S * max(1, len(batch[0]) if batch[0].ndim else 1), LONGEST_S))
    try:
        return model.predict(batch, last)
    except Exception as error:  # TensorFlow raises a class for each of its codes
        if beyond := of_index(model, batch, str(error)):
            raise beyond from error
        told = f"the model fails on samples of the test set: {one_line(error)}"
        advice = "try model.predict on such samples; the first axis must be the batch, of the length it declares"
        raise BuildError(told, advice) from error


def of_index(model: Model, batch: Sequence[np.ndarray], told: str) -> BuildError | None:
    """Returns what is wrong where TensorFlow says that an index, such as a token's id, is beyond what it looks up in;
    None where it says something else.
    """
    if not (found := OUT_OF_RANGE.search(told)):
        return None
    value, end = int(found[1]), int(found[2])
    names = [tensor.name for tensor, array in zip(model.facts.inputs, batch, strict=True) if (array == value).any()]
    whose = f"input {' or '.join(names)} holds" if names else "the model looks up"
    message = f"{whose} {value}, and the model knows the indices 0 to {end - 1}"
    return BuildError(message, "store the ids that it was trained with: a vocabulary has its own order and length")


def fixed_batch(model: Model) -> int:
    """The batch that the model takes alone; −1 where it takes any."""
    return max((tensor.shape[0] for tensor in model.facts.inputs if tensor.shape), default=-1)


def batch_of(model: Model, feeds: Sequence[Feed]) -> int:
    """The model's own batch where it has a fixed one, else one of bounded memory; 1 where inputs have no batch axis."""
    if any(feed.whole for feed in feeds):
        return 1
    if (fixed := fixed_batch(model)) > 0:
        return fixed
    sample_bytes = 4 * sum(int(np.prod(feed.tensor.shape)) for feed in feeds)
    return max(1, min(BATCH, BATCH_BYTES // max(sample_bytes, 1)))


def filled(values: np.ndarray, size: int) -> np.ndarray:
    return np.concatenate([values, values[-1:].repeat(size - len(values), axis=0)]) if len(values) < size else values
