"""What a gate says of a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from harness.records.plan import Case
from harness.records.terms import Mode, Outcome


@dataclass(frozen=True)
class Answer:
    """What a judge says of one row, with every number in `unit`."""

    outcome: Outcome
    unit: str = ""
    value: float | None = None
    low: float | None = None  # low and high: the interval whose ends are one-sided limits at the rule's confidence
    high: float | None = None
    limit: float | None = None
    p: float | None = None  # one-sided p-value of H0: true value = limit; None where there is no interval
    method: str = ""
    reason: str = ""
    output: str = ""  # the model's output that it is of, where the model has several
    each: dict[str, Outcome] = field(default_factory=dict, hash=False)  # of every output that was judged, its outcome
    passes_at_limit: float | None = None  # the share of models exactly at the limit that would pass; None: not asked
    passes_if_harmless: float | None = None  # the share of harmless models that would; None: not asked, or not known


@dataclass(frozen=True, kw_only=True)
class Finding(Answer):
    """The answer to one rule of a policy for one row."""

    rule: int  # its number, from 1; 0 where an upgrade asks whether a row loads
    words: str
    case: Case | None  # None where the rule matched no row
    metric: str
    holds: bool  # it passed, or it is inconclusive and the rule only warns then


@dataclass(frozen=True)
class HeadVerdict:
    """What the rules on answers come to for one of several outputs that have labels. failing: the variants that do not
    keep them there.
    """

    output: str
    outcome: Outcome | Literal[""]  # "" where no rule judges it
    failing: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """Whether a run may ship."""

    run_id: str
    policy: str  # where it was read
    mode: Mode
    outcome: Outcome  # pass, or the worst that keeps it from shipping
    findings: tuple[Finding, ...]
    ships: tuple[
        str, ...
    ] = ()  # the variants for which every rule that names them holds; where some break one, by Holm
    reference: str = ""  # the id of the stored run that it stands against; of an upgrade the present engine
    sessions: tuple[str, ...] = ()  # the ids of further runs of the same models
    again: str = ""  # the id of the run in which they were timed again beside the candidate
    heads: tuple[HeadVerdict, ...] = ()  # where several outputs have labels, a verdict of each, the worst first
