"""Rules on answers whose samples come in groups and are not independent: the same questions, decided over groups.

Shares of samples and what is lost of them by clustered.py, any other metric of answers by left_out.py. A rule that has
no judge over groups is inconclusive.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from harness.gate.evidence import Evidence, Pair, not_comparable
from harness.gate.judge import resampled
from harness.gate.judge.drops import class_words, holm
from harness.gate.judge.flips import flipped, in_counts
from harness.gate.judge.loss import POWERS, outcome_of, why_inconclusive
from harness.gate.judge.resampled import Held
from harness.gate.judge.shares import pair_of_shares
from harness.gate.policy import Rule
from harness.metrics import Metric
from harness.metrics.left_out import FEWEST_GROUPS, LeftOut
from harness.metrics.task import LABELLED
from harness.records import Answer, Case, Run
from harness.records.terms import Outcome
from harness.statistics.bounded import Effects
from harness.statistics.clustered import LEAST_EFFECTIVE, Clustered, group_words, sizes_of
from harness.statistics.stats import Interval
from harness.statistics.unseen import fewest_to_show, unseen_p

FEWEST_OF_A_CLASS = 59  # groups: with fewer, one in 20 that fails may be missing in over 5 % of the test sets
FEW = "these groups are worth {:.1f} of one size: under {} decide nothing"
LOST = "a group that is wholly lost may be missing among {:,}: about {:,} groups like these are needed to show it"
ALL_LOST = "a group that is wholly lost may be missing among {:,}, and the limit leaves no room for one"
WHOLE = "what could have happened to whole groups, none of which moves it"
NO_BASE = "{} has none of what the limit is a percentage of: give an absolute limit, in pp"


def undecided(rule: Rule, case: Case, evidence: Evidence) -> Answer:
    """Says that a rule has no judge over groups: as of independent samples it would pass too often."""
    reason = (
        f"{rule.metric} is not decided over groups, and samples of one group are not independent: name another metric"
    )
    return Answer("inconclusive", reason=reason)


def accuracy(rule: Rule, case: Case, evidence: Evidence) -> Answer:
    """Judges min by the share that is right, max_decrease as a drop."""
    return of_pair(rule, evidence.pair(rule, case), evidence)


def by_share(rule: Rule, case: Case, evidence: Evidence) -> Answer:
    """Judges how many samples count, as accuracy is judged by those that are right."""
    return of_pair(rule, pair_of_shares(rule, case, evidence), evidence)


def of_pair(rule: Rule, pair: Pair, evidence: Evidence) -> Answer:
    if rule.limit.absolute:
        return judged(rule, Clustered.of_rate(pair.right_after, pair.in_groups), "fraction", pair, least=True)
    return judge_drop(rule, pair, evidence.metric(rule))


def drop(rule: Rule, case: Case, evidence: Evidence) -> Answer:
    """Judges accuracy_drop in pp, or in % of what was right before; error_rate_growth in % of what was wrong."""
    return judge_drop(rule, evidence.pair(rule, case), evidence.metric(rule))


def flip_rate(rule: Rule, case: Case, evidence: Evidence) -> Answer:
    """Judges the share of answers that differ, right or wrong."""
    pair = evidence.pair(rule, case)
    return judged(rule, Clustered.of_rate(pair.before != pair.after, pair.in_groups), "fraction", pair)


def flips(rule: Rule, case: Case, evidence: Evidence) -> Answer:
    """Judges a count as the rate that it is; a limit of 0, or an increase, has no judge over groups."""
    if not rule.limit.absolute or rule.limit.value <= 0:
        return undecided(rule, case, evidence)
    pair, counted = evidence.pair(rule, case), flipped(case, evidence)
    share = Clustered.of_rate(counted, pair.in_groups)
    return in_counts(judged(rule, share, "fraction", pair, limit=rule.limit.value / len(counted)), len(counted))


def class_drop(rule: Rule, case: Case, evidence: Evidence) -> Answer:
    """Judges the drop of each class on its own: all must pass, and one is over the limit after Holm, as in drops.py."""
    pair, metric = evidence.pair(rule, case), evidence.metric(rule)
    labels = [int(label) for label in np.unique(pair.labels)]
    pairs = {label: pair.of(label) for label in labels}
    answers = {label: judge_drop(rule, each, metric) for label, each in pairs.items()}
    over = [label for label, kept in zip(labels, holm(ratios_over(rule, metric, pairs)), strict=True) if kept]
    unsure = [label for label in labels if answers[label].outcome != "pass"]
    worst = max(over or unsure or labels, key=lambda label: (answers[label].p or 0.0, answers[label].value or 0.0))
    outcome: Outcome = "pass"
    reason = ""
    if over:
        outcome, reason = "fail", f"over the limit after Holm: {class_words(over, evidence)}"
    elif unsure:
        outcome, told = "inconclusive", answers[worst].reason or "over the limit, not after Holm"
        reason = f"undecided: {class_words(unsure, evidence)}; {class_words([worst], evidence)}: {told}"
    shown = answers[worst]
    method = f"worst of {len(labels)} classes: {class_words([worst], evidence)}, {shown.method}"
    return Answer(outcome, shown.unit, shown.value, shown.low, shown.high, shown.limit, shown.p, method, reason)


def ratios_over(rule: Rule, metric: Metric, pairs: dict[int, Pair]) -> list[float]:
    """Returns for each class the p-value of being within the limit, over the rule's α; classes of few groups have 1."""
    shares = [share_of(rule, metric, pair) for pair in pairs.values()]
    limit, alpha = limit_of(rule, metric), rule.alpha
    return [s.p(limit, -1) / alpha if s.effective >= LEAST_EFFECTIVE else 1 / alpha for s in shares]


