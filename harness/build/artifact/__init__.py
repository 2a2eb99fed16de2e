"""What a .tflite file really is: its inputs and outputs, ops, weights and what flows between the ops."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.build.artifact.binding import plain
from harness.build.models.feed import WHOLE as INTEGERS
from harness.build.models.feed import check_numbers
from harness.build.variants import Expectation
from harness.errors import BuildError
from harness.records import Tensor
from harness.support.foreign import read_bytes

MODEL_BYTES = 2 << 30  # a flatbuffer has no more
CONVERTING = {"QUANTIZE", "DEQUANTIZE", "CAST"}


@dataclass(frozen=True)
class Artifact:
    """Facts read from the file, not from what the converter was asked for.

    A dimension that is open in the file is −1 in a tensor's shape, an open batch is 1. Ops and weights are
    those of all subgraphs, such as the bodies of loops. A custom op is listed by its own name.
    weights: dtype → how many constant values are of it; largest: dtype → how many its largest constant has.
    activations: dtypes between ops, conversions at the edges aside → the ops that take or give them.
    activation_bytes: of all tensors that are not constants, an upper bound of what a runtime lets them share; None
    where one has no fixed size. floats: the names of the tensors that ops which compute give as float32.
    input_names, output_names: what the signature calls them, () where it has none.
    """

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    ops: tuple[str, ...]
    weights: dict[str, int]
    activations: dict[str, tuple[str, ...]]
    activation_bytes: int | None = None
    input_names: tuple[str, ...] = ()
    output_names: tuple[str, ...] = ()
    signatures: tuple[str, ...] = ()
    largest: dict[str, int] = field(default_factory=dict)
    floats: frozenset[str] = frozenset()

    @property
    def named_inputs(self) -> tuple[Tensor, ...]:
        """Gives the inputs the names that a user knows."""
        return named(self.inputs, self.input_names)

    @property
    def named_outputs(self) -> tuple[Tensor, ...]:
        return named(self.outputs, self.output_names)


def named(tensors: Sequence[Tensor], names: Sequence[str]) -> tuple[Tensor, ...]:
    known = distinct(names or [plain(tensor.name) for tensor in tensors])
    return tuple(replace(tensor, name=name) for tensor, name in zip(tensors, known, strict=True))


def distinct(names: Sequence[str]) -> list[str]:
    """Numbers the names that several have: each output is measured and judged under its own."""
    return [name if names.count(name) == 1 else f"{name or 'tensor'}_{n}" for n, name in enumerate(names)]


def inspect(path: Path) -> Artifact:
    """Reads a .tflite file. Raises BuildError where it is not one."""
    content = read_bytes(path, MODEL_BYTES)
    if content[4:8] != b"TFL3":
        raise BuildError(f"{path} is not a TFLite file", "convert the model again")
    try:
        return read(content)
    except Exception as error:  # flatbuffers checks nothing: damage ends in any of seven exceptions
        told = f"{path} is not a complete TFLite file: {type(error).__name__}: {error}"
        raise BuildError(told, "convert the model again") from error


def read(content: bytes) -> Artifact:
    """Raises whatever a damaged file leads to."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    graph = model.subgraphs[0]
    dtypes = names_of(schema.TensorType)
    signatures = [s for s in listed(model.signatureDefs) if s.subgraphIndex == 0]
    constants = constants_of(model, dtypes)
    return Artifact(
        tuple(as_tensor(graph.tensors[i], dtypes) for i in graph.inputs),
        tuple(as_tensor(graph.tensors[i], dtypes) for i in graph.outputs),
        tuple(op for op, *_ in operators(schema, model)),
        {dtype: sum(counts) for dtype, counts in constants.items()},
        activations_of(schema, model, dtypes),
        activation_bytes(model, dtypes),
        signature_names(signatures[0].inputs, graph.inputs) if signatures else (),
        signature_names(signatures[0].outputs, graph.outputs) if signatures else (),
        tuple(text(s.signatureKey) for s in listed(model.signatureDefs)),
        {dtype: max(counts) for dtype, counts in constants.items()},
        floats_of(schema, model, dtypes),
    )


def floats_of(schema: Any, model: Any, dtypes: dict[int, str]) -> frozenset[str]:
    """The names of tensors that ops which compute give as float32, and of what these are converted into: a layer that
    gives an output of the model keeps its name there.
    """
    made: set[int] = set()
    names: set[str] = set()
    for name, operator, tensors in operators(schema, model):
        given, taken = ([tensors[i] for i in listed(each) if i >= 0] for each in (operator.outputs, operator.inputs))
        floats = [tensor for tensor in given if dtypes[tensor.type] == "float32"] if name not in CONVERTING else []
        made |= {id(tensor) for tensor in floats}
        converted = given if name in CONVERTING and any(id(tensor) in made for tensor in taken) else []
        names |= {text(tensor.name) for tensor in [*floats, *converted]}
    return frozenset(names)


