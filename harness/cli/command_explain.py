"""harness explain: why does a variant answer otherwise than the model? Layer by layer, on its own device."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli import completion
from harness.cli.command_results import Reference, Results

if TYPE_CHECKING:
    from rich.table import Table

    from harness.diagnosis.explanation import Explanation

SAMPLES = "how many test samples are looked at: half of them answers that the variant changed"
FILE = "a .tflite file of the same model, instead of the variant's"
TIMES = "time each op by itself, too, in rounds beside the whole file; a minute or more"
MODEL_EXPLORER = "write the error that each op adds as node data, to look at in Model Explorer beside the file"
TRUST = "explain a run that you did not begin on this machine: its models run, on its devices"


def explain(
    run: Reference,
    variant: Annotated[str, typer.Option("-v", "--variant", autocompletion=completion.variants)] = "",
    target: Annotated[str, typer.Option("-t", "--target", autocompletion=completion.targets)] = "",
    runtime: Annotated[str, typer.Option(help="default: the row that moved most")] = "",
    samples: Annotated[int, typer.Option(min=8, max=5000, help=SAMPLES)] = 200,
    file: Annotated[Path | None, typer.Option(help=FILE)] = None,
    times: Annotated[bool, typer.Option("--times", help=TIMES)] = False,
    wait: Annotated[float, typer.Option(min=0, metavar="SECONDS", help="how long a busy device is waited for")] = 0.0,
    model_explorer: Annotated[Path | None, typer.Option(metavar="FILE", help=MODEL_EXPLORER)] = None,
    trust: Annotated[bool, typer.Option("--trust", help=TRUST)] = False,
    results: Results = Path("results"),
    json: Annotated[bool, typer.Option("--json", help="print all figures as JSON")] = False,
) -> None:
    """Say where a variant's error comes from, layer by layer, with the likely cause and a way out."""
    import harness
    from harness.api.progress import Progress
    from harness.cli.output import print_json, say
    from harness.diagnosis.kept_explanations import document
    from harness.support.files import write_atomically

    with Progress() as progress:
        found = harness.explain(
            run,
            variant,
            target=target,
            runtime=runtime,
            samples=samples,
            file=file,
            times=times,
            wait_s=wait,
            results=results,
            trust=trust,
            progress=progress,
        )
    if model_explorer:
        from harness.report.out.model_explorer import render

        say(f"written: {write_atomically(model_explorer, render(found).encode())}")
    if json:
        print_json(document(found))
    else:
        show(found)


COMMANDS = (explain,)


def show(found: Explanation) -> None:
    from harness.cli.output import stdout, write
    from harness.report.words.explained_words import cause_lines, gap_line, headline, looked_at, times_in_words

    write(headline(found))
    for cause in found.causes:
        write("\n" + "\n".join(cause_lines(cause)))
    write("\n" + "\n".join(map(gap_line, found.gaps)))
    write(looked_at(found))
    stdout().print(layer_table(found))
    if timed := times_in_words(found):
        write(timed)
    for note in found.notes:
        write(f"note: {note}")


def layer_table(found: Explanation) -> Table:
    """One row a layer, in the order of the graph."""
    from harness.cli.tables.run_tables import add_row, plain_table
    from harness.report.tables.layer_table import layer_table as shown

    layers, table = shown(found), plain_table("Layer by layer")
    for heading in layers.headings:
        title = f"{heading.title}, {heading.unit}" if heading.unit else heading.title
        table.add_column(title, justify="right" if heading.number else "left")
    for line in layers.lines:
        add_row(table, *(cell.text for cell in line.cells))
    return table
