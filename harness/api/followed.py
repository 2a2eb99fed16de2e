"""A trend as Python and notebooks show it."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from harness.api.inline import paragraph

if TYPE_CHECKING:
    import pandas as pd

    from harness.compare.over_runs import Series
    from harness.compare.over_runs import Trend as Found


class Trend:
    """How each metric went over the runs of one experiment. found: the series, for programs that need more."""

    def __init__(self, found: Found) -> None:
        self.found = found

    @property
    def rows(self) -> list[dict[str, Any]]:
        """One a metric and run, the oldest first, as `harness trend --json` prints them. level: counts up where the
        level is shown to have changed; None where too few runs tell. reason: why there is no value.
        """
        return [row for series in self.found.series for row in rows(series)]

    @cached_property
    def frame(self) -> pd.DataFrame:
        """The rows as a DataFrame; NaN where a number could not be had."""
        import pandas as pd

        return pd.DataFrame(self.rows)

    @property
    def markdown(self) -> str:
        """For a pull request: what changed first, then every series."""
        from harness.report.out.trend_markdown import render

        return render(self.found)

    def __str__(self) -> str:
        from harness.report.words.trend_words import notes, since_when

        return "\n".join([*map(since_when, self.found.changed), *notes(self.found)])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return "".join(map(paragraph, str(self).splitlines()))


def rows(series: Series) -> list[dict[str, Any]]:
    key = {
        "variant": series.case.variant,
        "target": series.case.target,
        "runtime": series.case.runtime,
        "threads": series.case.threads,
        "metric": series.metric,
        "output": series.output,
        "unit": series.unit,
    }
    told = []
    for index, point in enumerate(series.points):
        level = None if series.untold else sum(index >= since for since in series.since)
        own = {"run_id": point.run_id, "created": point.created, "value": point.value, "low": point.low}
        told.append(key | own | {"high": point.high, "level": level, "reason": ""})
    empty = {"created": "", "value": None, "low": None, "high": None, "level": None}
    told += [key | {"run_id": one.run_id} | empty | {"reason": one.reason} for one in series.gaps]
    return sorted(told, key=lambda row: row["run_id"])
