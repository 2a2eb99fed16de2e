"""What a case costs besides its invokes: the file, the cold start, Python's own calls, memory."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from harness.artifact import inspect
from harness.errors import BuildError
from harness.metrics.registry import Estimate, Observation, metric, per_round
from harness.records import Round, Variant


@metric("size_bytes", unit="bytes", better="lower", against="float32")
def size_bytes(o: Observation) -> Estimate:
    control = o.control.variant.size_bytes if o.control else None
    return Estimate(o.variant.size_bytes, control, method=".tflite file")


@metric("load", unit="ms", better="lower")
@per_round
def load(o: Observation) -> Estimate:
    """Read the file, create the interpreter, allocate: what comes before the first invoke, the import aside."""
    values = [sum(r.timings[p][:, 1].sum() for p in ("load", "create", "allocate")) / 1e6 for r in o.rounds]
    return Estimate(float(np.median(values)), method=f"median of {len(values)} processes: read, create, allocate")


@metric("first_invoke", unit="ms", better="lower")
@per_round
def first_invoke(o: Observation) -> Estimate:
    values = [r.timings["first"][0, 1] / 1e6 for r in o.rounds]
    return Estimate(float(np.median(values)), method=f"median of {len(values)} processes")


def series_metric(name: str, phase: str, what: str) -> None:
    @metric(name, unit="us", better="lower")
    @per_round
    def series(o: Observation) -> Estimate:
        medians = [float(np.median(r.timings[phase][:, 1])) / 1000 for r in o.rounds if phase in r.timings]
        if not medians:
            return Estimate(method="not recorded")
        return Estimate(float(np.median(medians)), method=f"{what}, median of {len(medians)} rounds' medians")


series_metric("set_input", "set_input", "writing every input of one sample")
series_metric("get_output", "get_output", "reading every output of one sample")


@metric("timing_pair", unit="ns")
@per_round
def timing_pair(o: Observation) -> Estimate:
    """What two readings of the clock with nothing between them cost: it is inside every timing."""
    known = [r.timing_pair_ns for r in o.rounds if r.timing_pair_ns is not None]
    if not known:
        return Estimate(method="not recorded")
    return Estimate(float(np.median(known)), method=f"empty pair of clock readings, median of {len(known)} processes")


@metric("peak_rss", unit="bytes", better="lower")
@per_round
def peak_rss(o: Observation) -> Estimate:
    return memory_estimate(
        [r.memory_bytes.get("first", {}).get("VmHWM") for r in o.rounds], "VmHWM after the first invoke"
    )


@metric("model_rss", unit="bytes", better="lower")
@per_round
def model_rss(o: Observation) -> Estimate:
    return memory_estimate(
        [anonymous_growth(r) for r in o.rounds], "RssAnon after the first invoke less before the model"
    )


def anonymous_growth(piece: Round) -> int | None:
    points = [piece.memory_bytes.get(name, {}).get("RssAnon") for name in ("runtime", "first")]
    return None if points[0] is None or points[1] is None else points[1] - points[0]


def memory_estimate(values: list[int | None], what: str) -> Estimate:
    known = [value for value in values if value is not None]
    if not known:
        return Estimate(method="unknown: no /proc on this device")
    return Estimate(float(np.median(known)), method=f"{what}, median of {len(known)} processes")


@metric("activation_bytes_upper_bound", unit="bytes", better="lower", against="float32")
def activation_bytes_upper_bound(o: Observation) -> Estimate:
    """All that flows between the ops, as if every tensor had memory of its own; a runtime lets them share it.

    Weights that an op unpacks count too, as in a float16 file. What kernels need for themselves, and weights that they
    repack, is in no .tflite file and not in this number.
    """
    own, control = activation_bytes(o.variant), activation_bytes(o.control.variant) if o.control else None
    if own is None:
        return Estimate(method="unknown: its .tflite file is not at hand, or holds tensors of no fixed size")
    method = "sum over the tensors of the .tflite file that are no constants; a runtime reuses memory and needs less"
    return Estimate(float(own), control, method=method)


def activation_bytes(variant: Variant) -> int | None:
    return read_activation_bytes(variant.path, variant.sha256) if variant.path is not None else None


@cache
def read_activation_bytes(path: Path, sha256: str) -> int | None:
    """Once a file: several cases share it. sha256 tells a file from another that took its place."""
    try:
        return inspect(path).activation_bytes
    except (OSError, BuildError):
        return None
