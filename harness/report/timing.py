"""What the timings themselves say against them: still warming up, correlated, several invokes in one."""

from __future__ import annotations

from harness.records import Case, Comparison
from harness.report.phrases import by_variant, names, place, span
from harness.report.rows import Row
from harness.report.units import decimals, listed

DRIFT_PERCENT = 2.0  # a first tenth that is this much slower or faster is told, where its interval leaves 0 out
ESS_SHARE = 0.5


def cautions(comparison: Comparison, shown: tuple[Row, ...]) -> list[str]:
    """One sentence a kind of trouble; empty where there is none."""
    return [*_drifting(shown), *_correlated(shown), *_shared(comparison, shown)]


def _drifting(shown: tuple[Row, ...]) -> list[str]:
    slower = [r for r in shown if drift(r) > 0]
    faster = [r for r in shown if drift(r) < 0]
    told = [f"Still warming up: the first tenth of the timed invokes is {_each(slower)}."] if slower else []
    return [*told, *([f"Slowing down: the first tenth of the timed invokes is {_each(faster)}."] if faster else [])]


def drift(row: Row) -> float:
    """The row's warm-up drift in %, 0 where it is small or its interval holds 0."""
    value, limits = row.value("warmup_drift"), row.interval("warmup_drift")
    if value is None or limits is None or limits[0] <= 0 <= limits[1] or abs(value) <= DRIFT_PERCENT:
        return 0.0
    return value


def _each(found: list[Row]) -> str:
    return listed([_drift(row) for row in found])


def _drift(row: Row) -> str:
    low, high = sorted(abs(limit) for limit in row.interval("warmup_drift") or (0.0, 0.0))
    size = f"{decimals(abs(drift(row)), 1)} % {'slower' if drift(row) > 0 else 'faster'} than the rest"
    who = f"with {row.case.variant} ({place(row, threads=True)})"
    return f"{size} {who}, 95 % interval {decimals(low, 1)} to {decimals(high, 1)}"


def _correlated(shown: tuple[Row, ...]) -> list[str]:
    found = [r for r in shown if (share := r.value("ess_share")) is not None and share < ESS_SHARE]
    if not found:
        return []
    worth = [100 * (row.value("ess_share") or 0.0) for row in found]
    measured = [r for r in shown if r.value("ess_share") is not None]
    text = (
        f"Invokes inside a process are correlated with {names(found, measured)}: 100 of them are worth "
        f"{span('{}', worth, _whole)} independent ones. Intervals rest on rounds alone, here as everywhere."
    )
    return [text]


def _shared(comparison: Comparison, shown: tuple[Row, ...]) -> list[str]:
    counts = invokes_a_timing(comparison)
    found = [r for r in shown if counts.get(r.case, 1) > 1]
    if not found:
        return []
    told = [f"{name} ({span('{}', [counts[r.case] for r in g], _whole)})" for name, g in by_variant(found).items()]
    return [f"The clock is too coarse for one invoke of {listed(told)}: so many share one timing."]


def _whole(value: float) -> str:
    return decimals(value, 0)


def invokes_a_timing(comparison: Comparison) -> dict[Case, int]:
    """How many invokes share one timing, at most, of each case that was timed."""
    counts: dict[Case, int] = {}
    for piece in comparison.run.rounds:
        timed = piece.timings.get("timed")
        if timed is not None and len(timed):
            counts[piece.case] = max(counts.get(piece.case, 1), int(timed[:, 0].max()))
    return counts
