"""device/micro.py: models as a microcontroller answers, and the arena that they take."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from harness.device import engines
from harness.measure.runtimes import exists_for
from tests.devices import device_source, job_spec, lay_job, run_job, stored_inputs, zipapp
from tests.small_models import tflite

REFERENCE, MICRO = "ai-edge-litert:reference", "tflite-micro"
HAS_MICRO = pytest.mark.skipif(not engines.version("tflite-micro"), reason="there is no tflite-micro for this Python")
APART = {"int16x8": 1e-3}  # its softmax is another one: the others are the same to the bit
REFUSED = {"float16": "DEQUANTIZE", "dynamic_range": "FULLY_CONNECTED"}


def test_it_exists_for_one_python_and_processor() -> None:
    assert exists_for("tflite-micro", "3.11.7", "x86_64")
    assert not exists_for("tflite-micro", "3.12.1", "x86_64")
    assert not exists_for("tflite-micro", "3.11.7", "aarch64")
    assert engines.is_simulated("tflite-micro") and engines.is_simulated("tflite-micro@0.dev20261023182759")
    assert not engines.is_simulated("ai-edge-litert:reference")


@HAS_MICRO
@pytest.mark.parametrize("model", ["int8", "float32", "int16x8", "convolutions_int8", "convolutions_float32"])
def test_it_answers_as_reference_kernels_do_in_the_smallest_arena(tmp_path: Path, model: str) -> None:
    pyz, answers = zipapp(device_source(tmp_path)), dict[str, np.ndarray]()
    content = tflite(model).read_bytes()
    for engine in (REFERENCE, MICRO):
        at = lay_job(tmp_path / engine.replace(":", "-"), job_spec("outputs", engine), content, stored_inputs(20))
        assert run_job(pyz, at).returncode == 0
        result = json.loads((at / "result.json").read_text())
        assert (result["status"], result["runtime"]) == ("ok", engine)
        answers[engine] = np.load(at / "outputs" / "0.npy")
    np.testing.assert_allclose(answers[MICRO], answers[REFERENCE], rtol=0, atol=APART.get(model, 0))
    assert result["outputs"][0]["dtype"] == answers[MICRO].dtype.name
    assert_smallest(content, result["arena_bytes"])


def assert_smallest(content: bytes, arena_bytes: int) -> None:
    """By tflite-micro's own class alone: it runs in so many bytes, and does not start in 1, 16 or 1,000 fewer."""
    from tflite_micro.python.tflite_micro import runtime

    model = runtime.Interpreter.from_bytes(content, arena_size=arena_bytes)
    details = model.get_input_details(0)
    model.set_input(np.zeros(details["shape"], details["dtype"]), 0)
    model.invoke()
    for fewer in (1, 16, 1000):
        with pytest.raises(RuntimeError):
            runtime.Interpreter.from_bytes(content, arena_size=arena_bytes - fewer)


@HAS_MICRO
@pytest.mark.parametrize("model", REFUSED)
def test_what_it_cannot_run_is_unsupported_and_names_the_op(tmp_path: Path, model: str) -> None:
    pyz = zipapp(device_source(tmp_path))
    at = lay_job(tmp_path / "job", job_spec("outputs", "tflite-micro"), tflite(model).read_bytes(), stored_inputs(1))
    assert run_job(pyz, at).returncode == 0
    result = json.loads((at / "result.json").read_text())
    assert result["status"] == "unsupported"
    assert result["error"].startswith(f"tflite-micro cannot run this file: Node {REFUSED[model]} (number ")
