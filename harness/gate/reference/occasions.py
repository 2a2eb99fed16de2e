"""Which stored sessions are replicates: those of one boot, or of one day, are alike in what sets sessions apart.

Five sessions in a row show how much rounds differ, not days: where days differ by 2 %, they let 33 % of candidates at
the limit through. So of one boot, and of one day, the first session counts.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.gate.evidence import Evidence
from harness.records import Case
from harness.support.format import plural

NO_DAY = "on which day it was measured is not known"
SAME = "of the same {} as an earlier one"


def day_of(session: Evidence) -> str:
    """Returns the day, in UTC, as in 2026-01-31; "" where it is unknown."""
    return session.comparison.run.provenance.created[:10]


def boot_of(session: Evidence, case: Case) -> str:
    """Returns the boot of the row's device; "" where it is unknown: then its day alone tells it apart."""
    environment = session.comparison.run.target(case.target).environment
    return environment.boot_id or "" if environment else ""


def once_an_occasion(sessions: Sequence[tuple[Evidence, str]], case: Case) -> list[tuple[Evidence, str]]:
    """Returns each session with the reason why it does not count; "" where it does. sessions: the same so far."""
    seen: set[str] = set()
    judged = []
    for session, reason in sessions:
        judged.append((session, reason or why_no_occasion(session, case, seen)))
        if not judged[-1][1]:
            seen |= {day_of(session), boot_of(session, case)} - {""}
    return judged


def why_no_occasion(session: Evidence, case: Case, seen: set[str]) -> str:
    """seen: the boots and days of the sessions that count."""
    day = day_of(session)
    if not day:
        return NO_DAY
    return next((SAME.format(name) for name, of in (("boot", boot_of(session, case)), ("day", day)) if of in seen), "")


def counted(sessions: Sequence[tuple[Evidence, str]], case: Case) -> str:
    """Says how many sessions, boots and days there are of those that otherwise fit."""
    fit = [s for s, reason in sessions if not reason or reason in (SAME.format("boot"), SAME.format("day"))]
    boots, days = ({of for s in fit if (of := tell(s))} for tell in (lambda s: boot_of(s, case), day_of))
    told = plural(len(boots), "boot") if boots else "an unknown number of boots"
    return f"{len(fit)} fit, from {told} and {plural(len(days), 'day')}; of one boot or one day only the first counts"
