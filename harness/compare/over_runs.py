"""Several runs of one experiment → how each metric went from run to run, and since which run its level is another.

Every run stands against the newest one: what cannot be compared with that, by its test set or by its device, is left
out of the series with the reason. Where a level changed says nothing of why: the model, the machine or the session.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from harness.compare.baseline import compare
from harness.compare.fingerprint import differences, refusal, sample_difference
from harness.metrics import METRICS
from harness.metrics.fitting import primary_of
from harness.metrics.registry import is_of_answers
from harness.records import Absent, Case, Comparison, Run
from harness.statistics.change_points import FALSE_ALARMS, change_points
from harness.support.format import is_known

BESIDE_THE_PRIMARY = ("latency_p50", "size_bytes", "model_rss")  # what is shown where no metric is asked for


@dataclass(frozen=True)
class Point:
    """What one run says. low, high: the limits of its value, where it has some. created: ISO 8601, UTC."""

    run_id: str
    created: str
    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Gap:
    """A run that says nothing here, and why."""

    run_id: str
    reason: str


@dataclass(frozen=True)
class Series:
    """One metric of one case over the runs, the oldest first. output: whose answers; "" of the file and of rounds.

    since: the points at which a new level begins, by index; () where none is shown. untold: why none can be.
    """

    case: Case
    metric: str
    output: str
    unit: str
    points: tuple[Point, ...]
    gaps: tuple[Gap, ...]
    since: tuple[int, ...] = ()
    untold: str = ""

    @property
    def values(self) -> list[float]:
        return [point.value for point in self.points]


@dataclass(frozen=True)
class Trend:
    """The series of one experiment, in the order of the newest run's rows. runs: their ids, the oldest first."""

    experiment: str
    runs: tuple[str, ...]
    series: tuple[Series, ...]

    @property
    def changed(self) -> tuple[Series, ...]:
        return tuple(series for series in self.series if series.since)

    @property
    def false_alarms(self) -> float:
        """How many series would say that they changed, if none had: at most."""
        return FALSE_ALARMS * sum(not series.untold for series in self.series)


Said = dict[tuple[Case, str, str], Point | Gap]  # what a run says of each metric


def trend(runs: Iterable[Run], metrics: Sequence[str] = ()) -> Trend:
    """Follows each metric over the runs. runs: of one experiment, the newest first; one at a time is in memory.

    metrics: names; none for the primary metric, latency p50, size and memory. Raises ValueError without a run.
    """
    every = iter(runs)
    newest = next(every, None)
    if newest is None:
        raise ValueError("a trend is of at least one run")
    wanted = list(asked(compare(newest), metrics))
    told = {newest.run_id: said_by(newest, newest, wanted)}
    told |= {run.run_id: said_by(run, newest, wanted) for run in every}
    oldest_first = dict(reversed(told.items()))
    return Trend(newest.experiment, tuple(oldest_first), tuple(series(key, oldest_first) for key in wanted))


def asked(newest: Comparison, metrics: Sequence[str]) -> Iterator[tuple[Case, str, str]]:
    """Yields case, metric and output of each series."""
    shown: set[tuple[str, str]] = set()  # a file is the same in every row of its variant
    for standing in newest.standings:
        for output, side in newest.by_output.items():
            own = output if len(newest.run.outputs) > 1 else ""
            first = side is newest
            names = metrics or (primary_of(side.run.scoring, side.run.task), *BESIDE_THE_PRIMARY)
            for name in names:
                of_file = about(name) == "file"
                if (of_file and (standing.case.variant, name) in shown) or not (first or is_of_answers(name)):
                    continue
                if side.change(standing.case, name):
                    shown.add((standing.case.variant, name))
                    yield standing.case, name, own if is_of_answers(name) else ""


def said_by(run: Run, newest: Run, wanted: Sequence[tuple[Case, str, str]]) -> Said:
    comparison = compare(run)
    return {(case, name, output): point(comparison, newest, case, name, output) for case, name, output in wanted}


def point(comparison: Comparison, newest: Run, case: Case, metric: str, output: str) -> Point | Gap:
    """Returns what the run says of this metric, or why it cannot stand in a row with the newest."""
    run, side = comparison.run, comparison.by_output.get(output) if output else comparison
    if side is None:
        return Gap(run.run_id, f"it has no output {output}")
    if reason := REFUSALS[about(metric)](side.run, newest, case):
        return Gap(run.run_id, reason)
    change, standing = side.change(case, metric), side.standing(case)
    if change is None or not is_known(change.value):
        return Gap(run.run_id, (change.method if change else "") or "it has no such row")
    doubtful = standing and standing.status == "suspect" and is_of_answers(metric)
    if standing and (doubtful or not standing.ended_well):
        return Gap(run.run_id, f"{standing.status}: {standing.reason}")
    if case in comparison.early and is_of_answers(metric):
        return Gap(run.run_id, "it was asked only until the row was decided")
    return Point(run.run_id, run.provenance.created, change.value, change.low, change.high)


def about(metric: str) -> str:
    return METRICS[metric].about if metric in METRICS else "answers"


def other_samples(run: Run, newest: Run, case: Case) -> str:
    difference = sample_difference(newest, run, case)
    return str(difference) if difference else ""


def other_device(run: Run, newest: Run, case: Case) -> str:
    return refusal(differences(newest, run, case)) if case in run.cases else ""


REFUSALS: dict[str, Callable[[Run, Run, Case], str]] = {
    "answers": other_samples,
    "file": lambda run, newest, case: "",
    "latency": other_device,
    "process": other_device,
}


def series(key: tuple[Case, str, str], told: dict[str, Said]) -> Series:
    said = [of_run[key] for of_run in told.values()]
    points = tuple(one for one in said if isinstance(one, Point))
    gaps = tuple(one for one in said if isinstance(one, Gap))
    case, metric, output = key
    unit = METRICS[metric].unit if metric in METRICS else ""
    made = Series(case, metric, output, unit, points, gaps)
    try:
        return Series(case, metric, output, unit, points, gaps, change_points(made.values))
    except Absent as absent:
        return Series(case, metric, output, unit, points, gaps, untold=absent.reason)
