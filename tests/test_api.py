"""The front door, over the recorded runs and a replayed one: no device, no TensorFlow but in the tests marked slow."""

from __future__ import annotations

import csv
import inspect
import json
import math
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import harness as front
from harness import pipeline
from harness.api import inline, listeners
from harness.api.stored_run import Run
from harness.build.models import model_source
from harness.data import kinds
from harness.data.source import DataSource
from harness.errors import ConfigError, DataError, HarnessError, StoreError
from harness.experiment.in_memory import dataset_in_memory
from harness.gate.policy import read_policy
from harness.gate.run_gate import default_verdict
from harness.records import Dataset
from harness.runs import loading, record
from harness.runs.store import Store
from tests.conftest import Call
from tests.devices import RECORDED, Quiet, copy_of_recording, python_with
from tests.made_answers import DROP, RULE
from tests.test_pipeline import replayed

SECOND = RECORDED.with_name("digits-schema-2")
API = (Path(__file__).parents[1] / "docs" / "api.md").read_text()
SMALL, TINY = (RULE + f'metric = "size_bytes"\nmax = "{limit}"\n' for limit in ("1MB", "1KB"))


@pytest.fixture
def run() -> Run:
    return front.load(RECORDED)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the recorded run, derived again."""
    return front.load(RECORDED).write_report(tmp_path_factory.mktemp("files")).parent


# --- the names -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", front.__all__)
def test_every_public_name_is_there_and_documented(name: str) -> None:
    assert getattr(front, name) is not None and name in dir(front)
    assert f"`{name}`" in API or f"`{name}(" in API


def arguments_of(name: str) -> list[str]:
    """What a reader must know of a public name: arguments, fields, public members."""
    thing = getattr(front, name)
    if inspect.isfunction(thing):
        return list(inspect.signature(thing).parameters)
    if is_dataclass(thing) and name != "Verdict":
        return [field.name for field in fields(thing)]
    return [member for member in vars(thing) if not member.startswith("_") and member != "of"]


@pytest.mark.parametrize("name", [name for name in front.__all__ if name not in ("__version__", "HarnessError")])
def test_every_argument_field_and_member_is_documented(name: str) -> None:
    documented = set(re.findall(r"\w+", " ".join(re.findall(r"`[^`]+`", API))))
    assert [argument for argument in arguments_of(name) if argument not in documented] == []


def test_arguments_of_methods_are_documented() -> None:
    methods = [method for name, method in vars(Run).items() if inspect.isfunction(method) and not name.startswith("_")]
    arguments = {argument for method in methods for argument in inspect.signature(method).parameters} - {"self"}
    assert [argument for argument in arguments if not re.search(rf"[(`]?\b{argument}\b", API)] == []


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'evalute'"):
        front.evalute  # noqa: B018


def test_the_package_says_that_it_is_typed() -> None:
    assert (Path(front.__file__).parent / "py.typed").exists()


# --- load ----------------------------------------------------------------------------------------------------------


def test_a_run_is_loaded_by_each_of_its_names(tmp_path: Path) -> None:
    path = copy_of_recording(tmp_path)
    for name in ("latest", path.name, path, str(path)):
        assert front.load(name, tmp_path).path.samefile(path)
    with pytest.raises(StoreError, match="there is no run 'newest'"):
        front.load("newest", tmp_path)


# --- tables --------------------------------------------------------------------------------------------------------


def same(frame_value: object, text: str) -> bool:
    """Whether a frame holds what the file says, to the last digit."""
    if text == "":
        return bool(pd.isna(cast("float", frame_value)))
    if isinstance(frame_value, str):
        return frame_value == text
    if text in ("true", "false"):
        return bool(frame_value) is (text == "true")
    return float(frame_value) == float(text)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["summary", "metrics"])
def test_a_frame_is_its_file_value_by_value(run: Run, written: Path, name: str) -> None:
    frame: pd.DataFrame = getattr(run, name)
    with (written / f"{name}.csv").open(newline="") as file:
        columns, *lines = csv.reader(file)
    assert list(frame.columns) == columns
    assert len(frame) == len(lines) > 0
    values = [value for row in frame.itertuples(index=False) for value in row]
    texts = [text for line in lines for text in line]
    assert [(v, text) for v, text in zip(values, texts, strict=True) if not same(v, text)] == []


def test_a_version_that_looks_like_a_number_stays_a_text(run: Run) -> None:
    assert set(run.summary["runtime_version"]) == {"2.3.0", "2.14.0"}
    assert "2.10" in set(front.api.frames.of_csv("runtime_version,value\n2.10,2.10\n")["runtime_version"])


def test_latency_and_samples_are_their_files(run: Run, written: Path) -> None:
    for frame, name in ((run.latency, "latency"), (run.samples(), "samples")):
        stored = pq.read_table(written / f"{name}.parquet").to_pandas()
        pd.testing.assert_frame_equal(frame.astype(stored.dtypes), stored)
        assert list(frame.columns) == list(stored.columns)


def test_samples_of_one_row_are_those_rows(run: Run) -> None:
    every, one = run.samples(), run.samples(variant="int8", runtime="tflite-runtime")
    wanted = every[(every["variant"] == "int8") & (every["runtime"] == "tflite-runtime")]
    pd.testing.assert_frame_equal(one, wanted.reset_index(drop=True))
    assert len(one) == run.stored.test_count
    with pytest.raises(ConfigError, match="no answers of variant 'int4'") as caught:
        run.samples(variant="int4")
    assert "int8 on host with tflite-runtime" in caught.value.advice


# --- one sample, plots ---------------------------------------------------------------------------------------------


def test_a_sample_says_what_the_stored_arrays_say(run: Run) -> None:
    sample = run.sample(7)
    with np.load(RECORDED / "test.npz") as file:
        label = int(file["labels"][7])
    keras = np.load(RECORDED / "baseline.npy")[7]
    first = sample.answers.iloc[0]
    assert (sample.label, first["variant"], first["prediction"]) == (str(label), "Keras", int(keras.argmax()))
    assert first["score"] == float(keras.max())
    assert list(sample.answers["variant"][1:].unique()) == ["float32", "int8"]
    drawn = dict(re.findall(r"Keras, class (\d): ([\d.]+)", sample.svg))
    assert [float(drawn[str(n)]) for n in range(10)] == pytest.approx(keras.tolist(), abs=5e-5)
    assert str(sample).startswith(f"Sample 7, label {label}. ")
    assert sample._repr_html_().startswith("<svg ") and "data:image/png;base64," in sample.svg


@pytest.mark.parametrize("index", [-1, 500])
def test_a_sample_outside_the_test_set_is_refused(run: Run, index: int) -> None:
    with pytest.raises(ConfigError, match=f"there is no sample {index}"):
        run.sample(index)


def test_plots_are_charts_by_name(run: Run) -> None:
    assert {"pareto", "latency", "ecdf"} <= set(run.plots)
    assert all(chart._repr_svg_() == chart.svg and chart.svg.startswith("<svg ") for chart in run.plots.values())
    assert len(run.plots) == run.plots._repr_html_().count("<svg ")


# --- judge ---------------------------------------------------------------------------------------------------------


def test_a_verdict_is_true_where_the_run_passes_and_says_why_where_not(run: Run, tmp_path: Path) -> None:
    (tmp_path / "small.toml").write_text(SMALL)
    (tmp_path / "tiny.toml").write_text(TINY)
    assert run.judge(tmp_path / "small.toml")
    verdict = run.judge(str(tmp_path / "tiny.toml"))
    assert not verdict and verdict.outcome == "fail"
    assert "int8 on host with tflite-runtime is fail: 107,792 B, and the limit is 1,000 B" in str(verdict)
    assert "❌" in verdict._repr_html_() and ">fail</td>" in verdict._repr_html_()


def test_a_policy_may_be_handed_in(run: Run, tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_text(SMALL)
    assert run.judge(read_policy(tmp_path / "policy.toml")) == run.judge(tmp_path / "policy.toml")


@pytest.mark.parametrize("policy", [None, DROP, SMALL, TINY])
def test_the_verdict_is_that_of_the_command(harness: Call, tmp_path: Path, policy: str | None) -> None:
    copy_of_recording(tmp_path)
    path = None if policy is None else tmp_path / "policy.toml"
    if path:
        path.write_text(policy or "")
    words = ["gate", "latest", "--results", str(tmp_path), "--json", *(["--policy", str(path)] if path else [])]
    code, out, _ = harness(*words)
    verdict = front.load("latest", tmp_path).judge(path)
    assert (code == 0) == bool(verdict)
    document = json.loads(out)
    assert [(f["value"], f["low"], f["outcome"]) for f in document["findings"]] == [
        (f.value, f.low, f.outcome) for f in verdict.findings
    ]


def test_a_verdict_is_the_same_before_and_after_everything_was_derived(tmp_path: Path) -> None:
    """judge() computes the metrics of its rules alone where no more are there."""
    (tmp_path / "policy.toml").write_text(DROP + SMALL)
    fresh, looked_at = front.load(RECORDED), front.load(RECORDED)
    assert len(looked_at.summary) == 4
    assert fresh.judge(tmp_path / "policy.toml") == looked_at.judge(tmp_path / "policy.toml")


def test_what_changes_nothing_is_a_warning_or_told_to_whom_was_handed_in(run: Run, tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_text(SMALL)
    with pytest.warns(UserWarning, match="changes nothing") as caught:
        run.judge(tmp_path / "policy.toml", SECOND)
    assert caught[0].filename == __file__
    told: list[str] = []
    run.judge(tmp_path / "policy.toml", [SECOND], say=told.append)
    assert [text for text in told if "changes nothing" in text] == told[1:]  # the first: an old run is not sealed


def test_a_run_may_be_the_reference(run: Run, tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_text(RULE + 'metric = "size_bytes"\nmax_increase = "1%"\nagainst = "reference"\n')
    other = front.load(SECOND)
    verdict = run.judge(tmp_path / "policy.toml", other)
    assert verdict and verdict.reference == other.run_id


def test_a_broken_policy_is_an_error_of_the_tree(run: Run, tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_text(SMALL.replace("max", "mx"))
    with pytest.raises(HarnessError, match=r"policy\.toml:3") as caught:
        run.judge(tmp_path / "policy.toml")
    assert (caught.value.exit_code, caught.value.advice != "") == (2, True)


def test_a_run_whose_models_were_changed_is_not_judged(tmp_path: Path) -> None:
    path = copy_of_recording(tmp_path)
    model = path / "variants" / "int8.tflite"
    model.write_bytes(model.read_bytes() + b"0")
    with pytest.raises(StoreError, match="is not the file that was measured"):
        front.load(path).judge()
    assert "No verdict: " in front.load(path)._repr_html_()


# --- compare -------------------------------------------------------------------------------------------------------


def test_changes_are_those_of_the_command(harness: Call) -> None:
    changes = front.load(SECOND).compare(RECORDED)
    code, out, _ = harness("compare", str(RECORDED), str(SECOND), "--json")
    assert code == 0
    assert json.loads(json.dumps(changes.rows)) == json.loads(out)
    assert len(changes) == len(changes.frame) == len(json.loads(out))
    sizes = changes.frame[changes.frame["metric"] == "size_bytes"].set_index(["variant", "runtime"])
    one, other = ((path / "variants/int8.tflite").stat().st_size for path in (RECORDED, SECOND))
    row = cast("pd.Series", sizes.loc[("int8", "tflite-runtime")])
    assert (row["reference"], row["candidate"]) == (one, other)
    assert f"{one:,}" in changes._repr_html_() and f"{other:,}" in str(changes)
    assert any(note.startswith("not comparable: under 6 rounds") for note in changes.notes)


def test_a_run_beside_itself_is_said() -> None:
    assert "both are the same run" in front.load(RECORDED).compare(front.load(RECORDED)).notes


# --- itself, in a notebook -----------------------------------------------------------------------------------------


def test_a_run_shows_headline_table_and_verdict(run: Run) -> None:
    page = run._repr_html_()
    accuracy = f"{100 * run.summary['baseline_accuracy'][0]:.2f}"
    for text in (
        "2 variants of digits on host",
        accuracy,
        ">int8</td>",
        "no latency claim",
        "by the default policy",
    ):
        assert text in page
    assert "not finished" not in page
    assert repr(run) == f"<Run {run.run_id} of digits>"


def test_a_run_that_is_not_finished_says_so(run: Run) -> None:
    begun = Run(replace(run.stored, finished=False), run.results)
    assert "This run is not finished" in begun._repr_html_() and "not finished" in repr(begun)


def test_names_that_look_like_markup_are_shown_as_they_are(run: Run) -> None:
    odd = Run(replace(run.stored, experiment="<script>"), run.results)
    assert "<script>" not in odd._repr_html_() and "&lt;script&gt;" in odd._repr_html_()


def test_show_returns_the_path_outside_a_notebook_and_writes_what_is_missing(tmp_path: Path) -> None:
    path = copy_of_recording(tmp_path)
    assert front.load(path).show() == path / "report.html"
    assert (path / "report.html").stat().st_size > 10_000


def test_a_report_in_a_frame_keeps_its_quotes(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text('<p class="a">&amp;</p>')
    assert 'srcdoc="&lt;p class=&quot;a&quot;&gt;&amp;amp;&lt;/p&gt;"' in inline.frame(tmp_path / "page.html")


# --- measured ------------------------------------------------------------------------------------------------------


def test_a_run_goes_on_and_writes_nothing_where_there_is_no_terminal(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = replayed(tmp_path)
    begun = front.load(path, trust=True)
    assert not begun.finished
    done = begun.resume()
    assert done.finished and front.load(path).finished
    pd.testing.assert_frame_equal(done.samples(), front.load(RECORDED).samples())
    assert capfd.readouterr() == ("", "")


def test_a_listener_that_is_handed_in_hears_the_run(tmp_path: Path) -> None:
    quiet = Quiet()
    front.load(replayed(tmp_path), trust=True).resume(progress=quiet)
    assert quiet.begun is not None and len(quiet.pieces) == quiet.begun[1] + quiet.begun[2]


def test_the_samples_of_a_run_are_read_once_while_it_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, reads = replayed(tmp_path), []
    read = loading.read_dataset

    def counted(*given: Any) -> Dataset:
        reads.append(given)
        return read(*given)

    for module in (loading, record):
        monkeypatch.setattr(module, "read_dataset", counted)
    pipeline.go_on(Store(tmp_path, trust=True).reopen(path.name), Quiet(), default_verdict)
    assert len(reads) == 1


def test_a_notebooks_progress_counts_every_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    progress, shown = listeners.NotebookProgress(), []

    class Output:
        def update(self, thing: listeners.NotebookProgress) -> None:
            shown.append(thing._repr_html_())

    progress.output = Output()
    front.load(replayed(tmp_path), trust=True).resume(progress=progress)
    assert [(bar.done, bar.total) for bar in progress.bars.values()] == [
        (bar.total, bar.total) for bar in progress.bars.values()
    ]
    assert len(progress.bars) == 2 and "<progress" in shown[-1]
    assert str(tmp_path) not in shown[-1]


# --- evaluate: what is handed in -----------------------------------------------------------------------------------


X = np.arange(60, dtype=np.uint8).reshape(12, 5)
LABELS: dict[str, Any] = {
    "numbers": np.arange(12) % 3,
    "a column": (np.arange(12) % 3)[:, np.newaxis],
    "one-hot rows": np.eye(3)[np.arange(12) % 3],
    "texts": np.array(["cat", "dog", "owl"])[np.arange(12) % 3],
    "values": np.linspace(0, 1, 12),
}


@pytest.mark.parametrize("labels", LABELS)
def test_arrays_become_the_data_set_that_their_file_becomes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, labels: str
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    np.savez(tmp_path / "test.npz", x=X, y=LABELS[labels])
    np.savez(tmp_path / "calibration.npz", x=X[::-1])
    stored = kinds.load(DataSource("made", "test.npz", "calibration.npz", tmp_path, scale=0.5))
    given = dataset_in_memory("made", X, LABELS[labels], X[::-1], (), 0.5, 0.0)
    for field in ("test_sha256", "train_sha256", "class_names", "affines", "input_names"):
        assert getattr(given, field) == getattr(stored, field)


def test_several_inputs_go_by_name_or_in_order() -> None:
    by_name = dataset_in_memory("two", {"a": X, "b": X[:, :2]}, None, None, (), {"b": 2.0}, 0.0)
    assert (by_name.input_names, [affine.scale for affine in by_name.affines]) == (("a", "b"), [1.0, 2.0])
    in_order = dataset_in_memory("two", (X, X[:, :2]), None, None, (), 1.0, 0.0)
    assert (in_order.input_names, len(in_order.test_inputs)) == ((), 2)
    assert dataset_in_memory("one", X.tolist(), None, None, (), 1.0, 0.0).test_inputs[0].shape == X.shape
    assert dataset_in_memory("text", X, pd.Series(["b", "a"] * 6), None, (), 1.0, 0.0).class_names == ("a", "b")


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.array(["a"] * 12), None, "x_test is an array of dtype <U1"),
        ([[1, 2], [3]], None, "x_test is no array"),
        (X, np.arange(11), "hold different numbers of samples"),
        (X, 3, "y_test is a single value"),
        (np.where(X > 3, np.nan, X), None, "NaN"),
        (X[:0], None, "the test set is empty"),
    ],
)
def test_arrays_that_cannot_be_right_are_refused(x: Any, y: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        dataset_in_memory("made", x, y, None, (), 1.0, 0.0)


class Saved:
    """What evaluate needs of a Keras model before anything is built."""

    __module__ = "keras.made_here"
    _flatten_layers = list
    to_json = export = print

    def save(self, path: Path) -> None:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("metadata.json", '{"date_saved": "today"}')


REFUSED: dict[str, tuple[Callable[..., object], str, str]] = {
    "no model": (lambda: front.evaluate({}, X), "model is of type dict", "keras.Model"),
    "no such file": (lambda: front.evaluate("a.keras", X), "there is no a.keras", "working directory"),
    "a .tflite file": (lambda: front.evaluate(__file__, X), "is not a Keras model", ".keras"),
    "a name": (lambda: front.evaluate(Saved(), X, name="a/b"), "cannot be used as a name", "letters"),
    "a plan": (lambda: front.evaluate(Saved(), X, plan="fast"), "there is no plan 'fast'", "quick"),
    "a variant": (
        lambda: front.evaluate(Saved(), X, variants="int3"),
        "no variant matches 'int3'",
        "float32",
    ),
    "int8": (lambda: front.evaluate(Saved(), X, variants="int8"), "int8 needs samples", "give calibration"),
    "a target": (
        lambda: front.evaluate(Saved(), X, targets="pi"),
        "there is no target 'pi'",
        "known targets",
    ),
    "threads": (lambda: front.run("digits", threads=0), "at least one thread", "1 or more"),
    "an experiment": (lambda: front.run("cifar"), "no built-in experiment 'cifar'", "mnist"),
    "data": (lambda: front.run("digits", runtimes="tf"), "no runtime 'tf'", "ai-edge-litert"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_used_is_refused_before_anything_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    call, message, advice = REFUSED[what]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(pipeline, "build", lambda *_: pytest.fail("something was built"))
    with pytest.raises(ConfigError, match=re.escape(message)) as caught:
        call()
    assert advice in caught.value.advice
    assert not (tmp_path / "results").exists()


def test_the_same_model_is_the_same_file_whenever_it_is_saved(tmp_path: Path) -> None:
    for name, date, year in (("a", "today", 2001), ("b", "tomorrow", 2002)):
        with zipfile.ZipFile(tmp_path / f"{name}.keras", "w") as archive:
            archive.writestr("metadata.json", json.dumps({"keras_version": "3", "date_saved": date}))
            archive.writestr(zipfile.ZipInfo("model.weights.h5", (year, 1, 1, 0, 0, 0)), b"weights")
        model_source.remove_date(tmp_path / f"{name}.keras")
    one, other = ((tmp_path / f"{name}.keras").read_bytes() for name in "ab")
    assert one == other
    with zipfile.ZipFile(tmp_path / "a.keras") as archive:
        assert archive.read("model.weights.h5") == b"weights"
        assert json.loads(archive.read("metadata.json"))["keras_version"] == "3"


# --- evaluate, for real --------------------------------------------------------------------------------------------

SCRIPT = """
import sys
import numpy as np, keras
keras.utils.set_random_seed(1)
rng = np.random.default_rng(0)
x = rng.random((300, 8)).astype("float32")
y = (x[:, 0] > x[:, 1]).astype(int) + (x[:, 2] > 0.5)
layers = [keras.Input((8,)), keras.layers.Dense(16, activation="relu"), keras.layers.Dense(3, activation="softmax")]
model = keras.Sequential(layers)
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy")
model.fit(x, y, epochs=2, verbose=0)
np.savez("test.npz", x=x[:200], y=y[:200])
np.savez("calibration.npz", x=x[200:])
model.save("model.keras")
import harness
run = harness.evaluate(model, x[:200], y[:200], calibration=x[200:], name="tiny", plan="none")
print(run.run_id)
again = harness.evaluate(model, x[:200], y[:200], calibration=x[200:], name="tiny", plan="none")
assert run.stored.hashes == again.stored.hashes
"""  # without a guard: a script that calls evaluate must not run a second time in the process that builds
EXPERIMENT = """
name = "tiny"
[model]
source = "model.keras"
[data]
test = "test.npz"
calibration = "calibration.npz"
[plan]
profile = "none"
"""


@pytest.mark.slow
def test_evaluate_gives_what_the_command_gives_for_the_same_in_files(
    harness: Call, own_lock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    script = python_with(own_lock) + SCRIPT
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (tmp_path / "script.py").write_text(script)  # as a file, __main__ has a path that would be imported again
    done = subprocess.run([sys.executable, "script.py"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (run_id,) = done.stdout.split()  # and nothing else was printed
    (tmp_path / "experiment.toml").write_text(EXPERIMENT)
    assert harness("run", "experiment.toml")[0] == 0
    given, filed = front.load(run_id), front.load("latest")
    assert given.run_id != filed.run_id
    for name in ("test", "train", "baseline"):
        assert given.stored.hashes[name] == filed.stored.hashes[name]
    assert [v.sha256 for v in given.stored.variants] == [v.sha256 for v in filed.stored.variants]
    pd.testing.assert_frame_equal(given.samples(), filed.samples())
    own = ["run_id", "peak_rss_bytes", "model_rss_bytes", "load_ms", "first_invoke_ms"]
    pd.testing.assert_frame_equal(given.summary.drop(columns=own), filed.summary.drop(columns=own))
    accuracy = given.summary.set_index(["variant", "runtime"])["accuracy"]
    answers = given.samples(variant="int8", runtime="ai-edge-litert")
    with np.load("test.npz") as test:
        assert math.isclose(accuracy["int8", "ai-edge-litert"], (answers["prediction"] == test["y"]).mean())
