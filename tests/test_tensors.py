"""device/tensors.py: the one definition of what a model is fed and what it answered."""

from __future__ import annotations

import numpy as np
import pytest

from harness.device.tensors import dequantise, from_tensor, handed_on, quantise, to_model_input, to_tensor

PIXELS = {"scale": 1 / 255, "offset": 0.0}


def test_the_affine_is_computed_in_float64_and_cast_once() -> None:
    stored = np.arange(256, dtype=np.uint8)
    expected = np.array([np.float32(float(n) * (1 / 255) - 0.1) for n in range(256)])
    np.testing.assert_array_equal(to_model_input(stored, 1 / 255, -0.1), expected)
    in_float32 = stored.astype(np.float32) * np.float32(1 / 255) - np.float32(0.1)
    assert (expected != in_float32).any()  # the shorter way would have told otherwise


def test_floats_under_the_identity_are_left_as_they_are() -> None:
    stored = np.array([0.1, np.pi, 1e-30], np.float32)
    assert to_model_input(stored, 1.0, 0.0) is stored


def test_quantising_rounds_half_to_even_and_then_clips() -> None:
    values = np.array([0.5, 1.5, 2.5, -0.5, -1.5, 1e9, -1e9])
    assert quantise(values, 1.0, 0, np.dtype(np.int8)).tolist() == [0, 2, 2, 0, -2, 127, -128]
    assert quantise(values, 1.0, 10, np.dtype(np.uint8)).tolist() == [10, 12, 12, 10, 8, 255, 0]


def test_dequantising_takes_the_zero_point_away_before_it_scales() -> None:
    steps = np.array([-128, -127, 127], np.int8)
    assert dequantise(steps, 1 / 256, -128).tolist() == [0.0, 1 / 256, 255 / 256]


def test_pixels_go_through_an_int8_input_and_back_within_half_a_step() -> None:
    tensor = {"dtype": "int8", "scale": 0.0039215689, "zero_point": -128}
    stored = np.arange(256, dtype=np.uint8)
    steps = to_tensor(stored, PIXELS, tensor)
    assert steps.dtype == np.int8
    back = from_tensor(steps, tensor["scale"], tensor["zero_point"])
    assert np.abs(back - stored / 255).max() <= 0.0039215689 / 2


@pytest.mark.parametrize(("dtype", "expected"), [("float32", [0.0, 1.0]), ("int32", [0, 255])])
def test_an_input_without_a_scale_gets_floats_scaled_and_integers_as_stored(dtype: str, expected: list[float]) -> None:
    tensor = {"dtype": dtype, "scale": None, "zero_point": None}
    given = to_tensor(np.array([0, 255], np.uint8), PIXELS, tensor)
    assert given.dtype == np.dtype(dtype)
    assert given.tolist() == expected


def test_an_output_without_a_scale_is_merely_float32() -> None:
    given = from_tensor(np.array([1, 2], np.int64), None, None)
    assert (given.dtype, given.tolist()) == (np.float32, [1.0, 2.0])


def test_a_scale_on_a_float_tensor_means_nothing() -> None:
    tensor = {"dtype": "float32", "scale": 0.5, "zero_point": 3}
    values = np.array([1.0, -2.5], np.float32)
    assert to_tensor(values, {"scale": 1.0, "offset": 0.0}, tensor).tolist() == [1.0, -2.5]
    assert from_tensor(values, 0.5, 3).tolist() == [1.0, -2.5]


def test_a_boolean_that_carries_a_scale_is_no_step_of_it_either() -> None:
    assert from_tensor(np.array([True, False]), 0.5, 3).tolist() == [1.0, 0.0]


def form(dtype: str, scale: float | None = None, zero_point: int | None = None) -> dict[str, object]:
    return {"dtype": dtype, "scale": scale, "zero_point": zero_point}


@pytest.mark.parametrize(
    ("values", "given", "taken", "wanted"),
    [
        ([-128, 5, 127], form("int8", 0.5, 3), form("int8", 0.5, 3), [-128, 5, 127]),  # as they are stored
        # (step - 11) / 4 is real; / .5 - 7, half to even: -34.75, -1.5, 29 are -69.5 - 7 → -70 - 7, -3 - 7, 58 - 7
        ([-128, 5, 127], form("int8", 0.25, 11), form("int8", 0.5, -7), [-77, -10, 51]),
        ([-128, 127], form("int8", 1.0, 0), form("int8", 0.5, 0), [-128, 127]),  # -256 and 254 are beyond int8
        ([-4, 6], form("int8", 0.5, 0), form("float32"), [-2.0, 3.0]),
        ([-2.0, 3.25], form("float32"), form("int8", 0.5, 1), [-3, 7]),  # 6.5 is 6
        ([1.5, -2.5], form("float32"), form("float32", 9.0, 3), [1.5, -2.5]),  # a scale means nothing there
        ([2**24 + 1], form("int32"), form("int64"), [2**24 + 1]),  # not by way of float32
    ],
)
def test_a_state_is_handed_on_as_a_program_on_the_device_would(values, given, taken, wanted) -> None:
    found = handed_on(np.array(values, given["dtype"]), given, taken)
    assert (found.dtype, found.tolist()) == (np.dtype(taken["dtype"]), wanted)
