"""The whole job as a user does it, in processes of its own, and its figures against an independent loop."""

from __future__ import annotations

import hashlib
import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits

from tests.pages import readme_table

pytestmark = pytest.mark.slow

VARIANTS = ["float32", "float16", "dynamic_range", "int8", "int8_float_io", "int16x8"]
RUNTIMES = ["ai-edge-litert"] + (["tflite-runtime"] if sys.version_info < (3, 12) else [])
PHASES = {"import", "load", "create", "allocate", "first", "warmup", "timed", "set_input", "get_output"}
WAIT = ("--wait", "300")  # others may measure on this machine

# Nothing of the harness: numpy, one runtime, the saved files. One process an engine, since two break each other.
LOOP = """
import json, sys
import numpy as np

engine, images, out, *files = sys.argv[1:]
if engine == "tflite-runtime":
    from tflite_runtime.interpreter import Interpreter
else:
    from ai_edge_litert.interpreter import Interpreter

scores = {}
for file in files:
    interpreter = Interpreter(model_path=file, num_threads=1)
    interpreter.allocate_tensors()
    (given,), (answered,) = interpreter.get_input_details(), interpreter.get_output_details()
    rows = []
    for image in np.load(images):
        x = image / 255.0
        if given["dtype"] == np.int8:
            scale, zero = given["quantization"]
            x = np.clip(np.round(x / scale) + zero, -128, 127)
        interpreter.set_tensor(given["index"], x.astype(given["dtype"])[None])
        interpreter.invoke()
        y = interpreter.get_tensor(answered["index"])[0].astype(np.float64)
        scale, zero = answered["quantization"]
        rows.append((y - zero) * scale if scale else y)
    scores[file.rsplit("/", 1)[-1].removesuffix(".tflite")] = np.array(rows)
np.savez(out, **scores)
"""


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str


