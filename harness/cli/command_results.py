"""harness list, report, show: what was measured before. No TensorFlow, no device."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli import completion
from harness.records.terms import SEARCH_ORDERS
from harness.report import FORMATS

if TYPE_CHECKING:
    from harness.api.found_samples import FoundSamples
    from harness.api.shown import Sample
    from harness.api.stored_run import Run
    from harness.runs.header import Header

Reference = Annotated[
    str,
    typer.Argument(metavar="RUN", help="a run id of `harness list`, a path, or latest", autocompletion=completion.runs),
]
Trust = Annotated[bool, typer.Option("--trust", help="call the code that this run names, whoever made it")]
Results = Annotated[Path, typer.Option(help="where runs are kept")]
EXPLAIN = "simulate, too, how often a model at each limit, and a harmless one, would pass; up to 20 s a row"
MOST_SAMPLES = 12
WORST = f"so many samples, those that moved most first; default: {MOST_SAMPLES}"
BY = f"what comes first: {' or '.join(SEARCH_ORDERS)}, from Keras or from the label"
VARIANT = "only the rows of these; '!GLOB' leaves out; repeatable"
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
    sample: Annotated[int | None, typer.Option(min=0, metavar="N", help="this sample of the test set")] = None,
    flips: Annotated[bool, typer.Option("--flips", help="samples that a row answers otherwise than Keras")] = False,
    of_class: Annotated[str, typer.Option("--class", metavar="NAME", help="samples of this class alone")] = "",
    worst: Annotated[int | None, typer.Option(min=1, metavar="N", help=WORST)] = None,
    by: Annotated[str, typer.Option(metavar="ORDER", help=BY, autocompletion=completion.orders)] = "discrepancy",
    variant: Annotated[list[str] | None, typer.Option("-v", "--variant", metavar="GLOB", help=VARIANT)] = None,
    output: Annotated[
        str | None, typer.Option(metavar="NAME", help="of a model with several: default, the first")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="the SVG; default: plots/sample-N.svg of the run")] = None,
    trust: Trust = False,
    results: Results = Path("results"),
    json: Annotated[bool, typer.Option("--json", help="print what is said of the samples as JSON")] = False,
) -> None:
    """Show one test sample: the picture, the label, what each variant says; or list samples.

    --flips, --worst and --class list those that flipped, that moved most, or that are of one class.
    """
    from harness.api.entry import load
    from harness.cli.output import say
    from harness.gate.run_gate import tell_unsealed

    listing = bool(flips or of_class or worst or by != "discrepancy" or output)
    check_one_wish(sample, listing, out, by)
    stored = load(run, results, trust=trust, say=say)
    if sample is not None:
        shown = stored.sample(sample, variant or ())
        tell_unsealed(stored.stored, say)
        show_sample(stored, shown, out, json)
        return
    order: Any = by
    how = {"flips": flips, "of_class": of_class, "worst": worst or MOST_SAMPLES, "by": order, "output": output}
    found = stored.find(**how, variants=variant or ())
    tell_unsealed(stored.stored, say)
    show_samples(run if results == Path("results") else str(stored.path), found, bool(variant), json)


def check_one_wish(sample: int | None, listing: bool, out: Path | None, by: str) -> None:
    """Raises ConfigError where it is not plain what to show, or what is asked for does not go together."""
    from harness.errors import ConfigError
    from harness.support.format import nearest

    if by not in SEARCH_ORDERS:
        raise ConfigError(f"--by {by} is no order of samples", nearest(by, SEARCH_ORDERS, "there are"))
    if sample is None and not listing:
        raise ConfigError("it is not said which samples to show", "give --sample N, --flips, --worst N or --class NAME")
    if sample is not None and listing:
        raise ConfigError("--sample shows one sample, the other options list several", "leave out one of the two")
    if out and sample is None:
        raise ConfigError("--out is the picture of one sample", "give --sample N, or leave out --out")
    if out and out.suffix.lower() != ".svg":
        raise ConfigError(f"the picture is an SVG, and {out.name} is the name of no such file", "end the name in .svg")


def show_sample(run: Run, shown: Sample, out: Path | None, as_json: bool) -> None:
    from harness.cli.output import print_json, stdout, write
    from harness.support.files import write_atomically

    path = out or run.path / "plots" / f"sample-{shown.index}.svg"
    write_atomically(path, shown.svg.encode())
    if as_json:
        print_json(shown.document | {"picture": str(path)})
        return
    stdout().print(shown)
    write(f"picture: {path}")


def show_samples(named: str, found: FoundSamples, chosen: bool, as_json: bool) -> None:
    """Lists them. named: the run, as the next command has it. chosen: whether the user named the variants; else those
    that are suspect are left out, and it says so.
    """
    from harness.cli.output import print_json, say, stdout, write
    from harness.cli.tables.samples_table import samples_table

    if found.left_out and not chosen:
        names = found.left_out
        say(f"without {', '.join(names)}: suspect; -v {names[0]} shows its samples")
    if as_json:
        print_json(found.document)
    elif not len(found):
        write("no sample is so; --worst 12 shows those that moved most")
    else:
        console = stdout()
        console.print(samples_table(found, console))
        if len(found) < found.total:
            write(f"{found.cut}; --worst {found.total} shows all")
        write(f"next: harness show {shlex.quote(named)} --sample {next(iter(found)).index}")


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
