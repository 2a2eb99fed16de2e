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
LEAST_INVOKE_NS = 10  # a call from Python alone takes longer, on any machine
AGAIN = ("invalid", "repeated")  # what a further attempt follows


def with_status(round_: Round) -> Round:
    """Returns the round with its status and reasons. A failed one stays as it is."""
    if round_.status == "failed":
        return round_
    invalid = (*timeless(round_), *impossible(round_), *throttled(round_), *rebooted(round_), *wrong_clock(round_))
    if invalid:
        return replace(round_, status="invalid", reasons=invalid)
    upset = tuple(unsteady(round_))
    if upset and round_.attempt == 0:
        return replace(round_, status="repeated", reasons=upset)
    flagged = (*throttled_before(round_), *warm(round_), *disturbed(round_), *upset)
    return replace(round_, status="flagged" if flagged else "valid", reasons=flagged)


def bits(flags: str | None) -> int | None:
    """Reads "0x50005" as a number; None where it is unknown or no number."""
    try:
        return int(flags, 16) if flags is not None else None
    except ValueError:
        return None


def names(mask: int) -> str:
    return ", ".join(name for n, name in enumerate(THROTTLE_FLAGS) if mask >> n & 1)


def timeless(round_: Round) -> Iterator[str]:
    if round_.timed is not None and not round_.timed.ns.all():
        yield f"{int((round_.timed.ns == 0).sum())} of {len(round_.timed)} timings are 0 ns: its clock stood"


def impossible(round_: Round) -> Iterator[str]:
    """Holds the timings against the duration of the process that made them, by either clock, and against a call."""
    total_ns = sum(float(series.ns.sum(dtype=np.float64)) for series in round_.timings.values())
    for whose, ns in (("it says that it", round_.device_ns), ("by the host's clock its process", round_.host_ns)):
        if ns is not None and total_ns > (1 + CLOCK_TOLERANCE) * ns + CLOCK_SLACK_NS:
            yield f"its timings make {total_ns / 1e9:,.3f} s, and {whose} ran for {ns / 1e9:,.3f} s"
    if round_.timed is not None and 0 < round_.invokes_ns.min() < LEAST_INVOKE_NS:
        yield f"an invoke of {round_.invokes_ns.min():.2g} ns: a call alone takes longer"


def throttled(round_: Round) -> Iterator[str]:
    """Yields reasons: a live flag at either end, one that came up in between, or the power supply's own alarm."""
    before, after = bits(round_.before.throttled), bits(round_.after.throttled)
    live = ((before or 0) | (after or 0)) & 0xF
    if live:
        yield f"{names(live)} during the round"
    elif before is not None and after is not None and (appeared := (after & ~before) >> STICKY_SHIFT & 0xF):
        yield f"{names(appeared)} happened during the round"
    if round_.before.undervoltage_alarm or round_.after.undervoltage_alarm:
        yield "under-voltage alarm of the power supply"


def throttled_before(round_: Round) -> Iterator[str]:
    if sticky := (bits(round_.before.throttled) or 0) >> STICKY_SHIFT & 0xF:
        yield f"{names(sticky)} happened some time before the round"


def rebooted(round_: Round) -> Iterator[str]:
    before, after = round_.before.boot_id, round_.after.boot_id
    if before and after and before != after:
        yield "the device was switched off and on"


def wrong_clock(round_: Round) -> Iterator[str]:
    """Compares with the host's clock: a Pi 4's counter runs slow under about 300 MHz."""
    if round_.device_ns is None or round_.host_ns is None:
        return
    apart_ns = abs(round_.device_ns - round_.host_ns)
    if apart_ns > CLOCK_TOLERANCE * round_.host_ns + CLOCK_SLACK_NS:
        yield f"its clock and the host's are {100 * apart_ns / max(round_.host_ns, 1):.1f} % apart over the round"


def warm(round_: Round) -> Iterator[str]:
    celsius, limit = round_.before.temperature_c, round_.start_temperature_c
    if celsius is not None and limit is not None and celsius > limit:
        yield f"started at {celsius:.0f} °C, over {limit:.0f} °C, after {round_.waited_s or 0:.0f} s of cooling"


def disturbed(round_: Round) -> Iterator[str]:
    if round_.canary_ns and min(round_.canary_ns) <= 0:
        yield "a fixed loop took no time: its clock stood"
    elif round_.canary_ns and max(round_.canary_ns) > CANARY_TOLERANCE * min(round_.canary_ns):
        ratio = max(round_.canary_ns) / min(round_.canary_ns)
        yield f"a fixed loop took {ratio:.2f}× as long at one end of the round as at the other: throttled or disturbed"


def unsteady(round_: Round) -> Iterator[str]:
    """Gives the reason where the median is far over the fastest tenth, which bursts of other work leave as it is."""
    if round_.restless_ratio is None:
        return
    low_ns, median_ns = round_.quantile_ns(0.1), round_.quantile_ns(0.5)
    if median_ns > round_.restless_ratio * low_ns:
        yield f"unsteady: half of its invokes took over {median_ns / low_ns:.2f} × the fastest tenth's time"
