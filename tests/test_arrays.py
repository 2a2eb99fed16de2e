"""arrays.py: .npy files that are read and written a stretch at a time, and take no more memory than that."""

from __future__ import annotations

import io
import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

from harness.support.arrays import (
    StoredArray,
    gather,
    keep_npy,
    let_go,
    map_npy,
    npy_bytes,
    stretches,
    whole_file,
    write_npy,
)

MEBIBYTE = 1 << 20


def resident_bytes(*kinds: str) -> int:
    """What this process holds in memory: of mapped files, or of all of these kinds together."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(kinds or "RssFile"))


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """64 MiB of samples of 64 KiB, each all of its number."""
    path = tmp_path_factory.mktemp("large") / "large.npy"
    np.save(path, np.repeat(np.arange(1024, dtype=np.int32), 16384).reshape(1024, 128, 128))
    path.chmod(0o444)
    return path


# Going through what is larger than memory.


@pytest.mark.parametrize("size_bytes", [1, 100, 400, 10_000])
def test_stretches_are_the_array_in_order_whatever_their_size(size_bytes: int) -> None:
    array = np.arange(1000, dtype=np.float32).reshape(50, 20)
    parts = list(stretches(array, size_bytes))
    np.testing.assert_array_equal(np.concatenate(parts), array)
    assert {len(part) for part in parts[:-1]} <= {max(1, size_bytes // 80)}


def test_an_array_of_nothing_has_no_stretches() -> None:
    assert list(stretches(np.zeros((0, 4)))) == []


def test_going_through_a_mapped_file_takes_the_memory_of_a_stretch(large: Path) -> None:
    before, most, total = resident_bytes(), 0, 0
    for stretch in stretches(map_npy(large), 4 * MEBIBYTE):
        total += int(stretch[:, 0, 0].sum()) + int(stretch[:, -1, -1].sum())
        assert stretch.sum() >= 0
        most = max(most, resident_bytes())
    assert total == 2 * sum(range(1024))
    assert most - before < 16 * MEBIBYTE


def test_what_was_let_go_can_be_read_again(large: Path) -> None:
    array = map_npy(large)
    before = resident_bytes()
    assert int(array.sum()) == 16384 * sum(range(1024))
    assert resident_bytes() - before > 48 * MEBIBYTE
    let_go(array[100:200])
    assert resident_bytes() - before < 16 * MEBIBYTE
    assert int(array[1000, 5, 5]) == 1000


def test_what_was_written_to_a_private_copy_is_not_thrown_away(large: Path) -> None:
    array = np.load(large, mmap_mode="c")
    array[3] = 7
    let_go(array)
    assert int(array[3].min()) == 7


def test_letting_go_of_an_array_in_memory_changes_nothing() -> None:
    array = np.arange(10)
    let_go(array)
    assert array.sum() == 45


def test_what_is_gathered_is_in_memory_where_it_is_small_and_else_mapped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = np.arange(60, dtype=np.float32).reshape(20, 3)
    for limit, kind in ((240, np.ndarray), (239, np.memmap)):
        monkeypatch.setattr("harness.support.arrays.IN_MEMORY_BYTES", limit)
        parts: list[np.ndarray] = [whole[:7], whole[7:8].astype(np.float64), whole[8:]]
        array = gather(iter(parts), whole.shape, tmp_path)
        np.testing.assert_array_equal(array, whole)
        assert type(array) is kind and array.dtype == np.float32
        assert list(tmp_path.iterdir()) == []
    let_go(array)
    assert array[19, 2] == 59


def much_is_gathered(folder: Path) -> tuple[list[float], int]:
    """The means of four arrays of 25 MiB that were gathered, and the bytes of memory that are held because of it."""
    before = resident_bytes("RssFile", "RssAnon")
    array = gather((np.full((100, 65536), n, np.float32) for n in range(4)), (400, 65536), folder)
    means = [float(stretch.mean()) for stretch in stretches(array, 100 * 65536 * 4)]
    return means, resident_bytes("RssFile", "RssAnon") - before


@pytest.mark.alone
def test_what_is_gathered_of_much_takes_little_memory(tmp_path: Path) -> None:
    """In a process of its own: after other tests, what is freed may stay with the process."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        means, held = pool.submit(much_is_gathered, tmp_path).result()
    assert means == [0, 1, 2, 3]
    assert held < 16 * MEBIBYTE


