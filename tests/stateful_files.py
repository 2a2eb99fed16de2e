"""Small .tflite files written op by op: ones that keep state, one that is random, one that never ends, and an odd one.

All take x and give y, both float32 of shape (1, 1). Their right answers follow from their ops alone.
"""

from __future__ import annotations

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as s

FLOAT32, BOOL, INT32, RESOURCE = s.TensorType.FLOAT32, s.TensorType.BOOL, s.TensorType.INT32, s.TensorType.RESOURCE
Op = s.BuiltinOperator


class File:
    """A model under construction."""

    def __init__(self) -> None:
        self.model = s.ModelT()
        self.model.version = 3
        self.model.buffers = [s.BufferT()]
        self.model.operatorCodes, self.model.subgraphs = [], []

    def graph(self) -> Graph:
        graph = Graph(self)
        self.model.subgraphs.append(graph.made)
        return graph

    def code(self, builtin: int) -> int:
        code = s.OperatorCodeT()
        code.builtinCode, code.deprecatedBuiltinCode, code.version = builtin, min(builtin, 127), 1
        self.model.operatorCodes.append(code)
        return len(self.model.operatorCodes) - 1

    def bytes(self) -> bytes:
        builder = flatbuffers.Builder(1024)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


class Graph:
    """One subgraph of it."""

    def __init__(self, file: File) -> None:
        self.file, self.made = file, s.SubGraphT()
        self.made.tensors, self.made.operators, self.made.inputs, self.made.outputs = [], [], [], []

    def tensor(
        self, name: str, shape: tuple[int, ...] = (1, 1), type_: int = FLOAT32, value: object = None, kept: bool = False
    ) -> int:
        """value: of a constant. kept: a variable tensor."""
        tensor = s.TensorT()
        tensor.name, tensor.shape, tensor.type, tensor.isVariable = name, list(shape), type_, kept
        tensor.buffer = 0
        if value is not None:
            buffer = s.BufferT()
            buffer.data = np.asarray(value, np.int32 if type_ == INT32 else np.float32).reshape(shape).tobytes()
            self.file.model.buffers.append(buffer)
            tensor.buffer = len(self.file.model.buffers) - 1
        self.made.tensors.append(tensor)
        return len(self.made.tensors) - 1

    def op(self, builtin: int, inputs: list[int], outputs: list[int], kind: int = 0, options: object = None) -> None:
        operator = s.OperatorT()
        operator.opcodeIndex, operator.inputs, operator.outputs = self.file.code(builtin), inputs, outputs
        operator.builtinOptionsType, operator.builtinOptions = kind, options
        self.made.operators.append(operator)

    def end(self, inputs: list[int], outputs: list[int]) -> None:
        self.made.inputs, self.made.outputs = inputs, outputs


def variable_tensor() -> bytes:
    """y = x + h and then h = y, of one RNN cell whose h is a variable tensor: from its initial state y is x."""
    file = File()
    graph = file.graph()
    x, y, h = graph.tensor("x"), graph.tensor("y"), graph.tensor("h", kept=True)
    rnn(graph, x, h, y)
    graph.end([x], [y])
    return file.bytes()


def rnn(graph: Graph, x: int, h: int, y: int) -> None:
    """y = x + h and then h = y."""
    w, u, b = (graph.tensor(n, sh, value=v) for n, sh, v in (("w", (1, 1), 1), ("u", (1, 1), 1), ("b", (1,), 0)))
    options = s.RNNOptionsT()
    options.fusedActivationFunction = s.ActivationFunctionType.NONE
    graph.op(Op.RNN, [x, w, u, b, h], [y], s.BuiltinOptions.RNNOptions, options)


def resource_variable(assigned_in_use: bool = True) -> bytes:
    """y = x + v and then v = y, of a resource variable that begins at 1: from its initial state y is x + 1.

    assigned_in_use: otherwise v is never changed, and y is always x + 1.
    """
    file = File()
    main, init = file.graph(), file.graph()
    x, y, value, handle = main.tensor("x"), main.tensor("y"), main.tensor("value"), main.tensor("v", (), RESOURCE)
    once = s.CallOnceOptionsT()
    once.initSubgraphIndex = 1
    main.op(Op.CALL_ONCE, [], [], s.BuiltinOptions.CallOnceOptions, once)
    main.op(Op.VAR_HANDLE, [], [handle], s.BuiltinOptions.VarHandleOptions, named_v())
    main.op(Op.READ_VARIABLE, [handle], [value], s.BuiltinOptions.ReadVariableOptions, s.ReadVariableOptionsT())
    main.op(Op.ADD, [x, value], [y], s.BuiltinOptions.AddOptions, s.AddOptionsT())
    if assigned_in_use:
        main.op(Op.ASSIGN_VARIABLE, [handle, y], [], s.BuiltinOptions.AssignVariableOptions, s.AssignVariableOptionsT())
    main.end([x], [y])
    begun, one = init.tensor("v", (), RESOURCE), init.tensor("one", value=1)
    init.op(Op.VAR_HANDLE, [], [begun], s.BuiltinOptions.VarHandleOptions, named_v())
    init.op(Op.ASSIGN_VARIABLE, [begun, one], [], s.BuiltinOptions.AssignVariableOptions, s.AssignVariableOptionsT())
    return file.bytes()


