"""What a policy can decide on a test set, before anything is measured: how often a harmless model would pass."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from harness.gate.computed import of_every_class, of_loss, of_rate, rates_of, share_allowed
from harness.gate.known import Foresight, Known
from harness.gate.least import BY_CLASS, OF_FLIPS, RIGHT, at_least, groups_that_pass, rarest
from harness.gate.policy import Policy, Rule
from harness.gate.simulated import Chances, Supposed, counts_changes, moves, of_groups, of_metric, of_metric_in_groups
from harness.metrics import Metric
from harness.metrics.scores import NUMBERS, metric_named
from harness.metrics.task import SEVERAL
from harness.records import Absent
from harness.statistics.clustered import group_words
from harness.support.format import listed

HARMLESS = (0.002, 0.01, 0.02)  # shares of answers that differ from Keras', as many lost as won
MOVED = (0.02, 0.1, 0.3)  # how far numbers move, as a share of the spread of Keras' errors
BY_LABEL = ("label_accuracy", "label_f1")
BY_NUMBERS = ("mae", "rmse", "r2")
IN_GROUPS = ("f1", "balanced_accuracy", *BY_NUMBERS)  # made of sums, so that they are quickly known without a group
HOW_GOOD = "how often it passes depends on how good Keras is, which is not known yet: suppose it by --baseline PERCENT"
OF_GROUPS = (
    "not known over groups: it depends on which samples of a group change together, and it is not simulated, since "
    "each draw would be computed without each group"
)
FEW_GROUPS = "{:,} groups are the fewest with which it can pass"
EXPLAINS = "Keras is supposed to explain {:.3g} % of the labels' variance, with normal errors"
NO_OUTPUT = "no output with labels that it fits has that name; there are {}"
SIMULATED = "simulated by {} draws or more, ± {:.0f} points at most"
OF_LABELS = " of each label, and changed counts labels, not samples"
SCORED = " of each class, with normal scores"
ALIKE = "changes of one group are supposed correlated by {:.2g}, and N counts groups"


def foresee(
    policy: Policy, known: Known, flip_rates: Sequence[float] = HARMLESS, supposed: Supposed | None = None
) -> tuple[Foresight, ...]:
    """Returns what each rule can decide on such a test set."""
    return tuple(each for rule in policy.rules for each in of_outputs(rule, known, flip_rates, supposed or Supposed()))


def of_outputs(rule: Rule, known: Known, flip_rates: Sequence[float], supposed: Supposed) -> Iterator[Foresight]:
    """Foresees it for each labelled output that it is judged for, as if it were written once an output."""
    metric = metric_named(rule.metric)
    outputs = list(known.each(rule, metric))
    for one in outputs:
        found = of_rule(rule, metric, one, flip_rates, supposed)
        if metric and metric.about == "answers":
            found = replace(found, task=one.task, task_supposed=one.output in one.supposed)
        yield replace(found, words=f"{found.words}, output {one.output}") if len(outputs) > 1 else found
    if not outputs:
        yield Foresight(rule.number, rule.words, why=NO_OUTPUT.format(listed([known.output, *known.heads])))


def of_rule(
    rule: Rule, metric: Metric | None, known: Known, flip_rates: Sequence[float], supposed: Supposed
) -> Foresight:
    samples = known.samples
    judged = metric.judged if metric else "samples"
    if metric and (said := known.why_hardly(metric)):
        return Foresight(rule.number, rule.words, why=said)
    if metric and known.groups is not None and judged not in ("rounds", "value"):
        return in_groups(rule, metric, known, flip_rates, supposed)
    if metric and (judged == "drop" or (judged in ("accuracy", "share") and not rule.limit.absolute)):
        return of_loss(rule, metric, samples, flip_rates, supposed)
    if (limit := share_allowed(rule, judged, samples)) is not None:
        return of_rate(rule, samples, limit, rates_of(rule, metric, flip_rates, supposed))
    if metric and judged == "class_drop" and known.classes is not None and not rule.limit.relative:
        return of_every_class(rule, known.classes, flip_rates)
    labels = known.classes if rule.metric in BY_CLASS else known.labels
    if metric and labels is not None and rule.metric in (*BY_CLASS, *BY_NUMBERS, *BY_LABEL):
        return drawn(rule, metric, labels, flip_rates, supposed)
    fewest, why = at_least(rule, metric, known.classes)
    return Foresight(rule.number, rule.words, fewest, why=why)


# --- what is drawn -------------------------------------------------------------------------------------------------


def drawn(rule: Rule, metric: Metric, labels: np.ndarray, flip_rates: Sequence[float], supposed: Supposed) -> Foresight:
    """Foresees a metric by the answers of supposed models."""
    fewest = at_least(rule, metric, labels)[0]
    if rule.limit.absolute and not supposed.told:
        return Foresight(rule.number, rule.words, fewest, why=HOW_GOOD)
    of_numbers = metric.tasks == NUMBERS
    of_labels = metric.tasks == SEVERAL
    said = (EXPLAINS if of_numbers else RIGHT).format(100 * supposed.baseline, OF_LABELS if of_labels else SCORED)
    rates = (0.0,) if rule.limit.absolute else MOVED if of_numbers else flip_rates
    try:
        chances = tuple(of_metric(rule, metric, labels, changed, supposed) for changed in rates)
    except Absent as absent:
        return Foresight(rule.number, rule.words, fewest, why="; ".join((said, absent.reason)))
    hidden = "" if of_numbers or of_labels or rule.limit.absolute else rarest(rule, labels)
    why = "; ".join(filter(None, (hidden, said, simulated(chances))))
    return Foresight(rule.number, rule.words, fewest, chances, why)


def in_groups(rule: Rule, metric: Metric, known: Known, flip_rates: Sequence[float], supposed: Supposed) -> Foresight:
    """Foresees a limit of a share over groups, by the answers of supposed models."""
    groups = known.groups
    assert groups is not None
    of_value = not moves(rule, metric) and not counts_changes(metric)
    if rule.metric in IN_GROUPS and known.labels is not None:
        return drawn_in_groups(rule, metric, known, flip_rates, supposed)
    if metric.judged not in ("drop", "accuracy", "share", "flip_rate", "flips"):
        needed = groups_that_pass(rule, metric, known.labels, groups) if metric.judged == "samples" else None
        fewest = FEW_GROUPS.format(needed) if needed else ""
        return Foresight(rule.number, rule.words, why="; ".join(filter(None, (group_words(groups), OF_GROUPS, fewest))))
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


def drawn_in_groups(
    rule: Rule, metric: Metric, known: Known, flip_rates: Sequence[float], supposed: Supposed
) -> Foresight:
    """Foresees a metric that is made of sums over groups, by the answers of supposed models."""
    labels, groups = known.labels, known.groups
    assert labels is not None and groups is not None
    of_numbers = metric.tasks == NUMBERS
    good = EXPLAINS.format(100 * supposed.baseline) if of_numbers else RIGHT.format(100 * supposed.baseline, SCORED)
    said = [group_words(groups), good, ALIKE.format(supposed.alike)]
    if needed := groups_that_pass(rule, metric, labels, groups):
        said += [FEW_GROUPS.format(needed)]
    if not moves(rule, metric) and not supposed.told:
        return Foresight(rule.number, rule.words, why="; ".join([*said, HOW_GOOD]))
    rates = (0.0,) if rule.limit.absolute else MOVED if of_numbers else flip_rates
    try:
        chances = tuple(of_metric_in_groups(rule, metric, labels, groups, rate, supposed) for rate in rates)
    except Absent as absent:
        return Foresight(rule.number, rule.words, why="; ".join([*said, absent.reason]))
    return Foresight(rule.number, rule.words, None, chances, "; ".join([*said, simulated(chances)]))


def simulated(chances: Sequence[Chances]) -> str:
    """Says how many draws they are of, and how far off by that at most: two standard errors."""
    tries = min(each.tries or 1 for each in chances)
    return SIMULATED.format(tries, 100 / math.sqrt(tries))
