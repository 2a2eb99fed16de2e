"""Experiment → model, baseline and checked variants, each through the cache: nothing is built twice."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter

from harness.build import artifact, check, original, variants
from harness.build.artifact import answer_match as by_answers
from harness.build.artifact import binding
from harness.build.check import CheckResult, Samples
from harness.build.fed_back import of_carried, of_fed_back
from harness.build.keras_process import KerasProcess, ProcessDied, TensorFlowMissing
from harness.build.lint import Remark
from harness.build.original import Original, RunOnce, Starts
from harness.build.remarks import of_given, of_heads, of_ranges, of_state, remarks, said_of
from harness.build.scored import as_asked, as_meant, check_scored, heads_meant, heads_of, of_labels
from harness.build.variants import adjusting, ranges, repeatable
from harness.build.variants import quantizer as quantizer  # importing it registers its recipes
from harness.build.windows import of_windows
from harness.data.calibration import calibration_clips, calibration_samples, states_before
from harness.device import tensors
from harness.errors import ConfigError, DiskError, HarnessError, install_extra
from harness.measure import once as runner
from harness.metrics import discrepancy as samples
from harness.metrics import fitting
from harness.metrics.task import output_index
from harness.metrics.task_table import OF_CLASSES
from harness.records import Adjusted, Dataset, Experiment, Variant
from harness.records.dataset import starts_within
from harness.support import cache
from harness.support.arrays import pick
from harness.support.cache import Cache, Shelf, file_sha256, key_of, version
from harness.support.files import check_disk, naming
from harness.support.functions import source_sha256

Say = Callable[[str], None]
OpenKeras = Callable[[Path], AbstractContextManager[KerasProcess]]  # the path: of its log
CALIBRATION_SAMPLES = 500
FAKE_QUANTISED = (
    "the model was trained with quantisation inside (FakeQuant), which the converter turns into integers whatever "
    "is asked for; build int8, or float32 for the answers that it was trained to give"
)
CALIBRATED_LOOP = "TensorFlow's converter crashes where it calibrates a loop, as a recurrent layer is"
CARRIED_SAMPLES = 2_000  # of clips, that the original is asked for their states
CHECKED_BYTES = 64 << 20  # of the checked samples' inputs and outputs, as float32


@dataclass(frozen=True)
class Checked(CheckResult):
    """What check.json holds. sha256: of the file that was checked."""

    sha256: str = ""


_CHECKED = TypeAdapter(Checked)


@dataclass(frozen=True)
class Built:
    """baseline: one float32 array an output, shape (test samples, …), mapped from the cache; output_names: of them.
    input_names: the model's, in the order of the data's arrays.
    made: what was not in the cache. dataset: with its labels as they are meant, and a name for every class.
    """

    model_sha256: str
    baseline: tuple[np.ndarray, ...]
    variants: tuple[Variant, ...]
    made: tuple[str, ...]
    dataset: Dataset
    output_names: tuple[str, ...] = ()
    input_names: tuple[str, ...] = ()
    remarks: tuple[Remark, ...] = ()


def build(
    experiment: Experiment,
    dataset: Dataset,
    cache: Cache,
    say: Say,
    open_keras: OpenKeras = KerasProcess,
    run_once: RunOnce = runner.run_once,
) -> Built:
    """The experiment's model, baseline and variants. Raises BuildError where there is no baseline to compare with.

    open_keras: opens the process that TensorFlow runs in. run_once: runs a .tflite file on stored samples.
    """
    check_packages(experiment)
    experiment = as_asked(experiment, dataset)
    shelf = Shelf(cache, say)
    with open_keras(cache.root / "tensorflow.log") as keras:
        known = original.of_model(experiment, dataset, shelf, keras) if experiment.model else None
        known = known or original.of_file(experiment, dataset, run_once)
        dataset = known.dataset
        made = Builder(experiment, dataset, shelf, keras, known, run_once, dataset.test_sha256)
        baseline = made.baseline
        check_scored(experiment.scoring, dataset, known.facts, baseline)
        names = tuple(tensor.name for tensor in known.facts.outputs)
        scored = baseline[output_index(experiment.scoring.output, names)]
        outputs = {name: baseline[names.index(name)] for name in experiment.heads}
        meant = heads_meant(experiment.heads, as_meant(experiment.scoring, dataset, scored), outputs)
        made = replace(made, dataset=meant)
        found = said_of(of_labels(experiment.scoring, dataset.test_labels, scored, dataset.class_names), say)
        found += said_of([*of_windows(dataset), *of_fed_back(dataset, baseline, names), *of_carried(dataset)], say)
        found += remarks(known, experiment, meant, shelf)
        for name, given in made.given_anew.items():
            found += of_given(name, given, shelf)
        for name, scoring in experiment.heads.items():
            of = dataset.of_head(name)
            taken = of_labels(scoring, of.test_labels, outputs[name], of.class_names)
            found += said_of(of_heads(name, scoring, meant, outputs[name], taken), say)
        imported = [made.imported(name) for name in experiment.imports]
        built = [*(made.variant(name) for name in experiment.variants), *imported]
        found += said_of(of_ranges(imported, dataset), say) + of_state(built, say, dataset)
    if not shelf.made:
        say("nothing to build: the model, its baseline and its variants are as they were built before")
    inputs = tuple(feed.tensor.name for feed in sorted(known.feeds, key=lambda feed: feed.index))
    return Built(known.sha256, baseline, tuple(built), tuple(shelf.made), made.dataset, names, inputs, found)


def check_packages(experiment: Experiment) -> None:
    """Raises ConfigError where a recipe that was asked for needs a package that is not there."""
    for name in experiment.variants:
        package = "" if name in experiment.recipes else recipe_of(experiment, name).package
        if package and find_spec(package.replace("-", "_")) is None:
            told = f"{name} needs {package}, which is not installed"
            raise ConfigError(told, f"{install_extra('quantizer')}, or leave the variant out")


def recipe_of(experiment: Experiment, name: str) -> variants.Recipe:
    """Returns the recipe of a variant that is no function of the user's. Raises ConfigError."""
    adjusted = experiment.adjusted.get(name)
    return variants.recipe(adjusted.recipe).under(adjusted) if adjusted else variants.recipe(name)


