"""Runs drawn from a known truth: what each model loses and takes in the long run, beside one test set and session."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness.records import Run, Shard
from tests.made_answers import made
from tests.made_runs import case

CLASSES = 3


@dataclass(frozen=True)
class Truth:
    """What is true of one variant. drop: its accuracy less than Keras', a fraction. won: of answers, that it has right
    where Keras is wrong. time: its median over float32's. spread: of that ratio from round to round.
    """

    name: str
    drop: float = 0.0
    won: float = 0.01
    time: float = 1.0
    size: int = 100_000
    spread: float = 0.01
    dead: int | None = None  # a class of which every answer is wrong
    failed: bool = False

    @property
    def lost(self) -> float:
        return self.won + self.drop


FLOAT32 = Truth("float32", won=0.0, size=400_000)


def drawn(
    truths: Sequence[Truth],
    seed: int,
    *,
    samples: int = 1000,
    rounds: int = 10,
    accuracy: float = 0.9,
    shares: Sequence[float] = (1, 1, 1),
    emulated: bool = False,
) -> Run:
    """Draw one test set, and one session of rounds, of these variants, float32 among them. shares: of classes."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(CLASSES, samples, p=np.array(shares) / sum(shares))
    right = rng.random(samples) < accuracy
    answers = {t.name: answers_of(t, labels, right, accuracy, rng) for t in truths}
    luck = rng.normal(0, 0.01, rounds)  # of a round, shared by all
    times = {
        t.name: 100 * t.time * np.exp(luck + rng.normal(0, t.spread / 1.4, rounds)) for t in truths if not t.failed
    }
    run = made(
        answers,
        np.where(right, labels, (labels + 1) % CLASSES),
        labels=labels,
        latencies_us={name: us.tolist() for name, us in times.items()} if rounds else None,
        sizes={t.name: t.size for t in truths},
        emulated=emulated,
    )
    broken = {case(t.name) for t in truths if t.failed}
    shards = [Shard(s.case, 0, samples, "failed", "no kernel for it") if s.case in broken else s for s in run.shards]
    return replace(run, shards=tuple(shards))


def answers_of(
    truth: Truth, labels: np.ndarray, right: np.ndarray, accuracy: float, rng: np.random.Generator
) -> np.ndarray:
    """Draw top-1 answers: where Keras is right one is lost with lost / accuracy, where it is wrong one is won."""
    chance = rng.random(len(labels))
    kept = np.where(right, chance >= truth.lost / accuracy, chance < truth.won / (1 - accuracy))
    if truth.dead is not None:
        kept &= labels != truth.dead
    return np.where(kept, labels, (labels + 1) % CLASSES)
