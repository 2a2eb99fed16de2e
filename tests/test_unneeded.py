"""harness clean: what no run needs goes, and nothing else."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from harness.support.cache import Cache
from harness.support.files import part_beside
from harness.support.unneeded import unneeded
from tests.conftest import Call
from tests.devices import copy_of_recording

NOBODY = 4_194_305  # above the highest number of a process


def days_old(path: Path, days: float) -> Path:
    then = time.time() - days * 86_400
    os.utime(path, (then, then))
    return path


def entry(cache: Path, key: str, size_bytes: int = 1_000) -> Path:
    def make(folder: Path) -> None:
        (folder / "a").write_bytes(bytes(size_bytes))

    return Cache(cache).obtain("models", key, make)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path / "cache" / "edge-harness"


def test_a_build_goes_when_it_was_not_used_for_long(cache: Path, tmp_path: Path) -> None:
    old, used, new = (entry(cache, key) for key in ("old", "used", "new"))
    for path in (old, used):
        days_old(path, 31)
    assert Cache(cache).has("models", "used")
    (only,) = unneeded(cache, tmp_path / "results", 30)
    assert only.path == old and only.why == "built, and not used for 31 days" and 1_000 < only.frees_bytes < 1_200
    assert {each.path for each in unneeded(cache, tmp_path / "results", 0)} == {old, used, new}


def test_what_a_run_links_to_frees_nothing(cache: Path, tmp_path: Path) -> None:
    old = entry(cache, "old", 5_000)
    os.link(old / "a", tmp_path / "a")
    days_old(old, 31)
    (only,) = unneeded(cache, tmp_path / "results", 30)
    assert only.frees_bytes < 1_000


def test_the_command_removes_what_is_left_and_keeps_the_runs(cache: Path, tmp_path: Path, harness: Call) -> None:
    run = copy_of_recording(tmp_path / "results")
    before = sorted(path for path in run.rglob("*"))
    left = [run / f".run.json.{NOBODY}", run.with_name(f".20260101-000000-0000.{NOBODY}"), run / "raw/host/x.part"]
    for path in left:
        path.mkdir(parents=True)
    kept = part_beside(run / "run.json")
    kept.write_text("")
    for path in (*left, kept):
        days_old(path, 2)
    half = cache / "models" / "abc.1.part"
    half.mkdir(parents=True)
    days_old(half, 2)
    words = ("clean", "--results", str(tmp_path / "results"))
    code, out, err = harness(*words, "--dry-run")
    assert code == 0 and "4 things would be removed" in out, out + err
    assert all(path.exists() for path in (*left, half))
    code, out, err = harness(*words)
    assert code == 0 and "4 things removed" in out and all(str(path) in out for path in (*left, half)), out + err
    assert sorted(path for path in run.rglob("*") if path != kept) == before and kept.exists()
    assert harness(*words)[1] == "There is nothing to remove.\n"


def test_a_link_is_not_followed(cache: Path, tmp_path: Path, harness: Call) -> None:
    """A folder from a stranger may hold one."""
    (tmp_path / "precious").mkdir()
    (tmp_path / "results/mnist/20260101-000000-0000").mkdir(parents=True)
    link = tmp_path / f"results/mnist/.20260101-000000-0000.{NOBODY}"
    link.symlink_to(tmp_path / "precious")
    os.utime(link, (0, 0), follow_symlinks=False)
    (tmp_path / "results/mnist/20260101-000000-0000/raw").symlink_to(tmp_path / "outside")
    part = tmp_path / "outside/host/x.part"
    part.mkdir(parents=True)
    days_old(part, 2)
    assert harness("clean", "--results", str(tmp_path / "results"))[1] == "There is nothing to remove.\n"
    assert (tmp_path / "precious").exists() and link.is_symlink() and part.exists()
