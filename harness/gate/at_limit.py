"""How often a model exactly at its limit would pass a rule, at this run's own size: exactly where an exact test judges,
else simulated by the judge itself.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from scipy.special import bdtr

from harness.gate.evidence import Evidence
from harness.gate.foresight import most_allowed, share_allowed
from harness.gate.judge import resampled
from harness.gate.judge.drops import class_words, loss_of, losses_by_class
from harness.gate.judge.loss import Loss
from harness.gate.judge.shares import pair_of_shares
from harness.gate.judge.watched import is_watched
from harness.gate.policy import Rule
from harness.metrics.scoring import resampling
from harness.records import Absent, Answer, Case
from harness.statistics.power import passing_share
from harness.support.format import listed

JUDGED = ("pass", "fail", "inconclusive")
TRIES = 400  # test sets of a model at the limit
SEED = 20_231
SIMULATED = (
    "a model exactly at this limit would pass about {:.0f} % of the time (simulated, {} test sets like this, "
    "± {:.1f} points)"
)
AT_ANY_TIME = "a model exactly at this limit would pass at most {:.2g} % of the time, whenever it is looked at"
UNKNOWN = "how often a model exactly at this limit would pass is not known"
EXACT = ("accuracy", "share", "drop", "class_drop", "flip_rate", "flips")  # judged so, by an exact test


def explained(said: Answer, rule: Rule, case: Case, evidence: Evidence) -> Answer:
    """Returns the answer with the share of models exactly at the limit that would pass, where an exact test judged."""
    try:
        metric = evidence.metric(rule)
        if said.outcome not in JUDGED or said.p is None or metric.judged == "value":
            return said
        own = evidence.of_output(said.output) if said.output else evidence
        if evidence.comparison.run.plan.until_decided and is_watched(rule):
            return noted(said, None, AT_ANY_TIME.format(100 * rule.alpha))
        if metric.judged not in EXACT or evidence.comparison.run.groups is not None:
            return simulated(said, rule, case, own)
        share, how = of_rule(rule, case, own)
    except Absent:
        return said
    return noted(
        said, share, f"a model exactly at this limit would pass {100 * share:.1f} % of the time (exact, {how})"
    )


def simulated(said: Answer, rule: Rule, case: Case, evidence: Evidence) -> Answer:
    """Judges test sets that are drawn from a model at the limit, as like this one as it can be."""
    metric = evidence.metric(rule)
    if metric.judged not in ("samples", "of_sample", "noise"):
        return noted(said, None, UNKNOWN)
    held = resampled.held(rule, resampled.with_statistic(metric), case, evidence)
    drawn = getattr(getattr(held.moved, "alone", held.moved), "drawn", None)
    if drawn is None or held.moved.doubt:
        return noted(said, None, UNKNOWN)
    rng = np.random.default_rng(SEED)
    sets = (drawn(held.limit, held.sign, rng) for _ in range(TRIES))
    with resampling():
        passed = sum(resampled.outcome_by(each, held.limit, held.sign, rule.alpha) == "pass" for each in sets)
    share = passed / TRIES
    error = 100 * math.sqrt(max(share * (1 - share), 1 / TRIES) / TRIES)
    return noted(said, share, SIMULATED.format(100 * share, TRIES, 2 * error))


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
