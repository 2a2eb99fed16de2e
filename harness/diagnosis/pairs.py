"""The ops of a variant's file beside those of float32's: the converter gives both files the same tensor names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.diagnosis.graph import CONVERTING, Graph, Op, Wire

# Ops that must leave the scale as it is: what goes in and what comes out share one range.
SAME_SCALE = frozenset(
    {"RESHAPE", "TRANSPOSE", "PAD", "SLICE", "STRIDED_SLICE", "SQUEEZE", "EXPAND_DIMS", "MAX_POOL_2D", "CONCATENATION",
     "AVERAGE_POOL_2D", "SPLIT", "SPLIT_V", "PACK", "UNPACK", "GATHER", "BATCH_TO_SPACE_ND", "SPACE_TO_BATCH_ND",
     "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "SPACE_TO_DEPTH", "DEPTH_TO_SPACE", "MIRROR_PAD", "REVERSE_V2",
     "MAXIMUM", "MINIMUM", "RELU", "TILE", "BROADCAST_TO"}
)  # fmt: skip
# Ops whose output has one scale by the specification, whatever the data.
# Steps to 1 of int8 and of int16, by the TFLite quantisation specification; None where it has none.
FIXED_SCALE: dict[str, tuple[int, int | None]] = {
    "SOFTMAX": (256, 32768), "LOGISTIC": (256, 32768), "TANH": (128, 32768), "L2_NORMALIZATION": (128, None),
    "LOG_SOFTMAX": (16, None),
}  # fmt: skip


LEFT_OUT = CONVERTING | {"CUSTOM"}  # what only turns numbers into others; what may leave rows unwritten


@dataclass(frozen=True)
class Pair:
    """One op of the variant and the same op of float32's file, with a tensor that each gives: of several outputs there
    is a pair each.
    """

    op: Op
    float_op: Op
    wire: Wire
    float_wire: Wire

    @property
    def is_first(self) -> bool:
        """Whether it is of the op's first output: what is said of the op itself is said there."""
        return self.wire.index == self.op.outputs[0]

    @property
    def name(self) -> str:
        """What a reader may know it by: its kind, and the last words of the layer that it was."""
        layer = next((part for part in self.wire.name.split(";") if "/" in part), self.wire.name)
        words = [word for word in layer.split("/")[-3:-1] if word]
        name = f"{self.op.kind} {'/'.join(words) or layer}".strip()
        return name if self.is_first else f"{name}, output {1 + self.op.outputs.index(self.wire.index)}"


def paired(variant: Graph, control: Graph) -> tuple[Pair, ...]:
    """The ops that both files have, in the variant's order: by the name of what they give, else by kind, shape and
    order. What only turns numbers into others is left out.
    """
    mine, theirs = working(variant), working(control)
    by_name = {control.wires[op.outputs[0]].name: op for op in theirs}
    found = {op.place: by_name.pop(name) for op in mine if (name := variant.wires[op.outputs[0]].name) in by_name}
    free = [op for op in theirs if op not in found.values()]
    for op in mine:
        if op.place in found:
            continue
        like = next((other for other in free if form(control, other) == form(variant, op)), None)
        if like:
            free.remove(like)
            found[op.place] = like
    same = [op for op in mine if op.place in found and form(variant, op) == form(control, found[op.place])]
    return tuple(
        Pair(op, found[op.place], variant.wires[own], control.wires[exact])
        for op in same
        for own, exact in zip(op.outputs, found[op.place].outputs, strict=False)
    )


def working(graph: Graph) -> list[Op]:
    """The ops that compute something of the model's inputs."""
    return [op for op in graph.ops if op.kind not in LEFT_OUT and op.outputs and graph.flowing(op)]


def form(graph: Graph, op: Op) -> tuple[str, tuple[int, ...]]:
    return op.kind, graph.wires[op.outputs[0]].shape


def float_of(index: int, variant: Graph, pairs: Sequence[Pair], inputs: Mapping[int, int]) -> int | None:
    """The float32 tensor of which a tensor of the variant has the numbers. inputs: the variant's → float32's."""
    for pair in pairs:
        if index in pair.op.outputs:
            return pair.float_op.outputs[pair.op.outputs.index(index)]
    if index in inputs:
        return inputs[index]
    maker = variant.makers.get(index)
    return float_of(maker.inputs[0], variant, pairs, inputs) if maker and maker.kind in CONVERTING else None


def scale_of(graph: Graph, index: int) -> tuple[tuple[float, ...], tuple[int, ...]]:
    return graph.wires[index].scales, graph.wires[index].zero_points


def ranges(graph: Graph) -> Iterator[tuple[frozenset[int], Wire]]:
    """Yields each group of tensors that share one range, by ops that leave the scale as it is, and one of them."""
    group = {n: {n} for n in range(len(graph.wires))}
    for op in graph.ops:
        if op.kind not in SAME_SCALE:
            continue
        for index in (*graph.flowing(op), *op.outputs):
            one, other = group[op.outputs[0]], group[index]
            if one is not other and scale_of(graph, op.outputs[0]) == scale_of(graph, index):
                one |= other
                for member in other:
                    group[member] = one
    for members in {id(each): frozenset(each) for each in group.values()}.values():
        yield members, graph.wires[min(members)]
