"""What one layer does to the answers: it alone as in the variant, all others as in float32."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.diagnosis.bench import AS_IT_IS, Bench, Numbers
from harness.diagnosis.graph import CONVERTING, Graph
from harness.diagnosis.pairs import Pair
from harness.metrics.discrepancy import top1
from harness.metrics.task import as_scores
from harness.records import Affine


@dataclass(frozen=True)
class Alone:
    """One layer as in the variant, all others as in float32, over the samples that were looked at.

    error_share: Σ error² of the scored output, over that of the whole variant. flips: answers that differ from
    float32's, None where the task has no classes. from_here, after: the flips that remain where all before this layer,
    and this layer too, is float32 and the rest is the variant; None where the way cannot be cut there.
    """

    place: int
    name: str
    error_share: float
    flips: int | None
    from_here: int | None = None
    after: int | None = None


@dataclass(frozen=True, eq=False)
class Mixture:
    """Two files of one model, and what float32's tensors held for the samples.

    floats: by the index of a float32 tensor. stored, affines: the model's inputs, in the order of float32's file.
    inputs: the variant's input tensors → float32's. scored: the place of the scored output, in float32's file and in
    the variant's. logits: None where the task has no classes. own: the whole variant's scored output.
    """

    bench: Bench
    control: Graph
    variant: Graph
    pairs: tuple[Pair, ...]
    floats: Mapping[int, Numbers]
    stored: Sequence[np.ndarray]
    affines: Sequence[Affine]
    inputs: Mapping[int, int]
    scored: tuple[int, int]
    logits: bool | None
    own: np.ndarray

    @property
    def exact(self) -> np.ndarray:
        return self.floats[self.control.outputs[self.scored[0]]].read()

    def alone(self, pair: Pair) -> Alone | None:
        """None where a part of a file cannot be run by itself."""
        values = self.float_inputs(pair)
        if values is None or not self.variant.can_be_apart(pair.op):
            return None
        content, _ = self.variant.apart([pair.op])
        given = self.bench.run(content, values)
        mixed = self.float_rest(pair, given)
        wrong = squares(self.own - self.exact)
        share = squares(mixed - self.exact) / wrong if wrong else 0.0
        return Alone(
            pair.op.place, pair.name, share, self.flips(mixed), self.rest_from(pair.op.place),
            self.rest_from(pair.op.place + 1),
        )  # fmt: skip

    def float_inputs(self, pair: Pair) -> list[np.ndarray] | None:
        """What float32's op gets where the variant's gets its own."""
        own = dict.fromkeys(self.variant.flowing(pair.op))
        by_place = {index: pair.float_op.inputs[n] for n, index in enumerate(pair.op.inputs)}
        if any(by_place[index] not in self.floats for index in own):
            return None
        return [self.floats[by_place[index]].read() for index in own]

    def float_rest(self, pair: Pair, given: Sequence[Numbers]) -> np.ndarray:
        """The scored output where these are what the op gives, and everything else is float32."""
        goal, outputs = self.control.outputs[self.scored[0]], list(pair.float_op.outputs)
        if goal in outputs:
            return given[outputs.index(goal)].read().reshape(self.exact.shape)
        content = self.control.part([*self.control.inputs, *outputs], [goal])
        stored = [*self.stored, *(each.read() for each in given)]
        return self.bench.run(content, stored, [*self.affines, *[AS_IT_IS] * len(given)])[0].read()

    def rest_from(self, place: int) -> int | None:
        """The flips where all ops before this place are float32, and the others the variant's; None where the way
        cannot be cut there, or there are no classes.
        """
        goal = self.variant.outputs[self.scored[1]]
        rest = [op for op in self.variant.ops if op.place >= place]
        if self.logits is None or not rest or not all(self.variant.can_be_apart(op) for op in rest):
            return 0 if self.logits is not None and not rest else None
        made = {output for op in rest for output in op.outputs}
        live = list(dict.fromkeys(i for op in rest for i in self.variant.flowing(op) if i not in made))
        known = [self.float_of(index) for index in live]
        if goal not in made or not live or any(index not in self.floats for index in known):
            return None
        content = self.variant.part(live, [goal])
        stored = [self.floats[index].read() for index in known if index is not None]
        return self.flips(self.bench.run(content, stored)[0].read())

    def float_of(self, index: int) -> int | None:
        """The float32 tensor of which a tensor of the variant has the numbers."""
        for pair in self.pairs:
            if index in pair.op.outputs:
                return pair.float_op.outputs[pair.op.outputs.index(index)]
        if index in self.inputs:
            return self.inputs[index]
        maker = self.variant.makers.get(index)
        return self.float_of(maker.inputs[0]) if maker and maker.kind in CONVERTING else None

    def flips(self, output: np.ndarray) -> int | None:
        if self.logits is None:
            return None
        one, other = (top1(as_scores(each, self.logits)) for each in (self.exact, output.reshape(self.exact.shape)))
        return int(np.sum(one != other))


def squares(error: np.ndarray) -> float:
    return float(np.sum(error.astype(np.float64) ** 2))
