"""The whole story after building, on the recorded run: replay answers in the device's place, so no device is needed."""

from __future__ import annotations

import csv
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np

from harness import pipeline
from harness.compare import compare
from harness.records import TargetRecord
from harness.store import Record, Store, load, read_header
from tests.devices import RECORDED, Quiet, copy_of_recording


def replayed(results: Path) -> Path:
    """A run with nothing measured yet, whose only target replays the recording."""
    path = copy_of_recording(results)
    shutil.rmtree(path / "raw")
    header = read_header(path)
    target = replace(header.targets[0].target, kind="replay", host=str(RECORDED / "raw" / "host"))
    Record(path, header).save(replace(header, targets=(TargetRecord(target),), finished=False))
    return path


def test_a_replayed_run_says_what_the_recorded_one_said(tmp_path: Path) -> None:
    path = replayed(tmp_path)
    found, recorded = pipeline.resume(path.name, Store(tmp_path), Quiet()), compare(load(RECORDED))
    assert found.standings == recorded.standings
    assert found.changes == recorded.changes
    assert found.samples.keys() == recorded.samples.keys()
    assert all((table == recorded.samples[case]).all() for case, table in found.samples.items())


def test_it_leaves_every_file_of_the_contract(tmp_path: Path) -> None:
    path = replayed(tmp_path)
    pipeline.resume(path.name, Store(tmp_path), Quiet())
    files = ("run.json", "baseline.npy", "latency.parquet", "samples.parquet", "metrics.csv", "summary.csv")
    for name in (*files, "report.html", "report.md"):
        assert (path / name).stat().st_size > 0
    assert read_header(path).finished


def test_the_accuracy_of_the_summary_is_that_of_the_raw_answers(tmp_path: Path) -> None:
    path = replayed(tmp_path)
    run = pipeline.resume(path.name, Store(tmp_path), Quiet()).run
    rows = {(r["variant"], r["runtime"]): r for r in csv.DictReader((path / "summary.csv").open())}
    assert len(rows) == len({(s.case.variant, s.case.runtime) for s in run.shards}) > 1
    for (variant, runtime), row in rows.items():
        shards = sorted(
            (s for s in run.shards if (s.case.variant, s.case.runtime) == (variant, runtime)), key=lambda s: s.first
        )
        answers = np.concatenate([s.outputs[0] for s in shards]).argmax(axis=1)
        assert float(row["accuracy"]) == (answers == run.labels).mean()


def test_what_was_replayed_is_not_asked_for_again(tmp_path: Path) -> None:
    path = replayed(tmp_path)
    pipeline.resume(path.name, Store(tmp_path), Quiet())
    kept = {folder: folder.stat().st_mtime_ns for folder in path.glob("raw/*/*")}
    pipeline.resume(path.name, Store(tmp_path), Quiet())
    assert {folder: folder.stat().st_mtime_ns for folder in path.glob("raw/*/*")} == kept != {}
