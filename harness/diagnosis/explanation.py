"""What was found about a row: evidence first, then the causes that it speaks for."""

from __future__ import annotations

from dataclasses import dataclass

from harness.diagnosis.alone import Alone
from harness.diagnosis.constants import Constant
from harness.diagnosis.gaps import Gap
from harness.diagnosis.layers import Layer
from harness.diagnosis.op_times import NOT_ASKED, OpTimes
from harness.records import Case

ENOUGH_SAMPLES = 50  # to say what range a layer uses
NO_TIMES = OpTimes(reason=NOT_ASKED)


@dataclass(frozen=True)
class Cause:
    """One cause. kind: its name in files. where: the layer, tensor, class, output or engine; "" where there is no one
    place. evidence, way_out: sentences. effect: the share of the whole variant's error that this place alone makes.
    """

    kind: str
    where: str
    evidence: str
    way_out: str
    place: int | None = None  # of the op
    effect: float | None = None
    tensor: str = ""  # of the variant's file, whose range it is
    seen: bool = False  # in the answers alone: it says where the losses are, not why


@dataclass(frozen=True)
class Explanation:
    """Why one row answers otherwise than the baseline.

    samples: that were looked at, by the user's own numbers; the first `changed` are those that the variant changed.
    layers, constants, alone: () where the files could not be looked into, which notes say. notes: what was left out.
    times: of the variant's ops, where they were asked for.
    """

    run_id: str
    case: Case
    runtime_version: str | None
    samples: tuple[int, ...]
    changed: int
    gaps: tuple[Gap, ...]
    layers: tuple[Layer, ...]
    constants: tuple[Constant, ...]
    alone: tuple[Alone, ...]
    causes: tuple[Cause, ...]
    notes: tuple[str, ...] = ()
    times: OpTimes = NO_TIMES

    @property
    def ranges_judged(self) -> bool:
        """Whether so many samples were looked at that a range which fits badly would be named; so of a file without."""
        return len(self.samples) >= ENOUGH_SAMPLES or all(layer.scale is None for layer in self.layers)

    def alone_of(self, place: int) -> Alone | None:
        return next((each for each in self.alone if each.place == place), None)
