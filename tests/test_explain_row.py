"""Broken on purpose, each in one way that is known: the file is named right, and sound files have no cause."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from harness.build.workloads import digits
from harness.compare.baseline import compare
from harness.device.tensors import to_tensor
from harness.diagnosis.bench import Numbers
from harness.diagnosis.explain_row import explain
from harness.diagnosis.explanation import Cause, Explanation
from harness.diagnosis.graph import Wire
from harness.diagnosis.layers import input_layer
from harness.diagnosis.row_study import Study
from harness.errors import ConfigError, JobFailed
from harness.records import Affine, Comparison, Shard, Tensor, Variant
from harness.report.words.explained_words import headline, title
from tests.made_runs import LITERT, case, run
from tests.small_models import dense_8, tflite

TO_ONE = Affine(1 / 255)
IMAGES = digits.load().test_inputs[0][:300]
LABELS = np.asarray(digits.load().test_labels)[:300]


@dataclass(frozen=True)
class InProcess:
    """A bench without a device: the interpreter in this process. It fails as a device's process would."""

    def run(
        self,
        content: bytes,
        stored: Sequence[np.ndarray],
        affines: Sequence[Affine] = (),
        keep: Sequence[int] = (),
        reset: str = "none",
    ) -> tuple[Numbers, ...]:
        try:
            interpreter = Interpreter(model_content=content, experimental_preserve_all_tensors=bool(keep))
            for into, array in zip(interpreter.get_input_details(), stored, strict=True):
                if -1 in into["shape_signature"]:
                    batch = len(into["shape_signature"]) - array.ndim + 1
                    interpreter.resize_tensor_input(into["index"], [1] * batch + list(array.shape[1:]))
            interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            raise JobFailed(str(error), "") from error
        details = interpreter.get_tensor_details() if keep else interpreter.get_output_details()
        wanted = [d for d in details if d["index"] in keep] if keep else details
        wanted = sorted(wanted, key=lambda d: list(keep).index(d["index"])) if keep else wanted
        rows: list[list[np.ndarray]] = [[] for _ in wanted]
        for sample in range(len(stored[0])):
            for n, into in enumerate(interpreter.get_input_details()):
                affine = affines[n] if affines else Affine()
                values = to_tensor(stored[n][sample], vars(affine), vars(tensor_of(into)))
                interpreter.set_tensor(into["index"], values.reshape(into["shape"]))
            try:
                interpreter.invoke()
            except RuntimeError as error:
                raise JobFailed(str(error), "") from error
            for row, d in zip(rows, wanted, strict=True):
                value = interpreter.get_tensor(d["index"])
                row.append((value[0] if value.shape[:1] == (1,) else value).copy())
        return tuple(Numbers(np.array(row), tensor_of(d)) for row, d in zip(rows, wanted, strict=True))

    def of(self, variant: str) -> InProcess:
        return self


def tensor_of(d: dict[str, Any]) -> Tensor:
    scales = d["quantization_parameters"]["scales"]
    scale, zero = (
        (float(scales[0]), int(d["quantization_parameters"]["zero_points"][0])) if len(scales) else (None, None)
    )
    return Tensor(d["name"], d["dtype"].__name__, tuple(map(int, d["shape"])), scale, zero)


def compared(files: dict[str, Path]) -> Comparison:
    """A run whose rows answered as these files do."""
    baseline = dense_8(IMAGES.astype(np.float64) / 255)
    shards, cases = [], [case(name) for name in files]
    for name, path in files.items():
        (output,) = InProcess().run(path.read_bytes(), [IMAGES], [TO_ONE])
        shards.append(Shard(case(name), 0, len(IMAGES), outputs=(np.asarray(output.kept),), tensors=(output.tensor,)))
    variants = [Variant(name, name, path, "0" * 64, 1000) for name, path in files.items()]
    made = run(cases, labels=LABELS, baseline=baseline, shards=shards, variants=variants)
    names = tuple(map(str, range(10)))
    return compare(replace(made, inputs=(IMAGES,), affines=(TO_ONE,), class_names=names, output_names=("scores",)))


def explained(path: Path, name: str = "int8", control: str = "float32") -> Explanation:
    comparison = compared({"float32": tflite(control), name: path})
    return explain(Study(comparison, case(name)), InProcess())  # type: ignore[arg-type]


def edited(path: Path, change: Any, source: str = "int8") -> Path:
    import flatbuffers

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(tflite(source).read_bytes(), 0))
    change(model)
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(bytes(builder.Output()))
    return path


def scaled_by_four(index: int) -> Any:
    def change(model: Any) -> None:
        quantised = model.subgraphs[0].tensors[index].quantization
        quantised.scale = [4 * float(scale) for scale in quantised.scale]

    return change


def tensors_with_scales() -> list[tuple[int, str]]:
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(tflite("int8").read_bytes(), 0))
    tensors = enumerate(model.subgraphs[0].tensors)
    return [(n, t.name.decode()) for n, t in tensors if t.quantization is not None and t.quantization.scale is not None]


@pytest.mark.parametrize("name", ["float16", "dynamic_range", "int8", "int8_float_io", "int16x8"])
def test_a_sound_file_has_no_cause(name):
    found = explained(tflite(name), name)
    assert found.causes == ()
    assert len(found.layers) >= 4 and not found.notes


