"""Where a value lies on an axis, and which ticks have room there."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from harness.report.charts.chart import Axis, Limits, Tick
from harness.report.charts.lettering import breadth
from harness.support.format import SUPERSCRIPT, decimals

MOST_TICKS = 8
GAP, LINE = 12.0, 20.0  # px between two labels side by side; from one label to the one above it
LITTLE = 5  # a logarithmic axis that ends before so many times its beginning has the ticks of a linear one
DECADES = ((1, 1.5, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,))  # what a logarithmic axis may show of each


@dataclass(frozen=True)
class Scale:
    """Maps low … high to start … end in px; what lies beyond is drawn at the edge."""

    low: float
    high: float
    log: bool
    start: float
    end: float

    def px(self, value: float) -> float:
        return self.start + (self.end - self.start) * min(1.0, max(0.0, self.share(value)))

    def share(self, value: float) -> float:
        if math.isinf(value):
            return math.copysign(math.inf, value * (self.high - self.low))
        if not self.log:
            return (value - self.low) / (self.high - self.low)
        return math.log(value / self.low) / math.log(self.high / self.low) if value > 0 else 0.0


def limits_of(axis: Axis, values: Iterable[float]) -> Limits:
    """Return the axis' own limits, or those of the values with its margin around them."""
    if axis.limits:
        return axis.limits
    drawn = [value for value in values if math.isfinite(value) and (value > 0 or not axis.log)]
    low, high = (min(drawn), max(drawn)) if drawn else (1.0, 10.0)
    if axis.log:
        wider = max((high / low) ** axis.margin, 1.1)
        return low / wider, high * wider
    wider = axis.margin * (high - low) or abs(high) * 0.05 or 1.0
    return low - wider, high + wider


def ticks_of(axis: Axis, scale: Scale, upright: bool) -> tuple[Tick, ...]:
    """Return the axis' own ticks, or as many of the round numbers as have room."""
    if axis.ticks is not None:
        return axis.ticks
    low, high = sorted((scale.low, scale.high))
    choices = [ticks for ticks in (log_choices if axis.log else linear_choices)(low, high) if ticks]
    return next((ticks for ticks in choices if fits(ticks, scale, upright)), choices[-1][:1] if choices else ())


def fits(ticks: Sequence[Tick], scale: Scale, upright: bool) -> bool:
    if len(ticks) > MOST_TICKS:
        return False
    return all(
        abs(scale.px(a) - scale.px(b)) >= (LINE if upright else GAP + (breadth(left) + breadth(right)) / 2)
        for (a, left), (b, right) in pairwise(ticks)
    )


def linear_choices(low: float, high: float) -> Iterator[tuple[Tick, ...]]:
    """Ticks at multiples of 1, 2 or 5 times a power of ten, from many to few."""
    power = math.floor(math.log10((high - low) / MOST_TICKS))
    for exponent in range(power, power + 3):
        for step in (mantissa * 10.0**exponent for mantissa in (1, 2, 5)):
            first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
            if last - first < 2 * MOST_TICKS:
                yield tuple((n * step, decimals(n * step, max(0, -exponent))) for n in range(first, last + 1))


def log_choices(low: float, high: float) -> Iterator[tuple[Tick, ...]]:
    """Ticks at round numbers of each decade, then at whole decades with some left out, from many to few."""
    if high / low < LITTLE:
        yield from linear_choices(low, high)
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    values = [[part * 10.0**d for d in decades for part in parts] for parts in DECADES]
    values += [[10.0**d for d in decades if d % step == 0] for step in (2, 3, 4, 6)]
    for chosen in values:
        yield tuple((v, log_text(v)) for v in chosen if low * 0.999 <= v <= high * 1.001)


def log_text(value: float) -> str:
    """Write a round number: plain where it is short, else as a power of ten."""
    if 10 <= value < 1e6:
        return decimals(value, 0)
    if 1e-3 <= value < 10:
        return f"{value:.2g}"
    mantissa, power = f"{value:.1e}".split("e")
    factor = mantissa.removesuffix(".0")
    return ("" if factor == "1" else f"{factor}×") + f"10{str(int(power)).translate(SUPERSCRIPT)}"
