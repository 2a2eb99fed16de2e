"""The plans by name, and a plan that the user adjusted."""

from __future__ import annotations

import math
import re
from dataclasses import replace

from harness.errors import ConfigError
from harness.records import Plan
from harness.records.plan import RESTLESS_RATIO
from harness.statistics.stats import CLAIM_ROUNDS
from harness.support.format import nearest

PLANS = {
    "none": Plan("none", rounds=0, min_runs=0, min_s=0.0),
    "quick": Plan("quick", rounds=3, min_runs=50, min_s=0.2, restless_ratio=RESTLESS_RATIO),
    "standard": Plan("standard", rounds=10, min_runs=50, min_s=0.5, restless_ratio=RESTLESS_RATIO),
    "strict": Plan("strict", rounds=10, min_runs=1024, min_s=6.0, restless_ratio=RESTLESS_RATIO),
}


PERCENT = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*%")
WIDEST, NARROWEST = 0.5, 0.0005  # precisions that make sense to ask for


def precision_of(text: str | None) -> float | None:
    """Reads "1%" as .01. Raises ConfigError."""
    if text is None:
        return None
    found = PERCENT.fullmatch(text.strip())
    if not found or not NARROWEST <= (share := float(found[1]) / 100) <= WIDEST:
        message = f"a precision of {text!r} cannot be used"
        raise ConfigError(message, "give the half-width of a ratio in percent, from 0.05% to 50%, such as 1%")
    return share


def plan_of(profile: str, **adjusted: float | int | None) -> Plan:
    """Returns a profile of PLANS with the user's adjustments. Raises ConfigError."""
    if profile not in PLANS:
        raise ConfigError(f"there is no plan {profile!r}", nearest(profile, PLANS, "the plans are"))
    return adjust(PLANS[profile], **adjusted)


def as_plan(plan: str | Plan | None) -> Plan | None:
    """Returns a plan by its profile's name, or as it is. Raises ConfigError."""
    return plan_of(plan) if isinstance(plan, str) else plan


def adjust(plan: Plan, **adjusted: float | int | None) -> Plan:
    """Returns the plan with every adjustment that is not None. Raises ConfigError."""
    changes = {name: value for name, value in adjusted.items() if value is not None}
    if not all(0 <= value < math.inf for value in changes.values()):
        raise ConfigError("a plan's rounds, runs and seconds must be finite and not negative", "give 0 or more")
    if plan.profile == "none" and any(changes.values()):
        message = f"plan none times nothing, so {' and '.join(changes)} cannot be used with it"
        raise ConfigError(message, "leave that out, or use plan quick, standard or strict")
    result = replace(plan, **changes)  # type: ignore[arg-type]
    if result.precision and result.rounds < CLAIM_ROUNDS:
        if "rounds" in changes:
            message = f"{result.rounds} rounds do not say how many more a precision takes"
            raise ConfigError(message, f"give {CLAIM_ROUNDS} rounds or more to begin with, or leave them out")
        result = replace(result, rounds=CLAIM_ROUNDS)
    if result.min_runs > result.max_runs:
        message = f"min_runs is {result.min_runs:,}, and a round makes {result.max_runs:,} timings at most"
        raise ConfigError(message, f"give {result.max_runs:,} or fewer, or a longer min_s")
    return result
