"""The samples where the variants went furthest from Keras, flips first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np

from harness.compare.answers import Sample, grouped, sample_answers
from harness.data.picture import picture_png
from harness.metrics.discrepancy import fields_of
from harness.metrics.masks import classes_of
from harness.metrics.task import FRAMES
from harness.metrics.task_table import OF_CLASSES, kind_of
from harness.records import Case, Comparison, Run
from harness.records.names import class_name, row_label
from harness.records.terms import AnswerKind, Task
from harness.report.material import Material
from harness.report.part import Cards, Note, Part
from harness.report.samples.box_picture import box_picture, key_of
from harness.report.samples.mask_pictures import coloured, furthest, panels
from harness.report.samples.neighbour_table import neighbour_gallery
from harness.report.samples.number_gallery import SUSPECT, number_gallery
from harness.report.samples.signal_picture import input_png
from harness.report.samples.text_table import text_gallery

MOST = 18
FEWEST = 3  # of each of several outputs
MOST_FURTHER = 200  # samples that a point of a plot shows, beside those that are seen at once
MOST_BYTES = 1_000_000  # of the pictures of further samples, in all

POINT_CHOICE = "By how far the points of a row are from Keras' (their mean distance), the furthest row of each picture."
BOX_CHOICE = "By how far the boxes of a row are from Keras' (1 − their mean overlap), the furthest row of each picture."
NONE_APART = "Every row finds what Keras finds."
CHOICE = (
    "Flips first, then by max |Δ score|; suspect rows are not used to select samples. A point of a plot shows its"
    " sample where the scored output has it among these or the further ones; for any other, ask harness show RUN"
    " --sample N."
)


@dataclass(frozen=True)
class Exhibit:
    """One sample to show, with its largest |Δ score| over the rows that are not suspect. picture: a PNG, or nothing."""

    sample: Sample
    max_abs_diff: float
    picture: bytes = b""

    @property
    def answers(self) -> tuple[tuple[str, str, bool | None], ...]:
        return grouped(self.sample)


@dataclass(frozen=True)
class Gallery(Cards):
    """further: what is folded away."""

    kind = "gallery"
    exhibits: tuple[Exhibit, ...]
    further: tuple[Exhibit, ...] = ()


@dataclass(frozen=True)
class BoxExhibit:
    """One picture with boxes on it. told: how far the row's are from Keras'; says: what each finds. picture: a PNG."""

    number: int
    label: str
    told: str
    says: tuple[tuple[str, str], ...]
    picture: bytes


@dataclass(frozen=True)
class BoxGallery(Cards):
    kind = "box_gallery"
    exhibits: tuple[BoxExhibit, ...]


def galleries(material: Material) -> tuple[Part, ...]:
    """Show the samples that moved most; of several labelled outputs each one's own, the worst output first, and no more
    in all than of one.
    """
    if not (heads := material.heads):
        return tuple(filter(None, [gallery(material)]))
    most = max(FEWEST, MOST // len(heads))
    parts = ((head.comparison.run.scored_output, gallery(head, most)) for head in heads)
    return tuple(of_output(part, material.comparison.run, name) for name, part in parts if part)


def of_output(part: Part, run: Run, name: str) -> Part:
    """Name the output; of one that is not scored its cards have addresses of their own."""
    place = None if name == run.scored_output else run.outputs.index(name)
    blocks = (replace(block, place=place) if isinstance(block, Cards) else block for block in part.blocks)
    return Part(f"Output {name}", tuple(blocks))


def gallery(material: Material, most: int = MOST) -> Part | None:
    """Show the samples that moved most, with their pictures; None where such answers have no gallery."""
    run = material.comparison.run
    show = OF_TASK.get(run.task) or GALLERIES.get(kind_of(run.task).says)
    return show(material, most) if show and run.test_count else None


def class_gallery(material: Material, most: int) -> Part:
    further = MOST_FURTHER if most == MOST else 0
    why, furthest = why_no_pictures(material), exhibits(material.comparison, most + further)
    shown = tuple(pictured(material, furthest))
    notes = [Note(why)] if why else []
    return Part("", (*notes, *([Note(CHOICE), Gallery(shown[:most], shown[most:])] if shown else [])))


def pictured(material: Material, furthest: Sequence[Exhibit]) -> Iterator[Exhibit]:
    """Yield the exhibits with their pictures, the further ones as long as there is room for them."""
    room = MOST_BYTES
    for n, one in enumerate(furthest):
        picture = input_png(material, one.sample.index) if n < MOST or room > 0 else b""
        room -= len(picture) if n >= MOST else 0
        yield replace(one, picture=picture)


# --- masks -----------------------------------------------------------------------------------------------------------

MASK_CHOICE = (
    "Flips first, then by the share of pixels whose class is not Keras'; of each picture the row is shown that differs"
    " most. Grey pixels have no label; suspect rows are not used to select pictures."
)
MOST_PICTURES = 9


@dataclass(frozen=True)
class MaskExhibit:
    """One picture's masks. panels: (title, PNG). flip: whether a class lies elsewhere in the row that is shown."""

    number: int
    differing: float  # the share of pixels, in the row that is shown
    flip: bool
    panels: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True)
class MaskGallery(Cards):
    """colours: (class, PNG of its colour) of each class that is shown."""

    kind = "mask_gallery"
    exhibits: tuple[MaskExhibit, ...]
    colours: tuple[tuple[str, bytes], ...]


