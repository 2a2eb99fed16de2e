"""An explained row along its depth: how the error grows, which ranges are used, and at which op a cause is named."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import inf, isfinite

from harness.diagnosis.explanation import Explanation
from harness.diagnosis.layers import INPUT, Layer
from harness.report.charts.chart import Axis, Box, Boxes, Chart, Curve, Dot, Dots, Key, Mark, Panel, Strokes, Tick
from harness.report.plots.drawing import Drawing, drawn
from harness.report.plots.style import BLUE, FLIP, GREY, LIGHT, ORANGE
from harness.report.words.explained_words import KINDS
from harness.support.format import decimals, significant

HALF = 0.32  # of a layer's breadth
REACH = (-30.0, 130.0)  # of a range, in %: what lies further out is drawn at the edge
LINE_PX = 19
DEPTH_METHOD = (
    "SQNR is all that is wrong with a layer's output; the other curve is what the layer adds itself, on what it really"
    " got. Both in dB: 20 dB less is ten times the error. A red line marks a layer that is named as a cause."
)
RANGE_METHOD = (
    "Grey: what the integers of a layer can hold, from 0 to 100 %. Within it, how far float32's numbers reach for the"
    " samples that were looked at; red where they reach over an end. What lies far out is drawn at the edge."
)
GRAPH_METHOD = (
    "Every op that was looked at, from the inputs down, with the error that it adds itself, as a share of its numbers."
    " A red cross: a cause is named there."
)


def depth_drawings(found: Explanation) -> Iterator[Drawing]:
    """Draw what there is something to draw of."""
    layers = found.layers
    if any(layer.sqnr_db is not None for layer in layers):
        yield drawn(error_chart(found), "depth-error", "How the error grows", DEPTH_METHOD)
    if any(layer.scale is not None for layer in layers):
        yield drawn(range_chart(found), "depth-ranges", "Ranges used", RANGE_METHOD)
    if layers:
        yield drawn(graph_chart(found), "depth-graph", "Op by op", GRAPH_METHOD)


def named_at(found: Explanation) -> dict[int, str]:
    """The number of each layer at which causes are named, and what they are."""
    told: dict[int, str] = {}
    for cause in found.causes:
        at = [n for n, layer in enumerate(found.layers) if layer.place == cause.place and not cause.seen]
        at = [n for n in at if cause.tensor in ("", found.layers[n].tensor)] or at
        told |= {n: "; ".join(filter(None, (told.get(n), KINDS[cause.kind]))) for n in at[:1]}
    return told


def tip(n: int, found: Explanation) -> str:
    """What is known of a layer, in a line."""
    layer, named = found.layers[n], named_at(found).get(n)
    facts = [f"{n} {layer.name}"]
    facts += [] if layer.sqnr_db is None else [f"SQNR {decimals(layer.sqnr_db, 1)} dB"]
    facts += [] if layer.added_db is None else [f"adds {decimals(layer.added_db, 1)} dB"]
    facts += [] if layer.used is None else [f"{layer.used:.0%} of its range used"]
    return ", ".join([*facts, *([named] if named else [])])


def depth_axis(layers: Sequence[Layer]) -> Axis:
    every = max(1, round(len(layers) / 12))
    ticks: tuple[Tick, ...] = tuple((float(n), str(n)) for n in range(0, len(layers), every))
    return Axis("layer, in the order of the graph", limits=(-0.6, len(layers) - 0.4), ticks=ticks, gridded=False)


def places_named(found: Explanation) -> list[Mark]:
    return [Strokes([(n, -inf, n, inf) for n in named_at(found)], FLIP, 1.6, dash=1)]


# --- the error ---


def error_chart(found: Explanation) -> Chart:
    kinds: tuple[tuple[str, str, Callable[[Layer], float | None]], ...] = (
        (BLUE, "circle", lambda layer: layer.sqnr_db), (ORANGE, "square", lambda layer: layer.added_db),
    )  # fmt: skip
    marks = places_named(found)
    for colour, shape, value in kinds:
        known = [(n, db) for n, layer in enumerate(found.layers) if (db := value(layer)) is not None and isfinite(db)]
        if known:
            marks.append(Curve([n for n, _ in known], [db for _, db in known], colour))
            marks.append(Dots([Dot(n, db, tip(n, found), 3) for n, db in known], colour, shape))
    keys = [Key("SQNR, all that is wrong there", BLUE, "circle"), Key("what the layer adds", ORANGE, "square")]
    panel = Panel(marks, depth_axis(found.layers), Axis("dB, higher is better", margin=0.1), height=230)
    return Chart((panel,), (*keys, *cause_key(found, line=True)))


def cause_key(found: Explanation, line: bool = False) -> list[Key]:
    shape = "" if line else "cross"
    return [Key("a cause is named here", FLIP, shape, dash=int(line))] if named_at(found) else []


# --- the ranges ---


def range_chart(found: Explanation) -> Chart:
    ranged = [(n, layer) for n, layer in enumerate(found.layers) if width_of(layer)]
    held = [Box((n - HALF, n + HALF), (0, 100), tip(n, found)) for n, _ in ranged]
    within, beyond = list[Box](), list[Box]()
    for n, layer in ranged:
        low, high = (min(max(end, REACH[0]), REACH[1]) for end in ends_of(layer))
        box = Box((n - HALF / 2, n + HALF / 2), (low, high), f"{tip(n, found)}, {clipped_text(layer)}")
        (beyond if is_beyond(layer) else within).append(box)
    marks = [Boxes(held, LIGHT), Boxes(within, BLUE), Boxes(beyond, FLIP), *places_named(found)]
    axis = Axis("% of the range", limits=REACH, ticks=tuple((float(n), str(n)) for n in (0, 25, 50, 75, 100)))
    keys = [Key("what its integers hold", LIGHT, "square"), Key("float32's numbers", BLUE, "square")]
    keys += [Key("over an end by more than a step", FLIP, "square")] if beyond else []
    panel = Panel([mark for mark in marks if not isinstance(mark, Boxes) or mark.boxes], depth_axis(found.layers), axis)
    return Chart((panel,), (*keys, *cause_key(found, line=True)))


def width_of(layer: Layer) -> float:
    """How much the integers of a layer can hold; 0 where it has no one range, or float32's numbers are not finite."""
    if layer.range_low is None or layer.range_high is None or not (isfinite(layer.low) and isfinite(layer.high)):
        return 0.0
    return layer.range_high - layer.range_low


