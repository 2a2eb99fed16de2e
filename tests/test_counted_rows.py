"""Rows that an op leaves unwritten: they are 0, not what another sample left in that memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.measure.counted_rows import counts_of
from harness.measure.once import run_once
from harness.records import Affine
from tests import detection_file
from tests import stateful_files as files


@pytest.mark.parametrize("step", [1, -1])
def test_a_detector_answers_the_same_in_every_order(tmp_path: Path, step: int) -> None:
    path = tmp_path / "a.tflite"
    path.write_bytes(detection_file.detector())
    scores = np.random.default_rng(3).random((30, 4, 3), dtype=np.float32)[::step]
    given = run_once(path, (scores,), [Affine()])
    assert len(set(given[3].ravel())) > 2  # the number differs by sample
    for n, sample in enumerate(scores):
        for output, wanted in zip(given, detection_file.detected(sample), strict=True):
            np.testing.assert_allclose(output[n], wanted, atol=1e-6)


def test_what_counts_is_known_from_the_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.tflite"
    path.write_bytes(detection_file.detector())
    assert counts_of(path) == ((3, (0, 1, 2)),)
    path.write_bytes(files.float_with_scale())
    assert counts_of(path) == ()
    path.write_bytes(detection_file.detector()[:500] + detection_file.NAME.encode())
    assert counts_of(path) == ()
