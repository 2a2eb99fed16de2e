"""The register of recipes. That each makes what it promises is seen in test_artifact and test_end_to_end."""

from __future__ import annotations

import numpy as np
import pytest

from harness.build import variants
from harness.build.models.feed import Feed
from harness.errors import BuildError, ConfigError
from harness.experiment.plans import PLANS
from harness.experiment.resolve import builtin
from harness.records import Affine, Tensor

NAMES = ["float32", "float16", "dynamic_range", "int8", "int8_float_io", "int16x8"]
NAMED = ["int8_unrolled", "int8_or_float"]
QUANTIZER = ["aeq_dynamic_int8", "aeq_dynamic_int4", "aeq_static_int8"]


def test_every_recipe_is_registered_under_its_name_control_first():
    assert [name for name, recipe in variants.RECIPES.items() if not recipe.named] == NAMES
    assert [name for name, recipe in variants.RECIPES.items() if recipe.named and not recipe.package] == NAMED
    assert [name for name, recipe in variants.RECIPES.items() if recipe.package] == QUANTIZER
    assert [recipe.name for recipe in variants.RECIPES.values()] == NAMES + NAMED + QUANTIZER


@pytest.mark.parametrize("name", NAMES + NAMED + QUANTIZER)
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


def feed(name: str, index: int, dtype: str = "float32") -> Feed:
    return Feed(Tensor(name, dtype, (1, 2)), index, Affine(scale=0.5, offset=1))


def test_calibration_is_fed_one_sample_at_a_time_as_the_model_takes_it():
    fed = list(variants.samples([feed("x", 0)], (np.arange(6).reshape(3, 2),)))
    listed = [sample for sample in fed if isinstance(sample, list)]
    assert [[array.tolist() for array in sample] for sample in listed] == [
        [[[1, 1.5]]],
        [[[2, 2.5]]],
        [[[3, 3.5]]],
    ]


def test_several_inputs_are_fed_by_name_for_the_files_order_is_the_converters_own():
    stored = (np.arange(6).reshape(3, 2), np.array([7, 8, 9]))
    fed = list(variants.samples([feed("ids", 1, "int32"), feed("x", 0)], stored))
    assert [{name: array.tolist() for name, array in sample.items()} for sample in fed if isinstance(sample, dict)] == [
        {"ids": [7], "x": [[1, 1.5]]},
        {"ids": [8], "x": [[2, 2.5]]},
        {"ids": [9], "x": [[3, 3.5]]},
    ]


def test_a_recipe_that_calibrates_where_there_are_no_samples_is_told_so():
    with pytest.raises(BuildError, match="there are no samples to calibrate it with") as caught:
        next(variants.samples([feed("x", 0)], ()))
    assert "calibration = under [data]" in caught.value.advice


def test_recipes_that_need_a_package_are_built_where_they_are_named():
    plan = PLANS["none"]
    assert builtin("digits", None, (), plan).variants == tuple(NAMES)
    assert builtin("digits", None, ("*int8*",), plan).variants == ("int8", "int8_float_io")
    assert builtin("digits", None, ("aeq_static_int8",), plan).variants == ("aeq_static_int8",)


def test_the_converter_names_what_it_lacks():
    error = """Some ops are not supported by the native TFLite runtime, you can enable TF Select.
TF Select ops: MatrixDeterminant, Erf
Custom ops: Betainc
Details:"""
    assert variants.ops_named("TF Select", error) == ["Erf", "MatrixDeterminant"]
    assert variants.ops_named("Custom", error) == ["Betainc"]
    assert variants.ops_named("Custom", "something else") == []


class Refusing:
    """A converter that gives up in TensorFlow's words."""

    def convert(self) -> bytes:
        raise ValueError(
            '<unknown>:0: error: loc(callsite("TensorListReserve:"("/a/b.py":3:1) at "x")): '
            "'tf.TensorListReserve' op requires element_shape to be static\n<unknown>:0: note: called from"
        )


def test_the_op_that_the_converter_stops_at_is_told_and_not_where_its_call_comes_from():
    with pytest.raises(BuildError) as caught:
        variants.converted(Refusing(), select_ops=False)
    told = "TensorFlow's converter says: 'tf.TensorListReserve' op requires element_shape to be static"
    assert str(caught.value) == told
