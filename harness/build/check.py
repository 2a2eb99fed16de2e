"""Whether a .tflite file is what it claims, and answers as the original does: checked without a device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from harness.build import artifact
from harness.build.artifact import Artifact
from harness.build.artifact import answer_match as by_answers
from harness.build.artifact.answer_match import lengths
from harness.build.artifact.binding import bound, by_count, by_name, by_shape, unmatched
from harness.build.models.feed import WHOLE, check_whole
from harness.build.original import Original, RunOnce, Starts
from harness.build.variants import Expectation
from harness.errors import BuildError, DataError
from harness.metrics.discrepancy import doubt
from harness.records import Affine, Carried, Tensor
from harness.records.terms import FileStatus

NO_FLEX = "it needs TensorFlow's own kernels, which no runtime here has (their wheels lack the Flex delegate)"


@dataclass(frozen=True)
class Samples:
    """Samples that a file must answer as the original did. stored: one array an input of the data, wanted: one an
    output. of_classes: for each output, whether its numbers are scores of classes. what: the samples, in words. starts:
    where clips begin. state: what is carried inside them."""

    stored: tuple[np.ndarray, ...]
    wanted: tuple[np.ndarray, ...]
    of_classes: tuple[bool, ...]
    affines: tuple[Affine, ...]
    what: str
    starts: Starts = None
    state: tuple[Carried, ...] = ()


@dataclass(frozen=True)
class CheckResult:
    """status: unsupported where there can be no such file of the model. feeds, yields: as Variant has them. shapes: of
    the outputs as they were seen, () where the file says the same."""

    status: FileStatus
    reason: str = ""
    feeds: tuple[int, ...] = ()
    yields: tuple[int, ...] = ()
    shapes: tuple[tuple[int, ...], ...] = ()


def check(
    path: Path, original: Original, known: Samples, expected: Expectation | None, own: bool, run_once: RunOnce
) -> CheckResult:
    """What is wrong with the file, if anything.

    expected: what its recipe promises, where that is known. own: it was made of the original, and must hold its
    weights; an imported file may be a smaller model.
    """
    try:
        facts = artifact.inspect(path)
        artifact.check_form(facts)
        parameters = original.facts.parameters if own else 0
        if small := artifact.too_small(facts, expected, parameters):
            return CheckResult("unsupported", small)
        if found := artifact.faults(facts, expected, parameters, unchanged(original)):
            return CheckResult("failed", f"refused: {'; '.join(found)}")
        feeds, named = feeds_of(facts, original, known), yields_of(facts, original, own)
        if flex := [op.removeprefix("Flex") for op in facts.ops if op.startswith("Flex")]:
            return CheckResult("failed", f"{NO_FLEX}: {', '.join(dict.fromkeys(flex))}")
        affines = [known.affines[n] for n in feeds]
        if known.state and named is None:
            raise unmatched("output", original.facts.outputs, facts.named_outputs, " by name, and one is a state")
        carried = [each.in_file(feeds, named or ()) for each in known.state]
        given = run_once(path, tuple(known.stored[n] for n in feeds), affines, known.starts, carried)
        yields = named or proven(facts, original, known, given)
    except (BuildError, DataError) as error:
        return CheckResult("failed", f"{error}; {error.advice}" if error.advice else str(error))
    result = judged([given[n] for n in yields], original, known, unless_same(feeds), unless_same(yields))
    return replace(result, shapes=seen_shapes(facts, given))


def unchanged(original: Original) -> frozenset[str]:
    """The dtypes of inputs and outputs that no recipe changes: whole numbers in the model itself, as token ids are, and
    float64.
    """
    tensors = original.facts.inputs + original.facts.outputs
    return frozenset(t.dtype for t in tensors if t.scale is None and t.dtype.startswith((*WHOLE, "float64")))


def feeds_of(facts: Artifact, original: Original, known: Samples) -> tuple[int, ...]:
    """For each input tensor of the file the index of the data's input. Raises BuildError, DataError."""
    places = bound("input", [feed.tensor for feed in original.feeds], facts.inputs, facts.input_names)
    feeds = tuple(original.feeds[places.index(n)].index for n in range(len(places)))
    for tensor, index in zip(facts.named_inputs, feeds, strict=True):
        stored = known.stored[index]
        check_lengths(tensor, stored.shape[1:])
        check_whole(tensor, stored)
    return feeds


def check_lengths(tensor: Tensor, sample: tuple[int, ...]) -> None:
    """Raises BuildError where a sample does not fill the tensor; open dimensions are resized to it."""
    shape = tensor.shape
    if shape in (sample, (1, *sample)) or (-1 not in shape and lengths(shape) == lengths(sample)):
        return
    for axes in (shape, shape[1:]):
        if len(axes) == len(sample) and all(n in (-1, m) for n, m in zip(axes, sample, strict=True)):
            if len(axes) == len(shape) or shape[0] == 1:
                return
            raise BuildError(f"input {tensor.name} has a batch of {shape[0]}", "convert the model with a batch of 1")
    told = f"input {tensor.name} takes samples of shape {shape[1:]}, but the data's are {sample}"
    raise BuildError(told, "give a file that was converted from this model")


def yields_of(facts: Artifact, original: Original, own: bool) -> tuple[int, ...] | None:
    """For each output of the original the index of the file's output; None where neither names nor shapes say it.

    own: the file was made of the original here. Raises BuildError.
    """
    wanted, given = original.facts.outputs, facts.outputs
    counted = by_count(wanted, facts.output_names) if own else None
    return by_name("output", wanted, given, facts.output_names) or counted or by_shape(wanted, given)


def proven(facts: Artifact, original: Original, known: Samples, given: Sequence[np.ndarray]) -> tuple[int, ...]:
    """The same by the answers themselves. Raises BuildError where these do not tell the outputs apart."""
    found = by_answers.matched(known.wanted, given)
    if found is None:
        why = f" by name, nor by the answers to {known.what}"
        raise unmatched("output", original.facts.outputs, facts.named_outputs, why)
    return found


def seen_shapes(facts: Artifact, given: Sequence[np.ndarray]) -> tuple[tuple[int, ...], ...]:
    """Returns the shapes of the file's outputs at batch 1, where the file leaves one open or says another: it is
    known once it has run.
    """
    outputs = zip(facts.outputs, (y.shape[1:] for y in given), strict=True)
    seen = tuple(tensor.shape if tensor.sample_shape == sample else (1, *sample) for tensor, sample in outputs)
    return () if seen == tuple(tensor.shape for tensor in facts.outputs) else seen


def unless_same(order: tuple[int, ...]) -> tuple[int, ...]:
    return () if order == tuple(range(len(order))) else order


def judged(
    answers: Sequence[np.ndarray], original: Original, known: Samples, feeds: tuple[int, ...], yields: tuple[int, ...]
) -> CheckResult:
    """What the file's answers say against the original's, output by output."""
    outputs = zip(original.facts.outputs, answers, known.wanted, known.of_classes, strict=True)
    states = {each.output for each in known.state}  # they count by what they do to the answers
    for tensor, given, wanted, of_classes in outputs:
        if lengths(given.shape) != lengths(wanted.shape):
            told = f"output {tensor.name} has shape {given.shape[1:]}, but {original.name}'s has {wanted.shape[1:]}"
            return CheckResult("failed", told)
        if tensor.name not in states and (
            found := doubt(wanted, given.reshape(wanted.shape), of_classes, original.name, known.what)
        ):
            where = f"output {tensor.name}: " if len(answers) > 1 else ""
            return CheckResult("suspect", where + found, feeds, yields)
    return CheckResult("ok", "", feeds, yields)
