"""foreign.py: what others wrote is read, or refused in one way; and of all that reads it nothing escapes."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from harness.build.workloads.idx import read_idx
from harness.errors import DataError, StoreError, Unreadable
from harness.measure.counted_rows import counts_of
from harness.measure.model_state import reset_of
from harness.runs.store import load, read_header
from harness.support import foreign
from tests.devices import RECORDED
from tests.mutations import DEEP, DIGITS, HEADERS, campaign

SCHEMA_3 = RECORDED.with_name("digits-schema-3")
SHARD = "raw/host/shard-000000.int8.ai-edge-litert.t1"


@pytest.mark.parametrize(
    "text", [DEEP, DIGITS, "1" + "0" * 400, "1e999", "NaN", "-Infinity", "[" * 90 + "]" * 90, "{", ""]
)
def test_json_that_nothing_can_be_made_of_is_refused(text):
    with pytest.raises(Unreadable):
        foreign.parse_json(f'{{"a": {text}}}' if text not in ("{", "") else text)


def test_what_a_path_or_a_file_cannot_hold_is_replaced():
    assert foreign.parse_json('{"a\\u0000": ["\\ud800b", 1, 0.5, null]}') == {"a\ufffd": ["\ufffdb", 1, 0.5, None]}


def test_numbers_are_those_that_were_written():
    for number in (2**63, -(2**63), 0.1, 1e-320, sys.float_info.max, -0.0):
        assert foreign.parse_json(json.dumps(number)) == number


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("/dev/zero")])
def test_what_is_no_regular_file_is_refused_at_once(tmp_path, make):
    make(tmp_path / "file")
    for read in (foreign.read_bytes, foreign.read_json, foreign.read_npy):
        with pytest.raises((Unreadable, OSError)):
            read(tmp_path / "file")


def test_a_file_may_be_too_long(tmp_path):
    (tmp_path / "file").write_bytes(b"12345")
    assert foreign.read_bytes(tmp_path / "file", 5) == b"12345"
    with pytest.raises(Unreadable, match="over 4 bytes"):
        foreign.read_bytes(tmp_path / "file", 4)


@pytest.mark.parametrize("header", HEADERS)
def test_the_header_of_an_array_is_refused(tmp_path, header):
    text = header.encode()[:65535]
    (tmp_path / "a.npy").write_bytes(b"\x93NUMPY\1\0" + len(text).to_bytes(2, "little") + text + bytes(64))
    for mapped in (True, False):
        if header.endswith("'shape': ()}"):  # a number alone is an array
            continue
        with pytest.raises(Unreadable):
            foreign.read_npy(tmp_path / "a.npy", mapped)


@pytest.mark.parametrize("name", ["(1,", "O", "M8", "U3", "(2,)f4", "", "f4,f4", "\0", "9" * 5000])
def test_a_dtype_is_one_of_numbers(name):
    assert foreign.dtype_of("int8") == np.int8
    with pytest.raises(Unreadable):
        foreign.dtype_of(name)


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")])
def test_a_model_or_an_idx_file_that_does_not_end_is_refused_at_once(tmp_path, make):
    make(tmp_path / "file")
    assert (reset_of(tmp_path / "file"), counts_of(tmp_path / "file")) == ("none", ())
    with pytest.raises(DataError, match="not a regular file"):
        read_idx(tmp_path / "file")


# --- found by the campaign: each once escaped, or did not end -------------------------------------------------------


def changed(file: str, change: Callable[[dict], object]) -> Callable[[Path], None]:
    def damage(run: Path) -> None:
        content = json.loads((run / file).read_text())
        change(content)
        (run / file).write_text(json.dumps(content))

    return damage


def in_place_of(file: str, make: Callable[[Path], object]) -> Callable[[Path], None]:
    def damage(run: Path) -> None:
        (run / file).unlink()
        make(run / file)

    return damage


FOUND = {
    "a variant is renamed": changed("run.json", lambda c: c["variants"][0].update(name="(1,")),
    "two variants have one name": changed("run.json", lambda c: c["variants"][0].update(name="int8")),
    "no input": changed("run.json", lambda c: c["affines"].clear()),
    "a date that is none": changed("run.json", lambda c: c["provenance"].update(created="2026-13-45")),
    "a plan of 10^18 rounds": changed("run.json", lambda c: c["plan"].update(rounds=10**18)),
    "deep JSON": lambda run: (run / "run.json").write_text(DEEP),
    "a number of thousands of digits": lambda run: (run / "run.json").write_text(f'{{"schema_version": {DIGITS}}}'),
    "a pipe": in_place_of("run.json", os.mkfifo),
    "labels that are a pipe": in_place_of("test/labels.npy", os.mkfifo),
    "a result without an end": in_place_of(f"{SHARD}/result.json", lambda path: path.symlink_to("/dev/zero")),
    "a zero point of 10^400": changed(f"{SHARD}/result.json", lambda c: c["outputs"][0].update(zero_point=10**400)),
    "a dtype (1,": changed(f"{SHARD}/result.json", lambda c: c["outputs"][0].update(dtype="(1,")),
    "a first of 2^31": changed(f"{SHARD}/piece.json", lambda c: c.update(first=2**31, last=2**31 + 500)),
    "a last of 2^31": changed(f"{SHARD}/piece.json", lambda c: c.update(last=2**31)),
    "a sample of an audit twice": changed(
        "raw/host/audit.int8.ai-edge-litert.t1/piece.json", lambda c: c["samples"].append(c["samples"][0])
    ),
    "an audit of a sample beyond": changed(
        "raw/host/audit.int8.ai-edge-litert.t1/piece.json", lambda c: c["samples"].__setitem__(0, 500)
    ),
}


@pytest.mark.parametrize("damage", FOUND.values(), ids=FOUND)
def test_a_damaged_run_is_refused_or_one_of_its_rows_is(tmp_path, damage):
    run = Path(shutil.copytree(SCHEMA_3, tmp_path / "run"))
    damage(run)
    try:
        read = load(run)
    except StoreError as error:
        assert str(run) in str(error)
        assert error.advice
    else:
        assert [shard.status for shard in read.shards].count("failed") == 1


def test_a_header_that_is_sound_is_read():
    assert read_header(SCHEMA_3).run_id


def test_nothing_escapes(tmp_path):
    """A short campaign: `python -m tests.mutations 60000` is a long one."""
    assert [(told, escape) for told, escape in campaign(25, 14, tmp_path) if escape] == []
