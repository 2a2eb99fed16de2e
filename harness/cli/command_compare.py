"""harness compare: two stored runs. No TensorFlow, no device."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from harness.cli import completion
from harness.cli.command_results import Trust
from harness.records.terms import FAILING

HELP = "a run id of `harness list`, a path, or latest"
FAIL_ON = f"exit with 1 where anything is so; repeatable: {', '.join(FAILING)}"
HTML = "write a page to read offline to this file"
SUMMARY = "Markdown, added to a file such as $GITHUB_STEP_SUMMARY"


def compare(
    reference: Annotated[str, typer.Argument(metavar="REFERENCE", help=HELP, autocompletion=completion.runs)],
    candidates: Annotated[list[str], typer.Argument(metavar="CANDIDATE...", help=HELP, autocompletion=completion.runs)],
    fail_on: Annotated[list[str] | None, typer.Option(metavar="KIND", help=FAIL_ON)] = None,
    html: Annotated[Path | None, typer.Option(help=HTML)] = None,
    summary: Annotated[Path | None, typer.Option(help=SUMMARY)] = None,
    trust: Trust = False,
    results: Annotated[Path, typer.Option(help="where runs are kept")] = Path("results"),
    json: Annotated[bool, typer.Option("--json", help="print the changes as JSON")] = False,
) -> None:
    """Two runs or more: what improved, regressed or stayed similar, and what is not comparable, and why."""
    from harness.api.entry import load
    from harness.cli.output import add_summary, print_json, say, stdout, within, write
    from harness.cli.tables.two_run_tables import two_run_tables
    from harness.errors import ConfigError
    from harness.gate.run_gate import tell_unsealed
    from harness.support.files import write_atomically

    kinds = fail_on or ()
    if unknown := [kind for kind in kinds if kind not in FAILING]:
        raise ConfigError(f"--fail-on {unknown[0]} is no kind of change", f"choose of {', '.join(FAILING)}")
    if json and len(candidates) > 1:
        raise ConfigError("--json is of one candidate", "compare each by itself, or write all on a page with --html")
    before, *after = (load(run, results, trust=trust, say=say) for run in (reference, *candidates))
    for run in (before, *after):
        tell_unsealed(run.stored, say)
    every = [run.compare(before) for run in after]
    for changes in every:
        if note := changes.of_experiments:
            say(note)
        if json:
            print_json(changes.rows)
        else:
            console = stdout()
            for table in two_run_tables(changes.sessions, console):
                console.print(table)
            write(f"{changes.title}: {changes.headline}" if len(every) > 1 else changes.headline)
        if summary:
            add_summary(partial(within, changes.markdown), summary)
    if html:
        from harness.report.out.two_run_html import render

        say(f"written: {write_atomically(html, render([changes.sessions for changes in every]).encode())}")
    found = {row["kind"] for changes in every for row in changes.rows}
    found |= {"missing" for changes in every if changes.sessions.unshared}
    raise typer.Exit(int(any(kind in found for kind in kinds)))


COMMANDS = (compare,)
