"""What a policy can decide on a test set, before anything is measured: how often a harmless model would pass."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import bdtr

from harness.gate.policy import Policy, Rule
from harness.metrics import Metric
from harness.metrics.scores import metric_named
from harness.statistics.bootstrap import FEWEST_SAMPLES
from harness.statistics.exact import fewest_to_pass
from harness.statistics.paired_limit import PairedLimit
from harness.statistics.power import passing_share, samples_to_settle
from harness.statistics.stats import CLAIM_ROUNDS

HARMLESS = (0.002, 0.01, 0.02)  # shares of answers that differ from Keras', as many lost as won
POWERS = (0.8, 0.9)
NAMED = 5  # classes in one sentence
BY_CLASS = ("f1", "balanced_accuracy", "auc")
ROUNDS = (
    "{} rounds or more; how close to the limit they decide depends on how much the machine's rounds differ: "
    "`harness aa` measures that"
)
EXACT = "it is decided by its value, in which nothing is left to chance"
OF_THIS_SET = "it is of these samples alone: one flip fails it"
EVERY = "so few samples cannot have so many flips: give a lower limit"
NO_PROOF = "no number of samples can show a rate of exactly 0 or 100 %: give a limit between"
OF_FLIPS = "not known: it depends on how many answers differ already in what it stands against"
RATIO = "not known: it depends on how often Keras is right, so measure it first"
UNBOUNDED = (
    "with so many samples it can pass, if enough of them carry the spread; how often is not known: that depends on "
    "how the model's errors are spread"
)
BY_SHARES = "how often it passes is not known: that depends on which classes change"
NO_LABELS = "of a number of samples alone the classes are not known: name an experiment"
NO_NUMBER = "only an improvement can pass it"


@dataclass(frozen=True)
class Chances:
    """What becomes of models whose answers differ from Keras' by so much. All shares are fractions."""

    flip_rate: float
    harmless: float  # how often it passes where as many samples are lost as won; of a rule on flips, with so many
    at_limit: float  # how often it passes where it loses exactly the limit; under the rule's α
    needed: tuple[int, ...]  # how many samples pass it with each of POWERS, where it is harmless


@dataclass(frozen=True)
class Foresight:
    """One rule on a test set of so many samples. why: what else can be said, or why nothing can; "" for nothing."""

    rule: int
    words: str
    fewest: int | None = None  # samples with which the best model that there can be passes; None where no number does
    chances: tuple[Chances, ...] = ()
    why: str = ""


def foresee(
    policy: Policy, samples: int, flip_rates: Sequence[float] = HARMLESS, labels: np.ndarray | None = None
) -> tuple[Foresight, ...]:
    """Returns what each rule can decide on so many independent samples. labels: theirs; None where not known."""
    return tuple(of_rule(rule, samples, flip_rates, labels) for rule in policy.rules)


def of_rule(rule: Rule, samples: int, flip_rates: Sequence[float], labels: np.ndarray | None = None) -> Foresight:
    metric = metric_named(rule.metric)
    judged = metric.judged if metric else "samples"
    of_drop = judged == "drop" or (judged in ("accuracy", "share") and not rule.limit.absolute)
    if of_drop and metric and metric.unit != "%" and not rule.limit.relative:
        return of_loss(rule, samples, flip_rates, rule.limit.value / (100 if metric.unit == "pp" else 1))
    if (limit := share_allowed(rule, judged, samples)) is not None:
        return of_rate(rule, samples, limit, flip_rates if judged.startswith("flip") else ())
    fewest, why = at_least(rule, metric, labels)
    return Foresight(rule.number, rule.words, fewest, why=why)


def of_loss(rule: Rule, samples: int, flip_rates: Sequence[float], margin: float) -> Foresight:
    """Foresees an exact test of what is lost from sample to sample."""
    limit = PairedLimit.of_difference(margin)
    chances = tuple(of_model(limit, margin, flips, samples, rule.alpha) for flips in flip_rates)
    return Foresight(rule.number, rule.words, fewest_to_pass(limit, rule.alpha), chances)


def of_model(limit: PairedLimit, margin: float, flip_rate: float, samples: int, alpha: float) -> Chances:
    even, apart = flip_rate / 2, max(flip_rate, margin)
    harmless = passing_share(limit, even, even, samples, alpha)
    at_limit = passing_share(limit, (apart + margin) / 2, (apart - margin) / 2, samples, alpha)
    needed = tuple(math.ceil(limit.samples_for_power(even, even, alpha, power)) for power in POWERS)
    return Chances(flip_rate, harmless, at_limit, needed)


# --- shares of samples ---------------------------------------------------------------------------------------------