def judge_drop(rule: Rule, pair: Pair, metric: Metric) -> Answer:
    share = share_of(rule, metric, pair)
    if not share.bases.sum():
        raise not_comparable(NO_BASE.format(rule.against))
    unit = "%" if metric.unit == "%" or rule.limit.relative else "pp"
    return judged(rule, share, unit, pair, limit=limit_of(rule, metric), shown="b={} c={} n={}")


def share_of(rule: Rule, metric: Metric, pair: Pair) -> Clustered:
    of = "wrong" if metric.unit == "%" else "right" if rule.limit.relative else "all"
    return Clustered.of_drop(pair.right_before, pair.right_after, pair.in_groups, of)


def limit_of(rule: Rule, metric: Metric) -> float:
    """Returns the rule's limit as a fraction."""
    in_hundredths = metric.unit in ("%", "pp") and not rule.limit.relative
    return rule.limit.value / 100 if in_hundredths else rule.limit.value


def judged(
    rule: Rule,
    share: Clustered,
    unit: str,
    pair: Pair,
    *,
    least: bool = False,
    limit: float | None = None,
    shown: str = "{} of {}",
) -> Answer:
    """Judges a share by its limits over groups. least: the limit is the least that it may be, otherwise the most."""
    limit, sign = rule.limit.value if limit is None else limit, -1 if least else 1
    ends = share.limits(rule.two_sided)
    outcome = outcome_of(Interval(*sorted((sign * ends.low, sign * ends.high))), sign * limit)
    reason = "" if outcome != "inconclusive" else why_undecided(rule, share, limit, sign, pair)
    if share.effective < LEAST_EFFECTIVE:
        outcome, reason = "inconclusive", FEW.format(share.effective, LEAST_EFFECTIVE)
    counts = pair.lost_and_won if unit != "fraction" else (int(share.counts.sum()),)
    method = f"clustered, {shown.format(*counts, pair.samples)}, {group_words(pair.in_groups)}"
    scale = 1.0 if unit == "fraction" else 100.0
    low, high = (end if math.isfinite(end) else None for end in (scale * ends.low, scale * ends.high))
    return Answer(outcome, unit, scale * share.value, low, high, scale * limit, share.p(limit, sign), method, reason)


def why_undecided(rule: Rule, share: Clustered, limit: float, sign: int, pair: Pair) -> str:
    """Says why a rule is inconclusive, and how many groups would settle it: the largest group weighs most."""
    there = len(share.sizes)
    if sign > 0 and (needed := groups_needed(share, limit, rule)):
        return (
            f"without an improvement {rule.limit.text} takes {needed:,} groups like these; there are {there:,}: "
            "samples of one group are not independent"
        )
    times = [share.times_to_settle(limit, rule.two_sided, power) for power in POWERS]
    settle = tuple(math.ceil(each * there) for each in times if each)
    return why_inconclusive(there, settle if all(times) else (), sign * (limit - share.value) > 0, "groups")


def groups_needed(share: Clustered, limit: float, rule: Rule) -> int | None:
    """Returns how many groups like these pass a limit if nothing is lost in any; None where these do, or none would."""
    unchanged = share.without_a_change()
    if unchanged.p(limit) <= rule.alpha:
        return None
    times = unchanged.times_to_settle(limit, rule.two_sided)
    return math.ceil(times * len(share.sizes)) if times else None


