"""Which array goes to which input, and what fits: by names, shapes and dtypes alone."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from harness.build.models.feed import check_numbers, feeds_of
from harness.errors import BuildError, ConfigError, DataError
from harness.records import Affine, Dataset, Tensor


def data(*arrays: np.ndarray, names: tuple[str, ...] = ()) -> Dataset:
    """Each image has a scale of its own; whole numbers have none."""
    affines = tuple(Affine(scale=n + 1.0 if array.ndim > 2 else 1.0) for n, array in enumerate(arrays))
    return Dataset("d", (), None, arrays, None, affines, (), "made here", names)


def model_input(name: str, *shape: int, dtype: str = "float32") -> Tensor:
    return Tensor(name, dtype, (-1, *shape))


IMAGE, IDS = np.zeros((5, 4, 4, 3), np.uint8), np.zeros((5, 6), np.int64)
INPUTS = (model_input("picture", 4, 4, 3), model_input("tokens", 6, dtype="int32"))


def test_names_decide_whatever_the_order_of_the_arrays():
    first, second = feeds_of(INPUTS, data(IDS, IMAGE, names=("tokens", "picture")))
    assert (first.index, first.affine.scale, first.tensor.shape) == (1, 2.0, (1, 4, 4, 3))
    assert (second.index, second.affine.scale, second.tensor.shape) == (0, 1.0, (1, 6))


def test_without_names_the_models_own_order_counts():
    assert [feed.index for feed in feeds_of(INPUTS, data(IMAGE, IDS))] == [0, 1]


def test_a_single_input_needs_no_name():
    assert feeds_of(INPUTS[:1], data(IMAGE, names=("x",)))[0].index == 0


def test_wrong_names_are_told_with_both_lists():
    with pytest.raises(DataError, match="data's inputs are ids, picture; the model's are picture, tokens"):
        feeds_of(INPUTS, data(IDS, IMAGE, names=("ids", "picture")))


def test_another_number_of_arrays_is_told():
    with pytest.raises(DataError, match=r"the model has 2 inputs \(picture, tokens\), but the data 1"):
        feeds_of(INPUTS, data(IMAGE))


def test_images_get_the_affine_and_token_ids_stay_as_they_are():
    images, ids = np.full((5, 4, 4, 3), 2, np.uint8), np.full((5, 6), 40_000, np.int64)
    first, second = feeds_of(INPUTS, data(images, ids))
    assert first.values((images, ids)).dtype == np.float32
    assert (first.values((images, ids)) == 2).all()
    assert second.values((images, ids)).dtype == np.int32
    assert (second.values((images, ids)) == 40_000).all()


@pytest.mark.parametrize("affine", [Affine(scale=1 / 255), Affine(offset=1.0)])
def test_whole_numbers_that_are_to_be_scaled_are_refused(affine):
    """They would get to the model as they are stored, and nothing would show that the scale was dropped."""
    scaled = dataclasses.replace(data(IDS), affines=(affine,))
    with pytest.raises(ConfigError, match="input tokens takes int32 as it is stored") as caught:
        feeds_of(INPUTS[1:], scaled)
    assert caught.value.advice == "remove scale and offset under [data]"
    both = dataclasses.replace(data(IMAGE, IDS), affines=(affine, affine))
    with pytest.raises(ConfigError) as caught:
        feeds_of(INPUTS, both)
    assert "scale = { image = " in caught.value.advice


@pytest.mark.parametrize(
    ("dtype", "wrong", "told"),
    [
        ("uint8", 300, "takes uint8, 0 to 255, but the data hold 300"),  # would become 44
        ("uint8", -1, "takes uint8, 0 to 255, but the data hold -1"),  # would become 255
        ("uint8", 256.0, "takes uint8, 0 to 255, but the data hold 256.0"),
        ("int32", 2**31, "but the data hold 2147483648"),
        ("bool", 2, "takes bool, 0 to 1, but the data hold 2"),
    ],
)
def test_whole_numbers_that_would_wrap_are_refused_whichever_sample_has_them(dtype, wrong, told):
    stored = np.zeros((2_000, 6), type(wrong) if isinstance(wrong, float) else np.int64)
    (whole,) = (model_input("tokens", 6, dtype=dtype),)
    assert feeds_of((whole,), data(stored))
    stored[-1, -1] = wrong
    with pytest.raises(DataError, match=told) as caught:
        feeds_of((whole,), data(stored))
    assert caught.value.advice
    with pytest.raises(DataError, match=told):
        feeds_of((whole,), dataclasses.replace(data(stored[:5]), train_inputs=(stored,)))


def test_open_lengths_are_the_datas():
    (feed,) = feeds_of((Tensor("x", "float32", (-1, -1, -1, 3)),), data(IMAGE))
    assert feed.tensor.shape == (1, 4, 4, 3)


def test_fractions_are_no_token_ids_but_whole_floats_are():
    with pytest.raises(DataError, match="takes int32, but the data have fractions"):
        feeds_of(INPUTS[1:], data(np.full((5, 6), 0.5)))
    assert feeds_of(INPUTS[1:], data(np.full((5, 6), 3.0)))[0].values((np.full((5, 6), 3.0),)).dtype == np.int32


@pytest.mark.parametrize("dtype", ["string", "complex64"])
def test_an_output_that_is_no_number_is_named(dtype):
    check_numbers([model_input("scores", 3), model_input("found", dtype="bool")])
    with pytest.raises(BuildError, match=f"output label is of dtype {dtype}"):
        check_numbers([model_input("scores", 3), model_input("label", dtype=dtype)])


def test_text_is_no_input_of_numbers():
    with pytest.raises(DataError, match="input x takes string, but the data are numbers"):
        feeds_of((model_input("x", 6, dtype="string"),), data(IDS))


@pytest.mark.parametrize(
    ("wanted", "found", "advice"),
    [
        ((4, 5, 3), (3, 4, 5), "transpose(0, 2, 3, 1)"),
        ((3, 4, 5), (4, 5, 3), "transpose(0, 3, 1, 2)"),
        ((28, 28, 1), (28, 28), "x[..., np.newaxis]"),
        ((1, 28, 28), (28, 28), "x[:, np.newaxis]"),
        ((28, 28), (28, 28, 1), "x[..., 0]"),
        ((7, 2), (2, 7), "transpose(0, 2, 1)"),
        ((32, 32, 3), (48, 40, 3), "32 × 32"),
        ((784,), (28, 28), "reshape(-1, 784)"),
        ((10,), (11,), "the shape that the model takes"),
    ],
)
def test_what_would_make_it_fit_is_advised(wanted, found, advice):
    array = np.zeros((2, *found), np.float32)
    with pytest.raises(DataError) as caught:
        feeds_of((model_input("x", *wanted),), data(array))
    assert str(wanted) in str(caught.value)
    assert str(found) in str(caught.value)
    assert advice in caught.value.advice


@pytest.mark.parametrize(
    ("wanted", "found", "mend"),
    [
        ((4, 5, 3), (3, 4, 5), lambda x: x.transpose(0, 2, 3, 1)),
        ((3, 4, 5), (4, 5, 3), lambda x: x.transpose(0, 3, 1, 2)),
        ((28, 28, 1), (28, 28), lambda x: x[..., np.newaxis]),
        ((1, 28, 28), (28, 28), lambda x: x[:, np.newaxis]),
        ((28, 28), (28, 28, 1), lambda x: x[..., 0]),
        ((7, 2), (2, 7), lambda x: x.transpose(0, 2, 1)),
    ],
)
def test_the_advice_mends_it(wanted, found, mend):
    given = data(np.zeros((2, *found), np.float32))
    mended = dataclasses.replace(given, test_inputs=(mend(given.test_inputs[0]),))
    assert feeds_of((model_input("x", *wanted),), mended)[0].tensor.shape == (1, *wanted)
