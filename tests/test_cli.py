"""The commands as a user meets them: what they print where, and the code they exit with. No device, no TensorFlow."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from harness import __version__, pipeline
from harness.build import builder as building
from harness.build.workloads import digits, mnist
from harness.cli import app
from harness.cli.tables.run_tables import runs_table, summary_table, summary_tables, targets_table, variants_table
from harness.compare.baseline import compare
from harness.errors import TargetBusy
from harness.measure.jobs import cases_of
from harness.records import Affine, Plan, Provenance, Target, TargetRecord, Tensor, Variant
from harness.report.material import Material
from harness.report.tables.summary_table import tables
from harness.runs.header import Header
from harness.runs.store import Store
from tests import made_runs
from tests.made_runs import ENVIRONMENT, LITERT, case, scores, shard, timed

RUN_ID = "20260101-120000-5f3a"
VARIANTS = ("float32", "float16", "dynamic_range", "int8", "int8_float_io", "int16x8")


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    """An empty working directory, an empty cache, no MNIST and no way to it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.delenv("HARNESS_MNIST", raising=False)
    monkeypatch.setattr(mnist, "_download", lambda home, run: None)


TWO = (case("float32"), case("int8"))


def comparison(of=TWO, **fields):
    baseline = scores()
    shards = [shard(c, baseline) for c in of]
    fields = {"shards": shards} | fields
    return compare(made_runs.run(of, labels=baseline.argmax(axis=1), baseline=baseline, **fields))


def concluded(made, judge):
    return pipeline.Conclusion(made, judge(made))


@pytest.fixture
def asked(monkeypatch):
    """What `run` asks of the pipeline, which answers with a made comparison."""
    requests: list[pipeline.Request] = []

    def run(request, store, cache, listener, judge, policy):
        requests.append(request)
        return concluded(comparison(), judge)

    monkeypatch.setattr(pipeline, "run", run)
    return requests


def store_a_run(root: Path, run_id: str = RUN_ID, finished: bool = False) -> Path:
    """A run of 20 digits that was opened; nothing of it was measured."""
    data = digits.load()
    data = replace(data, test_inputs=(data.test_inputs[0][:20],), test_labels=data.test_labels[:20])
    variant = Variant("float32", "float32", Path(__file__).parent / "models" / "float32.tflite", "0" * 64, 27_500)
    header = Header(
        run_id=run_id,
        experiment="digits",
        task="classification",
        class_names=data.class_names,
        affines=(Affine(scale=1 / 255),),
        plan=Plan("quick", 3, 50, 0.2),
        variants=(variant,),
        targets=(TargetRecord(Target("host")),),
        cases=cases_of((variant,), Target("host"), (LITERT,), (1,)),
        hashes={},
        provenance=Provenance("2026-01-01T12:00:00+00:00"),
    )
    record = Store(root).open(header, data, (np.eye(10, dtype=np.float32)[data.test_labels],))
    if finished:
        record.finish()
    return record.path


# --- help ----------------------------------------------------------------------------------------------------------


def commands() -> list[str]:
    return [str(c.name or c.callback.__name__).rstrip("_") for c in app.registered_commands]


def test_the_commands_of_the_main_job_are_there():
    assert {"run", "build", "list", "report", "show", "targets"} <= set(commands())


@pytest.mark.parametrize("command", commands())
def test_every_command_has_help(command):
    result = CliRunner().invoke(app, [command, "--help"])
    assert result.exit_code == 0
    assert f"{command} [OPTIONS]" in result.stdout


def test_the_version_is_told(harness):
    assert harness("--version")[:2] == (0, f"edge-harness {__version__}\n")


def test_help_needs_no_heavy_import():
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "harness", "--help"], capture_output=True, text=True, check=True
    )
    loaded = {line.split("|")[-1].strip().split(".")[0] for line in done.stderr.splitlines()}
    assert {"typer", "harness"} <= loaded
    assert not loaded & {"numpy", "pandas", "scipy", "pydantic", "matplotlib", "sklearn", "tensorflow", "keras"}


@pytest.mark.alone
def test_help_comes_at_once():
    def seconds() -> float:
        begin = time.perf_counter()
        subprocess.run([sys.executable, "-m", "harness", "--help"], capture_output=True, check=True)
        return time.perf_counter() - begin

    assert any(seconds() < 0.4 for _ in range(20))  # others may be at work on this machine


