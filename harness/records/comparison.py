"""What a run says of its cases, derived and derivable again."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from harness.records.plan import Case
from harness.records.run import Run
from harness.records.terms import Against, Better, ChangeKind, RowStatus

if TYPE_CHECKING:  # imported by everything, so it loads nothing heavy itself
    import numpy as np


@dataclass(frozen=True)
class Change:
    """One metric of one case, beside what it stands against."""

    case: Case
    metric: str
    unit: str
    better: Better
    against: Against
    baseline: float | None  # the same metric of what it stands against
    value: float | None
    low: float | None = None  # low and high bound `value`
    high: float | None = None
    method: str = ""  # how value and limits were made, or why they are missing
    kind: ChangeKind = ""  # what became of it since a reference, a stored run
    smallest_percent: float | None = None  # of a similar ratio: a change as large is found four times in five


@dataclass(frozen=True)
class Standing:
    """How a case ended, and why; of one that is ok, reason says what is odd about its answers, if anything.

    bars: why no rule on its answers may pass, though it has answers; "" where rules may. chance: that its accuracy, or
    Keras', is not shown to be over chance. Both are part of the reason.
    """

    case: Case
    status: RowStatus
    reason: str = ""
    runtime_version: str | None = None
    bars: str = ""
    chance: str = ""
    outputs: dict[str, Standing] = field(default_factory=dict)  # of several outputs with labels, how each by itself is:
    # what bars its answers alone, and its chance, stand there

    @property
    def ended_well(self) -> bool:
        """Whether it was measured, and can be judged."""
        return self.status in ("ok", "suspect")


@dataclass(frozen=True)
class Comparison:
    """What the raw records of a run say, derived and derivable again.

    Fields of `samples`: max_abs_diff, l2, cosine. Where the task has classes: baseline_prediction, prediction, flip,
    js_divergence (bits), baseline_margin, margin, tie, and with labels: label, baseline_correct, correct, flip_kind (an
    index into terms.FLIP_KINDS). Where it has numbers: label, baseline_prediction, prediction if there is one a sample,
    baseline_error, error if there are as many labels as outputs. Of detections max_abs_diff, and those of
    metrics/detection_rows.py; of texts words and characters. Numbers are float32, classes int32.
    """

    run: Run
    standings: tuple[Standing, ...]
    changes: tuple[Change, ...]
    samples: dict[Case, np.ndarray]  # case at its lowest thread count → a structured array, a row a sample
    outputs: dict[Case, tuple[np.ndarray, ...]]  # the same cases → a float32 array an output, dequantised, (samples, …)
    baseline: np.ndarray  # the baseline's scored output; a single column of two classes becomes two
    scores: dict[Case, np.ndarray]  # the same of the cases
    heads: dict[str, Comparison] = field(default_factory=dict)  # name → an output beside the scored one, as if scored,
    # with its own labels where it has some
    early: dict[Case, Comparison] = field(default_factory=dict)  # a case that was decided before the end of the test
    # set, at any thread count → its row, as of a run that has only the samples that it answered; not in `samples`

    @property
    def by_output(self) -> dict[str, Comparison]:
        """Returns each output by its name, in the model's order."""
        every = {self.run.scored_output: self, **self.heads}
        return {name: every[name] for name in self.run.outputs if name in every}

    @property
    def answered(self) -> dict[Case, np.ndarray]:
        """Returns `samples`, and the shorter tables of the rows that were decided early."""
        early = {case: part.samples[case] for case, part in self.early.items() if case in part.samples}
        return self.samples | early

    @property
    def suspect(self) -> set[Case]:
        """Returns the rows that are suspect, each by the case that has its samples."""
        return {self.run.accuracy_case(s.case) for s in self.standings if s.status == "suspect"}

    @property
    def sound(self) -> list[Case]:
        """Returns the rows of `samples` that are not suspect, or all where every row is."""
        suspect = self.suspect
        return [case for case in self.samples if case not in suspect] or list(self.samples)

    @cached_property
    def metrics(self) -> dict[Case, dict[str, Change]]:
        """The changes by case and the metric's name."""
        by_case: dict[Case, dict[str, Change]] = {}
        for change in self.changes:
            by_case.setdefault(change.case, {})[change.metric] = change
        return by_case

    def change(self, case: Case, metric: str) -> Change | None:
        return self.metrics.get(case, {}).get(metric)

    def standing(self, case: Case) -> Standing | None:
        return next((s for s in self.standings if s.case == case), None)
