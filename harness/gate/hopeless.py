"""Which rules a test set and a plan can never pass, or only by an improvement: said before anything is measured."""

from __future__ import annotations

import numpy as np

from harness.gate.computed import limit_of_loss, share_allowed
from harness.gate.judge import watched
from harness.gate.judge.grouped import FEW, groups_needed, limit_of
from harness.gate.judge.resampled import hidden, outcome_by
from harness.gate.known import Known
from harness.gate.least import (
    BY_CLASS,
    EVERY,
    NO_NUMBER,
    best_of,
    fewest_of_share,
    groups_that_pass,
    identities_that_pass,
    of_classes,
    samples_that_pass,
)
from harness.gate.policy import Policy, Rule
from harness.gate.simulated import alone
from harness.metrics import Metric
from harness.metrics.embedding import moves_of
from harness.metrics.of_sample import QUANTILE
from harness.metrics.scores import metric_named
from harness.metrics.task import EMBEDDINGS, MAY_LACK, UNLABELLED
from harness.records import Absent, Plan
from harness.statistics.anytime import samples_to_decide
from harness.statistics.bounded import Effects
from harness.statistics.clustered import LEAST_EFFECTIVE, Clustered, group_words
from harness.statistics.exact import fewest_to_pass

BY_BETTER = "can pass only by an improvement: "
NEVER = "can never pass: "
NEEDS = "it needs {:,} test samples; there are {:,}"
GROUPS = "it needs {:,} groups like these; there are {}"
NO_ROUNDS = "the plan times {} of a case, and 2 are the fewest that have an interval"
NO_TASK = "none of the labelled outputs that it names is of a task that has the metric"
NO_LABELS = "the test set has no labels"
IDENTITIES = "it needs {:,} identities; there are {:,}"
NO_ROOM = "the limit leaves no room"
NOT_IN_GROUPS = "it is not decided over groups"


def hopeless(policy: Policy, known: Known, plan: Plan) -> tuple[str, ...]:
    """Returns one sentence a rule that cannot pass, or only by an improvement."""
    told = ((rule, why(rule, known, plan)) for rule in policy.rules)
    return tuple(f"rule {rule.number}, {rule.words}, {reason}" for rule, reason in told if reason)


def why(rule: Rule, known: Known, plan: Plan) -> str:
    """Returns why it cannot, of the first output of which it cannot; "" where it may, or nothing is known of it."""
    metric = metric_named(rule.metric)
    if metric is None or metric.judged == "value":
        return ""
    if metric.judged == "rounds":
        few = plan.rounds < 2 and plan.precision is None
        return NEVER + NO_ROUNDS.format(plan.rounds or "nothing") if few else ""
    found = [(one.output, of_output(rule, metric, one, plan)) for one in known.each(rule, metric)]
    if not found:
        return NEVER + NO_TASK
    of_some = known.heads and not metric.of_any_output
    return next((f"{said}, output {output}" if of_some else said for output, said in found if said), "")


def of_output(rule: Rule, metric: Metric, known: Known, plan: Plan) -> str:
    """Says it of one output. Its labels are of one task, by which the model will be judged."""
    if known.labels is None and not set(metric.tasks) & {*UNLABELLED, *(MAY_LACK if metric.to_baseline else ())}:
        return NEVER + NO_LABELS
    if said := known.why_not(metric):
        return NEVER + said
    if metric.tasks == EMBEDDINGS:
        return of_identities(rule, metric, known)
    if known.groups is not None:
        return in_groups(rule, metric, known)
    if plan.until_decided and watched.is_watched(rule):
        return too_few(samples_to_decide(0, 0, rule.limit.value / 100, rule.alpha), known.samples)
    return of_samples(rule, metric, known)


def of_identities(rule: Rule, metric: Metric, known: Known) -> str:
    """Says that embeddings have too few identities, or come in groups."""
    if known.groups is not None:
        return NEVER + NOT_IN_GROUPS
    if known.heads or known.labels is None:
        return ""
    try:
        moves = moves_of(metric, known.labels.reshape(-1), known.queries, known.pairs)
    except Absent as absent:
        return NEVER + absent.reason
    needed = identities_that_pass(rule, moves)
    if needed is None:
        return BY_BETTER + NO_ROOM
    return NEVER + IDENTITIES.format(needed, len(moves)) if len(moves) < needed else ""


