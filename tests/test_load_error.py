"""Why Keras cannot load a model, in one sentence."""

from __future__ import annotations

import pytest

from harness.build.models.load_error import cause

DEEP = "config={" + "'layer': 'Dense', " * 800 + "}"


def test_a_class_that_keras_does_not_know_is_named_however_deep_it_stands():
    error = TypeError(
        f"<class 'Functional'> could not be deserialized properly. {DEEP}\n\nException encountered: "
        "Could not locate class 'own>Gate'. Make sure custom classes are decorated. " + DEEP
    )
    assert cause(error) == "it has code of its own, Gate, which Keras does not know"


def test_the_exception_that_it_came_from_counts_too():
    try:
        try:
            raise TypeError("Could not locate function 'swish2'.")
        except TypeError as inner:
            raise ValueError(DEEP) from inner
    except ValueError as error:
        assert cause(error) == "it has code of its own, swish2, which Keras does not know"


@pytest.mark.parametrize("text", ["the file is empty", f"{DEEP}\n\nException encountered: the file is empty"])
def test_else_the_last_exception_that_is_quoted(text):
    assert cause(ValueError(text)) == "the file is empty"