@pytest.mark.parametrize(("index", "name"), tensors_with_scales())
def test_a_scale_four_times_too_large_is_named(tmp_path, index, name):
    path = edited(tmp_path / "int8.tflite", scaled_by_four(index))
    comparison = compared({"float32": tflite("float32")})
    study = Study(comparison, case("int8"), file=path)
    found = explain(study, InProcess())  # type: ignore[arg-type]
    first = found.causes[0]
    layers = {layer.tensor: layer.place for layer in found.layers}
    assert name == first.tensor or name in first.where or layers.get(name) == first.place, found.causes


def test_the_error_that_a_layer_adds_is_that_of_numpy():
    """The hidden layer by plain numpy: quantised weights and inputs, float arithmetic, rounded to its scale."""
    found = explained(tflite("int8"))
    layer = next(layer for layer in found.layers if layer.kind == "FULLY_CONNECTED")
    with np.load(tflite("int8").parent / "weights.npz") as w:
        places = list(found.samples)
        images = np.rint(IMAGES[places].reshape(len(places), -1) / 255 / (1 / 255)) / 255
        exact = np.maximum(0, images @ w["hidden_weights"] + w["hidden_bias"])
    content, kept = tflite("int8").read_bytes(), [index_of(layer.tensor)]
    (own,) = InProcess().run(content, [IMAGES[places]], [TO_ONE], kept)
    error = own.read() - exact
    assert layer.added_db == pytest.approx(10 * np.log10((exact**2).sum() / (error**2).sum()), abs=0.05)
    assert layer.added_steps == pytest.approx(np.sqrt((error**2).mean()) / layer.scale, rel=0.01)
    assert 0.2 < layer.added_steps < 0.5


def index_of(name: str) -> int:
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(tflite("int8").read_bytes(), 0))
    return next(n for n, tensor in enumerate(model.subgraphs[0].tensors) if tensor.name.decode() == name)


def test_one_layer_alone_is_a_mixture_by_numpy():
    """The output layer in int8, everything before it in float32."""
    found = explained(tflite("int8"))
    effects = {each.place: each for each in found.alone}
    assert effects and all(0 <= each.error_share < 3 for each in effects.values())
    last = max(effects)
    assert effects[last].after == 0, "nothing is left of the variant after its last layer"


def test_other_weights_are_named():
    found = explained(tflite("int8"), control="untrained")
    assert {cause.kind for cause in found.causes} >= {"other_weights"}


def test_a_file_that_wants_pixels_is_told_so(tmp_path):
    def change(model: Any) -> None:
        """The hidden weights ÷ 255 and the input's scale × 255: the same integers, for inputs from 0 to 255."""
        tensors = model.subgraphs[0].tensors
        for n, tensor in enumerate(tensors):
            if n in (int(i) for i in model.subgraphs[0].inputs) or b"Reshape" in tensor.name:
                tensor.quantization.scale = [float(s) * 255 for s in tensor.quantization.scale]
        hidden = next(o for o in model.subgraphs[0].operators if len(o.inputs) == 3)
        weights = tensors[int(hidden.inputs[1])]
        weights.quantization.scale = [float(s) / 255 for s in weights.quantization.scale]

    found = explained(edited(tmp_path / "pixels.tflite", change), "pixels")
    assert [cause.kind for cause in found.causes][:1] == ["input_form"], found.causes
    assert "× 255" in found.causes[0].way_out


def test_a_run_without_float32_is_refused():
    comparison = compared({"int8": tflite("int8")})
    with pytest.raises(ConfigError, match="no float32 file"):
        explain(Study(comparison, case("int8")), InProcess())  # type: ignore[arg-type]


def test_float32_itself_is_refused():
    comparison = compared({"float32": tflite("float32")})
    with pytest.raises(ConfigError, match="held against"):
        explain(Study(comparison, case("float32", LITERT)), InProcess())  # type: ignore[arg-type]


def test_a_tensor_that_is_always_0_has_no_range_to_fit():
    """int16x8 gives such a one, as what an LSTM begins with, the scale 0."""
    wire = Wire(0, "zeros", "int16", (1, 4), (0.0,), (0,))
    layer = input_layer(wire, np.zeros((60, 4)))
    assert layer.clip_share == 0 and layer.used is None and not layer.clipped.any()


def test_too_few_samples_to_judge_ranges_are_no_all_clear():
    comparison = compared({"float32": tflite("float32"), "int8": tflite("int8")})
    found = explain(Study(comparison, case("int8"), 20), InProcess())  # type: ignore[arg-type]
    assert found.causes == () and not found.ranges_judged
    said = headline(found)
    assert "20 samples are too few to judge ranges by; nothing else was found" in said and "--samples 50" in said
    assert "nothing was found" not in said
    assert title([found], "one") == "No cause was found: run one"


def test_a_page_is_called_by_what_was_found():
    cause = Cause("dead_layer", "relu", "it gives the same for every sample", "look at its scale")
    found = explained(tflite("int8"))
    assert title([replace(found, causes=(cause,), changed=3), found], "one") == "Why answers differ: run one"
    assert title([replace(found, causes=(cause,), changed=0)], "one") == "What was found: run one"
    seen = replace(cause, kind="one_class", seen=True)  # in the answers alone
    assert title([replace(found, causes=(seen,), changed=3)], "one") == "No cause was found: run one"


def test_a_batch_that_does_not_run_is_told(tmp_path):
    """Its input says that the batch is open, and what follows is made for one sample."""

    def change(model: Any) -> None:
        main = model.subgraphs[0]
        main.tensors[int(main.inputs[0])].shapeSignature = [-1, 28, 28]

    found = explained(edited(tmp_path / "open.tflite", change), "open")
    assert any("what a batch of 8 does is not known" in note for note in found.notes)
    assert not any(gap.step == "batch" for gap in found.gaps) and found.causes == ()
