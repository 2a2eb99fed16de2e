"""Which rounds count and which do not, in words: none is dropped silently; reasons that say the same are merged."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from harness.records import Case, Comparison, Round
from harness.records.names import row_label
from harness.records.terms import RoundStatus
from harness.report.material import Material
from harness.report.part import Block, Note, Part
from harness.support.format import listed, plural

NUMBER = re.compile(r"\d+(?:\.\d+)?")
STATUS_WORDS: dict[RoundStatus, str] = {
    "flagged": "flagged, and counted",
    "repeated": "measured again",
    "invalid": "invalid, and not counted",
    "failed": "failed",
}


@dataclass(frozen=True)
class RoundReason:
    """One reason, in words that hold for all of these rounds; a round with two reasons is in both."""

    target: str
    status: RoundStatus
    text: str
    rounds: tuple[Round, ...]


@dataclass(frozen=True)
class Reasons(Block):
    """Each reason, and where() it holds."""

    kind = "reasons"
    entries: tuple[tuple[RoundReason, str], ...]


NUMBERING = (
    "Rounds are numbered from 0, as in the run's raw folder. A flagged round counts. A repeated one does not: it was "
    "unsteady and measured once more. Neither does an invalid one, which is measured again, at most twice, nor a "
    "failed one. Every attempt is kept and shown."
)


def invalid_rounds(material: Material) -> Part | None:
    """List every round that is not valid, and why; None where all are."""
    entries = tuple((reason, where(material.comparison, reason)) for reason in reasons(material.comparison))
    return Part("Rounds that are not valid", (Reasons(entries), Note(NUMBERING, brief=""))) if entries else None


def of_target(comparison: Comparison, target: str) -> list[Round]:
    """Return its rounds in the order of time: by index, then by the device's clock where it is known."""
    rounds = [r for r in comparison.run.rounds if r.case.target == target]
    return sorted(rounds, key=lambda r: (r.index, r.started_s or 0.0, r.attempt, r.case))


def reasons(comparison: Comparison) -> tuple[RoundReason, ...]:
    """Collect every reason of every round that is not valid, target by target, the worst status first."""
    return tuple(
        reason
        for target in comparison.run.targets
        for status in reversed(STATUS_WORDS)
        for reason in reasons_of(target.target.name, status, of_target(comparison, target.target.name))
    )


def reasons_of(target: str, status: RoundStatus, rounds: Sequence[Round]) -> list[RoundReason]:
    groups: dict[str, list[tuple[str, Round]]] = {}
    for piece in rounds:
        if piece.status == status:
            for reason in piece.reasons or ("the reason is not known",):
                groups.setdefault(NUMBER.sub("0", reason), []).append((reason, piece))
    entries = [RoundReason(target, status, merged([t for t, _ in g]), tuple(r for _, r in g)) for g in groups.values()]
    return sorted(entries, key=lambda reason: -len(reason.rounds))


def merged(texts: Sequence[str]) -> str:
    """Merge texts that differ only in their numbers, with a range where they differ: "started at 61 to 64 °C"."""
    columns = iter(zip(*(NUMBER.findall(text) for text in texts), strict=True))
    return NUMBER.sub(lambda _: range_text(next(columns)), texts[0])


def range_text(numbers: Sequence[str]) -> str:
    low, high = min(numbers, key=float), max(numbers, key=float)
    return low if low == high else f"{low} to {high}"


def sentences(comparison: Comparison) -> list[str]:
    """Say of each target how many of its rounds count, and why the others do not."""
    every = reasons(comparison)
    return [
        sentence_of(name, rounds, [reason for reason in every if reason.target == name])
        for target in comparison.run.targets
        if (rounds := of_target(comparison, name := target.target.name))
    ]


def sentence_of(target: str, rounds: Sequence[Round], entries: Sequence[RoundReason]) -> str:
    counts = Counter(r.status for r in rounds)
    rows, repeats = len({r.case for r in rounds}), sum(r.attempt > 0 for r in rounds)
    again = f", {plural(repeats, 'repeat')} among them" if repeats else ""
    timed = f"{plural(len(rounds), 'process', 'processes')} {'was' if len(rounds) == 1 else 'were'} timed"
    begin = f"On {target} {timed} for {plural(rows, 'row')}{again}"
    if counts["valid"] == len(rounds):
        return f"{begin}: every round is valid."
    parts = [f"{counts['valid']} valid"]
    parts += [f"{counts[s]} {STATUS_WORDS[s]} ({counted_reasons(entries, s)})" for s in STATUS_WORDS if counts[s]]
    missing = unmeasured(rounds)
    lost = f" No attempt was valid for {plural(missing, 'round')}." if missing else ""
    return f"{begin}: {'; '.join(parts)}.{lost}"


def counted_reasons(entries: Sequence[RoundReason], status: RoundStatus) -> str:
    return "; ".join(f"{reason.text}: {len(reason.rounds)}" for reason in entries if reason.status == status)


def unmeasured(rounds: Iterable[Round]) -> int:
    """Count the rounds that were attempted without an attempt that counts."""
    attempted = {(r.case, r.index) for r in rounds}
    return len(attempted - {(r.case, r.index) for r in rounds if r.counts})


def where(comparison: Comparison, reason: RoundReason) -> str:
    """Say which rounds of which rows: "rounds 3–5 of every row", or row by row."""
    rows = {r.case for r in comparison.run.rounds if r.case.target == reason.target}
    groups: dict[tuple[int, ...], list[Case]] = {}
    for case, group in groupby(sorted(reason.rounds, key=lambda r: r.case), key=lambda r: r.case):
        groups.setdefault(tuple(sorted({r.index for r in group})), []).append(case)
    return "; ".join(rounds_text(indices, cases, len(rows)) for indices, cases in groups.items())


def rounds_text(indices: Sequence[int], cases: Sequence[Case], rows: int) -> str:
    labels = [row_label(case, threads=case.threads > 1) for case in cases]
    who = "every row" if len(cases) == rows > 1 else listed(labels)
    return f"{'round' if len(indices) == 1 else 'rounds'} {stretches(indices)} of {who}"


def stretches(numbers: Sequence[int]) -> str:
    """Write increasing whole numbers, consecutive ones as a range: 3–5, 8."""
    groups = groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0])
    ends = [[number for _, number in group] for _, group in groups]
    return ", ".join(str(g[0]) if len(g) == 1 else f"{g[0]}–{g[-1]}" for g in ends)
