"""A test set that is asked until a rule is decided: in shards that grow, with a look at the answers between them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field

from harness.records import Case, Job

FIRST_LOOK = 250  # samples, which every case answers; no limit of 1 pp can be passed with fewer than 299
GROWTH = 1.5  # a look costs the start of a process, a late one the samples since the last

Decided = Callable[[], Collection[Case]]  # the cases that need no further samples, from what is stored so far


def growing_places(count: int, most: int) -> Iterator[tuple[int, int]]:
    """Yields (first, last) of shards of `count` samples, of `most` each at most: one ends where each look is."""
    first, look = 0, FIRST_LOOK
    while first < count:
        last = min(count, look, first + most)
        yield first, last
        first, look = last, next_look(last) if last == look else look


def next_look(samples: int) -> int:
    """Returns how many samples a case has answered at the look after that."""
    return int(GROWTH * samples)


@dataclass
class Looks:
    """Which shards are still to be asked. decided: None where all are."""

    decided: Decided | None
    look: int = FIRST_LOOK  # the next one comes before the shard that begins here
    done: set[Case] = field(default_factory=set)

    def skip(self, job: Job) -> bool:
        """Returns whether the job is a shard that its case need not answer. Looks first, where it is time."""
        if self.decided is None or job.kind != "outputs":
            return False
        if job.first >= self.look:
            self.look = next_look(job.first)
            self.done |= set(self.decided())  # a case that was skipped once has a gap behind it
        return job.case in self.done
