"""What a metric of the user's own asks for by the names of its parameters."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import f1_score, roc_auc_score

from harness.compare.baseline import compare
from harness.errors import ConfigError
from harness.gate.decide import judge
from harness.gate.policy import read_policy
from harness.metrics import asked
from harness.metrics.asked import Asked, Rows, asked_by, given
from harness.metrics.fitting import check
from harness.records import Affine, Comparison, Dataset, Run, Scoring
from tests.made_runs import case
from tests.made_tasks import run_of

OWN = """
import numpy as np

def error_auc(labels, outputs, inputs):  # by ranks: scikit-learn's takes minutes on all resamples
    order = np.argsort(np.square(outputs - inputs).mean(axis=1), kind="stable")
    ranks, bad = np.arange(1, len(order) + 1), labels[order] == 1
    count = bad.sum()
    return float((ranks[bad].sum() - count * (count + 1) / 2) / (count * (len(order) - count)))

def worst_pixel(inputs, outputs):
    return np.abs(outputs - inputs).max(axis=1)

def first_of(all_outputs):
    return next(iter(all_outputs.values()))[:, 0]

def by_name(labels, inputs, all_outputs):
    return np.abs(inputs["left"] - inputs["right"])[:, 0] + all_outputs["out"][:, 0]

def strange(outputs, y):
    return 0.0

def spoils(labels, outputs, inputs):
    inputs[:] = 0
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("asked")
    (path / "asked_metrics.py").write_text(OWN)
    return path


def scoring_of(folder: Path, *names: str, labels: np.ndarray | None = None) -> Scoring:
    primary, *others = (f"asked_metrics:{name}" for name in names)
    x = np.zeros((4, 2), np.float32)
    data = Dataset("d", (), None, (x,), np.array([0, 1, 0, 1]), (Affine(),), (), "")
    return check(Scoring(primary, tuple(others), folder=folder), data, [x])[0]


# --- names ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "wanted"),
    [
        (lambda labels, outputs: 0, Asked((), ("labels", "outputs"))),
        (lambda outputs, labels: 0, Asked((), ("outputs", "labels"))),
        (lambda y, p: 0, Asked()),
        (lambda y, p, weight=1: 0, Asked()),
        (lambda y, p, inputs: 0, Asked(("labels", "outputs"), ("inputs",))),
        (lambda labels, p, *, all_outputs=None: 0, Asked(("labels", "outputs"), ("all_outputs",))),
        (lambda labels, outputs, inputs, all_outputs: 0, Asked((), ("labels", "outputs", "inputs", "all_outputs"))),
        (lambda inputs: 0, Asked((), ("inputs",))),
        (lambda *both: 0, Asked()),
        (f1_score, Asked()),  # whose option `labels` is something else
        (np.dot, Asked()),
    ],
)
def test_what_is_asked_for_is_read_off_the_parameters(function, wanted):
    assert asked_by(function, "f") == wanted


@pytest.mark.parametrize(
    "function", [lambda y: 0, lambda outputs, y: 0, lambda y, p, weight: 0, lambda inputs, y: 0, lambda y, p, x: 0]
)
def test_what_is_not_known_is_refused_before_anything_is_measured(function):
    with pytest.raises(ConfigError, match="asks for") as raised:
        asked_by(function, "my:metric")
    assert "labels, outputs, inputs, all_outputs" in raised.value.advice


def test_each_gets_what_it_asks_for():
    labels, rows = np.arange(3), Rows(np.ones(3), {"inputs": np.zeros(3)})
    take = lambda y, p, inputs: (y, p, inputs)  # noqa: E731
    assert given(take, asked_by(take, ""))(labels, rows) == (labels, rows.outputs, rows.further["inputs"])


def test_a_metric_that_asks_for_something_else_stops_the_run(folder):
    with pytest.raises(ConfigError, match="asked_metrics:strange asks for outputs, y"):
        scoring_of(folder, "strange")


# --- in a run ------------------------------------------------------------------------------------------------------


