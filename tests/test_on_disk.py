"""A set larger than memory costs no memory: 512 MB are loaded, hashed and drawn from by a process that stays small."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest

ROWS, FEATURES = 1_000_000, 128
SIZE_BYTES = ROWS * FEATURES * 4
PEAK_BYTES = 300 << 20  # numpy, pandas and pyarrow alone take half of it

MADE = f"""
import numpy as np

def batches():
    for first in range(0, {ROWS}, 10_000):
        rows = np.arange(first, first + 10_000)
        yield np.repeat(rows[:, None], {FEATURES}, axis=1).astype(np.float32), rows % 10
"""

LOAD = """
import json, resource, sys
from pathlib import Path
from harness.data.calibration import calibration_samples
from harness.data.kinds import DataSource, load

dataset = load(DataSource("large", sys.argv[1], sys.argv[1], Path(sys.argv[2])))
(picked,) = calibration_samples(dataset, 500)
peak = [line for line in open("/proc/self/status") if line.startswith("VmHWM")][0]
print(json.dumps({
    "peak": int(peak.split()[1]) * 1024,
    "child": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024,
    "sha256": [dataset.test_sha256, dataset.train_sha256],
    "count": dataset.test_count,
    "last": float(dataset.test_inputs[0][-1, -1]),
    "picked": sorted({int(row) % 10 for row in picked[:, 0]}),
}))
"""


def loaded(folder: Path, test: str, cache: Path) -> dict:
    argv = [sys.executable, "-c", LOAD, test, str(folder)]
    done = subprocess.run(
        argv, env={"XDG_CACHE_HOME": str(cache), "PYTHONPATH": "."}, check=True, capture_output=True, text=True
    )
    return json.loads(done.stdout)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="VmHWM is Linux'")
def test_large_sets_cost_no_memory(tmp_path):
    (tmp_path / "made.py").write_text(dedent(MADE))
    by_function = loaded(tmp_path, "made:batches", tmp_path)
    (inputs,) = tmp_path.glob("edge-harness/datasets/*/input0.npy")
    assert inputs.stat().st_size > SIZE_BYTES
    x = np.load(inputs, mmap_mode="r")
    np.savez_compressed(tmp_path / "large.npz", x=x, y=np.arange(ROWS) % 10)
    by_npz = loaded(tmp_path, "large.npz", tmp_path)
    for said in (by_function, by_npz):
        assert said["count"] == ROWS
        assert said["last"] == ROWS - 1
        assert said["picked"] == list(range(10))
        assert said["peak"] < PEAK_BYTES < SIZE_BYTES
        assert said["child"] < PEAK_BYTES
    assert by_function["sha256"] == by_npz["sha256"]
