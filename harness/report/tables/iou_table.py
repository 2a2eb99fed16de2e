"""The IoU of each class of masks, beside Keras': a mean hides which class was lost."""

from __future__ import annotations

import numpy as np

from harness.metrics.scoring import Scorer
from harness.metrics.segmentation import area_score
from harness.metrics.task import MASKS
from harness.records import Case
from harness.records.names import class_name, row_label
from harness.report.material import Material
from harness.report.part import Part
from harness.report.tables.columns import Cell, Heading, Line, Table
from harness.report.tables.costs import part_of
from harness.support.format import decimals

MOST = 40  # classes
NOTE = "Over the pixels of all pictures; without a value where neither a label nor an answer has the class.{}"
LEFT_OUT = " Of {} classes these fell furthest under Keras' in some row."


def iou_by_class(material: Material) -> Part | None:
    """Show a line a class; of more than MOST classes those that fell furthest. None where answers are no masks."""
    run = material.comparison.run
    if run.task not in MASKS or run.labels is None or not run.test_count:
        return None
    keras, rows = by_class(material)
    if not rows:
        return None
    fallen = np.nan_to_num(np.min([each - keras for each in rows.values()], axis=0))
    shown = sorted(np.argsort(fallen, kind="stable")[:MOST].tolist())
    several = len(run.targets) > 1
    headings = (Heading("Class", number=False), Heading("Keras"), *(Heading(row_label(c, several)) for c in rows))
    lines = [Line((Cell(class_name(run, n)), *(cell(each[n]) for each in (keras, *rows.values())))) for n in shown]
    left_out = LEFT_OUT.format(len(keras)) if len(keras) > MOST else ""
    return part_of("IoU of each class", (Table(headings, tuple(lines)),), NOTE.format(left_out))


def by_class(material: Material) -> tuple[np.ndarray, dict[Case, np.ndarray]]:
    """Returns the IoU of each class, (classes,), of Keras and of each row whose answers are all finite."""
    comparison = material.comparison
    scorer = Scorer(comparison.run)
    sound = [c for c, table in comparison.samples.items() if np.isfinite(table["max_abs_diff"]).all()]
    each = {case: area_score(scorer.decoded(comparison.scores[case]), 1.0).by_class for case in sound}
    return area_score(scorer.decoded(scorer.baseline), 1.0).by_class, each


def cell(value: float) -> Cell:
    return Cell(decimals(value, 4) if np.isfinite(value) else "")
