"""report.html: one file that opens offline, at a desk and on a phone."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Sequence

from harness.report.material import Material
from harness.report.out.page import Filters, filled
from harness.report.plots.drawing import Drawing
from harness.report.sections import Content
from harness.support.format import significant


def render(material: Material, drawings: Sequence[Drawing], sections: Sequence[Content] = ()) -> str:
    """Return the whole page; everything in it is escaped, every image is embedded."""
    filters: Filters = {"png": png_address, "kept": unbroken, "significant": significant}
    return filled("report.html.j2", material, drawings, autoescape=True, filters=filters, sections=sections)


def unbroken(text: str) -> str:
    """Keep a number and its unit on one line."""
    return re.sub(r"\d (%|°C|(pp|kB|MB|µs|ms|s)\b)", lambda m: m[0].replace(" ", "\u00a0"), text)


def png_address(image: bytes) -> str:
    return f"data:image/png;base64,{b64encode(image).decode()}"
