"""What a report is made of: the comparison, the pictures behind it, and the figures, drawn once for all formats."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from harness.records import Comparison, Run

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
    """pictures: the stored test inputs, uint8, (samples, h, w) or (samples, h, w, 3); None where there are none.

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
    """Whether the figures that need a label a sample and a score a class can be made."""
    return run.task == "classification" and bool(run.baseline) and run.baseline[0].ndim == 2


def class_name(run: Run, label: int) -> str:
    """A label without a name is its number."""
    return run.class_names[label] if 0 <= label < len(run.class_names) else str(label)