def ends_of(layer: Layer) -> tuple[float, float]:
    """How far float32's numbers reach, in % of the range."""
    assert layer.range_low is not None
    return tuple(100 * (end - layer.range_low) / width_of(layer) for end in (layer.low, layer.high))  # type: ignore[return-value]


def is_beyond(layer: Layer) -> bool:
    return bool(layer.clipped.any())


def clipped_text(layer: Layer) -> str:
    return f"{significant(100 * (layer.below + layer.above), 2)} % of its numbers clipped"


# --- the graph ---


def graph_chart(found: Explanation) -> Chart:
    """Draw a line an op, so that a graph of a hundred is read down the page."""
    named, layers = named_at(found), found.layers
    added = [(n, 100 * 10 ** (-db / 20)) for n, layer in enumerate(layers) if (db := layer.added_db) is not None]
    least = min((share for _, share in added), default=0.1) / 2
    marks: list[Mark] = [
        Strokes([(least, n, share, n) for n, share in added], GREY, 1.2),
        Dots([Dot(share, n, tip(n, found)) for n, share in added], BLUE),
        Dots([Dot(dict(added).get(n, least), n, tip(n, found), 5.5) for n in named], FLIP, "cross"),
    ]
    ticks: tuple[Tick, ...] = tuple((float(n), label(n, layer)) for n, layer in enumerate(layers))
    y = Axis(limits=(len(layers) - 0.4, -0.6), ticks=ticks, gridded=False)
    most = max([share for _, share in added], default=1.0) * 1.6
    x = Axis("error added, % (log)", log=True, limits=(least, max(most, 4 * least)))
    return Chart((Panel(marks, x, y, height=12.0 + LINE_PX * len(layers)),), tuple(cause_key(found)))


def label(n: int, layer: Layer) -> str:
    return f"{n} input" if layer.kind == INPUT else f"{n} {layer.kind}"
