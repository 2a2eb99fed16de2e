"""TensorFlow's quantiser of int8, told which layers stay in float32, and what ranges tensors have.

The converter hands its quantiser a float file with the range that each tensor had over the calibration samples, and
takes the names of layers to leave alone, though no option of the converter's says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from harness.build.variants.ranges import Samples, with_ranges
from harness.build.variants.repeatable import NAME
from harness.errors import BuildError
from harness.records.adjusted import WHOLE_RANGE, Adjusted
from harness.support.globs import is_named

OLD = "this TensorFlow's quantiser cannot be told to keep layers in float32, or other ranges"


@contextmanager
def adjusted_quantizer(adjusted: Adjusted | None, samples: Callable[[], Samples]) -> Iterator[set[str]]:
    """Converters used inside quantise as a recipe file says. None: as they do. Gives a set that gets the names of the
    layers which are left alone. Raises BuildError.
    """
    left: set[str] = set()
    if adjusted is None or not adjusted.changes_quantiser:
        yield left
        return
    from tensorflow.lite.python import lite

    original = getattr(lite, NAME, None)
    if original is None:
        raise BuildError(OLD, "build with a TensorFlow that the extra `build` asks for")

    def quantise(content: bytes, *args: Any, **kwargs: Any) -> bytes:
        kept = kept_layers(content, adjusted.keep_float)
        left.update(kept)
        told = {"denylisted_nodes": kept} if kept else {}
        return bytes(original(ranged(content, adjusted.ranges, samples), *args, **kwargs, **told))

    setattr(lite, NAME, quantise)
    try:
        yield left
    finally:
        setattr(lite, NAME, original)


def ranged(content: bytes, ranges: str, samples: Callable[[], Samples]) -> bytes:
    return content if ranges == WHOLE_RANGE else with_ranges(bytes(content), samples(), ranges)


def kept_layers(content: bytes, asked: tuple[str, ...]) -> set[str]:
    """The names of the tensors by which the quantiser knows the layers that were asked for. Raises BuildError for a
    name that no layer has.
    """
    from tensorflow.lite.tools import flatbuffer_utils

    (graph, *_) = flatbuffer_utils.read_model_from_bytearray(bytearray(content)).subgraphs
    names = [graph.tensors[place].name.decode() for op in graph.operators for place in op.outputs]
    if lost := [each for each in asked if not any(is_named(name, each) for name in names)]:
        told = f"no layer is called {', '.join(lost)}"
        raise BuildError(told, "keep_float takes the names that `harness explain` gives, or globs")
    return {name for name in names if any(is_named(name, each) for each in asked)}
