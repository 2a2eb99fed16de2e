"""A campaign: models of five shapes, each broken in one way that is known, and sound files beside them.

    python -m tests.broken_models COUNT SEED

multiplies the scales of COUNT tensors by 4, drawn by SEED, breaks every model in each way in which a build goes wrong,
and prints what `harness explain` says is the matter. Models are built once, into a folder of the cache.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from harness.build.keras_process import KerasProcess
from harness.compare.baseline import compare
from harness.diagnosis.explain_row import explain
from harness.diagnosis.explanation import Cause, Explanation
from harness.diagnosis.row_study import Study
from harness.errors import JobFailed
from harness.records import Affine, Comparison, Shard, Variant
from harness.support.cache import cache_dir
from tests.breakable_models import MODELS, SOUND, build
from tests.made_runs import case, run
from tests.test_explain_row import InProcess

TO_ONE = Affine(1 / 255)
BUILDS = {  # a mistake in the build → the kinds of cause that are right
    "narrow": ("calibration_narrow",),
    "quiet": ("calibration_narrow", "calibration_one_class"),
    "wide": ("calibration_wide",),
    "one_class": ("calibration_one_class", "calibration_narrow"),
    "other_form": ("input_form",),
    "other_channels": ("input_form",),
    "wild": ("wild_channels",),
}
INT32_MAX = 2**31 - 1
LOOKED_AT = 100  # samples


@dataclass(frozen=True)
class Tried:
    """One file. expected: what is right to say of it, in words; "" for a sound one. right: whether it was said."""

    model: str
    what: str
    expected: str
    right: bool
    found: Explanation

    def __str__(self) -> str:
        said = ", ".join(f"{cause.kind} at {cause.where}" for cause in self.found.causes) or "nothing"
        return f"{'right' if self.right else 'WRONG'}  {self.model}, {self.what}: {said}"


# --- models and runs of them ---


def folder_of(model: str) -> Path:
    """Where its files lie, built where they are not there."""
    folder = cache_dir() / "breakable" / model
    if not (folder / "data.npz").exists():
        with tempfile.TemporaryDirectory() as log, KerasProcess(Path(log) / "build.log") as process:
            process.call(build, model, folder)
    return folder


@cache
def data_of(model: str) -> dict[str, np.ndarray]:
    with np.load(folder_of(model) / "data.npz") as data:
        return dict(data)


def variant_of(model: str, name: str, path: Path) -> Variant:
    """Its outputs are told apart by their sizes, which differ in every model here."""
    said = answers_of(model)
    shapes = [tuple(d["shape"][1:]) for d in opened(path.read_bytes()).get_output_details()]
    places = tuple(shapes.index(each.shape[1:]) for each in said)
    return Variant(name, name, path, "0" * 64, 1000, yields=places if len(said) > 1 else ())


def opened(content: bytes) -> Any:
    from ai_edge_litert.interpreter import Interpreter

    return Interpreter(model_content=content)


def answers_of(model: str) -> list[np.ndarray]:
    data = data_of(model)
    return [data[name] for name in sorted(data) if name.startswith("said")]


def compared(model: str, files: dict[str, Path]) -> Comparison:
    """A run whose rows answered as these files do; one that does not load has no answers."""
    data, said = data_of(model), answers_of(model)
    variants, shards = [variant_of(model, *each) for each in files.items()], []
    for variant in variants:
        try:
            outputs = answered(model, files[variant.name].read_bytes())
        except JobFailed:
            continue
        shards.append(Shard(case(variant.name), 0, len(data["x"]), outputs=outputs[0], tensors=outputs[1]))
    classes = said[0].shape[-1] == 10
    made = run(list(map(case, files)), labels=data["y"], baseline=said[0], shards=shards, variants=variants)
    made = replace(made, inputs=(data["x"],), affines=(TO_ONE,), baseline=tuple(said))
    names = tuple(f"output {n}" for n in range(len(said)))
    made = replace(made, output_names=names, class_names=tuple(map(str, range(10))))
    return compare(made if classes else replace(made, task="distance", labels=None, class_names=()))


@cache
def answered(model: str, content: bytes) -> tuple[Any, Any]:
    """What a file gives for the test set, in its own order of outputs, and their tensors."""
    given = InProcess().run(content, [data_of(model)["x"]], [TO_ONE])
    return tuple(np.asarray(each.kept) for each in given), tuple(each.tensor for each in given)


def explained(model: str, path: Path, name: str = "int8") -> Explanation:
    own = path.with_name(f"{path.stem}.float32.tflite")  # of a model that was changed before both were made of it
    control = own if own.exists() else folder_of(model) / "float32.tflite"
    comparison = compared(model, {"float32": control, name: path})
    return explain(Study(comparison, case(name), LOOKED_AT), InProcess())  # type: ignore[arg-type]


# --- what is broken in a file ---


def edited(content: bytes, change: Callable[[Any], None]) -> bytes:
    """The file after a change of its flatbuffer."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    change(model)
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


