"""What is to be tested: a model, its data, the variants to build and the plan to measure them by."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

from harness.errors import ConfigError
from harness.records import Plan
from harness.variants import RECIPES
from harness.workloads import WORKLOADS, Workload

PLANS = {
    "none": Plan("none", rounds=0, min_runs=0, min_s=0.0),
    "quick": Plan("quick", rounds=3, min_runs=50, min_s=0.2),
    "standard": Plan("standard", rounds=10, min_runs=50, min_s=0.5),
    "strict": Plan("strict", rounds=10, min_runs=1024, min_s=6.0),
}
SEED = 20_231


@dataclass(frozen=True)
class Experiment:
    """One question to the harness. data_path None: wherever the workload finds its data."""

    name: str
    workload: Workload
    data_path: Path | None
    variants: tuple[str, ...]
    plan: Plan
    seed: int = SEED


def experiment(name: str, data_path: Path | None, variants: tuple[str, ...], plan: Plan) -> Experiment:
    """The built-in experiment of that name. variants: names or globs, () for all. Raises ConfigError."""
    if name not in WORKLOADS:
        raise ConfigError(f"there is no experiment {name!r}", f"the built-in ones are {', '.join(WORKLOADS)}")
    return Experiment(name, WORKLOADS[name], data_path, select(variants), plan)


def select(patterns: tuple[str, ...]) -> tuple[str, ...]:
    """The recipes that the patterns name, in their own order. Raises ConfigError for a pattern that names none."""
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in RECIPES):
            raise ConfigError(f"no variant matches {pattern!r}", f"the variants are {', '.join(RECIPES)}")
    return tuple(name for name in RECIPES if not patterns or any(fnmatchcase(name, p) for p in patterns))


def plan_of(profile: str, **adjusted: float | int | None) -> Plan:
    """A profile of PLANS with what the user adjusted. Raises ConfigError."""
    if profile not in PLANS:
        raise ConfigError(f"there is no plan {profile!r}", f"the plans are {', '.join(PLANS)}")
    changes = {name: value for name, value in adjusted.items() if value is not None}
    if not all(0 <= value < math.inf for value in changes.values()):
        raise ConfigError("a plan's rounds, runs and seconds must be finite and not negative", "give 0 or more")
    plan = PLANS[profile]
    return replace(plan, **changes)  # type: ignore[arg-type]
