"""Which stored sessions are replicates: those of one boot, or of one day, are alike in what sets sessions apart.

Five sessions in a row show how much rounds differ, not days: where days differ by 2 %, they let 33 % of candidates at
the limit through. So of one boot, and of one day, the first session counts.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.records import Case, Run
from harness.support.format import plural

SESSIONS = 5  # fewer do not show how much sessions differ
NO_DAY = "on which day it was measured is not known"
SAME = "of the same {} as an earlier one"

Session = tuple[Run, str]  # and why it does not count; "" where it does


def day_of(run: Run) -> str:
    """Returns the day, in UTC, as in 2026-01-31; "" where it is unknown."""
    return run.provenance.created[:10]


def boot_of(run: Run, case: Case) -> str:
    """Returns the boot of the row's device; "" where it is unknown: then its day alone tells it apart."""
    environment = run.target(case.target).environment
    return environment.boot_id or "" if environment else ""


def once_an_occasion(sessions: Sequence[Session], case: Case) -> list[Session]:
    """Returns each session with the reason why it does not count. sessions: the same so far."""
    seen: set[str] = set()
    judged = []
    for run, reason in sessions:
        judged.append((run, reason or why_no_occasion(run, case, seen)))
        if not judged[-1][1]:
            seen |= {day_of(run), boot_of(run, case)} - {""}
    return judged


def why_no_occasion(run: Run, case: Case, seen: set[str]) -> str:
    """seen: the boots and days of the sessions that count."""
    day = day_of(run)
    if not day:
        return NO_DAY
    return next((SAME.format(name) for name, of in (("boot", boot_of(run, case)), ("day", day)) if of in seen), "")


def counted(sessions: Sequence[Session], case: Case) -> str:
    """Says how many sessions, boots and days there are of those that otherwise fit."""
    fit = [run for run, reason in sessions if not reason or reason in (SAME.format("boot"), SAME.format("day"))]
    boots, days = ({of for run in fit if (of := tell(run))} for tell in (lambda run: boot_of(run, case), day_of))
    told = plural(len(boots), "boot") if boots else "an unknown number of boots"
    return f"{len(fit)} fit, from {told} and {plural(len(days), 'day')}; of one boot or one day only the first counts"
