"""Two stored runs → what improved, regressed or stayed similar, case by case, and what cannot be compared, and why.

Each run is one session. What rests on rounds has "changed" between the two, for better or worse: whether the model did
or the session, two sessions cannot tell. Accuracy is paired by sample, size is exact; latency and memory are compared
by the rounds of both, where the fingerprint allows it. Sessions differ among themselves by more than their rounds
show, and two cannot tell by how much: each such Change says so, and a gate wants five (measurement.md, section 1).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from harness.compare.baseline import compare
from harness.compare.early import stopped
from harness.compare.fingerprint import REFUSE, Difference, differences, refusal, sample_difference
from harness.metrics import METRICS, Metric
from harness.metrics.discrepancy import discordant
from harness.metrics.fitting import primary_of
from harness.metrics.latency import percent
from harness.metrics.registry import in_order, is_of_answers
from harness.metrics.scores import metric_named
from harness.metrics.scoring import CONFIDENCE, Scorer, difference_of, limits_of
from harness.metrics.two_stage import first_of
from harness.metrics.typical import TwoSessions, Typical
from harness.records import Absent, Case, Change, Comparison, Round, Run
from harness.records.terms import ChangeKind, Compared
from harness.statistics import stats
from harness.statistics.bootstrap import Statistic
from harness.statistics.clustered import drop_limits

LARGE_ENOUGH = 1.03  # a real ratio counts beyond it; "real and large enough" is asv's rule (its compare.py, --factor)
MOVED = "_change"
CAVEAT = "2 sessions: session-to-session variance is not in this interval"


@dataclass(frozen=True)
class Both:
    """One case in the reference and in the candidate."""

    reference: Comparison
    candidate: Comparison
    case: Case

    scorers: tuple[Scorer, Scorer]

    @property
    def sides(self) -> tuple[tuple[str, Comparison], ...]:
        return ("reference", self.reference), ("candidate", self.candidate)

    @cached_property
    def rounds(self) -> tuple[list[Round], list[Round]]:
        """The usable rounds of each side."""
        return self.reference.run.usable_rounds(self.case), self.candidate.run.usable_rounds(self.case)

    def firsts(self, *indices: Iterable[int]) -> tuple[int | None, int | None]:
        """Returns how many of these rounds of each side are of its first stage, as stats.half_width takes it."""
        one, other = (first_of(side.run.plan.first_stage, i) for (_, side), i in zip(self.sides, indices, strict=True))
        return one, other

    @cached_property
    def answers(self) -> tuple[np.ndarray, np.ndarray]:
        """The samples of each side, in the order of the test set; all thread counts share them."""
        reference, candidate = (side.samples[side.run.accuracy_case(self.case)] for _, side in self.sides)
        return reference, candidate

    @property
    def scores(self) -> tuple[np.ndarray, np.ndarray]:
        """The scored outputs of each side, (samples, …)."""
        reference, candidate = (side.scores[side.run.accuracy_case(self.case)] for _, side in self.sides)
        return reference, candidate

    def statistic(self, metric: Metric, side: int) -> Statistic:
        """Returns the metric of the case's answers. Raises Absent."""
        comparison, scorer = self.sides[side][1], self.scorers[side]
        outputs = comparison.outputs.get(comparison.run.accuracy_case(self.case))
        if outputs is None:
            raise Absent(f"{self.case.variant} has no answers there")
        return scorer.statistic(metric, outputs[scorer.index], outputs)

    @cached_property
    def round_differences(self) -> tuple[Difference, ...]:
        """Where the two sides' rounds cannot be compared:
        by the fingerprint, too few rounds, a case that ended badly.
        """
        fingerprint = differences(self.reference.run, self.candidate.run, self.case)
        return (*fingerprint, *too_few(self), *ended_badly(self))

    @cached_property
    def sample_differences(self) -> tuple[Difference, ...]:
        difference = sample_difference(self.reference.run, self.candidate.run, self.case)
        return (difference,) if difference else ()


