"""files.py: whole or not at all."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.support import files
from harness.support.files import appearing, part_beside, replacing, write_atomically, write_json

NOBODY = 4_194_305  # above the highest number of a process


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


def ago(path: Path, days: float) -> Path:
    then = path.stat().st_mtime - days * 86_400
    os.utime(path, (then, then))
    return path


@pytest.mark.parametrize("owner", [f"0123abcd-{NOBODY}", str(NOBODY)], ids=["another container", "an older version"])
def test_what_a_process_that_is_not_seen_from_here_may_still_write_stays_for_a_day(tmp_path: Path, owner: str) -> None:
    part = tmp_path / f".run.json.{owner}"
    part.write_text("half")
    write_atomically(tmp_path / "run.json", b"ours")
    assert part.read_text() == "half"
    ago(part, 1.1)
    write_atomically(tmp_path / "run.json", b"ours")
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


def test_what_a_killed_process_of_this_place_left_goes_at_once(tmp_path: Path) -> None:
    killed = "import os, sys\nfrom pathlib import Path\nfrom harness.support.files import replacing\n"
    killed += "with replacing(Path(sys.argv[1])) as part:\n part.write_text('half')\n os.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", killed, tmp_path / "run.json"], check=False)
    assert [path.name.startswith(f".run.json.{files.place()}-") for path in tmp_path.iterdir()] == [True]
    write_atomically(tmp_path / "run.json", b"ours")
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


def test_two_processes_of_one_number_do_not_write_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In containers the first process has the number 1."""
    monkeypatch.setattr(os, "getpid", lambda: 1)
    with replacing(tmp_path / "run.json") as ours:
        ours.write_text("ours")
        monkeypatch.setattr(files, "place", lambda: "0123abcd")
        write_atomically(tmp_path / "run.json", b"theirs")
        assert ours.read_text() == "ours"
    assert (tmp_path / "run.json").read_text() == "ours"


def test_a_folder_that_a_kill_left_half_filled_is_gone(tmp_path: Path) -> None:
    """A day later where its process may be of another machine."""
    dead, fresh, stale, other = (
        tmp_path / name for name in (f".d.{files.place()}-{NOBODY}", f".a.{NOBODY}", f".b.{NOBODY}", ".c")
    )
    for folder in (dead, fresh, stale, other):
        folder.mkdir()
    for folder in (stale, other):
        ago(folder, 2)
    with appearing(tmp_path / "new") as part:
        (part / "content").write_text("whole")
        assert part == part_beside(tmp_path / "new")
    assert sorted(path.name for path in tmp_path.iterdir()) == [f".a.{NOBODY}", ".c", "new"]