@cache
def scaled_tensors(model: str) -> list[tuple[int, str]]:
    """The tensors of its int8 file that have a scale."""
    found: list[tuple[int, str]] = []

    def look(file: Any) -> None:
        for n, tensor in enumerate(file.subgraphs[0].tensors):
            if tensor.quantization is not None and tensor.quantization.scale is not None:
                found.append((n, tensor.name.decode()))

    edited((folder_of(model) / "int8.tflite").read_bytes(), look)
    return found


def times(factor: float, index: int) -> Callable[[Any], None]:
    def change(file: Any) -> None:
        quantised = file.subgraphs[0].tensors[index].quantization
        quantised.scale = [factor * float(scale) for scale in quantised.scale]

    return change


def overflowing(file: Any) -> None:
    """A quarter of the last large bias stands at the end of int32, as where its weights are tiny."""
    from ai_edge_litert.schema_py_generated import TensorType

    biases = [t for t in file.subgraphs[0].tensors if t.type == TensorType.INT32 and t.quantization.scale is not None]
    buffer = [file.buffers[tensor.buffer] for tensor in biases if size_of(file.buffers[tensor.buffer]) >= 32][-1]
    values = np.frombuffer(bytes(buffer.data), np.int32).copy()
    values[::4] = INT32_MAX
    buffer.data = np.frombuffer(values.tobytes(), np.uint8)


def size_of(buffer: Any) -> int:
    return 0 if buffer.data is None else len(buffer.data)


def points_at(found: Explanation, name: str) -> bool:
    """Whether the first cause is at this tensor: as a range, as a constant, or as what its op gives."""
    return bool(found.causes) and is_at(found, found.causes[0], name)


def is_at(found: Explanation, cause: Cause, name: str) -> bool:
    places = {layer.tensor: layer.place for layer in found.layers}
    return name == cause.tensor or name in cause.where or places.get(name, -9) == cause.place


# --- the campaign ---


def sound() -> Iterator[Tried]:
    for model in MODELS:
        for name in SOUND:
            path = folder_of(model) / f"{name}.tflite"
            if not path.exists():
                continue
            found = explained(model, path, name)
            yield Tried(model, f"sound {name}", "", not found.causes, found)


def broken_builds() -> Iterator[Tried]:
    for model in MODELS:
        for name, kinds in BUILDS.items():
            path = folder_of(model) / f"{name}.tflite"
            if path.exists():
                found = explained(model, path, name)
                right = bool(found.causes) and found.causes[0].kind in kinds
                yield Tried(model, name, kinds[0], right, found)


def broken_biases(folder: Path) -> Iterator[Tried]:
    for model in MODELS:
        path = folder / f"{model}.bias.tflite"
        path.write_bytes(edited((folder_of(model) / "int8.tflite").read_bytes(), overflowing))
        found = explained(model, path)
        right = bool(found.causes) and found.causes[0].kind == "bias_overflow"
        yield Tried(model, "bias overflow", "bias_overflow", right, found)


def broken_head(folder: Path) -> Iterator[Tried]:
    """The range of one of three outputs is a quarter of what it has to be."""
    details = opened((folder_of("heads") / "int8.tflite").read_bytes()).get_output_details()
    path, index = folder / "heads.bright.tflite", next(int(d["index"]) for d in details if d["shape"][1] == 3)
    path.write_bytes(edited((folder_of("heads") / "int8.tflite").read_bytes(), times(1 / 4, index)))
    found = explained("heads", path)
    name = dict(scaled_tensors("heads"))[index]
    yield Tried("heads", f"range ÷ 4 of {name}", "calibration_narrow", points_at(found, name), found)


def broken_scales(folder: Path, count: int, seed: int) -> Iterator[Tried]:
    every = [(model, *tensor) for model in MODELS for tensor in scaled_tensors(model)]
    for model, index, name in random.Random(seed).sample(every, min(count, len(every))):
        path = folder / f"{model}.{index}.tflite"
        path.write_bytes(edited((folder_of(model) / "int8.tflite").read_bytes(), times(4, index)))
        found = explained(model, path)
        right = points_at(found, name) or is_idle(found, name)
        yield Tried(model, f"scale × 4 of {name}", name, right, found)


def is_idle(found: Explanation, name: str) -> bool:
    """Whether the tensor is 0 for every sample, as what an LSTM begins with: no scale of it changes anything."""
    layers = {layer.tensor: layer for layer in found.layers}
    return name in layers and layers[name].low == layers[name].high


def campaign(count: int, seed: int) -> None:
    with tempfile.TemporaryDirectory() as given:
        folder, parts = Path(given), dict[str, list[Tried]]()
        each = {
            "sound files without a cause": sound(),
            "broken builds named": broken_builds(),
            "bias overflows named": broken_biases(folder),
            "broken outputs named": broken_head(folder),
            "scales × 4 named, or of a tensor that is always 0": broken_scales(folder, count, seed),
        }
        for part, tries in each.items():
            parts[part] = []
            for tried in tries:
                print(tried, flush=True)
                parts[part].append(tried)
        for part, tries_of in parts.items():
            print(f"{part}: {sum(tried.right for tried in tries_of)} of {len(tries_of)}")


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    campaign(int(sys.argv[1]), int(sys.argv[2]))
