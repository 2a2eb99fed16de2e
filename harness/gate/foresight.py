"""What a policy can decide on a test set, before anything is measured: how often a harmless model would pass."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import bdtr

from harness.gate.judge.loss import POWERS
from harness.gate.policy import Policy, Rule
from harness.gate.simulated import Chances, Supposed, counts_changes, moves, of_groups, of_metric
from harness.metrics import Metric
from harness.metrics.scores import NUMBERS, metric_named
from harness.metrics.task import FRAMES, MASKS
from harness.records import Absent
from harness.statistics.bootstrap import FEWEST_SAMPLES
from harness.statistics.clustered import group_words
from harness.statistics.exact import fewest_to_pass
from harness.statistics.paired_limit import PairedLimit
from harness.statistics.power import passing_share, samples_to_settle
from harness.statistics.stats import CLAIM_ROUNDS

HARMLESS = (0.002, 0.01, 0.02)  # shares of answers that differ from Keras', as many lost as won
MOVED = (0.02, 0.1, 0.3)  # how far numbers move, as a share of the spread of Keras' errors
NAMED = 5  # classes in one sentence
BY_CLASS = ("f1", "balanced_accuracy", "auc")
RESAMPLED = ("mae", "rmse", "r2", "distance", "sqnr", "ece", "label_f1", "wer", "cer")
BY_NUMBERS = ("mae", "rmse", "r2")
ROUNDS = (
    "{} rounds or more; how close to the limit they decide depends on how much the machine's rounds differ: "
    "`harness aa` measures that"
)
EXACT = "it is decided by its value, in which nothing is left to chance"
OF_THIS_SET = "it is of these samples alone: one flip fails it"
EVERY = "so few samples cannot have so many flips: give a lower limit"
NO_PROOF = "no number of samples can show a rate of exactly 0 or 100 %: give a limit between"
OF_FLIPS = "not known: it depends on how many answers differ already in what it stands against"
UNBOUNDED = (
    "with so many samples it can pass, if enough of them carry the spread; how often is not known: that depends on "
    "how the model's errors are spread"
)
NOT_KNOWN = "how often it passes is not known before the model has answered"
RATIO = "not known: it depends on how often Keras is right in each class, so measure it first"
HOW_GOOD = "how often it passes depends on how good Keras is, which is not known yet: suppose it by --baseline PERCENT"
OF_GROUPS = "not known over groups: it depends on which samples change"
RIGHT = "Keras is supposed right in {:.3g} %{}"
EXPLAINS = "Keras is supposed to explain {:.3g} % of the labels' variance, with normal errors"
SIMULATED = "simulated by {} draws or more, ± {:.0f} points at most"
SCORED = " of each class, with normal scores"
ALIKE = "changes of one group are supposed correlated by {:.2g}, and N counts groups"
BY_SHARES = "how often it passes is not known: that depends on which classes change"
NO_LABELS = "of a number of samples alone the classes are not known: name an experiment"
NO_NUMBER = "only an improvement can pass it"


@dataclass(frozen=True, eq=False)
class Known:
    """What is known of a test set before anything is measured."""

    samples: int
    labels: np.ndarray | None = None
    groups: np.ndarray | None = None  # the group of each sample, (samples,); None where all are independent
    several: bool = False  # several outputs have labels: these are those of the first alone

    @property
    def classes(self) -> np.ndarray | None:
        """The class of each sample, (samples,); None where labels are no classes, or of one output among several."""
        labels = self.labels
        one_each = labels is not None and labels.ndim == 1 and labels.dtype.kind in "ui"
        return labels if one_each and not self.several else None


@dataclass(frozen=True)
class Foresight:
    """One rule on a test set of so many samples. why: what else can be said, or why nothing can; "" for nothing."""

    rule: int
    words: str
    fewest: int | None = None  # samples with which the best model that there can be passes; None where no number does
    chances: tuple[Chances, ...] = ()
    why: str = ""


def foresee(
    policy: Policy, known: Known, flip_rates: Sequence[float] = HARMLESS, supposed: Supposed | None = None
) -> tuple[Foresight, ...]:
    """Returns what each rule can decide on such a test set."""
    return tuple(of_rule(rule, known, flip_rates, supposed or Supposed()) for rule in policy.rules)


def of_rule(rule: Rule, known: Known, flip_rates: Sequence[float], supposed: Supposed) -> Foresight:
    metric, samples = metric_named(rule.metric), known.samples
    judged = metric.judged if metric else "samples"
    if metric and known.groups is not None and judged not in ("rounds", "value"):
        return in_groups(rule, metric, known.groups, flip_rates, supposed)
    if metric and (judged == "drop" or (judged in ("accuracy", "share") and not rule.limit.absolute)):
        return of_loss(rule, metric, samples, flip_rates, supposed)
    if (limit := share_allowed(rule, judged, samples)) is not None:
        return of_rate(rule, samples, limit, rates_of(rule, metric, flip_rates, supposed))
    if metric and judged == "class_drop" and known.classes is not None and not rule.limit.relative:
        return of_every_class(rule, known.classes, flip_rates)
    labels = known.classes if rule.metric in BY_CLASS else known.labels
    if metric and labels is not None and rule.metric in (*BY_CLASS, *BY_NUMBERS):
        return drawn(rule, metric, labels, flip_rates, supposed)
    fewest, why = at_least(rule, metric, known.classes)
    return Foresight(rule.number, rule.words, fewest, why=why)


# --- what is lost from sample to sample ----------------------------------------------------------------------------


def of_loss(rule: Rule, metric: Metric, samples: int, flip_rates: Sequence[float], supposed: Supposed) -> Foresight:
    """Foresees an exact test of what is lost from sample to sample; of a ratio, as often as Keras is supposed right."""
    limit, right, why = limit_of_loss(rule, metric), supposed.baseline, ""
    base = 1 - right if metric.unit == "%" else right if rule.limit.relative else 1.0
    if base < 1:
        why = RIGHT.format(100 * right, "")
    counting = [min(base + flips / 2, 1.0) for flips in flip_rates]
    chances = tuple(
        of_model(limit, flips, samples, share, rule.alpha) for flips, share in zip(flip_rates, counting, strict=True)
    )
    fewest = fewest_to_pass(limit, rule.alpha)
    return Foresight(rule.number, rule.words, math.ceil(fewest / base) if fewest and base else fewest, chances, why)


def limit_of_loss(rule: Rule, metric: Metric) -> PairedLimit:
    value = rule.limit.value
    if metric.unit == "%":
        return PairedLimit.of_ratio(1 + value / 100)
    if rule.limit.relative:
        return PairedLimit.of_ratio(1 / (1 - value))
    return PairedLimit.of_difference(value / (100 if metric.unit == "pp" else 1))


def of_model(limit: PairedLimit, flip_rate: float, samples: int, counting: float, alpha: float) -> Chances:
    """counting: the share of the samples that count."""
    n, even = round(samples * counting), flip_rate / 2 / counting
    changed = max(2 * even, limit.least)
    lost = changed * float(limit.share_lost(np.array([changed]))[0])
    harmless, at_limit = (
        passing_share(limit, *shares, n, alpha) for shares in ((even, even), (lost, max(changed - lost, 0.0)))
    )
    needed = [limit.samples_for_power(even, even, alpha, power) / counting for power in POWERS]
    return Chances(flip_rate, harmless, at_limit, tuple(map(math.ceil, needed)) if math.isfinite(max(needed)) else ())


def of_every_class(rule: Rule, labels: np.ndarray, flip_rates: Sequence[float]) -> Foresight:
    """Foresees the drop of each class: classes are independent, and all have to pass; one alone is at the limit."""
    limit = PairedLimit.of_difference(rule.limit.value / 100)
    fewest, why = of_classes(rule, labels)
    sizes = np.unique(labels, return_counts=True)[1]
    rarest, chances = sizes.min() / len(labels), []
    for flips in flip_rates:
        each = [of_model(limit, flips, int(size), 1.0, rule.alpha) for size in sizes]
        every = [limit.samples_for_power(flips / 2, flips / 2, rule.alpha, p ** (1 / len(sizes))) for p in POWERS]
        needed = tuple(math.ceil(n / rarest) for n in every) if math.isfinite(max(every)) else ()
        harmless, at_limit = math.prod(of.harmless for of in each), max(of.at_limit or 0.0 for of in each)
        chances.append(Chances(flips, harmless, at_limit, needed))
    return Foresight(rule.number, rule.words, fewest, tuple(chances), why)


# --- what is drawn -------------------------------------------------------------------------------------------------


def drawn(rule: Rule, metric: Metric, labels: np.ndarray, flip_rates: Sequence[float], supposed: Supposed) -> Foresight:
    """Foresees a metric by the answers of supposed models."""
    fewest = at_least(rule, metric, labels)[0]
    if rule.limit.absolute and not supposed.told:
        return Foresight(rule.number, rule.words, fewest, why=HOW_GOOD)
    of_numbers = metric.tasks == NUMBERS
    said = (EXPLAINS if of_numbers else RIGHT).format(100 * supposed.baseline, SCORED)
    rates = (0.0,) if rule.limit.absolute else MOVED if of_numbers else flip_rates
    try:
        chances = tuple(of_metric(rule, metric, labels, changed, supposed) for changed in rates)
    except Absent as absent:
        return Foresight(rule.number, rule.words, fewest, why="; ".join((said, absent.reason)))
    hidden = "" if of_numbers or rule.limit.absolute else rarest(rule, labels)
    why = "; ".join(filter(None, (hidden, said, simulated(chances))))
    return Foresight(rule.number, rule.words, fewest, chances, why)


def in_groups(
    rule: Rule, metric: Metric, groups: np.ndarray, flip_rates: Sequence[float], supposed: Supposed
) -> Foresight:
    """Foresees a limit of a share over groups, by the answers of supposed models."""
    of_value = not moves(rule, metric) and not counts_changes(metric)
    if metric.judged not in ("drop", "accuracy", "share", "flip_rate", "flips"):
        return Foresight(rule.number, rule.words, why=OF_GROUPS)
    if metric.judged == "flips" and (not rule.limit.absolute or rule.limit.value <= 0):
        return Foresight(rule.number, rule.words, why=OF_FLIPS)
    if of_value and not supposed.told:
        return Foresight(rule.number, rule.words, why=HOW_GOOD)
    said = "; ".join((group_words(groups), RIGHT.format(100 * supposed.baseline, ""), ALIKE.format(supposed.alike)))
    try:
        rates = (0.0,) if of_value else flip_rates
        chances = tuple(of_groups(rule, metric, groups, changed, supposed) for changed in rates)
    except Absent as absent:
        return Foresight(rule.number, rule.words, why="; ".join((said, absent.reason)))
    return Foresight(rule.number, rule.words, None, chances, f"{said}; {simulated(chances)}")


def simulated(chances: Sequence[Chances]) -> str:
    """Says how many draws they are of, and how far off by that at most: two standard errors."""
    tries = min(each.tries or 1 for each in chances)
    return SIMULATED.format(tries, 100 / math.sqrt(tries))


# --- shares of samples ---------------------------------------------------------------------------------------------


def share_allowed(rule: Rule, judged: str, samples: int) -> float | None:
    """Returns the largest share of samples that may count against the rule; None where it is no limit of a share."""
    if not rule.limit.absolute:
        return None
    shares = {"flip_rate": rule.limit.value, "flips": rule.limit.value / samples}
    shares |= dict.fromkeys(("accuracy", "share"), 1 - rule.limit.value)
    limit = shares.get(judged)
    return limit if limit is not None and 0 < limit < 1 else None


def rates_of(rule: Rule, metric: Metric | None, flip_rates: Sequence[float], supposed: Supposed) -> Sequence[float]:
    """Returns the shares that count against the rule, of models to tell of; () where nobody knows."""
    if metric and counts_changes(metric):
        return flip_rates
    return (1 - supposed.baseline,) if supposed.told and rule.metric == "accuracy" else ()


def of_rate(rule: Rule, samples: int, limit: float, rates: Sequence[float]) -> Foresight:
    """Foresees a limit of a share, decided by Clopper–Pearson. rates: the true ones of models to tell of."""
    allowed = most_allowed(samples, limit, rule.alpha)
    at_limit = float(bdtr(allowed, samples, limit)) if allowed >= 0 else 0.0
    passing = [float(bdtr(allowed, samples, rate)) if allowed >= 0 else 0.0 for rate in rates]
    of_value = not rule.metric.startswith("flip") and rule.metric != "agreement"
    chances = tuple(
        Chances(0.0 if of_value else rate, share, at_limit, needed_for(rule, limit, rate))
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
    if metric and metric.tasks in (MASKS, FRAMES):
        return None, BY_SHARES
    if rule.metric == "label_accuracy":
        return None, BY_SHARES.replace("classes", "samples")
    if judged == "samples" and rule.metric in BY_CLASS:
        return None, f"{BY_SHARES}; {NO_LABELS}"
    return (FEWEST_SAMPLES, UNBOUNDED) if rule.metric in RESAMPLED else (None, NOT_KNOWN)


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


def rarest(rule: Rule, labels: np.ndarray) -> str:
    """Says how much the rarest class may hide, from which a score of classes can be bounded."""
    classes, sizes = np.unique(labels, return_counts=True)
    label, size = classes[sizes.argmin()], int(sizes.min())
    hidden = 100 * (1 - rule.alpha ** (1 / size))
    return f"class {label} is the rarest, with {size:,}: where none gets worse, up to {hidden:.2g} % may"
