"""What was measured of a model against itself, and what that says of the harness: records, statistics, files."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from harness.errors import StoreError
from harness.measure.selftest.twins import CONFIDENCE, Ratio, ratio_of
from harness.records import Environment, Run
from harness.statistics import stats
from harness.support.foreign import read_valid

SLOWDOWNS = (0.02, 0.05, 0.10)  # applied to stored rounds
REAL_SLOWDOWN = 0.05  # added to every invoke of B in the last rounds
SEED = 20_231


@dataclass(frozen=True)
class Asked:
    """What the user wants of a study. min_s, warmup_s: seconds a round."""

    comparisons: int = 200
    rounds: int = 10
    min_s: float = 0.05
    warmup_s: float = 0.01
    seed: int = SEED
    precision: float | None = None  # as a plan's: further rounds are timed for it
    max_rounds: int = 200  # of a comparison then, the first `rounds` among them

    @property
    def most(self) -> int:
        """The most rounds of a comparison."""
        return self.rounds if self.precision is None else max(self.rounds, self.max_rounds)


@dataclass(frozen=True)
class Pairs:
    """One comparison: the median of each round that both have, ns an invoke. repeated, flagged: rounds."""

    a_ns: tuple[float, ...]
    b_ns: tuple[float, ...]
    repeated: int = 0  # invalid, so measured again
    flagged: int = 0
    first: int | None = None  # how many of them are of the first of two stages; None: there is one
    slowed: float | None = (
        None  # the share of time that was added to B's invokes, by the device's clock, mean over rounds
    )


@dataclass(frozen=True)
class Study:
    """study.json. measured holds the comparisons in order; the one after the last asked for is the slowed one."""

    study_id: str
    date: str
    harness: str
    target: str
    board: str | None
    serial_sha256: str | None
    variant: str
    model_sha256: str
    runtime: str
    runtime_version: str | None
    threads: int
    asked: Asked
    measured: tuple[Pairs, ...] = ()

    @property
    def finished(self) -> bool:
        return len(self.measured) == self.asked.comparisons + 1


@dataclass(frozen=True)
class AaResult:
    """What a study found. Shares are fractions of the comparisons.

    rate: false_alarms / comparisons, between low and high (Clopper–Pearson, 95 %). half_width: of a ratio's interval,
    as a fraction of the ratio, the median over comparisons. detection: slow-down in % → share of comparisons in which
    it is found. confirmed: the comparison with a B that is really slowed by real_slowdown, None until it is measured.
    rounds_taken: of a comparison, the median, where a precision was asked for.
    """

    date: str
    target: str
    board: str | None
    serial_sha256: str | None
    variant: str
    model_sha256: str
    runtime: str
    runtime_version: str | None
    threads: int
    rounds: int
    min_s: float
    seed: int
    harness: str
    comparisons: int
    false_alarms: int
    rate: float
    low: float
    high: float
    half_width: float
    detection: dict[str, float]
    real_slowdown: float
    confirmed: Ratio | None
    repeated: int
    flagged: int
    slowed: float | None = None  # by how much B really was slowed, as a share; None in results that are older
    precision: float | None = None  # that was asked for; None: each comparison has as many rounds
    rounds_taken: float | None = None

    @property
    def found(self) -> bool:
        """Whether the real slow-down was found."""
        return self.confirmed is not None and self.confirmed.low > 1

    @property
    def good(self) -> bool:
        """No more false alarms than promised, as far as can be told, and the real slow-down found."""
        return self.low <= 1 - CONFIDENCE and self.found


STUDY = TypeAdapter(Study)
RESULT = TypeAdapter(AaResult)


def conclude(study: Study) -> AaResult:
    """The statistics of what was measured so far. Raises StoreError where there is nothing to say anything of."""
    asked = study.asked
    usable = [pairs for pairs in study.measured[: asked.comparisons] if len(pairs.a_ns) > 1]
    if not usable:
        raise StoreError(f"study {study.study_id} holds no comparison yet", "go on with --resume")
    ratios = [compared(pairs) for pairs in usable]
    alarms = sum(not r.low <= 1 <= r.high for r in ratios)
    limits = stats.clopper_pearson(alarms, len(ratios), CONFIDENCE)
    slow = [compared(pairs) for pairs in study.measured[asked.comparisons :] if len(pairs.a_ns) > 1]
    return AaResult(
        date=study.date, target=study.target, board=study.board, serial_sha256=study.serial_sha256,
        variant=study.variant, model_sha256=study.model_sha256, runtime=study.runtime,
        runtime_version=study.runtime_version, threads=study.threads, rounds=asked.rounds, min_s=asked.min_s,
        seed=asked.seed, harness=study.harness, comparisons=len(ratios), false_alarms=alarms,
        rate=alarms / len(ratios), low=limits.low, high=limits.high,
        half_width=float(np.median([(r.high - r.low) / 2 / r.ratio for r in ratios])),
        detection={f"{100 * share:g}": detected(usable, share) for share in SLOWDOWNS},
        real_slowdown=REAL_SLOWDOWN, confirmed=slow[0] if slow else None,
        repeated=sum(p.repeated for p in study.measured), flagged=sum(p.flagged for p in study.measured),
        slowed=next((p.slowed for p in study.measured[asked.comparisons :]), None),
        precision=asked.precision,
        rounds_taken=float(np.median([len(p.a_ns) for p in usable])) if asked.precision else None,
    )  # fmt: skip


def compared(pairs: Pairs, slowdown: float = 0.0) -> Ratio:
    """B against A as any two variants are compared, B's rounds slowed by a share of their time."""
    a, b = (dict(enumerate(side)) for side in (pairs.a_ns, np.multiply(pairs.b_ns, 1 + slowdown)))
    return ratio_of(a, b, pairs.first)


def detected(comparisons: Sequence[Pairs], slowdown: float) -> float:
    """The share of comparisons whose interval lies over 1 when B is slower by that share."""
    return sum(compared(pairs, slowdown).low > 1 for pairs in comparisons) / len(comparisons)


def latest_for(results: Path, environment: Environment) -> AaResult | None:
    """The newest result on the same device, or None. Where the device's serial is unknown there is none."""
    found = []
    for path in results.glob("aa/*/aa.json"):
        with suppress(StoreError):
            found.append(read(path, RESULT))
    known = environment.serial_sha256
    return max((r for r in found if known and r.serial_sha256 == known), key=lambda r: r.date, default=None)


def of_run(results: Path, run: Run) -> tuple[AaResult, ...]:
    """What is known of the run's machines, each once."""
    environments = [record.environment for record in run.targets if record.environment]
    found = [result for e in environments if (result := latest_for(results, e))]
    return tuple({result.serial_sha256: result for result in found}.values())


def read(path: Path, adapter: TypeAdapter[Any]) -> Any:
    try:
        return read_valid(path, adapter)
    except (OSError, ValueError) as error:
        raise StoreError(f"{path} cannot be read: {error}", "remove it and measure again") from error
