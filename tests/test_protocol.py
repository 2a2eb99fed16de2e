"""device/protocol.py: the names that both ends use fit the patterns by which each checks the other's."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import numpy as np
import pytest

from harness.device import protocol

DEVICE = Path(protocol.__file__).parent


@pytest.mark.parametrize(
    "name",
    [protocol.RESULT, protocol.STATE, protocol.TIMINGS, protocol.STDERR, protocol.output_file(0),
     protocol.output_file(999)],
)  # fmt: skip
def test_the_host_takes_every_file_that_a_job_writes(name: str) -> None:
    assert re.fullmatch(protocol.RESULT_FILE, name)


@pytest.mark.parametrize("name", [protocol.JOB, protocol.MODEL, "../state.json", "outputs/x.npy", "state.json\n"])
def test_the_host_takes_no_other_file(name: str) -> None:
    assert not re.fullmatch(protocol.RESULT_FILE, name)


def test_an_input_file_says_which_input_from_which_sample_on() -> None:
    match = re.fullmatch(protocol.INPUT, protocol.input_file(2, 5000))
    assert match
    assert match.groups() == ("2", "5000")
    assert protocol.input_file(2, 5000) == "inputs/2-5000.npy"  # as stored recordings were sent


def test_a_name_has_no_character_that_may_not_be_in_one() -> None:
    for character in map(chr, range(256)):
        assert bool(re.fullmatch(protocol.NAME, character)) != bool(re.fullmatch(protocol.NOT_IN_A_NAME, character))


def test_a_timing_takes_eleven_bytes() -> None:
    assert np.dtype(protocol.TIMING).itemsize == 1 + 2 + 8


def test_it_imports_nothing() -> None:
    """Both ends and every job read it."""
    nodes = ast.walk(ast.parse((DEVICE / "protocol.py").read_text()))
    assert not [node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]


@pytest.mark.parametrize("kind", [protocol.Op, protocol.Event])
def test_every_message_is_explained(kind: type) -> None:
    assert protocol.__doc__
    words = {value for name, value in vars(kind).items() if name.isupper()}
    assert words <= set(re.findall(r"[a-z]+", protocol.__doc__.partition("host   →")[2]))
