"""harness compare: two stored runs. No TensorFlow, no device."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from harness.compare.two_runs import Pair, Sessions

HELP = "a run id, a path, or latest"


def compare(
    reference: Annotated[str, typer.Argument(metavar="REFERENCE", help=HELP)],
    candidate: Annotated[str, typer.Argument(metavar="CANDIDATE", help=HELP)],
    results: Annotated[Path, typer.Option(help="where runs are kept")] = Path("results"),
    json: Annotated[bool, typer.Option("--json", help="print the changes as JSON")] = False,
) -> None:
    """Two runs: what improved, regressed or stayed similar, and what is not comparable, and why."""
    from harness.cli.output import print_json, say, stdout
    from harness.cli.tables.session_tables import session_tables
    from harness.compare.two_runs import compare_sessions
    from harness.runs.store import Store

    store = Store(results)
    sessions = compare_sessions(store.load(reference), store.load(candidate))
    experiments = [side.run.experiment for side in (sessions.reference, sessions.candidate)]
    if len(set(experiments)) > 1:
        say(f"the runs are of different experiments: {' and '.join(experiments)}")
    if json:
        print_json([row for pair in sessions.pairs for row in rows(sessions, pair)])
        return
    console = stdout()
    for table in session_tables(sessions, console):
        console.print(table)


COMMANDS = (compare,)


def rows(sessions: Sessions, pair: Pair) -> list[dict[str, Any]]:
    """A row a metric. reference, candidate: what each run itself says, in `own_unit`; `value` is the change. What rests
    on rounds carries the fingerprint's warnings."""
    from dataclasses import asdict

    from harness.compare.fingerprint import WARN

    warnings = [str(d) for d in pair.differences if d.level == WARN]
    made = []
    for change in pair.changes:
        one, other = sessions.values(change)
        own = {"reference": one, "candidate": other, "own_unit": sessions.own_unit(change)}
        row = asdict(change)
        made.append({**row.pop("case"), **row, **own, "warnings": warnings if change.unit == "ratio" else []})
    return made
