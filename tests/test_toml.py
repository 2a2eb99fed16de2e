"""What a user writes in TOML: where an error is, and what to write instead."""

from __future__ import annotations

from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field

from harness.errors import ConfigError
from harness.support.toml import Place, line_of, parse_toml


class Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Oven(Table):
    degrees: Annotated[int, Field(gt=0, description="a number of degrees over 0")] = 180
    heat: Literal["top", "bottom"] = "top"


class Step(Table):
    do: str = Field(description="what to do, in quotes")
    minutes: int = 1


class Recipe(Table):
    name: str
    oven: Oven = Oven()
    step: list[Step] = Field(default=[], description="a [[step]] table with keys")


GOOD = """name = "bread"

[oven]
degrees = 220
heat = "bottom"

[[step]]
do = "knead"
[[step]]  # the second
do = "bake"
minutes = 40
"""


def test_a_file_is_read_with_its_text_and_the_place_of_each_key() -> None:
    file = parse_toml(GOOD, "bread.toml", Recipe)
    assert file.content.step[1].minutes == 40
    assert file.where(key="name") == "bread.toml:1: name"
    assert file.where("oven", "heat") == "bread.toml:5: [oven] heat"
    assert file.where("oven", "heat", with_key=False) == "bread.toml:5: [oven]"
    assert file.where("step", "do", 1) == "bread.toml:10: step 2: do"
    assert (file.line_of("step", index=0), file.line_of("step", index=1)) == (7, 9)


@pytest.mark.parametrize(
    ("old", "new", "message", "advice"),
    [
        ("degrees", "degres", ":4: [oven] unknown key 'degres'", "did you mean degrees? the keys are degrees, heat"),
        ("220", "-1", ":4: [oven] degrees: -1 cannot be used", "write a number of degrees over 0"),
        ('"bottom"', '"botom"', ":5: [oven] heat: 'botom' cannot be used", "did you mean bottom? write one of top"),
        ("minutes", "minuts", ":11: step 2: unknown key 'minuts'", "did you mean minutes?"),
        ("40", '"40"', ":11: step 2: minutes: '40' cannot be used", "integer"),
        ('do = "bake"\n', "", ":9: step 2: has no do", "write what to do, in quotes"),
        ("[oven]", "[ovn]", ":3: unknown table [ovn]", "did you mean oven?"),
        ("[[step]]", "[[steps]]", ":7: unknown table [steps]", "did you mean step?"),
        ('name = "bread"', "", ":1: has no name", "add it"),
        ('name = "bread"', "name = 3", ":1: name: 3 cannot be used", "string"),
        ('name = "bread"', 'name = "bread"\ncolour = 1', ":2: unknown key 'colour'", "the keys are"),
        ("220", "2 2 0", " is not TOML: ", "fix that line"),
    ],
)
def test_an_error_names_the_line_the_key_and_what_to_write(old: str, new: str, message: str, advice: str) -> None:
    assert old in GOOD
    with pytest.raises(ConfigError) as caught:
        parse_toml(GOOD.replace(old, new), "bread.toml", Recipe)
    assert str(caught.value).startswith(f"bread.toml{message}")
    assert advice in caught.value.advice


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('name = "x"\noven = 3', ":2: [oven] oven: 3 cannot be used"),
        ('name = "x"\nstep = 3', ":2: step: 3 cannot be used"),
        ('name = "x"\nstep = [3]', ":2: step 1: step: 3 cannot be used"),
        ('name = "x"\n\noven = {degrees = 1, heet = 2}', ":3: [oven] unknown key 'heet'"),
        ('name = "x"\nstep = [\n  {do = "a"},\n  {do = "b", mins = 2},\n]', ":4: step 2: unknown key 'mins'"),
    ],
)
def test_tables_that_stand_in_one_line(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_toml(text, "x.toml", Recipe)
    assert str(caught.value).startswith(f"x.toml{message}")


def test_an_array_within_a_table_is_no_header() -> None:
    text = '[oven]\nsizes = [\n  ["a", "b"],\n]\nheat = 1\n'
    assert line_of(text, Place("oven", "heat")) == 5


def test_what_is_not_in_the_text_is_told_at_its_table() -> None:
    assert line_of(GOOD, Place("oven", "minutes")) == 3
    assert line_of(GOOD, Place("nowhere", "minutes")) == 1
    assert line_of("", Place("", "name")) == 1
