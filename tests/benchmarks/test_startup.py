"""What the harness itself costs, as ratios within one run: seconds of this machine say nothing about another."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.compare.baseline import compare
from harness.runs.loading import load
from harness.statistics import stats
from tests.devices import RECORDED, RUNTIMES, device_source, job_spec, lay_job, stored_inputs, zipapp

pytestmark = pytest.mark.alone

ROUNDS = 7
HELP_AT_MOST = 30  # × a bare Python: typer, rich and the commands, no numpy
JOB_AT_MOST = 2  # × importing numpy: that and a TFLite runtime is what a job must do
COMPARE_AT_MOST = 20  # × reading the run
TANGO_AT_MOST = 1000  # × adding two numbers through numpy


def ratio_of(slow: Callable[[], object], fast: Callable[[], object]) -> float:
    """Their shortest times, taken in turns: what disturbs one disturbs the other."""
    best = [float("inf"), float("inf")]
    for _ in range(ROUNDS):
        for n, action in enumerate((slow, fast)):
            begin = time.perf_counter()
            action()
            best[n] = min(best[n], time.perf_counter() - begin)
    return best[0] / best[1]


def python(*words: str) -> Callable[[], object]:
    argv = [sys.executable, *words]
    return lambda: subprocess.run(argv, capture_output=True, check=True, timeout=60)


def noted(benchmark: Any, capsys: pytest.CaptureFixture[str], what: str, ratio: float) -> None:
    benchmark.extra_info["ratio"] = round(ratio, 2)
    with capsys.disabled():
        print(f"\n{what}: {ratio:.2f}", end="")


def test_the_help_starts_fast(benchmark: Any, capsys: pytest.CaptureFixture[str]) -> None:
    helped, bare = python("-m", "harness", "--help"), python("-c", "pass")
    ratio = benchmark.pedantic(ratio_of, (helped, bare))
    noted(benchmark, capsys, "harness --help over python -c pass", ratio)
    assert ratio < HELP_AT_MOST


def test_a_job_costs_little_more_than_its_imports(
    benchmark: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A job that loads a model and answers one sample: the cost of a round besides its timing."""
    pyz = zipapp(device_source(tmp_path))
    model = (RECORDED / "variants" / "float32.tflite").read_bytes()
    folder = lay_job(tmp_path / "job", job_spec("outputs", RUNTIMES[0]), model, stored_inputs(1))
    job, imports = python("-I", str(pyz), "job", str(folder)), python("-I", "-c", "import numpy")
    ratio = benchmark.pedantic(ratio_of, (job, imports))
    noted(benchmark, capsys, "a job of one sample over importing numpy", ratio)
    assert (folder / "outputs" / "0.npy").exists()
    assert ratio < JOB_AT_MOST


def test_comparing_costs_little_more_than_reading_the_run(benchmark: Any, capsys: pytest.CaptureFixture[str]) -> None:
    run = load(RECORDED)
    ratio = benchmark.pedantic(ratio_of, (lambda: compare(run), lambda: load(RECORDED)))
    noted(benchmark, capsys, "compare() over load() of the recorded run", ratio)
    assert ratio < COMPARE_AT_MOST


def test_a_tango_interval_is_cheap(benchmark: Any, capsys: pytest.CaptureFixture[str]) -> None:
    one = np.ones(2)
    add = lambda: [np.add(one, one) for _ in range(1000)]  # noqa: E731
    ratio = 1000 * ratio_of(lambda: stats.tango(30, 20, 5000), add)
    benchmark(stats.tango, 30, 20, 5000)
    noted(benchmark, capsys, "stats.tango over adding two numbers in numpy", ratio)
    assert ratio < TANGO_AT_MOST
