"""What is the same in every plot: which colour a variant has, which shape a runtime, how places are named."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from harness.records import Case, Comparison
from harness.records.names import place_label
from harness.report.charts.chart import Axis, Key, Tick
from harness.report.charts.lettering import SHAPES

COLOURS = ("c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7")  # near Okabe and Ito's; tests simulate colour-blindness
BLUE, ORANGE, FLIP, GREY, LIGHT = "c1", "c2", "c4", "grey", "line"


class NothingToDrawError(Exception):
    """Why a plot cannot be made of this run."""


def colours(comparison: Comparison) -> dict[str, str]:
    """Choose one colour a variant, in the run's order."""
    return {v.name: COLOURS[i % len(COLOURS)] for i, v in enumerate(comparison.run.variants)}


def places(cases: Sequence[Case]) -> list[tuple[str, str, int]]:
    """List every target × runtime × threads of these cases, in order."""
    return list(dict.fromkeys((c.target, c.runtime, c.threads) for c in cases))


def place_name(comparison: Comparison, place: tuple[str, str, int]) -> str:
    """Name a place: runtime · target, threads where the run has several."""
    target, runtime, threads = place
    several = len({c.threads for c in comparison.run.cases}) > 1
    return place_label(runtime, target, threads * several)


def emulated_note(comparison: Comparison, target: str) -> str:
    return "emulated: no latency claim" if comparison.run.target(target).emulated else ""


def runtime_shapes(comparison: Comparison) -> dict[str, str]:
    """Choose one shape a runtime, the same in every plot."""
    names = sorted({c.runtime for c in comparison.run.cases})
    return {name: SHAPES[i % len(SHAPES)] for i, name in enumerate(names)}


def first_cases(comparison: Comparison) -> list[Case]:
    """Find for each variant the first case that has outputs: plots of single samples show each file once."""
    suspect = {s.case for s in comparison.standings if s.status == "suspect"}
    ordered = sorted(comparison.outputs, key=lambda c: c in suspect)  # stable: suspect rows come last
    firsts: dict[str, Case] = {}
    for case in ordered:
        firsts.setdefault(case.variant, case)
    return [firsts[v.name] for v in comparison.run.variants if v.name in firsts]


def lines_of(names: Sequence[str]) -> Axis:
    """An axis from top to bottom with a line a name."""
    ticks: tuple[Tick, ...] = tuple((float(n), name) for n, name in enumerate(names))
    return Axis(limits=(len(names) - 0.4, -0.6), ticks=ticks, gridded=False)


def variant_keys(comparison: Comparison, labels: dict[str, str]) -> list[Key]:
    """Make legend entries, one a variant."""
    shade = colours(comparison)
    return [Key(text, shade[name], "circle") for name, text in labels.items()]


def runtime_keys(comparison: Comparison, shown: Collection[str]) -> list[Key]:
    """Make legend entries, one for each runtime that is shown."""
    shapes = runtime_shapes(comparison)
    return [Key(name, GREY, shape, hollow=True) for name, shape in shapes.items() if name in shown]
