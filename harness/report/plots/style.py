"""How every figure looks: colours that colour-blind readers can distinguish, plain ticks, type readable on a phone."""

from __future__ import annotations

import io
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from harness.records import Case, Comparison
from harness.records.names import place_label

OKABE_ITO = ("#000000", "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#F0E442")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
GREY, LIGHT, FLIP = "#6b7280", "#d5d8de", "#D55E00"
WIDE_IN, NARROW_IN = 9.6, 4.0  # a page column, and a phone's width, at the same size of type
DPI = 150
STYLE = Path(__file__).with_name("report.mplstyle")


class NothingToDrawError(Exception):
    """Why a figure cannot be made of this run."""


def png(figure: Figure) -> bytes:
    """Return the figure as the bytes of a PNG."""
    buffer = io.BytesIO()
    with mpl.rc_context(fname=STYLE):
        figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    return buffer.getvalue()


def grid(
    count: int, width: float, height: float, most: int, sharex: bool = False, sharey: bool = False
) -> tuple[Figure, list[Axes]]:
    """Make a figure of `count` panels, each `height` inches high, at most `most` side by side (two on a phone)."""
    columns = min(count, most if width > NARROW_IN else min(2, max(1, most - 1)))
    lines = -(-count // columns)
    figure = Figure(figsize=(width, lines * height + 0.7), layout="constrained")
    axes = list(figure.subplots(lines, columns, squeeze=False, sharex=sharex, sharey=sharey).flat)
    for spare in axes[count:]:
        spare.set_axis_off()
    for i, axis in enumerate(axes[:count]):  # the panel above a spare one keeps its own labels
        axis.xaxis.set_tick_params(labelbottom=not sharex or i + columns >= count)
    return figure, axes[:count]


def colours(comparison: Comparison) -> dict[str, str]:
    """Choose one colour a variant, in the run's order."""
    return {v.name: OKABE_ITO[i % len(OKABE_ITO)] for i, v in enumerate(comparison.run.variants)}


def places(cases: Sequence[Case]) -> list[tuple[str, str, int]]:
    """List every target × runtime × threads of these cases, in order."""
    return list(dict.fromkeys((c.target, c.runtime, c.threads) for c in cases))


def place_name(comparison: Comparison, place: tuple[str, str, int]) -> str:
    """Name a place: runtime · target, threads where the run has several; a second line where it is emulated."""
    target, runtime, threads = place
    several = len({c.threads for c in comparison.run.cases}) > 1
    name = place_label(runtime, target, threads * several)
    return f"{name}\n(emulated: no latency claim)" if comparison.run.target(target).emulated else name


def runtime_markers(comparison: Comparison) -> dict[str, str]:
    """Choose one shape a runtime, the same in every figure."""
    names = sorted({c.runtime for c in comparison.run.cases})
    return {name: MARKERS[i % len(MARKERS)] for i, name in enumerate(names)}


def first_cases(comparison: Comparison) -> list[Case]:
    """Find for each variant the first case that has outputs: figures of single samples show each file once."""
    suspect = {s.case for s in comparison.standings if s.status == "suspect"}
    ordered = sorted(comparison.outputs, key=lambda c: c in suspect)  # stable: suspect rows come last
    firsts: dict[str, Case] = {}
    for case in ordered:
        firsts.setdefault(case.variant, case)
    return [firsts[v.name] for v in comparison.run.variants if v.name in firsts]


def in_figure(text: str) -> str:
    """Escape the dollars between which matplotlib would read mathematics."""
    return text.replace("$", r"\$")


def log_ticks(axis: Axis, limits: Sequence[float] | np.ndarray, most: int = 7) -> None:
    """Write plain numbers on a logarithmic axis, at most `most`. Call it when the limits no longer change."""
    low, high = float(np.min(limits)), float(np.max(limits))
    decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    choices = [[s * 10.0**d for d in decades for s in subs] for subs in ((1, 1.5, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,))]
    choices += [[10.0**d for d in decades if d % step == 0] for step in (2, 3, 4)]
    within = [[t for t in ticks if low * 0.999 <= t <= high * 1.001] for ticks in choices]
    room = np.log10(high / low) * 0.55 / most  # between two labels, so that none touches the next
    fits = [t for t in within if len(t) <= most and np.diff(np.log10(t)).min(initial=np.inf) >= room]
    axis.set_major_locator(FixedLocator(fits[0] if fits else within[-1]))
    text = power_of_ten if low < 1e-3 else plain_number
    axis.set_major_formatter(FuncFormatter(lambda value, _: text(value)))
    axis.set_minor_locator(NullLocator())


def plain_number(value: float) -> str:
    return f"{value:,.10g}"


def power_of_ten(value: float) -> str:
    exponent = round(np.log10(value))
    return plain_number(value) if -2 <= exponent <= 2 else f"$10^{{{exponent}}}$"


def variant_handles(comparison: Comparison, labels: dict[str, str]) -> list[Line2D]:
    """Make legend entries, one a variant."""
    shade = colours(comparison)
    return [Line2D([], [], color=shade[n], marker="o", linestyle="", label=text) for n, text in labels.items()]


def runtime_handles(comparison: Comparison, shown: Collection[str]) -> list[Line2D]:
    """Make legend entries, one for each runtime that is shown."""
    return [
        Line2D([], [], color=GREY, marker=marker, linestyle="", markerfacecolor="none", label=name)
        for name, marker in runtime_markers(comparison).items()
        if name in shown
    ]


def legend(figure: Figure, handles: Sequence[Line2D], width: float, wide_columns: int = 6, above: bool = False) -> None:
    """Put a legend under the panels, or above where the figure's own label is under them: it hides nothing."""
    room = 0.45 + 0.065 * max(len(str(h.get_label())) for h in handles)  # inches an entry takes, about
    columns = max(1, min(len(handles), wide_columns, int(width / room)))
    place: Any = "outside upper center" if above else "outside lower center"
    figure.legend(handles=handles, loc=place, ncols=columns, handletextpad=0.4, columnspacing=1.4)
