"""Answers of two models that are only supposed, the one as good as the other.

Classes: each has a normal score of every sample, and a sample's own class a lead, so that the top-1 is right as often
as is supposed. The other model's scores are correlated with these, so that so many answers are right of one alone.
Numbers: errors are normal. Groups: a sample copies its group's outcome with a probability of √ρ, so that any two of a
group have a correlation of ρ.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import ndtr

from harness.records import Absent
from harness.statistics.bounded import crossing

Two = tuple[np.ndarray, np.ndarray]  # of the baseline, and of the other model
Noise = Callable[[tuple[int, ...]], np.ndarray]  # of a shape whose second axis is the samples: standard normal

NUMBERS, FEWEST_ROWS = 500_000, 2_000  # scores that the correlation is found by
FINEST = 0.02  # of answers that change; under it their share is as good as proportional to the angle
STEPS = 15
SEED = 20_231
ROUNDING = 1e-9
UNLIKELY = "Keras cannot be supposed right in {:.3g} % of {} classes"
TOO_MANY = "so many answers cannot differ where each model is right in {:.3g} %"


@dataclass(frozen=True)
class Scores:
    """Scores of classes. lead: in standard deviations. angle: its cosine is the correlation of two models' scores."""

    classes: int
    lead: float
    angle: float

    @classmethod
    def of(cls, classes: int, right: float, changed: float) -> Scores:
        """Returns scores by which such shares are right, and right of one model alone. Raises Absent."""
        lead = lead_for(classes, right)
        return cls(classes, lead, angle_for(classes, lead, changed) if changed else 0.0)

    def drawn(self, labels: np.ndarray, noise: Noise) -> Two:
        """Returns scores, (samples, classes) each. labels: 0 to classes − 1."""
        one, other = noise((2, len(labels), self.classes))
        leads = self.lead * (labels[:, None] == np.arange(self.classes))
        return leads + one, leads + turned(one, other, self.angle)


def independent(rng: np.random.Generator) -> Noise:
    return lambda shape: rng.normal(size=shape)


def alike_in(groups: np.ndarray, alike: float, rng: np.random.Generator) -> Noise:
    """Returns noise of which a sample has its group's with a probability of √alike, to both models; else its own.

    groups: the group of each sample, from 0.
    """

    def drawn(shape: tuple[int, ...]) -> np.ndarray:
        own, of_group = rng.normal(size=shape), rng.normal(size=(shape[0], int(groups.max()) + 1, *shape[2:]))
        copied = rng.random(len(groups)) < math.sqrt(alike)
        own[:, copied] = of_group[:, groups[copied]]
        return own

    return drawn


def turned(one: np.ndarray, other: np.ndarray, angle: float) -> np.ndarray:
    return math.cos(angle) * one + math.sin(angle) * other


def lead_for(classes: int, right: float) -> float:
    """Returns how far ahead the own class is: ∫ φ(x − lead) Φ(x)^(classes − 1) dx = right. Raises Absent."""
    steps = np.linspace(-8, 8, 2001)
    density = np.exp(-(steps**2) / 2) / math.sqrt(2 * math.pi)

    def missing(lead: float) -> float:
        return float((density * ndtr(steps + lead) ** (classes - 1)).sum() * (steps[1] - steps[0])) - right

    if classes < 2 or not missing(0.0) < 0 < missing(20.0):
        raise Absent(UNLIKELY.format(100 * right, classes))
    return crossing(missing, 0.0, 20.0, 1e-7)


@lru_cache(maxsize=16)
def angle_for(classes: int, lead: float, changed: float) -> float:
    """Returns the angle at which such a share of the answers is right of one model alone, by bisection over one large
    draw. Raises Absent.
    """
    one, other = np.random.default_rng(SEED).normal(size=(2, max(FEWEST_ROWS, NUMBERS // classes), classes))
    right, sought = first_leads(one, lead), max(changed, FINEST)

    def share(angle: float) -> float:
        return float((first_leads(turned(one, other, angle), lead) != right).mean())

    low, high = 0.0, math.pi / 2
    if share(high) < sought:
        raise Absent(TOO_MANY.format(100 * right.mean()))
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if share(middle) < sought else (low, middle)
    return high * changed / sought


def first_leads(scores: np.ndarray, lead: float) -> np.ndarray:
    return np.asarray(scores[:, 0] + lead > scores[:, 1:].max(axis=1))


@dataclass(frozen=True)
class Labels:
    """Several labels a sample, independent of each other, each as one of two classes."""

    each: Scores

    def drawn(self, labels: np.ndarray, noise: Noise) -> Two:
        """Returns logits, (samples, labels) each. labels: 0 or 1, of the same shape."""
        whole = noise((2, *labels.shape, 2)).reshape(2, -1, 2)
        one, other = (np.diff(scores)[:, 0] for scores in self.each.drawn(labels.ravel(), lambda shape: whole))
        return one.reshape(labels.shape), other.reshape(labels.shape)


@dataclass(frozen=True)
class Residuals:
    """Numbers. explained: of the labels' variance, by either model. moved: the standard deviation of how far an output
    moves from one model to the other, as a share of that of its error.
    """

    explained: float
    moved: float

    def drawn(self, labels: np.ndarray, noise: Noise) -> Two:
        """Returns outputs, of the labels' shape each."""
        one, other = noise((2, *labels.shape))
        spread = spread_of(labels) * math.sqrt(1 - self.explained)
        return labels + spread * one, labels + spread * turned(one, other, 2 * math.asin(self.moved / 2))


def spread_of(labels: np.ndarray) -> np.ndarray:
    """Returns the standard deviation of each number over the samples in which it is known; 0 where it is in none."""
    return np.asarray(np.ma.filled(np.ma.masked_invalid(labels).std(axis=0), 0.0))


@dataclass(frozen=True)
class Outcomes:
    """Whether answers are right, of samples in groups. Shares of all samples; alike: the correlation in a group."""

    right: float  # before
    lost: float
    won: float
    alike: float

    def drawn(self, groups: np.ndarray, rng: np.random.Generator) -> Two:
        """Returns whether each sample is right before, and after, bool. groups: the group of each, from 0."""
        shares = np.array([self.right - self.lost, self.lost, self.won, 1 - self.right - self.won])
        if shares.min() < -ROUNDING:
            raise Absent(TOO_MANY.format(100 * self.right))
        likely = np.maximum(shares, 0) / np.maximum(shares, 0).sum()
        own, of_group = (rng.choice(4, count, p=likely) for count in (len(groups), int(groups.max()) + 1))
        kind = np.where(rng.random(len(groups)) < math.sqrt(self.alike), of_group[groups], own)
        return kind < 2, kind % 2 == 0  # right twice, lost, won, wrong twice
