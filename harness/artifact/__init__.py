"""What a .tflite file really is: its inputs and outputs, ops, weights and what flows between the ops."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.artifact.binding import plain
from harness.errors import BuildError
from harness.records import Tensor
from harness.variants import Expectation

CONVERTING = {"QUANTIZE", "DEQUANTIZE"}
SMALL = "the converter leaves tensors of fewer than 1,024 values as they are"


@dataclass(frozen=True)
class Artifact:
    """Facts read from the file, not from what the converter was asked for.

    Of ops and weights all subgraphs count: the bodies of loops are such. A custom op is listed by its own name.
    weights: dtype → how many constant values are of it. activations: dtypes between ops, conversions at the edges
    aside. activation_bytes: of all tensors that are no constants, an upper bound of what a runtime lets them share;
    None where one has no fixed size. input_names, output_names: what the signature calls them, () where it has none.
    """

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    ops: tuple[str, ...]
    weights: dict[str, int]
    activations: frozenset[str]
    activation_bytes: int | None = None
    input_names: tuple[str, ...] = ()
    output_names: tuple[str, ...] = ()
    signatures: tuple[str, ...] = ()

    @property
    def named_inputs(self) -> tuple[Tensor, ...]:
        """By the names that a user knows."""
        return named(self.inputs, self.input_names)

    @property
    def named_outputs(self) -> tuple[Tensor, ...]:
        return named(self.outputs, self.output_names)


def named(tensors: Sequence[Tensor], names: Sequence[str]) -> tuple[Tensor, ...]:
    known = names or [plain(tensor.name) for tensor in tensors]
    return tuple(replace(tensor, name=name) for tensor, name in zip(tensors, known, strict=True))


def inspect(path: Path) -> Artifact:
    """Reads a .tflite file. Raises BuildError where it is none."""
    content = path.read_bytes()
    if content[4:8] != b"TFL3":
        raise BuildError(f"{path} is no TFLite file", "convert the model again")
    try:
        return read(content)
    except Exception as error:  # flatbuffers checks nothing: what is damaged ends in any of seven
        told = f"{path} is no whole TFLite file: {type(error).__name__}: {error}"
        raise BuildError(told, "convert the model again") from error


def read(content: bytes) -> Artifact:
    """Raises whatever a damaged file leads to."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    graph = model.subgraphs[0]
    dtypes = names_of(schema.TensorType)
    signatures = [s for s in model.signatureDefs or [] if s.subgraphIndex == 0]
    return Artifact(
        tuple(as_tensor(graph.tensors[i], dtypes) for i in graph.inputs),
        tuple(as_tensor(graph.tensors[i], dtypes) for i in graph.outputs),
        tuple(op for op, *_ in operators(schema, model)),
        dict(weights_of(model, dtypes)),
        frozenset(activation_dtypes(schema, model, dtypes)),
        activation_bytes(model, dtypes),
        signature_names(signatures[0].inputs, graph.inputs) if signatures else (),
        signature_names(signatures[0].outputs, graph.outputs) if signatures else (),
        tuple(s.signatureKey.decode() for s in model.signatureDefs or []),
    )


def weights_of(model: Any, dtypes: dict[int, str]) -> Counter[str]:
    """dtype → constant values, each buffer once."""
    held = {t.buffer: t for graph in model.subgraphs for t in graph.tensors if is_constant(model, t)}
    weights: Counter[str] = Counter()
    for tensor in held.values():
        weights[dtypes[tensor.type]] += values_in(tensor)
    return weights


def signature_names(signature: Any, places: Any) -> tuple[str, ...]:
    """What the signature calls the graph's inputs or outputs, in the graph's order; () where it leaves one out."""
    known = {entry.tensorIndex: entry.name.decode() for entry in signature or []}
    return tuple(known[i] for i in places) if all(i in known for i in places) else ()


def check_form(artifact: Artifact) -> None:
    """Raises BuildError where the file cannot be run a sample at a time."""
    if len(artifact.signatures) > 1:
        told = f"it has {len(artifact.signatures)} signatures ({', '.join(artifact.signatures)})"
        raise BuildError(told, "convert the model with one: the harness runs one")
    for kind, tensors in (("input", artifact.inputs), ("output", artifact.outputs)):
        for tensor in tensors:
            if tensor.shape[:1] != (1,):
                what = f"a batch of {tensor.shape[0]}" if tensor.shape else "no batch at all"
                raise BuildError(f"{kind} {plain(tensor.name)} has {what}", "convert the model with a batch of 1")


def faults(
    artifact: Artifact, expected: Expectation | None, parameters: int, integers: frozenset[str] = frozenset()
) -> list[str]:
    """Where the file is not what its recipe promised, in words; empty where it is.

    expected: None for a recipe that promises nothing. integers: dtypes that the model itself takes or gives, such as
    of token ids, which no recipe changes. Half of the parameters must be there, not all: a converter drops biases of
    zero and folds normalisation away.
    """
    held = sum(artifact.weights.values())
    lost = [f"it holds {held} weights of the model's {parameters}"] if held < parameters / 2 else []
    if expected is None:
        return lost
    found = [
        f"{kind} {tensor.name} is {tensor.dtype}, not {expected.io}"
        for kind, tensors in (("input", artifact.inputs), ("output", artifact.outputs))
        for tensor in tensors
        if tensor.dtype != expected.io and not (tensor.dtype in integers and tensor.scale is None)
    ]
    found += [
        f"{tensor.name} is {tensor.dtype} without a scale"
        for tensor in artifact.inputs + artifact.outputs
        if tensor.dtype.startswith("int")
        and tensor.scale is None
        and expected.io != "float32"
        and tensor.dtype not in integers
    ]
    if expected.activations not in artifact.activations:
        found.append(f"none of its ops computes in {expected.activations}")
    elif expected.activations != "float32" and "float32" in artifact.activations:
        found.append(f"some of its ops compute in float32, not in {expected.activations}")
    kept = artifact.weights.get(expected.weights, 0)
    if not lost and kept < parameters / 2:
        small = expected.weights == "int8" and expected.activations == "float32"
        why = f" ({SMALL})" if small else ""
        found.append(f"only {kept} of its {parameters} weights are {expected.weights}{why}")
    return found + lost


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


def operators(schema: Any, model: Any) -> Iterator[tuple[str, Any, Any]]:
    """(name, operator, its subgraph's tensors) in execution order."""
    names = names_of(schema.BuiltinOperator)
    for graph in model.subgraphs:
        for operator in graph.operators or []:
            code = model.operatorCodes[operator.opcodeIndex]
            # A file older than schema 3a keeps the op in the deprecated field; a newer one holds the larger of the two.
            name = names[max(code.builtinCode, code.deprecatedBuiltinCode)].upper()
            yield code.customCode.decode() if name == "CUSTOM" and code.customCode else name, operator, graph.tensors


def activation_dtypes(schema: Any, model: Any, dtypes: dict[int, str]) -> Iterator[str]:
    """The dtypes of what ops that compute pass on; constants and the conversions themselves do not count."""
    for name, operator, tensors in operators(schema, model):
        if name not in CONVERTING:
            touched = [tensors[i] for i in [*operator.inputs, *operator.outputs] if i >= 0]
            yield from (dtypes[t.type] for t in touched if not is_constant(model, t))
