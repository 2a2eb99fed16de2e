"""What a cure tries: changes of a recipe, the smallest first. `explain` says which of one kind comes first."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from harness.build.artifact import Artifact, inspect
from harness.build.builder import CALIBRATION_SAMPLES
from harness.build.variants import RECIPES
from harness.diagnosis.explanation import Explanation
from harness.diagnosis.layers import INPUT_PLACE
from harness.diagnosis.row_study import Study
from harness.experiment.recipe_file import chooses
from harness.records import Adjusted, Variant
from harness.records.adjusted import BY_ERROR
from harness.support.format import plural

Kind = Literal["calibration", "float_io", "keep_float", "wider", "other_format"]
MOST_SAMPLES = 5_000  # of calibration
MOST_KEPT = 6  # layers in float32, with those that read them not counted
OTHER_FORMATS = ("dynamic_range", "float16")
WIDE = {"calibration_wide", "layer_by_nature", "wild_channels"}  # causes that other ranges may help


@dataclass(frozen=True)
class Remedy:
    """One change of a recipe. name: of the variant. words: what is changed."""

    name: str
    kind: Kind
    words: str
    recipe: Adjusted


@dataclass(frozen=True)
class Layers:
    """What `explain` says of the layers: their names as the quantiser knows them, the one to blame first. inputs: those
    that read an input of the model, where its range is to blame. readers: of each, the layers that read it.
    """

    worst: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    readers: tuple[tuple[str, ...], ...] = ()


def remedies(
    recipe: str, training: int, data: Path | None, causes: Sequence[str], layers: Layers, made_by_it: bool
) -> tuple[Remedy, ...]:
    """Returns what to try. recipe: that the row was made by, or that makes such a file. training: how many samples
    there are to calibrate with; data: where further ones are. made_by_it: whether the row's file is the recipe's own.
    """
    plain = Adjusted(recipe)
    every = [
        *(() if made_by_it else [Remedy("", "calibration", f"{recipe} as the harness builds it", plain)]),
        *calibrations(plain, training, data, causes),
        *other_io(recipe),
        *kept(plain, layers),
        *wider(recipe),
        *other_formats(recipe),
    ]
    return tuple(replace(each, name=f"{recipe}_cure_{mark(each.recipe)}") for each in every)


def mark(recipe: Adjusted) -> str:
    """Some letters that a recipe has whatever else is tried: what is known of it is known again."""
    return hashlib.sha256(repr(recipe).encode()).hexdigest()[:8]


def recipe_for(own: Variant) -> str:
    """The built-in recipe that the row was made by, or that makes files of its format."""
    if own.recipe in RECIPES:
        return own.recipe
    assert own.path is not None
    return recipe_like(inspect(own.path))


def recipe_like(file: Artifact) -> str:
    """The recipe of TensorFlow's converter that makes files of such weights and activations."""
    if "int16" in file.activations:
        return "int16x8"
    if {"int8", "uint8"} & set(file.activations):
        whole = any(tensor.dtype in ("int8", "uint8") for tensor in (*file.inputs, *file.outputs))
        return "int8" if whole else "int8_float_io"
    if "int8" in file.weights:
        return "dynamic_range"
    return "float16" if "float16" in file.weights else "float32"


def calibrations(plain: Adjusted, training: int, data: Path | None, causes: Sequence[str]) -> Iterator[Remedy]:
    """Other samples and other ranges: neither costs bytes or time on the device."""
    made = RECIPES[plain.recipe]
    if not made.calibrated:
        return
    samples = list(more_samples(plain, training))
    if data is not None:
        samples.insert(0, Remedy("", "calibration", f"calibrated with {data.name}", replace(plain, data=data)))
    ranges = list(other_ranges(plain)) if chooses(made) else []
    yield from [*ranges, *samples] if set(causes) & WIDE else [*samples, *ranges]


def more_samples(plain: Adjusted, training: int) -> Iterator[Remedy]:
    if training > CALIBRATION_SAMPLES:
        count = min(training, MOST_SAMPLES)
        words = f"calibrated with {count:,} samples, not {CALIBRATION_SAMPLES}"
        yield Remedy("", "calibration", words, replace(plain, samples=count))


def other_ranges(plain: Adjusted) -> Iterator[Remedy]:
    for percent in ("99.9%", "99%"):
        yield Remedy("", "calibration", f"ranges of {percent} of the values", replace(plain, ranges=percent))
    yield Remedy("", "calibration", "ranges of the least squared error", replace(plain, ranges=BY_ERROR))


def with_float_io(recipe: str) -> str:
    """The recipe that makes the same file with float32 inputs and outputs; "" where there is none."""
    if RECIPES[recipe].expectation.io == "float32":
        return recipe
    return "int8_float_io" if recipe == "int8" else ""


def other_io(recipe: str) -> Iterator[Remedy]:
    if (other := with_float_io(recipe)) not in ("", recipe):
        yield Remedy("", "float_io", "float32 inputs and outputs", Adjusted(other))


def kept(plain: Adjusted, layers: Layers) -> Iterator[Remedy]:
    """Layers that stay in float32: of those that make most error first one, then more, each with its readers, too."""
    if not chooses(RECIPES[plain.recipe]):
        return
    if layers.inputs and (other := with_float_io(plain.recipe)):
        yield in_float(
            Adjusted(other), layers.inputs, "" if other == plain.recipe else " and float32 inputs and outputs"
        )
    tried: list[set[str]] = []
    for count in range(1, min(MOST_KEPT, len(layers.worst)) + 1):
        alone = layers.worst[:count]
        read = [name for names in layers.readers[:count] for name in names]
        for names in (alone, tuple(dict.fromkeys([*alone, *read]))):
            if set(names) not in tried:
                tried.append(set(names))
                yield in_float(plain, names)


def in_float(plain: Adjusted, names: tuple[str, ...], further: str = "") -> Remedy:
    words = f"{plural(len(names), 'layer')} in float32{further}: {', '.join(map(short, names))}"
    return Remedy("", "keep_float", words, replace(plain, keep_float=names))


def short(name: str) -> str:
    """The end of the first of the names that the converter joined."""
    return "/".join(name.split(";")[0].split("/")[-2:])


def wider(recipe: str) -> Iterator[Remedy]:
    if RECIPES[recipe].expectation.activations == "int8":
        yield Remedy("", "wider", "16-bit activations: int16x8", Adjusted("int16x8"))


def other_formats(recipe: str) -> Iterator[Remedy]:
    for name in OTHER_FORMATS:
        if name != recipe:
            yield Remedy("", "other_format", f"another format: {name}", Adjusted(name))


def layers_of(found: Explanation, study: Study) -> Layers:
    """The layers that make most error alone; those that a cause names stand before them."""
    graph, control = study.graphs
    names = {pair.op.place: control.wires[pair.float_op.outputs[0]].name for pair in study.pairs}
    named = [cause.place for cause in found.causes if cause.place is not None and not cause.seen]
    most = sorted(found.alone, key=lambda each: -each.error_share)
    places = [place for place in dict.fromkeys((*named, *(each.place for each in most))) if place in names]
    readers = {
        place: [op.place for op in graph.ops if set(op.inputs) & set(graph.ops[place].outputs) and op.place in names]
        for place in places
    }
    at_input = [op.place for op in graph.ops if set(op.inputs) & set(graph.inputs) and op.place in names]
    return Layers(
        tuple(names[place] for place in places),
        tuple(names[place] for place in at_input) if INPUT_PLACE in named else (),
        tuple(tuple(names[reader] for reader in readers[place]) for place in places),
    )
