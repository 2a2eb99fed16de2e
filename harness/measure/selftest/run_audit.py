"""Measures a stored run again on its own device, to see whether it may be trusted (`harness audit`).

Every case is timed under three names, in rounds that they share, after MLPerf Inference's compliance tests:

    stored   the samples that the run was timed with, in their order
    seeded   samples of another seed, each asked once in a round; those of the warm-up are others
    single   one sample again and again, another one each round

Where state is carried, seeded are clips in another order, and single the first sample of a clip: so that each has the
state that it had in the accuracy pass.

In all of them some answers are kept while timing, and must be those of the accuracy pass (TEST01). single may not be
faster than seeded (TEST04), and seeded must take the time of stored (TEST05).
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path

from harness.errors import ConfigError
from harness.measure.connections import Connection
from harness.measure.jobs import (
    LATENCY_SAMPLES,
    Watcher,
    Work,
    attempts,
    input_files,
    job,
    picked_files,
    remove_leftovers,
    shard_samples,
)
from harness.measure.model_state import reset_of
from harness.measure.selftest.audit_result import (
    Check,
    Medians,
    Session,
    Terms,
    answers_check,
    order_check,
    repeated_check,
    session_of,
)
from harness.measure.selftest.twins import measured
from harness.metrics.registry import medians_ns
from harness.records import Case, Dataset, Job, Round, Run, TargetRecord
from harness.records.dataset import starts_of
from harness.records.names import row_name
from harness.support.format import plural
from harness.support.globs import chosen

STORED, SEEDED, SINGLE = NAMES = "stored", "seeded", "single"  # of one length: it is in the paths on the device
AT = "@"
SEEDED_SAMPLES = 1_000  # at most; a tenth of them is for the warm-up
FEWEST_SAMPLES = 20
ANSWERS = 20  # that a round keeps
NO_CLAIM = "no claim of latency is made for it, so answers alone are audited"


class Audit:
    """One target of a stored run while it is audited.

    notes: what is not audited, and why.
    """

    def __init__(self, run: Run, dataset: Dataset, record: TargetRecord, cases: Sequence[Case], terms: Terms) -> None:
        """cases: of that target, measured and timed. Raises ConfigError where the test set is too small."""
        self.run, self.cases, self.emulated = run, tuple(cases), record.emulated
        rounds = 1 if record.emulated else terms.rounds
        self.plan = replace(run.plan, precision=None, rounds=rounds, seed=terms.seed)
        self.margin = terms.margin
        models = tuple(replace(v, name=v.name + AT + name) for v in run.variants for name in NAMES)
        self.work = Work(record.target, tuple(named(c, n) for c in cases for n in NAMES), models, dataset, self.plan)
        self.order = self.seeded_order()
        self.apart = max(1, len(self.order) // 10)
        self.notes = [] if not self.emulated else [f"{record.target.name} is emulated: {NO_CLAIM}"]

    def measure(self, connection: Connection, folder: Path, watcher: Watcher) -> tuple[list[Check], list[Session]]:
        """Times every case and concludes. What the folder has is not asked for again. Raises JobFailed."""
        each = [self.round_of(index) for index in range(self.plan.rounds)]
        for one in each:
            begin_anew(one, folder)
        remove_leftovers(folder)
        jobs = [job for one in each for job in one]
        watcher.begin(self.work.target.name, 0, len(jobs))
        rounds = measured(jobs, connection, folder, watcher, "it ran there before: see what changed on the device")
        checks = [check for case in self.cases for check in self.checks(case, rounds)]
        sessions = [] if self.emulated else [self.session(case, rounds) for case in self.cases]
        return checks, [session for session in sessions if session]

    # --- what is asked ---

    def seeded_order(self) -> list[int]:
        """The places in the test set of the samples of the seed; those of the warm-up come last."""
        answered = min(max(s.last for s in self.run.shards if s.case == self.run.accuracy_case(c)) for c in self.cases)
        if answered < FEWEST_SAMPLES:
            told = f"{plural(answered, 'test sample')} are too few to ask others than before"
            raise ConfigError(told, f"an audit needs {FEWEST_SAMPLES}")
        count = min(answered, SEEDED_SAMPLES, shard_samples(self.work))
        if count < FEWEST_SAMPLES:
            told = (
                f"a device is sent {plural(count, 'sample')} of this size at a time: too few to tell them apart by time"
            )
            raise ConfigError(told, f"an audit needs {FEWEST_SAMPLES}, so it is of models with smaller inputs")
        chance = random.Random(f"{self.plan.seed}/order")
        return self.clips_in(chance, answered)[:count] if self.run.state else chance.sample(range(answered), count)

    @cached_property
    def begun(self) -> list[int]:
        """The places of the samples that have the same state whatever was asked before: where clips begin."""
        starts = self.work.dataset.starts
        return [] if starts is None else starts.tolist()

    def clips_in(self, chance: random.Random, answered: int) -> list[int]:
        """Clips in another order, each whole: a state is then as it was in the accuracy pass."""
        clips = list(pairwise([*self.begun, answered]))
        return [place for clip in chance.sample(clips, len(clips)) for place in range(*clip)]

    def round_of(self, index: int) -> list[Job]:
        jobs = [self.job(case, name, index) for case in self.cases for name in NAMES]
        random.Random(f"{self.plan.seed}/{index}").shuffle(jobs)
        return jobs

    def job(self, case: Case, name: str, index: int) -> Job:
        """One round of a case under one of its names. All names get the same number of invokes."""
        fed = self.fed(name, index)
        inputs = input_files(self.work.dataset, 0, len(fed)) if name == STORED else picked_files(self.work.dataset, fed)
        apart = self.apart if name == SEEDED else 0
        most = len(self.order) - self.apart
        least = min(self.plan.min_runs, most)
        kept = self.kept(case, index, least)
        cycled = fed[: len(fed) - apart]
        samples = tuple(cycled[n % len(cycled)] for n in kept)
        made = job(self.work, named(case, name), "latency", (index, len(fed)), inputs, samples)
        own: dict[str, object] = {"min_runs": least, "max_runs": most, "warmup_samples": apart, "answers": kept}
        if self.run.state and self.run.clips is not None:
            own["starts"] = starts_of(self.run.clips[list(fed)]).tolist()
        return replace(made, spec=made.spec | own)

    def fed(self, name: str, index: int) -> Sequence[int]:
        """The places in the test set of the samples that a round is given."""
        if name == STORED:
            return range(min(LATENCY_SAMPLES, shard_samples(self.work), self.work.dataset.test_count))
        if name == SEEDED:
            return self.order
        alone = [place for place in self.order if place in self.begun] if self.run.state else self.order
        return [alone[index % len(alone)]]

    def kept(self, case: Case, index: int, least: int) -> list[int]:
        """The timings whose answers are kept: none of a model with state, which runs on while it is timed."""
        if self.keeps_state(case):
            return []
        count = min(ANSWERS, least, shard_samples(self.work))
        return sorted(random.Random(f"{self.plan.seed}/{index}/answers").sample(range(least), count))

    def keeps_state(self, case: Case) -> bool:
        return self.work.resets[case.variant + AT + STORED] != "none"

    # --- what that says ---

    def checks(self, case: Case, rounds: Sequence[Round]) -> Iterator[Check]:
        if self.keeps_state(case):
            told = "keeps state, which runs on while it is timed: its answers then are not compared"
            self.notes.append(f"{row_name(case)} {told}")
        else:
            names = {named(case, name) for name in NAMES}
            yield answers_check(self.run, case, [piece for piece in rounds if piece.case in names])
        if not self.emulated:
            stored, seeded, single = (medians_of(rounds, named(case, name)) for name in NAMES)
            yield repeated_check(case, seeded, single, self.margin)
            yield order_check(case, stored, seeded, self.margin)

    def session(self, case: Case, rounds: Sequence[Round]) -> Session | None:
        return session_of(self.run, case, medians_of(rounds, named(case, STORED)))


def named(case: Case, name: str) -> Case:
    return replace(case, variant=case.variant + AT + name)


def begin_anew(jobs: Sequence[Job], folder: Path) -> None:
    """Removes what there is of a round that was interrupted: its processes are compared with one another."""
    if not all((folder / job.id).exists() for job in jobs):
        for job in (again for each in jobs for again in attempts(each)):
            shutil.rmtree(folder / job.id, ignore_errors=True)


def medians_of(rounds: Sequence[Round], case: Case) -> Medians:
    return medians_ns(piece for piece in rounds if piece.case == case)


def why_not_auditable(run: Run, case: Case) -> str:
    """Why nothing of the case can be checked; "" where something can."""
    first = run.accuracy_case(case)
    shards = [shard for shard in run.shards if shard.case == first]
    if not shards or any(shard.status != "ok" for shard in shards) or not run.usable_rounds(case):
        return "it was not asked the test set, or not timed"
    path = run.variant(case.variant).path
    if run.target(case.target).emulated and path and reset_of(path) != "none":
        return f"it keeps state, so its answers while timing are not compared, and times of {case.target} claim nothing"
    return ""


def chosen_cases(run: Run, targets: Sequence[str], variants: Sequence[str]) -> tuple[list[Case], dict[Case, str]]:
    """The cases of these names, or globs, that can be audited; those that cannot → why. Raises ConfigError where none
    can.
    """

    def is_named(case: Case) -> bool:
        named = ((case.target, targets), (case.variant, variants))
        return all(chosen([name], globs) for name, globs in named)

    asked = [case for case in run.cases if is_named(case)]
    left_out = {case: why for case in asked if (why := why_not_auditable(run, case))}
    found = [case for case in asked if case not in left_out]
    if not found:
        whys = [f"{row_name(case)}: {why}" for case, why in left_out.items()] or [
            "none was asked the test set and timed"
        ]
        told = f"run {run.run_id} has no row of these names that can be audited; {'; '.join(whys)}"
        raise ConfigError(told, "name others, or measure with --plan standard first")
    if recordings := {c.target for c in found if run.target(c.target).target.kind == "replay"}:
        told = f"{', '.join(sorted(recordings))} is a recording, which answers nothing that it was not asked before"
        raise ConfigError(told, "audit the run that was recorded")
    return found, left_out
