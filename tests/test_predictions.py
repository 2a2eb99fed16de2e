"""What is said where a model fails on samples: the words of TensorFlow, or what they come from."""

from __future__ import annotations

import numpy as np
import pytest

from harness.build.models import Facts
from harness.build.models.predictions import predicted
from harness.errors import BuildError
from harness.records import Tensor


class Failing:
    """A model with two inputs that fails as TensorFlow does."""

    facts = Facts((Tensor("tokens", "int32", (-1, 4)), Tensor("x", "float32", (-1, 2))), (), 1)
    state = ()

    def __init__(self, told: str) -> None:
        self.told = told

    def predict(self, inputs: object, last: bool = True) -> list[np.ndarray]:
        raise RuntimeError(self.told)

    def converter(self, *_: object) -> None: ...


BATCH = [np.array([[3, 49, 61, 0]], np.int32), np.zeros((1, 2), np.float32)]
STACK = "Graph execution error: Detected at node functional_1/embedding_1/GatherV2 defined at {} [[{{node GatherV2}}]]"


def failure(told: str) -> BuildError:
    with pytest.raises(BuildError) as caught:
        predicted(Failing(told), BATCH)
    return caught.value


def test_an_index_beyond_the_vocabulary_is_told_by_input_value_and_limit():
    error = failure(STACK.format(600 * "frame " + "indices[0,2] = 61 is not in [0, 50)"))
    assert str(error) == "input tokens holds 61, and the model knows the indices 0 to 49"
    assert "vocabulary" in error.advice


def test_an_index_that_no_input_holds_is_told_without_one():
    assert str(failure("indices[0] = -7 is not in [0, 50)")).startswith("the model looks up -7, and")


def test_any_other_failure_is_told_in_its_own_words():
    error = failure("matrix size-incompatible")
    assert str(error) == "the model fails on samples of the test set: matrix size-incompatible"
