"""From findings to what ships."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from harness.gate.judge.drops import holm
from harness.gate.policy import Policy
from harness.records import Finding
from harness.records.terms import Outcome

WORST_FIRST: tuple[Outcome, ...] = ("fail", "invalid", "missing", "not_comparable", "inconclusive")
ALONE = "it passes alone, but not among {} candidates of which any may ship (Holm)"


def worst(findings: Iterable[Finding]) -> Outcome:
    return min((f.outcome for f in findings), key=WORST_FIRST.index)


def by_variant(findings: Iterable[Finding]) -> dict[str, list[Finding]]:
    groups: dict[str, list[Finding]] = {}
    for finding in findings:
        if finding.case is not None:
            groups.setdefault(finding.case.variant, []).append(finding)
    return groups


def shipping(findings: tuple[Finding, ...], policy: Policy) -> tuple[str, ...]:
    """Returns the variants that may be taken for keeping every rule that names them.

    In mode any the findings are corrected already. In mode all, that all variants keep their rules needs no correction
    (intersection–union); where some do not, a list of those that do is as many claims, and they stand by Holm.
    """
    names = holding(findings)
    if policy.mode == "any" or len(names) == len(by_variant(findings)):
        return names
    kept = kept_among_all(findings, policy)
    return tuple(name for name in names if kept.get(name, True))


def holding(findings: Iterable[Finding]) -> tuple[str, ...]:
    """Returns the variants for which every rule that names them holds in every row."""
    return tuple(name for name, group in by_variant(findings).items() if all(f.holds for f in group))


def any_may_ship(findings: tuple[Finding, ...], policy: Policy) -> tuple[Finding, ...]:
    """Corrects p-values by Holm: to ship whichever variant passes is to test many hypotheses at once.

    Only what would ship is withdrawn: of a variant that breaks another rule, the findings stay what they are.
    """
    kept = kept_among_all(findings, policy)
    lost = {name for name in holding(findings) if not kept.get(name, True)}
    warns = {rule.number for rule in policy.rules if rule.on_inconclusive == "warn"}
    return tuple(withdraw(f, len(kept), f.rule in warns) if f.case and f.case.variant in lost else f for f in findings)


def kept_among_all(findings: Iterable[Finding], policy: Policy) -> dict[str, bool]:
    """Returns variant → whether it passes by Holm among all, for those that claim anything.

    A variant passes only if all its own rules do, so the largest p/α stands for it (intersection–union); what holds
    without a pass, by a rule that only warns, and what is exact, claims nothing. Of a single one nothing is corrected.
    """
    alpha = {rule.number: rule.alpha for rule in policy.rules}
    shares = {
        name: max(ratios)
        for name, group in by_variant(findings).items()
        if (ratios := [share(f, alpha[f.rule]) for f in group if claims(f)])
    }
    return dict(zip(shares, holm(list(shares.values())), strict=True))


def claims(finding: Finding) -> bool:
    """Returns whether the finding's p-value counts: not where it is inconclusive and its rule only warns then."""
    return finding.p is not None and (finding.outcome == "pass" or not finding.holds)


def share(finding: Finding, alpha: float) -> float:
    """Returns p/α. For a pass at most 1: interval and p are made in different ways where they come from resampling."""
    assert finding.p is not None
    return min(finding.p / alpha, 1.0) if finding.outcome == "pass" else finding.p / alpha


def withdraw(finding: Finding, candidates: int, warns: bool) -> Finding:
    """Returns the finding, inconclusive where it was a pass: that does not stand among so many candidates."""
    if finding.outcome != "pass" or finding.p is None:
        return finding
    reason = "; ".join(filter(None, (finding.reason, ALONE.format(candidates))))
    return replace(finding, outcome="inconclusive", holds=warns, reason=reason)
