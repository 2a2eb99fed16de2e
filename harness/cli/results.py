"""harness list, report, show: what was measured before. No TensorFlow, no device."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Reference = Annotated[str, typer.Argument(metavar="RUN", help="a run id, a path, or latest")]
Results = Annotated[Path, typer.Option(help="where runs are kept")]
FORMAT = "html, markdown, csv or pytest-benchmark, to --out or stdout; default: all files"


def list_(results: Results = Path("results"), json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """The stored runs, newest first."""
    from harness.cli.output import print_json, say, stdout
    from harness.cli.tables import runs_table
    from harness.errors import StoreError
    from harness.store import Store, read_header

    headers, unreadable = [], []
    for path in Store(results).paths():
        try:
            headers.append(read_header(path))
        except StoreError as error:  # one broken run does not hide the others
            unreadable.append(error)
    if json:
        print_json([{"run_id": h.run_id, "experiment": h.experiment, "plan": h.plan.profile, "finished": h.finished,
                     "targets": [t.target.name for t in h.targets], **h.provenance} for h in headers])  # fmt: skip
    elif headers:
        stdout().print(runs_table(headers))
    elif not unreadable:
        say(f"no runs in {results} yet; `harness run` makes one")
    for problem in unreadable:
        say(str(problem))


def report(
    run: Reference,
    format: Annotated[str | None, typer.Option(help=FORMAT)] = None,
    out: Annotated[Path | None, typer.Option(help="a file for --format, else a folder; default: the run's own")] = None,
    results: Results = Path("results"),
) -> None:
    """Derive the tables and the report of a run again."""
    from harness import report as reporting
    from harness.aa.result import of_run
    from harness.cli.output import say
    from harness.compare import compare
    from harness.report.picture import pictures_of
    from harness.store import Store, write_atomically
    from harness.tables import write_tables

    comparison = compare(Store(results).load(run))
    pictures, aa = pictures_of(comparison.run.inputs), of_run(results, comparison.run)
    if format is None:
        folder = out or comparison.run.path
        folder.mkdir(parents=True, exist_ok=True)
        write_tables(comparison, folder)
        print(reporting.write_report(comparison, pictures, folder, aa))
        return
    text = reporting.render(comparison, pictures, format, aa)
    for note in reporting.left_out(comparison, format):
        say(note)
    if out is None:
        print(text, end="")
    else:
        print(write_atomically(out, text.encode()))


def show(
    run: Reference,
    sample: Annotated[int, typer.Option(min=0, metavar="N", help="a sample of the test set")],
    out: Annotated[Path | None, typer.Option(help="the PNG; default: plots/sample-N.png of the run")] = None,
    results: Results = Path("results"),
) -> None:
    """One test sample: the picture, the label, what each variant says."""
    from harness.cli.output import stdout
    from harness.compare import compare
    from harness.errors import ConfigError
    from harness.report.picture import pictures_of
    from harness.report.sample import sample_figure, sample_text
    from harness.store import Store, write_atomically

    comparison = compare(Store(results).load(run))
    total = comparison.run.test_count
    if sample >= total:
        raise ConfigError(f"there is no sample {sample}", f"the test set of this run has samples 0 to {total - 1}")
    pictures = pictures_of(comparison.run.inputs)
    console = stdout()
    console.print(sample_text(comparison, pictures, sample))
    path = out or comparison.run.path / "plots" / f"sample-{sample}.png"
    console.print(f"picture: {write_atomically(path, sample_figure(comparison, pictures, sample))}", soft_wrap=True)


list_.__name__ = "list"
COMMANDS = (list_, report, show)
