"""The process that TensorFlow lives in, without TensorFlow: any function can be called over there."""

from __future__ import annotations

import json
import os
import sys
import time

import pytest

from harness import keras_process
from harness.errors import BuildError
from harness.keras_process import KerasProcess


@pytest.fixture
def keras(tmp_path, monkeypatch):
    monkeypatch.setattr(keras_process, "find_spec", lambda name: "TensorFlow is there")
    with KerasProcess(tmp_path / "logs" / "tensorflow.log") as process:
        yield process


def divide(a: int, b: int) -> float:
    return a / b


def print_everywhere() -> None:
    print("python speaks", flush=True)
    os.write(1, b"native code speaks\n")
    os.write(2, b"and complains\n")


def die() -> None:
    os.write(2, b"last words\n")
    os._exit(134)


def test_calls_happen_in_one_other_process(keras):
    there = {keras.call(os.getpid) for _ in range(3)}
    assert len(there) == 1
    assert os.getpid() not in there


def test_nothing_is_started_where_nothing_is_called(tmp_path):
    with KerasProcess(tmp_path / "tensorflow.log"):
        pass
    assert not (tmp_path / "tensorflow.log").exists()


def test_an_error_over_there_is_raised_here(keras):
    assert keras.call(divide, 3, 2) == 1.5
    with pytest.raises(ZeroDivisionError):
        keras.call(divide, 1, 0)


def test_an_error_of_another_package_comes_as_words_for_its_class_would_have_to_be_imported_here(keras):
    with pytest.raises(BuildError, match="Expecting value"):
        keras.call(json.loads, "no JSON")


def test_what_is_printed_goes_to_the_log(keras, capfd):
    keras.call(print_everywhere)
    said = keras.log.read_text()
    assert all(words in said for words in ("python speaks", "native code speaks", "and complains"))
    assert capfd.readouterr() == ("", "")


def test_an_abort_is_a_build_error_that_names_the_log_and_the_next_call_works(keras):
    before = keras.call(os.getpid)
    with pytest.raises(BuildError, match="process died") as caught:
        keras.call(die)
    assert str(keras.log) in str(caught.value)
    assert "last words" in keras.log.read_text()
    assert keras.call(os.getpid) != before


def test_the_process_is_gone_at_the_end(tmp_path, monkeypatch):
    monkeypatch.setattr(keras_process, "find_spec", lambda name: "TensorFlow is there")
    with KerasProcess(tmp_path / "tensorflow.log") as keras:
        there = keras.call(os.getpid)
    deadline = time.monotonic() + 5
    while alive(there) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not alive(there)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_without_tensorflow_the_error_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    monkeypatch.setattr(keras_process, "find_spec", lambda name: None)
    with KerasProcess(tmp_path / "log") as keras, pytest.raises(BuildError, match="TensorFlow is not installed") as e:
        keras.call(os.getpid)
    assert "pip install" in e.value.advice
