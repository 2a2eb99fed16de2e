"""A Keras model and arrays that are in memory → Experiment, as an experiment.toml with the same in files gives it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from harness.build.models import model_source
from harness.build.variants import RECIPES
from harness.data.kinds import dataset_of
from harness.data.on_disk import Samples
from harness.data.source import DataSource, scored_first
from harness.errors import ConfigError, DataError, one_line
from harness.experiment.experiment_file import check_name, keras_model, usual
from harness.experiment.resolve import select
from harness.records import Dataset, Experiment, ModelSource, Plan, Scoring
from harness.support.functions import FunctionRef, is_reference

IN_MEMORY = "arrays in memory"
Arrays = Any  # an array, a tuple or list of arrays, or a dict of them by the names of the model's inputs


def experiment_in_memory(
    name: str,
    model: ModelSource,
    dataset: Dataset,
    variants: Sequence[str],
    plan: Plan,
    scoring: Scoring,
    heads: dict[str, Scoring] | None = None,
    state: Mapping[str, str] | None = None,
) -> Experiment:
    """Makes an experiment. variants: names or globs of recipes, !GLOB, or "package.module:function"; () for the usual.

    Raises ConfigError.
    """
    check_name(name, "name:")
    recipes = {ref.name: ref for text in variants if is_reference(text) for ref in [FunctionRef(text, Path.cwd())]}
    names = tuple(text.partition(":")[2] if is_reference(text) else text for text in variants)
    calibrated = bool(dataset.train_inputs)
    uncalibrated = () if calibrated else tuple(recipe.name for recipe in RECIPES.values() if recipe.calibrated)
    if asked := [name for name in uncalibrated if name in names]:
        message = f"{', '.join(asked)} needs samples to calibrate with"
        raise ConfigError(message, "give calibration: 100 to 500 training samples, in the form of x_test")
    buildable = [n for n, recipe in RECIPES.items() if n not in uncalibrated and (not recipe.package or n in names)]
    known = usual(calibrated) if all(name.startswith("!") for name in names) else (*buildable, *recipes)
    return Experiment(
        name=name,
        load=lambda: dataset,
        model=model,
        variants=select(names, known, uncalibrated),
        plan=plan,
        recipes=recipes,
        scoring=scoring,
        heads=heads or {},
        state=dict(state or {}),
        uncalibrated=uncalibrated,
    )


# --- the model -----------------------------------------------------------------------------------------------------


def source_of_model(model: object, folder: Path) -> ModelSource:
    """Returns where the building process can read the model: a model in memory is saved into the folder.

    model: a Keras model; or the path of a .keras, .h5 or SavedModel; or "package.module:function". Raises ConfigError,
    BuildError.
    """
    if isinstance(model, str | PathLike):
        return keras_model(str(model), Path.cwd(), "model", "paths are relative to the working directory")
    if not all(callable(getattr(model, name, None)) for name in ("save", "export", "to_json")):
        message = f"model is of type {type(model).__name__}, which is not a Keras model"
        raise ConfigError(message, "give a keras.Model, or the path of a .keras file or a SavedModel")
    model_source.save(model, folder, "the model")
    kept = model_source.kept(folder)
    return ModelSource("saved_model" if kept.is_dir() else "file", str(kept))


# --- the data ------------------------------------------------------------------------------------------------------


def dataset_in_memory(
    name: str,
    x_test: Arrays,
    y_test: object,
    calibration: Arrays | None,
    class_names: Sequence[str] | Mapping[str, Sequence[str]],
    scale: float | dict[str, float],
    offset: float | dict[str, float],
    output: str = "",
    sequence: object = None,
    group: object = None,
    query: object = None,
    pairs: object = None,
    calibration_sequence: object = None,
) -> Dataset:
    """Makes a data set of arrays. y_test: None where there are no labels; a dict by the names of outputs, as
    class_names may be; `output` is the scored one, else the first. calibration: inputs alone. sequence, group,
    query: of each test sample its clip and group, and whether it asks; None where there are none. calibration_sequence:
    of each calibration sample its clip. Raises DataError.
    """
    by_output = class_names if isinstance(class_names, Mapping) else {}
    names = () if by_output else tuple(map(str, class_names))
    each = {output: tuple(map(str, own)) for output, own in by_output.items()}
    source = DataSource(name, IN_MEMORY, None, Path.cwd(), scale, offset, names, each)
    marks = (None if each is None else text_or_numbers(each) for each in (sequence, group, query, pairs))
    clips, groups, queries, paired = marks
    test = samples("x_test", x_test, y_test, output)
    test = replace(test, clips=clips, groups=groups, queries=queries, pairs=paired)
    if calibration is None:
        return dataset_of(source, test, None)
    training = samples("calibration", calibration)
    own = None if calibration_sequence is None else text_or_numbers(calibration_sequence)
    if own is not None and len(own) != len(training.inputs[0]):
        told = f"calibration_sequence has {len(own):,} clips, for {len(training.inputs[0]):,} calibration samples"
        raise DataError(told, "give one number or one text a calibration sample: the clip that it is of")
    return dataset_of(source, test, replace(training, clips=own))


def samples(what: str, x: Arrays, y: object = None, output: str = "") -> Samples:
    """Returns arrays as samples. what: the argument's name, for messages. output: the scored one, of which the labels
    are where y holds several by name. Raises DataError.
    """
    named = isinstance(x, Mapping)
    given = list(x.values()) if named else list(x) if isinstance(x, tuple | list) and several(x) else [x]
    inputs = tuple(map(partial(numbers, what), given))
    names = tuple(map(str, x)) if named and len(x) > 1 else ()
    by_output = {} if y is None else scored_first(y, output) if isinstance(y, Mapping) else {"": y}
    labels = {str(name): text_or_numbers(given) for name, given in by_output.items()}
    if any(not array.ndim for array in labels.values()):
        raise DataError("y_test is a single value", "give one label a sample")
    labels_of = next(iter(labels), "")
    return Samples(inputs, labels.pop(labels_of, None), names, labels_of=labels_of, heads=labels)


def several(x: Sequence[object]) -> bool:
    """Returns whether a tuple or list holds arrays, one an input, and is not itself the samples of one."""
    return bool(x) and all(hasattr(each, "__array__") and np.ndim(each) for each in x)


def numbers(what: str, given: object) -> np.ndarray:
    """Returns the array, with the samples along its first axis. Raises DataError."""
    try:
        array = np.asarray(given)
    except (TypeError, ValueError) as error:
        raise DataError(f"{what} is no array: {one_line(error)}", "give an array of numbers") from error
    if array.dtype.kind not in "uifb" or not array.ndim:
        message = f"{what} is an array of dtype {array.dtype} and shape {array.shape}"
        raise DataError(message, "give numbers, with the samples along the first axis")
    return array.astype(np.uint8) if array.dtype.kind == "b" else array


def text_or_numbers(given: object) -> np.ndarray:
    """Returns the labels as an array. A column of texts, as pandas has it, is an array of objects."""
    array = np.asarray(given)
    texts = array.dtype.kind in "OT" and all(isinstance(each, str) for each in array.ravel().tolist())
    return array.astype(str) if texts else array
