"""How often models pass a rule, where a formula says it: the exact test of what is lost, and Clopper–Pearson's."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence

import numpy as np
from scipy.special import bdtr

from harness.gate.judge.loss import POWERS
from harness.gate.known import Foresight
from harness.gate.least import RIGHT, of_classes
from harness.gate.policy import Rule
from harness.gate.simulated import Chances, Supposed, counts_changes
from harness.metrics import Metric
from harness.statistics.exact import fewest_to_pass
from harness.statistics.paired_limit import PairedLimit
from harness.statistics.power import passing_share, samples_to_settle

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
