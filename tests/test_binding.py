"""Which tensor of a file is which of the model's."""

from __future__ import annotations

import pytest

from harness.build.artifact.binding import bound, by_count
from harness.errors import BuildError
from harness.records import Tensor


def tensors(**shapes: tuple[int, ...]) -> list[Tensor]:
    return [Tensor(name, "float32", (1, *shape)) for name, shape in shapes.items()]


WANTED = tensors(picture=(8, 8, 1), tokens=(6,), age=(6,))


def named(*names: str) -> list[Tensor]:
    """Tensors of one shape each, so that names alone tell them."""
    return [Tensor(name, "float32", (1, 3)) for name in names]


def test_a_signatures_names_come_first():
    given = named("a:0", "b:0", "c:0")
    assert bound("input", WANTED, given, ("tokens", "age", "picture")) == (2, 0, 1)


def test_else_the_tensors_own_names_without_what_the_converter_adds():
    given = named("serving_default_age:0", "serving_default_picture:0", "tokens")
    assert bound("input", WANTED, given, ()) == (1, 2, 0)


def test_a_signature_that_counts_its_outputs_has_the_models_order():
    """Which is known of a file that was made here alone: for another the answers decide (test_answers.py)."""
    assert by_count(WANTED, ("output_2", "output_0", "output_1")) == (1, 2, 0)
    assert by_count(WANTED, ("scores", "output_0", "output_1")) is None
    with pytest.raises(BuildError, match="cannot be matched"):
        bound("output", WANTED, named("x", "y", "z"), ("output_2", "output_0", "output_1"))


def test_the_converters_own_count_is_not_the_models():
    """It goes by the alphabet of names that are no longer there."""
    with pytest.raises(BuildError, match="cannot be matched"):
        bound("output", WANTED, named("Call:0", "Call:1", "Call:2"), ())


def test_else_shapes_that_no_two_share_and_then_dtypes():
    assert bound("input", tensors(a=(2,), b=(3,)), tensors(x=(3,), y=(2,)), ()) == (1, 0)
    wanted = [Tensor("image", "float32", (1, 3)), Tensor("ids", "int32", (1, 3))]
    given = [Tensor("x", "int32", (1, 3)), Tensor("y", "float32", (1, 3))]
    assert bound("input", wanted, given, ()) == (1, 0)


def test_what_cannot_be_told_apart_is_not_guessed():
    with pytest.raises(BuildError, match=r"inputs x, y cannot be matched with the model's a, b") as caught:
        bound("input", tensors(a=(3,), b=(3,)), named("x", "y"), ())
    assert "signature" in caught.value.advice


def test_another_number_of_tensors_is_another_model():
    with pytest.raises(BuildError, match=r"it has 2 outputs \(x, y\), and the model 1"):
        bound("output", tensors(a=(3,)), named("x", "y"), ())


def test_one_is_that_one_whatever_it_is_called():
    assert bound("input", tensors(a=(3,)), named("anything"), ("else",)) == (0,)
