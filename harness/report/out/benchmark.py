"""The latencies as pytest-benchmark's JSON, for `pytest-benchmark compare` and the CI services that read its files.

Its terms here: a round is a round of the harness, one fresh process. `data` holds one value for each round that
counts, the median of its timed invokes in seconds an invoke; `rounds` is their number, and `iterations` the fewest
timed invokes behind any of them. Every other figure is taken over `data` as pytest-benchmark takes it: `mean` is a mean
of medians, `stddev` (n − 1) and the quartiles say how far processes differ, not invokes, and `ops` is 1 / mean.

machine_info is the device's, not that of the host that writes the file; commit_info is unknown, since a run can be
reported anywhere and at any time after it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.compare.rows import Row
from harness.errors import ConfigError
from harness.metrics.registry import medians_ns
from harness.records import Comparison, Environment
from harness.records.names import row_name
from harness.report.material import Material
from harness.statistics.stats import CLAIM_ROUNDS
from harness.support.format import listed, plural

LAYOUT = "5.3.1"  # the pytest-benchmark whose files these are like
FEWEST_ROUNDS = 2  # one has no standard deviation, which the format cannot express
NS = 1e-9


@dataclass(frozen=True)
class Series:
    """A row that is exported: the median of each round in seconds an invoke, and the invokes behind each."""

    row: Row
    medians_s: tuple[float, ...]
    invokes: tuple[int, ...]
    flagged: int


def render(material: Material) -> str:
    """Return the file. Raises ConfigError where no row of the run has a latency that may go into it."""
    run, shown = material.comparison.run, exported(material)
    if not shown:
        reasons = "; ".join(left_out(material)) or "it has no rows"
        advice = "measure with a plan that times, on a device that is not emulated: harness run --plan standard"
        raise ConfigError(f"run {run.run_id} has no latency for pytest-benchmark: {reasons}", advice)
    content = {
        "machine_info": machine_info(shown),
        "commit_info": {"id": "unknown", "time": None, "dirty": None, "project": run.experiment, "branch": "(unknown)"},
        "benchmarks": [benchmark(series) for series in shown],
        "datetime": run.provenance.created or None,
        "version": LAYOUT,
        "harness": {
            "version": run.provenance.harness or None,
            "run_id": run.run_id,
            "plan": run.plan.profile,
            "hashes": run.hashes,
            "left_out": list(left_out(material)),
        },
    }
    return json.dumps(content, indent=1, allow_nan=False) + "\n"


# --- which rows ----------------------------------------------------------------------------------------------------


def exported(material: Material) -> tuple[Series, ...]:
    return tuple(series_of(row, material.comparison) for row in material.rows if not why_not(row))


def left_out(material: Material) -> tuple[str, ...]:
    """Say for each reason which rows are not in the file, and which are, but support no claim."""
    reasons: dict[str, list[str]] = {}
    for row in material.rows:
        note = f"left out, {why}" if (why := why_not(row)) else doubt(row)
        if note:
            reasons.setdefault(note, []).append(row_name(row.case))
    return tuple(f"{listed(names)}: {note}" for note, names in reasons.items())


def why_not(row: Row) -> str:
    """Say why the row's latency may not go into the file; "" where it may."""
    if not row.standing.ended_well:
        return f"{row.standing.status}: {row.standing.reason}"
    if row.emulated:
        return f"{row.case.target} is emulated, and its times support no claim"
    if row.rounds < FEWEST_ROUNDS:
        return f"timed in {plural(row.rounds, 'round')}, and a spread needs {FEWEST_ROUNDS}"
    return ""


def doubt(row: Row) -> str:
    if row.claims_latency:
        return ""
    return f"kept, but {plural(row.rounds, 'round')} support no claim of faster or slower: that takes {CLAIM_ROUNDS}"


def series_of(row: Row, comparison: Comparison) -> Series:
    own = [piece for piece in comparison.run.usable_rounds(row.case) if piece.timed]
    return Series(
        row,
        tuple(NS * ns for _, ns in sorted(medians_ns(own).items())),
        tuple(int(r.timings["timed"].count.sum()) for r in own),
        sum(r.status == "flagged" for r in own),
    )


# --- one benchmark -------------------------------------------------------------------------------------------------


def benchmark(series: Series) -> dict[str, Any]:
    """Describe one row. Its name is variant[target-runtime-threads]; its group, a table of `compare`, is the target."""
    row, case = series.row, series.row.case
    place = f"{case.target}-{case.runtime}-t{case.threads}"
    name = f"{case.variant}[{place}]"
    return {
        "group": case.target,
        "name": name,
        "fullname": f"{row.run.experiment}::{name}",
        "params": {"variant": case.variant, "target": case.target, "runtime": case.runtime, "threads": case.threads},
        "param": place,
        "extra_info": {
            "unit": "seconds an invoke, the median of one process a round",
            "status": row.standing.status,
            "reason": row.standing.reason,
            "runtime_version": row.standing.runtime_version,
            "timed_invokes": sum(series.invokes),
            "flagged_rounds": series.flagged,
            "supports_claim": row.claims_latency,
        },
        "options": {},
        "stats": statistics(series.medians_s) | {"data": list(series.medians_s), "iterations": min(series.invokes)},
    }


def statistics(data_s: Sequence[float]) -> dict[str, object]:
    """Compute pytest-benchmark's figures of at least two values; its quartiles are Hazen's."""
    values = np.sort(np.asarray(data_s, dtype=np.float64))
    mean, stddev = values.mean(), values.std(ddof=1)
    q1, median, q3 = np.quantile(values, (0.25, 0.5, 0.75), method="hazen")
    fence = 1.5 * (q3 - q1)
    inside = values[(values >= q1 - fence) & (values <= q3 + fence)]
    beyond_stddev = int(((values < mean - stddev) | (values > mean + stddev)).sum())
    beyond_iqr = len(values) - len(inside)
    figures = {
        "min": values[0], "max": values[-1], "mean": mean, "stddev": stddev, "median": median,
        "iqr": q3 - q1, "q1": q1, "q3": q3, "ld15iqr": inside[0], "hd15iqr": inside[-1],
        "ops": 1 / mean, "total": values.sum(),
    }  # fmt: skip
    return {name: float(value) for name, value in figures.items()} | {
        "rounds": len(values),
        "stddev_outliers": beyond_stddev,
        "iqr_outliers": beyond_iqr,
        "outliers": f"{beyond_stddev};{beyond_iqr}",
    }


# --- the device ----------------------------------------------------------------------------------------------------


def machine_info(shown: Sequence[Series]) -> Mapping[str, Any]:
    """Describe the device in pytest-benchmark's terms; several devices each under its name."""
    devices = {s.row.case.target: machine(s.row) for s in shown}
    return next(iter(devices.values())) if len(devices) == 1 else devices


def machine(row: Row) -> dict[str, Any]:
    """Repeat what the device said of itself, null where it did not; nothing that changes with a reboot."""
    env = row.record.environment or Environment()
    return {
        "node": row.case.target,
        "board": env.board,
        "serial_sha256": env.serial_sha256,
        "processor": env.cpu,
        "machine": env.machine,
        "python_version": env.python,
        "system": env.os,
        "release": env.kernel,
        "cpu": {"brand_raw": env.cpu, "arch_string_raw": env.machine, "count": env.cores},
        "memory_bytes": env.memory_bytes,
        "frequency_max_hz": env.frequency_max_hz,
        "runtimes": dict(env.runtimes),
    }
