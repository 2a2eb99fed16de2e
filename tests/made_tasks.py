"""Runs of every kind of task, made by hand: what a model's outputs are worth, where they are not accuracy alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from harness.records import Round, Run, Scoring, Tensor
from harness.records.terms import Task
from tests import made_runs
from tests.made_runs import case, shard

SAMPLES = 400


def run_of(
    task: Task,
    labels: np.ndarray | None,
    keras: np.ndarray,
    given: Mapping[str, np.ndarray],
    scoring: Scoring | None = None,
    inputs: Sequence[np.ndarray] = (),
    rounds: Sequence[Round] = (),
    planned: int = 0,
) -> Run:
    """One row a variant, on host with ai-edge-litert; given: variant → its outputs, of Keras' shape."""
    tensor = Tensor("out", "float32", (1, *keras.shape[1:]))
    cases = [case(name) for name in given]
    run = made_runs.run(
        cases,
        labels=np.zeros(len(keras), int),
        baseline=keras,
        shards=[shard(c, given[c.variant], tensor=tensor) for c in cases],
        rounds=rounds,
        planned=planned,
    )
    names = () if task not in ("classification", "agreement") else run.class_names
    stored = tuple(inputs) or (np.zeros((len(keras), 5), np.float32),)
    hashes = {"test": "7" * 64}
    return replace(
        run, task=task, labels=labels, class_names=names, inputs=stored, scoring=scoring or Scoring(), hashes=hashes
    )


def numbers(
    samples: int = SAMPLES, width: int = 1, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Labels, Keras' outputs, and those of float32 (nearly the same) and int8 (0.05 of noise and 0.01 too much)."""
    rng = np.random.default_rng(seed)
    labels = rng.gamma(3, 1, (samples, width)).astype(np.float32)
    keras = (labels + rng.normal(0, 0.3, labels.shape)).astype(np.float32)
    float32 = keras + rng.normal(0, 1e-6, keras.shape).astype(np.float32)
    int8 = (keras + rng.normal(0.01, 0.05, keras.shape)).astype(np.float32)
    return labels if width > 1 else labels[:, 0], keras, {"float32": float32, "int8": int8}


def regression(scoring: Scoring | None = None, **of: int) -> Run:
    labels, keras, given = numbers(**of)
    return run_of("regression", labels, keras, given, scoring or Scoring("mae"))


def classes(scoring: Scoring | None = None, samples: int = SAMPLES, width: int = 4, seed: int = 0) -> Run:
    """Probabilities of several classes, right in about two of three samples; int8 in steps of 1/64."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, width, samples)
    logits = rng.normal(0, 1, (samples, width))
    logits[np.arange(samples), labels] += 1.2
    keras = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    noisy = np.round(keras * 64 + rng.normal(0, 2, keras.shape)) / 64
    given = {"float32": keras.astype(np.float32), "int8": np.clip(noisy, 0, 1).astype(np.float32)}
    return run_of("classification", labels, keras.astype(np.float32), given, scoring)


def several(
    keras: Mapping[str, np.ndarray], given: Mapping[str, Mapping[str, np.ndarray]], labels: np.ndarray, scored: str = ""
) -> Run:
    """A classifier with several outputs by name, of which one is scored. given: variant → its outputs by name."""
    tensors = tuple(Tensor(name, str(y.dtype), (1, *y.shape[1:])) for name, y in keras.items())
    cases = [case(name) for name in given]
    shards = [replace(shard(c, labels), outputs=tuple(given[c.variant].values()), tensors=tensors) for c in cases]
    run = made_runs.run(cases, labels=labels, baseline=labels, shards=shards)
    outputs = {"baseline": tuple(keras.values()), "output_names": tuple(keras)}
    return replace(run, **outputs, hashes={"test": "7" * 64}, scoring=Scoring(output=scored))  # type: ignore[arg-type]


def three_outputs(samples: int = SAMPLES) -> tuple[np.ndarray, dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Labels, and what Keras and int8 answer: classes that hardly moved, boxes in pixels that are up to 2 off, and
    counts, whole numbers that int8 has exactly.
    """
    rng = np.random.default_rng(11)
    digit, boxes = made_runs.scores(samples), rng.uniform(0, 320, (samples, 4)).astype(np.float32)
    keras = {"digit": digit, "boxes": boxes, "count": rng.integers(0, 9, (samples, 1), np.int32)}
    off = (boxes + rng.uniform(-2, 2, boxes.shape)).astype(np.float32)
    moved = {"digit": made_runs.scores(samples, noise=0.02), "boxes": off, "count": keras["count"]}
    return digit.argmax(axis=1), keras, moved
