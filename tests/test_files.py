"""files.py: whole or not at all."""

from __future__ import annotations

import math
import os
from pathlib import Path

import pytest

from harness.support.files import appearing, replacing, write_atomically, write_json


def test_a_reader_never_meets_half_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = write_atomically(tmp_path / "deep" / "run.json", b"old")

    def full_disk(self: Path, content: bytes) -> int:
        os.close(os.open(self, os.O_CREAT | os.O_WRONLY))
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full_disk)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(target, b"new")
    assert target.read_text() == "old"
    assert [path.name for path in target.parent.iterdir()] == ["run.json"]


def test_what_fails_half_way_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyError), replacing(tmp_path / "table") as part:
        part.write_text("half")
        raise KeyError
    assert list(tmp_path.iterdir()) == []


def test_json_has_no_nan(tmp_path: Path) -> None:
    assert write_json(tmp_path / "a.json", {"b": [1]}).read_text() == '{\n "b": [\n  1\n ]\n}\n'
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", math.nan)


def test_a_folder_that_a_kill_left_half_filled_is_gone_a_day_later(tmp_path: Path) -> None:
    """And no sooner: a process of another machine may fill it."""
    fresh, stale, other = (tmp_path / name for name in (".a.4194305", ".b.4194305", ".c"))
    for folder in (fresh, stale, other):
        folder.mkdir()
    for folder in (stale, other):
        os.utime(folder, (0, 0))
    with appearing(tmp_path / "new") as part:
        (part / "content").write_text("whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".a.4194305", ".c", "new"]
