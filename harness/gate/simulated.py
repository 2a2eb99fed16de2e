"""How often supposed models pass a rule that no formula foresees: their answers are drawn, and the judge decides."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from harness.gate.evidence import Pair
from harness.gate.judge import resampled
from harness.gate.judge.grouped import fewest_groups, limit_of, passes_over, share_of
from harness.gate.judge.loss import POWERS
from harness.gate.judge.resampled import Held, held_of, samples_needed
from harness.gate.policy import Rule
from harness.metrics import Metric
from harness.metrics.left_out import FEWEST_GROUPS, UNITS, LeftOut, Summed, of_sums
from harness.metrics.registry import Answers
from harness.metrics.scores import NUMBERS
from harness.metrics.scoring import resampling
from harness.metrics.task import SEVERAL
from harness.records import Absent
from harness.statistics.bootstrap import Influences, Statistic, WithLimits
from harness.statistics.bounded import Effects
from harness.statistics.by_label import Both
from harness.statistics.clustered import LEAST_EFFECTIVE, Clustered, sizes_of
from harness.statistics.supposed import Labels, Outcomes, Residuals, Scores, alike_in, independent

TRIES, FEWEST_TRIES = 200, 30
LONGEST_S, PATIENCE = 2.0, 5  # for one share; so many times as long until the fewest are tried
LARGE = 20_000  # samples of the draw by which N is told
TYPICAL = 15  # draws of groups, by whose median N is told
SEED = 20_231
TOO_SLOW = f"fewer than {FEWEST_TRIES} test sets were judged in {PATIENCE * LONGEST_S:g} s"


@dataclass(frozen=True)
class Supposed:
    """What is supposed before anything is measured. baseline: the share of answers that Keras has right, of numbers the
    share of their variance. alike: how far samples of a group change together, a correlation.
    """

    baseline: float = 0.9
    alike: float = 0.5
    told: bool = False  # whether the user says how good Keras is


@dataclass(frozen=True)
class Chances:
    """What becomes of models of which so much changed. All shares are fractions."""

    changed: float  # answers that differ, as many lost as won; of numbers, how far outputs move, over Keras' errors
    harmless: float  # how often it passes where it is as good as Keras; of a rule on flips, with so many
    at_limit: float | None  # how often it passes where it loses exactly the limit; None where that is not known
    needed: tuple[int, ...]  # how many samples, or groups, pass it with each of POWERS, where it is harmless
    tries: int | None = None  # draws that the shares are of; None where they are computed


def tried(passes: Callable[[], bool], most: int = TRIES, longest_s: float = LONGEST_S) -> tuple[float, int] | None:
    """Returns the share that passes, and how many were tried. None: too few in the time that there is."""
    start_s, passed, tries = time.monotonic(), 0, 0
    while tries < most and time.monotonic() - start_s < longest_s * (PATIENCE if tries < FEWEST_TRIES else 1):
        passed, tries = passed + passes(), tries + 1
    return (passed / tries, tries) if tries >= FEWEST_TRIES else None


def shares_that_pass(
    harmless: Callable[[], bool], at_limit: Callable[[], bool] | None
) -> tuple[float, float | None, int]:
    """Returns the share of each, and the fewest draws that one is of. at_limit: None where nothing can be drawn there.

    Raises Absent where there is too little time.
    """
    one, other = tried(harmless), tried(at_limit) if at_limit else (None, TRIES)
    if one is None or other is None:
        raise Absent(TOO_SLOW)
    return one[0], other[0], min(one[1], other[1])


def moves(rule: Rule, metric: Metric) -> bool:
    """Whether the limit is of how far it moved: that of a drop is, as of every increase and decrease."""
    return metric.judged == "drop" or not rule.limit.absolute


# --- metrics of labels and outputs -----------------------------------------------------------------------------------


def of_metric(rule: Rule, metric: Metric, labels: np.ndarray, changed: float, supposed: Supposed) -> Chances:
    """Judges answers of supposed models, of which so much changed. Raises Absent."""
    rng = np.random.default_rng(SEED)
    model = model_of(metric, labels, changed, supposed)

    def held(of: np.ndarray) -> Held:
        before, after = (Answers(of, each, each) for each in model.drawn(of, independent(rng)))
        assert metric.statistic
        with resampling():
            own, other = metric.statistic(after), metric.statistic(before) if moves(rule, metric) else None
            return held_of(rule, metric, own, other, len(of))

    def passes(found: Held) -> bool:
        with resampling():
            return resampled.outcome_by(found.moved, found.limit, found.sign, rule.alpha) == "pass"

    large = held(np.tile(labels, (math.ceil(LARGE / len(labels)), *[1] * (labels.ndim - 1))))
    drawn = alone(held(labels))

    def passes_at_limit() -> bool:
        assert not isinstance(drawn, Both)
        return passes(replace(large, moved=drawn.drawn(large.limit, large.sign, rng)))

    at_its_limit = None if isinstance(drawn, Both) else passes_at_limit
    harmless, at_limit, tries = shares_that_pass(lambda: passes(held(labels)), at_its_limit)
    return Chances(changed, harmless, at_limit, samples_needed(rule, unmoved(large)), tries)


def of_metric_in_groups(
    rule: Rule, metric: Metric, labels: np.ndarray, groups: np.ndarray, changed: float, supposed: Supposed
) -> Chances:
    """Judges a metric over groups whose samples change together. How often it passes at its limit is not known.
    Raises Absent.
    """
    rng = np.random.default_rng(SEED)
    model = model_of(metric, labels, changed, supposed)

    def draw(of: np.ndarray, members: np.ndarray) -> tuple[Held, Held]:
        noise = alike_in(members, supposed.alike, rng)
        before, after = (Answers(of, each, each) for each in model.drawn(of, noise))
        assert metric.statistic
        own, other = metric.statistic(after), metric.statistic(before) if moves(rule, metric) else None
        apart = held_of(rule, metric, own, other, len(of))
        whole, past = (each and of_sums(cast(Summed, each), members) for each in (own, other))
        return held_of(
            rule, metric, cast(Statistic, whole), cast(Statistic | None, past), len(sizes_of(members))
        ), apart

    def passes() -> bool:
        with resampling():
            return passes_over(*draw(labels, groups), labels, groups, rule.alpha)

    harmless, at_limit, tries = shares_that_pass(passes, None)

    def needed() -> tuple[int, ...]:
        some, members = as_many_as_units(labels, groups, rng)
        held, apart = draw(some, members)
        assert isinstance(held.moved, LeftOut)
        fewest = fewest_groups(apart, some, members, rule.alpha) or FEWEST_GROUPS
        truth = 0.0 if moves(rule, metric) else held.moved.value
        return samples_needed(rule, replace(held, moved=replace(held.moved, value=truth, fewest=fewest)))

    each = [needed() for _ in range(TYPICAL)]
    middle = tuple(int(np.median(of)) for of in zip(*each, strict=True)) if all(each) else ()
    return Chances(changed, harmless, at_limit, middle, tries)


def as_many_as_units(labels: np.ndarray, groups: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Returns labels and groups of UNITS groups like these, so that each is left out by itself."""
    many = math.ceil(UNITS / len(sizes_of(groups)))
    copied, every = np.tile(labels, (many, *[1] * (labels.ndim - 1))), copies_of(groups, many)
    kept = np.isin(every, rng.permutation(np.unique(every))[:UNITS])
    return copied[kept], np.unique(every[kept], return_inverse=True)[1].reshape(-1)