# --- errors --------------------------------------------------------------------------------------------------------


def assert_two_lines(err: str, what: str, advice: str) -> None:
    """One line of what happened, one of what to do; no traceback."""
    lines = err.splitlines()
    assert len(lines) == 2, err
    assert lines[0].startswith("harness: ")
    assert what in lines[0]
    assert lines[1].startswith("         ")
    assert advice in lines[1]


@pytest.mark.parametrize(
    ("words", "what", "advice"),
    [
        (["run", "cifar"], "no built-in experiment 'cifar'", "mnist, digits"),
        (["build", "cifar"], "no built-in experiment 'cifar'", "mnist, digits"),
        (["run", "digits", "-v", "int4"], "no variant matches 'int4'", "int8"),
        (["build", "digits", "-v", "int4"], "no variant matches 'int4'", "int8"),
        (["run", "digits", "--runtime", "tensorrt"], "no runtime 'tensorrt'", "ai-edge-litert"),
        (["run", "digits", "--plan", "fast"], "no plan 'fast'", "quick"),
        (["run", "digits", "--min-s", "inf"], "finite", "0 or more"),
        (["run", "digits", "-t", "pi-*"], "no target 'pi-*'", "host"),
        (["run", "digits", "--data", "x.npz"], "takes no data", "--data"),
        (["run", "--data", "x.npz"], "x.npz does not exist", "--data"),
        (["run", "--resume", "nothing"], "no run 'nothing'", "harness list"),
        (["run", "digits", "--reference", "nothing"], "--reference without --policy", "add --policy"),
        (["run", "digits", "--policy", "p.toml", "--reference", "nothing"], "no run 'nothing'", "harness list"),
        (["run", "digits", "--setup"], "none of the targets is behind ssh: host", "-t"),
        (["run", "digits", "--plan", "none", "--rounds", "2"], "plan none times nothing, so rounds", "standard"),
        (["run", "digits", "--plan", "none", "--min-s", "1", "--min-runs", "9"], "min_runs and min_s", "quick"),
        (["run", "digits", "--min-runs", "30000"], "min_runs is 30,000", "20,000 or fewer"),
        (["run", "digits", "--resume", "a", "-v", "int8"], "cannot be used with variant, experiment", "a new run"),
        (["report", "latest"], "no run 'latest'", "harness list"),
        (["show", "nothing", "--sample", "0"], "no run 'nothing'", "harness list"),
    ],
)
def test_a_word_that_names_nothing_exits_2_in_two_lines(harness, words, what, advice):
    code, out, err = harness(*words)
    assert (code, out) == (2, "")
    assert_two_lines(err, what, advice)


@pytest.mark.parametrize("words", [["dance"], ["run", "--dance"], ["run", "--rounds", "-1"]])
def test_a_command_line_that_is_wrong_exits_2_and_shows_no_traceback(harness, words):
    code, out, err = harness(*words)
    assert (code, out) == (2, "")
    assert err
    assert "Traceback" not in err


def test_a_broken_target_file_is_two_lines_with_file_and_key(harness, tmp_path):
    (tmp_path / "targets").mkdir()
    (tmp_path / "targets" / "pi.toml").write_text('kind = "serial"')
    code, _, err = harness("targets")
    assert code == 2
    assert_two_lines(err, "targets/pi.toml:1: kind: 'serial' cannot be used", "write one of local, ssh, replay")


def test_a_run_of_unknown_date_is_listed_all_the_same(harness, tmp_path):
    path = store_a_run(tmp_path / "results")
    content = json.loads((path / "run.json").read_text())
    del content["provenance"]
    (path / "run.json").write_text(json.dumps(content))
    code, out, _ = harness("list")
    assert code == 0 and RUN_ID in out and "unknown" in out


def test_a_damaged_run_is_two_lines(harness, tmp_path):
    path = store_a_run(tmp_path / "results")
    (path / "run.json").write_text('{"schema_version": 1, "run_id": 3}')
    code, _, err = harness("report", RUN_ID)
    assert code == 2
    assert_two_lines(err, "run.json cannot be read", "run's folder")
    code, _, err = harness("list")  # one damaged run does not hide the others
    assert code == 0
    assert "run.json cannot be read" in err


