"""foreign.py: what others wrote is read, or refused in one way; and of all that reads it nothing escapes."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.build import original
from harness.build.models import model_source
from harness.build.models.predictions import Habits
from harness.build.workloads.idx import read_idx
from harness.data.kinds import load as load_data
from harness.data.source import DataSource
from harness.errors import BuildError, DataError, StoreError, Unreadable
from harness.measure.counted_rows import counts_of
from harness.measure.model_state import reset_of
from harness.runs.header import read_header
from harness.runs.loading import load
from harness.support import foreign
from tests.devices import RECORDED
from tests.foreign_files import KINDS, Files
from tests.foreign_files import escape_of as files_escape_of
from tests.mutations import DEEP, DIGITS, HEADERS, campaign, campaign_of_tasks

MUTATIONS = int(os.environ.get("MUTATIONS", "0"))
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
    "a tensor of no dtype": changed("run.json", lambda c: c["variants"][0]["outputs"][0].update(dtype="")),
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


def array_of(text: np.ndarray) -> Callable[[Path], object]:
    return lambda path: np.savez(path, x=np.zeros((12, 3), np.int16), y=np.arange(12) % 2, clip=text)


def without_end(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def linked_to_itself(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


# (kind, its file, what is done to it)
FOUND_IN_FILES = (
    ("own-runs", "own-runs", without_end),
    ("run.lock", "run.lock", without_end),
    ("model.keras", "model.keras", without_end),
    ("model.h5", "model.h5", without_end),
    ("SavedModel", "variables/variables.index", without_end),
    ("SavedModel", "variables/variables.index", linked_to_itself),
    ("manifest.json", "manifest.json", lambda path: path.write_text(DEEP)),
    ("arrived.jsonl", "arrived.jsonl", lambda path: path.write_text(f'["", {DIGITS}]')),
    ("a device's look", "said.json", lambda path: path.write_text(DEEP)),
    ("facts.json", "facts.json", lambda path: path.write_text('{"inputs": NaN}')),
    ("habits.json", "habits.json", lambda path: path.write_text("[]")),
    ("remarks.json", "remarks.json", lambda path: path.write_text('[{"what": true}]')),
    ("samples.json", "samples.json", lambda path: path.write_text("{}")),
    ("policy.toml", "policy.toml", lambda path: path.write_text(f"[{'a.' * 3000}a]\n")),
    ("experiment.toml", "experiment.toml", lambda path: path.write_text(f"[{'a.' * 3000}a]\n")),
    ("data.npz", "data.npz", array_of(np.array([0x110000] * 12, "<u4").view("<U1"))),
    ("data.npz", "data.npz", array_of(np.array(["\ud800"] * 12))),
    ("data.csv", "data.csv", lambda path: path.write_text("label,a\n1," + "x" * 200_000)),
)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return Files(tmp_path_factory.mktemp("files"))


@pytest.mark.parametrize("name", KINDS)
def test_a_sound_file_is_read(files, name):
    KINDS[name].read(files.sound(name))


@pytest.mark.parametrize(("name", "file", "change"), FOUND_IN_FILES)
def test_of_a_file_that_was_found_nothing_escapes(tmp_path, name, file, change):
    KINDS[name].make(tmp_path)
    change(tmp_path / file)
    assert files_escape_of(KINDS[name].read, tmp_path) == ""


@given(name=st.sampled_from(sorted(KINDS)), chance=st.randoms())
@settings(max_examples=MUTATIONS or 400, derandomize=not MUTATIONS, deadline=None)
def test_of_no_file_anything_escapes(files, name, chance):
    """MUTATIONS=60000 tries so many, others each time; `python -m tests.foreign_files 60000` has no more memory."""
    how, escape = files.tried(name, chance)
    assert not escape, f"{how}\n{escape}"


def test_an_archive_that_unpacks_to_more_than_a_model_has_is_not_unpacked(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "model.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.weights.h5", bytes(1 << 20))
    monkeypatch.setattr(model_source, "UNPACKED_BYTES", 1 << 19)
    with pytest.raises(BuildError, match="unpacks to over"):
        model_source.check_whole(tmp_path / "model.keras")


def test_a_large_bound_takes_no_memory(tmp_path):
    """read() of a file makes room for all that it is asked for."""
    (tmp_path / "file").write_bytes(b"12345")
    tracemalloc.start()
    foreign.read_bytes(tmp_path / "file", 1 << 30)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


def test_an_infinity_that_was_kept_is_read(tmp_path):
    """JSON has none: it was kept as null, and could not be read again."""
    (tmp_path / "habits.json").write_bytes(original._HABITS.dump_json(Habits(batch=float("inf"))))
    assert original.read_habits(tmp_path).batch == float("inf")


def test_nothing_escapes(tmp_path):
    """A short campaign: `python -m tests.mutations 60000` is a long one."""
    assert [(told, escape) for told, escape in campaign(25, 14, tmp_path) if escape] == []


def test_of_runs_of_other_tasks_nothing_escapes(tmp_path):
    """Damaged and sealed anew: `python -m tests.mutations 300 SEED tasks` is a long one."""
    assert [(told, escape) for told, escape in campaign_of_tasks(15, 14, tmp_path) if escape] == []


def test_an_npz_file_that_unpacks_to_more_than_the_disk_holds_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    """Its sizes are true: 4 MB of zeros are 4 kB."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    np.savez_compressed(tmp_path / "data.npz", x=np.zeros((1000, 1000), np.float32))
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=3_000_000))
    with pytest.raises(DataError, match=r"unpacks to 4 MB, and the disk of .* has 3 MB left"):
        load_data(DataSource("own", "data.npz", None, tmp_path))
    assert not list(tmp_path.rglob("*.npy"))
