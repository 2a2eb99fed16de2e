"""Sentences about what is faster, and about what a runtime or a device changes in the answers of the same file."""

from __future__ import annotations

from itertools import combinations

from harness.records import Case, Comparison
from harness.report.material import classifies
from harness.report.phrases import place, span
from harness.report.rows import Row
from harness.report.units import decimals, listed, plural


def speeds(shown: tuple[Row, ...]) -> list[str]:
    """Faster or slower than float32, only where the interval leaves 1 out."""
    places: dict[str, list[Row]] = {}
    for row in shown:
        if row.claims_latency and row.case.variant != "float32" and row.interval("speedup_vs_float32"):
            places.setdefault(place(row, threads=True), []).append(row)
    return [_speed_at(where, group) for where, group in places.items()]


def _speed_at(where: str, group: list[Row]) -> str:
    faster = [r for r in group if (r.interval("speedup_vs_float32") or (0, 0))[0] > 1]
    slower = [r for r in group if (r.interval("speedup_vs_float32") or (2, 2))[1] < 1]
    same = [r.case.variant for r in group if r not in faster and r not in slower]
    parts = []
    if faster:
        parts.append(listed([_ratio(r, inverse=False) for r in faster]))
    if slower:
        parts.append(listed([_ratio(r, inverse=True) for r in slower]))
    if same:
        parts.append(f"no difference is shown for {listed(same)}")
    return f"With {where}, against float32: {'; '.join(parts)}."


def _ratio(row: Row, inverse: bool) -> str:
    value, (low, high) = row.value("speedup_vs_float32") or 1.0, row.interval("speedup_vs_float32") or (1.0, 1.0)
    if inverse:
        value, low, high = 1 / value, 1 / high, 1 / low
    said = f"takes {decimals(value, 2)}× the time" if inverse else f"is {decimals(value, 2)}× as fast"
    return f"{row.case.variant} {said} (95 % {decimals(low, 2)} to {decimals(high, 2)})"


def engines(shown: tuple[Row, ...]) -> list[str]:
    """Which runtime is faster on a target: for variants whose p50 intervals do not touch."""
    pairs: dict[tuple[str, str, str], list[tuple[Row, Row]]] = {}
    usable = [r for r in shown if r.claims_latency and r.interval("latency_p50")]
    for one, two in combinations(usable, 2):
        same = (one.case.variant, one.case.target, one.case.threads) == (
            two.case.variant,
            two.case.target,
            two.case.threads,
        )
        if same and one.case.runtime != two.case.runtime:
            pairs.setdefault((one.case.target, one.case.runtime, two.case.runtime), []).append((one, two))
    return [_faster(key, found) for key, found in pairs.items()]


def _faster(key: tuple[str, str, str], found: list[tuple[Row, Row]]) -> str:
    target, first, second = key
    wins: dict[str, list[float]] = {first: [], second: []}
    for one, two in found:
        (low, high), (low2, high2) = one.interval("latency_p50") or (0, 0), two.interval("latency_p50") or (0, 0)
        if high < low2 or high2 < low:
            fast, slow = (one, two) if high < low2 else (two, one)
            wins[fast.case.runtime].append((slow.value("latency_p50") or 0) / (fast.value("latency_p50") or 1))
    told = [
        f"{name} is faster than {first if name == second else second} for {len(ratios)} of {plural(len(found), 'row')} "
        f"that both ran (p50 {span('{}', ratios, _two)}× apart, 95 % intervals that do not touch)"
        for name, ratios in wins.items()
        if ratios
    ]
    return (
        f"On {target} {'; '.join(told) if told else f'no difference in speed is shown between {first} and {second}'}."
    )


def _two(ratio: float) -> str:
    return decimals(ratio, 2)


def disagreements(comparison: Comparison) -> list[str]:
    """The same file in two places: what runtime and architecture change, apart from quantisation."""
    if not classifies(comparison.run):
        return []
    suspect = {s.case for s in comparison.standings if s.status == "suspect"}
    cases = [c for c in comparison.outputs if c not in suspect]
    pairs = [(a, b) for a, b in combinations(cases, 2) if a.variant == b.variant and _one_apart(a, b)]
    told = {pair: _differing(comparison, *pair) for pair in pairs}
    worst = sorted((pair for pair in pairs if told[pair]), key=lambda p: -told[p])
    if not worst:
        return ["The same file gives the same answers wherever it ran."] if pairs else []
    text = "; ".join(f"{a.variant} on {plural(told[a, b], 'sample')} between {_between(a, b)}" for a, b in worst[:4])
    more = f"; and fewer in {plural(len(worst) - 4, 'more pair')}" if len(worst) > 4 else ""
    return [f"The same file gives different answers: {text}{more}."]


def _one_apart(one: Case, two: Case) -> bool:
    """Same target or same runtime: a pair that differs in both tells nothing of either."""
    return one.target == two.target or one.runtime == two.runtime


def _differing(comparison: Comparison, one: Case, two: Case) -> int:
    return int((comparison.outputs[one][0].argmax(1) != comparison.outputs[two][0].argmax(1)).sum())


def _between(one: Case, two: Case) -> str:
    if one.target == two.target:
        return f"{one.runtime} and {two.runtime} on {one.target}"
    return f"{one.target} and {two.target} with {one.runtime}"