def test_a_report_format_that_is_not_there_is_refused(harness, tmp_path):
    store_a_run(tmp_path / "results")
    code, _, err = harness("report", "latest", "--format", "pdf")
    assert code == 2
    assert_two_lines(err, "pdf", "html")


def test_a_sample_outside_the_test_set_is_refused(harness, tmp_path):
    store_a_run(tmp_path / "results")
    code, _, err = harness("show", "latest", "--sample", "20")
    assert code == 2
    assert_two_lines(err, "no sample 20", "0 to 19")


@pytest.mark.parametrize(
    "words", [("init", "taken"), ("report", RUN_ID, "--out", "taken"), ("build", "digits", "--out", "taken")]
)
def test_a_file_in_the_place_of_a_folder_is_no_fault_of_the_harness(harness, monkeypatch, words):
    store_a_run(Path("results"))
    Path("taken").write_text("mine\n")
    monkeypatch.setattr(building, "build", lambda *_: None)
    code, out, err = harness(*words)
    assert (code, out, Path("taken").read_text()) == (2, "", "mine\n")
    assert err == "harness: taken: File exists\n         give another place, or fix that one\n"


def test_a_device_that_is_held_exits_3(harness, monkeypatch):
    def run(*_: object) -> None:
        raise TargetBusy("host is held by someone", "wait until that run is over")

    monkeypatch.setattr(pipeline, "run", run)
    code, _, err = harness("run", "digits")
    assert code == 3
    assert err.splitlines()[-2:] == ["harness: host is held by someone", "         wait until that run is over"]


