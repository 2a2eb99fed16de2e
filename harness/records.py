"""The frozen dataclasses that flow from room to room. Units stand in the names; None means unknown, never fine.

Experiment ─build─▶ Variant… ─measure─▶ Round, Shard ─▶ Run ─compare─▶ Comparison ─▶ report
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # imported by everything, so it loads nothing heavy itself
    import numpy as np

    from harness.arrays import StoredArray


KERAS = "keras"  # the baseline, where no .tflite file takes its place


@dataclass(frozen=True)
class Tensor:
    """An input or output of a model. scale and zero_point are None where it is not quantised."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    scale: float | None = None
    zero_point: int | None = None


@dataclass(frozen=True)
class Affine:
    """Stored value × scale + offset = model input."""

    scale: float = 1.0
    offset: float = 0.0


@dataclass(frozen=True)
class Variant:
    """One .tflite form of the model. A variant that could not be built has status "failed", a reason and no path.

    feeds: for each input tensor of the file, which of the data's inputs it is given; yields: for each output of the
    baseline, which of the file's outputs answers to it. () where they stand in the same order.
    """

    name: str
    recipe: str
    path: Path | None = None
    sha256: str = ""
    size_bytes: int | None = None
    inputs: tuple[Tensor, ...] = ()
    outputs: tuple[Tensor, ...] = ()
    status: str = "ok"  # ok, suspect, failed
    reason: str = ""
    feeds: tuple[int, ...] = ()
    yields: tuple[int, ...] = ()


@dataclass(frozen=True)
class Target:
    """A device as its TOML file describes it."""

    name: str
    kind: str = "local"
    host: str | None = None  # any name that the user's ssh_config knows
    ssh_config: str | None = None
    user: str | None = None
    port: int | None = None
    identity_file: str | None = None
    workdir: str = "~/.cache/edge-harness"
    runtimes: tuple[str, ...] = ("ai-edge-litert", "tflite-runtime")
    threads: tuple[int, ...] = (1,)
    start_temperature_c: float = 60.0
    cooldown_timeout_s: float = 120.0
    emulated: bool = False
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, order=True)
class Case:
    """The key of everything measured, in every record and table."""

    variant: str
    target: str
    runtime: str
    threads: int


@dataclass(frozen=True)
class Plan:
    """How often and how long a latency is timed. rounds = 0 measures accuracy alone; accuracy False measures none."""

    profile: str
    rounds: int
    min_runs: int
    min_s: float
    warmup_s: float = 0.2
    warmup_runs: int = 10
    max_runs: int = 20_000  # timings a round: what a run keeps stays small
    seed: int = 20_231
    restless_ratio: float | None = (
        None  # a round whose median / lowest tenth is over it is timed once more; None: never
    )
    accuracy: bool = True  # False where a reference is timed again beside a candidate: its answers are known


@dataclass(frozen=True)
class Declared:
    """What a user's metric says of itself. reference: "package.module:function"; better: lower, higher."""

    reference: str
    name: str
    unit: str
    better: str


@dataclass(frozen=True)
class Scoring:
    """How outputs are scored. None and () leave it to the data: accuracy for classes, RMSE for numbers, else agreement.

    primary, others: names of metrics, or a user's "package.module:function". output: the name of the model's output
    that is scored, "" the first. folder: where a user's module is looked for. declared: what the user's functions
    among them said of themselves when the run began, so that it is known where they cannot be imported any more.
    """

    primary: str | None = None
    others: tuple[str, ...] = ()
    output: str = ""
    folder: Path = Path()
    declared: tuple[Declared, ...] = ()


BY_DATA = Scoring()


@dataclass(frozen=True)
class Blob:
    """Bytes that a device keeps under their hash: a model or a stretch of inputs. Read when they are sent, not kept."""

    read: Callable[[], bytes] = field(repr=False)
    known_sha256: str = ""  # where it need not be computed

    @cached_property
    def sha256(self) -> str:
        return self.known_sha256 or hashlib.sha256(self.read()).hexdigest()


