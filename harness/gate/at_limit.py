"""How often a model exactly at its limit would pass a rule, at this run's own size: the exact test's own error."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.special import bdtr

from harness.gate.evidence import Evidence
from harness.gate.foresight import most_allowed, share_allowed
from harness.gate.judge.drops import class_words, loss_of, losses_by_class
from harness.gate.judge.loss import Loss
from harness.gate.judge.shares import pair_of_shares
from harness.gate.policy import Rule
from harness.metrics.power import passing_share
from harness.records import Absent, Answer, Case
from harness.support.format import listed

JUDGED = ("pass", "fail", "inconclusive")
EXACT = ("accuracy", "share", "drop", "class_drop", "flip_rate", "flips")  # judged so, by an exact test


def explained(said: Answer, rule: Rule, case: Case, evidence: Evidence) -> Answer:
    """Returns the answer with the share of models exactly at the limit that would pass, where an exact test judged."""
    try:
        metric = evidence.metric(rule)
        if said.outcome not in JUDGED or said.p is None or metric.judged == "value":
            return said
        if metric.judged not in EXACT or evidence.comparison.run.groups is not None:
            return noted(said, None, "how often a model exactly at this limit would pass is not known exactly")
        share, how = of_rule(rule, case, evidence.of_output(said.output) if said.output else evidence)
    except Absent:
        return said
    return noted(
        said, share, f"a model exactly at this limit would pass {100 * share:.1f} % of the time (exact, {how})"
    )


def noted(said: Answer, share: float | None, words: str) -> Answer:
    return replace(said, passes_at_limit=share, reason="; ".join(filter(None, (said.reason, words))))


def of_rule(rule: Rule, case: Case, evidence: Evidence) -> tuple[float, str]:
    """Returns the share, and what it is computed from. Raises Absent."""
    metric = evidence.metric(rule)
    pair = pair_of_shares(rule, case, evidence) if metric.judged == "share" else evidence.pair(rule, case)
    limit = share_allowed(rule, metric.judged, pair.samples)
    if limit is not None:
        allowed = most_allowed(pair.samples, limit, rule.alpha)
        return float(bdtr(allowed, pair.samples, limit)) if allowed >= 0 else 0.0, f"n = {pair.samples:,}"
    if metric.judged in ("flips", "flip_rate") or (rule.limit.absolute and metric.judged in ("accuracy", "share")):
        raise Absent("no share of the samples is limited")
    if metric.judged != "class_drop":
        return of_loss(loss_of(rule, pair, metric))
    each = {label: of_loss(loss) for label, loss in losses_by_class(rule, pair, evidence).items()}
    label = max(each, key=lambda name: each[name][0])
    share, how = each[label]
    return share, listed([f"{class_words([label], evidence)} alone at it", how])


def of_loss(loss: Loss) -> tuple[float, str]:
    """Computes it where as many samples change as is likeliest of a model at the limit that shows these counts."""
    changed = float(loss.limit.discordance(float(loss.b), float(loss.c), float(loss.n)))
    lost = changed * float(loss.limit.share_lost(np.array([changed]))[0])
    share = passing_share(loss.limit, lost, max(changed - lost, 0.0), loss.n, loss.rule.alpha)
    counted = f" {loss.measure.counts}" if loss.measure.counts else ""
    return share, f"n = {loss.n:,}{counted}, {100 * changed:.2g} % changed answers"
