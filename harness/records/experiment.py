"""What is to be tested: a model, its data, the variants to build, how to score them, and the plan to time them by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.records.adjusted import Adjusted
from harness.records.model import KERAS
from harness.records.plan import BY_DATA, Plan, Scoring
from harness.records.terms import ModelKind

if TYPE_CHECKING:  # imported by everything, so it loads nothing heavy itself
    from harness.records.dataset import Dataset
    from harness.support.functions import FunctionRef

SEED = 20_231


@dataclass(frozen=True)
class ModelSource:
    """Where the Keras model comes from."""

    kind: ModelKind
    where: str  # the workload that trains it, the path of a file or folder, or the user's "package.module:function"
    folder: Path = Path()  # where a function's package is looked for


@dataclass(frozen=True)
class Preprocessing:
    """Two programs that prepare a raw file for the model, as training did it and as the device does it: functions of a
    path that return one sample as the model takes it. files: a folder of raw files, a class a folder in it. labels: the
    classes in the order of the model's outputs; () where the data name none. of_clips: the test set is of clips.
    """

    training: FunctionRef
    device: FunctionRef
    files: Path
    labels: tuple[str, ...] = ()
    of_clips: bool = False


@dataclass(frozen=True)
class Experiment:
    """One question to the harness."""

    name: str
    load: Callable[[], Dataset]
    model: ModelSource | None  # None where only .tflite files are imported
    variants: tuple[str, ...]  # names of recipes to build
    plan: Plan
    seed: int = SEED
    recipes: dict[str, FunctionRef] = field(default_factory=dict)  # name → a recipe of the user's
    adjusted: dict[str, Adjusted] = field(default_factory=dict)  # name → a recipe file of the user's
    imports: dict[str, Path] = field(default_factory=dict)  # name → an existing .tflite file
    baseline: str = KERAS  # or the variant that takes its place where model is None
    scoring: Scoring = BY_DATA
    heads: dict[str, Scoring] = field(default_factory=dict)  # by name, how outputs are scored that are named apart
    state: dict[str, str] = field(default_factory=dict)  # output → the input that takes it at a clip's next sample
    uncalibrated: tuple[str, ...] = ()  # recipes that are not built for want of calibration samples
    preprocessing: Preprocessing | None = None
    load_with: Callable[[Path], Dataset] | None = None  # the same with other samples to calibrate with; None: cannot
    select_ops: bool = False  # whether ops that need TensorFlow's own kernels are allowed

    @property
    def every_scoring(self) -> Scoring:
        """Returns the scoring with what is asked of any output: a rule may be on all of it."""
        asked = [name for s in self.heads.values() for name in (s.primary, *s.others) if name]
        return replace(self.scoring, others=(*self.scoring.others, *asked))
