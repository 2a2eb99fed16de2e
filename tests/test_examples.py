"""The examples of docs/examples and the files of `harness init`, run as a reader would: they must do as they are.

What `harness init` writes for classification is run by test_tutorial.py.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import harness
from tests.pages import blocks

EXAMPLES = Path(__file__).parents[1] / "docs" / "examples"
QUANTISED = ("float16", "dynamic_range", "int8")
# example → the variants, the primary metric, and the worst value that the Keras model may have for the example to teach
EXPECTED = {
    "cnn": (("float32", *QUANTISED), "accuracy", 0.95),
    "tabular": (("float32", *QUANTISED), "mae", 60.0),
    "image-folder": (("float32", *QUANTISED), "accuracy", 0.85),
    "detection": (("float32", "dynamic_range", "int8"), "coco_map", 0.3),
    "imported-int8": (("float32", "vendor_int8"), "accuracy", 0.9),
    "segmentation": (("float32", "dynamic_range", "int8"), "mean_iou", 0.8),
    "two-inputs": (("float32", *QUANTISED), "accuracy", 0.9),
}

pytestmark = pytest.mark.slow

WAIT = ("--wait", "300")  # others may measure on this machine
ODD = {"image-folder": "nearly equal to another"}  # its pictures are patches of two photographs, which overlap


def called(folder: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "-1",
        "PYTHONPATH": str(Path(harness.__file__).parents[1]),
    }
    done = subprocess.run([sys.executable, *argv], cwd=folder, env=environment, capture_output=True, text=True)
    assert "Traceback" not in done.stderr, done.stderr
    return done


def summary(folder: Path, experiment: str) -> list[dict[str, str]]:
    with (folder / "results" / experiment / "latest" / "summary.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_example_is_run_by_a_test():
    assert {path.parent.name for path in EXAMPLES.glob("*/experiment.toml")} == {
        *EXPECTED,
        "heads",
        "anomaly",
        "keypoints",
    }


def test_the_state_of_a_stream_is_carried_through_its_clips(tmp_path):
    """docs/streaming.md, whose example is what `harness init` writes."""
    assert called(tmp_path, "-m", "harness", "init", "--task", "streaming").returncode == 0
    only = ("-v", "int8", "--runtime", "ai-edge-litert", "--plan", "none", *WAIT)
    done = called(tmp_path, "-m", "harness", "run", "experiment.toml", *only, "--policy", "policy.toml")
    assert done.returncode == 0 and done.stderr.count("remark") == 1, done.stdout + done.stderr
    assert "is carried inside 210 clips of 4 to 12 samples" in done.stderr
    (row,) = summary(tmp_path, "example")
    assert row["status"] == "ok" and float(row["primary_baseline"]) > 0.98 and float(row["accuracy"]) > 0.98


def test_an_autoencoder_is_judged_by_its_errors(tmp_path):
    """docs/anomaly.md. Nothing is prepared: the example's files are functions."""
    folder = shutil.copytree(EXAMPLES / "anomaly", tmp_path / "anomaly")
    only = ("-v", "int8", "--runtime", "ai-edge-litert", "--plan", "none", *WAIT)
    done = called(folder, "-m", "harness", "run", "experiment.toml", *only, "--policy", "policy.toml")
    assert done.returncode == 0 and "remark" not in done.stderr, done.stdout + done.stderr
    (row,) = summary(folder, "anomaly")
    assert (row["status"], row["primary_metric"]) == ("ok", "anomaly_auc")
    found, keras = float(row["primary_value"]), float(row["primary_baseline"])
    assert found == pytest.approx(keras, abs=0.01) and found > 0.95
    assert_shown("anomaly.md", [row])


def test_the_points_of_an_object_are_judged(tmp_path):
    """docs/keypoints.md. Nothing is prepared: the example's files are functions."""
    folder = shutil.copytree(EXAMPLES / "keypoints", tmp_path / "keypoints")
    only = ("-v", "int8", "--runtime", "ai-edge-litert", "--plan", "none", *WAIT)
    done = called(folder, "-m", "harness", "run", "experiment.toml", *only, "--policy", "policy.toml")
    assert done.returncode == 0 and "remark" not in done.stderr, done.stdout + done.stderr
    (row,) = summary(folder, "keypoints")
    assert (row["status"], row["primary_metric"]) == ("ok", "oks") and float(row["primary_value"]) > 0.6
    assert_shown("keypoints.md", [row])
    assert "Points: labels green circles" in (folder / "results" / "keypoints" / "latest" / "report.html").read_text()


