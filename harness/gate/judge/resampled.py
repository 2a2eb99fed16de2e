"""Rules on metrics of labels and outputs: F1, AUC, MAE, RMSE, a user's own. What did not move is bounded by what could.

The limits are made again at the rule's confidence, of the value or of how far it moved. What moved is paired: the same
samples, answered twice. How limits are made is the metric's own: by likelihood where scores are bounded
(statistics/bounded.py), else by the bootstrap-t (statistics/bootstrap.py). Where the samples say too little, the rule
is inconclusive and says why.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from harness.gate.evidence import Evidence, control, not_comparable, restated
from harness.gate.judge.loss import POWERS, why_inconclusive
from harness.gate.policy import Rule
from harness.metrics import Metric
from harness.metrics.embedding import OverIdentities
from harness.metrics.of_sample import STATISTICS
from harness.metrics.scoring import difference_of, growth_of, limits_of, resampling
from harness.records import CONTROL, Absent, Answer, Case
from harness.records.terms import Outcome
from harness.statistics.bootstrap import FEW, FEWEST_SAMPLES, RARE, Statistic, Unmoved, WithLimits
from harness.statistics.bounded import Effects, Unseen
from harness.statistics.by_label import Both
from harness.statistics.clustered import sizes_of

HIDDEN = "{} {} samples; none got worse, which up to {:.2g} % may; {:,} are needed"
EQUAL = "{:,} samples that are equal are needed to show it"
EDGE = "no number of samples shows that it keeps a limit at which it stands"


def by_samples(rule: Rule, case: Case, evidence: Evidence) -> Answer:
    """Judges the value for max and min; for max_increase and max_decrease, how far it moved."""
    return judge_metric(rule, evidence.metric(rule), case, evidence)


def of_sample(rule: Rule, case: Case, evidence: Evidence) -> Answer:
    """Judges ECE, JS and SQNR, which the tables show as they are in this test set, with limits of their own."""
    return judge_metric(rule, with_statistic(evidence.metric(rule)), case, evidence)


def with_statistic(metric: Metric) -> Metric:
    statistic = STATISTICS.get(metric.name, metric.statistic)
    return replace(metric, statistic=statistic)


def noise(rule: Rule, case: Case, evidence: Evidence) -> Answer:
    """Judges SQNR. Outputs that are equal to Keras' have no noise; so many equal ones keep every limit."""
    if noiseless(evidence, case):
        return equal(rule, evidence.metric(rule).unit, len(evidence.output(case)))
    if not rule.limit.absolute and rule.against == CONTROL and noiseless(evidence, control(case)):
        raise not_comparable("float32 has no noise at all, so no decrease from it has a size; give min")
    return of_sample(rule, case, evidence)


def equal(rule: Rule, unit: str, samples: int) -> Answer:
    method, p = f"outputs of {samples:,} samples are equal: no noise", (1 - RARE) ** samples
    few = samples < FEWEST_SAMPLES or p >= rule.alpha
    needed = math.ceil(math.log(rule.alpha) / math.log1p(-RARE))
    reason = FEW.format(samples) if samples < FEWEST_SAMPLES else EQUAL.format(needed) if few else ""
    return Answer("inconclusive" if few else "pass", unit, limit=rule.limit.value, p=p, method=method, reason=reason)


def noiseless(evidence: Evidence, case: Case) -> bool:
    try:
        return evidence.value(case, "max_abs_diff") == 0
    except Absent:
        return False


def judge_metric(rule: Rule, metric: Metric, case: Case, evidence: Evidence) -> Answer:
    return judge_limits(rule, held(rule, metric, case, evidence), evidence.comparison.run.class_names)


@dataclass(frozen=True)
class Held:
    """A value, or how far it moved, and the limit that it is held against."""

    moved: WithLimits
    limit: float  # on the same
    unit: str
    sign: int  # 1 where less is better, −1 where more is
    count: int  # of the replicates that it is made of
    counted: str = "samples"  # what these are
    shown: float = 1.0  # a factor for the numbers that are reported
    best: float = 0.0  # the same of the best model that there can be: it moves nothing, or has all right or no error

    @property
    def room(self) -> float:
        """How much the best model that there can be may lose."""
        return self.sign * (self.limit - self.best)


def held(rule: Rule, metric: Metric, case: Case, evidence: Evidence) -> Held:
    """Returns the value for max and min, else how far it moved; a move the right way never fails. Raises Absent."""
    before = None if rule.limit.absolute else statistic_before(rule, metric, case, evidence)
    groups = evidence.comparison.run.groups
    found = held_of(rule, metric, evidence.statistic(metric, case), before, len(evidence.output(case)))
    return found if groups is None else replace(found, count=len(sizes_of(groups)), counted="groups")