def constants_of(model: Any, dtypes: dict[int, str]) -> dict[str, list[int]]:
    """dtype → how many values each constant of it has, each buffer once."""
    held = {t.buffer: t for graph in model.subgraphs for t in graph.tensors if is_constant(model, t)}
    counts: dict[str, list[int]] = {}
    for tensor in held.values():
        counts.setdefault(dtypes[tensor.type], []).append(values_in(tensor))
    return counts


def signature_names(signature: Any, places: Any) -> tuple[str, ...]:
    """What the signature calls the graph's inputs or outputs, in the graph's order; () where it leaves one out."""
    entries = [(entry.tensorIndex, text(entry.name)) for entry in listed(signature)]
    found = []
    for place in places:  # two outputs may be one tensor: each name is given once
        entry = next((entry for entry in entries if entry[0] == place), None)
        if entry is None:
            return ()
        entries.remove(entry)
        found.append(entry[1])
    return tuple(found)


def check_form(artifact: Artifact) -> None:
    """Raises BuildError where the file has more than one thing to run, or gives what is no number."""
    if len(artifact.signatures) > 1:
        told = f"it has {len(artifact.signatures)} signatures ({', '.join(artifact.signatures)})"
        raise BuildError(told, "convert the model with one: the harness runs one")
    check_numbers(artifact.named_outputs)


def listed(field: Any) -> list[Any]:
    """An optional list of the file's, which may be absent."""
    return [] if field is None else list(field)


def text(field: Any) -> str:
    """An optional text of the file's, which may be absent."""
    return field.decode(errors="replace") if field else ""


def faults(
    artifact: Artifact, expected: Expectation | None, parameters: int, unchanged: frozenset[str] = frozenset()
) -> list[str]:
    """Where the file is not what its recipe promised, in words; empty where it is.

    expected: None for a recipe that promises nothing. unchanged: dtypes that the model itself takes or gives, such as
    of token ids, which no recipe changes. Half of the parameters must be there, not all: a converter drops biases of
    zero and folds normalisation away.
    """
    held = sum(artifact.weights.values())
    lost = [f"it holds {held} weights of the model's {parameters}"] if held < parameters / 2 else []
    if expected is None:
        return lost
    found = [*wrong_io(artifact, expected.io, unchanged), *wrong_activations(artifact, expected)]
    return found + (lost or ([] if expected.partly else wrong_weights(artifact, expected, parameters)))


def wrong_io(artifact: Artifact, io: str, unchanged: frozenset[str]) -> list[str]:
    """Inputs and outputs of another dtype than was promised, then integers that have no scale."""
    tensors = [("input", t) for t in artifact.inputs] + [("output", t) for t in artifact.outputs]
    wrong = [
        f"{kind} {tensor.name} is {tensor.dtype}, not {io}"
        for kind, tensor in tensors
        if tensor.dtype != io and not (tensor.dtype in unchanged and tensor.scale is None)
    ]
    unscaled = [t for _, t in tensors if t.dtype.startswith("int") and t.dtype not in unchanged and t.scale is None]
    return wrong + [f"{t.name} is {t.dtype} without a scale" for t in unscaled if io != "float32"]


def wrong_activations(artifact: Artifact, expected: Expectation) -> list[str]:
    promised = expected.activations
    if lost := [kept for kept in expected.kept if kept not in artifact.floats]:
        return [f"{', '.join(lost)} is not in float32, as was asked for"]
    if promised not in artifact.activations:
        return [f"none of its ops computes in {promised}"]
    if promised != "float32" and not expected.partly and "float32" in artifact.activations:
        ops = ", ".join(artifact.activations["float32"])
        instead = "; int8_or_float leaves these in float32" if promised == "int8" else ""
        return [f"some of its ops compute in float32, not in {promised}: {ops}{instead}"]
    return []


def wrong_weights(artifact: Artifact, expected: Expectation, parameters: int) -> list[str]:
    kept = artifact.weights.get(expected.weights, 0)
    if kept >= parameters / 2:
        return []
    if kept and artifact.largest.get("float32", 0) < expected.smallest:  # all that is quantised at all
        return []
    small = f" (TensorFlow quantises no tensor of under {expected.smallest:,} values)" if expected.smallest else ""
    return [f"only {kept} of its {parameters} weights are {expected.weights}{small}"]