@dataclass(frozen=True)
class Pair:
    """What changed in one case, and where the two runs are not known to be alike in what that rests on."""

    case: Case
    changes: tuple[Change, ...]
    differences: tuple[Difference, ...]


@dataclass(frozen=True)
class TwoRuns:
    """Two runs side by side: the cases of the reference, then those that only the candidate has."""

    reference: Comparison
    candidate: Comparison
    pairs: tuple[Pair, ...]
    heads: dict[str, TwoRuns] = field(default_factory=dict)  # name → the same of an output beside the scored one

    @property
    def unshared(self) -> tuple[str, ...]:
        """Returns, in words, which outputs only one of the two runs compares with its baseline, beside the scored."""
        sides = (("reference", self.reference, self.candidate), ("candidate", self.candidate, self.reference))
        return tuple(
            f"output {name} is not compared: it is not among the {whose}'s beside the scored one"
            for whose, side, other in sides
            for name in other.heads
            if name not in side.heads
        )

    def output_of(self, change: Change) -> str:
        """Returns the output that a change is of; "" where there is one output, or it is of the whole model."""
        run = self.candidate.run
        return run.scored_output if len(run.outputs) > 1 and is_of_answers(change.metric) else ""

    @property
    def changes(self) -> tuple[Change, ...]:
        return tuple(change for pair in self.pairs for change in pair.changes)

    def values(self, change: Change) -> tuple[float | None, float | None]:
        """Returns what each run itself says, in the unit that METRICS names:
        of an accuracy drop, the two accuracies.
        """
        name = own_metric(change)
        before, after = self.reference.change(change.case, name), self.candidate.change(change.case, name)
        return before.value if before else None, after.value if after else None

    def own_unit(self, change: Change) -> str:
        name = own_metric(change)
        return METRICS[name].unit if name in METRICS else change.unit if name else ""


def own_metric(change: Change) -> str:
    """Returns the metric of each run that stands beside a change of this one; "" for none."""
    metric = METRICS.get(change.metric)
    if metric is None:
        return change.metric.removesuffix(MOVED)
    return "" if metric.compared == "flips" else metric.fall_of or metric.name


def compare_runs(reference: Run, candidate: Run) -> TwoRuns:
    """Compares every case of either run: the same variant, target, runtime and thread count make a pair. Outputs beside
    the scored one are compared by their own labels, or by what needs none.
    """
    one, other = compare(reference), compare(candidate)
    heads = {
        name: compare_outputs(one.heads[name], head, metrics_of_head(head.run))
        for name, head in other.heads.items()
        if name in one.heads
    }
    return replace(compare_outputs(one, other, metrics_of(candidate)), heads=heads)


def compare_outputs(one: Comparison, other: Comparison, metrics: Sequence[Metric]) -> TwoRuns:
    """Compares every case by its scored output."""
    cases = dict.fromkeys((*one.run.cases, *other.run.cases))
    scorers = Scorer(one.run), Scorer(other.run)
    return TwoRuns(one, other, tuple(pair(Both(one, other, case, scorers), metrics) for case in cases))


def pair(both: Both, metrics: Sequence[Metric]) -> Pair:
    changes: list[Change] = []
    every: list[Difference] = []
    for metric in metrics:
        change, diffs = change_of(metric, both)
        changes.append(change)
        every += diffs
    return Pair(both.case, tuple(changes), tuple(dict.fromkeys(every)))


def change_of(metric: Metric, both: Both) -> tuple[Change, tuple[Difference, ...]]:
    """Compares one metric: missing where a side has no value, not_comparable where the two rest on different things."""
    way = WAYS[metric.compared]
    name = metric.name + MOVED if metric.compared == "samples" else metric.name
    blank = Change(both.case, name, way.unit or metric.unit, metric.better, "reference", None, None)
    if reason := missing(both, metric.fall_of or metric.name) or cut_short(metric, both):
        return replace(blank, kind="missing", method=reason), ()
    diffs = way.differences(both)
    if reason := refusal(diffs):
        return replace(blank, kind="not_comparable", method=reason), diffs
    try:
        return way.change(metric, both, blank), diffs
    except Absent as absent:
        return replace(blank, kind="missing", method=absent.reason), diffs


