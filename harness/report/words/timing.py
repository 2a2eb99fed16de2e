"""Reasons in the timings themselves to doubt them: still warming up, correlated, several invokes in one."""

from __future__ import annotations

from harness.records import Case, Comparison
from harness.report.format import decimals, listed, whole
from harness.report.rows import Row
from harness.report.words.phrases import by_variant, names, place, span

DRIFT_PERCENT = 2.0  # a first tenth this much slower or faster is reported, if its interval excludes 0
ESS_SHARE = 0.5


def cautions(comparison: Comparison, shown: tuple[Row, ...]) -> list[str]:
    """One sentence for each kind of doubt; empty where there is none."""
    return [*_drifting(shown), *_outside(shown), *_correlated(shown), *_shared(comparison, shown)]


def _drifting(shown: tuple[Row, ...]) -> list[str]:
    slower = [r for r in shown if drift(r) > 0]
    faster = [r for r in shown if drift(r) < 0]
    told = [f"Still warming up: the first tenth of the timed invokes is {_each(slower)}."] if slower else []
    return [*told, *([f"Slowing down: the first tenth of the timed invokes is {_each(faster)}."] if faster else [])]


def drift(row: Row) -> float:
    """The row's warm-up drift in %, 0 where it is small or its interval includes 0."""
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


def _outside(shown: tuple[Row, ...]) -> list[str]:
    """A quantile of all invokes is not that of a typical round, where one round differs much from the others."""
    found = [
        f"{q} of {r.case.variant} ({place(r, threads=True)})" for q in ("p50", "p90") for r in shown if outside(r, q)
    ]
    if not found:
        return []
    reason = "it is of all invokes, the interval of the rounds' own values, and one round differs from the others"
    return [f"Outside its own interval: {listed(found)}; {reason}."]


def outside(row: Row, quantile: str) -> bool:
    value, limits = row.value(f"latency_{quantile}"), row.interval(f"latency_{quantile}")
    return value is not None and limits is not None and not limits[0] <= value <= limits[1]


def _correlated(shown: tuple[Row, ...]) -> list[str]:
    found = [r for r in shown if (share := r.value("ess_share")) is not None and share < ESS_SHARE]
    if not found:
        return []
    worth = [100 * (row.value("ess_share") or 0.0) for row in found]
    measured = [r for r in shown if r.value("ess_share") is not None]
    text = (
        f"Invokes within one process are correlated for {names(found, measured)}: 100 of them are worth "
        f"{span('{}', worth, whole)} independent ones. Intervals are computed from rounds alone, here as everywhere."
    )
    return [text]


def _shared(comparison: Comparison, shown: tuple[Row, ...]) -> list[str]:
    counts = invokes_a_timing(comparison)
    found = [r for r in shown if counts.get(r.case, 1) > 1]
    if not found:
        return []
    told = [f"{name} ({span('{}', [counts[r.case] for r in g], whole)})" for name, g in by_variant(found).items()]
    return [f"The clock is too coarse to time one invoke of {listed(told)}: that many share one timing."]


def invokes_a_timing(comparison: Comparison) -> dict[Case, int]:
    """Case → the most invokes that share one timing, of those that were timed."""
    counts: dict[Case, int] = {}
    for piece in comparison.run.rounds:
        timed = piece.timed
        if timed is not None and len(timed):
            counts[piece.case] = max(counts.get(piece.case, 1), int(timed.count.max()))
    return counts
