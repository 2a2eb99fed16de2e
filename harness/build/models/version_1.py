"""SavedModels of TensorFlow 1 whose variables are references: they answer, but neither today's SavedModels nor the
converter can hold such variables. Their values become constants.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from harness.errors import BuildError, one_line
from harness.support.files import TemporaryFolder

REFERENCES = ("Variable", "VariableV2")
RESOURCES = "save it again after tf.compat.v1.enable_resource_variables()"


def has_references(nodes: Iterable[Any]) -> bool:
    return any(node.op in REFERENCES for node in nodes)


def frozen(path: Path, key: str) -> TemporaryFolder:
    """Saves the SavedModel's signature of that key again, with constants in the place of variables. Raises BuildError
    where it changes them.
    """
    folder = TemporaryFolder()
    try:
        graph, signature = constant_graph(path, key)
        write(graph, signature, folder.name)
    except Exception as error:  # TensorFlow raises a class for each of its codes
        told = f"the reference variables of {path.name}, a model of TensorFlow 1, cannot be made constants: "
        raise BuildError(told + one_line(error), RESOURCES) from error
    return folder


def constant_graph(path: Path, key: str) -> tuple[Any, Any]:
    """(the graph that the signature needs, the signature)."""
    import tensorflow as tf

    v1 = tf.compat.v1
    with v1.Session(graph=tf.Graph()) as session:
        signature = v1.saved_model.load(session, tags(path, key), str(path)).signature_def[key]
        ends = [info.name.split(":")[0] for info in [*signature.inputs.values(), *signature.outputs.values()]]
        return v1.graph_util.convert_variables_to_constants(session, session.graph_def, ends), signature


def write(graph: Any, signature: Any, folder: str) -> None:
    """Writes a SavedModel of the graph under the usual key."""
    import tensorflow as tf

    v1 = tf.compat.v1
    with v1.Session(graph=tf.Graph()) as session:
        tf.import_graph_def(graph, name="")
        inputs, outputs = (
            {name: session.graph.get_tensor_by_name(info.name) for name, info in infos.items()}
            for infos in (signature.inputs, signature.outputs)
        )
        v1.saved_model.simple_save(session, folder, inputs, outputs)


def tags(path: Path, key: str) -> list[str]:
    """The tags of the graph that has the signature."""
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel as Proto

    graphs = Proto.FromString((path / "saved_model.pb").read_bytes()).meta_graphs
    return list(next(graph for graph in graphs if key in graph.signature_def).meta_info_def.tags)
