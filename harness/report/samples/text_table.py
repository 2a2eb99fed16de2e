"""The samples whose texts lost most: the label, what Keras writes, and what the variant that lost most writes."""

from __future__ import annotations

import numpy as np

from harness.metrics.transcription import text_said
from harness.records import Case, Comparison
from harness.records.names import row_label
from harness.report.material import Material
from harness.report.part import Note, Part
from harness.report.samples.number_gallery import SUSPECT
from harness.report.tables.columns import Cell, Heading, Line, Table, Tables

CHOICE = (
    "By how many more words are edited than in Keras' text, then by how many characters differ from it; of each sample"
    " the row that lost most."
)
HEADINGS = (
    *(Heading(title, number=False) for title in ("Sample", "Label", "Keras", "Text", "Row")),
    Heading("Edits", "words"),
    Heading("Keras' edits", "words"),
)


def text_gallery(material: Material, most: int) -> Part:
    comparison = material.comparison
    if not comparison.samples:
        return Part("", (Note("No row has outputs yet, so no sample can be compared."),))
    lines = tuple(text_line(comparison, *place) for place in furthest_texts(comparison, most))
    if not lines:
        return Part("", (Note("Every row writes what Keras writes." + SUSPECT),))
    return Part("", (Tables((Table(HEADINGS, lines),)), Note(CHOICE + SUSPECT)))


def furthest_texts(comparison: Comparison, most: int) -> list[tuple[int, Case]]:
    """Choose at most so many samples whose text differs from Keras' in some row, and of each the row that lost most."""
    cases = comparison.sound
    tables = [comparison.samples[case] for case in cases]
    apart = np.stack([np.nan_to_num(table["max_abs_diff"], nan=np.inf) for table in tables])
    lost = np.stack([table["error"] - table["baseline_error"] for table in tables])
    row = np.lexsort((apart, lost), axis=0)[-1]
    each = np.arange(apart.shape[1])
    order = np.lexsort((-apart[row, each], -lost[row, each]))
    return [(n, cases[int(row[n])]) for n in order.tolist() if apart[row[n], n] > 0][:most]


def text_line(comparison: Comparison, n: int, case: Case) -> Line:
    run, row = comparison.run, comparison.samples[case][n]
    assert run.labels is not None  # of texts there are always some
    arrays = (run.labels, comparison.baseline, comparison.scores[case])
    texts = [text_said(comparison, np.asarray(array[n])) for array in arrays]
    tones = "", "good" if row["baseline_correct"] else "bad", "good" if row["correct"] else "bad"
    said = (Cell(text, tone=tone) for text, tone in zip(texts, tones, strict=True))
    counts = (Cell(f"{row['error']:g}"), Cell(f"{row['baseline_error']:g}"))
    return Line((Cell(str(run.number_of(n))), *said, Cell(row_label(case)), *counts))
