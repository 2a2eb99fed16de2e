"""harness audit: may a stored run be trusted? Its models are timed again, in ways that show a cheat."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli import completion
from harness.cli.command_results import Reference, Results

if TYPE_CHECKING:
    from rich.table import Table

    from harness.api.progress import Progress
    from harness.measure.selftest.audit_result import AuditResult, Ratio

NOT_JUDGED = "two sessions: it is shown and not judged"
ROUNDS = "paired rounds a row, of three processes each; default: 10"
MARGIN = "how far a ratio may be off; default: 5"
TRUST = "audit a run that you did not begin on this machine: its models run, on its devices"


def audit(
    run: Reference,
    target: Annotated[
        list[str] | None,
        typer.Option("-t", "--target", metavar="GLOB", help="default: all", autocompletion=completion.targets),
    ] = None,
    variant: Annotated[
        list[str] | None,
        typer.Option("-v", "--variant", metavar="GLOB", help="default: all", autocompletion=completion.variants),
    ] = None,
    rounds: Annotated[int | None, typer.Option(min=6, max=200, help=ROUNDS)] = None,
    margin: Annotated[float | None, typer.Option(min=0.1, max=50, metavar="PERCENT", help=MARGIN)] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="of samples, order and answers; default: drawn")] = None,
    resume: Annotated[str, typer.Option(metavar="AUDIT", help="go on with one that was interrupted, or latest")] = "",
    wait: Annotated[float, typer.Option(min=0, metavar="SECONDS", help="how long a busy device is waited for")] = 0.0,
    trust: Annotated[bool, typer.Option("--trust", help=TRUST)] = False,
    results: Results = Path("results"),
    json: Annotated[bool, typer.Option("--json", help="print the result as JSON")] = False,
) -> None:
    """Time a stored run again, to see that its answers and times are no artefact: exit 0 where every check passes."""
    import harness
    from harness.cli.output import print_json, stdout
    from harness.cli.output import write as tell
    from harness.runs.audits import document

    with bars(run) as progress:
        result = harness.audit(
            run,
            targets=target or (),
            variants=variant or (),
            rounds=rounds,
            margin=None if margin is None else margin / 100,
            seed=seed,
            resume=resume,
            wait_s=wait,
            results=results,
            trust=trust,
            progress=progress,
        )
    if json:
        print_json(document(result))
    else:
        stdout().print(table_of(result))
        tell(str(result))
    raise typer.Exit(not result.good)


COMMANDS = (audit,)


def bars(run: str) -> Progress:
    """A run's progress, with the words of this command."""
    from harness.api.progress import Progress

    class Bars(Progress):
        def how_to_go_on(self) -> str:
            if not self.tasks:
                return "Nothing was measured yet. Give the same command again."
            told = f"harness audit {shlex.quote(run)} --resume latest"
            return f"What was measured is kept. Go on with {told}, and --trust, --results and --wait as here."

        def begin(self, target: str, shards: int, rounds: int) -> None:
            self.tasks = {"latency": self.bars.add_task(f"{target}: audit", total=rounds, left="left", now="")}
            if not sys.stderr.isatty():
                self.say(f"{target}: audit in {rounds} jobs")

    return Bars()


# --- what is shown ---


def table_of(result: AuditResult) -> Table:
    from harness.cli.tables.run_tables import add_row, plain_table
    from harness.records.names import row_name

    table = plain_table(f"Audit of run {result.run_id}")
    for name in ("Row", "Check", "Ratio of times", "Outcome", "Reason"):
        table.add_column(name, no_wrap=name in ("Ratio of times", "Outcome"))
    for check in result.checks:
        add_row(table, row_name(check.case), check.what, interval(check.ratio), check.outcome, check.reason)
    for session in result.sessions:
        add_row(table, row_name(session.case), "now / stored", interval(session.ratio), "", NOT_JUDGED)
    return table


def interval(ratio: Ratio | None) -> str:
    from harness.support.format import MISSING, decimals, with_limits

    if not ratio:
        return MISSING
    value, *ends = with_limits(lambda each, more=0: decimals(each, 3 + more), ratio.ratio, ratio.low, ratio.high)
    return f"{value} [{', '.join(ends)}]"