def test_an_interrupt_exits_130_without_a_traceback(harness, monkeypatch):
    def run(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(pipeline, "run", run)
    code, out, err = harness("run", "digits")
    assert (code, out) == (130, "")
    assert "Traceback" not in err
    assert "Nothing was measured yet. Run the same command again: it reuses what was already built." in err


def test_debug_adds_the_traceback_of_an_error(harness):
    code, _, err = harness("--debug", "run", "cifar")
    assert code == 2
    assert err.startswith("Traceback")
    assert "ConfigError" in err
    assert "in experiment" in err  # the function that raised it
    assert "harness: there is no built-in experiment 'cifar'" in err


def test_debug_shows_where_a_fault_of_the_harness_is(harness, monkeypatch):
    def of_all_things() -> None:
        raise ZeroDivisionError("by zero\nof all things")

    monkeypatch.setattr(pipeline, "run", lambda *_: of_all_things())
    code, _, err = harness("run", "digits")
    assert code == 4  # never 1, which a workflow takes for a verdict
    assert_two_lines(err, "unexpected ZeroDivisionError: by zero of all things", "--debug")
    assert "in of_all_things" in harness("run", "digits", "--debug")[2]


# --- run -----------------------------------------------------------------------------------------------------------


def test_run_asks_for_what_the_user_typed(harness, asked):
    words = "run digits -v int8* -v float32 --runtime tflite-runtime --threads 4 --threads 1 --plan quick --rounds 7"
    assert harness(*words.split(), "--min-s", "0.5", "--min-runs", "9", "--warmup-s", "0")[0] == 0
    (request,) = asked
    assert request.experiment.variants == ("float32", "int8", "int8_float_io")
    assert (request.runtimes, request.threads) == (("tflite-runtime",), (1, 4))
    assert [t.name for t in request.targets] == ["host"]
    plan = request.experiment.plan
    assert (plan.profile, plan.rounds, plan.min_s, plan.min_runs, plan.warmup_s) == ("quick", 7, 0.5, 9, 0)
    assert not plan.until_decided


def test_run_asks_until_decided(harness, asked):
    assert harness("run", "digits", "--plan", "none", "--until-decided")[0] == 0
    assert asked[0].experiment.plan.until_decided


def test_run_without_words_is_mnist_on_the_host_by_the_standard_plan(harness, asked):
    harness("run")
    (request,) = asked
    assert (request.experiment.name, request.experiment.plan.profile) == ("mnist", "standard")
    assert ([t.name for t in request.targets], request.runtimes, request.threads) == (["host"], (), ())


def test_run_takes_devices_from_a_folder(harness, asked, tmp_path):
    (tmp_path / "devices").mkdir()
    for name in ("pi-4", "pi-5"):
        (tmp_path / "devices" / f"{name}.toml").write_text('kind = "local"')
    harness("run", "digits", "-t", "pi-*", "-t", "host", "--targets-dir", "devices")
    assert [t.name for t in asked[0].targets] == ["pi-4", "pi-5", "host"]


@pytest.mark.parametrize(
    ("made", "code"),
    [
        ({}, 0),
        ({"environment": replace(ENVIRONMENT, python="3.13.0", runtimes={LITERT: "2.3.0"})}, 0),  # unsupported
        ({"environment": replace(ENVIRONMENT, runtimes={LITERT: "2.3.0"})}, 1),  # failed
        ({"planned": 1}, 1),  # invalid
        ({"shards": [shard(case(r), np.roll(scores(), 1, axis=1)) for r in ("float32", "int8")]}, 1),  # suspect
    ],
)
def test_run_exits_1_where_a_row_that_could_be_did_not_end_ok(harness, monkeypatch, made, code):
    of = [case("float32"), case("int8")]
    if "environment" in made:
        of.append(case(runtime="tflite-runtime"))
    monkeypatch.setattr(pipeline, "run", lambda *given: concluded(comparison(of, **made), given[4]))
    assert harness("run", "digits")[0] == code


def test_run_prints_one_table_and_where_the_report_is(harness, asked):
    _, out, _ = harness("run", "digits")
    assert out.splitlines()[0].startswith("made on host, quick plan, 40 samples")
    assert out.count("Variant") == 1
    assert out.splitlines()[-1] == "report: results/made/20260101-000000-0000/report.html"
    assert "\x1b" not in out


def test_run_prints_nothing_but_json_where_that_was_asked(harness, asked):
    _, out, _ = harness("run", "digits", "--json")
    rows = json.loads(out)
    assert [(row["variant"], row["status"], row["accuracy"]) for row in rows] == [
        ("float32", "ok", 1.0),
        ("int8", "ok", 1.0),
    ]


def test_the_reference_of_a_run_is_looked_up_before_it(harness, asked, monkeypatch, tmp_path):
    """So `latest` is not the run itself."""
    before = store_a_run(tmp_path / "results", finished=True)
    (tmp_path / "policy.toml").write_text('[[rule]]\nmetric = "accuracy_drop"\nmax = "1 pp"\n')
    given = []

    def verdict_of(candidate, rules, references, *_, **__):
        given.extend(references)
        raise TargetBusy("far enough")

    monkeypatch.setattr("harness.gate.run_gate.verdict_of", verdict_of)
    monkeypatch.setattr("harness.gate.run_gate.check_judgeable", lambda run: None)
    code, _, err = harness("run", "digits", "--policy", "policy.toml", "--reference", "latest")
    assert (code, len(asked)) == (3, 1), err
    assert [Path(path).resolve() for path in given] == [before.resolve()]


def test_names_that_look_like_markup_are_printed_as_they_are(harness, monkeypatch, tmp_path):
    made = comparison()
    made = replace(made, run=replace(made.run, experiment="doors[/b]", path=tmp_path / "r[/b]" / "made"))
    monkeypatch.setattr(pipeline, "run", lambda *given: concluded(made, given[4]))
    code, out, _ = harness("run", "digits", "--results", "r[/b]")
    assert code == 0
    assert out.startswith("doors[/b] on host")
    assert out.splitlines()[-1] == f"report: {tmp_path}/r[/b]/made/report.html"


# --- without MNIST -------------------------------------------------------------------------------------------------


def test_run_without_mnist_says_how_to_get_it_and_names_digits(harness):
    code, out, err = harness("run")
    assert (code, out) == (2, "")
    assert_two_lines(err, "MNIST is not on this machine and could not be downloaded", "HARNESS_MNIST=PATH")
    assert "--data PATH" in err
    assert "harness run digits" in err


def test_run_without_a_network_is_two_lines_too(tmp_path):
    """In a process of its own, where Keras' download fails for real."""
    (tmp_path / "keras.py").write_text("raise OSError('no network here')")
    environment = os.environ | {"PYTHONPATH": str(tmp_path), "KERAS_HOME": str(tmp_path / "home")}
    done = subprocess.run(
        [sys.executable, "-m", "harness", "run"], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert_two_lines(done.stderr, "no network here", "harness run digits")


def test_scripts_run_goes_on_with_digits_and_says_so(harness, asked):
    code, _, err = harness("run", "--digits-if-no-mnist")
    assert code == 0
    assert asked[0].experiment.name == "digits"
    assert "MNIST is not available on this machine, so this run uses `digits`" in err


def test_who_asks_for_mnist_never_gets_digits(harness, asked):
    harness("run", "mnist", "--digits-if-no-mnist")
    assert asked[0].experiment.name == "mnist"


def test_broken_data_are_an_error_not_a_reason_for_digits(harness, asked, tmp_path):
    (tmp_path / "mnist.npz").write_bytes(b"not an archive")
    code, _, err = harness("run", "--digits-if-no-mnist", "--data", "mnist.npz")
    assert (code, asked) == (2, [])
    assert_two_lines(err, "mnist.npz is not an .npz", "--data")


# --- build ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def built(monkeypatch):
    """Two variants as `build` would make them, the second failed."""
    sound = Variant(
        "int8", "int8", Path(__file__).parent / "models" / "int8.tflite", "a" * 64, 9152,
        (Tensor("x", "int8", (1, 28, 28), 1 / 255, -128),), (Tensor("y", "int8", (1, 10), 1 / 256, -128),),
    )  # fmt: skip
    failed = Variant("int16x8", "int16x8", status="failed", reason="conversion failed: no kernel")
    rows = [sound, failed]

    def build(*_: object) -> building.Built:
        return building.Built("", (), tuple(rows), (), digits.load())

    monkeypatch.setattr(building, "build", build)
    return rows


def test_build_exits_1_where_a_variant_was_not_built_and_says_why(harness, built):
    code, out, _ = harness("build", "digits")
    assert code == 1
    assert re.search(r"int8 +ok +9\.2 +int8 +int8", out)
    assert re.search(r"int16x8 +failed +conversion failed: no kernel", out)
    built[1] = replace(built[1], status="unsupported", reason="none of its weight tensors is large")
    code, out, _ = harness("build", "digits")
    assert code == 0  # no such variant can exist of this model
    assert re.search(r"int16x8 +unsupported +none of its weight tensors is large", out)
    built.pop()
    assert harness("build", "digits")[0] == 0


def test_build_copies_what_was_built(harness, built, tmp_path):
    harness("build", "digits", "--out", "some/where")
    assert [path.name for path in (tmp_path / "some" / "where").iterdir()] == ["int8.tflite"]
    assert (tmp_path / "some" / "where" / "int8.tflite").read_bytes() == built[0].path.read_bytes()


def test_build_as_json(harness, built):
    _, out, _ = harness("build", "digits", "--json")
    rows = {row["name"]: row for row in json.loads(out)}
    assert (rows["int8"]["size_bytes"], rows["int8"]["sha256"]) == (9152, "a" * 64)
    assert (rows["int16x8"]["path"], rows["int16x8"]["status"]) == (None, "failed")


# --- stored runs ---------------------------------------------------------------------------------------------------


def test_list_without_runs_says_so_on_stderr(harness):
    code, out, err = harness("list")
    assert (code, out) == (0, "")
    assert err == "no runs in results yet; `harness run` makes one\n"


def test_list_shows_the_newest_first_and_what_is_unfinished(harness, tmp_path):
    store_a_run(tmp_path / "results", "20260101-120000-0001", finished=True)
    store_a_run(tmp_path / "results", "20260102-120000-0002")
    code, out, _ = harness("list")
    assert code == 0
    rows = re.findall(r"(2026010\S+) +digits +quick +host +\S+ \S+ +(\w+)", out)
    assert rows == [("20260102-120000-0002", "unfinished"), ("20260101-120000-0001", "finished")]
    assert "harness run --resume" in out


def test_list_as_json(harness, tmp_path):
    store_a_run(tmp_path / "elsewhere")
    _, out, _ = harness("list", "--results", "elsewhere", "--json")
    ((row),) = json.loads(out)
    assert (row["run_id"], row["experiment"], row["finished"], row["targets"]) == (RUN_ID, "digits", False, ["host"])
    assert json.loads(harness("list", "--json")[1]) == []


@pytest.mark.parametrize("reference", ["latest", RUN_ID, f"results/digits/{RUN_ID}"])
def test_a_run_is_found_by_each_of_its_names(harness, tmp_path, reference):
    store_a_run(tmp_path / "results")
    code, out, _ = harness("report", reference, "--format", "csv")
    assert code == 0
    header, row = out.splitlines()
    assert dict(zip(header.split(","), row.split(","), strict=True))["run_id"] == RUN_ID


def test_report_writes_every_file_of_a_run_in_which_nothing_was_measured(harness, tmp_path):
    path = store_a_run(tmp_path / "results")
    code, out, _ = harness("report", "latest")
    assert (code, out) == (0, f"{Path('results') / path.relative_to(tmp_path / 'results')}/report.html\n")
    files = {"report.html", "report.md", "summary.csv", "metrics.csv", "latency.parquet", "samples.parquet"}
    assert files <= {file.name for file in path.iterdir()}


def test_report_goes_where_the_user_says(harness, tmp_path):
    store_a_run(tmp_path / "results")
    code, out, _ = harness("report", "latest", "--format", "markdown", "--out", "here/report.md")
    assert (code, out) == (0, "here/report.md\n")
    assert (tmp_path / "here" / "report.md").read_text() == harness("report", "latest", "--format", "markdown")[1]


def test_show_draws_a_sample_and_says_where(harness, tmp_path):
    path = store_a_run(tmp_path / "results")
    code, out, _ = harness("show", "latest", "--sample", "3")
    assert code == 0
    label = np.load(path / "test" / "labels.npy")[3]
    assert re.search(rf"label\D*{label}\b", out)
    picture = path / "plots" / "sample-3.svg"
    assert out.splitlines()[-1].endswith("plots/sample-3.svg")
    assert picture.read_text().startswith("<svg ") and "data:image/png;base64," in picture.read_text()


def test_a_picture_has_a_name_that_says_what_it_is(harness, tmp_path):
    store_a_run(tmp_path / "results")
    code, _, err = harness("show", "latest", "--sample", "3", "--out", "three.png")
    assert (code, "is an SVG" in err, (tmp_path / "three.png").exists()) == (2, True, False)


def show_of_classes(harness, monkeypatch, *words):
    """What `show` prints of a made run of 200 samples, in which int8 flips some."""
    from harness.api import entry
    from harness.api.stored_run import Run
    from harness.gate import run_gate
    from tests import made_tasks

    run = Run(made_tasks.classes(samples=200), Store(Path("results")))
    monkeypatch.setattr(entry, "load", lambda *given, **named: run)
    monkeypatch.setattr(run_gate, "tell_unsealed", lambda stored, say: None)
    return run, harness("show", "latest", *words)


def test_show_lists_flips_and_says_what_was_cut(harness, monkeypatch):
    run, (code, out, _) = show_of_classes(harness, monkeypatch, "--flips", "--worst", "1")
    row = run.comparison.samples[case("int8")]
    flips, lost = int(row["flip"].sum()), int((row["flip_kind"] == 1).sum())
    assert code == 0 and flips > lost >= 1
    assert f"1 of {flips}; --worst {flips} shows all" in out
    assert out.splitlines()[0].split()[0] == "Sample" and len(re.findall(r" lost +1 of 2$", out, re.M)) == 1
    first = re.search(r"^ *(\d+) ", out.splitlines()[2])
    assert first and out.splitlines()[-1] == f"next: harness show latest --sample {first[1]}"


def test_show_of_a_class_is_of_that_class(harness, monkeypatch):
    run, (code, out, _) = show_of_classes(harness, monkeypatch, "--class", "2", "--worst", "999", "--json")
    told = json.loads(out)
    assert code == 0 and {row["label"] for row in told["samples"]} == {2}
    assert told["total"] == len(told["samples"]) == int((run.stored.labels == 2).sum())


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ((), "it is not said which samples to show"),
        (("--sample", "1", "--flips"), "--sample shows one sample"),
        (("--flips", "--out", "x.svg"), "--out is the picture of one sample"),
        (("--by", "eror"), "--by eror is no order"),
    ],
)
def test_show_is_told_plainly_what_to_show(harness, words, what):
    code, _, err = harness("show", "latest", *words)
    assert code == 2 and what in err


