"""build/models/keras_model.py: what it reads off layers and configurations; tests/test_models.py loads real models."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from harness.build.models.keras_model import (
    as_tensor,
    forget,
    half_policy,
    normalisation,
    output_names,
    rewritten,
    scales,
    sized,
    steps,
)
from harness.records import Affine, Tensor


def layer(kind: str, **what: Any) -> Any:
    """A layer of that class, as far as it is asked."""
    return type(kind, (), {"weights": (), **what})()


def model(*layers: Any, **what: Any) -> Any:
    return SimpleNamespace(layers=list(layers), operations=None, **what)


INPUT, DENSE = layer("InputLayer"), layer("Dense", weights=("kernel", "bias"))


@pytest.mark.parametrize(
    ("layers", "whether"),
    [
        ((INPUT, DENSE), False),
        ((INPUT, layer("Rescaling"), DENSE), True),
        ((INPUT, DENSE, layer("BatchNormalization", weights=("mean",))), False),  # too late for the first weights
        ((INPUT, layer("Normalization", weights=("mean",)), DENSE), True),
        ((INPUT, layer("Flatten"), layer("TrueDivide"), DENSE), True),
        ((INPUT, layer("Lambda"), DENSE), True),  # nobody knows what it does
        ((INPUT, model(INPUT, layer("Rescaling")), DENSE), True),  # in a model within it
        ((INPUT, layer("Flatten")), False),
    ],
)
def test_whether_something_brings_inputs_to_one_size_before_weights_take_them(layers: Any, whether: bool) -> None:
    assert scales(model(*layers)) is whether


def test_the_steps_of_models_within_a_model_stand_in_its_place() -> None:
    inner = model(INPUT, first := layer("Flatten"), second := layer("ReLU"))
    assert list(steps(model(INPUT, inner, DENSE))) == [first, second, DENSE]


@pytest.mark.parametrize(
    ("first", "affine"),
    [
        (layer("Rescaling", scale=1 / 127.5, offset=-1), Affine(1 / 127.5, -1.0)),
        (layer("Rescaling", scale=[0.1, 0.2, 0.3], offset=0), None),  # another one for each channel
        (DENSE, None),
    ],
)
def test_a_model_that_begins_with_one_scale_and_offset(first: Any, affine: Affine | None) -> None:
    assert normalisation(model(INPUT, first, DENSE)) == affine


def test_a_model_computes_in_16_bits_where_a_layer_with_weights_does() -> None:
    def policy(name: str, computes: str) -> Any:
        return SimpleNamespace(name=name, compute_dtype=computes)

    plain = layer("Dense", weights=(1,), dtype_policy=policy("float32", "float32"))
    half = layer("Dense", weights=(1,), dtype_policy=policy("mixed_float16", "float16"))
    bare = layer("ReLU", dtype_policy=policy("mixed_bfloat16", "bfloat16"))
    assert half_policy(SimpleNamespace(_flatten_layers=lambda: [plain, bare])) == ""
    assert half_policy(SimpleNamespace(_flatten_layers=lambda: [plain, bare, half])) == "mixed_float16"


def test_a_copy_in_float32_without_loops_says_so_wherever_16_bits_or_a_loop_stood() -> None:
    policy = {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "mixed_float16"}}
    lstm: Any = {"class_name": "LSTM", "config": {"units": 3, "unroll": False, "dtype": policy}}
    config: Any = {"layers": [lstm, {"class_name": "Dense", "config": {"dtype": "bfloat16"}}], "ends": ("a", 0)}
    plain = policy | {"config": {"name": "float32"}}
    made = {"class_name": "LSTM", "config": {"units": 3, "unroll": True, "dtype": plain}}
    assert rewritten(config, unrolled=True) == {
        "layers": [made, {"class_name": "Dense", "config": {"dtype": "float32"}}],
        "ends": ("a", 0),
    }
    assert rewritten(config, unrolled=False)["layers"][0]["config"]["unroll"] is False
    assert lstm["config"]["unroll"] is False  # the model that was given stays as it is


def test_an_unrolled_copy_knows_the_length_of_its_inputs() -> None:
    def given(name: str, shape: list[int | None]) -> dict[str, Any]:
        return {"class_name": "InputLayer", "config": {"name": name, "batch_shape": shape, "dtype": "float32"}}

    made = sized({"layers": [given("x", [None, None, 4]), given("y", [None, 2])]}, {"x": (1, 12, 4)})
    assert made == {"layers": [given("x", [1, 12, 4]), given("y", [None, 2])]}


def output(name: str) -> Any:
    return SimpleNamespace(_keras_history=SimpleNamespace(operation=SimpleNamespace(name=name)))


def test_outputs_are_called_by_their_keys_or_their_layers_and_numbered_where_two_are_one() -> None:
    ends = [output("head"), output("body"), output("head")]
    assert output_names(SimpleNamespace(outputs=ends)) == ["head_0", "body", "head_2"]
    named = SimpleNamespace(outputs=ends[:2], _outputs_struct={"scores": 1, "boxes": 2})
    assert output_names(named) == ["boxes", "scores"]


def test_an_open_dimension_is_minus_1() -> None:
    assert as_tensor("x", SimpleNamespace(dtype="int32", shape=(None, 7, None))) == Tensor("x", "int32", (-1, 7, -1))


def test_what_the_last_sample_left_in_a_stateful_layer_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    class RNN:
        def __init__(self, stateful: bool) -> None:
            self.stateful, self.resets = stateful, 0

        def reset_state(self) -> None:
            self.resets += 1

    keras = SimpleNamespace(layers=SimpleNamespace(RNN=RNN))
    monkeypatch.setitem(sys.modules, "keras", keras)
    keeps, clears = RNN(True), RNN(False)
    forget(SimpleNamespace(_flatten_layers=lambda: [keeps, DENSE, clears]))
    assert (keeps.resets, clears.resets) == (1, 0)
