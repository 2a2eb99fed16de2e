"""explain.html: each row of a run that was explained, with pictures along its depth; and its layers as CSV."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from pathlib import Path

from harness.diagnosis.explanation import Explanation
from harness.diagnosis.kept_explanations import EXPLAINED, kept, row_file
from harness.diagnosis.layers import Layer
from harness.records.names import row_name
from harness.report.out.csv_tables import csv_text, field_text
from harness.report.out.page import page
from harness.report.part import Note, Part
from harness.report.plots.depth_plots import depth_drawings
from harness.report.sections import Content, Section
from harness.report.tables.columns import Tables
from harness.report.tables.layer_table import gap_table, layer_table
from harness.report.words.explained_words import causes_in_words, headline, looked_at, times_in_words, title
from harness.support.files import write_atomically

PAGE = "explain.html"
NOT_IN_CSV = ("lows", "highs", "worst")  # of each sample, or each channel: the JSON has them
LAYERS = (
    "Adds: the error that the layer makes itself, on what it really got; rounding alone makes 0.29 steps. Alone: what"
    " is left of the error where this layer is as in the variant and all others are float32; Flips: the answers that"
    " then differ. A dash: not known, or nothing is wrong."
)


def write_explained(run: Path) -> Path:
    """Write explain.html of all that is kept of a run, the newest first, and a CSV of each row's layers."""
    found = kept(run)
    for each in found:
        write_atomically(run / EXPLAINED / f"{row_file(each.case)}.layers.csv", layers_csv(each).encode())
    return write_atomically(run / PAGE, render(found).encode())


def render(found: Sequence[Explanation]) -> str:
    """Return the page of these rows of one run."""
    run_id = found[0].run_id if found else ""
    lead = " ".join(map(headline, found)) or "No row of this run was explained."
    beside = f"The numbers behind this page: {EXPLAINED}/*.json and {EXPLAINED}/*.layers.csv beside it."
    contents = sections(found[0]) if len(found) == 1 else [of_row(n, each) for n, each in enumerate(found)]
    return page(title(found, run_id), lead, contents, f"edge-harness, run {run_id}. {beside}")


def sections(found: Explanation) -> list[Content]:
    """Make a section of each part of the one row."""
    return [
        Content(Section(f"part-{n}", part.title, ()), part.title, (replace(part, title=""),))
        for n, part in enumerate(parts_of(found))
    ]


def of_row(number: int, found: Explanation) -> Content:
    """Make a section of one row of several."""
    name = row_name(found.case)
    return Content(Section(f"row-{number}", name, ()), name, tuple(parts_of(found)))


def parts_of(found: Explanation) -> Iterator[Part]:
    yield Part("What is the matter", (causes_in_words(found), Note(looked_at(found)), *notes(found)))
    if found.gaps:
        yield Part("Step by step", (Tables((gap_table(found),)),))
    for drawing in depth_drawings(found):
        yield Part(drawing.title, (drawing,))
    if found.layers:
        timed = [Note(text) for text in [times_in_words(found)] if text]
        yield Part("Layer by layer", (Tables((layer_table(found),)), Note(LAYERS), *timed))


def notes(found: Explanation) -> Iterator[Note]:
    return (Note(f"To know: {note}.") for note in found.notes)


def layers_csv(found: Explanation) -> str:
    """Write the layers, unrounded, a line each; what could not be had is empty."""
    own = [field.name for field in fields(Layer) if field.name not in NOT_IN_CSV]
    columns = ["variant", "target", "runtime", *own, "low", "high", "used", "error_share", "flips", "time_us"]
    return csv_text(columns, ([*map(field_text, columns, line(layer, found, own))] for layer in found.layers))


def line(layer: Layer, found: Explanation, own: Sequence[str]) -> list[object]:
    case, alone = found.case, found.alone_of(layer.place)
    effect = (None, None) if alone is None else (alone.error_share, alone.flips)
    values = [getattr(layer, name) for name in own]
    time = found.times.of(layer.place)
    ends = layer.low, layer.high, layer.used
    return [case.variant, case.target, case.runtime, *values, *ends, *effect, time.us if time else None]