def test_targets_are_told_as_a_table_or_json(harness, tmp_path):
    (tmp_path / "targets").mkdir()
    (tmp_path / "targets" / "pi-4.toml").write_text('kind = "ssh"\nhost = "pi.local"\nthreads = [1, 4]')
    assert re.search(r"pi-4 +ssh +pi\.local +.* +1, 4", harness("targets")[1])
    told = json.loads(harness("targets", "--json")[1])
    assert [(t["name"], t["kind"], t["threads"]) for t in told] == [("host", "local", [1]), ("pi-4", "ssh", [1, 4])]


def test_show_as_json_says_what_the_picture_and_the_table_say(harness, tmp_path):
    path = store_a_run(tmp_path / "results")
    code, out, _ = harness("show", "latest", "--sample", "3", "--json")
    told = json.loads(out)
    label = int(np.load(path / "test" / "labels.npy")[3])
    assert (code, told["run_id"], told["index"], told["label"]) == (0, RUN_ID, 3, label)
    (keras,) = told["answers"]  # nothing was measured
    assert (keras["variant"], keras["prediction"], keras["correct"], keras["case"]) == ("Keras", label, True, None)
    assert Path(told["picture"]).read_text().startswith("<svg ")


def test_a_score_that_is_not_finite_is_null(harness, tmp_path):
    path = store_a_run(tmp_path / "results")
    baseline = np.load(path / "baseline.npy")
    baseline[3] = np.nan
    (path / "baseline.npy").unlink()
    np.save(path / "baseline.npy", baseline)
    out = harness("show", RUN_ID, "--sample", "3", "--json")[1]
    assert "NaN" not in out
    assert json.loads(out)["answers"][0]["score"] is None


