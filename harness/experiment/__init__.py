"""What is to be tested: a model, its data, the variants to build, how to score them, and the plan to time them by."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path

from harness.dataset import Dataset
from harness.errors import ConfigError
from harness.functions import FunctionRef
from harness.records import BY_DATA, KERAS, Plan, Scoring
from harness.variants import NOT_CALIBRATED, RECIPES
from harness.variants import quantizer as quantizer  # importing it registers its recipes
from harness.workloads import WORKLOADS

RESTLESS_RATIO = 1.05  # on a quiet machine 1 round of .05 s in 40 exceeds it, its median too high by as much
PLANS = {
    "none": Plan("none", rounds=0, min_runs=0, min_s=0.0),
    "quick": Plan("quick", rounds=3, min_runs=50, min_s=0.2, restless_ratio=RESTLESS_RATIO),
    "standard": Plan("standard", rounds=10, min_runs=50, min_s=0.5, restless_ratio=RESTLESS_RATIO),
    "strict": Plan("strict", rounds=10, min_runs=1024, min_s=6.0, restless_ratio=RESTLESS_RATIO),
}
SEED = 20_231


@dataclass(frozen=True)
class ModelSource:
    """Where the Keras model comes from.

    kind: "workload", trained by the built-in experiment `where`; "file", a .keras or .h5 file; "saved_model", a folder;
    "function", of the user's, which returns a Keras model. folder: where a function's package is looked for.
    """

    kind: str
    where: str
    folder: Path = Path()


@dataclass(frozen=True)
class Experiment:
    """One question to the harness.

    variants: names of recipes to build. recipes: name → a recipe of the user's. imports: name → an existing .tflite
    file. baseline: KERAS, or the name of the variant that takes its place where model is None.
    """

    name: str
    load: Callable[[], Dataset]
    model: ModelSource | None
    variants: tuple[str, ...]
    plan: Plan
    seed: int = SEED
    recipes: dict[str, FunctionRef] = field(default_factory=dict)
    imports: dict[str, Path] = field(default_factory=dict)
    baseline: str = KERAS
    scoring: Scoring = BY_DATA
    left_out: tuple[str, ...] = ()  # recipes that are not built for want of calibration samples
    select_ops: bool = False  # whether ops that need TensorFlow's own kernels are allowed


def builtin(name: str, data_path: Path | None, variants: tuple[str, ...], plan: Plan) -> Experiment:
    """The built-in experiment of that name. variants: names or globs, () for all; a recipe that needs a package of its
    own is only built where it is named. Raises ConfigError.
    """
    if name not in WORKLOADS:
        raise ConfigError(f"there is no built-in experiment {name!r}", f"the built-in ones are {', '.join(WORKLOADS)}")
    workload = WORKLOADS[name]
    known = tuple(name for name, recipe in RECIPES.items() if not recipe.package or name in variants)
    model = ModelSource("workload", name)
    return Experiment(name, partial(workload.load, data_path), model, select(variants, known), plan)


def select(patterns: tuple[str, ...], known: tuple[str, ...], left_out: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The known names that match the patterns, in their own order. Raises ConfigError where a pattern matches none.

    left_out: names that it would match if there were calibration samples.
    """
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in known):
            if missed := [name for name in left_out if fnmatchcase(name, pattern)]:
                told = f"{', '.join(missed)} needs samples to calibrate with, and [data] gives none"
                raise ConfigError(told, NOT_CALIBRATED[1])
            raise ConfigError(f"no variant matches {pattern!r}", f"the variants are {', '.join(known)}")
    return tuple(name for name in known if not patterns or any(fnmatchcase(name, p) for p in patterns))


def restrict_variants(experiment: Experiment, patterns: tuple[str, ...]) -> Experiment:
    """The experiment with only those of its variants that the patterns match. Raises ConfigError."""
    names = select(patterns, (*experiment.variants, *experiment.imports), experiment.left_out)
    return replace(
        experiment,
        variants=tuple(name for name in experiment.variants if name in names),
        imports={name: path for name, path in experiment.imports.items() if name in names},
    )


def plan_of(profile: str, **adjusted: float | int | None) -> Plan:
    """A profile of PLANS with what the user adjusted. Raises ConfigError."""
    if profile not in PLANS:
        raise ConfigError(f"there is no plan {profile!r}", f"the plans are {', '.join(PLANS)}")
    return adjust(PLANS[profile], **adjusted)


def adjust(plan: Plan, **adjusted: float | int | None) -> Plan:
    """The plan with what is not None in place of its own. Raises ConfigError."""
    changes = {name: value for name, value in adjusted.items() if value is not None}
    if not all(0 <= value < math.inf for value in changes.values()):
        raise ConfigError("a plan's rounds, runs and seconds must be finite and not negative", "give 0 or more")
    if plan.profile == "none" and any(changes.values()):
        told = f"plan none times nothing, so {' and '.join(changes)} cannot be used with it"
        raise ConfigError(told, "leave that out, or use plan quick, standard or strict")
    made = replace(plan, **changes)  # type: ignore[arg-type]
    if made.min_runs > made.max_runs:
        told = f"min_runs is {made.min_runs:,}, and a round makes {made.max_runs:,} timings at most"
        raise ConfigError(told, f"give {made.max_runs:,} or fewer, or a longer min_s")
    return made
