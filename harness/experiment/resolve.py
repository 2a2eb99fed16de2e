"""What a user names → Experiment: a built-in one by its name, or the user's own by its file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

from harness.build.variants import NOT_CALIBRATED, RECIPES
from harness.build.variants import quantizer as quantizer  # importing it registers its recipes
from harness.build.workloads import WORKLOADS
from harness.errors import ConfigError
from harness.experiment.experiment_file import read_experiment
from harness.experiment.plans import plan_of
from harness.experiment.recipe_file import is_recipe_file, read_recipes
from harness.records import Experiment, ModelSource, Plan
from harness.support.format import nearest
from harness.support.globs import chosen


def is_experiment(name: str) -> bool:
    """Whether the name means an experiment, where a stored run may be named in its place."""
    return name in WORKLOADS or name.endswith(".toml") or (Path(name) / "experiment.toml").exists()


def experiment_of(
    name: str,
    data: Path | None = None,
    variants: Sequence[str] = (),
    plan: Plan | None = None,
    fresh: bool = False,
) -> Experiment:
    """Looks up a built-in experiment by its name, or reads the user's by its file.
    plan: None for its own. Raises ConfigError.
    """
    if name in WORKLOADS or not (name.endswith(".toml") or Path(name).exists()):
        return builtin(name, data, tuple(variants), plan or plan_of("standard"))
    if data is not None:
        raise ConfigError("--data is for the built-in experiments", f"{name} says where its data is, under [data]")
    path = Path(name) / "experiment.toml" if Path(name).is_dir() else Path(name)
    return restrict_variants(read_experiment(path, plan, fresh), tuple(variants))


def builtin(name: str, data_path: Path | None, variants: tuple[str, ...], plan: Plan) -> Experiment:
    """Returns the built-in experiment of that name. variants: names, globs or recipe files, () for all; a recipe that
    needs a package of its own is only built where it is named. Raises ConfigError.
    """
    if name not in WORKLOADS:
        raise ConfigError(
            f"there is no built-in experiment {name!r}", nearest(name, WORKLOADS, "the built-in ones are")
        )
    workload = WORKLOADS[name]
    names = tuple(name for name, recipe in RECIPES.items() if not recipe.named or name in variants)
    model = ModelSource("workload", name)
    load = cache(partial(workload.load, data_path))  # who asks first whether the data are there reads them once
    return restrict_variants(Experiment(name, load, model, names, plan), variants)


def select(patterns: tuple[str, ...], known: tuple[str, ...], uncalibrated: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Returns the known names that the patterns choose, in their own order: NAME, GLOB, or !GLOB for every other.
    Raises ConfigError where a pattern matches none, or nothing is left.

    uncalibrated: names that it would match if there were calibration samples.
    """
    for pattern in patterns:
        named = pattern.removeprefix("!")
        if not chosen(known, [named]):
            missed = chosen(uncalibrated, [named])
            if missed and named != pattern:
                continue  # what is to be left out is not built anyway
            if missed:
                message = f"{', '.join(missed)} needs samples to calibrate with, and [data] gives none"
                raise ConfigError(message, NOT_CALIBRATED[1])
            raise ConfigError(f"no variant matches {pattern!r}", nearest(pattern, known, "the variants are"))
    if not (left := chosen(known, patterns)):
        raise ConfigError(f"{' '.join(patterns)} leaves no variant", f"the variants are {', '.join(known)}")
    return left


def with_recipe_files(experiment: Experiment, patterns: tuple[str, ...]) -> tuple[Experiment, tuple[str, ...]]:
    """Returns the experiment with a variant for each recipe file, and the patterns with its name in the file's place.
    Raises ConfigError.
    """
    files = [pattern for pattern in patterns if is_recipe_file(pattern)]
    if not files:
        return experiment, patterns
    if experiment.model is None:
        told = f"{files[0]} is a recipe, and {experiment.name} has no Keras model to build it from"
        raise ConfigError(told, "name the model: source = under [model]")
    made = read_recipes(map(Path, files))
    named = tuple(Path(pattern).stem if pattern in files else pattern for pattern in patterns)
    variants = dict.fromkeys((*experiment.variants, *made))
    return replace(experiment, variants=tuple(variants), adjusted=experiment.adjusted | made), named


def restrict_variants(experiment: Experiment, patterns: tuple[str, ...]) -> Experiment:
    """Returns the experiment with only those of its variants that the patterns match, and those of recipe files that
    are among the patterns. Raises ConfigError.
    """
    experiment, patterns = with_recipe_files(experiment, patterns)
    names = select(patterns, (*experiment.variants, *experiment.imports), experiment.uncalibrated)
    return replace(
        experiment,
        variants=tuple(name for name in experiment.variants if name in names),
        imports={name: path for name, path in experiment.imports.items() if name in names},
    )