def test_targets_that_look_like_markup_are_printed_as_they_are(harness, tmp_path):
    (tmp_path / "targets").mkdir()
    text = 'kind = "ssh"\nhost = "[::1]"\nlabels = ["[/a]", "[red]", ":warning:"]'
    (tmp_path / "targets" / "pi [lab].toml").write_text(text)
    code, out, _ = harness("targets")
    assert code == 0
    (row,) = (line for line in out.splitlines() if line.startswith("pi"))
    assert "pi [lab]" in row and "[::1]" in row and "[/a], [red], :warning:" in row


# --- the width of a terminal ---------------------------------------------------------------------------------------


def printed(table, width: int) -> str:
    console = Console(width=width, file=(out := io.StringIO()), highlight=False)
    console.print(table)
    return out.getvalue()


def wide_comparison(threads=(1,), environment=ENVIRONMENT):
    """Six variants on two runtimes, with figures as long as they get."""
    cases = [case(v, r, t) for v in VARIANTS for r in (LITERT, "tflite-runtime") for t in threads]
    baseline = scores(2000)
    rounds = [
        timed(c, n, [int(x) for x in np.random.default_rng(n).normal(98_000_000 / c.threads, 9_000_000, 400)])
        for c in cases
        for n in range(6)
    ]
    shards = [shard(c, scores(2000, noise=0.3)) for c in cases if c.threads == threads[0]]
    sizes = [Variant(v, v, Path("x"), "", 123_456_789) for v in VARIANTS]
    fields = {"shards": shards, "rounds": rounds, "planned": 6, "variants": sizes, "environment": environment}
    return compare(made_runs.run(cases, labels=baseline.argmax(axis=1), baseline=baseline, **fields))


