"""report.html: one file that opens offline, at a desk and on a phone."""

from __future__ import annotations

from collections.abc import Sequence

from harness.report.material import Material
from harness.report.out.page import page
from harness.report.plots.drawing import Drawing
from harness.report.sections import Content, contents
from harness.report.words.summary import headline

BESIDE = "The numbers behind this page: summary.csv, metrics.csv, samples.parquet and latency.parquet beside it."


def render(material: Material, drawings: Sequence[Drawing], sections: Sequence[Content] = ()) -> str:
    """Return the whole page of one run. sections: where they are made already; () makes them."""
    run = material.comparison.run
    heading, footer = (
        f"{run.experiment}: what each variant costs and gains",
        f"edge-harness, run {run.run_id}. {BESIDE}",
    )
    if absent := [f"{one.title}: {one.absent}" for one in drawings if one.absent]:
        footer = f"{footer} Not drawn: {' '.join(absent)}"
    resume = "" if run.finished else run.run_id
    return page(heading, headline(material), sections or contents(material, drawings), footer, resume)
