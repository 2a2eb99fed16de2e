"""harness gate, accept: may this run ship? No TensorFlow; a device only where the reference is timed again."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.command_results import Reference, Results

if TYPE_CHECKING:
    from harness.records import Case, Comparison, Run, Verdict
    from harness.runs.store import Store

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
    from harness.cli.output import print_json, say
    from harness.compare.baseline import compare
    from harness.gate.decide import metrics_of
    from harness.gate.run_gate import load, policy_of, verdict_of
    from harness.report.out.verdict_text import document
    from harness.runs.store import Store

    store = Store(results)
    stored = load(store.find(run))
    rules = policy_of(policy, stored.scoring)
    comparison = compare(stored, metrics_of(rules))
    again = partial(timed_beside, stored, store) if remeasure_reference else None
    verdict = verdict_of(comparison, rules, reference or (), store, say, again)
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
    from harness.runs import references
    from harness.runs.store import Store

    print((references.add if add else references.accept)(Store(results), runs))


def timed_beside(run: Run, store: Store, reference: Path, cases: Sequence[Case]) -> Comparison:
    """The run in which these cases of the run and of its reference are timed side by side, with progress."""
    from harness import pipeline
    from harness.cli.progress import Progress

    class Again(Progress):
        def how_to_go_on(self) -> str:
            return "What was measured is kept. Run the same command again: it continues from there."

    with Again() as progress:
        return pipeline.remeasure(run.path, reference, cases, store, progress)


def present(verdict: Verdict) -> None:
    from harness.cli.output import stdout
    from harness.cli.tables.verdict_table import verdict_table
    from harness.report.out.verdict_text import headline, ships, stands_against

    stdout().print(verdict_table(verdict))
    if against := stands_against(verdict):
        print(against)
    print(ships(verdict))
    print(headline(verdict))


def write(verdict: Verdict, comparison: Comparison, junit: Path | None = None, summary: Path | None = None) -> None:
    """verdict.json in the run's folder, and what else was asked for. Raises ConfigError."""
    from harness.errors import ConfigError
    from harness.report.out import junit as xml
    from harness.report.out.verdict_text import document
    from harness.support.files import write_atomically, write_json

    try:
        write_json(comparison.run.path / "verdict.json", document(verdict))
        if junit:
            write_atomically(junit, xml.junit(verdict, comparison.run.provenance.created))
        if summary:
            add_summary(verdict, summary)
    except OSError as error:
        told = f"the verdict, {verdict.outcome}, cannot be written: {error}"
        raise ConfigError(told, "give a file in a folder that can be written") from error


def add_summary(verdict: Verdict, path: Path) -> None:
    """After what stands there already, as much as the file may still take."""
    from harness.report.out.verdict_text import MARKDOWN_BYTES, markdown

    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        room = SUMMARY_BYTES - file.tell()
        file.write(markdown(verdict, min(room, MARKDOWN_BYTES)).encode())


COMMANDS = (gate, accept)
