"""device/engines.py: which runtimes there are, without importing one."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from harness.device import engines


def test_asking_what_is_installed_imports_no_runtime() -> None:
    script = (
        "import sys; from harness.device import engines; found = engines.installed(); assert any(found.values());"
        "print([m for m in sys.modules if m.split('.')[0] in ('tflite_runtime', 'ai_edge_litert')])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_runtime_that_is_not_there_has_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(engines.ENGINES, "made-up", "no_such_package.interpreter")
    assert engines.version("made-up") is None
    assert engines.installed()["made-up"] is None


def test_a_runtime_without_metadata_is_there_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(engines.ENGINES, "made-up", "json.decoder")
    assert engines.version("made-up") == "unknown"


@pytest.mark.parametrize(("scales", "zero_points", "expected"), [([], [], (None, None)), ([0.5], [-128], (0.5, -128))])
def test_a_tensor_is_described_in_plain_numbers(
    scales: list[float], zero_points: list[int], expected: tuple[float | None, int | None]
) -> None:
    told = engines.describe(
        {
            "name": "x",
            "index": np.int32(3),
            "dtype": np.int8,
            "shape": np.array([1, 28, 28], np.int32),
            "quantization_parameters": {"scales": np.array(scales, "f4"), "zero_points": np.array(zero_points, "i4")},
        }
    )
    assert told == {
        "name": "x", "index": 3, "dtype": "int8", "shape": [1, 28, 28], "scale": expected[0], "zero_point": expected[1]
    }  # fmt: skip
    assert type(told["index"]) is int
