"""harness gate, accept: may this run ship? No TensorFlow, no device."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.results import Reference, Results

if TYPE_CHECKING:
    from harness.policy import Policy
    from harness.records import Comparison, Verdict
    from harness.store import Store

POLICY = "a policy.toml; default: every variant but float32 loses under 1 pp of accuracy, at 95 %"
REFERENCE = "the stored run that rules stand against; default: the accepted one"
SUMMARY_BYTES = 1_048_576  # what GitHub takes of $GITHUB_STEP_SUMMARY, and nothing of more


def gate(
    run: Reference,
    policy: Annotated[Path | None, typer.Option(help=POLICY)] = None,
    reference: Annotated[str | None, typer.Option(metavar="RUN", help=REFERENCE)] = None,
    junit: Annotated[Path | None, typer.Option(help="JUnit XML, one test case a rule and row")] = None,
    summary: Annotated[Path | None, typer.Option(help="Markdown, added to a file such as $GITHUB_STEP_SUMMARY")] = None,
    json: Annotated[bool, typer.Option("--json")] = False,
    results: Results = Path("results"),
) -> None:
    """Judge a run by a policy: exit 0 where every rule holds, 1 where not, 2 for a policy that cannot be used."""
    from harness.cli.output import print_json
    from harness.report.verdict import document
    from harness.store import Store

    store = Store(results)
    rules = policy_of(policy)
    comparison = load(store.find(run))
    verdict = decide(comparison, rules, reference, store)
    if json:
        print_json(document(verdict))
    else:
        present(verdict)
    write(verdict, comparison, junit, summary)
    raise typer.Exit(int(verdict.outcome != "pass"))


def accept(run: Reference, results: Results = Path("results")) -> None:
    """Make a run the reference of its experiment: what `against = "reference"` means from now on."""
    from harness import references
    from harness.store import Store

    print(references.accept(Store(results), run))


def policy_of(path: Path | None) -> Policy:
    from harness.policy import default_policy, read_policy

    return read_policy(path) if path else default_policy()


def decide(comparison: Comparison, policy: Policy, reference: str | None, store: Store) -> Verdict:
    """The verdict. The reference is read only where a rule stands against it."""
    from harness.cli.output import say
    from harness.gate import judge
    from harness.references import accepted

    if all(rule.against != "reference" for rule in policy.rules):
        if reference:
            say('no rule has against = "reference", so --reference changes nothing')
        return judge(comparison, policy)
    path = store.find(reference) if reference else accepted(store, comparison.run.experiment)
    if path and path.resolve() == comparison.run.path.resolve():
        say("the reference is the run itself: against it, nothing can have changed")
    return judge(comparison, policy, load(path) if path else None)


def load(path: Path) -> Comparison:
    """Raises DataError where there is nothing to judge by."""
    from harness import store
    from harness.compare import compare
    from harness.errors import DataError

    run = store.load(path)
    if not len(run.labels):
        raise DataError(f"the test set of {run.run_id} is empty", "nothing can be said of a model without a sample")
    return compare(run)


def present(verdict: Verdict) -> None:
    from harness.cli.output import stdout
    from harness.cli.verdict_table import verdict_table
    from harness.report.verdict import headline, ships

    console = stdout()
    console.print(verdict_table(verdict))
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