@dataclass(frozen=True)
class Builder:
    """Makes the baseline and the variants of one experiment."""

    experiment: Experiment
    dataset: Dataset
    shelf: Shelf
    keras: KerasProcess
    original: Original
    run_once: RunOnce
    test_key: str  # the hash of the test set as it is stored, whatever its labels are taken for

    @cached_property
    def baseline(self) -> tuple[np.ndarray, ...]:
        """The original's outputs over the test set."""
        what = f"running {'the Keras model' if self.experiment.model else self.original.name} over the test set"
        return self.answers(what, self.dataset.test_inputs, self.test_key, self.dataset.starts)

    def answers(
        self, what: str, stored: tuple[np.ndarray, ...], key: str, starts: Starts = None
    ) -> tuple[np.ndarray, ...]:
        return original.answers(self.original, what, stored, key_of(key, self.dataset.affines), self.shelf, starts)

    @cached_property
    def calibration(self) -> tuple[np.ndarray, ...]:
        """Samples as stored, one array an input of the data; () where there are none."""
        return self.calibration_of(None)

    def calibration_of(self, adjusted: Adjusted | None) -> tuple[np.ndarray, ...]:
        """The same as a recipe file has them drawn."""
        given = self.given(adjusted)
        if not given.train_inputs or not len(given.train_inputs[0]):
            return ()
        known = self.in_their_clips if self.dataset.state else given
        if adjusted is None:
            return calibration_samples(known, CALIBRATION_SAMPLES, self.experiment.seed)
        seed = self.experiment.seed if adjusted.seed is None else adjusted.seed
        return calibration_samples(known, adjusted.samples or CALIBRATION_SAMPLES, seed, adjusted.drawn)

    def given(self, adjusted: Adjusted | None) -> Dataset:
        """The data set with the training samples that a recipe file names. Raises ConfigError."""
        if adjusted is None or adjusted.data is None:
            return self.dataset
        if self.experiment.load_with is None or self.dataset.state:
            told = f"{self.experiment.name} cannot be calibrated with other samples than its own"
            raise ConfigError(told, "leave data out of the recipe file; an experiment.toml without [state] can")
        return self.experiment.load_with(adjusted.data)

    @property
    def given_anew(self) -> dict[str, Dataset]:
        """The data set with the samples of each recipe file that names its own, by the variant. Raises ConfigError."""
        files = {name: self.experiment.adjusted.get(name) for name in self.experiment.variants}
        given = {name: self.given(file) for name, file in files.items() if file and file.data}
        return {name: with_training_of(self.dataset, other) for name, other in given.items()}

    @property
    def in_their_clips(self) -> Dataset:
        """The data set with training samples in clips, and the states that the original has at each of them."""
        rows, starts = calibration_clips(self.dataset, CARRIED_SAMPLES, self.experiment.seed)
        stored = tuple(pick(array, rows) for array in self.dataset.train_inputs)
        key = key_of("calibration clips", self.dataset.train_sha256, self.experiment.seed, CARRIED_SAMPLES)
        outputs = self.answers("running the calibration clips for their states", stored, key, starts)
        inputs, labels = list(stored), self.dataset.train_labels
        for each in self.dataset.state:
            inputs[each.fed] = states_before(outputs[each.yielded], stored[each.fed], starts)
        return replace(self.dataset, train_inputs=tuple(inputs), train_labels=None if labels is None else labels[rows])

    @cached_property
    def checking(self) -> Samples:
        """What every file is checked with: calibration samples, or the first of the test set where there are none, or
        where state is carried through clips.
        """
        count = max(1, min(CALIBRATION_SAMPLES, CHECKED_BYTES // self.original.sample_bytes))
        if self.checked_by_calibration:
            stored = tuple(array[:count] for array in self.calibration)
            key = key_of("calibration", self.dataset.train_sha256, self.experiment.seed, CALIBRATION_SAMPLES, count)
            wanted, kind = self.answers("", stored, key), "calibration"
        else:
            stored = tuple(np.ascontiguousarray(array[:count]) for array in self.dataset.test_inputs)
            wanted, kind = tuple(array[:count] for array in self.baseline), "test"
        what = f"{len(stored[0])} {kind} samples"
        starts = None if self.checked_by_calibration else starts_within(self.dataset.starts, 0, len(stored[0]))
        return Samples(stored, wanted, self.of_classes, self.dataset.affines, what, starts, self.dataset.state)

    @property
    def checked_by_calibration(self) -> bool:
        return bool(self.calibration) and self.dataset.clips is None

    @cached_property
    def of_classes(self) -> tuple[bool, ...]:
        """For each output, whether its numbers are scores of classes: the task says so of one with labels, of another
        its rows do, where each adds up to 1. Raises ConfigError where the metrics do not fit the data.
        """
        scoring, names = self.experiment.scoring, [tensor.name for tensor in self.original.facts.outputs]
        _, task = fitting.check(scoring, self.dataset, self.baseline, names)
        heads = heads_of(self.experiment.heads, self.dataset, self.baseline, names)
        tasks = {output_index(scoring.output, names): task} | {names.index(name): of.task for name, of in heads.items()}
        return tuple(
            tasks[n] in OF_CLASSES if n in tasks else adds_up(output[:CALIBRATION_SAMPLES])
            for n, output in enumerate(self.baseline)
        )

    def variant(self, name: str) -> Variant:
        """A recipe's file, checked; one that cannot be built, or is not what it claims, is "failed" with the reason."""
        own = self.experiment.recipes.get(name)
        made = None if own else recipe_of(self.experiment, name)
        recipe = made.name if made else own.text if own else name
        if made and (reason := self.impossible(made)):
            return Variant(name, recipe, status="unsupported", reason=reason)
        given = self.given(made.adjusted if made else None)
        if made and made.calibrated and not (given.train_inputs and len(given.train_inputs[0])):
            return failed(name, recipe, "; ".join(variants.NOT_CALIBRATED))
        made_by = recipe_key(made) if made else (own.text, source_sha256(own)) if own else ()
        key = (name, made_by, given.train_sha256, self.experiment.seed, self.experiment.select_ops)
        return self.checked(name, recipe, f"building {name}", key, lambda folder: self.convert(name, folder))

    def impossible(self, recipe: variants.Recipe) -> str:
        """Why the converter makes no such file of this model; "" where it may."""
        facts, promised = self.original.facts, recipe.expectation
        if facts.fake_quantised and promised.activations == "float32" != promised.weights:
            return FAKE_QUANTISED
        if facts.loops and recipe.calibrated and not promised.partly and self.of_keras_layers:
            if self.original.habits.state:
                return variants.STATEFUL
            if not recipe.unrolled:
                return f"{CALIBRATED_LOOP} ({', '.join(facts.loops)}); {variants.UNROLLED}"
        return ""

    @property
    def of_keras_layers(self) -> bool:
        """Whether the model is known layer by layer: in a SavedModel the converter may fuse a loop."""
        return not self.original.path.is_dir()

    def imported(self, name: str) -> Variant:
        """A .tflite file that is there already, checked."""
        path = self.experiment.imports[name]
        key = ("import", file_sha256(path))
        copy = lambda folder: self.keep(folder, path)  # noqa: E731
        return self.checked(name, "import", f"checking {name}", key, copy)

    def checked(
        self, name: str, recipe: str, what: str, key: tuple[object, ...], make: Callable[[Path], None]
    ) -> Variant:
        checks = (artifact, tensors, binding, by_answers, check, samples)
        own = cache.code_of(variants, repeatable, *checks, sys.modules[__name__])
        tested = "" if self.checked_by_calibration else self.dataset.test_sha256
        data = (self.dataset.affines, self.dataset.input_names, tested, self.dataset.state)
        code = own, original.models_code(), original.runner_code()
        made_by = (self.original.sha256, original.versions(runner.RUNTIME))
        full = key_of(*code, *made_by, data, self.of_classes, *key)
        try:
            return read_variant(name, recipe, self.shelf.obtain(what, "variants", full, make))
        except (TensorFlowMissing, DiskError):
            raise
        except ProcessDied as error:
            if self.original.facts.loops and recipe in variants.RECIPES and variants.recipe(recipe).calibrated:
                return Variant(name, recipe, status="unsupported", reason=f"{CALIBRATED_LOOP}; {variants.UNROLLED}")
            return failed(name, recipe, f"conversion failed: {first_line(error)}")
        except variants.Unsupported as error:
            return Variant(name, recipe, status="unsupported", reason=str(error))
        except Exception as error:  # whatever a converter throws is that variant's row, and the others continue
            check_disk(error)
            return failed(name, recipe, f"conversion failed: {first_line(error)}")

    def convert(self, name: str, folder: Path) -> None:
        path, own = folder / "model.tflite", self.experiment.recipes.get(name)
        make = own or recipe_of(self.experiment, name)
        kept = self.keras.call(
            variants.convert,
            self.original.path,
            make,
            self.original.feeds,
            self.calibration_of(self.experiment.adjusted.get(name)),
            path,
            self.experiment.select_ops,
        )
        expected = make.expectation if isinstance(make, variants.Recipe) else None
        if expected and kept:
            expected = replace(expected, kept=kept)  # each layer that a glob chose, not any
        write_result(
            check.check(path, self.original, self.checking, expected, own=True, run_once=self.run_once), folder
        )

    def keep(self, folder: Path, given: Path) -> None:
        shutil.copyfile(given, folder / "model.tflite")
        write_result(check.check(given, self.original, self.checking, None, own=False, run_once=self.run_once), folder)


def with_training_of(dataset: Dataset, other: Dataset) -> Dataset:
    return replace(dataset, train_inputs=other.train_inputs, train_labels=other.train_labels)


def adds_up(rows: np.ndarray) -> bool:
    return rows.ndim == 2 and rows.shape[1] > 1 and bool(np.allclose(rows.sum(axis=1), 1, atol=0.02))


def recipe_key(recipe: variants.Recipe) -> tuple[str, ...]:
    """What a recipe's file depends on besides the converter: its own code, the package it needs, its recipe file."""
    module = sys.modules[recipe.configure.__module__]
    own = cache.code_of(module), version(recipe.package) if recipe.package else ""
    if recipe.adjusted is None:
        return own
    return *own, cache.code_of(adjusting, ranges), repr(recipe.adjusted)


def write_result(result: CheckResult, folder: Path) -> None:
    """Keeps the result beside the file that was checked, with the file's hash."""
    kept = _CHECKED.dump_json(Checked(**vars(result), sha256=file_sha256(folder / "model.tflite")))
    with naming(folder / "check.json"):
        (folder / "check.json").write_bytes(kept)


def read_variant(name: str, recipe: str, folder: Path) -> Variant:
    """What the cache holds of a variant."""
    path = folder / "model.tflite"
    found = cache.read_kept(folder / "check.json", _CHECKED)
    if found.status in ("failed", "unsupported"):
        kept = f"; the file is {path}" if found.reason.startswith(check.NO_FLEX) else ""  # for a runtime of the user's
        return Variant(name, recipe, status=found.status, reason=found.reason + kept)
    facts = artifact.inspect(path)
    outputs = facts.outputs
    if found.shapes:
        outputs = tuple(replace(t, shape=tuple(s)) for t, s in zip(outputs, found.shapes, strict=True))
    return Variant(
        name,
        recipe,
        path,
        found.sha256,
        path.stat().st_size,
        facts.inputs,
        outputs,
        found.status,
        found.reason,
        feeds=tuple(found.feeds),
        yields=tuple(found.yields),
        activation_bytes=facts.activation_bytes,
    )


def failed(name: str, recipe: str, reason: str) -> Variant:
    return Variant(name, recipe, status="failed", reason=reason)


def first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    line = lines[-1 if lines[0].endswith(":") else 0].strip()[:300]  # TensorFlow begins with "in user code:"
    return f"{line}; {error.advice}" if isinstance(error, HarnessError) and error.advice else line