class Place:
    """A working directory and a cache that nobody used before."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = os.environ | {"XDG_CACHE_HOME": str(folder / "cache"), "PYTHONDONTWRITEBYTECODE": "1"}

    def harness(self, *words: str, tensorflow: bool = True, **options: Any) -> Done:
        done = subprocess.run(
            [sys.executable, "-m", "harness", *words, *(WAIT if words[0] == "run" else ())], cwd=self.folder,
            env=self.surroundings(tensorflow), capture_output=True, text=True, check=False, **options,
        )  # fmt: skip
        return Done(done.returncode, done.stdout, done.stderr)

    def surroundings(self, tensorflow: bool) -> dict[str, str]:
        """The environment; without TensorFlow, one in which importing it or Keras is an error."""
        if tensorflow:
            return self.environment
        for name in ("tensorflow", "keras"):
            package = self.folder / "traps" / name
            package.mkdir(parents=True, exist_ok=True)
            (package / "__init__.py").write_text(f"raise ImportError('{name} was imported')")
        return self.environment | {"PYTHONPATH": str(self.folder / "traps")}

    def run_of(self, done: Done) -> Path:
        """The folder of the run that a command said it opened."""
        assert done.code == 0, done.err
        (path,) = re.findall(r"^run \S+ in (\S+)$", done.err, re.MULTILINE)
        return self.folder / path


def independent_scores(run: Path, images: np.ndarray, folder: Path) -> dict[tuple[str, str], np.ndarray]:
    """(variant, runtime) → what the saved file answers to each image, by LOOP."""
    np.save(folder / "images.npy", images)
    files = [str(run / "variants" / f"{name}.tflite") for name in VARIANTS]
    scores: dict[tuple[str, str], np.ndarray] = {}
    for runtime in RUNTIMES:
        out = folder / f"{runtime}.npz"
        subprocess.run(
            [sys.executable, "-I", "-c", LOOP, runtime, str(folder / "images.npy"), str(out), *files], check=True
        )
        with np.load(out) as found:
            scores |= {(name, runtime): found[name] for name in VARIANTS}
    return scores


def assert_equal_figures(run: Path, images: np.ndarray, labels: np.ndarray, folder: Path) -> None:
    """Every prediction of every sample, every accuracy and every distance, against the independent loop."""
    samples = pd.read_parquet(run / "samples.parquet")
    summary = pd.read_csv(run / "summary.csv").set_index(["variant", "runtime"])
    baseline = np.load(run / "baseline.npy").astype(np.float64)
    scores = independent_scores(run, images, folder)
    assert len(samples) == len(scores) * len(labels)
    assert set(summary.index) == set(scores)
    for (variant, runtime), answers in scores.items():
        mine = samples[(samples.variant == variant) & (samples.runtime == runtime)].sort_values("sample")
        assert mine.label.tolist() == labels.tolist()
        assert mine.prediction.tolist() == answers.argmax(axis=1).tolist(), (variant, runtime)
        assert mine.flip.tolist() == (answers.argmax(axis=1) != baseline.argmax(axis=1)).tolist()
        np.testing.assert_allclose(mine.max_abs_diff, np.abs(answers - baseline).max(axis=1), atol=1e-6)
        (row,) = summary.loc[[(variant, runtime)]].itertuples()
        assert row.accuracy == np.mean(answers.argmax(axis=1) == labels)
        assert row.baseline_accuracy == np.mean(baseline.argmax(axis=1) == labels)
        assert row.samples == len(labels)


# --- digits --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("digits"))


@pytest.fixture(scope="module")
def first(place: Place) -> Path:
    """The folder of the first run: everything was built for it."""
    words = "run digits --plan quick --rounds 2 --min-s 0.02 --warmup-s 0.02"
    return place.run_of(place.harness(*words.split()))


@pytest.fixture(scope="module")
def summary(first: Path) -> pd.DataFrame:
    return pd.read_csv(first / "summary.csv")


def test_every_variant_on_every_runtime_ends_ok(summary):
    found = summary[["variant", "runtime", "status"]].to_records(index=False).tolist()
    expected = [(v, r, "ok") for v in VARIANTS for r in RUNTIMES]
    if "tflite-runtime" not in RUNTIMES:
        expected += [(v, "tflite-runtime", "unsupported") for v in VARIANTS]
    assert sorted(found) == sorted(expected)


def test_a_run_leaves_every_file(first):
    files = ["run.json", "baseline.npy", "latency.parquet", "samples.parquet", "metrics.csv", "summary.csv"]
    for name in [*files, "report.html", "report.md", *(f"variants/{v}.tflite" for v in VARIANTS)]:
        assert (first / name).stat().st_size > 0, name
    assert any((first / "plots").glob("*.svg"))
    pieces = [path.name for path in (first / "raw" / "host").iterdir() if "-again" not in path.name]
    assert (
        len(pieces) == len(VARIANTS) * len(RUNTIMES) * 4
    )  # a shard, an audit, two rounds; an unsteady one is measured again
    assert not list(first.rglob("*.part"))


def test_latest_is_a_relative_link_to_the_run(first):
    link = first.parent / "latest"
    assert link.is_symlink()
    assert str(link.readlink()) == first.name


def test_run_json_says_what_was_run(first):
    run = json.loads((first / "run.json").read_text())
    assert (run["schema_version"], run["experiment"], run["finished"]) == (5, "digits", True)
    for variant in run["variants"]:
        content = (first / "variants" / f"{variant['name']}.tflite").read_bytes()
        assert (variant["sha256"], variant["size_bytes"]) == (hashlib.sha256(content).hexdigest(), len(content))
    (target,) = run["targets"]
    assert target["environment"]["python"] == ".".join(map(str, sys.version_info[:3]))
    assert target["bytes_sent"]["blobs"] > 0


def test_the_test_set_is_scikit_learns_digits(first):
    """Each stored image, brought back to 8×8 and 0 to 16, is one of them and has its label."""
    bundled = load_digits()
    known = {
        image.astype(np.uint8).tobytes(): label for image, label in zip(bundled.images, bundled.target, strict=True)
    }
    images, labels = (np.load(first / "test" / name) for name in ("input-0.npy", "labels.npy"))
    small = np.rint(images[:, 2:26:3, 2:26:3] * (16 / 255)).astype(np.uint8)
    assert [known[image.tobytes()] for image in small] == labels.tolist()


def test_every_figure_of_accuracy_equals_an_independent_loop(first, tmp_path):
    images, labels = (np.load(first / "test" / name) for name in ("input-0.npy", "labels.npy"))
    assert_equal_figures(first, images, labels, tmp_path)


def test_the_models_have_learnt_something(summary):
    measured = summary[summary.status == "ok"]
    assert (measured.accuracy > 0.9).all()
    assert (measured[measured.variant == "float32"].max_abs_diff < 1e-5).all()


def test_latencies_are_the_raw_timings(first, summary):
    raw = pd.read_parquet(first / "latency.parquet")
    assert set(raw.phase.unique()) == PHASES
    for row in summary[summary.status == "ok"].itertuples():
        mine = raw[(raw.variant == row.variant) & (raw.runtime == row.runtime) & (raw.phase == "timed")]
        assert set(mine["round"]) == {0, 1}
        us = (mine.ns / mine["count"] / 1000).groupby(mine["round"])
        for found, of_each in (
            (row.latency_p50_us, us.median()),
            (row.latency_p90_us, us.quantile(0.9)),
            (row.latency_mean_us, us.mean()),
        ):
            assert found == pytest.approx(np.exp(np.log(of_each).mean()))  # of a typical round


def test_metrics_csv_holds_what_summary_csv_does(first, summary):
    metrics = pd.read_csv(first / "metrics.csv")
    for metric, column in (("accuracy", "accuracy"), ("flips", "flips"), ("latency_p50", "latency_p50_us")):
        long = metrics[metrics.metric == metric].set_index(["variant", "runtime"]).value
        wide = summary.set_index(["variant", "runtime"])[column]
        pd.testing.assert_series_equal(long.sort_index(), wide.sort_index(), check_names=False, check_dtype=False)


def test_a_second_run_builds_nothing_and_needs_no_tensorflow(place, first):
    done = place.harness("run", "digits", "--plan", "none", tensorflow=False)
    again = place.run_of(done)
    assert "nothing to build" in done.err
    assert "building" not in done.err
    assert again != first
    columns = ["variant", "runtime", "accuracy", "flips", "max_abs_diff", "size_bytes"]
    tables = [pd.read_csv(run / "summary.csv")[columns] for run in (first, again)]
    pd.testing.assert_frame_equal(tables[0], tables[1])
    assert pd.read_csv(again / "summary.csv").latency_p50_us.isna().all()


def test_a_terminal_of_80_columns_shows_every_value_whole(place, first):
    """On a real terminal: a run's stdout is a pseudo-terminal that says it is 80 wide."""
    words = [sys.executable, "-m", "harness", "run", "digits", "--plan", "none", "-v", "int8", "-v", "float32"]
    environment = place.surroundings(tensorflow=False) | {"COLUMNS": "80", "TERM": "xterm"}
    code, shown, err = on_a_terminal([*words, *WAIT], place.folder, environment)
    assert code == 0, err
    table = [line for line in shown.splitlines() if not line.startswith("report: ")]
    assert max(map(len, table)) <= 80
    assert "…" not in shown
    summary = pd.read_csv(place.folder / "results" / "digits" / "latest" / "summary.csv")
    ok = summary[summary.status == "ok"]
    for variant, runtime, accuracy in zip(ok.variant, ok.runtime, ok.accuracy, strict=True):
        assert re.search(rf"{variant} +{runtime} .*{accuracy * 100:.2f} ", shown)