# --- other metrics of answers --------------------------------------------------------------------------------------


def by_samples(rule: Rule, case: Case, evidence: Evidence) -> Answer:
    """Judges the value for max and min; for max_increase and max_decrease, how far it moved. What passes over groups
    has to pass as independent samples, too: there what did not move is bounded by what could have. And it has to pass
    where a whole group may be lost, though none was.
    """
    metric, run = evidence.metric(rule), evidence.comparison.run
    held = resampled.held(rule, metric, case, evidence)  # which is a LeftOut
    found = resampled.judge_limits(rule, held, run.class_names)
    if found.outcome == "fail" or not isinstance(held.moved, LeftOut) or held.moved.why:
        return found
    apart = resampled.held(rule, metric, case, evidence.ungrouped)
    if is_whole(held, apart, run.labels, run.groups, rule.alpha):
        found = replace(found, outcome="pass", method=WHOLE, reason="")
    if found.outcome == "inconclusive":
        return fails_by_few(rule, held, apart, run) or told_fewest(rule, held, apart, run)
    if rare := rare_class(rule, apart, evidence):
        return replace(found, outcome="inconclusive", p=None, reason=rare)
    plain = resampled.judge_limits(rule, apart, run.class_names)
    if plain.outcome != "pass":
        return replace(found, outcome="inconclusive", p=None, reason=plain.reason or "not even as independent samples")
    unseen = unseen_in_groups(apart, run.labels, run.groups)
    if unseen > rule.alpha:
        return replace(found, outcome="inconclusive", p=None, reason=lost_groups(unseen, rule, evidence))
    return replace(found, p=max(found.p or 0.0, plain.p or 0.0, unseen))


def is_whole(held: Held, apart: Held, labels: np.ndarray | None, groups: np.ndarray | None, alpha: float) -> bool:
    """Returns whether it may pass because every group is alike, as where all answers are right: the jackknife says
    nothing then, and what could have happened says all. It has no interval. held: a LeftOut.
    """
    moved = held.moved
    assert isinstance(moved, LeftOut)
    if moved.why or not moved.still or moved.value == 0 or not effects_in(apart):
        return False
    enough = moved.groups >= (fewest_groups(apart, labels, groups, alpha) or math.inf)
    return enough and held.sign * moved.value < held.sign * held.limit


def passes_over(held: Held, apart: Held, labels: np.ndarray, groups: np.ndarray, alpha: float) -> bool:
    """Returns whether by_samples would pass it, of answers that are no run's. held: a LeftOut; apart: the same of
    independent samples.
    """
    of_classes = apart.moved.labels if isinstance(apart.moved, Effects) else ()
    counts = [len(np.unique(groups[labels == label])) for label in of_classes]
    return (
        min(counts, default=FEWEST_OF_A_CLASS) >= FEWEST_OF_A_CLASS
        and (is_whole(held, apart, labels, groups, alpha) or passes_by_limits(held, alpha))
        and passes_by_limits(apart, alpha)
        and unseen_in_groups(apart, labels, groups) <= alpha
    )


def passes_by_limits(held: Held, alpha: float) -> bool:
    return resampled.outcome_by(held.moved, held.limit, held.sign, alpha) == "pass"


def told_fewest(rule: Rule, held: Held, apart: Held, run: Run) -> Answer:
    """Judges it, told how many groups show that a limit is kept which leaves so little room."""
    assert isinstance(held.moved, LeftOut)
    fewest = fewest_groups(apart, run.labels, run.groups, rule.alpha) or FEWEST_GROUPS
    return resampled.judge_limits(rule, replace(held, moved=replace(held.moved, fewest=fewest)), run.class_names)


def fails_by_few(rule: Rule, held: Held, apart: Held, run: Run) -> Answer | None:
    """Returns that it fails where so few groups prove a loss that they could prove nothing kept: by the jackknife, as
    independent samples, and where groups that were not seen may be wholly better. None: they do not.
    """
    moved, sign, limit = held.moved, held.sign, held.limit
    assert isinstance(moved, LeftOut)
    lost, effects = sign * (moved.value - limit), effects_in(apart)
    if lost <= 0 or effects is None or run.groups is None or moved.effective < LEAST_EFFECTIVE:
        return None
    each = [apart.moved.p_of_loss(limit, sign), better_in_groups(effects, lost, sign, run)]
    each += [] if moved.still else [moved.p(limit, -sign)]
    if max(each) > rule.alpha or apart.moved.unproven:
        return None
    return replace(resampled.judge_limits(rule, held, run.class_names), outcome="fail", reason="")


