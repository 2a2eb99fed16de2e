"""tables.py: every timing and every sample of a run as Parquet."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from harness.compare.baseline import compare
from harness.device.job import PHASES
from harness.records import Comparison
from harness.runs.loading import load
from harness.runs.parquet import LATENCY_SCHEMA, latency_table
from harness.runs.table_files import write_tables
from tests.devices import RECORDED


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    return compare(load(RECORDED))


@pytest.fixture(scope="module")
def folder(comparison: Comparison, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tables")
    write_tables(comparison, path)
    return path


def test_latency_holds_every_timing_that_came_back(folder: Path) -> None:
    frame = pd.read_parquet(folder / "latency.parquet")
    assert list(frame.columns) == LATENCY_SCHEMA.names
    total = 0
    for path in (RECORDED / "raw" / "host").glob("round-*"):
        index, variant, runtime, _ = path.name.removeprefix("round-").split(".", 3)
        rows = np.load(path / "latencies.npy")
        total += len(rows)
        of_round = frame[(frame["variant"] == variant) & (frame["runtime"] == runtime) & (frame["round"] == int(index))]
        for n, phase in enumerate(PHASES):
            kept = of_round[of_round["phase"] == phase]
            assert kept["ns"].tolist() == rows["ns"][rows["phase"] == n].tolist()
            assert kept["count"].tolist() == rows["count"][rows["phase"] == n].tolist()
            assert kept["index"].tolist() == list(range(len(kept)))
    assert len(frame) == total


def test_latency_names_its_case_in_every_row(folder: Path) -> None:
    frame = pd.read_parquet(folder / "latency.parquet")
    assert set(frame["target"]) == {"host"} and set(frame["threads"]) == {1}
    assert set(frame["variant"]) == {"float32", "int8"}


def test_samples_has_one_row_a_sample_and_case(folder: Path, comparison: Comparison) -> None:
    frame = pd.read_parquet(folder / "samples.parquet")
    promised = {
        "variant", "target", "runtime", "sample", "label", "baseline_prediction", "prediction", "flip", "max_abs_diff",
        "js_divergence", "baseline_margin", "margin",
    }  # fmt: skip
    assert promised <= set(frame.columns)
    assert len(frame) == 4 * 500
    assert not frame.duplicated(["variant", "target", "runtime", "sample"]).any()
    one = frame[(frame["variant"] == "int8") & (frame["runtime"] == "ai-edge-litert")].sort_values("sample")
    raw = np.load(RECORDED / "raw" / "host" / "shard-000000.int8.ai-edge-litert.t1" / "outputs" / "0.npy")
    assert one["prediction"].tolist() == raw.argmax(1).tolist()
    assert one["label"].tolist() == comparison.run.labels.tolist()


def test_a_run_without_rounds_has_an_empty_table_with_all_its_columns(tmp_path: Path, comparison: Comparison) -> None:
    assert latency_table(()).schema.names == LATENCY_SCHEMA.names
    write_tables(replace(comparison, run=replace(comparison.run, rounds=())), tmp_path)
    assert pq.read_table(tmp_path / "latency.parquet").num_rows == 0


def test_no_half_written_table_is_left_beside_the_whole_ones(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == ["latency.parquet", "samples.parquet"]
