"""diagnosis/bench.py: what comes of a file that a device or an engine does not run."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from harness.diagnosis import bench
from harness.errors import JobFailed
from harness.records import Job, Shard
from harness.records.terms import ShardStatus
from tests import made_runs


@pytest.mark.parametrize("status", ["failed", "unsupported"])
def test_a_file_without_answers_is_told_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: ShardStatus
) -> None:
    def obtain(job: Job, *rest: Any) -> Shard:
        return Shard(job.case, job.first, job.last, status, "it lacks DEQUANTIZE")

    monkeypatch.setattr(bench, "obtain", obtain)
    row = bench.Bench(cast(Any, None), made_runs.case("float16", "tflite-micro"), tmp_path, cast(Any, None))
    with pytest.raises(JobFailed, match=r"float16 cannot be looked into on .* with tflite-micro: it lacks DEQUANTIZE"):
        row.run(b"a file", [np.zeros((3, 1), np.float32)])
