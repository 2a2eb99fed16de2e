"""What an audit of a stored run found, and when a check of it passes: records and rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from harness.measure.same_answers import answers_of, changed
from harness.measure.selftest.twins import CONFIDENCE, Ratio, ratio_of
from harness.metrics.two_stage import first_of
from harness.metrics.typical import TwoSessions, Typical
from harness.records import Case, Round, Run
from harness.records.terms import Outcome
from harness.statistics.stats import CLAIM_ROUNDS
from harness.support.format import plural

ROUNDS = 10
MARGIN = 0.05  # how far a ratio may lie from 1
MORE = "audit again with more --rounds, on a quiet device"
WIDE = f"the margin lies inside the interval: {MORE}"


@dataclass(frozen=True)
class Terms:
    """How a run is audited. seed: decides which samples, in which order, and which answers are kept."""

    seed: int
    rounds: int = ROUNDS
    margin: float = MARGIN


@dataclass(frozen=True)
class Check:
    """One question to one case. ratio: of the times that it is about; None for the answers."""

    case: Case
    what: Literal["answers", "repeated sample", "another order"]
    outcome: Outcome
    reason: str
    ratio: Ratio | None = None


@dataclass(frozen=True)
class Session:
    """The typical round as it is stored, and as it is now: ns. It is shown and not judged, as sessions differ."""

    case: Case
    stored_ns: float
    now_ns: float
    ratio: Ratio


@dataclass(frozen=True)
class AuditResult:
    """audit.json. unsealed: why the stored files cannot be proved to be those measured. notes: what is not audited.

    cases: what is audited. audited: the targets of which all that was found is here; finished: whether they all are.
    Its bool() is good, its str() says what was found.
    """

    audit_id: str
    run_id: str
    date: str
    harness: str
    terms: Terms
    checks: tuple[Check, ...]
    sessions: tuple[Session, ...]
    notes: tuple[str, ...] = ()
    unsealed: str = ""
    cases: tuple[Case, ...] = ()
    audited: tuple[str, ...] = ()
    finished: bool = True

    @property
    def good(self) -> bool:
        """Whether something was checked, everything that was to be, and every check passes."""
        return self.finished and bool(self.checks) and all(check.outcome == "pass" for check in self.checks)

    def __bool__(self) -> bool:
        return self.good

    def __str__(self) -> str:
        terms, failed = self.terms, sum(check.outcome == "fail" for check in self.checks)
        undecided = sum(check.outcome == "inconclusive" for check in self.checks)
        sealed = [f"The run is not sealed: {self.unsealed}."] if self.unsealed else []
        about = f"seed {terms.seed}, {terms.rounds} rounds, margin {100 * terms.margin:g} %"
        found = f"{failed} fail, {undecided} are inconclusive" if failed or undecided else "all pass"
        verdict = f"{len(self.checks)} checks, {found} ({about})." if self.checks else f"Nothing was checked ({about})."
        return "\n".join([*(f"{note}." for note in self.notes), *sealed, verdict])


Medians = Mapping[int, float]  # round → ns an invoke


def answers_check(run: Run, case: Case, rounds: Iterable[Round]) -> Check:
    """Answers that were kept while timing are those of the accuracy pass, bit for bit. rounds: that kept some."""
    first, total, differ = run.accuracy_case(case), 0, 0
    for piece in rounds:
        total += len(piece.samples)
        differ += changed(answers_of(run, first, piece.samples), [np.asarray(output) for output in piece.outputs])
    told = f"{differ:,} of {total:,} answers differ from those of the accuracy pass"
    return Check(
        case, "answers", judged(fails=differ > 0, passes=total > 0), told if total else f"no answer was kept: {MORE}"
    )


def repeated_check(case: Case, varied: Medians, single: Medians, margin: float) -> Check:
    """One sample again and again is not faster than samples that are each asked once: nothing is cached by input."""
    if few := too_few(varied, single):
        return Check(case, "repeated sample", "inconclusive", few)
    ratio = ratio_of(varied, single)
    outcome = judged(fails=ratio.high < 1 - margin, passes=ratio.low > 1 - margin)
    told = {"fail": "it is faster than samples that are each asked once: answers are cached by input"}
    return Check(case, "repeated sample", outcome, told.get(outcome, WIDE if outcome != "pass" else ""), ratio)


def order_check(case: Case, stored: Medians, other: Medians, margin: float) -> Check:
    """Samples of another seed, in another order, take as long as those of the stored run."""
    if few := too_few(stored, other):
        return Check(case, "another order", "inconclusive", few)
    ratio = ratio_of(stored, other)
    beyond = ratio.high < 1 - margin or ratio.low > 1 + margin
    outcome = judged(fails=beyond, passes=1 - margin < ratio.low and ratio.high < 1 + margin)
    told = {"fail": "other samples than those that the run was timed with take another time"}
    return Check(case, "another order", outcome, told.get(outcome, WIDE if outcome != "pass" else ""), ratio)


def judged(fails: bool, passes: bool) -> Outcome:
    """Returns the outcome, as a rule of a gate has it; inconclusive where the interval says neither."""
    return "fail" if fails else "pass" if passes else "inconclusive"


def too_few(one: Medians, other: Medians) -> str:
    pairs = len(one.keys() & other.keys())
    return f"only {plural(pairs, 'pair')} of rounds count: {MORE}" if pairs < CLAIM_ROUNDS else ""


def session_of(run: Run, case: Case, now: Medians) -> Session | None:
    """The case as it was stored beside the same samples now; None where either has too few rounds for limits."""
    rounds = run.usable_rounds(case)
    first = first_of(run.plan.first_stage, [piece.index for piece in rounds])
    stored = [piece.median_ns for piece in rounds]
    if min(len(stored), len(now)) < CLAIM_ROUNDS:
        return None
    sides = TwoSessions(Typical.of(stored, first), Typical.of([ns for _, ns in sorted(now.items())]))
    limits = sides.limits(CONFIDENCE)
    ratio = Ratio(sides.ratio, limits.low, limits.high) if limits else None
    return Session(case, sides.before.value, sides.after.value, ratio) if ratio else None
