"""The weights and biases of a variant held against float32's: the same numbers, as far as steps allow?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from harness.diagnosis.graph import Graph, Wire
from harness.diagnosis.pairs import Pair

FEW_STEPS = 8  # a channel of so few is coarse: its weights are off by a sixteenth of the largest and more
INT32_MAX = 2**31 - 1


@dataclass(frozen=True)
class Constant:
    """A weight or bias tensor of one op. rms_steps: of what differs from float32, in steps. gain: by which factor it
    is float32's, by least squares. coarse: the share of channels whose largest weight is under FEW_STEPS steps; 0 where
    each channel has a scale of its own. spread: the largest weight of the widest over that of the narrowest channel.
    bias: it is one, int32. full: the share of its values at the end of int32.
    """

    name: str
    layer: str
    place: int  # of the op
    rms_steps: float
    gain: float
    coarse: float
    spread: float
    bias: bool
    full: float
    scale_gain: float  # of a bias: its scale over input scale × weight scale, which it has to be; 1 for others


def constants_of(pairs: Sequence[Pair], variant: Graph, control: Graph) -> Iterator[Constant]:
    """Yields each quantised constant of the paired ops whose values float32's file has in the same form; one that
    several ops share is yielded once.
    """
    known: set[int] = set()
    for pair in pairs:
        for n, (mine, theirs) in enumerate(zip(pair.op.inputs, pair.float_op.inputs, strict=False)):
            own, exact = variant.constant(mine), control.constant(theirs)
            if own is None or exact is None or not own.scales or not exact.dtype.startswith("float"):
                continue
            if own.index in known:
                continue
            if own.value is not None and exact.value is not None and own.value.shape == exact.value.shape:
                known.add(own.index)
                yield held(pair, own, exact, scale_gain(pair, own, variant) if n == 2 else 1.0)


def held(pair: Pair, own: Wire, exact: Wire, gain_of_scale: float) -> Constant:
    mine, theirs = own.numbers, exact.numbers
    steps = np.reshape(own.scales, [-1 if n == own.axis and len(own.scales) > 1 else 1 for n in range(mine.ndim)])
    power = float(np.sum(theirs**2))
    assert own.value is not None
    bias = own.value.dtype.itemsize >= 4
    return Constant(
        own.name, pair.name, pair.op.place,
        float(np.sqrt(np.mean(((mine - theirs) / steps) ** 2))),
        float(np.sum(mine * theirs)) / power if power else 1.0,
        *(coarseness(theirs, own) if not bias else (0.0, 1.0)),
        bias, float(np.mean(np.abs(own.value.astype(np.int64)) >= INT32_MAX)) if bias else 0.0, gain_of_scale,
    )  # fmt: skip


def coarseness(exact: np.ndarray, own: Wire) -> tuple[float, float]:
    """The share of coarse channels, and how far the channels' sizes lie apart. Channels: the first axis, or the last of
    a depthwise weight, whose first is 1.
    """
    axis = exact.ndim - 1 if exact.ndim and exact.shape[0] == 1 else 0
    others = tuple(n for n in range(exact.ndim) if n != axis)
    sizes = np.max(np.abs(exact), axis=others) if others else np.ravel(exact)
    sizes = np.abs(sizes[sizes != 0])
    if not len(sizes):
        return 0.0, 1.0
    coarse = float(np.mean(sizes / own.scales[0] < FEW_STEPS)) if len(own.scales) == 1 else 0.0
    return coarse, float(sizes.max() / sizes.min())


def scale_gain(pair: Pair, bias: Wire, variant: Graph) -> float:
    """A bias must have the scale input × weight (the TFLite quantisation specification): by which factor it has not."""
    source, weight = (variant.wires[i] for i in pair.op.inputs[:2])
    if len(source.scales) != 1 or not weight.scales or bias.value is None:
        return 1.0
    wanted = np.broadcast_to(np.asarray(weight.scales) * source.scales[0], len(bias.scales) or 1)
    return float(np.median(np.asarray(bias.scales) / wanted)) if len(wanted) == len(bias.scales) else 1.0
