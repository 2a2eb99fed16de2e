"""Sentences about what is faster, and what a runtime or a device changes in the answers of the same file."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

from harness.compare.rows import Row
from harness.metrics.detection_rows import other_objects
from harness.metrics.discrepancy import largest_distance
from harness.metrics.latency import Paired, pair_rounds
from harness.metrics.registry import Answers, medians_ns
from harness.metrics.task import row_by_row
from harness.metrics.task_table import OF_CLASSES, Differ
from harness.metrics.transcription import words_differ
from harness.records import CONTROL, Case, Comparison
from harness.records.terms import Task
from harness.report.words.phrases import aside, place, span
from harness.statistics.stats import CLAIM_ROUNDS
from harness.support.format import decimals, listed, plural, significant, with_limits

MOST_PAIRED = 3  # runtimes that are all held against each other: five would be ten sentences
# Which samples have other answers, where a distance between arrays says nothing: of code points, of rows of boxes.
COUNTED: dict[Task, Differ] = {"transcription": words_differ, "detection": other_objects}


def speeds(shown: tuple[Row, ...]) -> list[str]:
    """Say what is faster or slower than float32, only where the interval excludes 1."""
    places: dict[str, list[Row]] = {}
    for row in shown:
        if row.claims_latency and row.case.variant != CONTROL and row.interval("speedup_vs_float32"):
            places.setdefault(place(row, threads=True), []).append(row)
    return [speed_at(where, group) for where, group in places.items()]


def speed_at(where: str, group: list[Row]) -> str:
    faster = [r for r in group if (r.interval("speedup_vs_float32") or (0, 0))[0] > 1]
    slower = [r for r in group if (r.interval("speedup_vs_float32") or (2, 2))[1] < 1]
    same = [variant_text(r) for r in group if r not in faster and r not in slower]
    parts = []
    if faster:
        parts.append(listed([ratio_text(r, inverse=False) for r in faster]))
    if slower:
        parts.append(listed([ratio_text(r, inverse=True) for r in slower]))
    if same:
        parts.append(f"no difference is shown for {listed(same)}")
    return f"In this session, with {where}, against float32: {'; '.join(parts)}."


def variant_text(row: Row) -> str:
    """Name the variant, and how large a difference these rounds would have found."""
    return with_smallest(row, row.value("smallest_detectable_effect"))


def with_smallest(row: Row, percent: float | None) -> str:
    return row.case.variant + (f" ({smallest_text(percent)})" if percent is not None else "")


def smallest_text(percent: float) -> str:
    return f"one of {significant(percent, 2)} % would be found about four times in five"


def ratio_text(row: Row, inverse: bool) -> str:
    value, (low, high) = row.value("speedup_vs_float32") or 1.0, row.interval("speedup_vs_float32") or (1.0, 1.0)
    if inverse:
        value, low, high = 1 / value, 1 / high, 1 / low
    places = next((n for n in (2, 3, 4) if decimals(low, n) != decimals(1, n)), 5)  # an end over 1 reads so
    ratio, *ends = with_limits(lambda each, more=0: decimals(each, places + more), value, low, high)
    relation = f"takes {ratio}× the time" if inverse else f"is {ratio}× as fast"
    return f"{row.case.variant} {relation} (95 % {ends[0]} to {ends[1]})"


def engines(comparison: Comparison, shown: tuple[Row, ...]) -> list[str]:
    """Say which runtime is faster on a target: the same file with both, paired by round, as in a speed-up."""
    return [faster_runtime(key, ratios) for key, ratios in runtime_pairs(comparison, shown).items()]


def runtime_pairs(
    comparison: Comparison, shown: tuple[Row, ...]
) -> dict[tuple[str, str, str], list[tuple[Row, Paired]]]:
    """Pair the rows of the same file with two runtimes: target and runtimes → the first's row, the second's time. Of
    more than MOST_PAIRED runtimes each is paired with the run's first alone.
    """
    runtimes = list(dict.fromkeys(case.runtime for case in comparison.run.cases))
    paired = runtimes if len(runtimes) <= MOST_PAIRED else runtimes[:1]
    pairs: dict[tuple[str, str, str], list[tuple[Row, Paired]]] = {}
    medians = {r.case: medians_of(comparison, r.case) for r in shown if r.claims_latency}
    for one, two in combinations([r for r in shown if r.case in medians], 2):
        if one.case.runtime in paired and replace(two.case, runtime=one.case.runtime) == one.case:
            ratio = pair_rounds(medians[one.case], medians[two.case], comparison.run.plan.first_stage)
            if ratio and ratio.rounds >= CLAIM_ROUNDS:
                pairs.setdefault((one.case.target, one.case.runtime, two.case.runtime), []).append((one, ratio))
    return pairs


def medians_of(comparison: Comparison, case: Case) -> dict[int, float]:
    return medians_ns(r for r in comparison.run.rounds if r.case == case)


def faster_runtime(key: tuple[str, str, str], pairs: list[tuple[Row, Paired]]) -> str:
    """pairs: a row with the first runtime, and the second's time over the first's."""
    target, first, second = key
    wins = {first: [p.ratio for _, p in pairs if p.limits.low > 1]}
    wins[second] = [1 / p.ratio for _, p in pairs if p.limits.high < 1]
    parts = [
        f"{name} is faster than {first if name == second else second} for {len(ratios)} of {plural(len(pairs), 'row')} "
        f"that both ran ({span('{}', ratios, two_decimals)}× as fast, each 95 % interval above 1)"
        for name, ratios in wins.items()
        if ratios
    ]
    same = [with_smallest(r, p.smallest_percent) for r, p in pairs if p.limits.low <= 1 <= p.limits.high]
    if same:
        parts.append(f"no difference between {first} and {second} is shown for {listed(same)}")
    return f"In this session, on {target}, {'; '.join(parts)}."


def two_decimals(ratio: float) -> str:
    return decimals(ratio, 2)


def disagreements(comparison: Comparison, shown: tuple[Row, ...]) -> list[str]:
    """Compare the same file in two places: what runtime and architecture change, apart from quantisation."""
    suspect = {s.case for s in comparison.standings if s.status == "suspect"}
    cases = [c for c in comparison.outputs if c not in suspect]
    pairs = [(a, b) for a, b in combinations(cases, 2) if a.variant == b.variant and differ_in_one(a, b)]
    if comparison.run.task not in (*OF_CLASSES, *COUNTED):
        return number_disagreements(comparison, pairs, aside(shown))
    counts = {pair: count_differing(comparison, *pair) for pair in pairs}
    worst = sorted((pair for pair in pairs if counts[pair]), key=lambda p: -counts[p])
    if not worst:
        return [f"The same file gives the same answers wherever it ran{aside(shown)}."] if pairs else []
    text = "; ".join(
        f"{a.variant} on {plural(counts[a, b], 'sample')} between {between_places(a, b)}" for a, b in worst[:4]
    )
    more = f"; and fewer in {plural(len(worst) - 4, 'more pair')}" if len(worst) > 4 else ""
    return [f"The same file gives different answers: {text}{more}."]


def number_disagreements(comparison: Comparison, pairs: list[tuple[Case, Case]], left_out: str) -> list[str]:
    """Compare the same file in two places where outputs are numbers."""
    scores = comparison.scores
    distances = {(a, b): float(row_by_row(largest_distance, scores[a], scores[b]).max()) for a, b in pairs}
    worst = max(distances, key=lambda pair: distances[pair], default=None)
    if worst is None:
        return []
    if not distances[worst]:
        return [f"The same file gives the same numbers wherever it ran{left_out}."]
    far = significant(distances[worst], 2)
    return [f"The same file's numbers differ by up to {far}: {worst[0].variant} between {between_places(*worst)}."]


def differ_in_one(one: Case, two: Case) -> bool:
    """Say whether target or runtime is the same: a pair that differs in both says nothing about either."""
    return one.target == two.target or one.runtime == two.runtime


def count_differing(comparison: Comparison, one: Case, two: Case) -> int:
    task, scoring = comparison.run.task, comparison.run.scoring
    if task in COUNTED:
        answers = Answers(None, comparison.scores[two], comparison.scores[one])
        least = scoring.detection.answer_score if scoring.detection else answers.answer_score
        return int(COUNTED[task](replace(answers, answer_score=least)).sum())
    first, second = (comparison.samples[case]["prediction"] for case in (one, two))
    return int((first != second).sum())


def between_places(one: Case, two: Case) -> str:
    if one.target == two.target:
        return f"{one.runtime} and {two.runtime} on {one.target}"
    return f"{one.target} and {two.target} with {one.runtime}"
