"""Which runtimes there are, and for which Python they never were."""

from __future__ import annotations

import pytest

from harness.errors import ConfigError
from harness.measure.runtimes import check_runtimes, exists_for


@pytest.mark.parametrize(
    ("runtime", "python", "exists"),
    [
        ("tflite-runtime", "3.9.2", True),
        ("tflite-runtime", "3.11.14", True),
        ("tflite-runtime", "3.12.0", False),
        ("tflite-runtime", "3.13.1", False),
        ("ai-edge-litert", "3.13.1", True),
        ("tflite-runtime", None, True),  # unknown is no excuse
    ],
)
def test_last_python_of_a_runtime(runtime, python, exists):
    assert exists_for(runtime, python) == exists


def test_names_are_kept_in_order_each_once():
    names = ["tflite-runtime", "ai-edge-litert", "tflite-runtime"]
    assert check_runtimes(names) == ("tflite-runtime", "ai-edge-litert")
    assert check_runtimes([]) == ()


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match="no runtime 'tensorrt'") as caught:
        check_runtimes(["ai-edge-litert", "tensorrt"])
    assert "tflite-runtime" in caught.value.advice
    assert "ai-edge-litert" in caught.value.advice
