"""How long each op takes: the op alone, cut out of the variant's file, timed in rounds beside the whole file.

Ops of one form (kind, options, shapes, dtypes) are timed once. A cut-out op has a start and an end that it has not
within the whole, so its time is a part of the whole's only after all are scaled; what the ops do not make up is told as
a rest.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from harness.device import protocol
from harness.diagnosis.bench import AS_IT_IS, Bench, Numbers
from harness.diagnosis.graph import Graph, Op
from harness.measure.job_spec import latency_spec
from harness.measure.jobs import job_id, tried
from harness.records import Affine, Blob, Job, Plan, Round, Target
from harness.records.plan import RESTLESS_RATIO
from harness.support.arrays import npy_bytes
from harness.support.format import plural

SAMPLES = 8  # that a round cycles
MOST_FORMS = 40  # of ops that are timed; the others are in the rest
ROUND_S = 0.5  # that a round of one file takes at least, with the start of its process
PLAN = Plan("explain", 3, min_runs=20, min_s=0.05, warmup_s=0.02, warmup_runs=3, restless_ratio=RESTLESS_RATIO)
WHOLE = "whole"
NOT_ASKED = "nobody asked for them"
Form = tuple[object, ...]


@dataclass(frozen=True)
class OpTime:
    """One op. us: its part of the whole file's time, in µs. alone_us: what it took by itself."""

    place: int
    us: float
    alone_us: float


@dataclass(frozen=True)
class OpTimes:
    """The times of a file's ops, medians over the rounds that count. whole_us: of the file itself. rest_us: what of it
    the ops do not make up; 0 where they take longer one by one than within the whole. reason: why there are no times.
    """

    ops: tuple[OpTime, ...] = ()
    whole_us: float | None = None
    rest_us: float | None = None
    rounds: int = 0
    untimed: int = 0  # ops that no time is known of: their time is in the rest, or in that of the others
    reason: str = ""

    def of(self, place: int) -> OpTime | None:
        return next((each for each in self.ops if each.place == place), None)


@dataclass(frozen=True, eq=False)
class Timed:
    """A file to time. stored: one array an input of it."""

    name: str
    content: bytes
    stored: Sequence[np.ndarray]
    affines: Sequence[Affine]


def op_times(
    bench: Bench, target: Target, graph: Graph, held: Mapping[int, Numbers], whole: Timed, say: Callable[[str], None]
) -> OpTimes:
    """Times the whole file and one op of each form, in rounds of a shuffled order. held: what its tensors held."""
    forms = forms_of(graph, held)
    shown = sorted(forms, key=lambda form: -size_of(graph, forms[form][0]))[:MOST_FORMS]
    files = [whole, *(cut_out(graph, forms[form][0], held) for form in shown)]
    seconds = PLAN.rounds * len(files) * ROUND_S
    say(f"times {plural(len(shown), 'form')} of ops beside the whole file: about {seconds:.0f} s or more")
    bench.watcher.begin(bench.case.target, 0, PLAN.rounds * len(files))
    way = bench.connection, bench.folder, bench.watcher
    pieces = [piece for job in jobs_of(bench, target, files) for piece in tried(job, *way)]
    counted = [piece for piece in pieces if isinstance(piece, Round) and piece.counts]
    places = {f"op{forms[form][0].place}": [op.place for op in forms[form]] for form in shown}
    return shared(counted, places, sum(bool(graph.flowing(op)) for op in graph.ops))


def forms_of(graph: Graph, held: Mapping[int, Numbers]) -> dict[Form, list[Op]]:
    """The ops that can be run alone on what they really got, by what their time depends on."""
    forms: dict[Form, list[Op]] = {}
    for op in graph.ops:
        if graph.flowing(op) and graph.can_be_apart(op) and all(index in held for index in graph.flowing(op)):
            wires = [graph.wires[index] for index in (*op.inputs, *op.outputs) if index >= 0]
            form = op.kind, str(graph.options(op)), *((wire.dtype, wire.shape, wire.value is None) for wire in wires)
            forms.setdefault(form, []).append(op)
    return forms


def size_of(graph: Graph, op: Op) -> int:
    """How many numbers it reads and writes: the largest ops are timed first."""
    return sum(int(np.prod(np.abs(graph.wires[index].shape))) for index in (*op.inputs, *op.outputs) if index >= 0)


def cut_out(graph: Graph, op: Op, held: Mapping[int, Numbers]) -> Timed:
    content, (fed,) = graph.apart([op])
    stored = [held[index].read()[:SAMPLES] for index in fed]
    return Timed(f"op{op.place}", content, stored, [AS_IT_IS] * len(stored))


def jobs_of(bench: Bench, target: Target, files: Sequence[Timed]) -> Iterable[Job]:
    """Yields every round: each file once, in an order of its own, so that drift hits all alike."""
    for index in range(PLAN.rounds):
        order = list(files)
        random.Random(f"{PLAN.seed}/{index}").shuffle(order)
        yield from (job_of(bench, target, each, index) for each in order)


def job_of(bench: Bench, target: Target, timed: Timed, index: int) -> Job:
    case = replace(bench.case, variant=f"explain-{timed.name}")
    inputs = {protocol.input_file(n, 0): Blob(partial(npy_bytes, array)) for n, array in enumerate(timed.stored)}
    spec = latency_spec(case.runtime, list(inputs), timed.affines, case.threads, PLAN)
    blobs = {protocol.MODEL: Blob(lambda: timed.content), **inputs}
    place = index, len(timed.stored[0]) if timed.stored else 1
    return Job(
        job_id(case, "latency", index), case, "latency", *place, spec, blobs,
        start_temperature_c=target.start_temperature_c, cooldown_timeout_s=target.cooldown_timeout_s,
        restless_ratio=PLAN.restless_ratio,
    )  # fmt: skip


def shared(rounds: Sequence[Round], places: Mapping[str, Sequence[int]], ops: int) -> OpTimes:
    """Shares the whole's time among the ops, round by round. places: of the ops of each form, by its name. ops: how
    many there are.
    """
    by_round: dict[int, dict[str, float]] = {}
    for piece in rounds:
        by_round.setdefault(piece.index, {})[piece.case.variant.removeprefix("explain-")] = piece.median_ns / 1000
    full = [times for times in by_round.values() if WHOLE in times]
    if not full:
        return OpTimes(reason="no round of the whole file counts")
    known = [name for name in places if all(name in times for times in full)]
    parts = [scaled(times, known, places) for times in full]
    timed = [
        OpTime(place, median(part[name] for part in parts), median(times[name] for times in full))
        for name in known
        for place in places[name]
    ]
    whole = median(times[WHOLE] for times in full)
    rest = max(0.0, whole - sum(op.us for op in timed))
    return OpTimes(tuple(sorted(timed, key=lambda op: op.place)), whole, rest, len(full), ops - len(timed))


def scaled(times: Mapping[str, float], known: Sequence[str], places: Mapping[str, Sequence[int]]) -> dict[str, float]:
    """Each op's part of the whole in one round: what it took alone, unless all together took longer than the whole."""
    together = sum(times[name] * len(places[name]) for name in known)
    factor = min(1.0, times[WHOLE] / together) if together else 1.0
    return {name: factor * times[name] for name in known}


def median(values: Iterable[float]) -> float:
    return float(np.median(list(values)))
