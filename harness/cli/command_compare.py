"""harness compare: two stored runs. No TensorFlow, no device."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli import completion
from harness.cli.command_results import Trust

HELP = "a run id, a path, or latest"


def compare(
    reference: Annotated[str, typer.Argument(metavar="REFERENCE", help=HELP, autocompletion=completion.runs)],
    candidate: Annotated[str, typer.Argument(metavar="CANDIDATE", help=HELP, autocompletion=completion.runs)],
    trust: Trust = False,
    results: Annotated[Path, typer.Option(help="where runs are kept")] = Path("results"),
    json: Annotated[bool, typer.Option("--json", help="print the changes as JSON")] = False,
) -> None:
    """Two runs: what improved, regressed or stayed similar, and what is not comparable, and why."""
    from harness.api.entry import load
    from harness.cli.output import print_json, say, stdout
    from harness.cli.tables.two_run_tables import two_run_tables
    from harness.gate.run_gate import tell_unsealed

    before, after = (load(run, results, trust=trust, say=say) for run in (reference, candidate))
    for run in (before, after):
        tell_unsealed(run.stored, say)
    changes = after.compare(before)
    if note := changes.of_experiments:
        say(note)
    if json:
        print_json(changes.rows)
        return
    console = stdout()
    for table in two_run_tables(changes.sessions, console):
        console.print(table)


COMMANDS = (compare,)
