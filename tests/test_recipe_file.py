"""Recipe files: read, written, and refused where they mean nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import ConfigError
from harness.experiment.experiment_file import read_experiment
from harness.experiment.plans import plan_of
from harness.experiment.recipe_file import read_recipe, read_recipes, recipe_text
from harness.experiment.resolve import builtin
from harness.records import Adjusted

KEPT = Adjusted("int8", ('a/"b";c/d',), samples=40, drawn="again", seed=7, ranges="99.5%")

STRANGE = Adjusted("int8", ("block_\U0001f600/é\x7f/MatMul",))


@pytest.mark.parametrize("adjusted", [KEPT, STRANGE, Adjusted("float16"), Adjusted("int8", ranges="mse")])
def test_what_is_written_is_read(tmp_path, adjusted):
    (tmp_path / "mine.toml").write_text(recipe_text(adjusted, ["why\nthis"]), encoding="utf-8")
    assert read_recipe(tmp_path / "mine.toml") == adjusted


def test_samples_lie_beside_the_recipe_file(tmp_path):
    (tmp_path / "train.npz").write_bytes(b"")
    (tmp_path / "mine.toml").write_text('recipe = "int8"\n[calibration]\ndata = "train.npz"\n')
    assert read_recipe(tmp_path / "mine.toml").data == tmp_path / "train.npz"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('recipe = "int9"', "there is no recipe 'int9'"),
        ('recipe = "float16"\nkeep_float = ["a"]', "keep_float means nothing to float16"),
        ('recipe = "int16x8"\n[calibration]\nranges = "mse"', "ranges means nothing to int16x8"),
        ('recipe = "int8"\n[calibration]\nranges = "101%"', "'101%' is no range"),
        ('recipe = "int8"\n[calibration]\nranges = "3%"', "'3%' is no range"),
        ('recipe = "dynamic_range"\n[calibration]\nsamples = 3', "dynamic_range is not calibrated"),
        ('recipe = "float16"\n[calibration]\nseed = 0', "float16 is not calibrated"),
        ('recipe = "float32"\n[calibration]\ndrawn = "again"', "float32 is not calibrated"),
        ('recipe = "int8"\n[calibration]\ndata = "gone.npz"', "gone.npz"),
        ('recipe = "int8"\nkeep = ["a"]', "keep"),
    ],
)
def test_what_means_nothing_is_refused_with_its_place(tmp_path, text, told):
    (tmp_path / "mine.toml").write_text(text)
    with pytest.raises(ConfigError, match=r"mine\.toml") as caught:
        read_recipe(tmp_path / "mine.toml")
    assert told in str(caught.value)


def test_ranges_are_for_every_recipe_that_tensorflow_quantises_to_int8(tmp_path):
    (tmp_path / "mine.toml").write_text('recipe = "float16"\nkeep_float = ["a"]')
    with pytest.raises(ConfigError) as caught:
        read_recipe(tmp_path / "mine.toml")
    assert caught.value.advice == "it is for int8, int8_float_io, int8_unrolled and int8_or_float"


@pytest.mark.parametrize("name", ["int8.toml", "keras.toml", "-x.toml"])
def test_a_file_is_the_name_of_its_variant(tmp_path, name):
    (tmp_path / name).write_text('recipe = "int8"')
    with pytest.raises(ConfigError) as caught:
        read_recipes([tmp_path / name])
    assert "rename the file" in caught.value.advice


def test_an_experiment_names_recipe_files_among_its_variants(tmp_path):
    (tmp_path / "mine.toml").write_text(recipe_text(KEPT))
    (tmp_path / "model.keras").write_bytes(b"")
    text = (
        'name = "x"\n[model]\nsource = "model.keras"\n[data]\ntest = "t.npz"\n[variants]\nbuild = ["int8", "mine.toml"]'
    )
    (tmp_path / "experiment.toml").write_text(text)
    found = read_experiment(tmp_path / "experiment.toml")
    assert found.variants == ("int8", "mine") and found.adjusted == {"mine": KEPT}


def test_a_command_names_recipe_files_among_its_variants(tmp_path):
    path: Path = tmp_path / "mine.toml"
    path.write_text(recipe_text(KEPT))
    found = builtin("digits", None, ("float32", str(path)), plan_of("none"))
    assert found.variants == ("float32", "mine") and found.adjusted == {"mine": KEPT}
