"""What a report is made of: the comparison, the pictures behind it, and the figures, drawn once for all formats."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from harness.records import KERAS, Comparison, Run
from harness.task import OF_CLASSES

if TYPE_CHECKING:
    import numpy as np

    from harness.report.plots import Drawing


class SelfTest(Protocol):
    """What `harness aa` found on one machine (harness.aa.AaResult). Shares are fractions."""

    @property
    def comparisons(self) -> int: ...
    @property
    def false_alarms(self) -> int: ...
    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...
    @property
    def half_width(self) -> float: ...
    @property
    def detection(self) -> Mapping[str, float]: ...  # slow-down in % → share of the comparisons that find it
    @property
    def serial_sha256(self) -> str | None: ...


@dataclass(frozen=True)
class Material:
    """pictures: the stored test inputs that can be drawn, (samples, h, w), (samples, h, w, 1) or (samples, h, w, 3);
    None where there are none.

    aa: what the harness' own test said, of each of the run's machines where it was made.
    """

    comparison: Comparison
    pictures: np.ndarray | None = None
    aa: tuple[SelfTest, ...] = ()

    @cached_property
    def drawings(self) -> tuple[Drawing, ...]:
        from harness.report.plots import draw_all  # matplotlib: only where something is drawn

        return draw_all(self.comparison)


def classifies(run: Run) -> bool:
    """Whether the model scores classes, so that it has answers, which may flip; there may be no labels."""
    return run.task in OF_CLASSES


def baseline_name(run: Run) -> str:
    """ "keras", or the .tflite file that takes its place."""
    return str(run.provenance.get("baseline", KERAS))


def class_name(run: Run, label: int) -> str:
    """A label without a name is its number."""
    return run.class_names[label] if 0 <= label < len(run.class_names) else str(label)
