"""What a policy can decide on a test set, before anything is measured: how often a harmless model would pass."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from harness.gate.policy import Policy, Rule
from harness.metrics import METRICS
from harness.metrics.exact import fewest_to_pass
from harness.metrics.paired_limit import PairedLimit
from harness.metrics.power import passing_share

HARMLESS = (0.002, 0.01, 0.02)  # shares of answers that differ from Keras', as many lost as won
POWERS = (0.8, 0.9)
NOT_KNOWN = "known of a drop of accuracy in pp alone: of other rules it depends on what the model answers"


@dataclass(frozen=True)
class Chances:
    """What becomes of models whose answers differ from Keras' by so much. All shares are fractions."""

    flip_rate: float
    harmless: float  # how often it passes where as many samples are lost as won
    at_limit: float  # how often it passes where it loses exactly the limit; under the rule's α
    needed: tuple[int, ...]  # how many samples pass it with each of POWERS, where it is harmless


@dataclass(frozen=True)
class Foresight:
    """One rule on a test set of so many samples. why: nothing is known of it; "" where it is."""

    rule: int
    words: str
    fewest: int | None = None  # samples with which a model without any change passes; None where no number does
    chances: tuple[Chances, ...] = ()
    why: str = ""


def foresee(policy: Policy, samples: int, flip_rates: Sequence[float] = HARMLESS) -> tuple[Foresight, ...]:
    """Returns what each rule can decide on so many independent samples."""
    return tuple(of_rule(rule, samples, flip_rates) for rule in policy.rules)


def of_rule(rule: Rule, samples: int, flip_rates: Sequence[float]) -> Foresight:
    metric = METRICS.get(rule.metric)
    if not metric or metric.judged != "drop" or metric.unit != "pp" or rule.limit.relative:
        return Foresight(rule.number, rule.words, why=NOT_KNOWN)
    margin = rule.limit.value / 100
    limit = PairedLimit.of_difference(margin)
    chances = tuple(of_model(limit, margin, flips, samples, rule.alpha) for flips in flip_rates)
    return Foresight(rule.number, rule.words, fewest_to_pass(limit, rule.alpha), chances)


def of_model(limit: PairedLimit, margin: float, flip_rate: float, samples: int, alpha: float) -> Chances:
    even, apart = flip_rate / 2, max(flip_rate, margin)
    harmless = passing_share(limit, even, even, samples, alpha)
    at_limit = passing_share(limit, (apart + margin) / 2, (apart - margin) / 2, samples, alpha)
    needed = tuple(math.ceil(limit.samples_for_power(even, even, alpha, power)) for power in POWERS)
    return Chances(flip_rate, harmless, at_limit, needed)
