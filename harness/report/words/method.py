"""How the figures of a report are made, term by term: the words stand in the page's template."""

from __future__ import annotations

from dataclasses import dataclass

from harness.metrics.task_table import OF_CLASSES
from harness.report.material import Material
from harness.report.part import Block, Part
from harness.statistics.clustered import group_words


@dataclass(frozen=True)
class Method(Block):
    """metric: the first one's title. has_…: which columns and samples the page has, to be explained."""

    kind = "method"
    metric: str
    has_change: bool
    has_drop: bool
    has_flips: bool
    groups: str  # those of the test samples, in words; "" where all are independent
    until_decided: bool


def method(material: Material) -> Part:
    run = material.comparison.run
    has_flips = run.task in OF_CLASSES and run.test_count > 0
    groups = "" if run.groups is None else group_words(run.groups)
    columns = (material.primary.title, material.has_change, run.task == "classification", has_flips)
    block = Method(*columns, groups, run.plan.until_decided)
    return Part("", (block,))
