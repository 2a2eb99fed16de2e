""".tflite files that are there already, beside the model or in its place: bound, checked, and without TensorFlow."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from harness.build.artifact import inspect
from harness.build.builder import Built, build
from harness.build.keras_process import KerasProcess
from harness.build.workloads import digits
from harness.errors import BuildError, ConfigError, DataError
from harness.experiment.plans import PLANS
from harness.records import Dataset, Experiment
from harness.support.cache import Cache
from tests import small_models as models


@pytest.fixture(scope="module")
def data() -> Dataset:
    """Without samples to calibrate with: files that are there already need none."""
    return dataclasses.replace(digits.load(), train_inputs=(), train_labels=None)


@pytest.fixture
def said() -> list[str]:
    """What building says on the way."""
    return []


@pytest.fixture
def once(tmp_path, data, said) -> Callable[..., Built]:
    def built(baseline: str = "float32", data: Dataset = data, **imports: Path) -> Built:
        experiment = Experiment("e", lambda: data, None, (), PLANS["none"], imports=imports, baseline=baseline)
        return build(experiment, data, Cache(tmp_path / "cache"), said.append, without_tensorflow)

    without_tensorflow = partial(KerasProcess, package="no_such_package")
    return built


def edited(path: Path, change: Callable[[Any], None], source: str = "float32") -> Path:
    """A file of tests/models with something changed in it."""
    import flatbuffers

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(models.tflite(source).read_bytes(), 0))
    change(model)
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(bytes(builder.Output()))
    return path


def test_a_file_takes_the_models_place(once, data):
    found = once(float32=models.tflite("float32"), int8=models.tflite("int8"))
    wanted = models.dense_8(data.test_inputs[0].astype(np.float64) / 255)
    (scores,) = found.baseline
    assert (scores.dtype, scores.shape) == (np.float32, (500, 10))
    np.testing.assert_allclose(scores, wanted, atol=1e-5)
    assert [(v.name, v.recipe, v.status, v.reason) for v in found.variants] == [
        ("float32", "import", "ok", ""),
        ("int8", "import", "ok", ""),
    ]
    assert found.output_names == ("output_0",)
    assert found.model_sha256 == found.variants[0].sha256


def test_the_second_time_nothing_is_run_again(once, said):
    once(float32=models.tflite("float32"))
    assert once(float32=models.tflite("float32")).made == ()
    assert said[-1].startswith("nothing to build")


def test_the_baseline_may_be_any_of_them(once):
    found = once("int8", float32=models.tflite("float32"), int8=models.tflite("int8"))
    assert len(np.unique(found.baseline[0])) <= 256  # its outputs are steps
    assert [v.status for v in found.variants] == ["ok", "ok"]


def test_another_model_is_suspect_by_its_answers_to_the_test_set(once):
    found = once(float32=models.tflite("float32"), other=models.tflite("untrained"))
    assert found.variants[1].status == "suspect"
    assert found.variants[1].reason.startswith("agrees with float32 on ")
    assert found.variants[1].reason.endswith("of 500 test samples")


def test_one_content_under_two_names_is_two_variants(once):
    found = once(float32=models.tflite("float32"), again=models.tflite("float32"))
    assert [(v.name, v.status) for v in found.variants] == [("float32", "ok"), ("again", "ok")]
    assert found.variants[0].sha256 == found.variants[1].sha256


def test_a_baseline_that_was_not_chosen_is_told(once):
    with pytest.raises(ConfigError, match="float32 is the baseline, but not among the variants"):
        once(int8=models.tflite("int8"))


def test_data_of_another_shape_are_told_with_advice(once, data):
    flat = dataclasses.replace(data, test_inputs=(data.test_inputs[0].reshape(500, 784),))
    with pytest.raises(DataError, match=r"samples of shape \(28, 28\), but the data's are \(784,\)") as caught:
        once(float32=models.tflite("float32"), data=flat)
    assert "reshape" in caught.value.advice


def batch_of_2(model: Any) -> None:
    graph = model.subgraphs[0]
    for index in (*graph.inputs, *graph.outputs):
        graph.tensors[index].shape = [2, *list(graph.tensors[index].shape)[1:]]


def two_signatures(model: Any) -> None:
    model.signatureDefs = [*model.signatureDefs, *model.signatureDefs]


def other_input(model: Any) -> None:
    graph = model.subgraphs[0]
    graph.tensors[graph.inputs[0]].shape = [1, 14, 56]


def two_inputs(model: Any) -> None:
    graph = model.subgraphs[0]
    graph.inputs = [*list(graph.inputs), graph.inputs[0]]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (batch_of_2, "input input_layer has a batch of 2"),
        (two_signatures, "it has 2 signatures"),
        (other_input, r"takes samples of shape (14, 56), but the data's are (28, 28)"),
        (two_inputs, "it has 2 inputs"),
    ],
)
def test_a_file_that_does_not_fit_is_failed_with_the_reason(once, tmp_path, change, reason):
    other = edited(tmp_path / "other.tflite", change)
    found = once(float32=models.tflite("float32"), other=other)
    assert [v.status for v in found.variants] == ["ok", "failed"]
    assert reason in found.variants[1].reason


def test_a_baseline_that_does_not_fit_ends_it(once, tmp_path):
    with pytest.raises(BuildError, match="has a batch of 2"):
        once(float32=edited(tmp_path / "two.tflite", batch_of_2))


def test_an_axis_of_length_1_more_is_no_other_shape(once, tmp_path):
    def with_channel(model: Any) -> None:
        graph = model.subgraphs[0]
        graph.tensors[graph.inputs[0]].shape = [1, 28, 28, 1]

    found = once(float32=models.tflite("float32"), channel=edited(tmp_path / "channel.tflite", with_channel))
    assert [(v.status, v.reason) for v in found.variants] == [("ok", "")] * 2


def without_names(model: Any) -> None:
    graph = model.subgraphs[0]
    model.signatureDefs, graph.name = None, None
    for tensor in graph.tensors:
        tensor.name = None
    for index in (*graph.inputs, *graph.outputs):
        graph.tensors[index].quantization = None


def test_a_file_without_its_optional_fields_runs(once, tmp_path):
    bare = edited(tmp_path / "bare.tflite", without_names)
    found = once(float32=models.tflite("float32"), bare=bare)
    assert [(v.status, v.reason) for v in found.variants] == [("ok", "")] * 2
    assert [v.status for v in once("bare", bare=bare).variants] == ["ok"]


def with_a_scale(model: Any) -> None:
    graph = model.subgraphs[0]
    quantisation = schema.QuantizationParametersT()
    quantisation.scale, quantisation.zeroPoint = [0.5], [0]
    graph.tensors[graph.outputs[0]].quantization = quantisation


def test_a_scale_on_a_float_tensor_means_nothing(tmp_path):
    (output,) = inspect(edited(tmp_path / "scaled.tflite", with_a_scale)).outputs
    assert (output.dtype, output.scale, output.zero_point) == ("float32", None, None)


def open_rows(model: Any) -> None:
    """As the converter writes a model of open height: 1 is stored, and −1 beside it."""
    graph = model.subgraphs[0]
    tensor = graph.tensors[graph.inputs[0]]
    tensor.shape, tensor.shapeSignature = [1, 1, 28], [-1, -1, 28]


def test_open_dimensions_are_resized_to_the_data(once, tmp_path):
    file = edited(tmp_path / "open.tflite", open_rows)
    assert inspect(file).inputs[0].shape == (1, -1, 28)
    found = once(float32=models.tflite("float32"), rows=file)
    assert [(v.status, v.reason) for v in found.variants] == [("ok", "")] * 2


def test_no_tflite_file_is_told_by_its_name(once, tmp_path):
    (tmp_path / "text.tflite").write_text("no model at all")
    found = once(float32=models.tflite("float32"), text=tmp_path / "text.tflite")
    assert found.variants[1].status == "failed"
    assert "text.tflite is not a TFLite file" in found.variants[1].reason


# --- several outputs, from experiment.toml to the gate ---------------------------------------------------------------

FILES = {"float": "float32", "int8": "int8"}
HEADS = {"output_0": 9, "hidden": 7, "logits": 8}  # name → its tensor, in the float32 and in the int8 file
SEVERAL = """
name = "heads"
[data]
test = "test.npz"
scale = 0.00392156862745098
[variants]
import = { float = "float.tflite", int8 = "int8.tflite" }
baseline = "float"
[metrics]
output = "output_0"
"""


def with_heads(model: Any) -> None:
    """The activations of the hidden layer and the logits are outputs, too: numbers of another scale than the scores."""
    graph, signature = model.subgraphs[0], model.signatureDefs[0]
    graph.outputs, signature.outputs = list(HEADS.values()), []
    for name, tensor in HEADS.items():
        entry = schema.TensorMapT()
        entry.name, entry.tensorIndex = name, tensor
        signature.outputs.append(entry)


def answered(path: Path, images: np.ndarray) -> dict[str, np.ndarray]:
    """What the file answers, by the runtime alone: name → float64, (samples, …)."""
    interpreter = Interpreter(str(path))
    interpreter.allocate_tensors()
    (entry,) = interpreter.get_input_details()
    scale, zero = entry["quantization"]
    x = images.astype(np.float32) / 255 if not scale else np.clip(np.rint(images / 255 / scale) + zero, -128, 127)
    given: dict[str, list[np.ndarray]] = {name: [] for name in HEADS}
    for image in x.astype(entry["dtype"]):
        interpreter.set_tensor(entry["index"], image[None])
        interpreter.invoke()
        for name, tensor in HEADS.items():
            given[name].append(interpreter.get_tensor(tensor)[0])
    steps = {name: interpreter._get_tensor_details(tensor, 0)["quantization"] for name, tensor in HEADS.items()}
    return {name: (np.array(y, float) - steps[name][1]) * (steps[name][0] or 1) for name, y in given.items()}


@pytest.mark.slow
def test_every_output_of_real_files_is_measured_and_judged(harness, own_lock, tmp_path, monkeypatch, data):
    images = data.test_inputs[0][:120]
    np.savez(tmp_path / "test.npz", x=images, y=data.test_labels[:120])
    files = {name: edited(tmp_path / f"{name}.tflite", with_heads, of) for name, of in FILES.items()}
    (tmp_path / "experiment.toml").write_text(SEVERAL)
    limits = {"output_0": 0.9, "hidden": 0.01, "logits": 300}
    rules = (
        f'[[rule]]\nmetric = "max_abs_diff"\nmax = {m}\noutput = "{o}"\nvariant = "int8"\n' for o, m in limits.items()
    )
    (tmp_path / "policy.toml").write_text("".join(rules) + '[[rule]]\nmetric = "distance"\nmax = 9\nvariant = "int8"\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    code, told, _ = harness("run", "experiment.toml", "--plan", "none", "--runtime", "ai-edge-litert")
    assert code == 0 and "output output_0 is scored" in told
    code, told, _ = harness("gate", "latest", "--policy", "policy.toml", "--json")
    float_answers, int8_answers = (answered(path, images) for path in files.values())
    apart = {name: np.abs(int8_answers[name] - float_answers[name]) for name in HEADS}
    *largest, mean = json.loads(told)["findings"]
    assert code == 1 and [row["outcome"] for row in largest] == ["pass", "fail", "pass"]
    assert [row["value"] for row in largest] == pytest.approx([apart[name].max() for name in HEADS], rel=1e-5)
    worst = max(("hidden", "logits"), key=lambda name: apart[name].mean())
    assert (mean["output"], mean["value"]) == (worst, pytest.approx(apart[worst].mean(), rel=1e-5))
