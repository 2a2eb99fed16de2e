"""What the small .tflite files really are, and every way in which one is not what it was asked to be."""

from __future__ import annotations

import random
from contextlib import suppress
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from harness.build import artifact
from harness.build.variants import RECIPES, Expectation
from harness.build.variants import quantizer as quantizer  # importing it registers its recipes
from harness.errors import BuildError
from tests.small_models import FOLDER, PARAMETERS, tflite

MADE = ("float32", "float16", "dynamic_range", "int8", "int8_float_io", "int16x8")


def faults(file: str, recipe: str) -> list[str]:
    return artifact.faults(artifact.inspect(tflite(file)), RECIPES[recipe].expectation, PARAMETERS)


@pytest.mark.parametrize("name", MADE)
def test_a_faithful_file_has_no_faults(name):
    assert faults(name, name) == []


@pytest.mark.parametrize("file", MADE)
@pytest.mark.parametrize("recipe", MADE)
def test_a_file_passes_for_no_other_recipe(file, recipe):
    assert bool(faults(file, recipe)) == (file != recipe)


@pytest.mark.parametrize(
    ("name", "io", "weights", "activations"),
    [
        ("float32", "float32", "float32", {"float32"}),
        ("float16", "float32", "float16", {"float32"}),
        ("dynamic_range", "float32", "int8", {"float32"}),
        ("int8", "int8", "int8", {"int8"}),
        ("int8_float_io", "float32", "int8", {"int8"}),
        ("int16x8", "float32", "int8", {"int16"}),
    ],
)
def test_facts(name, io, weights, activations):
    facts = artifact.inspect(tflite(name))
    ((given,), (answered,)) = facts.inputs, facts.outputs
    assert (given.dtype, given.shape) == (io, (1, 28, 28))
    assert (answered.dtype, answered.shape) == (io, (1, 10))
    assert facts.weights[weights] >= 28 * 28 * 8
    assert set(facts.activations) == activations
    assert [op for op in facts.ops if op not in artifact.CONVERTING] == [
        *("RESHAPE", "FULLY_CONNECTED", "FULLY_CONNECTED", "SOFTMAX")
    ]


@pytest.mark.parametrize("name", MADE)
def test_activation_bytes_are_what_the_runtime_sees_between_the_ops(name):
    """Every tensor that the interpreter keeps, less the constants, which can be read before anything ran."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(tflite(name)))
    held = {t["index"]: t for t in interpreter.get_tensor_details() if t["index"] < tensors_of(name)}
    sizes = [
        int(np.prod(t["shape"])) * np.dtype(t["dtype"]).itemsize for n, t in held.items() if n not in constants(name)
    ]
    assert artifact.inspect(tflite(name)).activation_bytes == sum(sizes)


def graph(name: str) -> tuple:
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(tflite(name).read_bytes(), 0))
    return model, model.subgraphs[0].tensors


def tensors_of(name: str) -> int:
    return len(graph(name)[1])


def constants(name: str) -> set[int]:
    model, tensors = graph(name)
    return {n for n, t in enumerate(tensors) if artifact.is_constant(model, t)}


@pytest.mark.parametrize(
    ("dtype", "size"), [("int4", 5), ("bool", 9), ("int8", 9), ("bfloat16", 18), ("float32", 36), ("complex64", 72)]
)
def test_a_tensors_bytes_by_its_dtype(dtype, size):
    assert artifact.tensor_bytes(SimpleNamespace(shape=[3, 3]), dtype) == size


@pytest.mark.parametrize("dtype", ["string", "resource", "variant"])
def test_what_has_no_fixed_size_has_no_bytes(dtype):
    assert artifact.tensor_bytes(SimpleNamespace(shape=[3, 3]), dtype) is None


@pytest.mark.parametrize("name", MADE)
def test_tensors_are_as_the_interpreter_sees_them(name):
    """The same facts, by the runtime's own reading of the file."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(tflite(name)))
    facts = artifact.inspect(tflite(name))
    seen = interpreter.get_input_details() + interpreter.get_output_details()
    for tensor, details in zip(facts.inputs + facts.outputs, seen, strict=True):
        scale, zero_point = details["quantization"]  # (0.0, 0) where it is not quantised
        assert (tensor.name, np.dtype(tensor.dtype)) == (details["name"], details["dtype"])
        assert tensor.shape == tuple(details["shape"])
        assert (tensor.scale or 0.0, tensor.zero_point or 0) == (pytest.approx(scale), zero_point)


