"""device/job.py, run for real: `python device.pyz job DIR` with every runtime this Python has."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from harness.device import engines, job
from harness.device.job import PHASES, TIMING
from tests.devices import RECORDED, RUNTIMES, append, device_source, job_spec, lay_job, run_job, stored_inputs, zipapp

SAMPLES = 40
pytestmark = pytest.mark.usefixtures("traced")  # by coverage
SOURCES = sorted((Path(engines.__file__).parent).glob("*.py"))

# A second opinion on what a model answers: nothing of ours in it.
INDEPENDENT = """
import importlib, json, sys
import numpy as np
module, model, inputs, out = sys.argv[1:]
interpreter = importlib.import_module(module).Interpreter(model_path=model, num_threads=1)
interpreter.allocate_tensors()
(i,), (o,) = interpreter.get_input_details(), interpreter.get_output_details()
answers = []
for sample in np.load(inputs):
    x = (sample.astype("float64") / 255).astype("float32")[None]
    if i["dtype"] == np.int8:
        scale, zero_point = i["quantization"]
        x = np.clip(np.round(x.astype("float64") / scale) + zero_point, -128, 127).astype("int8")
    interpreter.set_tensor(i["index"], x)
    interpreter.invoke()
    answers.append(interpreter.get_tensor(o["index"])[0].copy())
