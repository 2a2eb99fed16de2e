"""A template filled with sections: what every page and the Markdown of a report share."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from harness.report.charts.svg import page_style
from harness.report.sections import Content
from harness.support.format import significant

Filters = Mapping[str, Callable[[Any], str]]


def page(heading: str, lead: str, contents: Sequence[Content], footer: str, resume: str = "") -> str:
    """Return a page that stands alone: everything in it is escaped, every image is embedded, no network is asked.

    resume: the id of a run that is not finished.
    """
    filters: Filters = {"png": png_address, "kept": unbroken, "significant": significant}
    told = {"heading": heading, "lead": lead, "contents": contents, "footer": footer, "resume": resume}
    return filled("page.html.j2", True, filters, **told, chart_style=page_style())


def filled(name: str, autoescape: bool, filters: Filters, **content: Any) -> str:
    """Fill the template of that name."""
    templates = Environment(
        loader=PackageLoader("harness.report.out", "templates"),
        autoescape=autoescape,  # noqa: S701  False for Markdown, which escapes in a filter
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters.update(filters)
    return templates.get_template(name).render(**content)


def unbroken(text: str) -> str:
    """Keep a number and its unit on one line."""
    return re.sub(r"\d (%|°C|(pp|kB|MB|µs|ms|s)\b)", lambda m: m[0].replace(" ", "\u00a0"), text)


def png_address(image: bytes) -> str:
    return f"data:image/png;base64,{b64encode(image).decode()}"
