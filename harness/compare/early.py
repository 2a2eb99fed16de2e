"""Rows that were decided before the end of the test set: what they say, they say of the samples that they answered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from harness.compare.chance import copies
from harness.metrics.registry import is_of_answers
from harness.records import Case, Change, Comparison, Run, Standing

SO_FAR = frozenset(("accuracy", "accuracy_drop"))  # what such a row has; limits of others hold at no time but the end
STOPPED = "stopped after {:,} of {:,} samples, since the run's rules needed no more"

Compare = Callable[[Run, frozenset[str]], Comparison]


def early_rows(run: Run, compare: Compare) -> dict[Case, Comparison]:
    """Returns, for each such case, its row as of a run that has only the samples that it answered."""
    if not (run.plan.until_decided and run.finished):
        return {}
    firsts: dict[int, list[Case]] = {}
    for case in run.cases:
        if 0 < (count := answered(run, case)) < run.test_count:
            firsts.setdefault(count, []).append(case)
    parts = {count: compare(run.first(count, tuple(cases)), SO_FAR) for count, cases in firsts.items()}
    return {case: parts[count] for count, cases in firsts.items() for case in cases}


def answered(run: Run, case: Case) -> int:
    """Returns how many samples the case answered, from the first on; 0 where one of its shards failed or is missing."""
    shards = sorted((s for s in run.shards if s.case == run.accuracy_case(case)), key=lambda shard: shard.first)
    end = 0
    for shard in shards:
        if shard.status != "ok" or shard.first != end:
            return 0
        end = shard.last
    return end


def stopped(part: Run) -> str:
    """Says that a row stopped. part: the run that has only the samples that it answered."""
    return STOPPED.format(part.test_count, part.stopped_of)


def early_standing(part: Comparison, case: Case, whole: Run) -> Standing:
    """Returns how the case ended, with how far it came."""
    standing = part.standing(case)
    assert standing
    return replace(standing, reason="; ".join(filter(None, (stopped(part.run), standing.reason, copies(whole)))))


def early_change(change: Change, part: Comparison) -> Change:
    """Returns what such a row has in the place of a metric of the whole test set."""
    if change.metric in SO_FAR and (own := part.change(change.case, change.metric)):
        return replace(own, method=f"{own.method}; the row {stopped(part.run)}")
    if not is_of_answers(change.metric):
        return change
    return replace(change, value=None, low=None, high=None, method=f"the row {stopped(part.run)}: no value of them all")
