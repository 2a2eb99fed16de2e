"""State that the program around a model feeds back: an output goes to an input at the next sample of the same clip.

[state] names it. Where nothing does, and an input that each sample holds alike stands beside an output of its form,
that is said, and refused where the data name clips: whoever does so means that state is carried through them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from harness.build.lint import Remark
from harness.build.models.feed import is_whole, shape
from harness.data.grouping import check_pieces
from harness.errors import ConfigError, DataError
from harness.metrics.task import output_index
from harness.records import Affine, Carried, Dataset, Experiment, Scoring, Tensor
from harness.support.arrays import stretches
from harness.support.format import listed
from harness.support.toml import nearest

T = TypeVar("T")
TOLD = "input {} is the same for every sample, and output {} has its form: if that is state, it is not fed back"
ALONE = "every figure is of a first step; name it under [state], and the clips by [data] sequence, to have it carried"
IN_CLIPS = 'write {} = "{}" under [state], or leave sequence out and judge first steps alone'
SEQUENCE = 'write sequence = "clip" under [data], with what tells them apart; a group alone carries no state'


def with_state(
    dataset: Dataset, inputs: Sequence[Tensor], outputs: Sequence[Tensor], experiment: Experiment
) -> Dataset:
    """Returns the data set with what [state] says: an input that takes a state, and that the data have not, holds
    zeros. inputs, outputs: the model's. Raises ConfigError, DataError.
    """
    if not (state := experiment.state):
        return dataset
    check_names(state, [t.name for t in inputs], [t.name for t in outputs])
    check_scored(state, outputs, (experiment.scoring, *experiment.heads.values()))
    check_clips(dataset)
    by_name = {tensor.name: tensor for tensor in inputs}
    given = with_zeros(dataset, [by_name[name] for name in state.values()], [t.name for t in inputs])
    names = [t.name for t in outputs]
    carried = [Carried(o, i, names.index(o), given.input_names.index(i)) for o, i in state.items()]
    for each in carried:
        check_form(each, by_name[each.input], outputs[each.yielded], given)
    return replace(given, state=tuple(carried))


def check_names(state: Mapping[str, str], inputs: Sequence[str], outputs: Sequence[str]) -> None:
    for output, taker in state.items():
        for kind, name, known in (("output", output, outputs), ("input", taker, inputs)):
            if name not in known:
                raise ConfigError(f"[state] the model has no {kind} {name!r}", nearest(name, known, f"its {kind}s are"))
            if known.count(name) > 1:
                raise ConfigError(f"[state] two {kind}s are called {name!r}", "give each a name of its own")
    if twice := [name for name in state.values() if list(state.values()).count(name) > 1]:
        raise ConfigError(f"[state] two outputs go to the input {twice[0]!r}", "an input takes one of them")
    if not set(inputs) - set(state.values()):
        raise ConfigError("[state] takes every input, and the data have none left", "name the state alone")


def check_scored(state: Mapping[str, str], outputs: Sequence[Tensor], scorings: Sequence[Scoring]) -> None:
    names = [t.name for t in outputs]
    for scoring in scorings:
        scored = names[output_index(scoring.output, names)]
        if scored in state:
            others = [name for name in names if name not in state]
            advice = f'write output = "{others[0]}" under [metrics]' if others else "export the model with its answers"
            raise ConfigError(f"output {scored} is state by [state], and it is scored", advice)


def check_clips(dataset: Dataset) -> None:
    if dataset.clips is None:
        raise ConfigError("[state] names what is carried inside clips, and the data name no clips", SEQUENCE)
    if int(dataset.clips.max()) + 1 == dataset.test_count:
        told = f"[state] carries nothing: each of the {dataset.test_count:,} clips is a single sample"
        raise DataError(told, "give one sample a frame, and frames of one clip the same clip, in their order")
    if (clips := dataset.train_clips) is not None:
        check_pieces(f"{dataset.name}: calibration", clips, [f"number {n}" for n in range(int(clips.max()) + 1)])


def with_zeros(dataset: Dataset, takers: Sequence[Tensor], names: Sequence[str]) -> Dataset:
    """Returns the data set with zeros for the states that the data have not. names: of all inputs of the model."""
    own = own_names(dataset, [tensor.name for tensor in takers], names)
    missing = [tensor for tensor in takers if tensor.name not in own]
    zeros = lambda arrays: tuple(initial(tensor, len(arrays[0])) for tensor in missing) if arrays else ()  # noqa: E731
    return replace(
        dataset,
        input_names=(*own, *(tensor.name for tensor in missing)),
        test_inputs=(*dataset.test_inputs, *zeros(dataset.test_inputs)),
        train_inputs=(*dataset.train_inputs, *zeros(dataset.train_inputs)),
        affines=(*dataset.affines, *(Affine() for _ in missing)),
    )


def own_names(dataset: Dataset, takers: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    """Returns the names of the data's inputs: where they have none, they are the model's, with states or without."""
    rest = [name for name in names if name not in takers]
    if dataset.input_names:
        return dataset.input_names
    for known in (rest, names):
        if len(known) == len(dataset.test_inputs):
            return tuple(known)
    told = f"the data have {len(dataset.test_inputs)} inputs, and the model {listed(rest)} beside its state"
    raise DataError(told, "give an array of each, by its name; a state needs none")


def initial(tensor: Tensor, count: int) -> np.ndarray:
    """Returns zeros for so many samples, which take no memory. Raises ConfigError where the shape is open."""
    form = tensor.shape[1:] if tensor.shape[:1] in ((-1,), (1,)) else tensor.shape
    if -1 in form:
        told = f"[state] the input {tensor.name} leaves its shape open: {shape(tensor.shape)}"
        raise ConfigError(told, "give what it holds where a clip begins in the data, by its name")
    zero = np.zeros((), tensor.dtype if is_whole(tensor) else np.float32)
    return np.broadcast_to(zero, (count, *form))


def check_form(carried: Carried, taker: Tensor, giver: Tensor, dataset: Dataset) -> None:
    """Raises ConfigError where the output is not what the input takes."""
    axes = zip(taker.shape, giver.shape, strict=False)
    if len(taker.shape) != len(giver.shape) or not all(-1 in pair or pair[0] == pair[1] for pair in axes):
        told = f"[state] {carried.output} is of shape {shape(giver.shape)}, and {carried.input} of {shape(taker.shape)}"
        raise ConfigError(told, "name the input that takes this output at the next sample")
    if taker.dtype != giver.dtype and taker.scale is None and giver.scale is None:
        told = f"[state] {carried.output} is {giver.dtype}, and {carried.input} takes {taker.dtype}"
        raise ConfigError(told, "export the model with one dtype for both")
    if dataset.affines[carried.fed] != Affine():
        told = f"[data] gives the state {carried.input} a scale or an offset, and it is carried as the model gives it"
        raise ConfigError(told, "write them for the other inputs by name: scale = { frame = 0.0039 }")


def brought(dataset: Dataset) -> Dataset:
    """Returns the data set without the inputs that take a state."""
    takers = {each.fed for each in dataset.state}
    left = [n for n in range(len(dataset.test_inputs)) if n not in takers]
    return replace(
        dataset,
        test_inputs=kept(dataset.test_inputs, left),
        train_inputs=kept(dataset.train_inputs, left),
        affines=kept(dataset.affines, left),
        input_names=kept(dataset.input_names, left),
        state=(),
    )


def kept(given: tuple[T, ...], left: Sequence[int]) -> tuple[T, ...]:
    return tuple(given[n] for n in left) if given else ()


def of_carried(dataset: Dataset) -> Iterator[Remark]:
    """Yields through what state is carried, and that calibration samples name no clips."""
    if not dataset.state or dataset.starts is None:
        return
    lengths = np.diff([*dataset.starts, dataset.test_count])
    long = f"{lengths.min():,}" if lengths.min() == lengths.max() else f"{lengths.min():,} to {lengths.max():,}"
    what = f"state ({listed(map(str, dataset.state))}) is carried inside {len(lengths):,} clips of {long} samples"
    yield Remark(what, "each begins with zeros, or with what the data give for its first sample")
    if dataset.train_inputs and dataset.train_clips is None:
        told = "calibration samples name no clips, and are taken as one clip in their order"
        yield Remark(told, "give them the array that [data] sequence names: int8 learns the range of states from them")


def of_fed_back(dataset: Dataset, outputs: Sequence[np.ndarray], names: Sequence[str]) -> Iterator[Remark]:
    """Yields that a state is not fed back. outputs, names: the baseline's. Raises ConfigError where clips are named."""
    for n, (given, name) in enumerate(zip(dataset.test_inputs, dataset.input_names, strict=False)):
        if n in {each.fed for each in dataset.state}:
            continue
        fits = [other for other, y in zip(names, outputs, strict=True) if y.shape[1:] == given.shape[1:]]
        if not fits or np.prod(given.shape[1:]) < 2 or not constant(given):
            continue
        told = TOLD.format(name, fits[0])
        if dataset.clips is not None:
            raise ConfigError(
                f"{told}, and [data] sequence asks for state that is carried", IN_CLIPS.format(fits[0], name)
            )
        yield Remark(told, ALONE)


def constant(given: np.ndarray) -> bool:
    return len(given) > 1 and all((part == given[0]).all() for part in stretches(given))