def mask_gallery(material: Material, most: int) -> Part:
    comparison, why = material.comparison, why_no_pictures(material)
    shown = tuple(mask_exhibit(material, n) for n in furthest_masks(comparison, min(most, MOST_PICTURES)))
    classes = range(min(classes_of(comparison.baseline[..., :1], comparison.baseline), MOST))
    colours = tuple((class_name(comparison.run, n), picture_png(coloured(np.full((8, 8), n)))) for n in classes)
    notes = [Note(why)] if why else []
    return Part("", (*notes, *([Note(choice_of(comparison)), MaskGallery(shown, colours)] if shown else [])))


def choice_of(comparison: Comparison) -> str:
    words = {"pixels": "frames", "picture": "clip"} if comparison.run.task in FRAMES else {}
    return reduce(lambda text, pair: text.replace(*pair), words.items(), MASK_CHOICE)


def furthest_masks(comparison: Comparison, most: int) -> list[int]:
    """Choose at most so many: those with flips by the share of pixels that differ, then the others by it."""
    if not (tables := sound_tables(comparison)):
        return []
    moved = np.maximum.reduce([table["differing"] for table in tables])
    flips = np.any([table["flip"] for table in tables], axis=0)
    chosen: list[int] = np.lexsort((-moved, ~flips))[:most].tolist()
    return chosen


def mask_exhibit(material: Material, n: int) -> MaskExhibit:
    comparison = material.comparison
    case = furthest(comparison, n)
    assert case is not None  # where there are tables
    row = comparison.samples[case][n]
    drawn = tuple((panel.title, picture_png(panel.pixels)) for panel in panels(comparison, material.pictures, n))
    return MaskExhibit(comparison.run.number_of(n), float(row["differing"]), bool(row["flip"]), drawn)


# --- classes ---------------------------------------------------------------------------------------------------------


def exhibits(comparison: Comparison, most: int = MOST) -> tuple[Exhibit, ...]:
    """Choose at most so many samples: those with flips by max |Δ|, then the others by max |Δ|."""
    tables = sound_tables(comparison)
    if comparison.run.task not in OF_CLASSES or not tables:
        return ()
    delta = np.maximum.reduce([table["max_abs_diff"] for table in tables])
    moved = np.where(np.isfinite(delta), delta, np.inf)  # scores that are not finite moved furthest
    flips = np.any([table["flip"] for table in tables], axis=0)
    worst = np.lexsort((-moved, ~flips))[:most]  # stable
    return tuple(Exhibit(sample_answers(comparison, n), float(delta[n])) for n in worst.tolist())


def sound_tables(comparison: Comparison) -> list[np.ndarray]:
    return [comparison.samples[case] for case in comparison.sound]


def why_no_pictures(material: Material) -> str:
    """Say why there are no pictures to show; "" where there are."""
    if not material.comparison.samples:
        return "No row has outputs yet, so no sample can be compared."
    if not input_png(material, 0):
        return "The test inputs cannot be drawn, or are not on this machine; the answers are shown without them."
    return ""


def box_gallery(material: Material, most: int) -> Part:
    """Show the pictures on which a row's boxes, or points, are furthest from Keras', beside the labels' and Keras'."""
    comparison, why = material.comparison, why_no_pictures(material)
    shown = tuple(box_exhibit(material, *place) for place in furthest_boxes(comparison, most))
    choice = POINT_CHOICE if kind_of(comparison.run.task).says == "points" else BOX_CHOICE
    told = f"{choice}{SUSPECT} {key_of(comparison.run, 'the row')}" if shown else NONE_APART + SUSPECT
    return Part("", (Note(why or told), *([BoxGallery(shown)] if shown else [])))


def furthest_boxes(comparison: Comparison, most: int) -> list[tuple[int, Case]]:
    """Choose at most so many pictures by the distance of the row that is furthest there."""
    cases, told = comparison.sound, kind_of(comparison.run.task).told
    if not cases or not told or not comparison.run.test_count:
        return []
    apart = np.stack([np.nan_to_num(comparison.samples[case][told.apart], nan=np.inf) for case in cases])
    worst = np.argsort(-apart.max(axis=0), kind="stable")[:most].tolist()
    return [(n, cases[int(apart[:, n].argmax())]) for n in worst if apart[:, n].max() > 0]


def box_exhibit(material: Material, index: int, case: Case) -> BoxExhibit:
    comparison, row = material.comparison, material.comparison.samples[case][index]
    run, words = comparison.run, kind_of(comparison.run.task).told
    assert words
    keras, own = (words.answer(comparison, rows[index]) for rows in (comparison.baseline, comparison.scores[case]))
    says = (("Keras", keras), (row_label(case), own))
    far = f"moved {row['moved_px']:.2f} px" if "moved_px" in fields_of(row) else f"overlap {row['box_iou']:.2f}"
    told = f"{far}, lost {row['lost']}, won {row['won']}"
    label = "" if run.labels is None else words.label(comparison, run.labels[index])
    picture = box_picture(comparison, material.pictures, index, case)
    return BoxExhibit(run.number_of(index), label, told, says, picture)


GALLERIES: dict[AnswerKind, Callable[[Material, int], Part | None]] = {
    "classes": class_gallery,
    "masks": mask_gallery,
    "boxes": box_gallery,
    "points": box_gallery,
    "texts": text_gallery,
    "numbers": number_gallery,
}
OF_TASK: dict[Task, Callable[[Material, int], Part]] = {"embedding": neighbour_gallery}  # whatever its answers are
