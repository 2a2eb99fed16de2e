"""Runs made by hand, piece by piece: raw records as a device would have sent them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from harness.records import (
    Case,
    Environment,
    Plan,
    Provenance,
    Round,
    Run,
    Shard,
    Target,
    TargetRecord,
    Tensor,
    Timings,
    Variant,
)

LITERT = "ai-edge-litert"
ENVIRONMENT = Environment(python="3.11.9", runtimes={LITERT: "2.3.0", "tflite-runtime": "2.14.0"})
FLOAT = Tensor("scores", "float32", (1, 3))


def case(variant: str = "float32", runtime: str = LITERT, threads: int = 1, target: str = "host") -> Case:
    return Case(variant, target, runtime, threads)


def scores(samples: int = 40, seed: int = 0, noise: float = 0.0) -> np.ndarray:
    """(samples, 3) probabilities, the same for the same seed up to the noise."""
    logits = np.random.default_rng(seed).normal(0, 2, (samples, 3))
    logits += np.random.default_rng(seed + 1).normal(0, 1, logits.shape) * noise
    powers = np.exp(logits)
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)


def shard(of: Case, values: np.ndarray, first: int = 0, tensor: Tensor = FLOAT) -> Shard:
    return Shard(of, first, first + len(values), outputs=(values,), tensors=(tensor,))


def timed(of: Case, index: int, ns: Sequence[int], count: int = 1, cold_ns: int = 1_000_000) -> Round:
    """A round with these timings, a cold start of four steps, and memory that grew by 5,000 bytes."""
    cold = {name: Timings.of([cold_ns]) for name in ("load", "create", "allocate", "first")}
    memory = {"runtime": {"RssAnon": 20_000}, "first": {"RssAnon": 25_000, "VmHWM": 70_000}}
    return Round(of, index, timings=cold | {"timed": Timings.of(ns, count)}, memory_bytes=memory)


def run(
    cases: Sequence[Case],
    *,
    labels: np.ndarray,
    baseline: np.ndarray,
    shards: Sequence[Shard] = (),
    rounds: Sequence[Round] = (),
    planned: int = 0,
    variants: Sequence[Variant] = (),
    environment: Environment | None = ENVIRONMENT,
) -> Run:
    """Every variant that is not given is a sound one of 1,000 bytes."""
    given = {v.name: v for v in variants}
    names = dict.fromkeys(c.variant for c in cases)
    targets = dict.fromkeys(c.target for c in cases)
    return Run(
        run_id="20260101-000000-0000",
        experiment="made",
        task="classification",
        class_names=("a", "b", "c"),
        plan=Plan("quick", rounds=planned, min_runs=1, min_s=0.0),
        variants=tuple(given.get(n, Variant(n, n, Path(f"{n}.tflite"), "0" * 64, 1000)) for n in names),
        targets=tuple(TargetRecord(Target(name), environment) for name in targets),
        cases=tuple(cases),
        labels=labels,
        inputs=(np.zeros((len(labels), 4, 4), np.uint8),),
        baseline=(baseline,),
        rounds=tuple(rounds),
        shards=tuple(shards),
        path=Path("results/made/20260101-000000-0000"),
        finished=True,
        provenance=Provenance("2026-01-01T00:00:00+00:00"),
    )
