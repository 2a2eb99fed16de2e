"""harness gate, accept: may this run ship? No TensorFlow; a device only where the reference is timed again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.results import Reference, Results

if TYPE_CHECKING:
    from harness.policy import Policy
    from harness.records import Comparison, Run, Scoring, Verdict
    from harness.store import Store

POLICY = "a policy.toml; default: every variant but float32 loses under 1 pp of accuracy, at 95 %"
REFERENCE = "the stored run that rules stand against, default: the accepted one; repeated: further sessions of it"
AGAIN = "time the reference's models again beside the candidate's, on its devices, and judge by that"
SUMMARY_BYTES = 1_048_576  # what GitHub takes of $GITHUB_STEP_SUMMARY, and nothing of more
References = Annotated[list[str] | None, typer.Option("--reference", metavar="RUN", help=REFERENCE)]


def gate(
    run: Reference,
    policy: Annotated[Path | None, typer.Option(help=POLICY)] = None,
    reference: References = None,
    remeasure_reference: Annotated[bool, typer.Option("--remeasure-reference", help=AGAIN)] = False,
    junit: Annotated[Path | None, typer.Option(help="JUnit XML, one test case a rule and row")] = None,
    summary: Annotated[Path | None, typer.Option(help="Markdown, added to a file such as $GITHUB_STEP_SUMMARY")] = None,
    json: Annotated[bool, typer.Option("--json")] = False,
    results: Results = Path("results"),
) -> None:
    """Judge a run by a policy: exit 0 where every rule holds, 1 where not, 2 for a policy that cannot be used."""
    from harness.cli.output import print_json
    from harness.compare import compare
    from harness.gate import metrics_of
    from harness.report.verdict import document
    from harness.store import Store

    store = Store(results)
    found = load(store.find(run))
    rules = policy_of(policy, found.scoring)
    comparison = compare(found, metrics_of(rules))
    verdict = decide(comparison, rules, reference or (), store, remeasure_reference)
    if json:
        print_json(document(verdict))
    else:
        present(verdict)
    write(verdict, comparison, junit, summary)
    raise typer.Exit(int(verdict.outcome != "pass"))


def accept(
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", help="the reference, then further sessions of it")],
    add: Annotated[bool, typer.Option("--add", help="add sessions to the reference that is accepted")] = False,
    results: Results = Path("results"),
) -> None:
    """Make a run the reference of its experiment: what `against = "reference"` means from now on."""
    from harness import references
    from harness.store import Store

    print((references.add if add else references.accept)(Store(results), runs))


def policy_of(path: Path | None, scoring: Scoring | None = None) -> Policy:
    """scoring: of the run, whose own metrics a rule may name. Raises ConfigError."""
    from harness.policy import default_policy, read_policy
    from harness.records import Scoring

    return read_policy(path, scoring or Scoring()) if path else default_policy()


def decide(
    comparison: Comparison, policy: Policy, references: Sequence[str], store: Store, remeasure: bool = False
) -> Verdict:
    """The verdict. The reference is read only where a rule stands against it, and measured only if that is asked."""
    from harness.cli.output import say
    from harness.compare import compare
    from harness.gate import judge, metrics_of
    from harness.references import accepted

    if all(rule.against != "reference" for rule in policy.rules):
        if references or remeasure:
            option = "--remeasure-reference" if remeasure else "--reference"
            say(f'no rule has against = "reference", so {option} changes nothing')
        return judge(comparison, policy)
    paths = [store.find(name) for name in references] or accepted(store, comparison.run.experiment)
    if paths and paths[0].resolve() == comparison.run.path.resolve():
        say("the reference is the run itself: against it, nothing can have changed")
    metrics = metrics_of(policy)
    reference = compare(load(paths[0]), metrics) if paths else None
    if remeasure:
        return judge(comparison, policy, reference, again=remeasured(comparison, policy, paths, store))
    return judge(comparison, policy, reference, [compare(timed_alone(path), metrics) for path in paths[1:]])


def remeasured(comparison: Comparison, policy: Policy, paths: Sequence[Path], store: Store) -> Comparison | None:
    """The run in which the reference, the first of the paths, is timed again beside the candidate; None where no rule
    rests on that. Raises ConfigError, TargetError."""
    from harness import pipeline
    from harness.cli.output import say
    from harness.cli.progress import Progress
    from harness.errors import ConfigError
    from harness.gate import to_remeasure

    class Again(Progress):
        def how_to_go_on(self) -> str:
            return "What was measured is kept. Run the same command again: it goes on from there."

    if not paths:
        raise ConfigError("there is no reference to measure again", "give --reference RUN, or `harness accept` a run")
    cases = to_remeasure(comparison, policy)
    if not cases:
        say("no row has a rule on time or memory against a reference: nothing is measured again")
        return None
    with Again() as progress:
        return pipeline.remeasure(comparison.run.path, paths[0], cases, store, progress)


def load(path: Path) -> Run:
    """Raises DataError where there is nothing to judge by."""
    from harness import store
    from harness.errors import DataError

    run = store.load(path)
    if not run.test_count:
        raise DataError(f"the test set of {run.run_id} is empty", "nothing can be said of a model without a sample")
    return run


def timed_alone(path: Path) -> Run:
    """A further session of a reference counts by its rounds; its answers, which take long to compare, are left out."""
    from dataclasses import replace

    from harness import store

    run = store.load(path)
    return replace(run, shards=(), plan=replace(run.plan, accuracy=False))


def present(verdict: Verdict) -> None:
    from harness.cli.output import stdout
    from harness.cli.verdict_table import verdict_table
    from harness.report.verdict import headline, ships, stands_against

    console = stdout()
    console.print(verdict_table(verdict))
    if against := stands_against(verdict):
        console.print(against, soft_wrap=True, markup=False)
    console.print(ships(verdict), soft_wrap=True, markup=False)
    console.print(headline(verdict), soft_wrap=True, markup=False)


def write(verdict: Verdict, comparison: Comparison, junit: Path | None = None, summary: Path | None = None) -> None:
    """verdict.json in the run's folder, and what else was asked for. Raises ConfigError."""
    import json

    from harness.errors import ConfigError
    from harness.report import junit as xml
    from harness.report.verdict import document
    from harness.store import write_atomically

    try:
        text = json.dumps(document(verdict), indent=1, allow_nan=False)
        write_atomically(comparison.run.path / "verdict.json", text.encode() + b"\n")
        if junit:
            write_atomically(junit, xml.junit(verdict, str(comparison.run.provenance.get("created", ""))))
        if summary:
            add_summary(verdict, summary)
    except OSError as error:
        told = f"the verdict, {verdict.outcome}, cannot be written: {error}"
        raise ConfigError(told, "give a file in a folder that can be written") from error


def add_summary(verdict: Verdict, path: Path) -> None:
    """After what stands there already, as much as the file may still take."""
    from harness.report.verdict import MARKDOWN_BYTES, markdown

    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        room = SUMMARY_BYTES - file.tell()
        file.write(markdown(verdict, min(room, MARKDOWN_BYTES)).encode())


COMMANDS = (gate, accept)
