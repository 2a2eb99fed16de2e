"""edge-harness: may this model go out?

    import harness

    run = harness.evaluate(model, x_test, y_test, calibration=x_train[:500])
    run.summary, run.sample(42), run.show()
    assert run.judge("policy.toml")

docs/api.md has every name. Nothing heavy is loaded before it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.api.entry import audit, cure, evaluate, explain, load, luck, run, trend
    from harness.api.followed import Trend
    from harness.api.shown import Changes, Plots, Sample, Verdict
    from harness.api.stored_run import Run
    from harness.errors import HarnessError
    from harness.gate.policy import Policy
    from harness.records import (
        Affine,
        Dataset,
        Detection,
        Experiment,
        Keypoints,
        ModelSource,
        Plan,
        Scoring,
        Target,
        Transcription,
    )

__version__ = "0.2.0"
__all__ = [
    "Affine",
    "Changes",
    "Dataset",
    "Detection",
    "Experiment",
    "HarnessError",
    "Keypoints",
    "ModelSource",
    "Plan",
    "Plots",
    "Policy",
    "Run",
    "Sample",
    "Scoring",
    "Target",
    "Transcription",
    "Trend",
    "Verdict",
    "__version__",
    "audit",
    "cure",
    "evaluate",
    "explain",
    "load",
    "luck",
    "run",
    "trend",
]

_ROOMS = {  # where each name lives
    "harness.api.entry": ("audit", "cure", "evaluate", "explain", "load", "luck", "run", "trend"),
    "harness.api.followed": ("Trend",),
    "harness.api.shown": ("Changes", "Plots", "Sample", "Verdict"),
    "harness.api.stored_run": ("Run",),
    "harness.errors": ("HarnessError",),
    "harness.gate.policy": ("Policy",),
    "harness.records": (
        "Affine",
        "Dataset",
        "Detection",
        "Experiment",
        "Keypoints",
        "ModelSource",
        "Plan",
        "Scoring",
        "Target",
        "Transcription",
    ),
}


def __getattr__(name: str) -> object:
    """Loads a public name when it is first asked for (PEP 562)."""
    for room, names in _ROOMS.items():
        if name in names:
            return getattr(import_module(room), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
