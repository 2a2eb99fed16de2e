"""A SavedModel's folder behind the seam: its serving_default signature."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from harness.build.models import Facts, kept_parameters
from harness.build.models.batch_of_one import close_lists
from harness.build.models.feed import Feed
from harness.build.models.state import State
from harness.build.models.version_1 import frozen, has_references
from harness.errors import BuildError, one_line
from harness.records import Tensor
from harness.support.files import TemporaryFolder

SIGNATURE = "serving_default"
CALLED = "library"  # the field of a graph that holds the functions it calls
HALF = ("float16", "bfloat16")
LOOPS = ("While", "StatelessWhile")


class SavedModel:
    """Inputs and outputs in the order of their names: a signature has no other."""

    def __init__(self, path: Path) -> None:
        self.loaded, self.function = loaded(path)
        named = self.function.structured_input_signature[1]
        self.inputs = {name: named[name] for name in sorted(named)}
        self.outputs = dict(sorted(self.function.structured_outputs.items(), key=lambda item: in_order(item[0])))
        self._state = State([v for v in self.function.variables if v.dtype.is_floating or v.dtype.is_integer])

    @property
    def state(self) -> tuple[str, ...]:
        return self._state.names

    @cached_property
    def facts(self) -> Facts:
        nodes = list(nodes_of(self.function))
        halves = [v.dtype.name for v in self.function.variables if v.dtype.name in HALF]
        halves += [name for node in nodes if node.op == "Cast" and (name := dtype_name(node)) in HALF]
        return Facts(
            tuple(as_tensor(name, spec) for name, spec in self.inputs.items()),
            tuple(as_tensor(name, spec) for name, spec in self.outputs.items()),
            parameters(self.function),
            by_alphabet=not all(number_of(name) is not None for name in self.outputs),
            half=next(iter(halves), ""),
            fake_quantised=any(node.op.startswith("FakeQuant") for node in nodes),
            loops=tuple(dict.fromkeys(node.name for node in nodes if node.op in LOOPS)),
        )

    def predict(self, inputs: Sequence[np.ndarray], last: bool = True) -> list[np.ndarray]:
        import tensorflow as tf

        given = {n: tf.constant(a) for n, a in zip(self.inputs, inputs, strict=True)}
        outputs = self._state.answered(lambda: self.function(**given), last)
        return [outputs[name].numpy() for name in self.outputs]

    def converter(self, feeds: Sequence[Feed], unrolled: bool = False) -> Any:
        """Converts by way of a SavedModel with fixed shapes: from a concrete function the converter may lose the
        weights.
        """
        import tensorflow as tf

        if unrolled:
            raise BuildError("a SavedModel cannot be unrolled", "give the Keras model itself, as a .keras file")
        fixed = next((spec.shape[0] for spec, f in zip(self.inputs.values(), feeds, strict=True) if not f.whole), 1)
        if fixed not in (None, 1):
            told = f"the SavedModel only takes a batch of {fixed}, but a device runs one sample at a time"
            raise BuildError(told, "save it with a batch of 1, or an open one")
        specs = {f.tensor.name: tf.TensorSpec(f.tensor.shape, f.tensor.dtype, f.tensor.name) for f in feeds}
        module = tf.Module()
        module.original = self.loaded  # keeps the weights
        module.call = tf.function(lambda **named: self.function(**named))
        folder = TemporaryFolder()
        tf.saved_model.save(module, folder.name, module.call.get_concrete_function(**specs))
        if self.facts.loops and fixed is None:
            close_lists(Path(folder.name))
        return converter_of(folder)


def converter_of(folder: TemporaryFolder) -> Any:
    """A TFLiteConverter of the SavedModel in the folder, which is read at conversion and removed with the converter."""
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_saved_model(folder.name)
    converter.folder = folder
    return converter


def loaded(path: Path) -> tuple[Any, Any]:
    """(what must be kept with it, the signature as a function of tensors by name). Raises BuildError.

    One that holds an optimiser of Keras 2, or reference variables, is not taken as it is.
    """
    import tensorflow as tf

    try:
        model = tf.saved_model.load(str(path))
    except Exception as error:
        try:
            return without_optimisers(path)
        except BuildError:
            raise
        except Exception:
            told = f"TensorFlow cannot load the SavedModel {path.name}: {one_line(error)}"
            raise BuildError(told, "give the folder that holds saved_model.pb") from error
    function = chosen(dict(model.signatures), path)
    if not has_references(nodes_of(function)):
        return model, function
    key = next(key for key, each in model.signatures.items() if each is function)
    with frozen(path, key) as folder:
        model = tf.saved_model.load(folder)
    return model, chosen(dict(model.signatures), path)


def without_optimisers(path: Path) -> tuple[Any, Any]:
    """From a copy without what an optimiser kept: its objects need Keras 2, and no answer depends on them."""
    import tensorflow as tf
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel as Proto

    proto = Proto.FromString((path / "saved_model.pb").read_bytes())
    for each in proto.meta_graphs:
        forget_optimisers(each.object_graph_def.nodes)
    with TemporaryFolder() as name:
        folder = Path(name)
        (folder / "saved_model.pb").write_bytes(proto.SerializeToString())
        for part in ("variables", "assets"):
            if (path / part).is_dir():
                (folder / part).symlink_to((path / part).resolve())
        model = tf.saved_model.load(name)
    return model, chosen(dict(model.signatures), path)


def forget_optimisers(nodes: Any) -> None:
    """Removes the nodes that keep slots for variables from among the children of all others."""
    keepers = {n for n, node in enumerate(nodes) if node.slot_variables}
    for node in nodes:
        node.ClearField("slot_variables")
        kept = [child for child in node.children if child.node_id not in keepers]
        del node.children[:]
        node.children.extend(kept)


def chosen(known: dict[str, Any], path: Path) -> Any:
    """The signature that is served, or the only one. Raises BuildError."""
    signature = known.get(SIGNATURE) or (next(iter(known.values())) if len(known) == 1 else None)
    if signature is None:
        told = f"the SavedModel {path.name} has no signature {SIGNATURE}"
        told += f", but {', '.join(sorted(known))}" if known else ""
        raise BuildError(
            told, 'save it with one: tf.saved_model.save(model, folder, signatures={"serving_default": f})'
        )
    return signature


def number_of(name: str) -> int | None:
    """Reads the number of an output that is only counted, as Keras 3 has it: output_0, output_1."""
    start, _, end = name.rpartition("_")
    return int(end) if start == "output" and end.isdigit() else None


def in_order(name: str) -> tuple[int, str]:
    """output_10 comes after output_2."""
    number = number_of(name)
    return (-1 if number is None else number, name)


def as_tensor(name: str, spec: Any) -> Tensor:
    if spec.shape.rank is None:
        raise BuildError(f"the SavedModel's {name} has no shape", "save it with an input signature that has one")
    return Tensor(name, spec.dtype.base_dtype.name, tuple(-1 if n is None else int(n) for n in spec.shape))


def nodes_of(function: Any) -> Iterator[Any]:
    """The graph's nodes and those of the functions that it calls."""
    graph = function.graph.as_graph_def()
    yield from graph.node
    for each in getattr(graph, CALLED).function:
        yield from each.node_def


def dtype_name(node: Any) -> str:
    import tensorflow as tf

    return str(tf.dtypes.as_dtype(node.attr["DstT"].type).name)


def parameters(function: Any) -> int:
    """How many numbers its variables hold that a converter keeps, or where it is frozen its constants."""
    import tensorflow as tf

    variables = {id(v): tuple(v.shape) for v in function.variables if v.dtype.is_floating}
    if variables:
        return kept_parameters(list(variables.values()))
    frozen = [node.attr["value"].tensor for node in nodes_of(function) if node.op == "Const"]
    shapes = [tuple(d.size for d in t.tensor_shape.dim) for t in frozen if tf.dtypes.as_dtype(t.dtype).is_floating]
    return kept_parameters([shape for shape in shapes if len(shape) > 1])