def test_the_heads_of_a_model_are_judged_each_by_its_own_labels(tmp_path):
    """docs/heads.md: int8 loses one head alone. Nothing is prepared: the example's files are functions."""
    folder = shutil.copytree(EXAMPLES / "heads", tmp_path / "heads")
    only = ("-v", "int8", "--runtime", "ai-edge-litert", "--plan", "none", *WAIT)
    done = called(folder, "-m", "harness", "run", "experiment.toml", *only, "--policy", "policy.toml")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Output parity does not pass: fail (int8).\nOutput digit passes.\nOutput ink passes." in done.stdout
    (row,) = summary(folder, "heads")
    assert (row["status"], row["primary_metric"]) == ("suspect", "accuracy") and float(row["accuracy"]) > 0.9
    with (folder / "results" / "heads" / "latest" / "metrics.csv").open(newline="") as file:
        found = {(r["output"], r["metric"]): r for r in csv.DictReader(file)}
    assert float(found["parity", "accuracy"]["value"]) < 0.6 < 0.85 < float(found["parity", "accuracy"]["baseline"])
    assert ("ink", "mae") in found and ("ink", "accuracy") not in found


@pytest.fixture(scope="module", params=EXPECTED)
def example(request, tmp_path_factory):
    """Name and folder of an example that was prepared and run, accuracy alone."""
    folder = tmp_path_factory.mktemp(request.param) / request.param
    shutil.copytree(EXAMPLES / request.param, folder)
    assert called(folder, "prepare.py").returncode == 0
    done = called(folder, "-m", "harness", "run", "experiment.toml", "--plan", "none", *WAIT)
    assert done.returncode == 0, done.stdout + done.stderr
    return request.param, folder, done


def test_every_variant_ends_ok_on_every_runtime_that_there_is(example):
    name, folder, _ = example
    rows = summary(folder, name)
    assert {row["variant"] for row in rows} == set(EXPECTED[name][0])
    assert {row["status"] for row in rows} <= {"ok", "unsupported"}
    assert all(row["status"] == "ok" for row in rows if row["runtime"] == "ai-edge-litert")


def test_the_keras_model_is_worth_looking_at_and_float32_says_what_it_says(example):
    name, folder, _ = example
    _, primary, worst = EXPECTED[name]
    control = next(row for row in summary(folder, name) if row["variant"] == "float32")
    keras, float32 = float(control["primary_baseline"]), float(control["primary_value"])
    assert control["primary_metric"] == primary
    assert keras >= worst if primary in ("accuracy", "mean_iou", "coco_map") else keras <= worst
    assert float32 == pytest.approx(keras, rel=1e-3)


def test_its_page_shows_what_was_measured(example):
    name, folder, _ = example
    if name in ("segmentation", "detection"):
        assert_shown(f"{name}.md", summary(folder, name))


def test_nothing_else_about_its_data_is_odd(example):
    name, _, done = example
    remarks = [line for line in done.stderr.splitlines() if "remark" in line]
    assert [line for line in remarks if ODD.get(name, "\0") not in line] == []
    assert len(remarks) == (name in ODD)


def test_what_the_program_of_the_camera_does_otherwise_is_named_with_its_cost(example):
    name, folder, _ = example
    if name != "image-folder":
        return
    done = called(folder, "-m", "harness", "parity", "experiment.toml", "--json")
    told = json.loads(done.stdout)
    named = {each["step"]: each["device"] for each in told["differences"]}
    assert (done.returncode, named) == (1, {"resizing": "nearest pixel", "channels": "BGR"}), done.stderr
    cost, keras = told["cost"], float(summary(folder, name)[0]["primary_baseline"])
    assert cost["training"] == pytest.approx(keras, abs=0.01)  # as the harness itself reads the folder
    assert cost["low"] < cost["device"] - cost["training"] < cost["high"]