# Files.


@pytest.mark.parametrize(
    "array",
    [
        np.arange(24, dtype=np.uint8).reshape(4, 6)[:, ::2],
        np.asfortranarray(np.arange(24.0).reshape(4, 6)),
        np.array([[1.5, np.nan]], np.float16),
        np.arange(5, dtype=">i4"),
        np.array([True, False]),
        np.zeros((0, 3), np.float32),
    ],
    ids=["strided", "fortran", "half", "big-endian", "bool", "empty"],
)
def test_an_array_comes_back_as_it_was_written(tmp_path: Path, array: np.ndarray) -> None:
    write_npy(tmp_path / "a.npy", array)
    for back in (np.load(tmp_path / "a.npy"), map_npy(tmp_path / "a.npy"), np.load(io.BytesIO(npy_bytes(array)))):
        np.testing.assert_array_equal(back, array)
        assert back.dtype == array.dtype


def test_no_array_of_objects_is_written() -> None:
    with pytest.raises(ValueError, match="pickle"):
        npy_bytes(np.array([{}], dtype=object))


def test_what_is_written_is_not_to_be_written_again(tmp_path: Path) -> None:
    write_npy(tmp_path / "a.npy", np.arange(3))
    assert (tmp_path / "a.npy").stat().st_mode & 0o222 == 0
    with pytest.raises(ValueError, match="read-only"):
        map_npy(tmp_path / "a.npy")[0] = 1


@pytest.mark.parametrize("content", [b"", b"hello", npy_bytes(np.arange(1000))[:-1], b"\x93NUMPY\x01\x00\xff\xff{"])
def test_a_file_that_is_no_array_is_told_by_its_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.npy"):
        map_npy(tmp_path / "a.npy")


# Two names for one file.


def test_a_read_only_file_that_holds_just_this_array_is_linked(tmp_path: Path, large: Path) -> None:
    keep_npy(tmp_path / "kept.npy", map_npy(large))
    assert (tmp_path / "kept.npy").samefile(large)


def test_a_file_that_somebody_may_write_is_copied(tmp_path: Path) -> None:
    np.save(tmp_path / "users.npy", np.arange(5))
    keep_npy(tmp_path / "kept.npy", map_npy(tmp_path / "users.npy"))
    (tmp_path / "users.npy").write_bytes(npy_bytes(np.arange(5) + 1))
    np.testing.assert_array_equal(np.load(tmp_path / "kept.npy"), np.arange(5))


def test_a_part_of_a_file_is_copied(tmp_path: Path, large: Path) -> None:
    whole = map_npy(large)
    for part in (whole[:10], whole[:, ::2, 0], whole[::-1], whole.view(np.float32)):
        assert whole_file(part) is None
    keep_npy(tmp_path / "kept.npy", whole[5:10])
    np.testing.assert_array_equal(np.load(tmp_path / "kept.npy")[:, 0, 0], range(5, 10))


def test_where_no_link_can_be_made_the_array_is_copied(
    tmp_path: Path, large: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def another_file_system(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", another_file_system)
    keep_npy(tmp_path / "kept.npy", map_npy(large))
    assert not (tmp_path / "kept.npy").samefile(large)
    assert (tmp_path / "kept.npy").stat().st_size == large.stat().st_size


# Arrays that are known and not read.


@pytest.mark.alone
def test_a_stored_array_says_what_it_is_and_holds_no_file_open(tmp_path: Path) -> None:
    write_npy(tmp_path / "a.npy", np.arange(6, dtype=np.int8).reshape(3, 2))
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    stored = [StoredArray.of(tmp_path / "a.npy") for _ in range(100)]
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
    assert (len(stored[0]), stored[0].shape, stored[0].dtype) == (3, (3, 2), np.dtype("int8"))
    np.testing.assert_array_equal(np.concatenate(stored[:2]), [[0, 1], [2, 3], [4, 5]] * 2)
    assert np.asarray(stored[0], np.float32).dtype == np.float32
