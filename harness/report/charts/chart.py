"""What a chart is before its width is known: panels of marks on axes, and a legend. Colours are named in chart.css."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf

Tick = tuple[float, str]
Limits = tuple[float, float]
EVERYWHERE = (-inf, inf)  # from one edge of a panel to the other


@dataclass(frozen=True)
class Axis:
    """limits: the values at its lower or left end and at the other; None: of what is drawn, and a margin around it.

    ticks: None chooses them by the room that there is. labelled: whether they are written, too.
    """

    title: str = ""
    log: bool = False
    limits: Limits | None = None
    ticks: tuple[Tick, ...] | None = None
    labelled: bool = True
    gridded: bool = True
    margin: float = 0.05


@dataclass(frozen=True)
class Dot:
    """A point. tip: what it says where one points at it. radius: in px. sample: the number of the one that it is of."""

    x: float
    y: float
    tip: str = ""
    radius: float = 3.5
    sample: int | None = None


@dataclass(frozen=True)
class Dots:
    """Points of one kind. shape: one of lettering.SHAPES."""

    dots: Sequence[Dot]
    colour: str
    shape: str = "circle"
    hollow: bool = False
    opacity: float = 1.0

    def corners(self) -> Iterator[tuple[float, float]]:
        return ((dot.x, dot.y) for dot in self.dots)


@dataclass(frozen=True)
class Curve:
    """A line through points; stepped: each y holds until the next x. dash: an index of svg.DASHES, 0 is solid."""

    x: Sequence[float]
    y: Sequence[float]
    colour: str
    tip: str = ""
    stepped: bool = False
    dash: int = 0
    width: float = 1.6

    def corners(self) -> Iterator[tuple[float, float]]:
        return zip(self.x, self.y, strict=True)


@dataclass(frozen=True)
class Strokes:
    """Straight lines without a tip, each (x, y, x, y): limits, ticks, rules."""

    ends: Sequence[tuple[float, float, float, float]]
    colour: str
    width: float = 1.2
    dash: int = 0
    opacity: float = 1.0

    def corners(self) -> Iterator[tuple[float, float]]:
        return (corner for x1, y1, x2, y2 in self.ends for corner in ((x1, y1), (x2, y2)))


@dataclass(frozen=True)
class Box:
    """A rectangle between two values of x and two of y."""

    x: Limits
    y: Limits
    tip: str = ""
    opacity: float = 1.0


@dataclass(frozen=True)
class Boxes:
    """Bars, bands and cells. edged: with a line around each."""

    boxes: Sequence[Box]
    colour: str
    edged: bool = False

    def corners(self) -> Iterator[tuple[float, float]]:
        return (corner for box in self.boxes for corner in zip(box.x, box.y, strict=True))


@dataclass(frozen=True)
class Words:
    """A text that begins at a point, cut where the panel ends; its tip has the whole."""

    x: float
    y: float
    text: str

    def corners(self) -> Iterator[tuple[float, float]]:
        return iter(((self.x, self.y),))


@dataclass(frozen=True)
class Picture:
    """A PNG that fills its panel as far as its shape allows."""

    png: bytes
    tip: str

    def corners(self) -> Iterator[tuple[float, float]]:
        return iter(())


Mark = Dots | Curve | Strokes | Boxes | Words | Picture


@dataclass(frozen=True)
class Panel:
    """Marks on two axes, drawn in their order. note: a smaller text under the title. height: of the marks' area, in px.

    x, y: None for a panel without any axis. breadth: against the other panels of its line. target, runtime, variant:
    what all of its marks are of, where that is one; a page shows them paler where the reader has filtered that out.
    """

    marks: Sequence[Mark]
    x: Axis | None = None
    y: Axis | None = None
    title: str = ""
    note: str = ""
    height: float = 200.0
    breadth: float = 1.0
    target: str = ""
    runtime: str = ""
    variant: str = ""


@dataclass(frozen=True)
class Key:
    """An entry of a legend: a point of that shape, or a line where it has none."""

    text: str
    colour: str
    shape: str = ""
    hollow: bool = False
    dash: int = 0


@dataclass(frozen=True)
class Chart:
    """Panels side by side, so many at most on a page and on a phone. shared: the axes ("x", "y", "xy") that are the
    same for all panels; their numbers and titles stand at the edge alone. x_title, y_title: what all panels show.
    """

    panels: tuple[Panel, ...]
    legend: tuple[Key, ...] = ()
    columns: tuple[int, int] = (1, 1)
    shared: str = ""
    x_title: str = ""
    y_title: str = ""
    title: str = ""

    def _repr_svg_(self) -> str:
        """What a notebook shows: the chart for a page, in light colours."""
        return self.svg

    @property
    def svg(self) -> str:
        """The chart for a page as an SVG file of its own, in light colours."""
        from harness.report.charts.svg import standing_alone

        return standing_alone(self, self.title or "A chart")