def anomalies(folder: Path, *names: str) -> Run:
    """Stored bytes, which the model takes as 0 to 1, and what it makes of them: worse of anomalies, and in int8."""
    rng = np.random.default_rng(1)
    stored, labels = rng.integers(0, 256, (300, 8), dtype=np.uint8), rng.integers(0, 2, 300)
    x = (stored / 255).astype(np.float32)
    keras = (x + (0.05 + 0.02 * labels[:, None]) * rng.normal(size=x.shape)).astype(np.float32)
    given_by = {"float32": keras, "int8": np.round(keras * 32) / 32}
    run = run_of("custom", labels, keras, given_by, scoring_of(folder, *names), (stored,))
    return replace(run, affines=(Affine(1 / 255),), output_names=("reconstruction",), path=folder)


@pytest.fixture(scope="module")
def compared(folder) -> Comparison:
    return compare(anomalies(folder, "error_auc", "worst_pixel", "first_of", "spoils"))


def test_a_reconstruction_is_judged_by_its_inputs_as_the_model_takes_them(compared):
    run, row = compared.run, compared.change(case("int8"), "error_auc")
    x = run.inputs[0] / 255
    for value, output in ((row.value, compared.outputs[case("int8")][0]), (row.baseline, run.baseline[0])):
        assert value == pytest.approx(roc_auc_score(run.labels, np.square(output - x).mean(axis=1)), abs=1e-6)
    assert row.low < row.value < row.high
    change = compared.change(case("int8"), "error_auc_change")
    assert change.low < change.value < change.high


def test_resamples_pick_inputs_and_outputs_alike(compared):
    assert compared.change(case("float32"), "error_auc_change").value == 0
    same = compared.change(case("float32"), "error_auc_change")
    assert same.low is None and "the same for every sample" in same.method  # so it says nothing of other samples
    worst = compared.change(case("int8"), "worst_pixel")
    wanted = np.abs(compared.outputs[case("int8")][0] - compared.run.inputs[0] / 255).max(axis=1).mean()
    assert worst.value == pytest.approx(wanted, rel=1e-6)


def test_every_output_is_given_by_name(compared):
    wanted = compared.outputs[case("int8")][0][:, 0].mean()
    assert compared.change(case("int8"), "first_of").value == pytest.approx(wanted, rel=1e-6)


def test_inputs_cannot_be_written_into(compared):
    row = compared.change(case("int8"), "spoils")
    assert row.value is None and "read-only" in row.method


def test_the_gate_judges_it_again(compared, folder):
    policy = folder / "policy.toml"
    policy.write_text(
        '[[rule]]\nmetric = "error_auc"\nmin = 0.2\n[[rule]]\nmetric = "worst_pixel"\nmin = 0.9\nvariant = "int8"\n'
        '[[rule]]\nmetric = "error_auc"\nmax_decrease = "20%"\nagainst = "float32"\n'
        '[[rule]]\nmetric = "error_auc"\nmax_decrease = "20%"\nagainst = "reference"\n'
    )
    verdict = judge(compared, read_policy(policy, compared.run.scoring), compared)
    assert [f.outcome for f in verdict.findings] == ["pass", "pass", "fail", "pass", *2 * ["inconclusive"]]  # itself


def test_several_inputs_come_by_name_and_an_older_run_says_that_it_has_none(folder):
    run = anomalies(folder, "by_name")
    left, right = run.inputs[0], run.inputs[0][::-1].copy()
    run = replace(run, inputs=(left, right), affines=(Affine(), Affine()), output_names=("out",))
    row = compare(replace(run, input_names=("left", "right"))).change(case("int8"), "by_name")
    output = compare(run).outputs[case("int8")][0][:, 0]
    assert row.value == pytest.approx((np.abs(left - right)[:, 0] + output).mean(), rel=1e-6)
    old = compare(run).change(case("int8"), "by_name")
    assert old.value is None and "stored before runs kept the names of several inputs" in old.method


def test_inputs_too_large_to_copy_are_not_resampled(folder, monkeypatch):
    monkeypatch.setattr(asked, "RESAMPLED_BYTES", 1000)
    comparison = compare(anomalies(folder, "error_auc", "worst_pixel"))
    row = comparison.change(case("int8"), "error_auc")
    assert row.value is not None and row.low is None and "return one value a sample" in row.method
    assert comparison.change(case("int8"), "worst_pixel").low is not None
