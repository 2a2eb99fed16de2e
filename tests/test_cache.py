"""The cache: everything once, whole or not at all, by content."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest

from harness.support import cache
from harness.support.cache import Cache, Shelf, cache_dir, code_sha256, file_sha256, key_of, version


class Maker:
    """Counts how often it is asked."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, folder: Path) -> None:
        self.calls += 1
        (folder / "made").write_text(str(self.calls))


def test_a_thing_is_made_once(tmp_path):
    make = Maker()
    folders = {Cache(tmp_path).obtain("models", "k", make) for _ in range(3)}
    assert folders == {tmp_path / "models" / "k"}
    assert make.calls == 1


@pytest.mark.parametrize(("kind", "key"), [("models", "other"), ("variants", "k")])
def test_another_kind_or_key_is_another_thing(tmp_path, kind, key):
    make = Maker()
    Cache(tmp_path).obtain("models", "k", make)
    Cache(tmp_path).obtain(kind, key, make)
    assert make.calls == 2


def test_fresh_makes_again_but_once(tmp_path):
    make, fresh = Maker(), Cache(tmp_path, fresh=True)
    Cache(tmp_path).obtain("models", "k", make)
    assert not fresh.has("models", "k")
    for _ in range(2):
        folder = fresh.obtain("models", "k", make)
    assert fresh.has("models", "k")
    assert (make.calls, (folder / "made").read_text()) == (2, "2")


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_what_fails_half_way_leaves_nothing(tmp_path, error):
    def fail(folder: Path) -> None:
        (folder / "half").touch()
        raise error

    with pytest.raises(error):
        Cache(tmp_path).obtain("models", "k", fail)
    assert not Cache(tmp_path).has("models", "k")
    assert list((tmp_path / "models").iterdir()) == []


def test_a_failed_fresh_attempt_keeps_what_was_there(tmp_path):
    def fail(folder: Path) -> None:
        raise ValueError

    Cache(tmp_path).obtain("models", "k", Maker())
    with pytest.raises(ValueError):
        Cache(tmp_path, fresh=True).obtain("models", "k", fail)
    assert (tmp_path / "models" / "k" / "made").read_text() == "1"


def test_where_two_make_the_same_at_once_the_first_stays_for_somebody_reads_it(tmp_path):
    first = tmp_path / "models" / "k"
    places = []

    def make(folder: Path) -> None:
        places.append(Cache(tmp_path).obtain("models", "k", Maker()).stat().st_ino)  # somebody else is faster
        Maker()(folder)

    assert Cache(tmp_path).obtain("models", "k", make) == first
    assert places == [first.stat().st_ino]
    assert list((tmp_path / "models").iterdir()) == [first]


def test_a_key_tells_its_parts_apart():
    keys = {key_of("ab", "c"), key_of("a", "bc"), key_of("abc"), key_of("a", "b", "c"), key_of("c", "ab")}
    assert len(keys) == 5
    assert key_of("a", 1, None) == key_of("a", 1, None)


def test_hashes_of_files(tmp_path):
    one, two = tmp_path / "one.py", tmp_path / "two.py"
    one.write_bytes(b"print(1)")
    two.write_bytes(b"print(2)")
    assert file_sha256(one) == hashlib.sha256(b"print(1)").hexdigest()
    before = code_sha256(one, two)
    two.write_bytes(b"print(3)")
    assert code_sha256(one, two) != before


def test_the_place_is_the_users(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache_dir() == tmp_path / ".cache" / "edge-harness"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "elsewhere"))
    assert cache_dir() == tmp_path / "elsewhere" / "edge-harness"


def test_a_distribution_that_is_not_there_has_the_version_none():
    assert version("a-distribution-nobody-has-made") == "none"
    assert version("numpy").split(".")[0].isdigit()


def test_a_shelf_says_what_it_lacks_before_that_is_made_and_remembers(tmp_path):
    said: list[str] = []
    shelf = Shelf(Cache(tmp_path), said.append)
    make = lambda folder: (folder / "x").write_text(said[-1])  # noqa: E731
    assert (shelf.obtain("making tea", "kinds", "key", make) / "x").read_text() == "making tea"
    shelf.obtain("making tea", "kinds", "key", make)
    shelf.obtain("", "kinds", "other", make)
    assert said == shelf.made == ["making tea"]


def test_a_name_that_is_not_utf_8_has_a_key():
    assert key_of("a", os.fsdecode(b"\xff")) != key_of("a", os.fsdecode(b"\xfe"))


def test_what_a_killed_process_left_is_removed_a_day_later(tmp_path):
    old, new, kept = (tmp_path / "models" / name for name in ("a.x.part", "b.y.part", "c"))
    for folder, hours in ((old, 25), (new, 1), (kept, 1000)):
        folder.mkdir(parents=True)
        (folder / "0.npy").touch(0o444)
        then = time.time() - 3600 * hours
        os.utime(folder, (then, then))
    Shelf(Cache(tmp_path), print)
    assert sorted((tmp_path / "models").iterdir()) == [new, kept]


# What is damaged.


def empty(folder: Path) -> None:
    (folder / "made").write_bytes(b"")


def change(folder: Path) -> None:
    """As a failing disk does, at the same length."""
    content = (folder / "made").read_bytes()
    (folder / "made").write_bytes(bytes([content[0] ^ 1]) + content[1:])


def lose(folder: Path) -> None:
    (folder / "made").unlink()


def add(folder: Path) -> None:
    (folder / "labels.npy").touch()


def of_an_older_version(folder: Path) -> None:
    (folder / "sha256.json").unlink()


def forget_hashes(folder: Path) -> None:
    (folder / "sha256.json").write_text("[" * 100_000)


@pytest.mark.parametrize("damage", [empty, change, lose, add, of_an_older_version, forget_hashes])
@pytest.mark.parametrize("new_process", [True, False])
def test_a_damaged_entry_is_said_and_made_again(tmp_path, monkeypatch, caplog, damage, new_process):
    make = Maker()
    folder = Cache(tmp_path).obtain("models", "k", make)
    if new_process:
        monkeypatch.setattr(cache, "_proved", {})
    else:
        assert Cache(tmp_path).has("models", "k")
        if damage in (of_an_older_version, forget_hashes):
            return  # it was proved, and its files are as they were
    damage(folder)
    assert (Cache(tmp_path).obtain("models", "k", make) / "made").read_text() == "2"
    assert str(folder) in caplog.text and "made again" in caplog.text


def test_an_entry_that_another_process_made_anew_meanwhile_stays(tmp_path, monkeypatch):
    make, whole = Maker(), cache.whole
    folder = Cache(tmp_path).obtain("models", "k", make)
    monkeypatch.setattr(cache, "_proved", {})
    seen = iter([False])  # it was damaged when it was looked at, and is not any more
    monkeypatch.setattr(cache, "whole", lambda place: next(seen, None) if place == folder else whole(place))
    assert not Cache(tmp_path).has("models", "k")
    assert (folder / "made").read_text() == "1"
    assert [path.name for path in folder.parent.iterdir()] == ["k"]


def test_an_entry_is_hashed_once_in_a_process(tmp_path, monkeypatch):
    Cache(tmp_path).obtain("models", "k", Maker())
    assert Cache(tmp_path).has("models", "k")
    monkeypatch.setattr(cache, "file_sha256", None)
    assert Cache(tmp_path).has("models", "k")
