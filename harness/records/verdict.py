"""What a gate says of a run."""

from __future__ import annotations

from dataclasses import dataclass

from harness.records.plan import Case
from harness.records.terms import Mode, Outcome


@dataclass(frozen=True)
class Answer:
    """What a judge says of one row, with every number in `unit`.

    low, high: the interval whose ends are the
    one-sided limits at the rule's confidence. p: one-sided, of a row as good if the truth were at the limit; None
    where there is no interval.
    """

    outcome: Outcome
    unit: str = ""
    value: float | None = None
    low: float | None = None
    high: float | None = None
    limit: float | None = None
    p: float | None = None
    method: str = ""
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Finding(Answer):
    """The answer to one rule of a policy. case: None where the rule matched no row. holds: it passed, or it is
    inconclusive and the rule only warns then.
    """

    rule: int  # from 1
    words: str
    case: Case | None
    metric: str
    holds: bool


@dataclass(frozen=True)
class Verdict:
    """Whether a run may ship. outcome: pass, or the worst that keeps it from shipping. ships: the variants for which
    every rule that names them holds. policy: where it was read. reference: the id of the stored run it stands against;
    sessions: of further runs of the same models; again: of the run in which they were timed again beside the candidate.
    """

    run_id: str
    policy: str
    mode: Mode
    outcome: Outcome
    findings: tuple[Finding, ...]
    ships: tuple[str, ...] = ()
    reference: str = ""
    sessions: tuple[str, ...] = ()
    again: str = ""