def missing(both: Both, metric: str) -> str:
    """Returns which side has no value and why, or ""."""
    for name, side in both.sides:
        if (change := side.change(both.case, metric)) is None:
            return f"the {name} has no such {'metric' if side.standing(both.case) else 'case'}"
        if change.value is None or not math.isfinite(change.value):
            standing = side.standing(both.case)
            ended_badly = standing and not standing.ended_well
            return f"the {name} has none: {standing.reason if standing and ended_badly else change.method}"
    return ""


def cut_short(metric: Metric, both: Both) -> str:
    """Returns which side answered only a part of the test set, where the metric is of all of it; "" for neither."""
    found = ((name, side.early.get(both.case)) for name, side in both.sides if is_of_answers(metric.name))
    return next((f"in the {name} the row {stopped(part.run)}" for name, part in found if part), "")


def too_few(both: Both) -> Iterator[Difference]:
    counts = [len(rounds) for rounds in both.rounds]
    if min(counts) < stats.CLAIM_ROUNDS:
        yield Difference(f"under {stats.CLAIM_ROUNDS} rounds", REFUSE, str(counts[0]), str(counts[1]))


def ended_badly(both: Both) -> Iterator[Difference]:
    ends = [end for _, side in both.sides if (end := side.standing(both.case))]
    if not all(end.ended_well for end in ends):
        texts = [f"{end.status} ({end.reason})" if end.reason else end.status for end in ends]
        yield Difference("status", REFUSE, texts[0], texts[1])


# --- how each metric is compared -----------------------------------------------------------------------------------


def drop(metric: Metric, both: Both, blank: Change) -> Change:
    """Compares accuracy:
    (b − c)/n in percentage points, b samples right in the reference and wrong in the candidate, c the reverse.
    """
    before, after = (rows["correct"] for rows in both.answers)
    (lost, won), n = discordant(before, after), len(before)
    limits, words = drop_limits(before, after, both.candidate.run.groups)
    kind = kind_of_loss(limits.low, limits.high)
    value, low, high = (100 * share for share in ((lost - won) / n, limits.low, limits.high))
    method = f"{words} 90 %, b={lost} c={won} n={n}"
    return replace(blank, baseline=0.0, value=value, low=low, high=high, method=method, kind=kind)


def flips(metric: Metric, both: Both, blank: Change) -> Change:
    """Counts flips. They are shown, not judged: a flip may be for the better."""
    before, after = both.scores
    scorer = both.scorers[1]
    changed, kinds = scorer.flips(after, before), scorer.kind.flips
    assert kinds
    flips, n = int(changed.sum()), len(changed)
    what = kinds.words.format("the reference")
    return replace(blank, baseline=0.0, value=flips / n, method=f"{what}, {flips} of {n}")


def exact(metric: Metric, both: Both, blank: Change) -> Change:
    """Compares a value that has no spread: the file's size."""
    before, after = (side.change(both.case, metric.name) for _, side in both.sides)
    assert before and after  # change_of has looked
    one, other = float(before.value or 0), float(after.value or 0)
    loss = metric_sign(metric) * (other - one)
    return replace(blank, baseline=one, value=other, method=f"{after.method}, exact", kind=kind_of_loss(loss, loss))


def by_rounds(metric: Metric, both: Both, blank: Change) -> Change:
    """Compares the rounds by the ratio candidate / reference of their typical ones; less is better."""
    assert metric.of_round
    by_index = [{r.index: v for r in rounds if (v := metric.of_round(r)) is not None} for rounds in both.rounds]
    one, other = ([*values.values()] for values in by_index)
    if min(len(one), len(other)) < 2 or min(*one, *other) <= 0:
        raise Absent("some rounds are at or under zero: there is no ratio")
    firsts = both.firsts(*by_index)
    sides = TwoSessions(*map(Typical.of, (one, other), firsts))
    if (limits := sides.limits()) is None:
        raise Absent(f"too few rounds for {sides.words()}")
    kind = kind_of_ratio(sides.ratio, limits)
    known = kind == "similar" and sides.well_behaved
    unseen = percent(stats.smallest_welch_effect(one, other, firsts)) if known else None
    method = f"95 %, {sides.words()}; {CAVEAT}"
    change = replace(blank, baseline=1.0, value=sides.ratio, low=limits.low, high=limits.high, method=method)
    return replace(change, kind=kind, smallest_percent=unseen)


