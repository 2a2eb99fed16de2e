"""A template filled with the sections of a report: what the page and the Markdown share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from harness.report.charts.svg import page_style
from harness.report.material import Material
from harness.report.plots.drawing import Drawing
from harness.report.sections import Content, contents
from harness.report.words.summary import headline

Filters = Mapping[str, Callable[[Any], str]]


def filled(
    name: str,
    material: Material,
    drawings: Sequence[Drawing],
    autoescape: bool,
    filters: Filters,
    sections: Sequence[Content] = (),
) -> str:
    """Fill the template of that name with the run, its headline, its sections and its drawings.

    sections: where they are made already; () makes them.
    """
    templates = Environment(
        loader=PackageLoader("harness.report.out", "templates"),
        autoescape=autoescape,  # noqa: S701  False for Markdown, which escapes in a filter
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters.update(filters)
    return templates.get_template(name).render(
        run=material.comparison.run,
        headline=headline(material),
        contents=sections or contents(material, drawings),
        drawings=drawings,
        chart_style=page_style(),
    )
