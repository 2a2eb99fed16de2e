"""What goes to a device, and what comes back from it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from harness.device.engines import installation
from harness.device.protocol import NO_ANSWER_S
from harness.records.model import Tensor
from harness.records.plan import Case
from harness.records.terms import PieceKind, RoundStatus, ShardStatus

if TYPE_CHECKING:  # imported by everything, so it loads nothing heavy itself
    import numpy as np

    from harness.support.arrays import StoredArray

USUAL_QUANTILES = (0.1, 0.5, 0.9, 0.99)  # of the timings of a round


@dataclass(frozen=True)
class Blob:
    """Bytes that a device keeps under their hash: a model, or the inputs of a shard. Read when they are sent."""

    read: Callable[[], bytes] = field(repr=False)
    known_sha256: str = ""  # where it need not be computed

    @cached_property
    def sha256(self) -> str:
        return self.known_sha256 or hashlib.sha256(self.read()).hexdigest()


@dataclass(frozen=True)
class Job:
    """What one process on the device is to measure."""

    id: str
    case: Case
    kind: PieceKind
    first: int  # outputs: first ≤ sample < last; latency: the round is `first`; audit: 0 and how many samples
    last: int
    spec: dict[str, object]  # becomes job.json
    blobs: dict[str, Blob]  # name in the job's directory → bytes
    limit_s: float = NO_ANSWER_S  # without progress
    start_temperature_c: float | None = None  # wait until the chip is as cool as this, None not at all
    cooldown_timeout_s: float = 0.0
    restless_ratio: float | None = None
    attempt: int = 0  # an invalid round is measured again
    samples: tuple[int, ...] = ()  # in an audit: the places in the test set of the answers kept, in the order asked
    outputs: tuple[Tensor, ...] = ()  # of the variant's file: what comes back must be of their form; () where unknown


@dataclass(frozen=True)
class Environment:
    """What a device is, read once a run."""

    board: str | None = None
    revision: str | None = None
    serial_sha256: str | None = None
    cpu: str | None = None
    machine: str | None = None
    userland_bits: int | None = None
    page_bytes: int | None = None
    cores: int | None = None
    memory_bytes: int | None = None
    os: str | None = None
    kernel: str | None = None
    firmware: str | None = None
    glibc: str | None = None
    frequency_min_hz: int | None = None
    frequency_max_hz: int | None = None
    affinity: tuple[int, ...] | None = None
    python: str | None = None
    numpy: str | None = None
    boot_id: str | None = None
    emulation: str | None = None  # what betrays an emulated device; None where nothing does
    runtimes: dict[str, str | None] = field(default_factory=dict)  # name → version, None where it cannot be imported

    @property
    def emulated(self) -> bool:
        return self.emulation is not None

    def version_of(self, engine: str) -> str | None:
        """Returns the version of the library that the engine is of, None where it is not there."""
        return self.runtimes.get(installation(engine))


@dataclass(frozen=True)
class DeviceState:
    """What a device looks like at one moment, before or after a round."""

    temperature_c: float | None = None
    frequency_hz: int | None = None
    governor: str | None = None
    throttled: str | None = None  # the firmware's flags, hexadecimal
    undervoltage_alarm: int | None = None
    load_1m: float | None = None
    uptime_s: float | None = None
    boot_id: str | None = None


@dataclass(frozen=True)
class Ran:
    """Which kernels ran the ops of a model's first graph, as the engine tells."""

    ops: int
    delegated: int  # ops that a delegate took: XNNPACK, where no other was named
    partitions: int  # runs of ops that it took at a time
    outside: tuple[str, ...]  # names of the ops that it did not take, in order


@dataclass(frozen=True, eq=False)
class Timings:
    """One phase of a round, as it came: two int64 arrays of shape (timings,)."""

    count: np.ndarray  # how many invokes a timing holds: several where one is shorter than the clock can tell
    ns: np.ndarray  # how long all of them took together

    @classmethod
    def of(cls, ns: Sequence[float] | np.ndarray, count: int = 1) -> Timings:
        """Makes timings of `count` invokes each."""
        import numpy as np

        whole = np.asarray(ns, dtype=np.int64)
        return cls(np.full_like(whole, count), whole)

    def __len__(self) -> int:
        return len(self.ns)

    @cached_property
    def invokes_ns(self) -> np.ndarray:
        """Nanoseconds an invoke, one entry a timing: float64, (timings,)."""
        return self.ns / self.count

    @cached_property
    def _usual_ns(self) -> dict[float, float]:
        """The quantiles that all ask for, computed together: each alone takes about as long."""
        import numpy as np

        return dict(zip(USUAL_QUANTILES, np.quantile(self.invokes_ns, USUAL_QUANTILES).tolist(), strict=True))

    def quantile_ns(self, q: float) -> float:
        """Returns one of USUAL_QUANTILES of invokes_ns."""
        return self._usual_ns[q]

    @property
    def total_ns(self) -> int:
        return int(self.ns.sum())


