"""Where one more session of a row would lie, by stored ones: the same file, timed on the same device in the same way.

An interval of rounds is of one session, on one board. Sessions differ by more than their rounds show, and how far the
next may lie is a prediction from those that are stored, one a boot and day: at least five of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from harness.compare.fingerprint import REFUSE, differences
from harness.compare.two_runs import TwoRuns
from harness.device.protocol import TIMINGS
from harness.errors import HarnessError
from harness.metrics import METRICS
from harness.metrics.latency import pair_rounds
from harness.metrics.registry import Metric, medians_ns
from harness.metrics.typical import Typical
from harness.records import CONTROL, Case, Change, Run
from harness.runs.header import Header, read_header
from harness.runs.loading import ROUND_NAME, load_rounds
from harness.runs.occasions import SESSIONS, Session, counted, once_an_occasion
from harness.statistics.stats import CLAIM_ROUNDS, Interval, prediction_interval
from harness.support.format import plural

MOST = 30  # newest runs that are read
LOOKED_AT = 300  # newest runs whose run.json is read for that
TIMINGS_BYTES = 256 << 20  # of timings in the files of those that are read: memory
CONFIDENCE = 0.95
NEXT = "latency_p50"  # of which it is said
FEW = "{} of the same file {} stored, and under {} do not tell ({})"
COPIES = "the stored sessions say the same to the last digit, as copies of one do"

Value = Callable[[Run], float | None]  # of one session


@dataclass(frozen=True)
class Ahead:
    """Where one more session would lie, with 95 %. limits: None where that is not known, and why."""

    sessions: int  # that it rests on
    limits: Interval | None = None
    why: str = ""


def sessions_of(run: Run) -> tuple[Run, ...]:
    """Returns the stored runs of the experiment that may be sessions of this one, the first first, itself included.

    They are the newest: MOST of them at most, and no more than TIMINGS_BYTES hold. Of each only the rounds are read. A
    run that cannot be read, or is not what was sealed, is none.
    """
    found: list[Run] = []
    left = TIMINGS_BYTES
    for path in sorted(run.path.parent.glob("[!.]*/run.json"), reverse=True)[:LOOKED_AT]:
        with suppress(HarnessError, OSError):
            if len(found) < MOST and may_be(read_header(path.parent), run):
                if (left := left - timings_bytes(path.parent)) < 0:
                    break
                found.append(load_rounds(path.parent))
    return tuple(sorted((run, *found), key=lambda each: each.run_id))


def timings_bytes(path: Path) -> int:
    return sum(file.stat().st_size for file in path.glob(f"raw/*/{ROUND_NAME}*/{TIMINGS}"))


def may_be(header: Header, run: Run) -> bool:
    """Whether it is another finished run, of the same files, on the same devices; a session of a gate's is none."""
    if not header.finished or header.run_id == run.run_id or header.provenance.candidate or not header.plan.rounds:
        return False
    files, own = ({v.sha256 for v in of.variants if v.sha256} for of in (header, run))
    devices, here = ({t.target.name for t in of.targets} for of in (header, run))
    return bool(files & own and devices & here)


def next_of(both: TwoRuns, change: Change, stored: Sequence[Run]) -> Ahead:
    """Returns where one more session of the reference would lie, as a ratio to it. The candidate is none of them."""
    run, metric = both.reference.run, METRICS[change.metric]
    sessions = [each for each in stored if each.run_id != both.candidate.run.run_id]
    ahead, own = ahead_of(run, sessions, change.case, metric), typical_of(metric, change.case)(run)
    if ahead.limits is None or not own:
        return ahead
    return replace(ahead, limits=Interval(ahead.limits.low / own, ahead.limits.high / own))


def next_by_case(both: TwoRuns) -> dict[Case, Ahead]:
    """Returns the same for the latency of each row that both runs timed. Reads the stored runs."""
    timed = [c for c in both.changes if c.metric == NEXT and c.unit == "ratio" and c.value]
    stored = sessions_of(both.reference.run) if timed else ()
    return {change.case: next_of(both, change, stored) for change in timed}


def ahead_of(run: Run, sessions: Sequence[Run], case: Case, metric: Metric | None = None) -> Ahead:
    """Returns where one more session of the row would lie: by the metric's typical round, or the speed-up."""
    value = speedup(case) if metric is None else typical_of(metric, case)
    rests_on = (case,) if metric else (case, control_of(case))
    found = once_an_occasion([(s, why_not(s, run, rests_on, value)) for s in sessions], case)
    logs = [math.log(each) for s, reason in found if not reason and (each := value(s))]
    if len(logs) < SESSIONS:
        return Ahead(len(logs), why=why_unknown(found, case))
    if max(logs) == min(logs):
        return Ahead(len(logs), why=COPIES)
    limits = prediction_interval(logs, CONFIDENCE)
    return Ahead(len(logs), Interval(math.exp(limits.low), math.exp(limits.high)))


def why_unknown(found: Sequence[Session], case: Case) -> str:
    counts = sum(not reason for _, reason in found)
    return FEW.format(plural(counts, "session"), "is" if counts == 1 else "are", SESSIONS, counted(found, case))


def control_of(case: Case) -> Case:
    return Case(CONTROL, case.target, case.runtime, case.threads)


def typical_of(metric: Metric, case: Case) -> Value:
    """Returns what tells a session's value from that of each round. None: none over 0."""
    of_round = metric.of_round
    assert of_round

    def value(run: Run) -> float | None:
        each = [v for r in run.usable_rounds(case) if (v := of_round(r)) is not None]
        return Typical.of(each).value if each and min(each) > 0 else None

    return value


def speedup(case: Case) -> Value:
    def value(run: Run) -> float | None:
        own, other = (medians_ns(run.usable_rounds(of)) for of in (case, control_of(case)))
        pair = pair_rounds(own, other, run.plan.first_stage)
        return pair.ratio if pair else None

    return value


def why_not(session: Run, run: Run, rests_on: Sequence[Case], value: Value) -> str:
    """Returns why a stored run is no session of these rows; "" where it is one."""
    for case in rests_on:
        if case not in session.cases or len(session.usable_rounds(case)) < CLAIM_ROUNDS:
            return f"without {case.variant} there"
        if session.variant(case.variant).sha256 != run.variant(case.variant).sha256:
            return f"another file as {case.variant}"
        if refused := [d.field for d in differences(run, session, case) if d.level == REFUSE]:
            return f"not known to be alike in {', '.join(refused)}"
    return "" if value(session) else "no value"
