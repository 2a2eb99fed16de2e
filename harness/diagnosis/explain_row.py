"""A stored run and one of its rows → why its answers are others than the baseline's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np

from harness.diagnosis.alone import Alone, Mixture
from harness.diagnosis.bench import Bench, Numbers
from harness.diagnosis.causes import Found, causes_of
from harness.diagnosis.constants import constants_of
from harness.diagnosis.explanation import Explanation
from harness.diagnosis.gaps import gaps_of
from harness.diagnosis.graph import NUMERIC, Graph, open_graph
from harness.diagnosis.layers import Layer, input_layer, layer_of
from harness.diagnosis.pairs import Pair, paired, ranges
from harness.diagnosis.picked import MOST_SAMPLES, Picked, picked
from harness.errors import ConfigError, JobFailed
from harness.measure.model_state import reset_of
from harness.metrics.discrepancy import top1
from harness.metrics.task import are_logits, as_scores, output_index
from harness.metrics.task_table import OF_CLASSES
from harness.records import CONTROL, Affine, Case, Comparison, Run, Variant
from harness.support.arrays import pick

MOST_ALONE = 6  # layers that are looked at alone: those that add the most error
LOW_AGREEMENT = 0.7  # with float32: under it, other forms of the input are tried


@dataclass(frozen=True)
class Study:
    """One row and what is needed to look into it."""

    comparison: Comparison
    case: Case
    most: int = MOST_SAMPLES
    file: Path | None = None  # instead of the variant's, which then needs not be of the run

    @property
    def run(self) -> Run:
        return self.comparison.run

    @cached_property
    def own(self) -> Variant:
        if self.file:
            return Variant(self.case.variant, "import", self.file)
        return self.run.variant(self.case.variant)

    @cached_property
    def control(self) -> Variant:
        return self.run.variant(CONTROL)

    @cached_property
    def graphs(self) -> tuple[Graph, Graph]:
        """The variant's and float32's."""
        assert self.own.path and self.control.path
        return open_graph(self.own.path), open_graph(self.control.path)

    @cached_property
    def pairs(self) -> tuple[Pair, ...]:
        return paired(*self.graphs)

    @cached_property
    def picked(self) -> Picked:
        control = self.graphs[1]
        flowing = [w for op in control.ops for i in op.outputs if (w := control.wires[i]).dtype in NUMERIC]
        size = sum(int(np.prod([max(1, n) for n in wire.shape])) * 4 for wire in flowing)
        return picked(self.comparison, self.case, size, self.most)

    def fed(self, variant: Variant) -> tuple[list[np.ndarray], list[Affine]]:
        """The picked samples as stored, in the order of a file's inputs, and their affines."""
        feeds = variant.feeds or range(len(self.run.inputs))
        places = np.array(self.picked.places)
        affines = self.run.affines or (Affine(),) * len(self.run.inputs)
        return [pick(self.run.inputs[n], places) for n in feeds], [affines[n] for n in feeds]

    @property
    def scored(self) -> tuple[int, int]:
        """The place of the scored output in float32's file, and in the variant's."""
        n = output_index(self.run.scoring.output, self.run.output_names)
        return tuple(each.yields[n] if each.yields else n for each in (self.control, self.own))  # type: ignore[return-value]

    @property
    def logits(self) -> bool | None:
        return are_logits(self.comparison.baseline) if self.run.task in OF_CLASSES else None


