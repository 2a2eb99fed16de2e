"""looks.py: shards that grow, and which of them are asked."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from harness.measure.jobs import Work, audited_samples, shard_jobs
from harness.measure.looks import FIRST_LOOK, Looks, growing_places
from harness.records import Case
from tests.devices import recorded_work


def until_decided() -> Work:
    known = recorded_work()
    return replace(known, plan=replace(known.plan, rounds=0, until_decided=True))


@pytest.mark.parametrize(("count", "most"), [(10_000, 5_000), (10_000, 90), (250, 5_000), (7, 5_000), (0, 5)])
def test_shards_hold_every_sample_once_and_end_where_a_look_is(count: int, most: int) -> None:
    shards = list(growing_places(count, most))
    assert [n for first, last in shards for n in range(first, last)] == list(range(count))
    assert all(last - first <= most for first, last in shards)
    ends = {last for _, last in shards}
    assert {250, 375, 562, 843, 1264} & set(range(count)) <= ends


def test_looks_come_half_as_many_samples_later_each_time() -> None:
    ends = [last for _, last in growing_places(10_000, 5_000)]
    assert ends[0] == FIRST_LOOK and len(ends) == 11
    assert all(later <= 1.5 * end for end, later in pairwise(ends))


def test_the_samples_that_are_audited_are_among_those_that_every_row_answers() -> None:
    assert max(audited_samples(until_decided())) < FIRST_LOOK <= max(audited_samples(recorded_work()))


def test_a_case_that_is_decided_answers_no_further_shards() -> None:
    """It says so once: should a later look no longer know it, its next shard would leave a gap."""
    work = until_decided()
    one, other = work.cases[:2]
    told = [{one}, set[Case]()]
    looks = Looks(lambda: told.pop(0))
    asked = [(job.first, job.case) for job in shard_jobs(work, (one, other)) if not looks.skip(job)]
    assert asked == [(0, one), (0, other), (250, other), (375, other)]
    assert told == []  # two looks, one before each later shard


def test_no_look_comes_before_the_first_samples_where_shards_are_small() -> None:
    work = until_decided()
    jobs = [replace(job, first=first) for job in shard_jobs(work, work.cases[:1])[:1] for first in range(0, 450, 50)]
    seen: list[int] = []

    def decided() -> tuple[Case, ...]:
        seen.append(looks.look)
        return ()

    looks = Looks(decided)
    assert not any(looks.skip(job) for job in jobs)
    assert seen == [375, 600]  # at 250, and at 400, the first shard after 375


def test_every_shard_is_asked_where_nothing_decides() -> None:
    work = until_decided()
    looks = Looks(None)
    assert not any(looks.skip(job) for job in shard_jobs(work, work.cases))