@dataclass(frozen=True)
class Round:
    """One process that timed one case: raw, no statistics but the median that all of them begin with."""

    case: Case
    index: int
    status: RoundStatus = "valid"
    reasons: tuple[str, ...] = ()
    attempt: int = 0  # a round that did not count is measured again
    timings: dict[str, Timings] = field(default_factory=dict)  # by phase; "timed" holds the invokes that count
    memory_bytes: dict[str, dict[str, int]] = field(default_factory=dict)  # "start", "runtime", "model", "allocated",
    # "first" or "end" → VmHWM, VmRSS, RssAnon, RssFile → bytes
    clock_step_ns: int | None = None  # the smallest step of the device's clock
    timing_pair_ns: float | None = None  # two clock readings with nothing between them
    before: DeviceState = DeviceState()
    after: DeviceState = DeviceState()
    device_ns: int | None = None  # how long the process ran by the device's clock
    host_ns: int | None = None  # and by the host's
    canary_ns: tuple[int, ...] = ()  # a fixed loop before and after
    waited_s: float | None = None  # how long the chip cooled down to start_temperature_c
    start_temperature_c: float | None = None
    restless_ratio: float | None = None  # its plan's
    slowed: float | None = None  # where the harness tests itself: the share by which its median was slowed
    started_s: float | None = None  # Unix time by the device's clock, which may jump: only the order is read off it
    samples: tuple[int, ...] = ()  # of an audited run: the places in the test set whose answers were kept while timing
    outputs: tuple[np.ndarray | StoredArray, ...] = ()  # these answers, one array an output, as the runtime gave them

    @property
    def counts(self) -> bool:
        """Whether its timings are believed."""
        return self.status in ("valid", "flagged")

    @property
    def timed(self) -> Timings | None:
        """The invokes that were timed; None where there are none."""
        timings = self.timings.get("timed")
        return timings if timings is not None and len(timings) else None

    @property
    def invokes_ns(self) -> np.ndarray:
        """Nanoseconds of each timed invoke, float64, (timings,). Only where there are some: see `timed`."""
        return self.timings["timed"].invokes_ns

    @cached_property
    def median_ns(self) -> float:
        """The median of invokes_ns: what a round says of its case's latency."""
        import numpy as np

        return float(np.median(self.invokes_ns))

    def quantile_ns(self, q: float) -> float:
        """Returns one of USUAL_QUANTILES of invokes_ns."""
        return self.timings["timed"].quantile_ns(q)


@dataclass(frozen=True)
class Shard:
    """The part of the test set that one job answered, first ≤ sample < last."""

    case: Case
    first: int
    last: int
    status: ShardStatus = "ok"
    reason: str = ""
    outputs: tuple[np.ndarray | StoredArray, ...] = ()  # as the runtime gave them; np.asarray reads a stored one
    tensors: tuple[Tensor, ...] = ()
    answering_ns: int | None = None  # of all its samples together, by the device's clock: not timed one by one
    ran: Ran | None = None  # None where the engine does not tell
    arena_bytes: int | None = None  # the smallest that it starts in, of an engine that has an arena


@dataclass(frozen=True)
class Audit:
    """Some samples of the test set asked once more, in another order, and then all of them again in that order.

    samples: their places in the test set, in the order asked. outputs: one array an output, as the runtime gave it, of
    2 × len(samples) rows: the first pass and then the second, each in an interpreter of its own.
    """

    case: Case
    samples: tuple[int, ...]
    status: ShardStatus = "ok"
    reason: str = ""
    outputs: tuple[np.ndarray | StoredArray, ...] = ()
    answering_ns: int | None = None  # as of a shard


Piece = Round | Shard | Audit  # what one job brought back
