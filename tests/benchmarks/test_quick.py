"""What accuracy over a whole test set, its report and its verdict cost, against what a user would do without us.

Ratios of processor time, children included, taken in turns within one run: a busy machine slows both, and its seconds
say nothing about another.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.runs.spent import read_spent
from harness.runs.store import Store
from tests.devices import RECORDED, RUNTIMES, device_source, python_with

pytestmark = pytest.mark.alone

ROUNDS = 3
SAMPLES = 10_000
RUN_AT_MOST = 2.4  # × the loop of a notebook: processes of their own, an audit, limits, a verdict and a report besides
REPORT_AT_MOST = 3.6  # × importing pandas
LIST_AT_MOST = 1.0
GATE_AT_MOST = 2.2
BESIDE_AT_MOST = 0.65  # of models of 1 µs: 20,000 timings of them, as many as a round has, take a fiftieth of a second
VARIANTS = {  # of two files each thrice: what a case costs does not depend on the others
    f"{path.stem}{n}": path for path in sorted((RECORDED / "variants").glob("*.tflite")) for n in ("", "_2", "_3")
}
EXPERIMENT = """
name = "quick"
[data]
test = "test.npz"
scale = 0.00392156862745098
[variants]
baseline = "float32"
"""
LOOP = """
import sys
import matplotlib
matplotlib.use("svg")
import matplotlib.pyplot as plt
import numpy as np
from {module} import Interpreter

data = np.load("test.npz")
x, y = data["x_test"], data["y_test"]
plt.imshow(x[0], cmap="gray")
plt.savefig("picture.svg")
for path in sys.argv[1:]:
    interpreter = Interpreter(model_path=path)
    interpreter.allocate_tensors()
    into, out = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    scale, zero = into["quantization"]
    right = 0
    for n in range(len(x)):
        sample = (x[n : n + 1] / 255).astype(np.float32)
        if into["dtype"] != np.float32:
            info = np.iinfo(into["dtype"])
            sample = np.clip(np.round(sample / scale + zero), info.min, info.max).astype(into["dtype"])
        interpreter.set_tensor(into["index"], sample.reshape(into["shape"]))
        interpreter.invoke()
        right += int(np.argmax(interpreter.get_tensor(out["index"])[0]) == y[n])
    print(path, right / len(x))
"""
HARNESS = """
from harness.cli import main
if __name__ == "__main__":
    main()
"""
TARGET = 'kind = "local"\nworkdir = "{}/device"\n'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An experiment of six files and 10,000 pictures, run once, so that all that can be kept is."""
    folder = tmp_path_factory.mktemp("quick")
    random = np.random.default_rng(5)
    x, y = random.integers(0, 256, (SAMPLES, 28, 28), np.uint8), random.integers(0, 10, SAMPLES, np.uint8)
    np.savez(folder / "test.npz", x_test=x, y_test=y)
    imports = [f'import.{name} = "{path}"\n' for name, path in VARIANTS.items()]
    (folder / "experiment.toml").write_text(EXPERIMENT + "".join(imports))
    (folder / "targets").mkdir()
    (folder / "targets" / "here.toml").write_text(TARGET.format(folder))
    (folder / "run.py").write_text(python_with(device_source(folder)) + HARNESS)
    (folder / "loop.py").write_text(LOOP.format(module=f"{RUNTIMES[0].replace('-', '_')}.interpreter"))
    harness(folder, *RUN)()
    return folder


RUN = ("run", "experiment.toml", "-t", "here", "--plan", "none", "--runtime", RUNTIMES[0])


def python(folder: Path, *words: str) -> Callable[[], None]:
    environment = {name: text for name, text in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"XDG_CACHE_HOME": str(folder / "cache"), "MPLCONFIGDIR": str(folder / "matplotlib")}

    def run() -> None:
        done = subprocess.run(
            [sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True, timeout=300
        )
        assert done.returncode in (0, 1), done.stderr  # 1: such labels are at chance, so rows are suspect

    return run


def harness(folder: Path, *words: str) -> Callable[[], None]:
    return python(folder, "run.py", *words)


def cpu_s(action: Callable[[], None]) -> float:
    """The processor time of the processes that it starts, of the user and the system."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    action()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def ratio_of(one: Callable[[], None], other: Callable[[], None]) -> float:
    """Their shortest times, taken in turns."""
    times = [(cpu_s(one), cpu_s(other)) for _ in range(ROUNDS)]
    return min(own for own, _ in times) / min(its for _, its in times)


def noted(benchmark: Any, capsys: pytest.CaptureFixture[str], what: str, ratio: float) -> None:
    benchmark.extra_info["ratio"] = round(ratio, 2)
    with capsys.disabled():
        print(f"\n{what}: {ratio:.2f}", end="")


def test_accuracy_of_six_files_over_10_000_samples(
    benchmark: Any, capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    """Outputs, audits, comparison, verdict and report written, against a notebook's loop: load, one picture, argmax."""
    loop = python(folder, "loop.py", *(str(path) for path in VARIANTS.values()))
    ratio = benchmark.pedantic(ratio_of, (harness(folder, *RUN), loop))
    noted(benchmark, capsys, f"run of {len(VARIANTS)} files × {SAMPLES:,} samples over a notebook's loop", ratio)
    assert ratio < RUN_AT_MOST


@pytest.mark.parametrize(
    ("words", "at_most"),
    [(("report", "latest"), REPORT_AT_MOST), (("list",), LIST_AT_MOST), (("gate", "latest"), GATE_AT_MOST)],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_what_reads_a_run_over_importing_pandas(
    benchmark: Any, capsys: pytest.CaptureFixture[str], folder: Path, words: tuple[str, ...], at_most: float
) -> None:
    pandas = python(folder, "-c", "import pandas")
    ratio = benchmark.pedantic(ratio_of, (harness(folder, *words), pandas))
    noted(benchmark, capsys, f"harness {words[0]} over importing pandas", ratio)
    assert ratio <= at_most


def test_where_the_time_of_a_standard_run_goes(
    benchmark: Any, capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    """Of two rows, where the comparison and the report weigh more than of twelve."""
    begin = set((folder / "results" / "quick").glob("2*"))
    words = [*RUN, "-v", "float32", "-v", "int8"]
    words[words.index("none")] = "standard"
    benchmark.pedantic(harness(folder, *words))
    (path,) = set((folder / "results" / "quick").glob("2*")) - begin
    spent = read_spent(path)
    assert spent and spent.timing_s > 1 and path == Store(folder / "results").find("latest")
    noted(
        benchmark, capsys, "share of a standard run that is neither warm-up, timing nor inference", spent.share_beside
    )
    shutil.rmtree(path)
    assert spent.share_beside < BESIDE_AT_MOST