def by_samples(metric: Metric, both: Both, blank: Change) -> Change:
    """Compares the answers by candidate − reference over the same samples."""
    before, after = (both.statistic(metric, n) for n in (0, 1))
    difference = difference_of(after, before)
    change = replace(blank, baseline=0.0, value=difference.value)
    try:
        limits = limits_of(difference, CONFIDENCE)
    except Absent as absent:
        return replace(change, kind="similar" if difference.value == 0 else "unknown", method=absent.reason)
    low, high = sorted((metric_sign(metric) * limits.low, metric_sign(metric) * limits.high))
    method = f"paired by sample; {difference.words(CONFIDENCE)}"
    kind = kind_of_loss(low, high)
    if kind == "similar" and difference.doubt and difference.value:
        kind, method = "unknown", f"{method}; {difference.doubt}"
    return replace(change, low=limits.low, high=limits.high, method=method, kind=kind)


def metric_sign(metric: Metric) -> int:
    """Returns 1 where more is worse, −1 where less is."""
    return 1 if metric.better == "lower" else -1


def kind_of_loss(low: float, high: float) -> ChangeKind:
    """Says what the limits of a loss mean: more than 0 is worse."""
    return "regressed" if low > 0 else "improved" if high < 0 else "similar"


def kind_of_ratio(ratio: float, limits: stats.Interval) -> ChangeKind:
    """Says what a ratio of two sessions means. A change counts when it is real (1 is outside) and large enough."""
    more, less = limits.low > 1 and ratio > LARGE_ENOUGH, limits.high < 1 and ratio < 1 / LARGE_ENOUGH
    return "changed" if more or less else "similar"


@dataclass(frozen=True)
class Way:
    """How a metric of two runs is compared."""

    unit: str  # of the change; "" for the metric's own
    differences: Callable[[Both], tuple[Difference, ...]]  # in what the comparison rests on
    change: Callable[[Metric, Both, Change], Change]
    false_share: float = 0.0  # of the comparisons in which nothing changed, how many say that something did


WAYS: dict[Compared, Way] = {
    "drop": Way("pp", lambda both: both.sample_differences, drop, 0.10),
    "flips": Way("fraction", lambda both: both.sample_differences, flips),
    "exact": Way("", lambda both: (), exact),
    "rounds": Way("ratio", lambda both: both.round_differences, by_rounds, 0.05),
    "samples": Way("", lambda both: both.sample_differences, by_samples, 1 - CONFIDENCE),
}


def claims(changes: Iterable[Change]) -> tuple[int, float]:
    """Returns how many changes rest on an interval, and how many of them would say so if nothing had changed."""
    shares = [WAYS[way].false_share for change in changes if change.low is not None and (way := way_of(change))]
    return len(shares), sum(shares)


def way_of(change: Change) -> Compared:
    """Returns how the change was compared: a user's own metric, which METRICS does not have, by samples."""
    metric = METRICS.get(change.metric.removesuffix(MOVED))
    return "samples" if change.metric.endswith(MOVED) or metric is None else metric.compared


def metrics_of_head(run: Run) -> tuple[Metric, ...]:
    """Returns those of an output beside the scored one; run: as if it were the scored one."""
    labelled = run.labels is not None
    return tuple(m for m in metrics_of(run) if (m.about == "answers" if labelled else m.of_any_output))


def metrics_of(run: Run) -> tuple[Metric, ...]:
    """Returns the metrics that fit the run's task and can be compared, the primary metric first."""
    first = metric_named(primary_of(run.scoring, run.task), run.scoring)
    primary = (first,) if first and first.compared == "samples" else ()
    return (*primary, *(m for m in in_order() if m.compared not in ("", "samples") and run.task in m.tasks))
