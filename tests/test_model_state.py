"""measure/model_state.py: which files keep state, and that each sample is asked from the initial state."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from harness.device.job import PHASES
from harness.measure.model_state import reset_of
from harness.measure.once import run_once
from harness.records import Affine
from tests import stateful_files as files
from tests.devices import RUNTIMES, device_source, job_spec, lay_job, run_job, zipapp

pytestmark = pytest.mark.usefixtures("traced")  # by coverage

MODELS = Path(__file__).parent / "models"
X = np.array([[3.0], [5.0], [3.0], [-2.0]], np.float32)
KEEP = {  # file, what resets it, its answers to X from its initial state, and without a reset
    "variable_tensor": (files.variable_tensor(), "variables", [3, 5, 3, -2], [3, 8, 11, 9]),
    "resource_variable": (files.resource_variable(), "interpreter", [4, 6, 4, -1], [4, 9, 12, 10]),
}


@pytest.fixture(scope="module")
def pyz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return zipapp(device_source(tmp_path_factory.mktemp("code")))


def written(folder: Path, content: bytes) -> Path:
    path = folder / "a.tflite"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("name", KEEP)
def test_a_file_that_keeps_state_says_what_resets_it(tmp_path: Path, name: str) -> None:
    content, reset, *_ = KEEP[name]
    assert reset_of(written(tmp_path, content)) == reset


@pytest.mark.parametrize("path", sorted(MODELS.glob("*.tflite")), ids=lambda path: path.stem)
def test_a_file_without_state_needs_no_reset(path: Path) -> None:
    assert reset_of(path) == "none"


def test_a_resource_variable_that_no_invoke_changes_is_no_state(tmp_path: Path) -> None:
    assert reset_of(written(tmp_path, files.resource_variable(assigned_in_use=False))) == "none"


@pytest.mark.parametrize("content", [b"", b"no flatbuffer", files.variable_tensor()[:60]])
def test_of_damage_the_runtime_speaks_itself(tmp_path: Path, content: bytes) -> None:
    assert reset_of(written(tmp_path, content)) == "none"


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("name", KEEP)
@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 1, 0, 2]])
def test_a_device_answers_each_sample_from_the_initial_state(
    pyz: Path, tmp_path: Path, name: str, runtime: str, order: list[int]
) -> None:
    content, reset, right, _ = KEEP[name]
    assert answers(pyz, tmp_path, content, runtime, X[order], reset) == [right[n] for n in order]


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("name", KEEP)
def test_without_a_reset_the_state_would_run_on(pyz: Path, tmp_path: Path, name: str, runtime: str) -> None:
    content, _, _, wrong = KEEP[name]
    assert answers(pyz, tmp_path, content, runtime, X, "none") == wrong


def answers(
    pyz: Path, folder: Path, content: bytes, runtime: str, x: np.ndarray, reset: str, **more: int
) -> list[float]:
    spec = job_spec("outputs", runtime) | {"affines": [{"scale": 1.0, "offset": 0.0}], "reset": reset} | more
    job = lay_job(folder / "job", spec, content, x)
    assert run_job(pyz, job).returncode == 0
    assert json.loads((job / "result.json").read_text())["status"] == "ok"
    found: list[float] = np.load(job / "outputs" / "0.npy").ravel().tolist()
    return found


@pytest.mark.parametrize("name", KEEP)
def test_a_check_on_this_machine_answers_each_sample_from_the_initial_state(tmp_path: Path, name: str) -> None:
    content, _, right, _ = KEEP[name]
    (found,) = run_once(written(tmp_path, content), (X,), [Affine()])
    assert found.ravel().tolist() == right


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("name", KEEP)
def test_a_model_that_keeps_state_is_timed_in_one_interpreter(
    pyz: Path, tmp_path: Path, name: str, runtime: str
) -> None:
    content, reset, *_ = KEEP[name]
    spec = job_spec("latency", runtime) | {"affines": [{"scale": 1.0, "offset": 0.0}], "reset": reset}
    job = lay_job(tmp_path / "job", spec, content, X)
    assert run_job(pyz, job).returncode == 0
    rows = np.load(job / "latencies.npy")
    assert (rows["phase"] == PHASES.index("create")).sum() == 1
    assert (rows["phase"] == PHASES.index("timed")).sum() >= 30


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("name", KEEP)
def test_each_pass_of_an_audit_begins_in_an_interpreter_of_its_own(
    pyz: Path, tmp_path: Path, name: str, runtime: str
) -> None:
    content, reset, right, wrong = KEEP[name]
    assert answers(pyz, tmp_path / "right", content, runtime, X, reset, passes=2) == right * 2
    assert answers(pyz, tmp_path / "wrong", content, runtime, X, "none", passes=2) == wrong * 2


def test_a_random_model_answers_two_passes_differently(pyz: Path, tmp_path: Path) -> None:
    found = answers(pyz, tmp_path, files.random(), RUNTIMES[0], X, "none", passes=2)
    assert all(0 <= y - x < 1 for x, y in zip([*X.ravel(), *X.ravel()], found, strict=True))
    assert found[:4] != found[4:]
