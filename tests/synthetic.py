"""A made-up run that looks like a real one, compared by the real `compare`: digits, seven variants, two runtimes.

What stands here is raw: outputs, rounds and the state of a device. Every figure is derived by the harness.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from harness.compare.baseline import compare
from harness.records import (
    Case,
    Comparison,
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
from tests.synthetic_device import lived

RUNTIMES = {"ai-edge-litert": "2.3.0", "tflite-runtime": "2.14.0"}
OF_ROUND = (1.5, -0.7, 0.1, -1.0, 0.4, -0.1, 0.7, -1.5, 1.0, -0.4)  # like ten draws of a normal, none like the last
VARIANTS = {  # name → (size in bytes, noise on the logits, output steps, p50 in µs)
    "float32": (409_452, 1e-6, 0, 9.5),
    "float16": (206_880, 2e-3, 0, 9.5),
    "dynamic_range": (105_320, 0.12, 0, 5.2),
    "int8": (104_888, 0.9, 256, 3.4),
    "int8_float_io": (105_480, 0.5, 256, 4.1),
    "int16x8": (106_312, 0.01, 0, 21.0),
}
UNSUPPORTED = "int4"  # a variant that this model cannot have, so no row of it is measured
FAILED = ("int16x8", "tflite-runtime")
SUSPECT = ("int8_float_io", "tflite-runtime")
NO_KERNEL = "allocate_tensors: FULLY_CONNECTED got int16 activations it has no kernel for"
ACTIVATION_BYTES = 6864
TIMINGS = 1000  # a round: the fewest that a p99 can be read off


@cache
def pictures(samples: int = 500) -> np.ndarray:
    """scikit-learn's digits at 28 × 28: uint8, (samples, 28, 28)."""
    small = load_digits().images[:samples]
    large = np.kron(small, np.ones((3, 3))) * 255 / 16
    return np.pad(large, ((0, 0), (2, 2), (2, 2))).astype(np.uint8)


def synthetic(
    *,
    samples: int = 500,
    rounds: int = 10,
    profile: str = "standard",
    targets: tuple[str, ...] = ("host",),
    emulated: tuple[str, ...] = (),
    threads: tuple[int, ...] = (1,),
    class_names: tuple[str, ...] = tuple("0123456789"),
    finished: bool = True,
    hot: tuple[str, ...] = (),
) -> Comparison:
    """The comparison of a run that has, on every target, a failed and a suspect row, and an unsupported variant.

    hot: targets with sensors that get too warm on the way: some of their rounds are flagged, invalid and repeated.
    """
    return compare(synthetic_run(samples, rounds, profile, targets, emulated, threads, class_names, finished, hot))


@cache
def synthetic_run(
    samples: int,
    rounds: int,
    profile: str,
    targets: tuple[str, ...],
    emulated: tuple[str, ...],
    threads: tuple[int, ...],
    class_names: tuple[str, ...],
    finished: bool,
    hot: tuple[str, ...],
) -> Run:
    """Raw records alone, as devices would have sent them."""
    rng = np.random.default_rng(7)
    labels = load_digits().target[:samples].astype(np.int64)
    logits = rng.normal(0, 1.0, (samples, 10))
    logits[np.arange(samples), labels] += rng.gamma(6, 1.2, samples)
    cases = tuple(
        Case(v, t, r, n) for t in targets for r in RUNTIMES for v in (*VARIANTS, UNSUPPORTED) for n in threads
    )
    runnable = [c for c in cases if c.variant != UNSUPPORTED and (c.variant, c.runtime) != FAILED]
    shards = [_shard(rng, logits, c, labels) for c in runnable if c.threads == threads[0]]
    shards += [Shard(c, 0, samples, "failed", NO_KERNEL) for c in cases if (c.variant, c.runtime) == FAILED]
    timed = [_round(rng, c, n, targets.index(c.target)) for n in range(rounds) for c in runnable]
    return Run(
        run_id="20260101-120000-5f3a",
        experiment="synthetic",
        task="classification",
        class_names=class_names,
        plan=Plan(profile, rounds, 50, 0.5),
        variants=_variants(),
        targets=tuple(_record(t, t in emulated) for t in targets),
        cases=cases,
        labels=labels,
        inputs=(pictures(samples),),
        baseline=(_softmax(logits).astype(np.float32),),
        rounds=lived(timed, hot),
        shards=tuple(shards),
        path=Path("results/synthetic/20260101-120000-5f3a"),
        finished=finished,
        provenance=Provenance("2026-01-01T12:00:00+00:00", "0.1.0"),
    )


