"""What a made-up device does to made-up rounds: memory, feeding, the order of time; and, if wanted, heat."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby

import numpy as np

from harness.measure.validity import with_status
from harness.records import DeviceState, Round, Timings

POINTS = {"start": 0, "runtime": 600, "model": 700, "allocated": 1500, "first": 1600, "end": 4000}  # kB over the start
HOT_ROUND = 4  # from here on the chip stays over the start temperature
THROTTLED = {(5, "int8"), (5, "float32"), (6, "int8")}  # round and variant: its first attempt ran into the limit


def lived(rounds: Sequence[Round], hot: tuple[str, ...], seed: int = 3) -> tuple[Round, ...]:
    """The rounds with all that a device adds to them; on the `hot` targets some are flagged, invalid and repeated."""
    rng = np.random.default_rng(seed)
    clock_s, done = 1_767_268_800.0, []
    for _, group in groupby(rounds, key=lambda r: r.index):
        pieces = list(group)
        for n in rng.permutation(len(pieces)):
            for piece in _attempts(_measured(pieces[n], rng), hot):
                done.append(replace(piece, started_s=clock_s))
                clock_s += 0.9
    return tuple(done)


def _measured(piece: Round, rng: np.random.Generator) -> Round:
    feeding = {p: _series(rng, ns) for p, ns in (("set_input", 690), ("get_output", 790))}
    memory = {
        point: {"RssAnon": 21_000_000 + kb * 1000, "VmHWM": 42_000_000 + 2 * kb * 1000} for point, kb in POINTS.items()
    }
    return replace(
        piece,
        timings=piece.timings | feeding,
        memory_bytes=memory,
        clock_step_ns=10,
        timing_pair_ns=float(rng.normal(55, 2)),
        canary_ns=(1_000_000, 1_010_000),
        waited_s=0.0,
    )


def _series(rng: np.random.Generator, ns: float) -> Timings:
    return Timings.of(rng.normal(ns, 20, 200))


def _attempts(piece: Round, hot: tuple[str, ...]) -> Iterator[Round]:
    """The round as it ended; before it the attempt that did not count."""
    if piece.case.target not in hot:
        yield with_status(piece)
        return
    sticky = (piece.index, piece.case.variant) > min(THROTTLED)
    if (piece.index, piece.case.variant) in THROTTLED:
        slow = piece.timings | {"timed": Timings.of(piece.timings["timed"].ns * 1.35)}
        yield with_status(_under(replace(piece, timings=slow), "0x0", "0x40004", 1_000_000_000))
        piece, sticky = replace(piece, attempt=1), True
    flags = "0x40000" if sticky else "0x0"
    yield with_status(_under(piece, flags, flags, 1_800_000_000))


def _under(piece: Round, before: str, after: str, clock_hz: int) -> Round:
    """The round with the device's state around it: as warm as its index says, with these flags."""
    celsius = 50.0 + 3 * min(piece.index, HOT_ROUND) + hash_of(piece)
    common = partial(DeviceState, governor="ondemand", undervoltage_alarm=0, load_1m=0.4, boot_id="a")
    return replace(
        piece,
        before=common(celsius, 1_800_000_000, throttled=before),
        after=common(celsius + 4, clock_hz, throttled=after),
        start_temperature_c=60.0,
        waited_s=120.0 if celsius > 60 else 0.0,
    )


def hash_of(piece: Round) -> float:
    """0 to 1 °C, the same for the same row."""
    return (sum(map(ord, piece.case.variant + piece.case.runtime)) % 10) / 10