def copies_of(groups: np.ndarray, many: int) -> np.ndarray:
    """Returns so many test sets of such groups, one after the other."""
    return np.concatenate([groups + copy * (int(groups.max()) + 1) for copy in range(many)])


def model_of(metric: Metric, labels: np.ndarray, changed: float, supposed: Supposed) -> Scores | Labels | Residuals:
    """Raises Absent where the labels are not what the metric is of."""
    if metric.tasks == NUMBERS:
        return Residuals(supposed.baseline, changed)
    if metric.tasks == SEVERAL and labels.ndim == 2:
        return Labels(Scores.of(2, supposed.baseline, changed))
    if not np.issubdtype(labels.dtype, np.integer) or labels.ndim > 1:
        raise Absent("the labels are no classes")
    return Scores.of(max(int(labels.max()) + 1, 2), supposed.baseline, changed)


def alone(held: Held) -> Effects | Influences | Both:
    """Returns what a limit is made of. Raises Absent where a limit decides nothing."""
    found = getattr(held.moved, "alone", held.moved)
    if not isinstance(found, Effects | Influences | Both):
        raise Absent("its limits cannot be drawn again")
    if found.doubt:
        raise Absent(found.doubt)
    return found


def unmoved(held: Held) -> Held:
    """Returns the same as if the draw were neither lucky nor unlucky; a value is as it was drawn."""
    moved = alone(held)
    if held.moved is not moved:
        return replace(held, moved=moved)
    return replace(held, moved=still(moved))