def held_of(rule: Rule, metric: Metric, statistic: Statistic, before: Statistic | None, count: int) -> Held:
    """Returns the same of these statistics. before: of what the rule stands against; None where that is nothing."""
    if before is None:
        sign = 1 if rule.limit.kind == "max" else -1
        return Held(statistic, rule.limit.value, metric.unit, sign, count, best=float(sign == -1))
    sign = 1 if rule.limit.kind == "max_increase" else -1
    limit = sign * rule.limit.value
    if not rule.limit.relative:
        return Held(difference_of(statistic, before), limit, metric.unit, sign, count, shown=sign)
    if before.value <= 0:
        raise not_comparable(f"{rule.against} has {before.value:g}, so a percentage of it is undefined")
    return Held(growth_of(statistic, before), limit, "%", sign, count, shown=100 * sign)


def judge_limits(rule: Rule, held: Held, names: tuple[str, ...]) -> Answer:
    """names: of the classes."""
    held = known_fewest(held, rule.alpha)
    moved, limit, unit, sign, shown = held.moved, held.limit, held.unit, held.sign, held.shown
    value, at = shown * moved.value + 0.0, shown * limit + 0.0  # no −0
    try:
        ends = ends_of(moved, rule.two_sided)
        with resampling():
            p, outcome = moved.p(limit, sign), outcome_by(moved, limit, sign, rule.alpha)
    except Absent as absent:
        return Answer("inconclusive", unit, value, limit=at, reason=absent.reason)
    reason = why_undecided(rule, held, names) if outcome == "inconclusive" else ""
    low, high = sorted(shown * end + 0.0 for end in ends) if ends else (None, None)
    return Answer(outcome, unit, value, low, high, at, p, moved.words(rule.two_sided), reason)


def known_fewest(held: Held, alpha: float) -> Held:
    """Returns the same, told how many identities show that a limit is kept which leaves so little room."""
    moved = held.moved
    return replace(held, moved=moved.under(held.room, alpha)) if isinstance(moved, OverIdentities) else held


def ends_of(moved: WithLimits, confidence: float) -> tuple[float, float] | None:
    """Returns the ends of the interval; None where nothing moved, so that nothing bounds it. Raises Absent."""
    try:
        limits = limits_of(moved, confidence)
    except Unmoved:
        return None
    return limits.low, limits.high


def outcome_by(moved: WithLimits, limit: float, sign: int, alpha: float) -> Outcome:
    """Returns the outcome by the p-values of both sides; inconclusive where there is a doubt of that side."""
    if sign * moved.value < sign * limit:
        return "pass" if not moved.doubt and moved.p(limit, sign) <= alpha else "inconclusive"
    return "fail" if not moved.unproven and moved.p_of_loss(limit, sign) <= alpha else "inconclusive"


def why_undecided(rule: Rule, held: Held, names: tuple[str, ...]) -> str:
    """Says which class has too few samples, where what they could hide is beyond the limit by itself, and how many
    samples in all decide it; or why that side decides nothing.
    """
    moved, better = held.moved, held.sign * held.moved.value < held.sign * held.limit
    effects = moved.bounded if isinstance(moved, Both) else getattr(moved, "alone", moved)
    unseen = effects.unseen(held.limit, held.sign, rule.alpha) if isinstance(effects, Effects) else None
    if doubt := moved.doubt if better else moved.unproven:
        return "; ".join(filter(None, (doubt, hidden(unseen, names) if unseen else "")))
    if math.isclose(moved.value, held.limit, abs_tol=1e-12):
        return EDGE
    try:
        said = why_inconclusive(held.count, samples_needed(rule, held), better, held.counted, "the truth")
    except Absent as absent:
        said = f"the limit is inside the interval; {absent.reason}"
    return "; ".join(filter(None, (hidden(unseen, names) if unseen else "", said)))


def samples_needed(rule: Rule, held: Held) -> tuple[int, ...]:
    """Returns how many samples in all decide it with each of POWERS. (): never. Raises Absent where it is not known."""
    times = [held.moved.times_to_settle(held.limit, held.sign, rule.alpha, power) for power in POWERS]
    return tuple(math.ceil(held.count * each) for each in times if each) if all(times) else ()


def hidden(unseen: Unseen, names: tuple[str, ...]) -> str:
    label = unseen.label
    whose = "the test set has" if label is None else f"class {names[label] if label < len(names) else label} has"
    return HIDDEN.format(whose, f"{unseen.samples:,}", 100 * unseen.share, unseen.needed)


def statistic_before(rule: Rule, metric: Metric, case: Case, evidence: Evidence) -> Statistic:
    """Returns the metric of what the rule stands against. Raises Absent."""
    if rule.against == "reference":
        past = evidence.paired_past(case)
        with restated("in the reference: ", "not_comparable"):
            return past.statistic(metric, case)
    with restated(f"{rule.against}: "):
        if rule.against == CONTROL:
            return evidence.statistic(metric, control(case))
        return evidence.scorer.baseline_statistic(metric)