def too_few(fewest: int | None, samples: int) -> str:
    if fewest is None:
        return BY_BETTER + NO_ROOM
    return BY_BETTER + NEEDS.format(fewest, samples) if samples < fewest else ""


def of_samples(rule: Rule, metric: Metric, known: Known) -> str:
    """Says it of independent samples."""
    judged, samples = metric.judged, known.samples
    if judged == "drop" or (judged in ("accuracy", "share") and not rule.limit.absolute):
        return too_few(fewest_to_pass(limit_of_loss(rule, metric), rule.alpha), samples)
    if (limit := share_allowed(rule, judged, samples)) is not None:
        return too_few(fewest_of_share(limit, rule.alpha), samples)
    if judged == "flips" and rule.limit.absolute and rule.limit.value >= samples:
        return NEVER + EVERY
    if judged == "class_drop" and known.classes is not None and not rule.limit.relative:
        found = of_classes(rule, known.classes)[1]
        return BY_BETTER + found if "too few" in found or found == NO_NUMBER else ""
    if rule.metric in BY_CLASS and known.classes is not None:
        return of_best(rule, metric, known.classes)
    if rule.metric == "js_p99":
        return too_few(fewest_of_share(1 - QUANTILE, rule.alpha), samples)
    return too_few(samples_that_pass(rule, metric, known.labels) or 0, samples)


def of_best(rule: Rule, metric: Metric, labels: np.ndarray) -> str:
    """Says which class hides too much even of answers that are all right, and do not change."""
    try:
        held = best_of(rule, metric, labels)
        if held is None or outcome_by(held.moved, held.limit, held.sign, rule.alpha) == "pass":
            return ""
        effects = alone(held)
    except Absent as absent:
        return NEVER + absent.reason
    unseen = effects.unseen(held.limit, held.sign, rule.alpha) if isinstance(effects, Effects) else None
    return BY_BETTER + (hidden(unseen, ()) if unseen else NO_ROOM)


# --- samples in groups ---------------------------------------------------------------------------------------------


def in_groups(rule: Rule, metric: Metric, known: Known) -> str:
    """Says it of samples that come in groups."""
    groups, judged = known.groups, metric.judged
    assert groups is not None
    nothing = np.zeros(len(groups), bool)
    share = Clustered.of_drop(nothing, nothing, groups)
    if judged in ("of_sample", "noise") or (judged == "flips" and not (rule.limit.absolute and rule.limit.value > 0)):
        return NEVER + NOT_IN_GROUPS
    if share.effective < LEAST_EFFECTIVE:
        return NEVER + FEW.format(share.effective, LEAST_EFFECTIVE)
    if judged == "samples":
        needed = groups_that_pass(rule, metric, known.labels, groups)
        return BY_BETTER + NO_ROOM if needed is None else few_groups(needed if len(share.sizes) < needed else 0, groups)
    if (limit := share_allowed(rule, judged, len(groups))) is not None:
        return few_groups(groups_needed(Clustered.of_rate(nothing, groups), limit, rule), groups)
    if rule.limit.relative or metric.unit == "%":
        return ""  # how many count depends on how often Keras is right
    if judged != "class_drop":
        return few_groups(groups_needed(share, limit_of(rule, metric), rule), groups)
    labels = np.zeros(0, int) if known.classes is None else np.unique(known.classes)
    each = ((label, groups[known.classes == label]) for label in labels)
    found = ((label, few_groups(of_class(rule, metric, own), own)) for label, own in each)
    return next((f"{said} of class {label}" for label, said in found if said), "")


def of_class(rule: Rule, metric: Metric, groups: np.ndarray) -> int | None:
    nothing = np.zeros(len(groups), bool)
    return groups_needed(Clustered.of_drop(nothing, nothing, groups), limit_of(rule, metric), rule)


def few_groups(needed: int | None, groups: np.ndarray) -> str:
    return BY_BETTER + GROUPS.format(needed, group_words(groups)) if needed else ""