def still(moved: WithLimits) -> WithLimits:
    """Returns the same move with a value of 0."""
    if isinstance(moved, Both):
        return Both(still(moved.resampled), moved.bounded.plus(-moved.bounded.value))
    if isinstance(moved, Effects):
        return moved.plus(-moved.value)
    assert isinstance(moved, Influences)
    return replace(moved, value=0.0)


# --- samples in groups -----------------------------------------------------------------------------------------------


def of_groups(rule: Rule, metric: Metric, groups: np.ndarray, changed: float, supposed: Supposed) -> Chances:
    """Judges a share of samples, or what is lost of them, over groups whose samples change together. Raises Absent."""
    rng, many = np.random.default_rng(SEED), math.ceil(LARGE / len(groups))
    limit, sign = limit_among(rule, metric, len(groups)), -1 if rule.limit.kind == "min" else 1
    even, over = outcomes(rule, metric, limit, changed, supposed)

    def passes(of: Outcomes) -> bool:
        share = clustered(rule, metric, of, groups, rng)
        enough = share.effective >= LEAST_EFFECTIVE
        return enough and share.excess(limit, share.t_at(1 - rule.alpha), sign) < 0

    harmless, at_limit, tries = shares_that_pass(lambda: passes(even), lambda: passes(over))
    large, truth = (
        clustered(rule, metric, even, copies_of(groups, many), rng),
        truth_of(rule, metric, changed, supposed),
    )
    typical = replace(large, counts=large.counts + (truth - large.value) * large.bases)
    times = [typical.times_to_settle(limit, rule.two_sided, power) for power in POWERS]
    needed = tuple(math.ceil(each * len(large.sizes)) for each in times if each)
    passing = needed if all(times) and sign * (limit - truth) > 0 else ()
    return Chances(changed, harmless, at_limit, passing, tries)


def limit_among(rule: Rule, metric: Metric, samples: int) -> float:
    """Returns the limit as a fraction of what it is a share of."""
    return rule.limit.value / samples if metric.judged == "flips" else limit_of(rule, metric)


def counts_changes(metric: Metric) -> bool:
    return metric.judged in ("flips", "flip_rate") or metric.to_baseline


def outcomes(rule: Rule, metric: Metric, limit: float, changed: float, supposed: Supposed) -> tuple[Outcomes, Outcomes]:
    """Returns those of a harmless model, and of one at the limit."""
    right, alike = supposed.baseline, supposed.alike
    even = Outcomes(right, changed / 2, changed / 2, alike)
    if moves(rule, metric):
        base = 1 - right if metric.unit == "%" else right if rule.limit.relative else 1.0
        wide = max(changed, limit * base)
        return even, Outcomes(right, (wide + limit * base) / 2, (wide - limit * base) / 2, alike)
    if not counts_changes(metric):
        return Outcomes(right, 0, 0, alike), Outcomes(limit, 0, 0, alike)
    differ = 1 - limit if rule.limit.kind == "min" else limit
    won = min(differ / 2, 1 - right)
    return even, Outcomes(right, differ - won, won, alike)


def truth_of(rule: Rule, metric: Metric, changed: float, supposed: Supposed) -> float:
    """Returns the share that is limited, of a harmless model."""
    if moves(rule, metric):
        return 0.0
    if not counts_changes(metric):
        return supposed.baseline
    return 1 - changed if rule.limit.kind == "min" else changed


def clustered(rule: Rule, metric: Metric, of: Outcomes, groups: np.ndarray, rng: np.random.Generator) -> Clustered:
    """Returns the share that is limited, of one draw."""
    before, after = of.drawn(groups, rng)
    if moves(rule, metric):
        return share_of(rule, metric, Pair(np.ones(len(groups), int), before.astype(int), after.astype(int), groups))
    if not counts_changes(metric):
        return Clustered.of_rate(after, groups)
    return Clustered.of_rate(before == after if rule.limit.kind == "min" else before != after, groups)
