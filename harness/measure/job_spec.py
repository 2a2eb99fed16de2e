"""What a job is told to do: the content of its job.json (device/job.py), made here for every caller."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np

from harness.measure.counted_rows import Counts
from harness.records import Affine, Plan
from harness.records.terms import Reset

TIMED_BY = ("warmup_s", "warmup_runs", "min_s", "min_runs", "max_runs")  # of a plan


def outputs_spec(
    runtime: str,
    inputs: Sequence[str],
    affines: Sequence[Affine],
    threads: int = 1,
    reset: Reset = "none",
    starts: np.ndarray | None = None,
) -> dict[str, object]:
    """A job that keeps the model's outputs for every sample, each asked from the model's initial state.

    inputs: one file an input tensor of the model, in its order, each holding stored values of the same samples.
    affines: one an input tensor; they turn stored values into what the model takes.
    reset: what brings the model back to its initial state (see model_state.py).
    starts: the places of the samples that are asked from the initial state, the first of each clip; None for all.
    """
    spec = _spec("outputs", runtime, inputs, affines, threads, reset)
    return spec if starts is None else spec | {"starts": starts.tolist()}


def audit_spec(
    runtime: str,
    inputs: Sequence[str],
    affines: Sequence[Affine],
    threads: int = 1,
    reset: Reset = "none",
    starts: np.ndarray | None = None,
) -> dict[str, object]:
    """A job that asks the samples, and then asks them again in the same order. The others are as of outputs_spec."""
    return outputs_spec(runtime, inputs, affines, threads, reset, starts) | {"passes": 2}


def latency_spec(
    runtime: str, inputs: Sequence[str], affines: Sequence[Affine], threads: int, plan: Plan, reset: Reset = "none"
) -> dict[str, object]:
    """A job that times invokes as long and as often as the plan says. The others are as of outputs_spec."""
    spec = _spec("latency", runtime, inputs, affines, threads, reset)
    return spec | {name: getattr(plan, name) for name in TIMED_BY}


def with_state(
    spec: dict[str, object], carried: Sequence[tuple[int, int]], starts: np.ndarray | None
) -> dict[str, object]:
    """Adds which outputs of the file go to which of its inputs at the next sample of a clip, and where clips begin."""
    if not carried or starts is None:
        return spec
    return spec | {"carried": [list(pair) for pair in carried], "starts": starts.tolist()}


def with_counts(spec: dict[str, object], counts: Counts) -> dict[str, object]:
    """Adds which outputs hold only as many rows as another counts (see counted_rows.py)."""
    return spec | {"counts": [[count, list(rows)] for count, rows in counts]} if counts else spec


def _spec(
    kind: str, runtime: str, inputs: Sequence[str], affines: Sequence[Affine], threads: int, reset: Reset
) -> dict[str, object]:
    return {
        "kind": kind,
        "runtime": runtime,
        "threads": threads,
        "inputs": list(inputs),
        "affines": [asdict(affine) for affine in affines],
        "reset": reset,
    }
