"""A .tflite file as ops and tensors, and parts of it as files of their own."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from harness.build.artifact import MODEL_BYTES, listed, names_of, text
from harness.errors import ConfigError
from harness.support.foreign import read_bytes

CONVERTING = frozenset({"QUANTIZE", "DEQUANTIZE", "CAST"})
# What keeps state, runs other subgraphs, or is not TFLite's own: no part of a graph with it is run by itself.
NOT_APART = frozenset(
    {"CALL_ONCE", "VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE", "WHILE", "IF", "CUSTOM", "CALL", "DELEGATE",
     "UNIDIRECTIONAL_SEQUENCE_LSTM", "UNIDIRECTIONAL_SEQUENCE_RNN", "LSTM", "RNN", "SVDF"}
)  # fmt: skip
NUMERIC = {
    "float32": np.float32, "float16": np.float16, "int8": np.int8, "uint8": np.uint8, "int16": np.int16,
    "int32": np.int32, "int64": np.int64, "bool": np.bool_,
}  # fmt: skip
ABSENT = -1  # the place of an optional input that is not there


@dataclass(frozen=True, eq=False)
class Wire:
    """A tensor of a graph. scales: one for all, or one a channel along `axis`; () where it is not quantised.

    shape: as in the file; −1 where a dimension is open. value: of a constant, as stored; else None.
    """

    index: int
    name: str
    dtype: str
    shape: tuple[int, ...]
    scales: tuple[float, ...] = ()
    zero_points: tuple[int, ...] = ()
    axis: int = 0
    value: np.ndarray | None = None

    @property
    def integer_range(self) -> tuple[float, float] | None:
        """The least and the highest number that a quantised tensor can hold; None where it has not one scale."""
        if len(self.scales) != 1 or self.dtype not in ("int8", "uint8", "int16"):
            return None
        limits = np.iinfo(self.dtype)
        low, high = ((end - self.zero_points[0]) * self.scales[0] for end in (limits.min, limits.max))
        return low, high

    @property
    def numbers(self) -> np.ndarray:
        """The values of a constant as real numbers, float64, dequantised along its channels."""
        assert self.value is not None
        values = self.value.astype(np.float64)
        if not self.scales or self.dtype.startswith("float"):
            return values
        shape = [1] * values.ndim
        if len(self.scales) > 1:
            shape[self.axis] = len(self.scales)
        scales, zeros = (
            np.reshape(each, shape) if len(each) > 1 else each[0] for each in (self.scales, self.zero_points)
        )
        return (values - zeros) * scales


@dataclass(frozen=True)
class Op:
    """An operator. inputs: indices of tensors, ABSENT among them."""

    place: int
    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


class Graph:
    """The main graph of a .tflite file."""

    def __init__(self, content: bytes) -> None:
        """Raises whatever a damaged file leads to: read a file by `open_graph`."""
        from ai_edge_litert import schema_py_generated as schema

        self.content = content
        self.model: Any = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
        main = self.model.subgraphs[0]
        kinds, dtypes = (names_of(each) for each in (schema.BuiltinOperator, schema.TensorType))
        self.wires = tuple(self._wire(n, tensor, dtypes[tensor.type]) for n, tensor in enumerate(main.tensors))
        codes = [kinds[max(code.builtinCode, code.deprecatedBuiltinCode)].upper() for code in self.model.operatorCodes]
        self.ops = tuple(
            Op(n, codes[op.opcodeIndex], tuple(map(int, listed(op.inputs))), tuple(map(int, listed(op.outputs))))
            for n, op in enumerate(main.operators)
        )
        self.inputs, self.outputs = (tuple(map(int, listed(each))) for each in (main.inputs, main.outputs))

    def _wire(self, index: int, tensor: Any, dtype: str) -> Wire:
        shape = tensor.shapeSignature if tensor.shapeSignature is not None else tensor.shape
        quantised = tensor.quantization
        scales = tuple(map(float, listed(quantised.scale))) if quantised is not None else ()
        zeros = tuple(map(int, listed(quantised.zeroPoint))) if scales else ()
        data = self.model.buffers[tensor.buffer].data
        value = None
        if data is not None and len(data) and dtype in NUMERIC:
            value = np.frombuffer(np.asarray(data, np.uint8).tobytes(), NUMERIC[dtype]).reshape(listed(tensor.shape))
        axis = int(quantised.quantizedDimension) if scales else 0
        return Wire(
            index, text(tensor.name), dtype, tuple(map(int, listed(shape))), scales,
            zeros or (0,) * len(scales), axis, value,
        )  # fmt: skip

    @cached_property
    def makers(self) -> dict[int, Op]:
        """The op that gives each tensor."""
        return {output: op for op in self.ops for output in op.outputs}

    def constant(self, index: int) -> Wire | None:
        """The constant that a tensor is, or is dequantised from; None where it depends on the inputs."""
        if index == ABSENT:
            return None
        wire, maker = self.wires[index], self.makers.get(index)
        if wire.value is not None or maker is None or maker.kind != "DEQUANTIZE":
            return wire if wire.value is not None else None
        return self.constant(maker.inputs[0])

    def flowing(self, op: Op) -> tuple[int, ...]:
        """The inputs of an op that depend on the model's inputs."""
        return tuple(i for i in op.inputs if i != ABSENT and self.constant(i) is None and self.wires[i].value is None)

    def can_be_apart(self, op: Op) -> bool:
        """Whether the op can be run by itself on any device: it is TFLite's own, and each shape is known."""
        wires = [self.wires[i] for i in (*self.flowing(op), *op.outputs)]
        return op.kind not in NOT_APART and all(w.dtype in NUMERIC and -1 not in w.shape[1:] for w in wires)

    @cached_property
    def upstream(self) -> dict[int, frozenset[int]]:
        """The place of each op → those of the ops that its numbers come from, and its own."""
        found: dict[int, frozenset[int]] = {}
        for op in self.ops:  # a file has its ops in the order in which they run
            makers = (self.makers[index].place for index in op.inputs if index in self.makers)
            found[op.place] = frozenset({op.place}).union(*(found.get(place, frozenset()) for place in makers))
        return found

    def options(self, op: Op) -> tuple[object, ...]:
        """What the file says of an op beside its tensors, such as strides and dilations."""
        raw = self.model.subgraphs[0].operators[op.place]
        return tuple(sorted(vars(raw.builtinOptions).items(), key=str)) if raw.builtinOptions is not None else ()

    # --- parts of it, as files ---

    def part(self, inputs: Sequence[int], outputs: Sequence[int]) -> bytes:
        """The file that computes these tensors from those; what gives the inputs is left out."""
        needed, open_ = set(), list(outputs)
        while open_:
            index = open_.pop()
            maker = self.makers.get(index)
            if index in inputs or maker is None or maker.place in needed:
                continue
            needed.add(maker.place)
            open_ += [i for i in maker.inputs if i != ABSENT]
        return self._file(sorted(needed), inputs, outputs, self._copied())

    def apart(self, ops: Iterable[Op]) -> tuple[bytes, list[tuple[int, ...]]]:
        """One file of these ops, none joined to another: each has inputs of its own, in the order of the ops.

        Returns the file, and for each op the tensors of this graph that its inputs stand for.
        """
        model = self._copied()
        main = model.subgraphs[0]
        places: list[int] = []
        fed: list[tuple[int, ...]] = []
        inputs: list[int] = []
        outputs: list[int] = []
        for op in ops:
            own = tuple(dict.fromkeys(self.flowing(op)))
            fresh = {index: len(main.tensors) + n for n, index in enumerate(own)}
            main.tensors += [copy.copy(main.tensors[index]) for index in own]
            main.operators[op.place].inputs = [fresh.get(i, i) for i in op.inputs]
            for n in fresh.values():
                main.tensors[n].name = b"input %d" % n
            # Constants that are stored in a smaller form are dequantised by ops of their own.
            places += [self.makers[i].place for i in op.inputs if i in self.makers and i not in fresh]
            places.append(op.place)
            fed.append(own)
            inputs += fresh.values()
            outputs += op.outputs
        return self._file(sorted(set(places)), inputs, outputs, model), fed

    def _copied(self) -> Any:
        """The model anew, without its other signatures; buffers are shared, nobody writes into them."""
        model = copy.copy(self.model)
        main = copy.copy(model.subgraphs[0])
        main.tensors = list(main.tensors)
        main.operators = [copy.copy(op) for op in main.operators]
        model.subgraphs, model.signatureDefs, model.metadata, model.metadataBuffer = [main], [], [], []
        return model

    def _file(self, places: Sequence[int], inputs: Sequence[int], outputs: Sequence[int], model: Any) -> bytes:
        import flatbuffers

        main = model.subgraphs[0]
        main.operators = [main.operators[place] for place in places]
        main.inputs, main.outputs = list(inputs), list(outputs)
        used = {int(i) for op in main.operators for i in (*listed(op.inputs), *listed(op.outputs)) if i != ABSENT}
        order = sorted(used | set(inputs) | set(outputs))
        new = {index: n for n, index in enumerate(order)}
        model.buffers = self._kept_buffers(model, main, order)
        main.tensors = [self._with_buffer(main.tensors[index], n + 1) for n, index in enumerate(order)]
        for op in main.operators:
            op.inputs = [new.get(int(i), ABSENT) for i in listed(op.inputs)]
            op.outputs = [new[int(i)] for i in listed(op.outputs)]
        main.inputs, main.outputs = ([new[i] for i in each] for each in (inputs, outputs))
        builder = flatbuffers.Builder(len(self.content))
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    @staticmethod
    def _kept_buffers(model: Any, main: Any, order: Sequence[int]) -> list[Any]:
        """An empty one first, as the format wants it, then one a tensor."""
        return [model.buffers[0], *(model.buffers[main.tensors[index].buffer] for index in order)]

    @staticmethod
    def _with_buffer(tensor: Any, place: int) -> Any:
        own = copy.copy(tensor)
        own.buffer = place
        return own


def open_graph(path: Path) -> Graph:
    """Raises ConfigError where the file is none that can be looked into."""
    try:
        content = read_bytes(path, MODEL_BYTES)
        if content[4:8] != b"TFL3":
            raise ConfigError(f"{path} is not a TFLite file", "give a .tflite file")
        return Graph(content)
    except ConfigError:
        raise
    except Exception as error:  # flatbuffers checks nothing: damage ends in any of seven exceptions
        told = f"{path} cannot be read op by op: {type(error).__name__}: {error}"
        raise ConfigError(told, "convert the model again") from error