def test_the_report_is_written_and_the_run_can_be_judged(example):
    name, folder, _ = example
    assert (folder / "results" / name / "latest" / "report.html").stat().st_size > 10_000
    policy = ["--policy", "policy.toml"] if (folder / "policy.toml").exists() else []
    judged = called(folder, "-m", "harness", "gate", "latest", *policy)
    assert judged.returncode in (0, 1), judged.stderr  # small test sets may leave it inconclusive
    assert (folder / "results" / name / "latest" / "verdict.json").exists()


def assert_shown(page, rows):
    """What the page shows of a variant is what was measured, but for what training on another machine changes."""
    (table,) = [block.text for block in blocks() if block.page == page and block.first.startswith("Variant")]
    shown = {words[0]: words for line in table.splitlines() if (words := line.split())[1:2] == ["ai-edge-litert"]}
    of_one = 0.01 if "%" in table.strip().partition("\n")[0] else 1.0
    found = [row for row in rows if row["runtime"] == "ai-edge-litert" and row["variant"] in shown]
    assert found
    for row in found:
        _, _, status, value, *_, kilobytes = shown[row["variant"]]
        assert status == row["status"]
        assert float(value) * of_one == pytest.approx(float(row["primary_value"]), abs=0.04)
        assert float(kilobytes) == pytest.approx(float(row["size_bytes"]) / 1000, rel=0.02)


@pytest.mark.parametrize("task", ["frames", "embedding"])
def test_the_page_of_a_task_shows_what_its_starter_gives(tmp_path, task):
    """docs/frames.md, docs/embedding.md."""
    assert called(tmp_path, "-m", "harness", "init", "--task", task).returncode == 0
    only = ("-v", "int8", "--runtime", "ai-edge-litert", "--plan", "none", *WAIT)
    done = called(tmp_path, "-m", "harness", "run", "experiment.toml", *only)
    assert done.returncode == 0, done.stdout + done.stderr
    assert_shown(f"{task}.md", summary(tmp_path, "example"))


def test_what_harness_init_writes_for_another_task_runs_too(tmp_path):
    """Segmentation, and of its variants those that show most. What the files of every task say: test_starters.py."""
    assert called(tmp_path, "-m", "harness", "init", "--task", "segmentation").returncode == 0
    only = ("-v", "int8", "--runtime", "ai-edge-litert", "--plan", "none", *WAIT)
    done = called(tmp_path, "-m", "harness", "run", "experiment.toml", *only, "--policy", "policy.toml")
    assert done.returncode == 0 and "remark" not in done.stderr, done.stdout + done.stderr
    (row,) = summary(tmp_path, "example")
    assert (row["status"], row["primary_metric"]) == ("ok", "mean_iou") and float(row["primary_baseline"]) > 0.7


def test_the_texts_of_a_model_are_judged_by_jiwers_rates(tmp_path):
    """docs/transcription.md, whose example is what `harness init` writes."""
    assert called(tmp_path, "-m", "harness", "init", "--task", "transcription").returncode == 0
    only = ("-v", "int8", "--runtime", "ai-edge-litert", "--plan", "none", *WAIT)
    done = called(tmp_path, "-m", "harness", "run", "experiment.toml", *only, "--policy", "policy.toml")
    assert done.returncode == 0 and "remark" not in done.stderr, done.stdout + done.stderr
    (row,) = summary(tmp_path, "example")
    assert (row["status"], row["primary_metric"]) == ("ok", "wer") and float(row["primary_baseline"]) < 0.25
    assert_shown("transcription.md", [row])
    assert "True text" in (tmp_path / "results" / "example" / "latest" / "report.html").read_text("utf-8")


def test_harness_init_never_writes_over_a_file(tmp_path):
    (tmp_path / "policy.toml").write_text("mine\n")
    done = called(tmp_path, "-m", "harness", "init")
    assert (done.returncode, (tmp_path / "policy.toml").read_text()) == (2, "mine\n")
    assert "policy.toml already exists" in done.stderr
    assert not (tmp_path / "experiment.toml").exists()
