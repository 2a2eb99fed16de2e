"""report.html: one file that opens offline, at a desk and on a phone."""

from __future__ import annotations

import re
from base64 import b64encode

from harness.metrics.task import OF_CLASSES
from harness.report.format import decimals, significant
from harness.report.material import Material
from harness.report.out.page import filled
from harness.report.samples.answers import agreement, grouped, sample_answers
from harness.report.samples.gallery import absent, exhibits
from harness.report.samples.numbers import nearness, number_sample
from harness.report.samples.picture import picture_of, picture_png


def render(material: Material) -> str:
    """The whole page; everything in it is escaped, every image is embedded."""
    comparison, metric = material.comparison, material.primary
    classes, some = comparison.run.task in OF_CLASSES, comparison.run.test_count > 0
    return filled(
        "report.html.j2",
        material,
        autoescape=True,
        filters={"png": _png, "kept": _kept, "decimals": decimals, "significant": significant},
        drawings={d.name: d for d in material.drawings},
        exhibits=exhibits(comparison),
        no_pictures=absent(material),
        picture=lambda index: _picture(material, index),
        sample=sample_answers(comparison, 0) if some and classes else None,
        numbers=number_sample(comparison, 0) if some and not classes else None,
        nearness=nearness,
        metric=metric,
        changes=any(c.metric == metric.change for c in comparison.changes),
        agreement=agreement,
        grouped=grouped,
    )


def _picture(material: Material, index: int) -> str:
    """The sample as the address of an embedded image, or nothing."""
    picture = picture_of(material.pictures, index)
    return _png(picture_png(picture)) if picture is not None else ""


def _kept(text: str) -> str:
    """A number and its unit stay on one line."""
    return re.sub(r"\d (%|°C|(pp|kB|MB|µs|ms|s)\b)", lambda m: m[0].replace(" ", "\u00a0"), text)


def _png(image: bytes) -> str:
    return f"data:image/png;base64,{b64encode(image).decode()}"
