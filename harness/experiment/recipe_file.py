"""A recipe file (TOML) ↔ Adjusted: a recipe with another calibration, or with layers that stay in float32."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from harness.build.variants import RECIPES, Recipe, recipe
from harness.errors import ConfigError
from harness.records import KERAS, Adjusted
from harness.records.adjusted import BY_ERROR, WHOLE_RANGE, Drawn
from harness.support.format import listed, nearest
from harness.support.toml import TomlFile, read_toml

ENDING = ".toml"
NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,63}")
PERCENT = re.compile(r"(\d{1,3}(?:\.\d+)?)%")
LEAST_PERCENT = 50.0
RANGES = 'write "all", "mse" or a percentage of the values such as "99.9%"'


class CalibrationText(BaseModel):
    """What [calibration] may hold."""

    model_config = ConfigDict(extra="forbid", strict=True)

    samples: Annotated[int, Field(ge=1, description="a whole number over 0")] | None = None
    drawn: Annotated[Drawn, Field(description='"balanced", "random" or "again"')] = "balanced"
    seed: Annotated[int, Field(ge=0, description="a whole number")] | None = None
    ranges: Annotated[str, Field(description=RANGES)] = WHOLE_RANGE
    data: Annotated[str, Field(min_length=1)] | None = None


class RecipeText(BaseModel):
    """What a recipe file may hold."""

    model_config = ConfigDict(extra="forbid", strict=True)

    recipe: Annotated[str, Field(min_length=1, description="the name of a built-in recipe in quotes")]
    keep_float: list[Annotated[str, Field(min_length=1)]] = []
    calibration: CalibrationText = CalibrationText()


def is_recipe_file(variant: str) -> bool:
    """Whether what stands for a variant is a recipe file."""
    return variant.endswith(ENDING)


def read_recipes(paths: Iterable[Path]) -> dict[str, Adjusted]:
    """Reads recipe files, by the names of their variants: those of the files. Raises ConfigError."""
    found: dict[str, Adjusted] = {}
    for path in paths:
        found[named_by(path, found)] = read_recipe(path)
    return found


def named_by(path: Path, taken: Iterable[str] = ()) -> str:
    """Returns the name of a recipe file's variant. Raises ConfigError where no variant can be called so."""
    name = path.stem
    if not NAME.fullmatch(name) or name in RECIPES or name in taken or name == KERAS:
        problem = "cannot be used as a name" if not NAME.fullmatch(name) else "is taken"
        raise ConfigError(f"{path}: {name!r} {problem}", "a variant is called as its recipe file: rename the file")
    return name


def read_recipe(path: Path) -> Adjusted:
    """Raises ConfigError."""
    file = read_toml(path, RecipeText)
    made = file.content.calibration
    kept = tuple(dict.fromkeys(file.content.keep_float))
    data = None if made.data is None else path.parent.resolve() / Path(made.data).expanduser()
    adjusted = Adjusted(file.content.recipe, kept, made.samples, made.drawn, made.seed, made.ranges, data)
    check_recipe(adjusted, file)
    return adjusted


def check_recipe(adjusted: Adjusted, file: TomlFile[RecipeText]) -> None:
    """Raises ConfigError where there is no such recipe, or where it cannot be changed so."""
    if adjusted.recipe not in RECIPES:
        told = f"{file.where(key='recipe', with_key=False)} there is no recipe {adjusted.recipe!r}"
        raise ConfigError(told, nearest(adjusted.recipe, RECIPES, "the recipes are"))
    if not fits_ranges(adjusted.ranges):
        raise ConfigError(f"{file.where('calibration', 'ranges')}: {adjusted.ranges!r} is no range", RANGES)
    made = recipe(adjusted.recipe)
    if adjusted.changes_quantiser and not chooses(made):
        key = "keep_float" if adjusted.keep_float else "ranges"
        where = file.where(key=key) if adjusted.keep_float else file.where("calibration", key)
        told = listed([each.name for each in RECIPES.values() if chooses(each)])
        raise ConfigError(f"{where} means nothing to {made.name}", f"it is for {told}")
    if adjusted.data and not adjusted.data.exists():
        where = file.where("calibration", "data")
        raise ConfigError(f"{where}: there is no {adjusted.data}", "paths are relative to the recipe file")
    usual = Adjusted(adjusted.recipe, adjusted.keep_float, ranges=adjusted.ranges)
    if adjusted != usual and not made.calibrated:
        raise ConfigError(f"{file.where('calibration')} {made.name} is not calibrated", "remove that table")


def fits_ranges(text: str) -> bool:
    if text in (WHOLE_RANGE, BY_ERROR):
        return True
    found = PERCENT.fullmatch(text)
    return found is not None and LEAST_PERCENT <= float(found[1]) < 100


def chooses(made: Recipe) -> bool:
    """Whether TensorFlow's quantiser of int8 makes the file: it can be told ranges, and layers to leave alone."""
    return made.expectation.activations == "int8" and not made.package


def recipe_text(adjusted: Adjusted, comments: Iterable[str] = ()) -> str:
    """Returns the text of a recipe file that says so."""
    lines = [*(f"# {' '.join(each.split())}" for each in comments), f"recipe = {quoted(adjusted.recipe)}"]
    if adjusted.keep_float:
        lines += ["keep_float = [", *(f"    {quoted(name)}," for name in adjusted.keep_float), "]"]
    usual = Adjusted(adjusted.recipe)
    keys = ("samples", "drawn", "seed", "ranges")
    said = {key: getattr(adjusted, key) for key in keys if getattr(adjusted, key) != getattr(usual, key)}
    said |= {} if adjusted.data is None else {"data": str(adjusted.data)}
    if said:
        lines += ["", "[calibration]", *(f"{key} = {quoted(value)}" for key, value in said.items())]
    return "\n".join(lines) + "\n"


def quoted(value: str | int) -> str:
    """A value as TOML has it, which knows no surrogate pairs, as JSON writes them."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
