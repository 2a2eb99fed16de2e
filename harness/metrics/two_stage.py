"""Rounds in two stages: how far those of the first lie apart says how many the device needs in all.

The number must depend on the spread of the first stage alone, never on its values: then the mean over all rounds is
independent of how it was chosen, and intervals by the first stage's sd keep their level (Stein 1945; stats.half_width).
That holds of every row and metric at once, so the rows of a target share the number that the widest of them needs.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from harness.metrics.registry import medians_ns
from harness.records import CONTROL, Case, Plan, Round, Run
from harness.statistics import stats
from harness.statistics.stats import CLAIM_ROUNDS

Medians = dict[Case, dict[int, float]]  # round → median, ns
REFERENCE = "@reference"  # what a variant's name ends with where a gate times it beside the candidate's


def rounds_wanted(plan: Plan, rounds: Iterable[Round]) -> int:
    """Returns how many rounds in all the ratios of the first stage ask for, whatever the plan's most is.

    rounds: of one target; those after the first stage do not matter.
    """
    if plan.precision is None:
        return plan.rounds
    half, medians = math.log1p(plan.precision), first_stage(plan, rounds)
    needs = [stats.rounds_for(logs, half) for logs in log_ratios(medians) if len(logs) >= CLAIM_ROUNDS]
    return max([plan.rounds, *needs])


def rounds_planned(plan: Plan, rounds: Iterable[Round], emulated: bool = False) -> int:
    """Returns how many rounds each case of a target is timed in. emulated: the target is; more would say nothing."""
    most = plan.rounds if emulated else max(plan.rounds, plan.max_rounds)
    return min(most, rounds_wanted(plan, rounds))


def rounds_of_target(run: Run, target: str) -> int:
    """Returns how many rounds each case of the run's target was to be timed in."""
    rounds = [round_ for round_ in run.rounds if round_.case.target == target]
    return rounds_planned(run.plan, rounds, run.target(target).emulated)


def first_stage(plan: Plan, rounds: Iterable[Round]) -> Medians:
    early: dict[Case, list[Round]] = {}
    for round_ in rounds:
        if round_.index < plan.rounds and round_.counts:
            early.setdefault(round_.case, []).append(round_)
    return {case: medians_ns(own) for case, own in early.items()}


def log_ratios(medians: Medians) -> list[np.ndarray]:
    """Returns for each row the logarithm of its ratio to what it is compared with, round by round; its own median's
    where there is nothing beside it.
    """
    other = {case: beside for case in medians if (beside := compared_with(case)) in medians and beside != case}
    alone = medians.keys() - other.keys() - set(other.values())
    ratios = [np.log([medians[a][n] / medians[b][n] for n in shared(medians, a, b)]) for a, b in other.items()]
    return [*ratios, *(np.log(list(medians[case].values())) for case in alone)]


def shared(medians: Medians, one: Case, other: Case) -> list[int]:
    return sorted(medians[one].keys() & medians[other].keys())


def compared_with(case: Case) -> Case:
    """Returns float32 in the same place; of a candidate beside its reference, that."""
    name, _, side = case.variant.partition("@")
    return replace(case, variant=name + REFERENCE if side else CONTROL)


def first_of(first_stage: int | None, indices: Iterable[int]) -> int | None:
    """Returns how many of these rounds are of the first stage, as stats.half_width takes it. first_stage: a plan's."""
    return None if first_stage is None else sum(index < first_stage for index in indices)


def stage_words(rounds: int, first: int | None) -> str:
    """Says where so many rounds are of two stages, and how many are of the first."""
    return "" if first is None or first == rounds else f", in two stages (Stein), the first of {first}"
