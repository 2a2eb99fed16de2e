"""All that was found of a row, for the rules of causes.py to look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.diagnosis.alone import Alone
from harness.diagnosis.constants import Constant
from harness.diagnosis.gaps import Gap
from harness.diagnosis.layers import INPUT, Layer
from harness.metrics.task import output_index
from harness.records import Case, Comparison
from harness.records.names import row_name

REAL_LOSS_P = 0.01


@dataclass(frozen=True)
class Found:
    """All that rules look at.

    places: of the samples that were looked at. shared: names of tensors that share one range. fed_by: the place of an
    op → names of the tensors that flow into it. upstream: the same → places of the ops that its numbers come from, its
    own among them. input_forms: what was done to the inputs, and the agreement with
    float32 before and after.
    """

    comparison: Comparison
    case: Case
    places: Sequence[int]
    gaps: Sequence[Gap]
    layers: Sequence[Layer]
    shared: Sequence[frozenset[str]]
    fed_by: Mapping[int, frozenset[str]]
    upstream: Mapping[int, frozenset[int]]
    constants: Sequence[Constant]
    alone: Sequence[Alone]
    input_forms: Sequence[tuple[str, float, float]]

    def beside(self, one: Case, other: Case) -> Gap | None:
        """The gap between two rows that ran the same file; None where they are none."""
        names = {row_name(one), row_name(other)}
        return next((gap for gap in self.gaps if {gap.before, gap.after} == names and len(names) == 2), None)

    @property
    def rows(self) -> np.ndarray | None:
        """The row of each sample; None where the case has no answers."""
        return self.comparison.samples.get(self.case)

    def column(self, *names: str) -> list[np.ndarray] | None:
        """These columns of the rows; None where one is not there."""
        if self.rows is None or not {*names} <= {*(self.rows.dtype.names or ())}:
            return None
        return [self.rows[name] for name in names]

    @property
    def has_classes(self) -> bool:
        return self.rows is not None and "flip" in (self.rows.dtype.names or ())

    def effect(self, place: int) -> float | None:
        return next((each.error_share for each in self.alone if each.place == place), None)

    def gap(self, step: str) -> Gap | None:
        return next((gap for gap in self.gaps if gap.step == step), None)

    def fed_first(self, place: int | None) -> bool:
        """Whether an op gets an input of the model, or what only has another shape."""
        inputs = {layer.tensor for layer in self.layers if layer.kind == INPUT}
        alike = inputs.union(*(group for group in self.shared if group & inputs))
        return place is not None and bool(self.fed_by.get(place, frozenset()) & alike)

    @property
    def scored(self) -> tuple[np.ndarray, np.ndarray] | None:
        """The scored output of the row and of the baseline, as the models give it; None where it has none."""
        run = self.comparison.run
        n = output_index(run.scoring.output, run.outputs)
        outputs = self.comparison.outputs.get(self.case)
        return None if outputs is None else (outputs[n], run.baseline[n])

    @property
    def lost_much(self) -> bool:
        """Whether more answers were lost than gained, which chance explains once in a hundred times at most; where
        there are no answers, whether the outputs were moved by a tenth of their own spread.
        """
        gap = self.gap("quantisation") or self.gap("all of it")
        if gap is None:
            return False
        if gap.lost is None or gap.gained is None:
            return (pair := self.scored) is not None and moved_share(*pair) > 0.1
        from scipy.stats import binomtest

        return gap.lost > gap.gained and binomtest(gap.gained, gap.lost + gap.gained).pvalue < REAL_LOSS_P


def moved_share(own: np.ndarray, exact: np.ndarray) -> float:
    """The rms of what differs, as a share of the spread of the baseline's numbers; 0 where those have none."""
    spread = float(np.std(exact, dtype=np.float64))
    if own.shape != exact.shape or not spread:
        return 0.0
    return float(np.sqrt(np.mean(np.square(own - exact, dtype=np.float64)))) / spread
