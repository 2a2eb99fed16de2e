"""Rounds laid out in the order of time, and what the device said before and after each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from harness.measure.validity import throttled
from harness.records import Case, Comparison, DeviceState, Round
from harness.support.format import decimals, listed


@dataclass(frozen=True)
class PlottedRound:
    """A round on the axis of time: it begins at x, in rounds, and lasts `width` of one."""

    piece: Round
    x: float
    width: float


def plotted(rounds: Sequence[Round]) -> Iterator[PlottedRound]:
    """Give every process of a round an equal share of it, however long it took: pauses are not drawn."""
    for index, group in groupby(rounds, key=lambda r: r.index):
        pieces = list(group)
        yield from (PlottedRound(piece, index + n / len(pieces), 1 / len(pieces)) for n, piece in enumerate(pieces))


def median_us(piece: Round) -> float | None:
    return piece.median_ns / 1000 if piece.timed else None


def middles(points: Sequence[PlottedRound]) -> dict[Case, float]:
    """Return each row's median of its rounds' medians, in µs; rounds that do not count only where no others are."""
    good: dict[Case, list[float]] = {}
    rest: dict[Case, list[float]] = {}
    for point in points:
        if (middle := median_us(point.piece)) is not None:
            (good if point.piece.counts else rest).setdefault(point.piece.case, []).append(middle)
    return {case: float(np.median(values)) for case, values in (rest | good).items()}


def relative(piece: Round, middle_us: float) -> tuple[float, float, float]:
    """Return p10, p50 and p90 of the round in % from the row's own median."""
    p10, p50, p90 = (100 * (piece.quantile_ns(q) / 1000 / middle_us - 1) for q in (0.1, 0.5, 0.9))
    return p10, p50, p90


Reading = Callable[[DeviceState], float | None]


def celsius(state: DeviceState) -> float | None:
    return state.temperature_c


def gigahertz(state: DeviceState) -> float | None:
    return state.frequency_hz / 1e9 if state.frequency_hz is not None else None


def known_by(points: Sequence[PlottedRound], reading: Reading) -> list[tuple[float, float]]:
    """Return (x, value) of each reading that the device gave: at the beginning and at the end of a round."""
    values = [(x, reading(state)) for s in points for x, state in looks(s)]
    return [(x, value) for x, value in values if value is not None]


def looks(point: PlottedRound) -> tuple[tuple[float, DeviceState], tuple[float, DeviceState]]:
    return (point.x, point.piece.before), (point.x + 0.92 * point.width, point.piece.after)


def conditions(points: Sequence[PlottedRound]) -> str:
    """Say how the device was while it was measured: ranges, whether it throttled, what it does not report."""
    readings: list[str] = []
    unknown: list[str] = []
    for name, reading, unit in (("temperature", celsius, "°C"), ("clock", gigahertz, "GHz")):
        values = [value for _, value in known_by(points, reading)]
        (readings if values else unknown).append(f"{name} {span_text(values, unit)}" if values else name)
    shaded = sum(any(throttled(s.piece)) for s in points)
    flags = any(state.throttled is not None for s in points for _, state in looks(s))
    if shaded:
        readings.append(f"throttled or under-powered in {shaded} of {len(points)} processes (shaded)")
    else:
        (readings if flags else unknown).append("no throttling" if flags else "throttling")
    silent = f"{listed(unknown)} unknown on this device" if unknown else ""
    return "; ".join(filter(None, (", ".join(readings), silent)))


def span_text(values: Sequence[float], unit: str) -> str:
    digits = 0 if unit == "°C" else 2
    low, high = decimals(min(values), digits), decimals(max(values), digits)
    return f"{low} {unit}" if low == high else f"{low} to {high} {unit}"


def note(comparison: Comparison) -> str:
    """Say where the order inside a round is not known."""
    if all(r.started_s is not None for r in comparison.run.rounds):
        return ""
    return " This recording does not say in which order the rows of a round were measured: they are in the run's order."