def share_allowed(rule: Rule, judged: str, samples: int) -> float | None:
    """Returns the largest share of samples that may count against the rule; None where it is no limit of a share."""
    if not rule.limit.absolute:
        return None
    shares = {"flip_rate": rule.limit.value, "flips": rule.limit.value / samples}
    shares |= dict.fromkeys(("accuracy", "share"), 1 - rule.limit.value)
    limit = shares.get(judged)
    return limit if limit is not None and 0 < limit < 1 else None


def of_rate(rule: Rule, samples: int, limit: float, rates: Sequence[float]) -> Foresight:
    """Foresees a limit of a share, decided by Clopper–Pearson. rates: the true ones of models to tell of."""
    allowed = most_allowed(samples, limit, rule.alpha)
    at_limit = float(bdtr(allowed, samples, limit)) if allowed >= 0 else 0.0
    passing = [float(bdtr(allowed, samples, rate)) if allowed >= 0 else 0.0 for rate in rates]
    chances = tuple(
        Chances(rate, share, at_limit, needed_for(rule, limit, rate))
        for rate, share in zip(rates, passing, strict=True)
    )
    fewest = math.floor(math.log(rule.alpha) / math.log1p(-limit)) + 1
    why = f"{samples:,} samples never pass it"
    if allowed >= 0:
        why = f"of {samples:,} samples {allowed:,} may count against it; a model exactly at the limit passes in "
        why += f"{100 * at_limit:.1f} %"
    if rule.metric == "flips":
        why += f"; fewest and N are of the same rate, {100 * limit:.3g} %"
    return Foresight(rule.number, rule.words, fewest, chances, why)


def most_allowed(samples: int, limit: float, alpha: float) -> int:
    """Returns the largest count that passes: P(so few or fewer at the limit) < α; −1 where none does."""
    return bisect_left(range(samples + 1), alpha, key=lambda count: float(bdtr(count, samples, limit))) - 1


def needed_for(rule: Rule, limit: float, rate: float) -> tuple[int, ...]:
    """Returns how many samples pass with each of POWERS; () where so high a rate is over the limit."""
    sizes = [samples_to_settle(rate, limit, rule.alpha, power, 1) for power in POWERS]
    return tuple(size for size in sizes if size) if all(sizes) else ()


# --- other rules ---------------------------------------------------------------------------------------------------


def at_least(rule: Rule, metric: Metric | None, labels: np.ndarray | None) -> tuple[int | None, str]:
    """Returns the fewest samples of a rule whose chances nobody can tell beforehand, and what can be said instead."""
    judged = metric.judged if metric else "samples"
    if judged == "rounds":
        return None, ROUNDS.format(CLAIM_ROUNDS)
    if judged == "value":
        return None, EXACT
    if rule.limit.absolute and judged in ("accuracy", "share", "flips", "flip_rate"):
        return None, (OF_THIS_SET if rule.limit.value == 0 else EVERY) if judged == "flips" else NO_PROOF
    if judged == "flips":
        return None, OF_FLIPS
    if judged == "class_drop":
        return of_classes(rule, labels)
    if judged == "drop" or (not rule.limit.absolute and judged in ("accuracy", "share")):
        return None, RATIO
    if rule.metric == "label_accuracy":
        return None, BY_SHARES.replace("classes", "samples")
    if judged == "samples" and rule.metric in BY_CLASS:
        return None, rarest(rule, labels)
    return FEWEST_SAMPLES, UNBOUNDED


def of_classes(rule: Rule, labels: np.ndarray | None) -> tuple[int | None, str]:
    """Says which classes have too few samples to pass a drop in pp, even where none of them changes."""
    if rule.limit.relative:
        return None, RATIO
    fewest = fewest_to_pass(PairedLimit.of_difference(rule.limit.value / 100), rule.alpha)
    if fewest is None or labels is None:
        return None, f"each class takes {fewest:,} samples without a change; {NO_LABELS}" if fewest else NO_NUMBER
    classes, sizes = np.unique(labels, return_counts=True)
    few = [f"class {label} has {size:,}" for label, size in zip(classes, sizes, strict=True) if size < fewest]
    more = f" and {len(few) - NAMED} further classes have too few" if len(few) > NAMED else ""
    told = f"too few to pass without an improvement: {', '.join(few[:NAMED])}{more}" if few else "each class has enough"
    return None, f"each class takes {fewest:,} samples without a change; {told}"


def rarest(rule: Rule, labels: np.ndarray | None) -> str:
    """Says how much the rarest class may hide, from which a score of classes can be bounded."""
    if labels is None or not np.issubdtype(labels.dtype, np.integer) or labels.ndim > 1 or not len(labels):
        return f"{BY_SHARES}; {NO_LABELS}"
    classes, sizes = np.unique(labels, return_counts=True)
    label, size = classes[sizes.argmin()], int(sizes.min())
    hidden = 100 * (1 - rule.alpha ** (1 / size))
    return f"{BY_SHARES}; class {label} is the rarest, with {size:,}: where none gets worse, up to {hidden:.2g} % may"
