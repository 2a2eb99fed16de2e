"""A stored run and a policy → its verdict. What rules stand against is read, or measured again, where a rule asks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from harness.compare.baseline import compare
from harness.errors import ConfigError, DataError, HarnessError, StoreError
from harness.gate.at_limit import Explain
from harness.gate.decide import judge, metrics_of
from harness.gate.policy import CLASSES, Policy, default_policy, read_policy
from harness.gate.reference.remeasured import to_remeasure
from harness.records import BY_DATA, Absent, Case, Comparison, Run, Scoring, Verdict
from harness.records.terms import Task
from harness.runs import loading
from harness.runs.header import read_header
from harness.runs.record import check_models
from harness.runs.references import accepted_runs
from harness.runs.signature import signer_of
from harness.runs.store import Store

Say = Callable[[str], None]
Judge = Callable[[Comparison], Verdict | Absent]
Remeasure = Callable[[Path, Sequence[Case]], Comparison]  # a reference, and the candidate's cases to time beside it


def policy_of(path: Path | None, scoring: Scoring = BY_DATA, tasks: Iterable[Task] = CLASSES) -> Policy:
    """Reads the policy; None for the default one of these tasks. scoring: the run's, whose own metrics a rule may name.

    Raises ConfigError.
    """
    return read_policy(path, scoring) if path else default_policy(tasks)


def load(path: Path, runs: Store, say: Say) -> Run:
    """Loads a run, and says where it is not sealed.
    Raises DataError where there is nothing to judge by, StoreError where it is not what was measured.
    """
    run = loading.load(path, runs.trust)
    tell_unsealed(run, say)
    check_judgeable(run)
    return run


def check_signed(path: Path, signers: Path | None) -> None:
    """Raises StoreError, ConfigError where a run is not finished, sealed, and signed by one of these signers."""
    assert signers is not None
    if reason := loading.check_seal(path, read_header(path)):
        raise StoreError(f"{path} cannot be signed: {reason}", "finish it with --resume, or measure again")
    signer_of(path, signers)


def tell_unsealed(run: Run, say: Say) -> None:
    if run.unsealed:
        say(f"run {run.run_id} is not sealed: {run.unsealed}, so a change to its files would not be noticed")


def check_judgeable(run: Run) -> None:
    """Raises DataError where there is nothing to judge by, StoreError where it is not what was measured."""
    if not run.test_count:
        raise DataError(f"the test set of {run.run_id} is empty", "nothing can be said of a model without a sample")
    check_models(run.path, run.variants, run.hashes)


def judge_by(policy: Policy | None, references: Sequence[str], runs: Store, say: Say) -> Judge:
    """Returns what judges a run as it ends; None: by the default policy, where there is something to judge.

    The judge raises ConfigError, DataError, StoreError. references, runs, say: as in verdict_of.
    """
    if policy is None:
        return default_verdict

    folders = [str(runs.find(name)) for name in references]  # now: `latest` is the run itself when it has ended

    def judged(comparison: Comparison) -> Verdict:
        check_judgeable(comparison.run)
        return verdict_of(comparison, policy, folders, runs, say, explain="computed")

    return judged


def default_verdict(comparison: Comparison) -> Verdict | Absent:
    """Judges a run by the default policy, for its report. Returns Absent where the run gives nothing to judge."""
    run = comparison.run
    if not run.finished:
        return Absent("the run is not finished")
    if not run.plan.accuracy:
        return Absent("this run times again what another run answered; the gate that asked for it has the verdict")
    try:
        check_judgeable(run)
        return judge(comparison, default_policy(run.tasks), explain="computed")
    except HarnessError as error:
        return Absent(f"{error}; {error.advice}")


def verdict_of(
    candidate: Comparison,
    policy: Policy,
    references: Sequence[str],
    runs: Store,
    say: Say,
    remeasure: Remeasure | None = None,
    explain: Explain = "",
    signers: Path | None = None,
) -> Verdict:
    """Judges a run.
    references: the stored run that rules stand against, then further sessions of it; () for what was accepted.

    They are read only where a rule stands against them, and timed again by `remeasure`, where it is given. say: is told
    what was asked for and changes nothing, and which run is not sealed. signers: who must have
    signed them. Raises ConfigError, StoreError, TargetError.
    """
    tell_unsealed(candidate.run, say)
    if all(rule.against != "reference" for rule in policy.rules):
        if references or remeasure:
            option = "--remeasure-reference" if remeasure else "--reference"
            say(f'no rule has against = "reference", so {option} changes nothing')
        return judge(candidate, policy, explain=explain)
    paths = [runs.find(name) for name in references] or accepted_runs(runs, candidate.run.experiment, say)
    if paths and paths[0].resolve() == candidate.run.path.resolve():
        say("the reference is the run itself: against it, nothing can have changed")
    for path in paths if signers else ():
        check_signed(path, signers)
    metrics = metrics_of(policy)
    reference = compare(load(paths[0], runs, say), metrics) if paths else None
    if remeasure:
        again = remeasured_run(candidate, policy, paths, say, remeasure)
        return judge(candidate, policy, reference, again=again, explain=explain)
    sessions = [compare(rounds_alone(load(path, runs, say)), metrics) for path in paths[1:]]
    return judge(candidate, policy, reference, sessions, explain=explain)


def remeasured_run(
    candidate: Comparison, policy: Policy, paths: Sequence[Path], say: Say, remeasure: Remeasure
) -> Comparison | None:
    """Returns the run in which the reference, the first path, is timed beside
    the candidate; None where no rule needs it.
    """
    if not paths:
        raise ConfigError("there is no reference to measure again", "give --reference RUN, or `harness accept` a run")
    cases = to_remeasure(candidate, policy)
    if cases:
        return remeasure(paths[0], cases)
    say("no row has a rule on time or memory against a reference: nothing is measured again")
    return None


def rounds_alone(run: Run) -> Run:
    """Returns a further session without its answers: it counts by its rounds, and answers take long to compare."""
    return replace(run, shards=(), plan=replace(run.plan, accuracy=False))
