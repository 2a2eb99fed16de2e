"""Rules on what is lost from sample to sample: accuracy drop, growth of errors, drop of a class. loss.py decides."""

from __future__ import annotations

import numpy as np

from harness.gate.evidence import Evidence, Pair, restated
from harness.gate.judge.loss import Loss
from harness.gate.policy import Rule
from harness.metrics import Metric
from harness.records import Answer, Case
from harness.records.terms import Outcome

NAMED = 10  # classes in one reason


def drop(rule: Rule, case: Case, evidence: Evidence) -> Answer:
    """Judges accuracy_drop in pp, or in % of the right answers before, and error_rate_growth in % of the errors."""
    return judge_pair(rule, evidence.pair(rule, case), evidence.metric(rule))


def judge_pair(rule: Rule, pair: Pair, metric: Metric) -> Answer:
    return loss_of(rule, pair, metric).answered


def loss_of(rule: Rule, pair: Pair, metric: Metric) -> Loss:
    """Returns the loss in the measure of the rule. Raises Absent where nothing can grow or shrink."""
    if metric.unit == "%":
        return Loss.of_wrong(pair, rule.limit.value / 100, rule)
    if rule.limit.relative:
        return Loss.of_right(pair, rule.limit.value, rule)
    return Loss.of_all(pair, rule.limit.value / (100 if metric.unit == "pp" else 1), rule)


def class_drop(rule: Rule, case: Case, evidence: Evidence) -> Answer:
    """Judges the drop of each class on its own.

    It passes when every class does: that all are good needs no correction (intersection–union test, Berger,
    Technometrics 24, 1982, 295–300). It fails when one class is over the limit after Holm's correction (Scandinavian
    Journal of Statistics 6, 1979, 65–70), since among many classes one is over it by chance.
    """
    losses = losses_by_class(rule, evidence.pair(rule, case), evidence)
    ratios = [loss.p_over / rule.alpha for loss in losses.values()]
    over = [label for label, significant in zip(losses, holm(ratios), strict=True) if significant]
    unsure = [label for label, loss in losses.items() if loss.outcome != "pass"]
    worst = max(losses, key=lambda label: losses[label].score)
    outcome: Outcome = "pass"
    reason = losses[worst].dissent
    if over:
        outcome, reason = "fail", f"over the limit after Holm: {class_words(over, evidence)}"
    elif unsure:
        outcome, reason = "inconclusive", undecided_classes(losses, unsure, evidence)
    shown = f"worst of {len(losses)} classes: {class_words([worst], evidence)}, {losses[worst].counts}"
    return losses[worst].answer(outcome, reason, shown)


def losses_by_class(rule: Rule, pair: Pair, evidence: Evidence) -> dict[int, Loss]:
    """Returns the loss of each class. Raises Absent for the first that has none."""
    losses = {}
    for label in map(int, np.unique(pair.labels)):
        with restated(f"{class_words([label], evidence)}: "):
            losses[label] = loss_of(rule, pair.of(label), evidence.metric(rule))
    return losses


def undecided_classes(losses: dict[int, Loss], unsure: list[int], evidence: Evidence) -> str:
    """Names the undecided classes, and says what would settle the worst of them."""
    last = max(unsure, key=lambda label: losses[label].score)
    classes, worst = class_words(unsure, evidence), class_words([last], evidence)
    if losses[last].outcome == "fail":
        return f"undecided: {classes}; {worst} is over the limit, not after Holm"
    return f"undecided: {classes}; {worst}: {losses[last].reason}"


def class_words(labels: list[int], evidence: Evidence) -> str:
    names = evidence.comparison.run.class_names
    shown = [names[n] if 0 <= n < len(names) else str(n) for n in labels[:NAMED]]
    rest = f" and {len(labels) - NAMED} more" if len(labels) > NAMED else ""
    return f"class {', '.join(shown)}{rest}"


def holm(ratios: list[float]) -> list[bool]:
    """Returns which p/α are significant by Holm:
    the smallest against 1/k, the next against 1/(k − 1), until one is over.
    """
    kept = [False] * len(ratios)
    for rank, index in enumerate(sorted(range(len(ratios)), key=lambda i: ratios[i])):
        if ratios[index] * (len(ratios) - rank) > 1:
            break
        kept[index] = True
    return kept
