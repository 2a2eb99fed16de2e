"""A stored run and one of its rows → why its answers are others than the baseline's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

from harness.diagnosis.alone import Alone, Mixture
from harness.diagnosis.batches import BATCH, batch_gap
from harness.diagnosis.bench import Bench, Numbers
from harness.diagnosis.causes import Found, causes_of
from harness.diagnosis.constants import constants_of
from harness.diagnosis.explanation import ENOUGH_SAMPLES, NO_TIMES, Explanation
from harness.diagnosis.gaps import gaps_of
from harness.diagnosis.graph import NUMERIC, Graph
from harness.diagnosis.input_forms import input_forms
from harness.diagnosis.layers import Layer, input_layer, layer_of, range_layer
from harness.diagnosis.op_times import SAMPLES, WHOLE, OpTimes, Timed, op_times
from harness.diagnosis.pairs import Pair, float_of, ranges
from harness.diagnosis.row_study import Study
from harness.diagnosis.tried import tried
from harness.errors import ConfigError, JobFailed
from harness.measure.model_state import reset_of
from harness.records import CONTROL

MOST_ALONE = 6  # layers that are looked at alone: those that add the most error
STATELESS = (
    "measure it with samples that each begin anew (stateful=False, no [state]): its layers are the same, and told"
)


def explain(study: Study, bench: Bench, timed: bool = False, say: Callable[[str], None] = print) -> Explanation:
    """Looks into a row. timed: times its ops, too; say: is told what that costs. Raises ConfigError where it cannot be
    looked into.
    """
    check(study)
    comparison, case = study.comparison, study.case
    gaps = gaps_of(comparison, case)
    variant, control = study.graphs
    constants = tuple(constants_of(study.pairs, variant, control))
    notes = [study.picked.left_out] if study.picked.left_out else []
    paired = {pair.op.place for pair in study.pairs}
    missing = len([op for op in control.ops if control.flowing(op)]) - len(paired)
    if missing > 0:
        notes.append(f"{missing} of float32's ops have no op like it in this file, and are not looked into")
    theirs = kept(bench.of(CONTROL), control, study, CONTROL)
    alone: tuple[Alone, ...] = ()
    forms: tuple[tuple[str, float, float], ...] = ()
    times = NO_TIMES
    try:
        mine = kept(bench, variant, study)
    except JobFailed as error:
        layers = at_rest(study, theirs)
        notes.append(f"the file does not run, so it is looked into as it lies there: {error}")
        times = OpTimes(reason="the file does not run")
    else:
        layers = layers_of(study, bench, mine, theirs, notes)
        alone = alone_of(study, bench, mine, theirs, layers, notes)
        forms = tuple(input_forms(study, bench, notes))
        batch = tried(f"what a batch of {BATCH} does", notes, partial(batch_gap, study, bench))
        gaps = (*gaps, batch) if batch else gaps
        times = times_of(study, bench, mine, say) if timed else times
    if len(study.picked.places) < ENOUGH_SAMPLES:
        notes.append(f"ranges are not judged: that takes {ENOUGH_SAMPLES} samples")
    if case in comparison.samples and replace(case, variant=CONTROL) not in comparison.samples:
        notes.append("float32 has no answers to the same samples, so that the conversion is not told from the rest")
    layers = tuple(sorted((*ranges_between(study, theirs), *layers), key=lambda layer: layer.place))
    shared = tuple(frozenset(variant.wires[n].name for n in members) for members, _ in ranges(variant))
    fed_by = {op.place: frozenset(variant.wires[n].name for n in variant.flowing(op)) for op in variant.ops}
    found = Found(
        comparison, case, study.picked.places, gaps, layers, shared, fed_by, variant.upstream, constants, alone, forms
    )
    standing = comparison.standing(case)
    return Explanation(
        study.run.run_id, case, standing.runtime_version if standing else None,
        tuple(map(study.run.number_of, study.picked.places)), study.picked.changed,
        gaps, layers, constants, alone, causes_of(found), tuple(notes), times,
    )  # fmt: skip


def check(study: Study) -> None:
    """Raises ConfigError where there is nothing to look into."""
    names = [variant.name for variant in study.run.variants]
    if study.own.path is None:
        raise ConfigError(f"{study.case.variant} has no file: {study.own.reason}", "give a file of yours with --file")
    if CONTROL not in names or study.control.path is None:
        raise ConfigError("the run has no float32 file to hold the variant against", "measure with -v float32 too")
    if study.case.variant == CONTROL:
        raise ConfigError("float32 is what the others are held against", f"choose one of {', '.join(names)}")
    if study.file and (len(study.run.inputs) > 1 or len(study.run.baseline) > 1):
        told = "which input or output of a file of yours is which is not known where the model has several"
        raise ConfigError(told, "measure it in a run first: [variants] import in experiment.toml")
    if study.file and (why := other_form(*study.graphs)):
        raise ConfigError(f"{study.file} is no file of this model: {why}", "give one of the same inputs and outputs")
    if study.run.clips is not None or any(reset_of(path) != "none" for path in (study.own.path, study.control.path)):
        told = "state is carried from sample to sample, so that none can be looked at by itself"
        raise ConfigError(told, STATELESS)


def other_form(variant: Graph, control: Graph) -> str:
    """Why a file's inputs and outputs are not those of float32's; "" where they are."""
    for what in ("inputs", "outputs"):
        own, exact = ([graph.wires[n].shape for n in getattr(graph, what)] for graph in (variant, control))
        if own != exact:
            return f"its {what} are of {own}, float32's of {exact}"
    return ""


Tensors = dict[int, Numbers]  # what each tensor held, by its index


def layers_of(study: Study, bench: Bench, mine: Tensors, theirs: Tensors, notes: list[str]) -> tuple[Layer, ...]:
    """mine, theirs: of the variant and of float32. notes: get what could not be had."""
    fair = tried("what a layer adds by itself", notes, lambda: fair_outputs(bench, study, mine)) or {}
    return tuple(
        layer_of(pair, theirs[f].read(), mine[v].read(), fair[v].read() if v in fair else None)
        for pair in study.pairs
        if (v := pair.wire.index) in mine and (f := pair.float_wire.index) in theirs
    )


def alone_of(
    study: Study, bench: Bench, mine: Tensors, theirs: Tensors, layers: Sequence[Layer], notes: list[str]
) -> tuple[Alone, ...]:
    """What the layers that add most error do alone."""
    variant, control = study.graphs
    own = [mine[index].read() for _, index in study.goals]
    mixture = Mixture(
        bench, control, variant, study.pairs, theirs, *study.fed(study.control), inputs_of(study), study.goals, own,
        study.logits,
    )  # fmt: skip
    known = (layer for layer in layers if layer.added_db is not None)
    ordered = sorted(known, key=lambda layer: layer.added_db or 0)
    worst = list(dict.fromkeys(layer.place for layer in ordered))[:MOST_ALONE]
    pairs = {pair.op.place: pair for pair in study.pairs if pair.is_first}
    found = [tried(pairs[place].name, notes, partial(mixture.alone, pairs[place])) for place in worst]
    return tuple(each for each in found if each)


def times_of(study: Study, bench: Bench, mine: Tensors, say: Callable[[str], None]) -> OpTimes:
    """How long the variant's ops take, on a device of which a latency is claimed."""
    record = study.run.target(study.case.target)
    if record.emulated:
        return OpTimes(reason="the device is emulated: no claim of latency is made for it")
    stored, affines = study.fed(study.own)
    whole = Timed(WHOLE, study.graphs[0].content, [array[:SAMPLES] for array in stored], affines)
    return op_times(bench, record.target, study.graphs[0], mine, whole, say)