WITHOUT_TFLITE = replace(ENVIRONMENT, python="3.13.0", runtimes={LITERT: "2.3.0"})


@pytest.mark.parametrize("width", [80, 100, 160])
@pytest.mark.parametrize(
    ("threads", "environment"), [((1,), ENVIRONMENT), ((1, 4), ENVIRONMENT), ((1,), WITHOUT_TFLITE)]
)
def test_the_summary_fits_and_cuts_no_value(width, threads, environment):
    compared = wide_comparison(threads, environment)
    console = Console(width=width, file=io.StringIO(), highlight=False)
    (table,) = summary_tables(compared, console)
    text = printed(table, width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    (summary,) = tables(Material(compared))
    shown = {str(column.header).splitlines()[0] for column in table.columns}
    columns = [n for n, heading in enumerate(summary.headings) if heading.title in shown]
    assert len(columns) == len(table.columns)
    lines = iter(text.splitlines())
    for row in summary.lines:
        values = [row.cells[n].text for n in columns]
        pattern = r"\s+".join(map(re.escape, values)) + r"\s*"
        assert any(re.fullmatch(r"\s*" + pattern, line) for line in lines), values


def shown_at(width: int, compared) -> list[str]:
    console = Console(width=width, file=io.StringIO())
    (table,) = summary_tables(compared, console)
    return [str(column.header).splitlines()[0] for column in table.columns]


def test_columns_leave_in_their_declared_order_and_the_question_stays():
    compared = wide_comparison()
    kept = [shown_at(width, compared) for width in range(200, 59, -1)]
    everything = [heading.title for heading in tables(Material(compared))[0].headings]
    assert kept[0] == everything
    left = [title for before, after in pairwise(kept) for title in before if title not in after]
    order = ["Peak RSS", "Model RSS", "p90", "Flips", "Status", "Size", "Speed-up", "p50", "Accuracy"]
    assert left == order[: len(left)]
    assert len(left) > 5
    assert {"Variant", "Runtime", "Drop"} <= set(kept[-1])


def test_status_stays_where_a_row_is_not_ok_and_the_reason_stands_below():
    compared = wide_comparison(environment=WITHOUT_TFLITE)
    assert "Status" in shown_at(80, compared)
    (table,) = summary_tables(compared, Console(width=80))
    words = " ".join(printed(table, 80).split())
    assert "int8 on tflite-runtime unsupported: there is no tflite-runtime for Python 3.13.0" in words


def test_a_run_as_usual_shows_accuracy_drop_latency_and_speed_up_at_80():
    """The figures of digits or MNIST on a host."""
    cases = [case(v, r) for v in VARIANTS for r in (LITERT, "tflite-runtime")]
    rounds = [timed(c, n, [4000 + n * 10] * 50) for c in cases for n in range(6)]
    compared = comparison(cases, rounds=rounds, planned=6)
    assert shown_at(80, compared) == ["Variant", "Runtime", "Accuracy", "Drop", "p50", "Speed-up"]


@pytest.mark.parametrize("width", [80, 100, 160])
def test_the_other_tables_fit_too(width, built, tmp_path):
    store_a_run(tmp_path / "results")
    headers = [replace(Store(tmp_path / "results").reopen(RUN_ID).header, plan=Plan("standard", 10, 50, 0.5))]
    devices = [Target("host"), Target("raspberry-pi-4", "ssh", "raspberrypi.local", threads=(1, 4), labels=("pi4",))]
    for table in (runs_table(headers), variants_table(built), targets_table(devices)):
        text = printed(table, width)
        assert max(map(len, text.splitlines())) <= width
        assert "…" not in text
        assert "ai-edge-litert" in text or table.columns[0].header != "Target"
    assert f"{RUN_ID}  digits      standard  host" in printed(runs_table(headers), width)


@pytest.mark.parametrize("width", [56, 80, 100])
def test_a_run_id_is_never_cut(width, tmp_path):
    store_a_run(tmp_path / "results")
    header = Store(tmp_path / "results").reopen(RUN_ID).header
    devices = tuple(TargetRecord(Target(name)) for name in ("raspberry-pi-4-in-the-lab", "raspberry-pi-5-on-a-desk"))
    long = replace(header, experiment="keyword-spotting-depthwise-separable", targets=devices)
    plan, origin = replace(header.plan, accuracy=False), replace(header.provenance, candidate="20260101-120000-aaaa")
    text = printed(runs_table([long, header, replace(long, plan=plan, provenance=origin)]), width)
    assert max(map(len, text.splitlines())) <= width
    assert (text.count(RUN_ID), text.count("20260101-120000-aaaa")) == (3, 1)
    assert "…" not in text


def test_a_unit_that_looks_like_markup_is_a_heading():
    (summary,) = tables(Material(comparison()))
    headings = tuple(replace(h, unit="[/px]") if h.title == "Accuracy" else h for h in summary.headings)
    text = printed(summary_table(replace(summary, headings=headings), "pi [lab], [/b]", (), ()), 160)
    assert text.splitlines()[0].rstrip() == "pi [lab], [/b]"
    assert "[/px]" in text
