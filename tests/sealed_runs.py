"""A finished, sealed run that tests may change, made of the recorded one: no device, no TensorFlow."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np

from harness.records import Scoring
from harness.runs.header import absolute_variants
from harness.runs.loading import read_dataset
from harness.runs.record import Record
from harness.runs.store import Store
from tests.devices import RECORDED, header

RUN_ID = "20260101-000000-0000"


def unfinished_run(
    results: Path, run_id: str = RUN_ID, scoring: Scoring | None = None, measured: bool = True
) -> Record:
    """The recorded run as this user would have begun and measured it, before its end."""
    known = header()
    mine = replace(
        known,
        run_id=run_id,
        scoring=scoring or replace(known.scoring, trusted=True),
        variants=absolute_variants(RECORDED, known),
    )
    record = Store(results).open(mine, read_dataset(RECORDED, known), [np.load(RECORDED / "baseline.npy")])
    for piece in sorted((RECORDED / "raw" / "host").iterdir()) if measured else ():
        shutil.copytree(piece, record.raw("host") / piece.name)
        record.arrived("host")
    return record


def sealed_run(results: Path, run_id: str = RUN_ID, scoring: Scoring | None = None) -> Path:
    record = unfinished_run(results, run_id, scoring)
    record.finish()
    return record.path


def overwrite(path: Path, content: bytes) -> None:
    path.unlink()  # it may be read-only, or linked
    path.write_bytes(content)
