"""Whether a round may be believed: valid, flagged (believed, and said so) or invalid (measured again), with reasons.

An unsteady round, during which something else ran, is `repeated`: measured once more, and the later one counts.

What is unknown gives no reason: a device without sensors is told by its unknown state, not by a flag on every round.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from harness.records import Round

THROTTLE_FLAGS = ("under-voltage", "frequency capped", "throttled", "soft temperature limit")
STICKY_SHIFT = 16  # bits 16–19: the same has happened since the board was switched on
CLOCK_TOLERANCE = 0.01
CLOCK_SLACK_NS = 20_000_000  # network delay of the two messages around a round
CANARY_TOLERANCE = 1.10
AGAIN = ("invalid", "repeated")  # what a further attempt follows


def judged(piece: Round) -> Round:
    """Returns the round with its status and reasons. A failed one stays as it is."""
    if piece.status == "failed":
        return piece
    invalid = (*throttled(piece), *rebooted(piece), *wrong_clock(piece))
    if invalid:
        return replace(piece, status="invalid", reasons=invalid)
    upset = tuple(restless(piece))
    if upset and piece.attempt == 0:
        return replace(piece, status="repeated", reasons=upset)
    flagged = (*throttled_before(piece), *warm(piece), *disturbed(piece), *upset)
    return replace(piece, status="flagged" if flagged else "valid", reasons=flagged)


def bits(flags: str | None) -> int | None:
    """Reads "0x50005" as a number; None where it is unknown or no number."""
    try:
        return int(flags, 16) if flags is not None else None
    except ValueError:
        return None


def names(mask: int) -> str:
    return ", ".join(name for n, name in enumerate(THROTTLE_FLAGS) if mask >> n & 1)


def throttled(piece: Round) -> Iterator[str]:
    """Yields reasons: a live flag at either end, one that came up in between, or the power supply's own alarm."""
    before, after = bits(piece.before.throttled), bits(piece.after.throttled)
    live = ((before or 0) | (after or 0)) & 0xF
    if live:
        yield f"{names(live)} during the round"
    elif before is not None and after is not None and (appeared := (after & ~before) >> STICKY_SHIFT & 0xF):
        yield f"{names(appeared)} happened during the round"
    if piece.before.undervoltage_alarm or piece.after.undervoltage_alarm:
        yield "under-voltage alarm of the power supply"


def throttled_before(piece: Round) -> Iterator[str]:
    if sticky := (bits(piece.before.throttled) or 0) >> STICKY_SHIFT & 0xF:
        yield f"{names(sticky)} happened some time before the round"


def rebooted(piece: Round) -> Iterator[str]:
    before, after = piece.before.boot_id, piece.after.boot_id
    if before and after and before != after:
        yield "the device was switched off and on"


def wrong_clock(piece: Round) -> Iterator[str]:
    """Compares with the host's clock: a Pi 4's counter runs slow under about 300 MHz."""
    if piece.device_ns is None or piece.host_ns is None:
        return
    apart_ns = abs(piece.device_ns - piece.host_ns)
    if apart_ns > CLOCK_TOLERANCE * piece.host_ns + CLOCK_SLACK_NS:
        yield f"its clock and the host's are {100 * apart_ns / piece.host_ns:.1f} % apart over the round"


def warm(piece: Round) -> Iterator[str]:
    celsius, limit = piece.before.temperature_c, piece.start_temperature_c
    if celsius is not None and limit is not None and celsius > limit:
        yield f"started at {celsius:.0f} °C, over {limit:.0f} °C, after {piece.waited_s or 0:.0f} s of cooling"


def disturbed(piece: Round) -> Iterator[str]:
    if piece.canary_ns and min(piece.canary_ns) <= 0:
        yield "a fixed loop took no time: its clock stood"
    elif piece.canary_ns and max(piece.canary_ns) > CANARY_TOLERANCE * min(piece.canary_ns):
        ratio = max(piece.canary_ns) / min(piece.canary_ns)
        yield f"a fixed loop took {ratio:.2f}× as long at one end of the round as at the other: throttled or disturbed"


def restless(piece: Round) -> Iterator[str]:
    """Give the reason where the median is too far over the fastest tenth, which bursts of other work leave as it is."""
    if piece.restless_ratio is None:
        return
    low_ns, median_ns = np.quantile(piece.invokes_ns, (0.1, 0.5))
    if median_ns > piece.restless_ratio * low_ns:
        yield f"unsteady: half of its invokes took over {median_ns / low_ns:.2f} × the fastest tenth's time"
