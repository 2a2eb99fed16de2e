"""harness list, report, show: what was measured before. No TensorFlow, no device."""

from __future__ import annotations

from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from harness.records import Comparison
    from harness.runs.store import Header

Reference = Annotated[str, typer.Argument(metavar="RUN", help="a run id, a path, or latest")]
Results = Annotated[Path, typer.Option(help="where runs are kept")]
FORMAT = "html, markdown, csv or pytest-benchmark, to --out or stdout; default: all files"


def list_(results: Results = Path("results"), json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """List the stored runs, newest first."""
    from harness.cli.output import print_json, say, stdout
    from harness.cli.tables.run_tables import runs_table
    from harness.errors import StoreError
    from harness.runs.store import Store, read_header

    headers, unreadable = [], []
    for path in Store(results).paths():
        try:
            headers.append(read_header(path))
        except StoreError as error:  # one broken run does not hide the others
            unreadable.append(error)
    if json:
        print_json([listed(header) for header in headers])
    elif headers:
        stdout().print(runs_table(headers))
    elif not unreadable:
        say(f"no runs in {results} yet; `harness run` makes one")
    for problem in unreadable:
        say(str(problem))


def listed(header: Header) -> dict[str, object]:
    """A run as `list --json` shows it."""
    from dataclasses import asdict

    targets = [record.target.name for record in header.targets]
    about = {"run_id": header.run_id, "experiment": header.experiment, "plan": header.plan.profile}
    return {**about, "finished": header.finished, "targets": targets, **asdict(header.provenance)}


def report(
    run: Reference,
    format: Annotated[str | None, typer.Option(help=FORMAT)] = None,
    out: Annotated[Path | None, typer.Option(help="a file for --format, else a folder; default: the run's own")] = None,
    results: Results = Path("results"),
) -> None:
    """Derive the tables and the report of a run again."""
    from harness.runs.store import Store

    path = Store(results).find(run)
    if format is not None:
        rendered(path, format, out)
        return
    from harness.pipeline import conclude

    folder = out or path
    conclude(path, folder)
    print(folder / "report.html")


def rendered(path: Path, format: str, out: Path | None) -> None:
    """The run's report in one format, in the file `out` or on stdout; what it leaves out on stderr."""
    from harness import report as reporting
    from harness.cli.output import say
    from harness.compare.baseline import compare
    from harness.measure.selftest.aa_result import of_run
    from harness.report.samples.picture import pictures_of
    from harness.runs.store import load
    from harness.support.files import write_atomically

    comparison = compare(load(path))
    aa = of_run(path.parent.parent, comparison.run)
    text = reporting.render(comparison, pictures_of(comparison.run.inputs), format, aa)
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
    json: Annotated[bool, typer.Option("--json", help="print what is said of the sample as JSON")] = False,
) -> None:
    """Show one test sample: the picture, the label, what each variant says."""
    from harness.cli.output import print_json, stdout
    from harness.compare.baseline import compare
    from harness.errors import ConfigError
    from harness.report.plots.sample_plot import sample_figure
    from harness.report.samples.one_sample import sample_text
    from harness.report.samples.picture import pictures_of
    from harness.runs.store import Store
    from harness.support.files import write_atomically

    comparison = compare(Store(results).load(run))
    total = comparison.run.test_count
    if sample >= total:
        raise ConfigError(f"there is no sample {sample}", f"the test set of this run has samples 0 to {total - 1}")
    pictures = pictures_of(comparison.run.inputs)
    path = out or comparison.run.path / "plots" / f"sample-{sample}.png"
    write_atomically(path, sample_figure(comparison, pictures, sample))
    if json:
        print_json(sample_document(comparison, sample) | {"picture": str(path)})
        return
    stdout().print(sample_text(comparison, pictures, sample))
    print(f"picture: {path}")


def sample_document(comparison: Comparison, index: int) -> dict[str, Any]:
    """Label and answers, Keras' first; a number that is not finite is null."""
    from dataclasses import asdict

    from harness.metrics.task import OF_CLASSES
    from harness.report.samples.answers import sample_answers
    from harness.report.samples.numbers import number_sample

    of_classes = comparison.run.task in OF_CLASSES
    said = sample_answers(comparison, index) if of_classes else number_sample(comparison, index)
    answers = [{"variant": answer.variant, **asdict(answer)} for answer in said.answers]
    finite = [{name: value if is_finite(value) else None for name, value in answer.items()} for answer in answers]
    return {"run_id": comparison.run.run_id, **asdict(said), "answers": finite}


def is_finite(value: object) -> bool:
    """Also of what is not a number."""
    return not isinstance(value, float) or isfinite(value)


list_.__name__ = "list"
COMMANDS = (list_, report, show)
