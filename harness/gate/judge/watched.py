"""The accuracy drop in a run that asks until the answer is known: decided by a test that holds whenever one stops.

An exact test of so many samples would not: a model at the limit that is tested again and again passes some time. Other
rules are decided of the whole test set alone, as ever: how often a model that is at such a limit gets there and passes
is at most how often it passes.
"""

from __future__ import annotations

from harness.gate.evidence import Evidence
from harness.gate.judge.loss import AT_LIMIT
from harness.gate.policy import Policy, Rule
from harness.metrics.registry import is_of_answers
from harness.records import KERAS, Absent, Answer, Case, Run
from harness.records.terms import Outcome
from harness.statistics.anytime import anytime_limits, anytime_p, samples_to_decide

WHOLE = "this rule is decided of the whole test set: {}"
ASK_ON = "`harness run --resume {} --policy FILE`, with this policy, asks on, up to {:,} samples"
LOOK_ON = "{:,} samples do not decide it; about {:,} like these would {}, with luck fewer"


def is_watched(rule: Rule) -> bool:
    """Returns whether the rule can be decided at any time: a drop from Keras, in pp."""
    return rule.metric == "accuracy_drop" and rule.against == KERAS and not rule.limit.relative


def why_whole(policy: Policy) -> str:
    """Returns why a policy cannot be decided before the end of the test set; "" where it can."""
    on_answers = [rule for rule in policy.rules if is_of_answers(rule.metric)]
    told = [f"rule {r.number}, {r.words}, is decided of the whole test set" for r in on_answers if not is_watched(r)]
    return "; ".join(told) if on_answers else "no rule of the policy is on answers"


def check_whole(run: Run) -> None:
    """Raises Absent, inconclusive, for a row that answered only the first samples."""
    if run.stopped_of is not None:
        raise Absent(WHOLE.format(ask_on(run)), "inconclusive")


def ask_on(run: Run) -> str:
    """Returns how more samples are asked of a row that stopped; "" for one that answered all."""
    return ASK_ON.format(run.run_id, run.stopped_of) if run.stopped_of is not None else ""


def watched_drop(rule: Rule, case: Case, evidence: Evidence) -> Answer:
    """Judges accuracy_drop in pp. The interval is of the same test, and says the same."""
    pair, margin = evidence.pair(rule, case), rule.limit.value / 100
    (lost, won), n = pair.lost_and_won, pair.samples
    p, p_over = anytime_p(lost, won, n, margin), anytime_p(won, lost, n, -margin)
    outcome: Outcome = "pass" if p < rule.alpha else "fail" if p_over < rule.alpha else "inconclusive"
    bounds, method = anytime_limits(lost, won, n, rule.two_sided), f"betting, at any time, b={lost} c={won} n={n}"
    reason = ""
    if outcome == "inconclusive":
        reason = "; ".join(filter(None, (why_undecided(lost, won, n, rule), ask_on(evidence.comparison.run))))
    numbers = (100 * (lost - won) / n, 100 * bounds.low, 100 * bounds.high, rule.limit.value, p)
    return Answer(outcome, "pp", *numbers, method, reason)


def why_undecided(lost: int, won: int, n: int, rule: Rule) -> str:
    """Says how many samples would decide it."""
    margin, shares = rule.limit.value / 100, (lost / n, won / n)
    better = shares[0] - shares[1] < margin
    needed = samples_to_decide(*(shares if better else shares[::-1]), margin if better else -margin, rule.alpha)
    if needed is None:
        return AT_LIMIT.format("samples")
    return LOOK_ON.format(n, needed, "pass" if better else "fail")
