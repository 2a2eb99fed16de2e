"""Loops that a SavedModel holds for any batch, made loops for a batch of 1: TFLite has no others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

LISTS = ("TensorListReserve", "TensorListFromTensor", "TensorListStack")
OPEN = -1
FUNCTIONS = "library"  # where a graph holds them


def close_lists(folder: Path) -> None:
    """Writes the SavedModel again in which the elements of every list, such as the steps of an LSTM, are of batch 1.

    Their shape is a constant from when the model was saved, so that another signature does not change it.
    """
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel as Proto

    path = folder / "saved_model.pb"
    proto = Proto.FromString(path.read_bytes())
    for graph in (each.graph_def for each in proto.meta_graphs):
        close([*graph.node])
        for function in getattr(graph, FUNCTIONS).function:
            close([*function.node_def])
    path.write_bytes(proto.SerializeToString())


def close(nodes: list[Any]) -> None:
    import tensorflow as tf

    known = {node.name: node for node in nodes}
    for shape in element_shapes(nodes, known):
        value = tf.make_ndarray(shape.attr["value"].tensor)
        if value.ndim == 1 and len(value) > 1 and value[0] == OPEN:
            value = value.copy()
            value[0] = 1
            shape.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value))


def element_shapes(nodes: list[Any], known: dict[str, Any]) -> Iterator[Any]:
    """The constants that say what shape the elements of lists have."""
    for node in nodes:
        for name in node.input if node.op in LISTS else ():
            source = known.get(name.split(":")[0])
            if source is not None and source.op == "Const" and "element_shape" in source.name:
                yield source
