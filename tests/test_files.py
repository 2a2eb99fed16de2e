"""files.py: whole or not at all."""

from __future__ import annotations

import math
import os
from pathlib import Path

import pytest

from harness.support.files import replacing, write_atomically, write_json


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
