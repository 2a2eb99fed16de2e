"""Whether answers say more of the labels than chance does: what is at chance has nothing to lose, so no rule passes."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from harness.compare.chance import CHECK
from harness.gate.evidence import Evidence
from harness.gate.policy import Rule
from harness.metrics import METRICS, Metric
from harness.metrics.bootstrap import Statistic
from harness.metrics.scoring import CONFIDENCE
from harness.records import Absent, Answer, Standing

BY_ACCURACY = ("accuracy", "drop")  # judged so, a metric counts right answers
NOTHING = "what is not shown to be over chance has nothing to lose, and a small change of it proves nothing"


def unless_at_chance(said: Answer, rule: Rule, standing: Standing, evidence: Evidence) -> Answer:
    """Returns what the judge says, but inconclusive, where it would pass what is not shown to be over chance. What
    would settle it, more samples like these would not.
    """
    if said.outcome not in ("pass", "inconclusive") or not (told := at_chance(rule, standing, evidence)):
        return said
    if said.outcome == "inconclusive" and evidence.comparison.run.groups is not None:
        return said  # so few groups may show nothing at all: the judge has said what is missing
    told = NOTHING if told == standing.chance else f"{told}: {NOTHING}"  # the finding says that of the row anyway
    return replace(said, outcome="inconclusive", p=None, reason=told)


def at_chance(rule: Rule, standing: Standing, evidence: Evidence) -> str:
    """Returns that what the rule is on is not shown to be over chance, of Keras or of the row; "" where it is, or where
    chance means nothing to it.
    """
    metric = evidence.metric(rule)
    if metric.judged in BY_ACCURACY:
        return standing.chance
    teller = METRICS[metric.chance_by] if metric.chance_by else metric
    labels = evidence.comparison.run.labels
    if teller.chance is None or labels is None:
        return ""
    level = teller.chance(labels)
    try:
        if told := under(level, evidence.scorer.baseline_statistic(teller), teller, "Keras'"):
            return told + CHECK
        return under(level, evidence.statistic(teller, standing.case), teller, "its")
    except Absent:  # the rule's own judge has said why
        return ""


def under(level: float, statistic: Statistic, metric: Metric, whose: str) -> str:
    """Returns that a statistic is not shown to be over the level; "" where it is."""
    over = statistic.value > level
    with suppress(Absent):  # where it is the same for every sample, or has no limits, it is what it is
        over = over and (bool(statistic.doubt) or statistic.p(level, -1) < (1 - CONFIDENCE) / 2)
    told = f"{whose} {metric.name}, {statistic.value:.3g}, is not shown to be over chance, {level:.3g}"
    return "" if over else told