def test_a_model_of_small_tensors_has_no_dynamic_range():
    """795 weights in tensors of under 1,024, as TensorFlow's quantiser leaves them."""
    promised = RECIPES["dynamic_range"].expectation
    small = replace(artifact.inspect(tflite("float32")), weights={"float32": 795, "int32": 4}, largest={"float32": 720})
    assert artifact.too_small(small, promised, 795) == (
        "none of its weight tensors has 1,024 values or more, and TensorFlow quantises no smaller ones"
    )
    assert artifact.too_small(replace(small, largest={"float32": 1023}), promised, 795)
    for other in (
        replace(small, largest={"float32": 1024}),
        replace(small, largest={"float32": 720, "int8": 1024}),
        replace(small, weights={"float32": 2}),  # the others were lost
    ):
        assert artifact.too_small(other, promised, 795) == ""
    for name in ("float32", "int8", "float16", "aeq_dynamic_int8"):
        assert artifact.too_small(small, RECIPES[name].expectation, 795) == ""
    assert artifact.too_small(small, None, 795) == ""


@pytest.mark.parametrize(("largest", "told"), [(1023, ""), (1024, "only 2000 of its 5000 weights are int8")])
def test_a_model_most_of_whose_tensors_are_small_is_quantised_as_far_as_it_can_be(largest, told):
    promised = RECIPES["dynamic_range"].expectation
    mixed = replace(artifact.inspect(tflite("float32")), weights={"float32": 3000, "int8": 2000})
    found = artifact.wrong_weights(replace(mixed, largest={"float32": largest, "int8": 2000}), promised, 5000)
    assert "".join(found).startswith(told) and bool(found) == bool(told)


@pytest.mark.parametrize("name", MADE)
def test_the_largest_constant_is_the_hidden_layers_kernel(name):
    dtype = "float16" if name == "float16" else "float32" if name == "float32" else "int8"
    assert artifact.inspect(tflite(name)).largest[dtype] == 28 * 28 * 8


def test_lost_weights_are_told_by_their_number():
    (fault,) = faults("weightless", "float32")
    assert fault == f"it holds 2 weights of the model's {PARAMETERS}"


def test_dropped_zero_biases_are_not_lost_weights():
    """The converter leaves out biases of zero: 18 of this model's parameters."""
    held = sum(artifact.inspect(tflite("untrained")).weights.values())
    assert held < PARAMETERS
    assert faults("untrained", "float32") == []


def test_a_file_without_calibration_is_called_silently_float():
    """What int8 without a representative dataset becomes: int8 weights, float ops."""
    assert faults("dynamic_range", "int8_float_io") == ["none of its ops computes in int8"]


def test_a_single_float_op_among_integer_ops_is_found():
    assert "SIN" in artifact.inspect(tflite("float_fallback")).ops
    assert faults("float_fallback", "int8") == [
        "some of its ops compute in float32, not in int8: SIN; int8_or_float leaves these in float32"
    ]


def test_wrong_input_and_output_are_named_with_both_dtypes():
    found = faults("int8_float_io", "int8")
    assert [fault.split()[0] for fault in found] == ["input", "output"]
    assert all(fault.endswith("is float32, not int8") for fault in found)


def test_weights_of_another_type_are_counted():
    assert faults("float32", "float16") == [f"only 0 of its {PARAMETERS} weights are float16"]


