"""Remarks on what was built or brought, beside those on the data alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.build.remarks import of_given, of_ranges
from harness.records import Affine, Dataset, Tensor, Variant
from harness.support.cache import Cache, Shelf

UNIT = Affine(1 / 255)


def brought(scale: float | None, zero_point: int | None, dtype: str = "int8") -> Variant:
    return Variant("vendor", "import", inputs=(Tensor("image", dtype, (1, 4), scale, zero_point),))


def pixels(affine: Affine = UNIT) -> Dataset:
    stored = np.linspace(0, 255, 400).reshape(100, 4).astype(np.uint8)
    return Dataset("d", (), None, (stored,), None, (affine,), (), "here")


@pytest.mark.parametrize(
    ("file", "affine"),
    [
        (brought(1 / 255, -128), UNIT),
        (brought(1.0, 0, "uint8"), Affine()),
        (brought(2 / 255, 0), Affine(2 / 255, -1.0)),
        (brought(None, None, "float32"), Affine()),
    ],
    ids=["0 to 1", "bytes", "-1 to 1", "float32"],
)
def test_a_file_that_takes_what_it_is_given_is_not_remarked_on(file: Variant, affine: Affine) -> None:
    assert list(of_ranges([file], pixels(affine))) == []


def test_a_file_that_clips_what_it_is_given_is_named_with_its_range() -> None:
    (remark,) = of_ranges([brought(1 / 255, -128)], pixels(Affine()))  # calibrated on 0 to 1, given 0 to 255
    assert "vendor takes 0 to 1 as image, and clips the 99% of the test set's values that lie outside" in str(remark)
    (remark,) = of_ranges([brought(1 / 255, -128)], pixels(Affine(2 / 255, -1.0)))  # given −1 to 1
    assert "clips the 50% of" in str(remark)


def test_samples_of_a_recipe_file_are_held_against_the_test_set_and_said_each_time(tmp_path: Path) -> None:
    given = pixels()
    given = replace(given, train_inputs=(np.concatenate([given.test_inputs[0][:5], given.test_inputs[0] // 4]),))
    for _ in range(2):
        said: list[str] = []
        found = of_given("mine", given, Shelf(Cache(tmp_path), said.append))
        assert [f"remark: {remark}" for remark in found] == [line for line in said if line.startswith("remark")]
        assert any("mine: " in line and "calibration samples are in the test set, too" in line for line in said)
