"""The story: experiment → variants → run → comparison → verdict → report. The device measures, the host judges."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Protocol

from harness import __version__
from harness.build.builder import Built, build
from harness.build.scored import as_asked, heads_of
from harness.compare.baseline import compare
from harness.data.shuffled import shuffled
from harness.errors import ConfigError, TargetError
from harness.experiment.request import Request
from harness.gate.judge.watched import why_whole
from harness.gate.policy import Policy, default_policy
from harness.gate.reference.side_by_side import begin, same_files
from harness.gate.run_gate import Judge, default_verdict
from harness.gate.settled import settled
from harness.measure.connections import kind_of
from harness.measure.connections.link import check_reachable
from harness.measure.jobs import Watcher, Work, cases_of, measure
from harness.measure.looks import Decided
from harness.measure.patience import connect_when_free
from harness.measure.provision.setup import can_be_set_up
from harness.measure.provision.setup import setup as provide
from harness.measure.same_device import check_same_device, identity_of
from harness.metrics.fitting import check
from harness.metrics.meaning import declared_task
from harness.records import Absent, Case, Comparison, Dataset, Experiment, Provenance, Target, TargetRecord, Verdict
from harness.records.terms import Task
from harness.report import derive
from harness.runs.header import Header, absolute_variants, new_run_id
from harness.runs.loading import read_run
from harness.runs.record import Record, check_unchanged, measuring
from harness.runs.spent import TimedConnection
from harness.runs.store import Store
from harness.support.cache import Cache, version
from harness.support.files import telling_disk

ASKS_ALL = "the whole test set is asked, though until decided was asked for: {}"


@dataclass(frozen=True)
class Conclusion:
    """What a run came to."""

    comparison: Comparison
    verdict: Verdict | Absent


class Listener(Watcher, Protocol):
    """Is told how the whole run goes: what is built, which run was opened, and all that a Watcher is told."""

    def say(self, text: str) -> None: ...
    def opened(self, record: Record) -> None: ...


@telling_disk()
def run(
    request: Request,
    store: Store,
    cache: Cache,
    listener: Listener,
    judge: Judge = default_verdict,
    policy: Policy | None = None,
) -> Conclusion:
    """Builds what is not built, opens a run, measures and concludes. Raises TargetError before it builds anything where
    no target is reachable.

    policy: by which a plan until_decided is decided; None for the default one.
    """
    begin = time.monotonic()
    request = planned(request, policy, listener)
    targets = reachable(request.targets, listener)
    dataset = dataset_of(request.experiment)
    for target in targets:
        if request.setup and can_be_set_up(target, request.runtimes):
            provide(target, listener.say, request.runtimes)
    built = build(request.experiment, dataset, cache, listener.say)
    record = store.open(header_of(request, built), built.dataset, built.baseline)
    record.watch.seconds["building_s"] += time.monotonic() - begin
    with measuring(record.path):
        return go_on(record, listener, judge, policy, request.wait_s)


def planned(request: Request, policy: Policy | None, listener: Listener) -> Request:
    """Returns the request without until_decided, and says why, where the policy is of the whole test set."""
    plan, declared = request.experiment.plan, declared_task(request.experiment.scoring)
    if not plan.until_decided or not (why := why_not_early(policy, declared or "classification")):
        return request
    listener.say(ASKS_ALL.format(why))
    return replace(request, experiment=replace(request.experiment, plan=replace(plan, until_decided=False)))


def why_not_early(policy: Policy | None, task: Task) -> str:
    """Returns why no row is decided before the end of the test set; "" where one may be. policy: None for the default
    one of the task.
    """
    if policy is not None:
        return why_whole(policy)
    try:
        why = why_whole(default_policy([task]))
    except ConfigError as error:
        return f"{error}; {error.advice}"
    return f"without --policy {why}, and only accuracy_drop, of classes, is decided before it ends" if why else ""


def dataset_of(experiment: Experiment) -> Dataset:
    """Loads the data; where not all test samples may be asked, in an order in which the first are a fair sample."""
    dataset, plan = experiment.load(), experiment.plan
    return shuffled(dataset, plan.seed) if plan.until_decided else dataset


def reachable(targets: Sequence[Target], listener: Listener) -> list[Target]:
    """Those that answer, asked before minutes of building; for each of the others, says why it does not.

    Raises TargetError where none answers.
    """
    found, lost = [], []
    for target in targets:
        try:
            if kind_of(target).is_remote:
                check_reachable(target)
            found.append(target)
        except TargetError as error:
            lost.append(error)
    if not found:
        for each in lost[1:]:
            listener.say(str(each))
        raise lost[0]
    for each in lost:
        listener.say(f"{each}; building continues, and it is tried again before measuring")
    return found


@telling_disk()
def resume(
    reference: str,
    store: Store,
    listener: Listener,
    judge: Judge = default_verdict,
    policy: Policy | None = None,
    wait_s: float = 0.0,
) -> Conclusion:
    """Goes on where an interrupted run stopped; what it has measured is not measured again. A run until decided goes on
    until it is by this policy, the default one where it is None.
    """
    path = store.find(reference, finished=False)
    with measuring(path):
        record = store.reopen(str(path))
        check_unchanged(record)
        return go_on(record, listener, judge, policy, wait_s)


@telling_disk()
def remeasure(candidate: Path, reference: Path, cases: Sequence[Case], store: Store, listener: Listener) -> Comparison:
    """Times these cases of a stored run and the same of its reference in one session: a run of its own."""
    record = begin(candidate, reference, cases, store)
    for name in same_files(record.header):
        listener.say(f"{name}: the reference's .tflite file is the candidate's, so it is measured beside itself")
    with measuring(record.path):
        return go_on(record, listener, default_verdict).comparison


def go_on(
    record: Record, listener: Listener, judge: Judge, policy: Policy | None = None, wait_s: float = 0.0
) -> Conclusion:
    """Measures what the record lacks, target by target, and concludes. Raises TargetError, at the end, for the first
    target that was lost: such a run is not judged.
    """
    listener.opened(record)
    if record.header.plan.until_decided and (why := why_not_early(policy, record.header.task)):
        listener.say(ASKS_ALL.format(why))
    lost = []
    for target in record.header.targets:
        try:
            with record.watch.on("keeping_s"):
                measure_target(record, target, listener, policy, wait_s)
        except TargetError as error:  # the other devices go on
            lost.append(error)
    if not lost or record.was_finished:
        with record.watch.on("keeping_s"):
            record.finish()
    conclusion = conclude(record, default_verdict if lost else judge, listener.say)
    for further in lost[1:]:
        listener.say(str(further))
    if lost:
        raise lost[0]
    return conclusion


def measure_target(
    record: Record, known: TargetRecord, listener: Listener, policy: Policy | None = None, wait_s: float = 0.0
) -> None:
    """Measures the cases of one target that the record lacks, each piece sealed as it arrives. Raises TargetError.

    wait_s: how long a busy device is waited for.
    """
    header, target = record.header, known.target
    cases = tuple(case for case in header.cases if case.target == target.name)
    work = Work(target, cases, absolute_variants(record.path, header), record.dataset, header.plan)
    raw, replaces = record.raw(target.name), partial(record.replaces, target.name)
    with record.watch.on("connecting_s"):
        opened = connect_when_free(target, header.run_id, header.tune, wait_s, listener.say)
    with closing(TimedConnection(opened, record.watch)) as connection:
        if known.environment and raw.exists():
            check_same_device(target.name, "run", identity_of(known.environment, cases), connection.environment)
        record.note(replace(known, environment=connection.environment))
        try:
            for piece in measure(work, connection, raw, listener, decided_by(policy, record), replaces):
                record.watch.ran(piece, connection.taken())
                record.arrived(target.name)
                listener.done(piece)
        finally:
            sent = {what: known.bytes_sent.get(what, 0) + n for what, n in connection.bytes_sent.items()}
            record.note(TargetRecord(target, connection.environment, sent))


def decided_by(policy: Policy | None, record: Record) -> Decided | None:
    """Returns what says which cases need no further samples; None where all are asked."""
    header = record.header
    if not header.plan.until_decided or why_not_early(policy, header.task):
        return None
    rules = policy or default_policy([header.task])
    return lambda: settled(read_run(record.path, header, record.dataset), rules)


def conclude(record: Record, judge: Judge, say: Callable[[str], None]) -> Conclusion:
    """Derives everything from what the run has so far, and leaves it in the run's folder. A judge's error is raised
    when that is done. say: is told what is being done.
    """
    with record.watch.on("judging_s"):
        say("comparing each row with Keras")
        comparison = compare(read_run(record.path, record.header, record.dataset))
        say("judging")
        try:
            verdict, failed = judge(comparison), None
        except Exception as error:  # whatever it is, what was measured is reported
            verdict, failed = Absent(str(error)), error
    say("writing tables, plots and the report")
    reported(record, comparison, verdict)
    if failed:
        raise failed
    return Conclusion(comparison, verdict)


def reported(record: Record, comparison: Comparison, verdict: Verdict | Absent) -> None:
    """Writes what the time went to before the report, which shows it, and once more with what the report took."""
    record.watch.save()
    with record.watch.on("report_s"):
        derive(comparison, verdict, record.path)
    record.watch.save()


def header_of(request: Request, built: Built) -> Header:
    """run.json as it stands before anything is measured."""
    experiment, dataset = as_asked(request.experiment, built.dataset), built.dataset
    scoring, task = check(experiment.scoring, dataset, built.baseline, built.output_names)
    cases = [
        case
        for target in request.targets
        for case in cases_of(
            built.variants, target, request.runtimes or target.runtimes, request.threads or target.threads
        )
    ]
    return Header(
        run_id=new_run_id(),
        experiment=experiment.name,
        task=task,
        class_names=dataset.class_names,
        affines=dataset.affines,
        plan=experiment.plan,
        variants=built.variants,
        targets=tuple(TargetRecord(target) for target in request.targets),
        cases=tuple(cases),
        tune=request.tune,
        scoring=scoring,
        heads=heads_of(experiment.heads, dataset, built.baseline, built.output_names),
        output_names=built.output_names,
        input_names=built.input_names,
        state=dataset.state,
        hashes=hashes_of(dataset, built),
        provenance=provenance_of(experiment, dataset, built),
    )


def hashes_of(dataset: Dataset, built: Built) -> dict[str, str]:
    marks = {"marks": dataset.marks_sha256} if dataset.marks_sha256 else {}
    return {"model": built.model_sha256, "train": dataset.train_sha256, "test": dataset.test_sha256} | marks


def provenance_of(experiment: Experiment, dataset: Dataset, built: Built) -> Provenance:
    return Provenance(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        harness=__version__,
        python=platform.python_version(),
        tensorflow=version("tensorflow"),
        keras=version("keras"),
        data=dataset.source,
        seed=experiment.seed,
        baseline=experiment.baseline,
        remarks=tuple(map(str, built.remarks)),
        distinct=len(dataset.times),
    )