def too_small(artifact: Artifact, expected: Expectation | None, parameters: int) -> str:
    """Why there is no such file of this model: all of its weights are there, in tensors that its recipe leaves as they
    are. "" where there may be one.
    """
    if expected is None or not expected.smallest or 2 * sum(artifact.weights.values()) < parameters:
        return ""
    largest = max(artifact.largest.get(dtype, 0) for dtype in ("float32", expected.weights))
    if largest >= expected.smallest or not wrong_weights(artifact, expected, parameters):
        return ""
    least = f"{expected.smallest:,} values or more"
    return f"none of its weight tensors has {least}, and TensorFlow quantises no smaller ones"


def names_of(enum: Any) -> dict[int, str]:
    return {value: name.lower() for name, value in vars(enum).items() if not name.startswith("_")}


def is_constant(model: Any, tensor: Any) -> bool:
    buffers = listed(model.buffers)
    data = buffers[tensor.buffer].data if tensor.buffer < len(buffers) else None
    return data is not None and len(data) > 0


def values_in(tensor: Any) -> int:
    count = 1
    for length in tensor.shape if tensor.shape is not None else []:
        count *= int(length)
    return count


def activation_bytes(model: Any, dtypes: dict[int, str]) -> int | None:
    """Bytes of every tensor that is not a constant, as if each had memory of its own. An open batch counts as 1."""
    between = [t for t in model.subgraphs[0].tensors if not is_constant(model, t)]
    sizes = [None if -1 in shape_of(t)[1:] else tensor_bytes(t, dtypes[t.type]) for t in between]
    known = [size for size in sizes if size is not None]
    return sum(known) if len(known) == len(sizes) else None


def tensor_bytes(tensor: Any, dtype: str) -> int | None:
    """None for strings, resources and variants, which have no fixed size."""
    bits = re.match(r"[a-z]+(\d+)", dtype.replace("bool", "bool8"))  # the schema's names say it: bfloat16, int4
    return math.ceil(values_in(tensor) * int(bits[1]) / 8) if bits else None


def as_tensor(tensor: Any, dtypes: dict[int, str]) -> Tensor:
    dtype, quantisation = dtypes[tensor.type], tensor.quantization
    scales = listed(quantisation.scale) if quantisation is not None and dtype.startswith(INTEGERS) else []
    zero_points = listed(quantisation.zeroPoint) if scales else []
    return Tensor(
        text(tensor.name),
        dtype,
        shape_of(tensor),
        float(scales[0]) if scales else None,  # a float tensor may carry a scale, which means nothing
        int(zero_points[0] if zero_points else 0) if scales else None,
    )


def shape_of(tensor: Any) -> tuple[int, ...]:
    """With −1 for a dimension that is open, of which the stored shape says 1; an open batch before others is 1."""
    stored = tuple(int(n) for n in listed(tensor.shape))
    signature = tuple(int(n) for n in listed(tensor.shapeSignature))
    shape = signature if len(signature) == len(stored) else stored
    return (1, *shape[1:]) if shape[:1] == (-1,) and len(shape) > 1 else shape


def operators(schema: Any, model: Any) -> Iterator[tuple[str, Any, Any]]:
    """(name, operator, its subgraph's tensors) in execution order."""
    names = names_of(schema.BuiltinOperator)
    for graph in model.subgraphs:
        for operator in listed(graph.operators):
            code = model.operatorCodes[operator.opcodeIndex]
            # A file older than schema 3a keeps the op in the deprecated field; a newer one holds the larger of the two.
            name = names[max(code.builtinCode, code.deprecatedBuiltinCode)].upper()
            yield text(code.customCode) or name if name == "CUSTOM" else name, operator, graph.tensors


def activations_of(schema: Any, model: Any, dtypes: dict[int, str]) -> dict[str, tuple[str, ...]]:
    """Each dtype that ops which compute pass on, and the names of these ops, each once; constants and the conversions
    themselves do not count."""
    ops: dict[str, dict[str, None]] = {}
    for name, operator, tensors in operators(schema, model):
        if name not in CONVERTING:
            touched = [tensors[i] for i in [*listed(operator.inputs), *listed(operator.outputs)] if i >= 0]
            for tensor in touched:
                if not is_constant(model, tensor):
                    ops.setdefault(dtypes[tensor.type], {})[name] = None
    return {dtype: tuple(names) for dtype, names in ops.items()}
