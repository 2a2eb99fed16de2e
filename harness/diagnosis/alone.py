"""What one layer does to the answers: it alone as in the variant, all others as in float32."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import isfinite

import numpy as np

from harness.diagnosis.bench import AS_IT_IS, Bench, Numbers
from harness.diagnosis.graph import Graph
from harness.diagnosis.pairs import Pair, float_of
from harness.metrics.discrepancy import top1
from harness.metrics.task import as_scores
from harness.records import Affine


@dataclass(frozen=True)
class Alone:
    """One layer as in the variant, all others as in float32, over the samples that were looked at.

    error_share: Σ error² of what the task reads, each output by its own variance, over that of the whole variant.
    flips: answers that differ from float32's, None where the task has no classes. from_here, after: the flips that
    remain where all before this layer, and this layer too, is float32 and the rest is the variant; None where the way
    cannot be cut there.
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
    inputs: the variant's input tensors → float32's. goals: what the task reads, as tensors of float32's file and of
    the variant's, the scored output first. own: what the whole variant gives for each of them. logits: None where
    there are no classes.
    """

    bench: Bench
    control: Graph
    variant: Graph
    pairs: tuple[Pair, ...]
    floats: Mapping[int, Numbers]
    stored: Sequence[np.ndarray]
    affines: Sequence[Affine]
    inputs: Mapping[int, int]
    goals: Sequence[tuple[int, int]]
    own: Sequence[np.ndarray]
    logits: bool | None

    @cached_property
    def exact(self) -> list[np.ndarray]:
        return [self.floats[goal].read() for goal, _ in self.goals]

    def alone(self, pair: Pair) -> Alone | None:
        """None where a part of a file cannot be run by itself, or gives what is not finite. Raises JobFailed."""
        values = self.float_inputs(pair)
        if values is None or not self.variant.can_be_apart(pair.op):
            return None
        content, _ = self.variant.apart([pair.op])
        given = self.bench.run(content, values)
        mixed = self.float_rest(pair, given)
        wrong = self.error_of(self.own)
        share = self.error_of(mixed) / wrong if wrong else 0.0
        if not isfinite(share):
            return None
        here, after = self.rest_from(pair.op.place), self.rest_from(pair.op.place + 1)
        return Alone(pair.op.place, pair.name, share, self.flips(mixed[0]), here, after)

    def error_of(self, outputs: Sequence[np.ndarray]) -> float:
        """Σ error² of each output by the variance of its own, so that no unit counts more than another."""
        pairs = zip(outputs, self.exact, strict=True)
        return sum(squares(one.reshape(exact.shape) - exact) / variance(exact) for one, exact in pairs)

    def float_inputs(self, pair: Pair) -> list[np.ndarray] | None:
        """What float32's op gets where the variant's gets its own."""
        own = dict.fromkeys(self.variant.flowing(pair.op))
        by_place = {index: pair.float_op.inputs[n] for n, index in enumerate(pair.op.inputs)}
        if any(by_place[index] not in self.floats for index in own):
            return None
        return [self.floats[by_place[index]].read() for index in own]

    def float_rest(self, pair: Pair, given: Sequence[Numbers]) -> list[np.ndarray]:
        """What the task reads where these are what the op gives, and everything else is float32."""
        outputs = list(pair.float_op.outputs)
        goals = [goal for goal, _ in self.goals]
        asked = [goal for goal in goals if goal not in outputs]
        content = self.control.part([*self.control.inputs, *outputs], asked) if asked else b""
        stored = [*self.stored, *(each.read() for each in given)]
        affines = [*self.affines, *[AS_IT_IS] * len(given)]
        found = dict(zip(asked, self.bench.run(content, stored, affines), strict=True)) if asked else {}
        return [(found[goal] if goal in found else given[outputs.index(goal)]).read() for goal in goals]

    def rest_from(self, place: int) -> int | None:
        """The flips where all ops before this place are float32, and the others the variant's; None where the way
        cannot be cut there, or there are no classes.
        """
        rest, (_, goal) = [op for op in self.variant.ops if op.place >= place], self.goals[0]
        if self.logits is None:
            return None
        if not rest:
            return 0
        made = {output for op in rest for output in op.outputs}
        live = list(dict.fromkeys(i for op in rest for i in self.variant.flowing(op) if i not in made))
        known = [index for index in map(self.float_of, live) if index in self.floats]
        if goal not in made or len(known) != len(live) or not all(map(self.variant.can_be_apart, rest)):
            return None
        stored = [self.floats[index].read() for index in known if index is not None]
        return self.flips(self.bench.run(self.variant.part(live, [goal]), stored)[0].read())

    def float_of(self, index: int) -> int | None:
        return float_of(index, self.variant, self.pairs, self.inputs)

    def flips(self, output: np.ndarray) -> int | None:
        if self.logits is None:
            return None
        exact = self.exact[0]
        one, other = (top1(as_scores(each, self.logits)) for each in (exact, output.reshape(exact.shape)))
        return int(np.sum(one != other))


def variance(values: np.ndarray) -> float:
    return float(np.var(values, dtype=np.float64)) or 1.0


def squares(error: np.ndarray) -> float:
    return float(np.sum(error.astype(np.float64) ** 2))
