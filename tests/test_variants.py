"""The register of recipes. That each makes what it promises is seen in test_artifact and test_end_to_end."""

from __future__ import annotations

import numpy as np
import pytest

from harness import variants
from harness.errors import ConfigError

NAMES = ["float32", "float16", "dynamic_range", "int8", "int8_float_io", "int16x8"]


def test_every_recipe_is_registered_under_its_name_control_first():
    assert list(variants.RECIPES) == NAMES
    assert [recipe.name for recipe in variants.RECIPES.values()] == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_integer_activations_need_calibration_and_float_ones_do_not(name):
    recipe = variants.recipe(name)
    assert recipe.calibrated == recipe.expectation.activations.startswith("int")


def test_only_int8_promises_integers_in_and_out():
    assert [name for name in NAMES if variants.recipe(name).expectation.io != "float32"] == ["int8"]


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match="no variant 'int4'") as caught:
        variants.recipe("int4")
    assert all(name in caught.value.advice for name in NAMES)


def test_a_new_recipe_is_one_decorated_function(monkeypatch):
    monkeypatch.setattr(variants, "RECIPES", dict(variants.RECIPES))

    @variants.variant("int4", weights="int4", activations="float32")
    def int4(converter):
        converter.bits = 4

    assert variants.recipe("int4") == variants.Recipe(
        "int4", int4, variants.Expectation("float32", "int4", "float32"), False
    )


def test_calibration_is_fed_one_sample_at_a_time_every_input_beside_the_other():
    first, second = np.arange(6).reshape(3, 2), np.arange(3)
    fed = list(variants.samples((first, second)))
    assert [[array.tolist() for array in sample] for sample in fed] == [
        [[[0, 1]], [0]],
        [[[2, 3]], [1]],
        [[[4, 5]], [2]],
    ]
