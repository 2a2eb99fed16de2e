"""harness explain on a real run of this machine: files are there already, so nothing is built."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import jsonschema
import numpy as np
import pytest

from harness.build.workloads import digits
from harness.cli.schemas import schema_of
from harness.diagnosis.graph import open_graph
from harness.diagnosis.stored_row import Asked, chosen
from harness.records import Case
from tests.conftest import Call
from tests.small_models import tflite
from tests.test_explain_row import edited, scaled_by_four, tensors_with_scales

TOML = """
name = "explained"
[data]
test = "test.npz"
scale = 0.00392156862745098
[variants]
baseline = "float32"
import = { float32 = "float32.tflite", good = "good.tflite", broken = "broken.tflite" }
"""


@pytest.fixture
def run(tmp_path: Path, own_lock: Path, harness: Call, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run of float32, a sound int8 file, and one whose hidden weights have four times their scale."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    data = digits.load()
    np.savez("test.npz", x=data.test_inputs[0][:300], y=np.asarray(data.test_labels)[:300])
    Path("float32.tflite").write_bytes(tflite("float32").read_bytes())
    Path("good.tflite").write_bytes(tflite("int8").read_bytes())
    edited(Path("broken.tflite"), scaled_by_four(hidden_weights()))
    Path("experiment.toml").write_text(TOML)
    code, _, said = harness("run", "experiment.toml", "--plan", "none", "--runtime", "ai-edge-litert")
    assert code in (0, 1), said
    return next(Path("results/explained").glob("2*"))


def hidden_weights() -> int:
    """The int8 constant of the hidden layer."""
    return max(index for index, name in tensors_with_scales() if name.startswith("tfl.pseudo_qconst"))


def test_of_several_rows_the_one_that_moved_most_is_chosen_and_those_that_are_preferred_first():
    flips = {"int8": [1, 1, 0], "int16x8": [1, 0, 0], "float16": [0, 0, 0]}
    cases = [Case(name, "host", "ai-edge-litert", 1) for name in flips]
    answered = {case: np.array([(flip,) for flip in flips[case.variant]], [("flip", bool)]) for case in cases}
    made = SimpleNamespace(cases=cases, run_id="r", accuracy_case=lambda case: case)
    comparison = cast(Any, SimpleNamespace(run=made, answered=answered))
    assert chosen(comparison, Asked()).variant == "int8"
    assert chosen(comparison, Asked(), lambda case: case.variant != "int8").variant == "int16x8"
    assert chosen(comparison, Asked(variant="int8"), lambda case: False).variant == "int8"


def test_a_row_is_explained_and_kept(run, harness):
    code, said, _ = harness("explain", "latest", "-v", "broken", "--json")
    found = json.loads(said)
    assert code == 0
    jsonschema.validate(found, schema_of("explain"))
    assert [cause["kind"] for cause in found["causes"]][:1] == ["other_weights"]
    assert "4 times" in found["causes"][0]["evidence"]
    kept = run / "explained" / "broken.host.ai-edge-litert.json"
    assert json.loads(kept.read_text()) == found
    with (run / "explained" / "broken.host.ai-edge-litert.layers.csv").open() as table:
        lines = list(csv.DictReader(table))
    assert [(line["tensor"], float(line["low"])) for line in lines] == [
        (layer["tensor"], min(layer["lows"])) for layer in found["layers"]
    ]
    page = (run / "explain.html").read_text()
    assert "The weights are not those of float32" in page and page.count("<svg") == 6  # for a page and for a phone

    code, said, _ = harness("explain", "latest", "-v", "good", "--model-explorer", "nodes.json")
    check_nodes(json.loads(Path("nodes.json").read_text()), run / "variants" / "good.tflite")
    assert code == 0 and "nothing was found that explains a drop" in said

    code, said, _ = harness("report", "latest")
    report = (run / "report.html").read_text()
    assert "Rows that were explained" in report and "good on host with ai-edge-litert" in report
    assert "nothing was found" in (run / "report.md").read_text()

    code, said, _ = harness("gate", "latest")
    assert code in (0, 1), "what is kept beside a run does not break its seal"


def check_nodes(data: dict[str, Any], file: Path) -> None:
    """The form of Model Explorer's node_data_builder: graph id → name, results by tensor names, thresholds."""
    (graph,) = data.values()
    names = {wire.name for wire in open_graph(file).wires}
    assert list(data) == ["main"] and {*graph} == {"name", "results", "thresholds"}
    assert graph["results"] and {*graph["results"]} <= names
    assert all(
        {*result} <= {"value", "bgColor", "textColor"} and 0 < result["value"] < 100
        for result in graph["results"].values()
    )
    assert all({*step} == {"value", "bgColor"} for step in graph["thresholds"])


def test_what_cannot_be_explained_says_why(run, harness):
    code, _, said = harness("explain", "latest", "-v", "int4")
    assert code == 2 and "no such row" in said and "good on host with ai-edge-litert" in said
    code, _, said = harness("explain", "latest", "--file", "nowhere.tflite")
    assert code == 2 and "nowhere.tflite" in said
    code, _, said = harness("explain", "latest", "--file", "test.npz")
    assert code == 2 and "test.npz is not a TFLite file" in said
    code, _, said = harness("explain", "latest", "-v", "good", "--file", "broken.tflite")
    assert code == 2 and "leave --variant out" in said


def test_a_file_that_is_not_in_the_run_is_told_by_itself(run, harness):
    """Its name is that of a variant, whose answers are not its own."""
    Path("other").mkdir()
    Path("other/good.tflite").write_bytes(Path("broken.tflite").read_bytes())
    code, said, _ = harness("explain", "latest", "--file", "other/good.tflite", "--json")
    found = json.loads(said)
    assert code == 0 and [cause["kind"] for cause in found["causes"]][:1] == ["other_weights"]
    assert not any("good" in gap["after"] for gap in found["gaps"])