@dataclass(frozen=True)
class Job:
    """What one process on the device is to measure. spec becomes job.json; blobs: name in its directory → bytes."""

    id: str
    case: Case
    kind: str  # "outputs" for a stretch of the test set, "latency" for a round
    first: int  # outputs: first ≤ sample < last; latency: the round is `first`
    last: int
    spec: dict[str, object]
    blobs: dict[str, Blob]
    limit_s: float = 1800.0
    start_temperature_c: float | None = None  # wait until the chip is as cool as this, None not at all
    cooldown_timeout_s: float = 0.0
    restless_ratio: float | None = None
    attempt: int = 0  # an invalid round is measured again


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
class Round:
    """One process that timed one case: raw, no statistics.

    timings: phase → int64 array of shape (n, 2), columns count (invokes in this timing) and ns (for all of them).
    memory_bytes: point ("start", "runtime", "model", "allocated", "first", "end") → VmHWM, VmRSS, RssAnon, RssFile
        → bytes.
    """

    case: Case
    index: int
    status: str = "valid"  # valid, flagged, repeated, invalid, failed
    reasons: tuple[str, ...] = ()
    attempt: int = 0
    timings: dict[str, np.ndarray] = field(default_factory=dict)
    memory_bytes: dict[str, dict[str, int]] = field(default_factory=dict)
    clock_step_ns: int | None = None
    timing_pair_ns: float | None = None
    before: DeviceState = DeviceState()
    after: DeviceState = DeviceState()
    device_ns: int | None = None  # how long the process ran by the device's clock, and by the host's
    host_ns: int | None = None
    canary_ns: tuple[int, ...] = ()  # a fixed loop before and after
    waited_s: float | None = None  # for the chip to cool to start_temperature_c
    start_temperature_c: float | None = None
    restless_ratio: float | None = None  # its plan's
    started_s: float | None = None  # Unix time by the device's clock, which may jump: only the order is read off it

    @property
    def counts(self) -> bool:
        """Whether its timings are believed."""
        return self.status in ("valid", "flagged")


@dataclass(frozen=True)
class Shard:
    """A stretch of the test set, first ≤ sample < last: one array an output, as the runtime gave it.

    Where they are stored, np.asarray reads them: a whole test set's may be larger than memory.
    """

    case: Case
    first: int
    last: int
    status: str = "ok"  # ok, failed
    reason: str = ""
    outputs: tuple[np.ndarray | StoredArray, ...] = ()
    tensors: tuple[Tensor, ...] = ()


@dataclass(frozen=True)
class TargetRecord:
    """What a run knows of one of its targets."""

    target: Target
    environment: Environment | None = None
    bytes_sent: dict[str, int] = field(default_factory=dict)  # "blobs", "jobs"


@dataclass(frozen=True)
class Run:
    """All that one run left behind. Arrays are in the order of the test set."""

    run_id: str
    experiment: str
    task: str
    class_names: tuple[str, ...]
    plan: Plan
    variants: tuple[Variant, ...]
    targets: tuple[TargetRecord, ...]
    cases: tuple[Case, ...]
    labels: np.ndarray | None  # None where there are none to score by
    inputs: tuple[np.ndarray, ...]  # as stored, one array an input of the model
    baseline: tuple[np.ndarray, ...]
    rounds: tuple[Round, ...]
    shards: tuple[Shard, ...]
    path: Path
    finished: bool
    provenance: dict[str, object] = field(default_factory=dict)
    hashes: dict[str, str] = field(default_factory=dict)  # sha256 of "model", "train", "test" (inputs and labels)
    scoring: Scoring = BY_DATA
    output_names: tuple[str, ...] = ()  # of the baseline, one an array

    @property
    def test_count(self) -> int:
        return len(self.inputs[0])

    def accuracy_case(self, case: Case) -> Case:
        """The case whose outputs stand for this one: the same at the lowest thread count."""
        threads = [c.threads for c in self.cases if replace(c, threads=case.threads) == case]
        return replace(case, threads=min(threads, default=case.threads))

    def variant(self, name: str) -> Variant:
        return next(v for v in self.variants if v.name == name)

    def target(self, name: str) -> TargetRecord:
        return next(t for t in self.targets if t.target.name == name)