def test_an_integer_output_without_a_scale_is_a_fault():
    facts = artifact.inspect(tflite("int8"))
    bare = artifact.Tensor("scores", "int8", (1, 10))
    stripped = artifact.Artifact(facts.inputs, (bare,), facts.ops, facts.weights, facts.activations)
    assert artifact.faults(stripped, RECIPES["int8"].expectation, PARAMETERS) == ["scores is int8 without a scale"]


@pytest.mark.parametrize("content", [b"", b"no model at all", (FOLDER / "weights.npz").read_bytes()])
def test_another_file_is_no_tflite_file(tmp_path, content):
    (tmp_path / "model.tflite").write_bytes(content)
    with pytest.raises(BuildError, match=r"model\.tflite is not a TFLite file"):
        artifact.inspect(tmp_path / "model.tflite")


@pytest.mark.parametrize("size", [8, 100, 15_000])
def test_a_truncated_file_is_no_whole_tflite_file(tmp_path, size):
    (tmp_path / "model.tflite").write_bytes(tflite("float32").read_bytes()[:size])
    with pytest.raises(BuildError, match="is not a complete TFLite file"):
        artifact.inspect(tmp_path / "model.tflite")


@pytest.mark.parametrize("seed", range(30))
def test_a_damaged_file_is_read_or_told_and_raises_nothing_else(tmp_path, seed):
    chance, content = random.Random(seed), bytearray(tflite("int8").read_bytes())
    for _ in range(50):
        content[chance.randrange(8, len(content))] = chance.randrange(256)
    (tmp_path / "model.tflite").write_bytes(content)
    with suppress(BuildError):
        artifact.inspect(tmp_path / "model.tflite")


def test_tensors_have_the_names_that_a_user_knows():
    facts = artifact.inspect(tflite("int8"))
    assert facts.signatures == ("serving_default",)
    assert [t.name for t in facts.named_inputs] == ["input_layer"]
    assert [t.name for t in facts.named_outputs] == ["output_0"]
    assert facts.named_inputs[0].dtype == "int8"


def test_whole_numbers_that_the_model_itself_takes_are_no_fault():
    facts = artifact.inspect(tflite("int8"))
    ids = artifact.Tensor("ids", "int32", (1, 6))
    both = replace(facts, inputs=(*facts.inputs, ids))
    assert artifact.faults(both, RECIPES["int8"].expectation, PARAMETERS) == [
        "input ids is int32, not int8",
        "ids is int32 without a scale",
    ]
    assert artifact.faults(both, RECIPES["int8"].expectation, PARAMETERS, frozenset({"int32"})) == []


def test_a_recipe_that_promises_nothing_must_still_hold_the_weights():
    assert artifact.faults(artifact.inspect(tflite("int8")), None, PARAMETERS) == []
    (fault,) = artifact.faults(artifact.inspect(tflite("weightless")), None, PARAMETERS)
    assert "it holds 2 weights" in fault


def test_outputs_of_one_name_are_numbered_so_that_each_is_judged():
    found = artifact.inspect(tflite("float32"))
    (output,) = found.outputs
    twice = replace(found, outputs=(output, output, replace(output, name="other")), output_names=())
    names = [tensor.name for tensor in twice.named_outputs]
    assert len(set(names)) == 3 and names[2] == "other" and names[0].endswith("_0") and names[1].endswith("_1")


def test_a_layer_that_was_to_stay_in_float32_and_did_not_is_a_fault():
    promised = Expectation("int8", "int8", "int8", partly=True, kept=("no layer",))
    facts = artifact.inspect(tflite("int8"))
    assert artifact.faults(facts, promised, 0) == ["no layer is not in float32, as was asked for"]
    assert not facts.floats
    floats = artifact.inspect(tflite("float32"))
    assert {tensor.name for tensor in floats.outputs} <= floats.floats
    one_of_two = replace(promised, kept=("no layer", floats.outputs[0].name))
    found = replace(facts, floats=frozenset({floats.outputs[0].name}))
    assert artifact.faults(found, one_of_two, 0) == ["no layer is not in float32, as was asked for"]
