"""Whether answers say more of the labels than chance does: what is at chance has nothing to lose, so no rule passes."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import numpy as np

from harness.compare.chance import CHECK
from harness.gate.evidence import Evidence
from harness.gate.policy import Rule
from harness.metrics import METRICS, Metric
from harness.metrics.left_out import LeftOut
from harness.metrics.scoring import CONFIDENCE, Scorer
from harness.records import Absent, Answer, Standing
from harness.statistics.bootstrap import Statistic
from harness.support.arrays import stretches

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
    if not (teller.chance or teller.chance_from) or labels is None:
        return ""
    if len(labels) and all((part == labels[0]).all() for part in stretches(labels)):
        return ""  # of labels that are all equal nothing is known
    level = chance_level(teller, evidence.scorer, labels)
    shown = teller
    if teller.chance_of:  # under a name of its own: what is known of the baseline is kept by its name
        shown = replace(teller, name=f"{teller.name} (1 is perfect)", statistic=teller.chance_of)
    try:
        if told := under(level, evidence.scorer.baseline_statistic(shown), shown, "Keras'"):
            return told + CHECK
        return under(level, evidence.statistic(shown, standing.case), shown, "its")
    except Absent as absent:  # where it is the rule's own metric, its judge has said why
        return f"whether it is over chance is not known: {absent.reason}" if teller.name != metric.name else ""


def chance_level(metric: Metric, scorer: Scorer, labels: np.ndarray) -> float:
    """Returns the metric's value where answers say nothing of the labels."""
    if metric.chance_from:
        return metric.chance_from(scorer.decoded(scorer.baseline))
    assert metric.chance
    return metric.chance(labels)


def under(level: float, statistic: Statistic, metric: Metric, whose: str) -> str:
    """Returns that a statistic is not shown to be over the level; "" where it is."""
    told = f"{whose} {metric.name}, {statistic.value:.3g}, is not shown to be over chance, {level:.3g}"
    if isinstance(statistic, LeftOut) and statistic.why:
        return f"{told}: {statistic.why}"
    over = statistic.value > level
    if not (isinstance(statistic, LeftOut) and statistic.still):
        with suppress(Absent):  # where it is the same for every sample, it is what it is
            over = over and statistic.p(level, -1) < (1 - CONFIDENCE) / 2
    return "" if over else told