def explain(study: Study, bench: Bench) -> Explanation:
    """Looks into a row. Raises ConfigError where it cannot be."""
    check(study)
    comparison, case = study.comparison, study.case
    gaps = gaps_of(comparison, case)
    variant, control = study.graphs
    constants = tuple(constants_of(study.pairs, variant, control))
    notes = [study.picked.left_out] if study.picked.left_out else []
    missing = len([op for op in control.ops if control.flowing(op)]) - len(study.pairs)
    if missing > 0:
        notes.append(f"{missing} of float32's ops have no op like it in this file, and are not looked into")
    theirs = kept(bench.of(CONTROL), control, study, CONTROL)
    try:
        layers, alone = looked_into(study, bench, theirs)
        forms = tuple(input_forms(study, bench))
    except JobFailed as error:
        layers, alone, forms = at_rest(study, theirs), (), ()
        notes.append(f"the file does not run, so it is looked into as it lies there: {error}")
    inputs = [input_layer(variant.wires[n], theirs[other].read()) for n, other in inputs_of(study).items()]
    layers = (*inputs, *layers)
    shared = tuple(frozenset(variant.wires[n].name for n in members) for members, _ in ranges(variant))
    fed_by = {op.place: frozenset(variant.wires[n].name for n in variant.flowing(op)) for op in variant.ops}
    found = Found(comparison, case, study.picked.places, gaps, layers, shared, fed_by, constants, alone, forms)
    standing = comparison.standing(case)
    return Explanation(
        study.run.run_id, case, standing.runtime_version if standing else None,
        tuple(map(study.run.number_of, study.picked.places)), study.picked.changed,
        gaps, layers, constants, alone, causes_of(found), tuple(notes),
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
    if study.run.clips is not None or reset_of(study.own.path) != "none":
        raise ConfigError("the model keeps state, so that a sample cannot be looked at by itself", "look at float32")


def looked_into(study: Study, bench: Bench, theirs: dict[int, Numbers]) -> tuple[tuple[Layer, ...], tuple[Alone, ...]]:
    """The layers, and what those that add most error do alone. theirs: what float32's tensors held."""
    variant, control = study.graphs
    mine = kept(bench, variant, study)
    fair = fair_outputs(bench, study, mine)
    layers = tuple(
        layer_of(pair, theirs[f].read(), mine[v].read(), fair[v].read() if v in fair else None)
        for pair in study.pairs
        if (v := pair.op.outputs[0]) in mine and (f := pair.float_op.outputs[0]) in theirs
    )
    mixture = Mixture(
        bench, control, variant, study.pairs, theirs, *study.fed(study.control), inputs_of(study), study.scored,
        study.logits, mine[variant.outputs[study.scored[1]]].read(),
    )  # fmt: skip
    known = (layer for layer in layers if layer.added_db is not None)
    worst = sorted(known, key=lambda layer: layer.added_db or 0)[:MOST_ALONE]
    pairs = {pair.op.place: pair for pair in study.pairs}
    alone = [mixture.alone(pairs[layer.place]) for layer in worst]
    return layers, tuple(each for each in alone if each)


def at_rest(study: Study, theirs: dict[int, Numbers]) -> tuple[Layer, ...]:
    """The ranges of the file beside float32's numbers: what is known of one that does not run."""
    return tuple(layer_of(pair, theirs[pair.float_op.outputs[0]].read(), None, None) for pair in study.pairs)


def inputs_of(study: Study) -> dict[int, int]:
    """The variant's input tensors → float32's, by the data's inputs that they are fed with."""
    variant, control = study.graphs
    mine, theirs = (each.feeds or range(len(study.run.inputs)) for each in (study.own, study.control))
    by_data = dict(zip(theirs, control.inputs, strict=True))
    return {index: by_data[n] for index, n in zip(variant.inputs, mine, strict=True)}


def kept(bench: Bench, graph: Graph, study: Study, variant: str = "") -> dict[int, Numbers]:
    """What every tensor that depends on the inputs held, by its index."""
    wanted = [i for op in graph.ops if graph.flowing(op) for i in op.outputs if graph.wires[i].dtype in NUMERIC]
    wanted = sorted({*wanted, *graph.inputs, *graph.outputs})
    own = study.control if variant else study.own
    found = bench.run(graph.content, *study.fed(own), keep=wanted)
    return dict(zip(wanted, found, strict=True))


def fair_outputs(bench: Bench, study: Study, mine: dict[int, Numbers]) -> dict[int, Numbers]:
    """What float32's ops give for what the variant's ops really got, by the variant's output tensor."""
    variant, control = study.graphs
    usable = [
        pair for pair in study.pairs if control.can_be_apart(pair.float_op) and known(pair, variant, control, mine)
    ]
    if not usable:
        return {}
    content, fed = control.apart([pair.float_op for pair in usable])
    stored = []
    for pair, tensors in zip(usable, fed, strict=True):
        by_place = {index: pair.op.inputs[n] for n, index in enumerate(pair.float_op.inputs)}
        stored += [mine[by_place[index]].read() for index in tensors]
    outputs = bench.run(content, stored)
    counts = [len(pair.float_op.outputs) for pair in usable]
    firsts = np.cumsum([0, *counts])
    return {pair.op.outputs[0]: outputs[first] for pair, (first, _) in zip(usable, pairwise(firsts), strict=True)}


def known(pair: Pair, variant: Graph, control: Graph, mine: dict[int, Numbers]) -> bool:
    """Whether it is known what the variant's op got where float32's gets something."""
    same = len(pair.op.inputs) == len(pair.float_op.inputs)
    return same and all(pair.op.inputs[pair.float_op.inputs.index(i)] in mine for i in control.flowing(pair.float_op))


# --- other forms of the input ---


def input_forms(study: Study, bench: Bench) -> Sequence[tuple[str, float, float]]:
    """Where the file hardly agrees with float32: how it does with its inputs in other forms that programs use."""
    comparison, places = study.comparison, list(study.picked.places)
    rows, control = comparison.samples.get(study.case), replace(study.case, variant=CONTROL)
    if rows is None or study.logits is None or control not in comparison.samples or len(study.run.inputs) != 1:
        return []
    theirs = comparison.samples[control]["prediction"][places]
    agreement = float(np.mean(comparison.samples[control]["prediction"] == rows["prediction"]))
    if agreement >= LOW_AGREEMENT:
        return []
    (stored,), (affine,) = study.fed(study.own)
    found = []
    for what, other, form in forms_of(stored, affine):
        output = bench.run(study.graphs[0].content, [other], [form])[study.scored[1]].read()
        said = top1(as_scores(output.reshape(len(places), -1), study.logits))
        found.append((what, agreement, float(np.mean(said == theirs))))
    return found


def forms_of(stored: np.ndarray, affine: Affine) -> list[tuple[str, np.ndarray, Affine]]:
    def scaled(factor: float, offset: float) -> Affine:
        return Affine(affine.scale * factor, affine.offset * factor + offset)

    forms = [
        ("its inputs × 255", stored, scaled(255, 0)),
        ("its inputs ÷ 255", stored, scaled(1 / 255, 0)),
        ("its inputs from −1 to 1 instead of 0 to 1", stored, scaled(2, -1)),
        ("its inputs from 0 to 1 instead of −1 to 1", stored, scaled(0.5, 0.5)),
        ("its inputs from −1 to 1 instead of 0 to 255", stored, scaled(1 / 127.5, -1)),
        ("its inputs from 0 to 255 instead of −1 to 1", stored, scaled(127.5, 127.5)),
        ("its inputs as 1 − input", stored, scaled(-1, 1)),
    ]
    if stored.ndim == 4 and stored.shape[-1] == 3:
        forms.append(("the colour channels in the other order", np.ascontiguousarray(stored[..., ::-1]), affine))
    if stored.ndim >= 3 and stored.shape[1] == stored.shape[2]:
        forms.append(("height and width changed places", np.ascontiguousarray(np.swapaxes(stored, 1, 2)), affine))
    return forms
