"""Dense float32 models of any size, written with the schema alone: no TensorFlow, and nothing large in git."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

FLOAT32 = schema.TensorType.FLOAT32


class Builder:
    """One subgraph; its tensors and buffers are numbered as they come."""

    def __init__(self) -> None:
        self.graph = schema.SubGraphT()
        self.graph.tensors, self.graph.operators = [], []
        self.buffers = [schema.BufferT()]  # the first is always empty

    def tensor(self, shape: Sequence[int], values: np.ndarray | None = None) -> int:
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.type, tensor.buffer = f"t{len(self.graph.tensors)}", list(shape), FLOAT32, 0
        if values is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(values.astype("<f4").tobytes(), np.uint8)
            tensor.buffer = len(self.buffers)
            self.buffers.append(buffer)
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def dense(self, source: int, weights: np.ndarray, relu: bool) -> int:
        """(inputs) → (units); weights: (units, inputs)."""
        operator, options = schema.OperatorT(), schema.FullyConnectedOptionsT()
        kinds = schema.ActivationFunctionType
        options.fusedActivationFunction = kinds.RELU if relu else kinds.NONE
        operator.opcodeIndex, operator.builtinOptions = 0, options
        operator.builtinOptionsType = schema.BuiltinOptions.FullyConnectedOptions
        bias = np.zeros(len(weights))
        operator.inputs = [source, self.tensor(weights.shape, weights), self.tensor(bias.shape, bias)]
        operator.outputs = [self.tensor((1, len(weights)))]
        self.graph.operators.append(operator)
        return int(operator.outputs[0])

    def model(self, source: int, answer: int) -> bytes:
        self.graph.inputs, self.graph.outputs = [source], [answer]
        code, model = schema.OperatorCodeT(), schema.ModelT()
        code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.FULLY_CONNECTED
        model.version, model.operatorCodes, model.buffers, model.subgraphs = 3, [code], self.buffers, [self.graph]
        builder = flatbuffers.Builder(1 << 20)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def dense_model(widths: Sequence[int]) -> bytes:
    """widths: of the input, of each hidden layer (with relu), of the output. Random weights of a fixed seed."""
    random, builder = np.random.default_rng(1), Builder()
    source = tensor = builder.tensor((1, widths[0]))
    for n, (inputs, units) in enumerate(pairwise(widths)):
        weights = random.normal(0, inputs**-0.5, (units, inputs))
        tensor = builder.dense(tensor, weights, relu=n < len(widths) - 2)
    return builder.model(source, tensor)
