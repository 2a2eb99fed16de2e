"""Which of the variants that may ship to prefer: the fastest where that is shown, else the smallest."""

from __future__ import annotations

from collections.abc import Sequence

from harness.compare.rows import Row
from harness.records import CONTROL
from harness.report.words.phrases import by_variant, place, span
from harness.support.format import decimals, listed, size_scale

HARDLY = 0.99  # of the next file: a file that is larger than this share of it is hardly smaller
Speedups = dict[str, dict[str, tuple[float, float]]]  # place → variant → limits of its speed-up against float32


def preferred(rows: Sequence[Row], ships: Sequence[str]) -> list[str]:
    """Say which, and why; [] where nothing may ship."""
    if not ships:
        return []
    if len(ships) == 1:
        return [f"{ships[0]}: no other variant may ship."]
    groups = {name: group for name, group in by_variant(rows).items() if name in ships}
    speedups = speedups_of(groups)
    smallest, fastest = smallest_of(groups), fastest_of(speedups, ships)
    by_size = f"{smallest}: its file is the smallest of these ({size(groups, smallest)})" if smallest else ""
    by_speed = f"{fastest}: it is {faster(speedups, fastest)}" if fastest else ""
    if fastest and fastest == smallest:
        return [f"{by_size}, and it is {faster(speedups, fastest)}."]
    told = " Or ".join(f"{words}." for words in (by_size, by_speed) if words)
    return [told or "These rows give no reason to prefer one of them.", *([] if fastest else [unknown_speed(speedups)])]


def smallest_of(groups: dict[str, list[Row]]) -> str:
    """Name the variant whose file is smaller than every other's; "" where there is none."""
    sizes = sorted((size, name) for name, rows in groups.items() if (size := size_bytes(rows)) is not None)
    return sizes[0][1] if len(sizes) > 1 and sizes[0][0] < sizes[1][0] else ""


def size_bytes(rows: Sequence[Row]) -> float | None:
    return next((value for row in rows if (value := row.value("size_bytes")) is not None), None)


def size(groups: dict[str, list[Row]], name: str) -> str:
    """Write the size of the smallest file, and where the next is hardly larger, that it is."""
    value = size_bytes(groups[name]) or 0
    others = [size for other, rows in groups.items() if other != name and (size := size_bytes(rows)) is not None]
    hardly = ", by under 1 %" if others and value > HARDLY * min(others) else ""
    return size_scale([value]).with_unit(value) + hardly


def speedups_of(groups: dict[str, list[Row]]) -> Speedups:
    """Collect the limits of the rows that may claim a latency. float32 is 1 by definition."""
    found: Speedups = {}
    for name, rows in groups.items():
        for row in rows:
            limits = (1.0, 1.0) if row.case.variant == CONTROL else row.interval("speedup_vs_float32")
            if row.claims_latency and limits:
                found.setdefault(place(row, threads=True), {})[name] = limits
    return found


def fastest_of(speedups: Speedups, ships: Sequence[str]) -> str:
    """Name the variant that is shown to be faster than every other in every place; "" where there is none."""
    winners = {winner(limits) if len(limits) == len(ships) else "" for limits in speedups.values()}
    return winners.pop() if len(winners) == 1 else ""


def winner(limits: dict[str, tuple[float, float]]) -> str:
    """Name the one whose lower limit is over every other's upper limit; "" where there is none."""
    best = max(limits, key=lambda name: limits[name][0])
    return best if all(limits[best][0] > high for name, (_, high) in limits.items() if name != best) else ""


def faster(speedups: Speedups, name: str) -> str:
    lows = [limits[name][0] for limits in speedups.values()]
    if name == CONTROL:
        return f"the fastest of them with {listed(speedups)}"
    ratio = span("{}", lows, lambda low: decimals(low, 2))
    return f"the fastest of them with {listed(speedups)}, at least {ratio}× as fast as float32"


def unknown_speed(speedups: Speedups) -> str:
    if not speedups:
        return "Which of them is the fastest is not known: no row supports a claim on latency."
    return "None of them is shown to be the fastest everywhere."