def at_rest(study: Study, theirs: Tensors) -> tuple[Layer, ...]:
    """The ranges of the file beside float32's numbers: what is known of one that does not run."""
    return tuple(layer_of(pair, theirs[pair.float_wire.index].read(), None, None) for pair in study.pairs)


def ranges_between(study: Study, theirs: Tensors) -> Iterator[Layer]:
    """Yields the inputs, and what only changes scales: each has a range of its own, and float32 has no op like it."""
    variant, inputs = study.graphs[0], inputs_of(study)
    for index, exact in inputs.items():
        yield input_layer(variant.wires[index], theirs[exact].read())
    for op in (op for op in variant.ops if op.kind == "QUANTIZE" and variant.flowing(op)):
        wire, source = variant.wires[op.outputs[0]], float_of(op.inputs[0], variant, study.pairs, inputs)
        if source in theirs and op.inputs[0] in inputs:
            yield input_layer(wire, theirs[source].read())
        elif source in theirs:
            yield range_layer(op.place, f"{op.kind} {wire.name}", op.kind, wire, theirs[source].read())


def inputs_of(study: Study) -> dict[int, int]:
    """The variant's input tensors → float32's, by the data's inputs that they are fed with."""
    variant, control = study.graphs
    mine, theirs = (each.feeds or range(len(study.run.inputs)) for each in (study.own, study.control))
    by_data = dict(zip(theirs, control.inputs, strict=True))
    return {index: by_data[n] for index, n in zip(variant.inputs, mine, strict=True)}


def kept(bench: Bench, graph: Graph, study: Study, variant: str = "") -> Tensors:
    """What every tensor that depends on the inputs held, by its index."""
    wanted = [i for op in graph.ops if graph.flowing(op) for i in op.outputs if graph.wires[i].dtype in NUMERIC]
    wanted = sorted({*wanted, *graph.inputs, *graph.outputs})
    own = study.control if variant else study.own
    found = bench.run(graph.content, *study.fed(own), keep=wanted)
    return dict(zip(wanted, found, strict=True))


def fair_outputs(bench: Bench, study: Study, mine: Tensors) -> Tensors:
    """What float32's ops give for what the variant's ops really got, by the variant's output tensor."""
    variant, control = study.graphs
    ops = [pair for pair in study.pairs if pair.is_first and control.can_be_apart(pair.float_op)]
    usable = [pair for pair in ops if known(pair, variant, control, mine)]
    if not usable:
        return {}
    content, fed = control.apart([pair.float_op for pair in usable])
    stored = []
    for pair, tensors in zip(usable, fed, strict=True):
        by_place = {index: pair.op.inputs[n] for n, index in enumerate(pair.float_op.inputs)}
        stored += [mine[by_place[index]].read() for index in tensors]
    given = iter(bench.run(content, stored))
    return {own: next(given) for pair in usable for own, _ in zip(pair.op.outputs, pair.float_op.outputs, strict=True)}


def known(pair: Pair, variant: Graph, control: Graph, mine: Tensors) -> bool:
    """Whether it is known what the variant's op got where float32's gets something."""
    same = len(pair.op.inputs) == len(pair.float_op.inputs)
    return same and all(pair.op.inputs[pair.float_op.inputs.index(i)] in mine for i in control.flowing(pair.float_op))
