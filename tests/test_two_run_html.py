"""Two runs on a page: no change is lost, whatever the metrics are called."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from harness.compare.two_runs import compare_runs
from harness.metrics import METRICS
from harness.records import Scoring
from harness.report.out.two_run_html import contents, found_of
from tests.made_answers import dropped


def test_metrics_of_one_title_have_a_line_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """The accuracy fell, and the balanced accuracy, which has its title here, fell with it."""
    monkeypatch.setitem(METRICS, "balanced_accuracy", replace(METRICS["balanced_accuracy"], title="Accuracy"))
    before, after = (replace(dropped(lost, 0, 400), scoring=Scoring("balanced_accuracy")) for lost in (0, 60))
    both = compare_runs(before, after)
    assert len(found_of(both)) == len(both.changes)
    summary = next(iter(contents([both])))
    (table,) = summary.parts[0].blocks[0].tables  # type: ignore[attr-defined]
    place = [heading.title for heading in table.headings].index("Metric")
    assert Counter(line.cells[place].text for line in table.lines) == {"Accuracy": 2}
    assert {line.cells[-1].text for line in table.lines} == {"regressed"}
