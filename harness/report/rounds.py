"""Which rounds count and which do not, in words: none is dropped silently, and reasons that say the same are one."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from harness.records import Case, Comparison, Round
from harness.report.units import listed, plural

NUMBER = re.compile(r"\d+(?:\.\d+)?")
TOLD = {
    "flagged": "flagged, and counted",
    "repeated": "measured again",
    "invalid": "invalid, and not counted",
    "failed": "failed",
}


@dataclass(frozen=True)
class Why:
    """One reason, in words that hold for all of these rounds; a round with two reasons stands under both."""

    target: str
    status: str
    text: str
    rounds: tuple[Round, ...]


def of_target(comparison: Comparison, target: str) -> list[Round]:
    """Its rounds in the order of time: by index, inside it as the device's clock tells, if it does."""
    found = [r for r in comparison.run.rounds if r.case.target == target]
    return sorted(found, key=lambda r: (r.index, r.started_s or 0.0, r.attempt, r.case))


def reasons(comparison: Comparison) -> tuple[Why, ...]:
    """Every reason of every round that is not valid, target by target, the worst status first."""
    return tuple(
        why
        for target in comparison.run.targets
        for status in reversed(TOLD)
        for why in _grouped(target.target.name, status, of_target(comparison, target.target.name))
    )


def _grouped(target: str, status: str, rounds: Sequence[Round]) -> list[Why]:
    groups: dict[str, list[tuple[str, Round]]] = {}
    for piece in rounds:
        if piece.status == status:
            for reason in piece.reasons or ("no reason is known",):
                groups.setdefault(NUMBER.sub("0", reason), []).append((reason, piece))
    found = [Why(target, status, merged([t for t, _ in g]), tuple(r for _, r in g)) for g in groups.values()]
    return sorted(found, key=lambda why: -len(why.rounds))


def merged(texts: Sequence[str]) -> str:
    """Texts that differ in their numbers alone as one, a range where they differ: "started at 61 to 64 °C"."""
    columns = iter(zip(*(NUMBER.findall(text) for text in texts), strict=True))
    return NUMBER.sub(lambda _: _range(next(columns)), texts[0])


def _range(numbers: Sequence[str]) -> str:
    low, high = min(numbers, key=float), max(numbers, key=float)
    return low if low == high else f"{low} to {high}"


def sentences(comparison: Comparison) -> list[str]:
    """One sentence or two a target: how many of how many rounds count, why the others do not."""
    whys = reasons(comparison)
    return [
        _sentence(name, rounds, [why for why in whys if why.target == name])
        for target in comparison.run.targets
        if (rounds := of_target(comparison, name := target.target.name))
    ]


def _sentence(target: str, rounds: Sequence[Round], whys: Sequence[Why]) -> str:
    counts = Counter(r.status for r in rounds)
    rows, repeats = len({r.case for r in rounds}), sum(r.attempt > 0 for r in rounds)
    again = f", {plural(repeats, 'repeat')} among them" if repeats else ""
    begin = f"On {target} {plural(len(rounds), 'process', 'processes')} were timed for {plural(rows, 'row')}{again}"
    if counts["valid"] == len(rounds):
        return f"{begin}: every round is valid."
    parts = [f"{counts['valid']} valid"]
    parts += [f"{counts[s]} {TOLD[s]} ({_told(whys, s)})" for s in TOLD if counts[s]]
    missing = unmeasured(rounds)
    lost = f" For {plural(missing, 'round')} no attempt was valid." if missing else ""
    return f"{begin}: {'; '.join(parts)}.{lost}"


def _told(whys: Sequence[Why], status: str) -> str:
    return "; ".join(f"{why.text}: {len(why.rounds)}" for why in whys if why.status == status)


def unmeasured(rounds: Iterable[Round]) -> int:
    """How many rounds of a row were attempted and have nothing that counts."""
    attempted = {(r.case, r.index) for r in rounds}
    return len(attempted - {(r.case, r.index) for r in rounds if r.counts})


def where(comparison: Comparison, why: Why) -> str:
    """Which rounds of which rows: "rounds 3–5 of every row", or row by row."""
    rows = {r.case for r in comparison.run.rounds if r.case.target == why.target}
    found: dict[tuple[int, ...], list[Case]] = {}
    for case, group in groupby(sorted(why.rounds, key=lambda r: r.case), key=lambda r: r.case):
        found.setdefault(tuple(sorted({r.index for r in group})), []).append(case)
    return "; ".join(_rounds(indices, cases, len(rows)) for indices, cases in found.items())


def _rounds(indices: Sequence[int], cases: Sequence[Case], rows: int) -> str:
    who = "every row" if len(cases) == rows > 1 else listed([_row(case) for case in cases])
    return f"{'round' if len(indices) == 1 else 'rounds'} {stretches(indices)} of {who}"


def _row(case: Case) -> str:
    threads = f" · {plural(case.threads, 'thread')}" if case.threads > 1 else ""
    return f"{case.variant} · {case.runtime}{threads}"


def stretches(numbers: Sequence[int]) -> str:
    """Rising whole numbers, those in a row as one: 3–5, 8."""
    groups = groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0])
    ends = [[number for _, number in group] for _, group in groups]
    return ", ".join(str(g[0]) if len(g) == 1 else f"{g[0]}–{g[-1]}" for g in ends)
