"""What is tried, and in which order: the smallest change first, by what was found."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.records import Adjusted, Variant
from harness.treatment.remedies import Layers, recipe_for, remedies
from tests.small_models import tflite

LAYERS = Layers(("a/MatMul", "b/MatMul"), (), (("b/MatMul",), ("c/MatMul",)))


def kinds(causes: list[str], **changed: object) -> list[str]:
    given = {"recipe": "int8", "training": 900, "data": None, "causes": causes, "layers": LAYERS, "made_by_it": True}
    return [each.words for each in remedies(**given | changed)]  # type: ignore[arg-type]


def test_calibration_comes_before_float_layers_and_these_before_other_formats():
    found = remedies("int8", 900, None, [], LAYERS, made_by_it=True)
    order = [each.kind for each in found]
    assert list(dict.fromkeys(order)) == ["calibration", "float_io", "keep_float", "wider", "other_format"]
    assert len({each.name for each in found}) == len(found)


def test_what_is_known_of_a_remedy_is_known_again_where_further_ones_are_tried():
    fewer = remedies("int8", 900, None, [], LAYERS, made_by_it=True)
    more = remedies("int8", 900, Path("/data/train.npz"), [], LAYERS, made_by_it=True)
    assert set(fewer) < set(more)


def test_a_narrow_range_asks_for_samples_first_and_a_wide_one_for_ranges():
    assert kinds(["calibration_narrow"])[0] == "calibrated with 900 samples, not 500"
    assert kinds(["calibration_wide"])[0] == "ranges of 99.9% of the values"


def test_further_samples_come_before_more_of_the_same():
    assert kinds([], data=Path("/data/train.npz"))[:2] == [
        "calibrated with train.npz",
        "calibrated with 900 samples, not 500",
    ]


def test_a_file_from_elsewhere_is_built_here_first():
    assert kinds([], made_by_it=False)[0] == "int8 as the harness builds it"


def test_layers_are_kept_one_by_one_with_those_that_read_them():
    found = remedies("int8", 100, None, [], LAYERS, made_by_it=True)
    kept = [each.recipe.keep_float for each in found if each.kind == "keep_float"]
    assert kept == [("a/MatMul",), ("a/MatMul", "b/MatMul"), ("a/MatMul", "b/MatMul", "c/MatMul")]


def test_where_the_input_is_to_blame_the_layer_that_reads_it_stays_in_float32_with_it():
    found = remedies("int8", 100, None, [], Layers(inputs=("a/MatMul",)), made_by_it=True)
    (kept,) = (each for each in found if each.kind == "keep_float")
    assert kept.recipe == Adjusted("int8_float_io", keep_float=("a/MatMul",))


@pytest.mark.parametrize("recipe", ["int16x8", "dynamic_range", "float16"])
def test_what_a_recipe_cannot_do_is_not_tried(recipe):
    found = remedies(recipe, 900, None, [], LAYERS, made_by_it=True)
    assert not {each.kind for each in found} & {"keep_float", "float_io", "wider"}
    assert not any(each.recipe.changes_quantiser for each in found)


@pytest.mark.parametrize("recipe", ["dynamic_range", "float16"])
def test_a_row_is_not_offered_its_own_format_as_another(recipe):
    found = remedies(recipe, 900, None, [], LAYERS, made_by_it=True)
    assert recipe not in [each.recipe.recipe for each in found if each.kind == "other_format"]


@pytest.mark.parametrize(
    ("recipe", "kept"), [("int8_float_io", True), ("int8_or_float", True), ("int8_unrolled", False)]
)
def test_float_inputs_and_outputs_are_never_those_of_another_recipe(recipe, kept):
    found = remedies(recipe, 100, None, [], Layers(inputs=("a/MatMul",)), made_by_it=True)
    of_layers = [each for each in found if each.kind == "keep_float"]
    assert [each.recipe.recipe for each in of_layers] == [recipe] * kept
    assert not any("inputs and outputs" in each.words for each in found)


@pytest.mark.parametrize("name", ["float32", "float16", "dynamic_range", "int8", "int8_float_io", "int16x8"])
def test_a_file_from_elsewhere_is_held_for_what_it_is(name):
    assert recipe_for(Variant("theirs", "import", tflite(name))) == name
    assert recipe_for(Variant("aeq_static_int8", "aeq_static_int8", tflite(name))) == "aeq_static_int8"
