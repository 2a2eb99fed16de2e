"""What a job is told to do: the content of its job.json (device/job.py), made here for every caller."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from harness.records import Affine, Plan

TIMED_BY = ("warmup_s", "warmup_runs", "min_s", "min_runs", "max_runs")  # of a plan


def outputs_spec(runtime: str, inputs: Sequence[str], affines: Sequence[Affine], threads: int = 1) -> dict[str, object]:
    """A job that keeps the model's outputs for every sample.

    inputs: one file an input tensor of the model, in its order, each holding stored values of the same samples.
    affines: one an input tensor; they turn stored values into what the model takes.
    """
    return _spec("outputs", runtime, inputs, affines, threads)


def latency_spec(
    runtime: str, inputs: Sequence[str], affines: Sequence[Affine], threads: int, plan: Plan
) -> dict[str, object]:
    """A job that times invokes as long and as often as the plan says. The others are as of outputs_spec."""
    return _spec("latency", runtime, inputs, affines, threads) | {name: getattr(plan, name) for name in TIMED_BY}


def _spec(kind: str, runtime: str, inputs: Sequence[str], affines: Sequence[Affine], threads: int) -> dict[str, object]:
    return {
        "kind": kind,
        "runtime": runtime,
        "threads": threads,
        "inputs": list(inputs),
        "affines": [asdict(affine) for affine in affines],
    }
