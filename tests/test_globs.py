"""Globs that choose names, and that leave names out."""

from __future__ import annotations

import pytest

from harness.support.globs import chosen, fits

NAMES = ("float32", "float16", "int8", "int8_float_io")


@pytest.mark.parametrize(
    ("globs", "names"),
    [
        ((), NAMES),
        (("int8",), ("int8",)),
        (("int8*", "float32"), ("float32", "int8", "int8_float_io")),
        (("!int8",), ("float32", "float16", "int8_float_io")),
        (("!int8", "!float16"), ("float32", "int8_float_io")),  # both are left out
        (("int8*", "!int8"), ("int8_float_io",)),
        (("!int8", "int8*"), ("int8_float_io",)),  # whatever stands first
        (("!*",), ()),
    ],
)
def test_what_is_taken_is_what_some_glob_takes_and_none_leaves_out(globs, names) -> None:
    assert chosen(NAMES, globs) == names


def test_one_glob_fits_a_name_or_every_other() -> None:
    assert fits("int8", "int*") and not fits("int8", "!int*") and fits("float16", "!int*")
