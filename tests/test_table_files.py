"""runs/table_files.py: a table is written where it is not there, is damaged, or was made from something else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from harness.compare.baseline import compare
from harness.records import Comparison
from harness.runs.loading import load
from harness.runs.table_files import write_tables
from tests.devices import RECORDED

NAMES = ("latency.parquet", "samples.parquet")


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    return compare(load(RECORDED))


def inodes(folder: Path) -> list[int]:
    """Of files that appear whole: another one where it was written."""
    return [(folder / name).stat().st_ino for name in NAMES]


def test_what_is_there_is_not_written_again(tmp_path: Path, comparison: Comparison) -> None:
    write_tables(comparison, tmp_path)
    before = inodes(tmp_path)
    write_tables(comparison, tmp_path)
    assert inodes(tmp_path) == before


def test_one_other_timing_is_written(tmp_path: Path, comparison: Comparison) -> None:
    write_tables(comparison, tmp_path)
    before = inodes(tmp_path)
    rounds = comparison.run.rounds
    timings = dict(rounds[0].timings)
    timed = timings["timed"]
    timings["timed"] = replace(timed, ns=timed.ns + (timed.ns == timed.ns.max()))
    other = replace(comparison.run, rounds=(replace(rounds[0], timings=timings), *rounds[1:]))
    write_tables(replace(comparison, run=other), tmp_path)
    latency, samples = inodes(tmp_path)
    assert latency != before[0] and samples == before[1]
    total = sum(int(t.ns.sum()) for r in other.rounds if r.counts for t in r.timings.values())
    assert pd.read_parquet(tmp_path / NAMES[0])["ns"].sum() == total


def test_one_other_answer_is_written(tmp_path: Path, comparison: Comparison) -> None:
    write_tables(comparison, tmp_path)
    before = inodes(tmp_path)
    tables = {case: table.copy() for case, table in comparison.samples.items()}
    last = list(tables.values())[-1]
    last["prediction"][-1] = (last["prediction"][-1] + 1) % 10
    write_tables(replace(comparison, samples=tables), tmp_path)
    latency, samples = inodes(tmp_path)
    assert latency == before[0] and samples != before[1]
    assert pd.read_parquet(tmp_path / NAMES[1])["prediction"].iloc[-1] == last["prediction"][-1]


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_is_cut_or_is_none_is_written(tmp_path: Path, comparison: Comparison, name: str) -> None:
    write_tables(comparison, tmp_path)
    whole, path = (tmp_path / name).read_bytes(), tmp_path / name
    middle, footer = len(whole) // 3, int.from_bytes(whole[-8:-4], "little") + 8
    overwritten = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
    shorter, of_zeros = whole[:middle] + whole[middle + 1 :], bytes(len(whole) - footer) + whole[-footer:]
    for damaged in (
        whole[:-20], b"", b"PAR1", whole[:8] + b"\xff\xff\xff\x7fPAR1", overwritten, shorter, of_zeros, whole[-footer:],
    ):  # fmt: skip
        path.write_bytes(damaged)
        write_tables(comparison, tmp_path)
        assert path.read_bytes() == whole
    path.unlink()
    write_tables(comparison, tmp_path)
    assert path.read_bytes() == whole