np.save(out, np.array(answers))
"""


@pytest.fixture(scope="module")
def pyz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return zipapp(device_source(tmp_path_factory.mktemp("code")))


def lay(folder: Path, kind: str, runtime: str, variant: str = "int8", **plan: Any) -> Path:
    model = (RECORDED / "variants" / f"{variant}.tflite").read_bytes()
    return lay_job(folder, job_spec(kind, runtime, **plan), model, stored_inputs(SAMPLES))


def result_of(folder: Path) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((folder / "result.json").read_text())
    return result


@pytest.mark.parametrize("variant", ["float32", "int8"])
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_outputs_equal_an_independent_loop_sample_by_sample(
    pyz: Path, tmp_path: Path, runtime: str, variant: str
) -> None:
    folder = lay(tmp_path / "job", "outputs", runtime, variant)
    assert run_job(pyz, folder).returncode == 0
    result = result_of(folder)
    assert (result["status"], result["samples"]) == ("ok", SAMPLES)

    files = [str(folder / "model.tflite"), str(folder / "inputs/0.npy"), str(tmp_path / "expected.npy")]
    subprocess.run([sys.executable, "-c", INDEPENDENT, engines.ENGINES[runtime], *files], check=True)
    outputs = np.load(folder / "outputs" / "0.npy")
    expected = np.load(tmp_path / "expected.npy")
    assert outputs.dtype == expected.dtype
    assert len({tuple(row) for row in outputs}) > 1  # it looked at the samples
    np.testing.assert_array_equal(outputs, expected)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_latency_job_times_every_phase_and_looks_at_memory_at_every_point(
    pyz: Path, tmp_path: Path, runtime: str
) -> None:
    folder = lay(tmp_path / "job", "latency", runtime)
    assert run_job(pyz, folder).returncode == 0
    rows = np.load(folder / "latencies.npy")
    assert rows.dtype == TIMING
    series = {name: rows[rows["phase"] == n] for n, name in enumerate(PHASES)}
    assert {name: len(series[name]) for name in ("import", "load", "create", "allocate", "first")} == dict.fromkeys(
        ("import", "load", "create", "allocate", "first"), 1
    )
    assert series["warmup"]["count"].sum() >= 10
    assert 30 <= len(series["timed"]) <= 100
    assert len(series["set_input"]) == len(series["get_output"]) > 0
    assert (rows["ns"] > 0).all() and (rows["count"] > 0).all()
    assert list(rows["phase"][:5]) == [0, 1, 2, 3, 4]  # in the order of events

    result = result_of(folder)
    assert result["runtime_version"] == engines.version(runtime)
    assert list(result["memory_bytes"]) == ["start", "runtime", "model", "allocated", "first", "end"]
    assert all(point["VmHWM"] >= point["VmRSS"] > 0 for point in result["memory_bytes"].values())
    assert result["clock_step_ns"] > 0 and result["timing_pair_ns"] > 0


@pytest.mark.parametrize(("plan", "timings"), [({"min_runs": 70, "max_runs": 9000}, 70), ({"max_runs": 20}, 20)])
def test_a_round_takes_min_runs_and_never_more_than_max_runs(
    pyz: Path, tmp_path: Path, plan: dict[str, Any], timings: int
) -> None:
    folder = lay(tmp_path / "job", "latency", RUNTIMES[0], **plan)
    run_job(pyz, folder)
    assert (np.load(folder / "latencies.npy")["phase"] == PHASES.index("timed")).sum() == timings


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_model_that_is_garbage_is_a_failed_result_with_a_traceback_not_a_crash(
    pyz: Path, tmp_path: Path, runtime: str
) -> None:
    folder = lay_job(tmp_path / "job", job_spec("outputs", runtime), b"no flatbuffer at all", stored_inputs(2))
    assert run_job(pyz, folder).returncode == 0
    result = result_of(folder)
    assert result["status"] == "failed"
    assert result["error"].startswith("ValueError")
    assert "Traceback" in result["traceback"]
    assert not (folder / "outputs").exists()


def test_a_runtime_that_cannot_be_imported_is_a_failed_result(tmp_path: Path) -> None:
    source = device_source(tmp_path)
    append(source, "engines.py", 'ENGINES["made-up"] = "no_such_package.interpreter"\n')
    folder = lay(tmp_path / "job", "outputs", "made-up")
    assert run_job(zipapp(source), folder).returncode == 0
    result = result_of(folder)
    assert (result["status"], result["runtime_version"]) == ("failed", None)
    assert result["error"].startswith("ModuleNotFoundError")


def test_what_native_code_prints_lands_on_stderr_and_not_among_the_messages(tmp_path: Path) -> None:
    source = device_source(tmp_path)
    noisy = 'import os\nquiet = interpreter_class\ndef interpreter_class(name):\n    os.write(1, b"native noise\\n")\n'
    append(source, "engines.py", noisy + '    print("noise")\n    return quiet(name)\n')
    append(source, "job.py", "PROGRESS_S = 0\n")
    done = run_job(zipapp(source), lay(tmp_path / "job", "outputs", RUNTIMES[0]))
    messages = [json.loads(line) for line in done.stdout.splitlines()]
    assert [message["done"] for message in messages] == list(range(1, SAMPLES + 1))
    assert b"native noise" in done.stderr and b"\nnoise" in done.stderr


def test_a_job_whose_server_died_before_it_began_measures_nothing(pyz: Path, tmp_path: Path) -> None:
    folder = lay(tmp_path / "job", "outputs", RUNTIMES[0])
    argv = [sys.executable, "-I", str(pyz), "job", str(folder)]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE)
    assert process.stdout
    process.stdout.close()
    assert process.wait(30) == 1
    assert not (folder / "result.json").exists()


def test_warming_up_tells_what_one_invoke_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0

    def invoke() -> None:
        nonlocal now
        now += 50_000

    monkeypatch.setattr(job, "time", SimpleNamespace(perf_counter_ns=lambda: now))
    model = SimpleNamespace(
        interpreter=SimpleNamespace(invoke=invoke), set=lambda fed: None, clear_for=lambda fed: None
    )
    rows: list[tuple[str, int, int]] = []
    log = SimpleNamespace(add=lambda *row: rows.append(row))
    assert job.warm_up(model, {"warmup_s": 0, "warmup_runs": 10}, [None], log) == 50_000
    assert sum(count for _, _, count in rows) * 50_000 == now >= 10 * 50_000
    assert max(count for _, _, count in rows) > 1


ADAPTERS = {"compiled.py": {"ai_edge_litert"}, "micro.py": {"tflite_micro"}}  # loaded where that engine is asked for


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_device_code_is_python_3_9(path: Path) -> None:
    ast.parse(path.read_text(), feature_version=(3, 9))


def test_device_code_compiles_on_a_real_python_3_9(tmp_path: Path) -> None:
    found = sorted(Path.home().glob(".pyenv/versions/3.9.*/bin/python3.9"))
    python = str(found[0]) if found else shutil.which("python3.9")
    if python is None or subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode:
        pytest.skip("this machine has no Python 3.9")
    source = device_source(tmp_path)
    subprocess.run([python, "-m", "compileall", "-q", str(source)], check=True, capture_output=True)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_device_code_imports_the_standard_library_numpy_and_itself_alone(path: Path) -> None:
    allowed = sys.stdlib_module_names | {"numpy", "device"} | ADAPTERS.get(path.name, set())
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            assert {alias.name.split(".")[0] for alias in node.names} <= allowed
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            assert (node.module or "").split(".")[0] in allowed


def test_the_code_that_travels_is_the_same_for_the_same_sources(tmp_path: Path) -> None:
    source = device_source(tmp_path)
    first = zipapp(source).read_bytes()
    for path in source.iterdir():
        path.touch()
    assert zipapp(source).read_bytes() == first
    append(source, "job.py", "# another line\n")
    assert zipapp(source).read_bytes() != first


@pytest.mark.parametrize(
    ("words", "called"),
    [
        (["serve"], "serve"),
        (["job", "a folder"], "job a folder"),
        (["fork", "a runtime"], "forks a runtime"),
        (["restore", "settings"], "tune settings"),
    ],
)
def test_each_command_of_the_archive_is_its_modules(monkeypatch: pytest.MonkeyPatch, words: list[str], called: str):
    from harness.device import __main__

    package = ModuleType("device")
    for name in ("serve", "job", "forks", "tune"):
        module = SimpleNamespace(main=lambda *given, name=name: " ".join((name, *given)))
        setattr(package, name, module)
    monkeypatch.setitem(sys.modules, "device", package)
    assert __main__.main(words) == called


@pytest.mark.parametrize("words", [[], ["job"], ["serve", "more"], ["measure", "x"]])
def test_another_command_is_told_how_they_go(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    from harness.device import __main__

    assert __main__.main(words) == 2
    assert capsys.readouterr().err == "usage: serve | job DIR | fork RUNTIME | restore SETTINGS\n"
