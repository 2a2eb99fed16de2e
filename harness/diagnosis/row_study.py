"""One row and all that is needed to look into it: its files as graphs, the samples that are looked at."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from harness.diagnosis.graph import NUMERIC, Graph, open_graph
from harness.diagnosis.pairs import Pair, paired
from harness.diagnosis.picked import MOST_SAMPLES, Picked, picked
from harness.metrics.task import are_logits, output_index
from harness.metrics.task_table import OF_CLASSES
from harness.records import CONTROL, Affine, Case, Comparison, Run, Variant
from harness.support.arrays import pick


@dataclass(frozen=True)
class Study:
    """One row and what is needed to look into it."""

    comparison: Comparison
    case: Case
    most: int = MOST_SAMPLES
    file: Path | None = None  # instead of the variant's, which then needs not be of the run
    remote: bool = False  # whether tensors go over a link

    @property
    def run(self) -> Run:
        return self.comparison.run

    @cached_property
    def own(self) -> Variant:
        if self.file:
            return Variant(self.case.variant, "import", self.file)
        return self.run.variant(self.case.variant)

    @cached_property
    def control(self) -> Variant:
        return self.run.variant(CONTROL)

    @cached_property
    def graphs(self) -> tuple[Graph, Graph]:
        """The variant's and float32's."""
        assert self.own.path and self.control.path
        return open_graph(self.own.path), open_graph(self.control.path)

    @cached_property
    def pairs(self) -> tuple[Pair, ...]:
        return paired(*self.graphs)

    @cached_property
    def picked(self) -> Picked:
        control = self.graphs[1]
        flowing = [w for op in control.ops for i in op.outputs if (w := control.wires[i]).dtype in NUMERIC]
        size = sum(int(np.prod([max(1, n) for n in wire.shape])) * 4 for wire in flowing)
        return picked(self.comparison, self.case, size, self.most, self.remote)

    def fed(self, variant: Variant) -> tuple[list[np.ndarray], list[Affine]]:
        """The picked samples as stored, in the order of a file's inputs, and their affines."""
        feeds = variant.feeds or range(len(self.run.inputs))
        places = np.array(self.picked.places)
        affines = self.run.affines or (Affine(),) * len(self.run.inputs)
        return [pick(self.run.inputs[n], places) for n in feeds], [affines[n] for n in feeds]

    @property
    def goals(self) -> list[tuple[int, int]]:
        """What the task reads, as tensors of float32's file and of the variant's, the scored output first."""
        names, scoring = self.run.outputs, self.run.scoring
        how = scoring.detection
        read = [names.index(name) for name in how.reads if name in names] if how else []
        every = dict.fromkeys(read or [output_index(scoring.output, names)])
        variant, control = self.graphs
        return [(control.outputs[place_of(self.control, n)], variant.outputs[place_of(self.own, n)]) for n in every]

    @property
    def logits(self) -> bool | None:
        return are_logits(self.comparison.baseline) if self.run.task in OF_CLASSES else None


def place_of(variant: Variant, output: int) -> int:
    """The place among a file's outputs of one of the model's."""
    return variant.yields[output] if variant.yields else output
