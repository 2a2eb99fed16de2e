"""The error of each layer: what arrives there, and what the layer adds to it by itself."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from harness.diagnosis.graph import Wire
from harness.diagnosis.pairs import Pair

IDEAL_STEPS = 1 / math.sqrt(12)  # rmse of rounding to a step, in steps (Widrow & Kollár, Quantization Noise, 2008)
WORST_CHANNELS = 3
INPUT, INPUT_PLACE = "INPUT", -1  # kind and place of what stands for an input of the model


@dataclass(frozen=True)
class Layer:
    """One op of the variant beside the same op of float32, over the samples that were looked at.

    sqnr_db: 10·log10(Σ float² / Σ error²) of all that is wrong with its output; added_db: the same of what it adds
    itself, against the float op fed with what the variant's op really got. None where nothing is wrong, or nothing
    flows. added_steps: the rms of what it adds, in steps of its output; .289 is a rounding and nothing else. cosine: of
    both outputs, mean over samples. low, high: of the float numbers; range_low, range_high: what its integers can hold.
    below, above: the share of its values that stand at either end of the range, where the float number lies beyond it.
    worst: channels with the greatest error by their own power, as (channel, SQNR in dB).
    """

    place: int
    name: str
    kind: str
    tensor: str
    dtype: str
    sqnr_db: float | None
    added_db: float | None
    added_steps: float | None
    cosine: float | None
    constant: bool  # the variant gives the same for every sample, float32 does not
    not_finite: bool
    worst: tuple[tuple[int, float], ...]
    scale: float | None
    lows: tuple[float, ...]
    highs: tuple[float, ...]
    range_low: float | None
    range_high: float | None
    below: float
    above: float
    clip_steps: float  # the rms of what lies beyond the range, in steps

    @property
    def low(self) -> float:
        return min(self.lows)

    @property
    def high(self) -> float:
        return max(self.highs)

    @cached_property
    def clipped(self) -> np.ndarray:
        """Whether some of a sample's numbers lie beyond the range by more than a step, bool, (samples,)."""
        if self.scale is None or self.range_low is None or self.range_high is None:
            return np.zeros(len(self.lows), bool)
        below = np.asarray(self.lows) < self.range_low - self.scale
        return np.asarray(below | (np.asarray(self.highs) > self.range_high + self.scale))

    @property
    def clip_share(self) -> float:
        """The rms of what lies beyond the range, as a share of the range; 0 where it has none, as of a tensor that is
        always 0.
        """
        if not self.scale or self.range_low is None or self.range_high is None or self.range_low == self.range_high:
            return 0.0
        return self.clip_steps * self.scale / (self.range_high - self.range_low)

    @property
    def used(self) -> float | None:
        """The share of the range that the float numbers take; None where it has no range."""
        if self.range_low is None or self.range_high is None or self.range_high <= self.range_low:
            return None
        return used_share(self.low, self.high, self.range_low, self.range_high)


def used_share(low: float, high: float, range_low: float, range_high: float) -> float:
    """The share of a range that numbers from low to high take. Of a symmetric one, as of int16, it is by the greater
    end: the other is as far away, whatever the numbers.
    """
    if abs(range_low + range_high) < 0.01 * range_high:
        return min(1.0, max(abs(low), abs(high)) / range_high)
    return max(0.0, min(high, range_high) - max(low, range_low)) / (range_high - range_low)


def layer_of(pair: Pair, exact: np.ndarray, own: np.ndarray | None, alone: np.ndarray | None) -> Layer:
    """exact: float32's output (samples, …); own: the variant's, None where it never ran; alone: the float op's, fed
    with the variant's inputs, None where that is not known.
    """
    rows, wire = as_rows(exact), pair.wire
    ranged = Ranged.of(wire, rows)
    if own is None:
        return Layer(pair.op.place, pair.name, pair.op.kind, wire.name, wire.dtype, *NEVER_RAN, *ranged.facts)
    mine = as_rows(own)
    fair = None if alone is None else as_rows(alone)
    added = None if fair is None else sqnr_db(fair, mine - fair)
    steps = None if fair is None or not ranged.scale else float(np.sqrt(np.mean((mine - fair) ** 2)) / ranged.scale)
    same = same_for_all(mine) and not same_for_all(rows)
    return Layer(
        pair.op.place, pair.name, pair.op.kind, wire.name, wire.dtype,
        sqnr_db(rows, mine - rows), added, steps, mean_cosine(rows, mine),
        same, not bool(np.isfinite(mine).all()), worst_channels(rows, mine, wire.shape[-1] if wire.shape else 1),
        *ranged.facts,
    )  # fmt: skip


def input_layer(wire: Wire, exact: np.ndarray) -> Layer:
    """An input of the variant as if it were a layer that quantises the model's numbers. exact: those, (samples, …)."""
    return range_layer(INPUT_PLACE, f"input {wire.name}", INPUT, wire, exact)


def range_layer(place: int, name: str, kind: str, wire: Wire, exact: np.ndarray) -> Layer:
    """A tensor that holds float32's numbers with a range of its own, and computes nothing."""
    ranged = Ranged.of(wire, as_rows(exact))
    return Layer(place, name, kind, wire.name, wire.dtype, *NEVER_RAN, *ranged.facts)


@dataclass(frozen=True)
class Ranged:
    """Float numbers beside what the integers of a tensor can hold."""

    scale: float | None
    facts: tuple[Any, ...]  # the last fields of a Layer, from `scale` on

    @classmethod
    def of(cls, wire: Wire, rows: np.ndarray) -> Ranged:
        ends = wire.integer_range
        scale = wire.scales[0] if ends else None
        beyond = (rows - np.clip(rows, *ends)) / scale if ends and scale else np.zeros(1)
        spread = tuple(map(float, rows.min(axis=1))), tuple(map(float, rows.max(axis=1)))
        shares = float(np.mean(beyond < -1)), float(np.mean(beyond > 1))
        return cls(scale, (scale, *spread, *(ends or (None, None)), *shares, float(np.sqrt(np.mean(beyond**2)))))


NEVER_RAN = (None, None, None, None, False, False, ())


def as_rows(values: np.ndarray) -> np.ndarray:
    return np.reshape(values, (len(values), -1)).astype(np.float64)


def sqnr_db(signal: np.ndarray, error: np.ndarray) -> float | None:
    """Signal to quantisation noise, in decibels; None where either is 0."""
    power, noise = float(np.sum(signal**2)), float(np.sum(error**2))
    return 10 * math.log10(power / noise) if power > 0 and 0 < noise < math.inf else None


def mean_cosine(one: np.ndarray, other: np.ndarray) -> float | None:
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    known = (lengths > 0) & np.isfinite(lengths)
    return float(np.mean((one * other).sum(axis=1)[known] / lengths[known])) if known.any() else None


def same_for_all(rows: np.ndarray) -> bool:
    return len(rows) > 1 and bool((rows == rows[:1]).all())


def worst_channels(exact: np.ndarray, own: np.ndarray, channels: int) -> tuple[tuple[int, float], ...]:
    """The channels, along the last axis, whose error is greatest by their own power."""
    if channels < 2 or exact.shape[1] % channels:
        return ()
    power, noise = (np.sum(np.reshape(each, (-1, channels)) ** 2, axis=0) for each in (exact, own - exact))
    known = np.flatnonzero((power > 0) & (noise > 0) & np.isfinite(noise))
    ratios = 10 * np.log10(power[known] / noise[known])
    return tuple((int(known[n]), float(ratios[n])) for n in np.argsort(ratios)[:WORST_CHANNELS])
