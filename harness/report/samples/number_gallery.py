"""The samples of a model that gives numbers which are worst: what is said of each, and inputs and maps as they are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from harness.compare.numbers import NumberAnswer, number_sample
from harness.data.picture import as_bytes, drawable, picture_png
from harness.metrics.discrepancy import fields_of
from harness.records import Case, Comparison
from harness.records.names import row_label
from harness.report.material import Material
from harness.report.part import Cards, Note, Part
from harness.report.samples.signal_picture import input_png, is_signal, signal_png
from harness.support.format import significant

MOST = 12
BY_ERROR = "The largest errors first: of each sample the row whose answer is furthest from the label."
BY_DISTANCE = "Those furthest from Keras first: of each sample the row whose output moved most (max |Δ|)."
HOLE = (230, 159, 0)  # orange of Okabe & Ito (2008), which no grey is
NO_LABEL = " Orange pixels have no label."
SUSPECT = " Suspect rows are not used to select samples."


@dataclass(frozen=True)
class NumberExhibit:
    """told: how far the row is from the label and from Keras. says: (who, what). panels: (title, PNG)."""

    number: int
    told: str
    says: tuple[tuple[str, str], ...]
    panels: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True)
class NumberGallery(Cards):
    kind = "number_gallery"
    exhibits: tuple[NumberExhibit, ...]


def number_gallery(material: Material, most: int = MOST) -> Part | None:
    """Show the samples with the largest errors, or without labels those that moved most; None where none did."""
    comparison = material.comparison
    places = worst(comparison, min(most, MOST))
    if not places:
        return None
    choice = BY_ERROR if column_of(comparison) == "error" else BY_DISTANCE
    choice += NO_LABEL if comparison.run.scoring.holes and drawable(comparison.baseline) else ""
    return Part("", (Note(choice + SUSPECT), NumberGallery(tuple(exhibit(material, *place) for place in places))))


def column_of(comparison: Comparison) -> str:
    """Name the column of rows that says how bad an answer is."""
    with_errors = all("error" in fields_of(table) for table in comparison.samples.values())
    return "error" if with_errors else "max_abs_diff"


def worst(comparison: Comparison, most: int = MOST) -> list[tuple[int, Case]]:
    """Choose at most so many samples, and of each the row that is worst there."""
    cases = comparison.sound
    if not cases or not comparison.run.test_count:
        return []
    column = column_of(comparison)
    far = np.stack([np.nan_to_num(comparison.samples[case][column].astype(float), nan=np.inf) for case in cases])
    order = np.argsort(-far.max(axis=0), kind="stable")[:most].tolist()
    return [(n, cases[int(far[:, n].argmax())]) for n in order if far[:, n].max() > 0]


def exhibit(material: Material, index: int, case: Case) -> NumberExhibit:
    comparison = material.comparison
    sample = number_sample(comparison, index)
    own = next(answer for answer in sample.answers if answer.case == case)
    says = [("label", sample.label)] if sample.label else []
    says += [("Keras", sample.answers[0].text), (row_label(case), own.text)]
    shown = tuple(panels(material, index, case))
    return NumberExhibit(comparison.run.number_of(index), told(sample.answers[0], own), tuple(says), shown)


def with_holes(pixels: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Paint what has no label. pixels: uint8, (h, w) or (h, w, 3)."""
    unknown = np.isnan(labels.reshape(*pixels.shape[:2], -1)).any(axis=2)
    if not unknown.any():
        return pixels
    painted = pixels if pixels.ndim == 3 else np.repeat(pixels[:, :, None], 3, axis=2)
    return np.where(unknown[:, :, None], np.array(HOLE, np.uint8), painted)


def told(keras: NumberAnswer, own: NumberAnswer) -> str:
    moved = f"{significant(own.apart)} from Keras'"
    if own.error is None or keras.error is None:
        return moved
    return f"error {significant(own.error)}, Keras' {significant(keras.error)}; {moved}"


def panels(material: Material, index: int, case: Case) -> Iterator[tuple[str, bytes]]:
    """Yield the input, and where outputs are maps or series, the label's, Keras' and the row's beside each other."""
    comparison = material.comparison
    if drawn := input_png(material, index):
        yield "Input", drawn
    base = comparison.baseline
    arrays = {"Keras": base, row_label(case): comparison.scores[case]}
    if comparison.run.labels is not None and np.shape(comparison.run.labels) == np.shape(base):
        arrays = {"Label": comparison.run.labels, **arrays}
    for title, array in arrays.items():
        if drawable(base):
            pixels = as_bytes(np.asarray(array[index]), base)
            pixels = pixels[:, :, 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels
            yield title, picture_png(with_holes(pixels, np.asarray(array[index])) if title == "Label" else pixels)
        elif is_signal(base):
            yield title, signal_png(array[index])
