"""The samples whose nearest neighbour has their identity with Keras, and another with a variant."""

from __future__ import annotations

from math import isfinite

import numpy as np

from harness.records import Case, Comparison
from harness.records.names import row_label
from harness.report.material import Material
from harness.report.part import Note, Part
from harness.report.samples.number_gallery import SUSPECT
from harness.report.tables.columns import Cell, Heading, Line, Table, Tables
from harness.statistics.neighbours import Space, space_of

LOOKED = 2_000  # of a row's, at most: more are a lost model, of which any will do
CHOICE = (
    "By how much nearer the wrong neighbour is, by the cosine; of each sample the row where that is most."
    " Keras' nearest has the identity of the sample."
)
NONE_LOST = "No sample loses a nearest neighbour of its identity that it has with Keras."
HEADINGS = (
    *(Heading(title) for title in ("Sample", "Identity", "Keras' nearest", "Nearest", "Its identity")),
    Heading("Cosine", "to it"),
    Heading("Cosine", "to the nearest of its own"),
    Heading("Row", number=False),
)


def neighbour_gallery(material: Material, most: int) -> Part:
    comparison = material.comparison
    if not comparison.samples:
        return Part("", (Note("No row has outputs yet, so no sample can be compared."),))
    found = lost_neighbours(comparison)[:most]
    if not found:
        return Part("", (Note(NONE_LOST + SUSPECT),))
    keras = space_of(comparison.baseline, False)
    lines = tuple(line_of(comparison, keras, *lost) for lost in found)
    return Part("", (Tables((Table(HEADINGS, lines),)), Note(CHOICE + SUSPECT)))


def lost_neighbours(comparison: Comparison) -> list[tuple[int, Case, int, float, float]]:
    """Returns (sample, row, its nearest, the cosine to that, the cosine to the nearest of its own), the worst first.

    A vector that is not finite has no cosine, and is not listed: its row is suspect, which says so.
    """
    worst: dict[int, tuple[int, Case, int, float, float]] = {}
    for case in comparison.sound:
        lost = np.flatnonzero(comparison.samples[case]["flip"])[:LOOKED]
        space = space_of(comparison.scores[case], False)
        for n in lost.tolist():
            other, theirs = nearest(comparison, space, n, own=False)
            _, own = nearest(comparison, space, n, own=True)
            if not isfinite(theirs - own) or theirs < own - space.tied:
                continue
            if n not in worst or theirs - own > worst[n][3] - worst[n][4]:
                worst[n] = (n, case, other, theirs, own)
    return sorted(worst.values(), key=lambda lost: lost[4] - lost[3])


def nearest(comparison: Comparison, space: Space, n: int, own: bool) -> tuple[int, float]:
    """Returns the nearest sample of n's own identity, or of the others, and the cosine to it."""
    labels = identities(comparison)
    cosine = space.vectors @ space.vectors[n]
    there = (labels == labels[n]) == own
    there[n] = False
    if comparison.run.queries is not None:
        there &= ~comparison.run.queries
    place = int(np.where(there & np.isfinite(cosine), cosine, -np.inf).argmax())
    return place, float(cosine[place])


def line_of(comparison: Comparison, keras: Space, n: int, case: Case, other: int, theirs: float, own: float) -> Line:
    run, labels = comparison.run, identities(comparison)
    before, _ = nearest(comparison, keras, n, own=True)
    said = (run.number_of(n), labels[n], run.number_of(before), run.number_of(other), labels[other])
    cells = (*map(str, said), f"{theirs:.4f}", f"{own:.4f}", row_label(case))
    return Line(tuple(Cell(text) for text in cells))


def identities(comparison: Comparison) -> np.ndarray:
    assert comparison.run.labels is not None  # of embeddings there are always some
    return np.asarray(comparison.run.labels).reshape(-1)
