"""What a .tflite file really is: its inputs and outputs, ops, weights and what flows between the ops."""

from __future__ import annotations

import math
import re
import struct
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import BuildError
from harness.records import Tensor
from harness.variants import Expectation

CONVERTING = {"QUANTIZE", "DEQUANTIZE"}


@dataclass(frozen=True)
class Artifact:
    """Facts read from the file, not from what the converter was asked for.

    weights: dtype → how many constant values are of it. activations: dtypes between ops, conversions at the edges
    aside. activation_bytes: of all tensors that are no constants, an upper bound of what a runtime lets them share;
    None where one has no fixed size.
    """

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    ops: tuple[str, ...]
    weights: dict[str, int]
    activations: frozenset[str]
    activation_bytes: int | None = None


def inspect(path: Path) -> Artifact:
    """Reads the first subgraph of a .tflite file. Raises BuildError where it is none."""
    from ai_edge_litert import schema_py_generated as schema

    content = path.read_bytes()
    if content[4:8] != b"TFL3":
        raise BuildError(f"{path} is no TFLite file", "convert the model again")
    try:
        model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    except (struct.error, IndexError, ValueError) as error:
        raise BuildError(f"{path} is no whole TFLite file: {error}", "convert the model again") from error
    graph = model.subgraphs[0]
    dtypes = names_of(schema.TensorType)
    weights: Counter[str] = Counter()
    for tensor in graph.tensors:
        if is_constant(model, tensor):
            weights[dtypes[tensor.type]] += values_in(tensor)
    return Artifact(
        tuple(as_tensor(graph.tensors[i], dtypes) for i in graph.inputs),
        tuple(as_tensor(graph.tensors[i], dtypes) for i in graph.outputs),
        tuple(op for op, _ in operators(schema, model)),
        dict(weights),
        frozenset(activation_dtypes(schema, model, dtypes)),
        activation_bytes(model, dtypes),
    )


def faults(artifact: Artifact, expected: Expectation, parameters: int) -> list[str]:
    """Where the file is not what its recipe promised, in words; empty where it is.

    Half of the parameters must be there, not all: a converter drops biases of zero and folds normalisation away.
    """
    found = [
        f"{kind} {tensor.name} is {tensor.dtype}, not {expected.io}"
        for kind, tensors in (("input", artifact.inputs), ("output", artifact.outputs))
        for tensor in tensors
        if tensor.dtype != expected.io
    ]
    found += [
        f"{tensor.name} is {tensor.dtype} without a scale"
        for tensor in artifact.inputs + artifact.outputs
        if tensor.dtype.startswith("int") and tensor.scale is None and expected.io != "float32"
    ]
    if expected.activations not in artifact.activations:
        found.append(f"none of its ops computes in {expected.activations}")
    elif expected.activations != "float32" and "float32" in artifact.activations:
        found.append(f"some of its ops compute in float32, not in {expected.activations}")
    held, kept = sum(artifact.weights.values()), artifact.weights.get(expected.weights, 0)
    if held < parameters / 2:
        found.append(f"it holds {held} weights of the model's {parameters}")
    elif kept < parameters / 2:
        found.append(f"only {kept} of its {parameters} weights are {expected.weights}")
    return found


def names_of(enum: Any) -> dict[int, str]:
    return {value: name.lower() for name, value in vars(enum).items() if not name.startswith("_")}


def is_constant(model: Any, tensor: Any) -> bool:
    data = model.buffers[tensor.buffer].data
    return data is not None and len(data) > 0


def values_in(tensor: Any) -> int:
    count = 1
    for length in tensor.shape if tensor.shape is not None else []:
        count *= int(length)
    return count


def activation_bytes(model: Any, dtypes: dict[int, str]) -> int | None:
    """Bytes of every tensor that is no constant, as if each had memory of its own. A batch that is open counts as 1."""
    sizes = [tensor_bytes(t, dtypes[t.type]) for t in model.subgraphs[0].tensors if not is_constant(model, t)]
    known = [size for size in sizes if size is not None]
    return sum(known) if len(known) == len(sizes) else None


def tensor_bytes(tensor: Any, dtype: str) -> int | None:
    """None for strings, resources and variants, which have no fixed size."""
    bits = re.match(r"[a-z]+(\d+)", dtype.replace("bool", "bool8"))  # the schema's names say it: bfloat16, int4
    return math.ceil(values_in(tensor) * int(bits[1]) / 8) if bits else None


def as_tensor(tensor: Any, dtypes: dict[int, str]) -> Tensor:
    quantisation = tensor.quantization
    scaled = quantisation is not None and quantisation.scale is not None and len(quantisation.scale) > 0
    return Tensor(
        tensor.name.decode(),
        dtypes[tensor.type],
        tuple(int(n) for n in tensor.shape),
        float(quantisation.scale[0]) if scaled else None,
        int(quantisation.zeroPoint[0]) if scaled else None,
    )


def operators(schema: Any, model: Any) -> Iterator[tuple[str, Any]]:
    """(name, operator) in execution order."""
    names = names_of(schema.BuiltinOperator)
    for operator in model.subgraphs[0].operators:
        code = model.operatorCodes[operator.opcodeIndex]
        # A file older than schema 3a keeps the op in the deprecated field; a newer one holds the larger of the two.
        yield names[max(code.builtinCode, code.deprecatedBuiltinCode)].upper(), operator


def activation_dtypes(schema: Any, model: Any, dtypes: dict[int, str]) -> Iterator[str]:
    """The dtypes of what ops that compute pass on; constants and the conversions themselves do not count."""
    tensors = model.subgraphs[0].tensors
    for name, operator in operators(schema, model):
        if name not in CONVERTING:
            touched = [tensors[i] for i in [*operator.inputs, *operator.outputs] if i >= 0]
            yield from (dtypes[t.type] for t in touched if not is_constant(model, t))