def better_in_groups(effects: Effects, lost: float, sign: int, run: Run) -> float:
    """Returns the largest probability that no group is wholly better, of models at the limit of which some are."""
    assert run.groups is not None
    return unseen_p(moves_of(effects.mirrored if sign == 1 else effects, run.labels, run.groups), lost)


def effects_in(held: Held) -> Effects | None:
    """Returns what bounds the samples; None where nothing does."""
    alone = getattr(held.moved, "alone", held.moved)
    effects = getattr(alone, "bounded", getattr(alone, "pictures", alone))
    return effects if isinstance(effects, Effects) else None


def unseen_in_groups(held: Held, labels: np.ndarray | None, groups: np.ndarray | None) -> float:
    """Returns the largest probability that no group is lost, of models at the limit of which whole groups are; 0 where
    nothing bounds what a group may do. held: of independent samples.
    """
    effects = effects_in(held)
    if effects is None or groups is None:
        return 0.0
    moves = moves_of(effects if held.sign == 1 else effects.mirrored, labels, groups)
    return unseen_p(moves, held.sign * (held.limit - held.moved.value))


def fewest_groups(held: Held, labels: np.ndarray | None, groups: np.ndarray | None, alpha: float) -> int | None:
    """Returns how many groups like these show, if none of them is lost, that a limit is kept; None where none do.
    held: of independent samples.
    """
    effects = effects_in(held)
    if effects is None or groups is None:
        return FEWEST_GROUPS
    moves = moves_of(effects if held.sign == 1 else effects.mirrored, labels, groups)
    lost = held.sign * (held.moved.value - held.best)  # which the best model that there can be could lose besides
    needed = fewest_to_show(moves * (1 + lost / moves.sum()), held.room, alpha)
    return needed and max(FEWEST_GROUPS, needed)


def moves_of(effects: Effects, labels: np.ndarray | None, groups: np.ndarray) -> np.ndarray:
    """Returns how far the value rises where each group is lost, (groups,): by its share of all samples, or of those of
    each class, whichever is more.
    """
    units = np.unique(groups, return_inverse=True)[1]
    worst = worst_of(effects)
    found = np.bincount(units) / len(units) * worst.sum()
    if labels is None or labels.ndim != 1 or not effects.labels:
        return np.asarray(found)
    of_class = [(labels == label) / max(1, (labels == label).sum()) for label in effects.labels]
    by_class = [np.bincount(units, share) * most for share, most in zip(of_class, worst, strict=True)]
    return np.maximum(found, np.sum(by_class, axis=0))


def worst_of(effects: Effects) -> np.ndarray:
    """Returns how far the value rises where a stratum is wholly lost, (strata,)."""
    return np.asarray(effects.effects[:, -1] - (effects.counts * effects.effects).sum(axis=1) / effects.sizes)


def lost_groups(unseen: float, rule: Rule, evidence: Evidence) -> str:
    """Says how many groups would show it."""
    groups = evidence.comparison.run.groups
    assert groups is not None
    count = len(np.unique(groups))
    if unseen >= 1:
        return ALL_LOST.format(count)
    return LOST.format(count, math.ceil(count * math.log(rule.alpha) / math.log(unseen)))


def rare_class(rule: Rule, apart: Held, evidence: Evidence) -> str:
    """Says which class occurs in too few groups to show anything of it; "" for none, or where there are no classes.
    apart: of independent samples.
    """
    run = evidence.comparison.run
    if run.task not in LABELLED or run.labels is None or run.groups is None:
        return ""
    labels = np.unique(np.stack([run.labels, run.groups]), axis=1)[0]
    label, count = min(zip(*np.unique(labels, return_counts=True), strict=True), key=lambda each: int(each[1]))
    if count >= FEWEST_OF_A_CLASS:
        return ""
    needed = fewest_of_class(apart, int(label), run.groups[run.labels == label], rule.alpha)
    return f"{class_words([int(label)], evidence)} occurs in {count} groups, and {needed:,} are needed"


def fewest_of_class(apart: Held, label: int, groups: np.ndarray, alpha: float) -> int:
    """Returns how many groups that have a class show what the limit leaves it to lose. groups: of its samples."""
    effects = effects_in(apart)
    if effects is None or label not in effects.labels:
        return FEWEST_OF_A_CLASS
    worst = worst_of(effects if apart.sign == 1 else effects.mirrored)[effects.labels.index(label)]
    shares = sizes_of(groups) / len(groups)
    return max(FEWEST_OF_A_CLASS, fewest_to_show(worst * shares, apart.room, alpha) or 0)
