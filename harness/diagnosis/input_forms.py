"""Whether a file that hardly agrees with float32 does so with its inputs in another form that programs use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from math import isfinite

import numpy as np

from harness.diagnosis.bench import Bench
from harness.diagnosis.row_study import Study
from harness.diagnosis.tried import tried
from harness.metrics.discrepancy import top1
from harness.metrics.task import as_scores, output_index
from harness.records import CONTROL, Affine

LOW_AGREEMENT = 0.7  # with float32: under it, other forms of the input are tried


def input_forms(study: Study, bench: Bench, notes: list[str]) -> Sequence[tuple[str, float, float]]:
    """Where the file hardly agrees with float32: how it does with its inputs in other forms that programs use."""
    comparison, control = study.comparison, replace(study.case, variant=CONTROL)
    if not {study.case, control} <= {*comparison.outputs} or len(study.run.inputs) != 1:
        return []
    places, scored = list(study.picked.places), output_index(study.run.scoring.output, study.run.outputs)
    theirs, mine = (comparison.outputs[case][scored] for case in (control, study.case))
    if theirs.shape != mine.shape or agreement(theirs, mine, study.logits) >= LOW_AGREEMENT:
        return []
    before = agreement(theirs[places], mine[places], study.logits)
    goal, found = study.graphs[0].outputs.index(study.goals[0][1]), []
    (stored,), (affine,) = study.fed(study.own)
    for what, other, form in forms_of(stored, affine):
        outputs = tried(what, notes, partial(bench.run, study.graphs[0].content, [other], [form]))
        if outputs:
            said = outputs[goal].read().reshape(theirs[places].shape)
            found.append((what, before, agreement(theirs[places], said, study.logits)))
    return found


def agreement(exact: np.ndarray, other: np.ndarray, logits: bool | None) -> float:
    """The share of answers that are the same; of numbers the share of `exact`'s variation that the other explains."""
    if logits is None:
        moved = float(np.mean(np.square(exact - other, dtype=np.float64)))
        spread = float(np.var(exact, dtype=np.float64))
        return max(0.0, 1 - moved / spread) if spread and isfinite(moved) else 0.0
    one, two = (top1(as_scores(each.reshape(len(each), -1), logits)) for each in (exact, other))
    return float(np.mean(one == two))


def forms_of(stored: np.ndarray, affine: Affine) -> list[tuple[str, np.ndarray, Affine]]:
    def scaled(factor: float, offset: float) -> Affine:
        return Affine(affine.scale * factor, affine.offset * factor + offset)

    forms = [
        ("its inputs × 255", stored, scaled(255, 0)),
        ("its inputs ÷ 255", stored, scaled(1 / 255, 0)),
        ("its inputs from −1 to 1 instead of 0 to 1", stored, scaled(2, -1)),
        ("its inputs from 0 to 1 instead of −1 to 1", stored, scaled(0.5, 0.5)),
        ("its inputs from −1 to 1 instead of 0 to 255", stored, scaled(1 / 127.5, -1)),
        ("its inputs from 0 to 255 instead of −1 to 1", stored, scaled(127.5, 127.5)),
        ("its inputs as 1 − input", stored, scaled(-1, 1)),
    ]
    if stored.ndim == 4 and stored.shape[-1] == 3:
        forms.append(("the colour channels in the other order", np.ascontiguousarray(stored[..., ::-1]), affine))
    if stored.ndim >= 3 and stored.shape[1] == stored.shape[2]:
        forms.append(("height and width changed places", np.ascontiguousarray(np.swapaxes(stored, 1, 2)), affine))
    return forms
