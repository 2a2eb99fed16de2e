"""What a case costs besides its invokes: the file, the cold start, Python's own calls, memory."""

from __future__ import annotations

from functools import partial

import numpy as np

from harness.metrics.registry import Estimate, Metric, Observation, OfRound, of_case, per_round
from harness.metrics.typical import Typical
from harness.records import Round
from harness.records.terms import TASKS, Compared, Task


@of_case(Metric(
    "size_bytes", unit="bytes", better="lower", title="Size", about="file", against="float32",
    compared="exact", columns=("size_bytes",), in_table=TASKS,
))  # fmt: skip
def size_bytes(o: Observation) -> Estimate:
    control = o.control.variant.size_bytes if o.control else None
    return Estimate(o.variant.size_bytes, control, method=".tflite file")


def phases_ms(phases: tuple[str, ...], round_: Round) -> float | None:
    """Returns how long these phases of one process took together; None where one is not there."""
    if any(not len(round_.timings.get(phase, ())) for phase in phases):
        return None
    return sum(round_.timings[phase].total_ns for phase in phases) / 1e6


def phase_median_us(phase: str, round_: Round) -> float | None:
    timings = round_.timings.get(phase)
    return float(np.median(timings.ns)) / 1000 if timings is not None and len(timings) else None


def peak_bytes(round_: Round) -> int | None:
    return round_.memory_bytes.get("first", {}).get("VmHWM")


def anonymous_growth(round_: Round) -> int | None:
    points = [round_.memory_bytes.get(name, {}).get("RssAnon") for name in ("runtime", "first")]
    return None if points[0] is None or points[1] is None else points[1] - points[0]


def of_processes(
    name: str,
    unit: str,
    title: str,
    of_round: OfRound,
    what: str,
    unknown: str = "not recorded",
    columns: tuple[str, ...] = (),
    in_table: tuple[Task, ...] = (),
    compared: Compared = "",
) -> None:
    """Declares a metric for which each process gives one number; its value is that of a typical one."""

    @of_case(Metric(
        name, unit=unit, better="lower", title=title, about="process", of_round=of_round, judged="rounds",
        columns=columns, in_table=in_table, compared=compared,
    
    ))  # fmt: skip
    @per_round
    def of_process(o: Observation) -> Estimate:
        values = [value for round_ in o.rounds if (value := of_round(round_)) is not None]
        if not values:
            return Estimate(method=unknown)
        typical = Typical.of(values)
        middle = "median" if typical.skewed else "typical"
        return Estimate(typical.value, method=f"{what}, {middle} of {len(values)} processes")


NO_PROC = "unknown: no /proc on this device"
COLD = partial(phases_ms, ("load", "create", "allocate"))  # what comes before the first invoke, the import aside
of_processes("load", "ms", "Load", COLD, "read the file, create the interpreter, allocate", columns=("load_ms",))
FIRST = partial(phases_ms, ("first",))
of_processes("first_invoke", "ms", "First invoke", FIRST, "the first invoke", columns=("first_invoke_ms",))
of_processes(
    "set_input", "us", "set_tensor", partial(phase_median_us, "set_input"), "writing every input of one sample"
)
of_processes(
    "get_output", "us", "get_tensor", partial(phase_median_us, "get_output"), "reading every output of one sample"
)


@of_case(Metric("timing_pair", unit="ns", title="Empty timing", about="process"))
@per_round
def timing_pair(o: Observation) -> Estimate:
    """Computes what two clock readings with nothing between them cost: every timing includes it."""
    costs_ns = [r.timing_pair_ns for r in o.rounds if r.timing_pair_ns is not None]
    if not costs_ns:
        return Estimate(method="not recorded")
    return Estimate(
        float(np.median(costs_ns)), method=f"empty pair of clock readings, median of {len(costs_ns)} processes"
    )


of_processes(
    "peak_rss", "bytes", "Peak RSS", peak_bytes, "VmHWM after the first invoke", NO_PROC,
    columns=("peak_rss_bytes",), in_table=TASKS,
)  # fmt: skip
of_processes(
    "model_rss", "bytes", "Model RSS", anonymous_growth, "RssAnon after the first invoke less before the model",
    NO_PROC,
    compared="rounds", columns=("model_rss_bytes",), in_table=TASKS,
)  # fmt: skip


@of_case(Metric(
    "arena_bytes", unit="bytes", better="lower", title="Arena", about="process", against="float32",
))  # fmt: skip
def arena_bytes(o: Observation) -> Estimate:
    """Tells the memory that a microcontroller must set aside for the model, beside the file itself."""
    if o.arena_bytes is None:
        return Estimate(method="no arena: the engine takes memory as it needs it, or gave no answer")
    control = o.control.arena_bytes if o.control else None
    method = "the smallest arena in which it starts here, where pointers are of 64 bits; with 32 bits it takes less"
    return Estimate(o.arena_bytes, control, method=method)


@of_case(Metric(
    "ops_outside_delegate", unit="count", better="lower", title="Ops outside", about="process",
    columns=("ops_outside_delegate",),
))  # fmt: skip
def ops_outside_delegate(o: Observation) -> Estimate:
    """Counts the ops that ran in the library's own kernels: a rule on it finds a delegate that takes fewer."""
    if o.ran is None:
        return Estimate(method="the engine does not tell which kernels ran, or gave no answer")
    method = f"the delegate took {o.ran.delegated} of {o.ran.ops} ops of the first graph, in {o.ran.partitions} parts"
    return Estimate(len(o.ran.outside), method=method)


@of_case(Metric(
    "activation_bytes_upper_bound", unit="bytes", better="lower", title="Activations", about="file", against="float32"
))  # fmt: skip
def activation_bytes_upper_bound(o: Observation) -> Estimate:
    """Sums all that flows between the ops, as if every tensor had its own memory; a runtime lets them share it.

    Weights that an op unpacks count too, as in a float16 file. What kernels need for themselves, and weights that they
    repack, is in no .tflite file and not in this number.
    """
    size_bytes = o.variant.activation_bytes
    if size_bytes is None:
        return Estimate(method="unknown: its .tflite file is not at hand, or holds tensors of no fixed size")
    control = o.control.variant.activation_bytes if o.control else None
    method = "sum over the tensors of the .tflite file that are not constants; a runtime reuses memory and needs less"
    return Estimate(float(size_bytes), control, method=method)