def named_v() -> object:
    options = s.VarHandleOptionsT()
    options.container, options.sharedName = "", "v"
    return options


def absolute() -> bytes:
    """y = |x|, where x and y have an open second dimension: a file writes it as 1."""
    file = File()
    graph = file.graph()
    x, y = graph.tensor("x"), graph.tensor("y")
    for tensor in graph.made.tensors:
        tensor.shapeSignature = [1, -1]
    graph.op(Op.ABS, [x], [y], s.BuiltinOptions.AbsOptions, s.AbsOptionsT())
    graph.end([x], [y])
    return file.bytes()


def counted_to() -> bytes:
    """y = 0, 1, … up to x: how long it is depends on what x holds."""
    file = File()
    graph = file.graph()
    x, y = graph.tensor("x", ()), graph.tensor("y", (1,))
    zero, one = graph.tensor("zero", (), value=0), graph.tensor("one", (), value=1)
    graph.op(Op.RANGE, [zero, x, one], [y], s.BuiltinOptions.RangeOptions, s.RangeOptionsT())
    graph.end([x], [y])
    return file.bytes()


def running_sum(quantised: tuple[tuple[float, int], ...] = ()) -> bytes:
    """score = frame + state_in and state_out = frame + state_in: state that goes in and out as tensors.

    quantised: scale and zero point of frame, state_in, score and state_out, which are then int8.
    """
    file = File()
    graph = file.graph()
    names = "frame", "state_in", "score", "state_out"
    tensors = [graph.tensor(name, type_=s.TensorType.INT8 if quantised else FLOAT32) for name in names]
    for tensor, (scale, zero_point) in zip(graph.made.tensors, quantised, strict=False):
        tensor.quantization = s.QuantizationParametersT()
        tensor.quantization.scale, tensor.quantization.zeroPoint = [scale], [zero_point]
    frame, state_in, *outputs = tensors
    for output in outputs:
        graph.op(Op.ADD, [frame, state_in], [output], s.BuiltinOptions.AddOptions, s.AddOptionsT())
    graph.end([frame, state_in], outputs)
    return file.bytes()


def two_sums() -> bytes:
    """h = frame + h inside the file, score = h + state_in and state_out = h + state_in: state of both kinds."""
    file = File()
    graph = file.graph()
    frame, state_in, score, state_out = (graph.tensor(name) for name in ("frame", "state_in", "score", "state_out"))
    own, sum_ = graph.tensor("own", kept=True), graph.tensor("sum")
    rnn(graph, frame, own, sum_)
    for output in (score, state_out):
        graph.op(Op.ADD, [sum_, state_in], [output], s.BuiltinOptions.AddOptions, s.AddOptionsT())
    graph.end([frame, state_in], [score, state_out])
    return file.bytes()


def random() -> bytes:
    """y = x + a number between 0 and 1 that is new at every invoke."""
    file = File()
    graph = file.graph()
    x, y, noise = graph.tensor("x"), graph.tensor("y"), graph.tensor("noise")
    shape = graph.tensor("shape", (2,), INT32, value=[1, 1])
    options = s.RandomOptionsT()
    options.seed = options.seed2 = 0  # both 0: seeded by chance
    graph.op(Op.RANDOM_UNIFORM, [shape], [noise], s.BuiltinOptions.RandomOptions, options)
    graph.op(Op.ADD, [x, noise], [y], s.BuiltinOptions.AddOptions, s.AddOptionsT())
    graph.end([x], [y])
    return file.bytes()


def endless() -> bytes:
    """y = x, at once where x is not over 0, else never."""
    file = File()
    main, cond, body = file.graph(), file.graph(), file.graph()
    x, y = main.tensor("x"), main.tensor("y")
    options = s.WhileOptionsT()
    options.condSubgraphIndex, options.bodySubgraphIndex = 1, 2
    main.op(Op.WHILE, [x], [y], s.BuiltinOptions.WhileOptions, options)
    main.end([x], [y])
    v, zero, on = cond.tensor("v"), cond.tensor("zero", (1,), value=0), cond.tensor("on", (1,), BOOL)
    first_axis, summed = cond.tensor("first_axis", (1,), INT32, value=0), cond.tensor("summed", (1,))
    cond.op(Op.SUM, [v, first_axis], [summed], s.BuiltinOptions.ReducerOptions, s.ReducerOptionsT())
    cond.op(Op.GREATER, [summed, zero], [on], s.BuiltinOptions.GreaterOptions, s.GreaterOptionsT())
    cond.end([v], [on])
    a, none, b = body.tensor("a"), body.tensor("none", value=0), body.tensor("b")
    body.op(Op.ADD, [a, none], [b], s.BuiltinOptions.AddOptions, s.AddOptionsT())
    body.end([a], [b])
    return file.bytes()


def float_with_scale() -> bytes:
    """y = x + x, of float32 tensors that carry a scale of ½ and a zero point of 3, which mean nothing."""
    file = File()
    graph = file.graph()
    x, y = graph.tensor("x"), graph.tensor("y")
    for tensor in graph.made.tensors:
        tensor.quantization = s.QuantizationParametersT()
        tensor.quantization.scale, tensor.quantization.zeroPoint = [0.5], [3]
    graph.op(Op.ADD, [x, x], [y], s.BuiltinOptions.AddOptions, s.AddOptionsT())
    graph.end([x], [y])
    return file.bytes()
