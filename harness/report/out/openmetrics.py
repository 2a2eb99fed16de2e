"""A run as OpenMetrics text, which Prometheus' textfile collector and Pushgateway take: gauges in base units."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime

from harness.records import Absent
from harness.report.material import Material
from harness.report.out.exported import Exported, exported, labels_of
from harness.report.out.exported import left_out as left_out

PREFIX = "edge_harness"
BASE_UNITS = {  # unit of a metric → the base unit that OpenMetrics wants, and how many of it one is
    "us": ("seconds", 1e-6),
    "ms": ("seconds", 1e-3),
    "ns": ("seconds", 1e-9),
    "bytes": ("bytes", 1),
    "fraction": ("ratio", 1),
    "ratio": ("ratio", 1),
    "probability": ("ratio", 1),
    "%": ("ratio", 0.01),
    "pp": ("ratio", 0.01),
    "bits": ("bits", 1),
    "dB": ("decibels", 1),
}  # of any other, such as a count or a score, there is none
Sample = tuple[Mapping[str, str], float]


def render(material: Material) -> str:
    """Return the text: a family a metric and end of its interval, then how each row ended and what the verdict says."""
    experiment = {"experiment": material.comparison.run.experiment}
    families: dict[tuple[str, str], list[Sample]] = defaultdict(list)
    for each in exported(material):
        for end, value in each.figures.items():
            name, unit, factor = family_of(each, end)
            families[name, unit].append((experiment | each.labels, value * factor))
    for row in material.rows:
        told = experiment | labels_of(row.case) | {"status": row.standing.status}
        families[f"{PREFIX}_row_ok", ""].append((told, float(row.standing.status == "ok")))
    for (name, unit), value, labels in of_run(material):
        families[name, unit].append((experiment | labels, value))
    text = (line for (name, unit), samples in families.items() for line in lines(name, unit, samples))
    return "".join(text) + "# EOF\n"


def family_of(each: Exported, end: str) -> tuple[str, str, float]:
    """Return the family's name, which ends with its unit, the unit, and how many of it the metric's unit is."""
    unit, factor = BASE_UNITS.get(each.change.unit, ("", 1))
    metric = re.sub(r"\W", "_", each.change.metric, flags=re.ASCII)
    parts = (PREFIX, metric.removesuffix(f"_{unit}"), end, unit)
    return "_".join(part for part in parts if part), unit, factor


def of_run(material: Material) -> Iterator[tuple[tuple[str, str], float, dict[str, str]]]:
    """Yield which run it is, when it was begun, and whether its verdict passes; what is not known is left out.

    The id stands here alone: a label of every figure would begin new series with every run.
    """
    run = material.comparison.run
    yield (f"{PREFIX}_run_info", ""), 1.0, {"run_id": run.run_id, "plan": run.plan.profile}
    if created := run.provenance.created:
        yield (f"{PREFIX}_created_timestamp_seconds", "seconds"), datetime.fromisoformat(created).timestamp(), {}
    if not isinstance(material.verdict, Absent):
        yield (f"{PREFIX}_verdict_pass", ""), float(material.verdict.outcome == "pass"), {}


def lines(name: str, unit: str, samples: list[Sample]) -> Iterator[str]:
    yield f"# TYPE {name} gauge\n"
    if unit:
        yield f"# UNIT {name} {unit}\n"
    for labels, value in samples:
        told = ",".join(f'{key}="{escaped(text)}"' for key, text in labels.items())
        yield f"{name}{{{told}}} {value!r}\n"


def escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
