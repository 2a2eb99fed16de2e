"""What a run says of its cases, derived and derivable again."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from harness.records.plan import Case
from harness.records.run import Run
from harness.records.terms import Against, Better, ChangeKind, RowStatus

if TYPE_CHECKING:  # imported by everything, so it loads nothing heavy itself
    import numpy as np


@dataclass(frozen=True)
class Change:
    """One metric of one case. low and high bound `value`; `method` says how, or why they (or the value) are missing."""

    case: Case
    metric: str
    unit: str
    better: Better
    against: Against
    baseline: float | None
    value: float | None
    low: float | None = None
    high: float | None = None
    method: str = ""
    kind: ChangeKind = ""  # against a reference, a stored run
    smallest_percent: float | None = None  # of a similar ratio: a smaller change is missed more often than once in five


@dataclass(frozen=True)
class Standing:
    """How a case ended, and why; of one that is ok, reason says what is odd about its answers, if anything.

    bars: why no rule on its answers may pass, though it has answers; "" where rules may. It is part of the reason.
    """

    case: Case
    status: RowStatus
    reason: str = ""
    runtime_version: str | None = None
    bars: str = ""

    @property
    def ended_well(self) -> bool:
        """Whether it was measured, and can be judged."""
        return self.status in ("ok", "suspect")


@dataclass(frozen=True)
class Comparison:
    """What the raw records of a run say, derived and derivable again.

    outputs: case at its lowest thread count → one float32 array an output, dequantised, shape (samples, …).
    samples: the same cases → a structured array, a row a sample. Fields max_abs_diff, l2, cosine; of a task with
        classes baseline_prediction, prediction, flip, js_divergence (bits), baseline_margin, margin, tie; where there
        are labels of classes too label, baseline_correct, correct, flip_kind (an index into samples.FLIP_KINDS). Of
        numbers: label, baseline_prediction, prediction where they are one a sample; baseline_error, error where there
        are as many labels. Numbers are float32, classes int32.
    scores: case → its scored output, with scores of two classes made of a single column; baseline: the same of Keras.
    """

    run: Run
    standings: tuple[Standing, ...]
    changes: tuple[Change, ...]
    samples: dict[Case, np.ndarray]
    outputs: dict[Case, tuple[np.ndarray, ...]]
    baseline: np.ndarray
    scores: dict[Case, np.ndarray]

    @cached_property
    def metrics(self) -> dict[Case, dict[str, Change]]:
        """The changes by case and the metric's name."""
        found: dict[Case, dict[str, Change]] = {}
        for change in self.changes:
            found.setdefault(change.case, {})[change.metric] = change
        return found

    def change(self, case: Case, metric: str) -> Change | None:
        return self.metrics.get(case, {}).get(metric)

    def standing(self, case: Case) -> Standing | None:
        return next((s for s in self.standings if s.case == case), None)
