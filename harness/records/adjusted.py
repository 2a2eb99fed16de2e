"""A recipe with another calibration, or with layers that stay in float32: what a recipe file of the user's says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

WHOLE_RANGE = "all"
BY_ERROR = "mse"
Drawn = Literal["balanced", "random", "again"]


@dataclass(frozen=True)
class Adjusted:
    """How a variant is made otherwise than its recipe says.

    keep_float: layers, by the names of the tensors that they give, or globs of these. samples: of calibration, at most;
    None: as many as every recipe takes. drawn: balanced by class; at random; or again, where a sample may come twice.
    seed: of the draw; None: the experiment's. ranges: what a tensor's range holds of its values: "all", a percentage
    such as "99.9%", or "mse", the range with the least mean squared error. data: where the samples are that it is
    calibrated with; None: those of the experiment.
    """

    recipe: str
    keep_float: tuple[str, ...] = ()
    samples: int | None = None
    drawn: Drawn = "balanced"
    seed: int | None = None
    ranges: str = WHOLE_RANGE
    data: Path | None = None

    @property
    def changes_quantiser(self) -> bool:
        """Whether it needs TensorFlow's quantiser of int8: others choose ranges and layers themselves."""
        return bool(self.keep_float) or self.ranges != WHOLE_RANGE
