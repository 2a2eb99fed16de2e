"""TensorFlow's process, without TensorFlow: what it adds to any process of its own (test_child_process.py)."""

from __future__ import annotations

import os

import pytest

from harness.build.keras_process import KerasProcess, TensorFlowMissing
from harness.errors import BuildError


def test_a_crash_is_a_build_error(tmp_path):
    with KerasProcess(tmp_path / "log", "numpy") as keras:
        assert keras.call(os.getpid) != os.getpid()
        with pytest.raises(BuildError, match=r"^TensorFlow crashed its process; see the log at "):
            keras.call(os._exit, 134)


def test_without_tensorflow_the_error_says_how_to_get_it(tmp_path):
    keras = KerasProcess(tmp_path / "log", "no_such_package")
    with keras, pytest.raises(TensorFlowMissing, match="is not installed") as e:
        keras.call(os.getpid)
    assert "pip install" in e.value.advice
