"""Queries and pairs as users have them: what is read of each form, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.data.kinds import load
from harness.data.on_disk import Samples
from harness.data.searched_for import settle_pairs, settle_queries
from harness.data.source import DataSource
from harness.errors import ConfigError, DataError
from harness.experiment.in_memory import dataset_in_memory
from tests.data_sources import own_cache

__all__ = ["own_cache"]

X, Y = np.arange(24, dtype=np.float32).reshape(6, 4), np.array([0, 0, 1, 1, 2, 2])
ASKS = np.array([True, False, True, False, True, False])
PAIRS = np.array([[0, 1], [2, 3], [0, 2], [4, 1]])


def source(tmp_path: Path, **more: object) -> DataSource:
    np.savez(tmp_path / "test.npz", x=X, y=Y, role=ASKS.astype(np.uint8))
    return DataSource("made", "test.npz", None, tmp_path, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "given", [ASKS, ASKS.astype(int), np.where(ASKS, "query", "gallery"), np.where(ASKS, "1", "0")[:, None]]
)
def test_a_query_is_said_by_truth_values_numbers_or_words(given: np.ndarray) -> None:
    found = settle_queries("made", Samples((X,), Y, queries=given))
    assert found is not None and found.tolist() == ASKS.tolist()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (ASKS[:5], "5 samples are called query or gallery, and there are 6"),
        (np.array(["probe"] * 6), "a sample is called 'probe'"),
        (np.ones(6), "no sample is a gallery"),
        (np.zeros(6), "no sample is a query"),
    ],
)
def test_what_says_no_query_is_refused(given: np.ndarray, told: str) -> None:
    with pytest.raises(DataError, match=told):
        settle_queries("made", Samples((X,), Y, queries=given))


def test_an_array_of_an_npz_tells_queries_and_is_no_input(tmp_path: Path) -> None:
    found = load(source(tmp_path, query="role"))
    assert found.queries is not None and found.queries.tolist() == ASKS.tolist() and len(found.test_inputs) == 1


def test_a_column_of_a_table_tells_queries(tmp_path: Path) -> None:
    rows = "\n".join(f"{y},{'query' if a else 'gallery'},{y}.5" for y, a in zip(Y, ASKS, strict=True))
    (tmp_path / "test.csv").write_text(f"label,role,x\n{rows}\n")
    found = load(DataSource("made", "test.csv", None, tmp_path, query="role"))
    assert found.queries is not None and found.queries.tolist() == ASKS.tolist()


def test_folders_called_query_and_gallery_tell_queries_of_images(tmp_path: Path) -> None:
    for n, place in enumerate(("cat/gallery", "cat/query", "dog/gallery", "dog/query")):
        (tmp_path / "photos" / place).mkdir(parents=True)
        Image.fromarray(np.full((6, 6, 3), 20 * n, np.uint8)).save(tmp_path / "photos" / place / "a.png")
    found = load(DataSource("made", "photos", None, tmp_path, query="folder"))
    assert found.queries is not None and found.queries.tolist() == [False, True] * 2
    with pytest.raises(ConfigError, match=r"\[data\] query: 'role' is nothing in a folder"):
        load(DataSource("made", "photos", None, tmp_path, query="role"))


def test_pairs_are_read_from_an_array_or_a_text_file(tmp_path: Path) -> None:
    np.save(tmp_path / "pairs.npy", PAIRS)
    said = np.column_stack([PAIRS, [1, 1, 0, 0]])
    np.savetxt(tmp_path / "pairs.csv", said, "%d", delimiter=",")
    for name in ("pairs.npy", "pairs.csv"):
        found = load(source(tmp_path, pairs=name)).pairs
        assert found is not None and found.tolist() == PAIRS.tolist()
    found = dataset_in_memory("made", X, Y, None, (), 1.0, 0.0, pairs=said.tolist()).pairs
    assert found is not None and found.tolist() == PAIRS.tolist()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (PAIRS[:, 0], r"the pairs are int64 of shape \(4,\)"),
        (PAIRS + 4, "not one of 0 to 5"),
        (PAIRS + 0.5, "not one of 0 to 5"),
        (np.array([[1, 1]]), "1 of 1 pairs are of a sample with itself"),
        (np.column_stack([PAIRS, [1, 1, 1, 0]]), r"1 of 4 pairs say otherwise than the labels, such as \[0, 2\]"),
    ],
)
def test_what_is_no_pair_is_refused(given: np.ndarray, told: str) -> None:
    with pytest.raises(DataError, match=told):
        settle_pairs("made", Samples((X,), Y, pairs=given), Y)


def test_a_file_that_is_not_there_or_holds_no_numbers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no pairs\.csv"):
        load(source(tmp_path, pairs="pairs.csv"))
    (tmp_path / "pairs.csv").write_text("left,right\n0,1\n")
    with pytest.raises(DataError, match=r"pairs\.csv cannot be read"):
        load(source(tmp_path, pairs="pairs.csv"))