def on_a_terminal(words: list[str], folder: Path, environment: dict[str, str]) -> tuple[int, str, str]:
    """Exit code, what the terminal showed without its colours, stderr."""
    here, there = pty.openpty()
    with subprocess.Popen(words, cwd=folder, env=environment, stdout=there, stderr=subprocess.PIPE) as process:
        os.close(there)
        assert process.stderr
        err = process.stderr.read().decode()
        shown = b"".join(read_all(here))
    return process.returncode, re.sub(r"\x1b\[[0-9;]*m", "", shown.decode().replace("\r\n", "\n")), err


def read_all(terminal: int) -> Iterator[bytes]:
    try:
        while chunk := os.read(terminal, 4096):
            yield chunk
    except OSError:  # the other end is closed
        return
    finally:
        os.close(terminal)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("list", r"\d{8}-\d{6}-[0-9a-f]{4} +digits +quick +host .* finished"),
        ("report RUN --format markdown", r"(?s)# digits.*\| int16x8.*ai-edge-litert"),
        ("show RUN --sample 0", r"(?s)int16x8.*picture: .*plots/sample-0\.svg"),
        ("build digits --out copies", r"int8 +ok .* int8 +int8"),
    ],
)
def test_what_was_built_and_stored_needs_no_tensorflow(place, first, words, said):
    done = place.harness(*words.replace("RUN", first.name).split(), tensorflow=False)
    assert done.code == 0, done.err
    assert re.search(said, done.out)


def test_build_copies_the_very_files_that_were_measured(place, first):
    assert place.harness("build", "digits", "--out", "out", tensorflow=False).code == 0
    for name in VARIANTS:
        copy = place.folder / "out" / f"{name}.tflite"
        assert copy.read_bytes() == (first / "variants" / copy.name).read_bytes()


# --- MNIST ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mnist_file() -> Path:
    given = os.environ.get("HARNESS_MNIST")
    if not given and os.environ.get("CI"):
        pytest.fail("HARNESS_MNIST is not set, and CI must not leave the main job untested")
    if not given or not given.endswith(".npz"):
        pytest.skip("HARNESS_MNIST names no .npz with MNIST")
    return Path(given)


def test_the_main_job_on_mnist_equals_an_independent_loop(mnist_file, tmp_path):
    place = Place(tmp_path)
    run = place.run_of(place.harness("run", "mnist", "--plan", "none"))
    summary = pd.read_csv(run / "summary.csv")
    assert set(summary[summary.runtime == "ai-edge-litert"].status) == {"ok"}
    assert summary.baseline_accuracy.between(0.97, 0.985).all()
    assert_readme_shows(summary)
    with np.load(mnist_file) as data:
        assert_equal_figures(run, data["x_test"], data["y_test"], tmp_path)


def assert_readme_shows(summary: pd.DataFrame) -> None:
    """README's table, but for times, and for what training on another machine changes."""
    shown = readme_table()
    for found in summary[summary.status == "ok"].to_dict("records"):
        row = found["variant"], found["runtime"]
        accuracy, _, flips, kilobytes, *_ = shown[row]
        assert float(accuracy) == pytest.approx(100 * found["accuracy"], abs=0.4), row
        assert float(kilobytes) == pytest.approx(found["size_bytes"] / 1000, rel=0.02), row
        assert abs(int(flips) - found["flips"]) <= 15, row
