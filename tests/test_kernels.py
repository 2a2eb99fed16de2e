"""Kernel sets of one library: what they answer to real models, and which kernels ran."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.device import engines
from harness.device.kernels import inside, ran
from tests.devices import device_source, job_spec, lay_job, run_job, stored_inputs, zipapp
from tests.small_models import tflite
from tests.stateful_files import absolute, counted_to

LITERT, RT = "ai-edge-litert", "tflite-runtime"
INSTALLED = [name for name, version in engines.installed().items() if version]
HAS_RT = pytest.mark.skipif(RT not in INSTALLED, reason="there is no tflite-runtime for this Python")
INT8_OPS = ["RESHAPE", "CONV_2D", "DEPTHWISE_CONV_2D", "CONV_2D", "AVERAGE_POOL_2D", "RESHAPE", "FULLY_CONNECTED"]


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """(engine, model) → result.json and the answers to 20 digits, asked once."""
    folder = tmp_path_factory.mktemp("jobs")
    pyz = zipapp(device_source(folder))

    @cache
    def ask(engine: str, model: str) -> tuple[dict[str, Any], np.ndarray | None]:
        at = folder / f"{model}-{engine.replace(':', '-')}"
        lay_job(at, job_spec("outputs", engine), tflite(model).read_bytes(), stored_inputs(20))
        done: subprocess.CompletedProcess[bytes] = run_job(pyz, at)
        assert (done.returncode, done.stdout.count(b"\n")) == (0, len(done.stdout.splitlines()))
        assert all(json.loads(line)["event"] for line in done.stdout.splitlines())  # nothing else reached the protocol
        result = json.loads((at / "result.json").read_text())
        return result, np.load(at / "outputs" / "0.npy") if result["status"] == "ok" else None

    return ask


@pytest.mark.parametrize("kernels", ["builtin", "reference", "compiled"])
def test_int8_convolutions_are_the_same_to_the_bit_whatever_kernels_run(asked: Any, kernels: str) -> None:
    plain, answers = asked(LITERT, "convolutions_int8")
    result, other = asked(f"{LITERT}:{kernels}", "convolutions_int8")
    assert (result["runtime"], result["runtime_version"]) == (f"{LITERT}:{kernels}", plain["runtime_version"])
    assert len({tuple(row) for row in answers}) > 1
    np.testing.assert_array_equal(other, answers)


@pytest.mark.parametrize(("kernels", "apart"), [("builtin", True), ("reference", True), ("compiled", False)])
def test_float32_convolutions_differ_by_rounding_where_other_kernels_run(asked: Any, kernels: str, apart: bool) -> None:
    answers, other = asked(LITERT, "convolutions_float32")[1], asked(f"{LITERT}:{kernels}", "convolutions_float32")[1]
    assert (other != answers).any() == apart
    np.testing.assert_allclose(other, answers, rtol=0, atol=1e-6)


def test_a_delegate_takes_part_of_an_int8_file_and_other_kernels_have_none(asked: Any) -> None:
    told = asked(LITERT, "convolutions_int8")[0]["ran"]
    assert (told["ops"], told["ops"] - told["delegated"]) == (len(INT8_OPS) + 1, len(told["outside"]))
    assert told["partitions"] >= 1
    for kernels in ("builtin", "reference"):
        alone = asked(f"{LITERT}:{kernels}", "convolutions_int8")[0]["ran"]
        assert alone == {"ops": told["ops"], "delegated": 0, "partitions": 0, "outside": [*INT8_OPS, "SOFTMAX"]}
    assert "ran" not in asked(f"{LITERT}:compiled", "convolutions_int8")[0]


@HAS_RT
def test_tflite_runtime_runs_int8_without_its_delegate_and_float32_with_it(asked: Any) -> None:
    assert asked(RT, "convolutions_int8")[0]["ran"]["delegated"] == 0
    told = asked(RT, "convolutions_float32")[0]["ran"]
    assert (told["delegated"], told["partitions"], told["outside"]) == (told["ops"], 1, [])


def op(name: str, takes: list[int], gives: list[int]) -> dict[str, Any]:
    return {"op_name": name, "inputs": takes, "outputs": gives}


def test_what_a_partition_stands_for_lies_between_its_inputs_and_its_outputs() -> None:
    """A diamond, of which the delegate took one way and the end: 0 → A → 1; 1 → B → 2; 1 → C → 3; 2, 3 → D → 4."""
    own = [op("A", [0], [1]), op("B", [1], [2]), op("C", [1, 9], [3]), op("D", [2, 3], [4])]
    partition = op("DELEGATE", [1, 2, 9], [4])
    assert inside(partition, own) == {2, 3}

    class Told:
        def _get_ops_details(self) -> list[dict[str, Any]]:
            return [*own, partition]

    assert ran(Told()) == {"ops": 4, "delegated": 2, "partitions": 1, "outside": ["A", "B"]}
    assert ran(object()) is None


TWO_INPUTS = """
import sys
import numpy as np
from harness.device import compiled
model = compiled.Interpreter(open(sys.argv[1], "rb").read())
model.allocate_tensors()
given = {2: np.array([[1, 2]], "f4"), 3: np.array([[3, 4, 5]], "f4")}
for _ in range(2):
    for details in model.get_input_details():
        model.set_tensor(details["index"], given[details["shape"][1]])
    model.invoke()
    answers = [model.get_tensor(details["index"]).tolist() for details in model.get_output_details()]
print(sorted(answers))
"""


def test_compiled_gives_each_input_its_own_values_whatever_order_a_signature_has() -> None:
    """The doubled pair and the trebled three, by numpy, twice."""
    argv = [sys.executable, "-c", TWO_INPUTS, str(tflite("two_inputs"))]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert done.stdout == "[[[2.0, 4.0]], [[9.0, 12.0, 15.0]]]\n"


OPEN = """
import sys
import numpy as np
from harness.device import compiled
model = compiled.Interpreter(open(sys.argv[1], "rb").read())
given = np.array(eval(sys.argv[2]), "f4")
if given.ndim:
    model.resize_tensor_input(0, given.shape)
model.allocate_tensors()
model.set_tensor(0, given)
model.invoke()
try:
    print(model.get_tensor(1).tolist())
    print(model.get_output_details()[0]["shape"].tolist())
except ValueError as error:
    print(error)
"""


NO_LENGTH = "CompiledModel cannot give output y, whose shape is known only once the file has run: take another engine\n"


@pytest.mark.parametrize(
    ("content", "given", "told"),
    [
        (absolute(), "[[-1, 2, -3, 4]]", "[[1.0, 2.0, 3.0, 4.0]]\n[1, 4]\n"),
        (counted_to(), "5", NO_LENGTH),
    ],
)
def test_compiled_gives_an_output_of_open_length_whole_or_not_at_all(
    tmp_path: Path, content: bytes, given: str, told: str
) -> None:
    (tmp_path / "model.tflite").write_bytes(content)
    argv = [sys.executable, "-c", OPEN, str(tmp_path / "model.tflite"), given]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert done.stdout == told


def test_compiled_keeps_no_tensors_between_the_ops_and_says_so(tmp_path: Path) -> None:
    spec = job_spec("outputs", f"{LITERT}:compiled") | {"keep": [3]}
    at = lay_job(tmp_path / "job", spec, tflite("int8").read_bytes(), stored_inputs(2))
    assert run_job(zipapp(device_source(tmp_path)), at).returncode == 0
    result = json.loads((at / "result.json").read_text())
    assert (result["status"], "gives no tensors between the ops" in result["error"]) == ("failed", True)