def _softmax(logits: np.ndarray) -> np.ndarray:
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def _variants() -> tuple[Variant, ...]:
    built = [
        Variant(name, name, Path(f"{name}.tflite"), "0" * 64, size, activation_bytes=ACTIVATION_BYTES)
        for name, (size, *_) in VARIANTS.items()
    ]
    reason = "the converter has no 4-bit weights for this model"
    return (*built, Variant(UNSUPPORTED, UNSUPPORTED, status="unsupported", reason=reason))


def _record(name: str, emulated: bool) -> TargetRecord:
    board = {
        "host": None,
        "raspberry-pi-4": "Raspberry Pi 4 Model B Rev 1.5",
        "raspberry-pi-5": "Raspberry Pi 5 Model B Rev 1.0",
    }
    environment = Environment(
        board=board.get(name),
        cpu="Example CPU @ 2.0 GHz" if name == "host" else "Cortex-A72",
        machine="x86_64" if name == "host" else "aarch64",
        cores=4,
        memory_bytes=8_000_000_000,
        os="Example Linux 12",
        kernel="6.1.0",
        python="3.11.9",
        numpy="1.26.4",
        emulation="QEMU_CPU is set" if emulated else None,
        runtimes=dict(RUNTIMES),
    )
    return TargetRecord(Target(name, emulated=emulated), environment, {"blobs": 1_234_567, "jobs": 9_876})


def _shard(rng: np.random.Generator, logits: np.ndarray, case: Case, labels: np.ndarray) -> Shard:
    """The whole test set; int8 as its bytes of 1/256 each, the others as float32."""
    _, noise, steps, _ = VARIANTS[case.variant]
    stream = np.random.default_rng(len(case.variant))  # the same file says nearly the same with every runtime
    scores = _softmax(logits + stream.normal(0, noise, logits.shape) + rng.normal(0, noise / 8, logits.shape))
    if (case.variant, case.runtime) == SUSPECT:
        scores = np.roll(scores, 1 + labels[0] % 3, axis=1)
    if steps:
        scores = np.round(scores * steps) / steps
    shape = (1, scores.shape[1])
    if case.variant == "int8":
        output = np.clip(scores * 256 - 128, -128, 127).astype(np.int8)
        return _whole(case, output, Tensor("scores", "int8", shape, 1 / 256, -128))
    return _whole(case, scores.astype(np.float32), Tensor("scores", "float32", shape))


def _whole(case: Case, output: np.ndarray, tensor: Tensor) -> Shard:
    return Shard(case, 0, len(output), outputs=(output,), tensors=(tensor,))


def _round(rng: np.random.Generator, case: Case, index: int, slow: int) -> Round:
    middle = (
        VARIANTS[case.variant][3]
        * (1 + 6 * slow)
        * (1.25 if case.runtime == "tflite-runtime" else 1)
        / case.threads**0.3
    )
    noise = np.abs(rng.normal(0, 0.04, TIMINGS)) + 0.5 * (rng.random(TIMINGS) > 0.985)
    rng.normal()
    ns = middle * 1e3 * np.exp(0.012 * OF_ROUND[(index + len(case.runtime)) % len(OF_ROUND)] + noise)
    cold = {"load": 1e3, "create": 3e3, "allocate": 5e3, "first": 4e3}
    once = {phase: Timings.of([int(middle * f * rng.uniform(0.9, 1.2))]) for phase, f in cold.items()}
    return Round(case, index, timings={"timed": Timings.of(ns), **once})