@dataclass(frozen=True)
class Change:
    """One metric of one case. low and high bound `value`; `method` says how, or why they (or the value) are missing."""

    case: Case
    metric: str
    unit: str
    better: str  # lower, higher, "" where neither
    against: str  # keras, float32, reference (a stored run), "" where the metric stands alone
    baseline: float | None
    value: float | None
    low: float | None = None
    high: float | None = None
    method: str = ""
    kind: str = ""  # against a reference: improved, similar, regressed, not_comparable, missing; "" is not judged
    smallest_percent: float | None = None  # of a similar ratio: a smaller change is missed more often than once in five


@dataclass(frozen=True)
class Standing:
    """How a case ended: ok, suspect, failed, unsupported or invalid, and why."""

    case: Case
    status: str
    reason: str = ""
    runtime_version: str | None = None

    @property
    def ended_well(self) -> bool:
        """Whether it was measured, and can be judged."""
        return self.status in ("ok", "suspect")


@dataclass(frozen=True)
class Comparison:
    """What the raw records of a run say, derived and derivable again.

    outputs: case at its lowest thread count → one float32 array an output, dequantised, shape (samples, …).
    samples: the same cases → a structured array, a row a sample. Fields max_abs_diff, l2, cosine; of a task with
        classes baseline_prediction, prediction, flip, js_divergence (bits), baseline_margin, margin, tie; where there
        are labels of classes too label, baseline_correct, correct, flip_kind (an index into samples.FLIP_KINDS). Of
        numbers: label, baseline_prediction, prediction where they are one a sample; baseline_error, error where there
        are as many labels. Numbers are float32, classes int32.
    scores: case → its scored output, with scores of two classes made of a single column; baseline: the same of Keras.
    """

    run: Run
    standings: tuple[Standing, ...]
    changes: tuple[Change, ...]
    samples: dict[Case, np.ndarray]
    outputs: dict[Case, tuple[np.ndarray, ...]]
    baseline: np.ndarray
    scores: dict[Case, np.ndarray]

    def change(self, case: Case, metric: str) -> Change | None:
        return next((c for c in self.changes if c.case == case and c.metric == metric), None)


@dataclass(frozen=True)
class Finding:
    """What one rule of a policy says of one row, with every number in `unit`.

    case: None where the rule matched no row. outcome: pass, fail, inconclusive, invalid, not_comparable, missing.
    holds: it passed, or it is inconclusive and the rule only warns then. low, high: the interval whose ends are the
    one-sided limits at the rule's confidence. p: one-sided, of a row as good if the truth were at the limit; None
    where there is no interval.
    """

    rule: int  # from 1
    words: str
    case: Case | None
    metric: str
    outcome: str
    holds: bool
    unit: str = ""
    value: float | None = None
    low: float | None = None
    high: float | None = None
    limit: float | None = None
    p: float | None = None
    method: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Verdict:
    """Whether a run may ship. outcome: pass, or the worst that keeps it from shipping. ships: the variants for which
    every rule that names them holds. policy: where it was read. reference: the id of the stored run it stands against;
    sessions: of further runs of the same models; again: of the run in which they were timed again beside the candidate.
    """

    run_id: str
    policy: str
    mode: str  # all, any
    outcome: str
    findings: tuple[Finding, ...]
    ships: tuple[str, ...] = ()
    reference: str = ""
    sessions: tuple[str, ...] = ()
    again: str = ""
