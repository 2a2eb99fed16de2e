"""harness list, report, show: what was measured before. No TensorFlow, no device."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli import completion
from harness.report import FORMATS

if TYPE_CHECKING:
    from harness.api.stored_run import Run
    from harness.runs.header import Header

Reference = Annotated[
    str, typer.Argument(metavar="RUN", help="a run id, a path, or latest", autocompletion=completion.runs)
]
Trust = Annotated[bool, typer.Option("--trust", help="call the code that this run names, whoever made it")]
Results = Annotated[Path, typer.Option(help="where runs are kept")]
EXPLAIN = "simulate, too, how often a model at each limit, and a harmless one, would pass; up to 20 s a row"
FORMAT = f"{', '.join(FORMATS)}; to --out or stdout; default: all files"


def list_(results: Results = Path("results"), json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """List the stored runs, newest first."""
    from harness.cli.output import print_json, say, stdout
    from harness.cli.tables.run_tables import runs_table
    from harness.errors import StoreError
    from harness.runs.header import read_header
    from harness.runs.seal import has_seal
    from harness.runs.store import Store

    headers, unreadable = {}, []
    for path in Store(results).paths():
        try:
            headers[path] = read_header(path)
        except StoreError as error:  # one broken run does not hide the others
            unreadable.append(error)
    if json:
        print_json([listed(header, has_seal(path)) for path, header in headers.items()])
    elif headers:
        unsealed = {header.run_id for path, header in headers.items() if not has_seal(path)}
        stdout().print(runs_table(list(headers.values()), unsealed))
    elif not unreadable:
        say(f"no runs in {results} yet; `harness run` makes one")
    for problem in unreadable:
        say(str(problem))


def listed(header: Header, sealed: bool) -> dict[str, object]:
    """A run as `list --json` shows it."""
    from dataclasses import asdict

    targets = [record.target.name for record in header.targets]
    about = {"run_id": header.run_id, "experiment": header.experiment, "plan": header.plan.profile}
    return {**about, "finished": header.finished, "sealed": sealed, "targets": targets, **asdict(header.provenance)}


def report(
    run: Reference,
    format: Annotated[str | None, typer.Option(help=FORMAT, autocompletion=completion.formats)] = None,
    out: Annotated[Path | None, typer.Option(help="a file for --format, else a folder; default: the run's own")] = None,
    policy: Annotated[Path | None, typer.Option(help="begin with the verdict of this policy.toml")] = None,
    explain: Annotated[bool, typer.Option("--explain", help=EXPLAIN)] = False,
    trust: Trust = False,
    results: Results = Path("results"),
) -> None:
    """Derive the tables and the report of a run again."""
    from harness.api.entry import load
    from harness.cli.output import say, write

    stored = load(run, results, trust=trust, say=say)
    if policy or explain:
        stored.verdict = stored.judge(policy, say=say, explain="simulated" if explain else "computed")
    if format is not None:
        rendered(stored, format, out)
    else:
        write(str(stored.write_report(out)))


def rendered(run: Run, format: str, out: Path | None) -> None:
    """The run's report in one format, in the file `out` or on stdout; what it leaves out on stderr."""
    from harness.cli.output import say, write
    from harness.support.files import write_atomically

    text = run.report(format)
    for note in run.left_out(format):
        say(note)
    if out is None:
        write(text.removesuffix("\n"))
    else:
        write(str(write_atomically(out, text.encode())))


def show(
    run: Reference,
    sample: Annotated[int, typer.Option(min=0, metavar="N", help="a sample of the test set")],
    out: Annotated[Path | None, typer.Option(help="the SVG; default: plots/sample-N.svg of the run")] = None,
    trust: Trust = False,
    results: Results = Path("results"),
    json: Annotated[bool, typer.Option("--json", help="print what is said of the sample as JSON")] = False,
) -> None:
    """Show one test sample: the picture, the label, what each variant says."""
    from harness.api.entry import load
    from harness.cli.output import print_json, say, stdout, write
    from harness.errors import ConfigError
    from harness.gate.run_gate import tell_unsealed
    from harness.support.files import write_atomically

    if out and out.suffix.lower() != ".svg":
        raise ConfigError(f"the picture is an SVG, and {out.name} is the name of no such file", "end the name in .svg")
    stored = load(run, results, trust=trust, say=say)
    shown = stored.sample(sample)
    tell_unsealed(stored.stored, say)
    path = out or stored.path / "plots" / f"sample-{sample}.svg"
    write_atomically(path, shown.svg.encode())
    if json:
        print_json(shown.document | {"picture": str(path)})
        return
    stdout().print(shown)
    write(f"picture: {path}")


def schema(
    command: Annotated[
        str, typer.Argument(metavar="COMMAND", help="one that takes --json", autocompletion=completion.printing)
    ],
) -> None:
    """Print the JSON Schema of what a command prints with --json."""
    from harness.cli.output import print_json
    from harness.cli.schemas import schema_of

    print_json(schema_of(command))


list_.__name__ = "list"
COMMANDS = (list_, report, show, schema)
