"""harness trend: how the metrics of an experiment went from run to run. No TensorFlow, no device."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.command_compare import HTML, SUMMARY
from harness.cli.command_results import Results, Trust

NAME = "an experiment with stored runs; default: that of the latest run"
ALL = "every finished run, not the accepted ones alone"
METRIC = "a metric, such as accuracy or latency_p90; repeatable; default: the primary one, latency p50, size and memory"


def trend(
    experiment: Annotated[str | None, typer.Argument(metavar="[EXPERIMENT]", help=NAME)] = None,
    every: Annotated[bool, typer.Option("--all", help=ALL)] = False,
    metric: Annotated[list[str] | None, typer.Option(metavar="NAME", help=METRIC)] = None,
    html: Annotated[Path | None, typer.Option(help=HTML)] = None,
    summary: Annotated[Path | None, typer.Option(help=SUMMARY)] = None,
    trust: Trust = False,
    json: Annotated[bool, typer.Option("--json", help="print one row a metric and run as JSON")] = False,
    results: Results = Path("results"),
) -> None:
    """How metrics went over the accepted runs, and since which run a level is another."""
    from harness.api.entry import trend as follow
    from harness.cli.output import add_summary, print_json, say, stdout, within
    from harness.cli.tables.trend_table import trend_table

    found = follow(experiment, results, every=every, metrics=metric or (), trust=trust, say=say)
    if json:
        print_json(found.rows)
    else:
        stdout().print(trend_table(found.found, stdout()))
    if html:
        from harness.report.out.trend_html import render
        from harness.support.files import write_atomically

        say(f"written: {write_atomically(html, render(found.found).encode())}")
    if summary:
        add_summary(partial(within, found.markdown), summary)


COMMANDS = (trend,)
