"""What the page and the Markdown share: the templates and everything in words that both show."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from harness.report.material import Material
from harness.report.tables.costs import calls, memory
from harness.report.tables.facts import devices, run_facts
from harness.report.tables.further import further
from harness.report.tables.summary_table import tables
from harness.report.words.round_quality import reasons, where
from harness.report.words.summary import headline, sentences


def filled(
    name: str, material: Material, autoescape: bool, filters: Mapping[str, Callable[..., str]], **more: Any
) -> str:
    """The template of that name with what every page shows, and with `more`."""
    templates = Environment(
        loader=PackageLoader("harness.report.out", "templates"),
        autoescape=autoescape,  # noqa: S701  False for Markdown, which escapes in a filter
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters.update(filters)
    return templates.get_template(name).render(**shared(material), **more)


def shared(material: Material) -> dict[str, Any]:
    """What every page shows, by its name in the templates."""
    comparison = material.comparison
    return {
        "run": comparison.run,
        "headline": headline(material),
        "sentences": sentences(material),
        "facts": run_facts(material),
        "devices": devices(comparison),
        "tables": tables(material),
        "reasons": reasons(comparison),
        "where": lambda reason: where(comparison, reason),
        "further": further(material),
        "calls": calls(material),
        "memory": memory(material),
    }
