"""How often a model exactly at its limit, and a harmless one, would pass a rule at this run's own size: computed where
an exact test judges, else simulated by the judge itself.

A harmless model changes as many answers as this one and loses as many as it wins; under a limit of a value it is as
good as Keras; under one of flips, which Keras has none of, as this one.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Literal

import numpy as np
from scipy.special import bdtr

from harness.gate.computed import most_allowed, share_allowed
from harness.gate.evidence import Evidence
from harness.gate.judge import resampled
from harness.gate.judge.drops import class_words, loss_of, losses_by_class
from harness.gate.judge.loss import Loss
from harness.gate.judge.resampled import Held
from harness.gate.judge.shares import pair_of_shares
from harness.gate.judge.watched import is_watched
from harness.gate.policy import Rule
from harness.gate.simulated import tried
from harness.metrics.scoring import resampling
from harness.records import Absent, Answer, Case
from harness.statistics.bootstrap import Influences
from harness.statistics.bounded import Effects
from harness.statistics.power import passing_share
from harness.support.format import listed

Explain = Literal["", "computed", "simulated"]  # how far to go: not at all, where it is quick, or all the way
JUDGED = ("pass", "fail", "inconclusive")
TRIES = 400  # test sets of a model at the limit, and of a harmless one
LONGEST_S = 10.0  # for the test sets of one of them
SEED = 20_231
SIMULATED = (
    "a model exactly at this limit would pass about {:.0f} % of the time (simulated, {} test sets like this, "
    "± {:.1f} points)"
)
COMPUTED = "a model exactly at this limit would pass {:.1f} % of the time (computed, {})"
HARMLESS = "a harmless one {:.{}f} %"
AT_ANY_TIME = "a model exactly at this limit would pass at most {:.2g} % of the time, whenever it is looked at"
UNKNOWN = "how often a model exactly at this limit would pass is not known"
EXACT = ("accuracy", "share", "drop", "class_drop", "flip_rate", "flips")  # judged so, by an exact test


def explained(said: Answer, rule: Rule, case: Case, evidence: Evidence, how_far: Explain) -> Answer:
    """Returns the answer with the shares of models at the limit, and of harmless ones, that would pass. Where
    everything is simulated that can be, the reason has them in words, too.
    """
    try:
        metric = evidence.metric(rule)
        if not how_far or said.outcome not in JUDGED or said.p is None or metric.judged == "value":
            return said
        own, in_words = evidence.of_output(said.output) if said.output else evidence, how_far == "simulated"
        if evidence.comparison.run.plan.until_decided and is_watched(rule):
            return noted(said, AT_ANY_TIME.format(100 * rule.alpha)) if in_words else said
        if metric.judged in EXACT and evidence.comparison.run.groups is None:
            return with_computed(said, rule, case, own, in_words)
        return simulated(said, rule, case, own) if in_words else said
    except Absent:
        return said


def noted(said: Answer, words: str) -> Answer:
    return replace(said, reason="; ".join(filter(None, (said.reason, words))))


# --- simulated -----------------------------------------------------------------------------------------------------


def simulated(said: Answer, rule: Rule, case: Case, evidence: Evidence) -> Answer:
    """Judges test sets that are drawn from a model at the limit, and from a harmless one, as like this one as they can
    be. Raises Absent.
    """
    metric = evidence.metric(rule)
    if metric.judged not in ("samples", "of_sample", "noise"):
        return noted(said, UNKNOWN)
    metric = resampled.with_statistic(metric)
    held = resampled.held(rule, metric, case, evidence)
    drawn = getattr(held.moved, "alone", held.moved)
    if not isinstance(drawn, Effects | Influences) or held.moved.doubt:
        return noted(said, UNKNOWN)
    none_lost = 0.0 if not rule.limit.absolute else held.moved.value
    if rule.limit.absolute and not metric.to_baseline and metric.judged == "samples":
        none_lost = evidence.scorer.baseline_statistic(metric).value
    at_limit, harmless = (share_of(drawn, held, truth, rule.alpha) for truth in (held.limit, none_lost))
    if at_limit is None:
        return noted(said, UNKNOWN)
    share, tries = at_limit
    error = 100 * math.sqrt(max(share * (1 - share), 1 / tries) / tries)
    words = SIMULATED.format(100 * share, tries, 2 * error)
    kept = harmless[0] if harmless else None
    return noted(replace(said, passes_at_limit=share, passes_if_harmless=kept), with_harmless(words, kept, 0))


def share_of(drawn: Effects | Influences, held: Held, truth: float, alpha: float) -> tuple[float, int] | None:
    """Returns the share of test sets that pass whose truth this is, and how many were tried. None: too few in the time
    that there is.
    """
    rng = np.random.default_rng(SEED)

    def passes() -> bool:
        with resampling():
            each = drawn.drawn(truth, held.sign, rng)
            return resampled.outcome_by(each, held.limit, held.sign, alpha) == "pass"

    return tried(passes, TRIES, LONGEST_S)


def with_harmless(words: str, share: float | None, digits: int) -> str:
    return words if share is None else f"{words}, {HARMLESS.format(100 * share, digits)}"


# --- computed ------------------------------------------------------------------------------------------------------


def with_computed(said: Answer, rule: Rule, case: Case, evidence: Evidence, in_words: bool) -> Answer:
    """Raises Absent."""
    share, harmless, how = of_rule(rule, case, evidence)
    found = replace(said, passes_at_limit=share, passes_if_harmless=harmless)
    return noted(found, with_harmless(COMPUTED.format(100 * share, how), harmless, 1)) if in_words else found


def of_rule(rule: Rule, case: Case, evidence: Evidence) -> tuple[float, float, str]:
    """Returns the share at the limit, the share of harmless ones, and what it is computed from. Raises Absent."""
    metric = evidence.metric(rule)
    pair = pair_of_shares(rule, case, evidence) if metric.judged == "share" else evidence.pair(rule, case)
    limit = share_allowed(rule, metric.judged, pair.samples)
    if limit is not None:
        counted = pair.before != pair.after if metric.judged.startswith("flip") else ~pair.right_before
        return of_share(pair.samples, limit, float(counted.mean()), rule.alpha)
    if metric.judged in ("flips", "flip_rate") or (rule.limit.absolute and metric.judged in ("accuracy", "share")):
        raise Absent("no share of the samples is limited")
    if metric.judged != "class_drop":
        return of_loss(loss_of(rule, pair, metric))
    each = {label: of_loss(loss) for label, loss in losses_by_class(rule, pair, evidence).items()}
    label = max(each, key=lambda name: each[name][0])
    share, _, how = each[label]
    every = math.prod(harmless for _, harmless, _ in each.values())  # classes are independent, and all have to pass
    return share, every, listed([f"{class_words([label], evidence)} alone at it", how])


def of_share(samples: int, limit: float, harmless: float, alpha: float) -> tuple[float, float, str]:
    """Computes it for a limit of a share of the samples. harmless: the share that counts against a harmless model."""
    allowed = most_allowed(samples, limit, alpha)
    at_limit, passing = (float(bdtr(allowed, samples, p)) if allowed >= 0 else 0.0 for p in (limit, harmless))
    return at_limit, passing, f"n = {samples:,}"


def of_loss(loss: Loss) -> tuple[float, float, str]:
    """Computes it where as many samples change as is likeliest of a model at the limit that shows these counts; of a
    harmless one, as many as did.
    """
    changed = float(loss.limit.discordance(float(loss.b), float(loss.c), float(loss.n)))
    lost = changed * float(loss.limit.share_lost(np.array([changed]))[0])
    share = passing_share(loss.limit, lost, max(changed - lost, 0.0), loss.n, loss.rule.alpha)
    even = (loss.b + loss.c) / 2 / loss.n
    harmless = passing_share(loss.limit, even, even, loss.n, loss.rule.alpha)
    counted = f" {loss.measure.counts}" if loss.measure.counts else ""
    return share, harmless, f"n = {loss.n:,}{counted}, {100 * changed:.2g} % changed answers"
