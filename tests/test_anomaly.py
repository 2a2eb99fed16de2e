"""Anomaly detection: the numbers are scikit-learn's of the errors of reconstruction, and nothing passes in silence."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from harness.build.scored import as_meant, of_labels
from harness.compare.baseline import compare
from harness.compare.numbers import number_sample
from harness.errors import ConfigError
from harness.gate.decide import judge
from harness.gate.policy.policy_file import parse_policy
from harness.metrics.discrepancy import fields_of
from harness.metrics.fitting import check
from harness.metrics.heads import adds_up
from harness.metrics.registry import METRICS
from harness.metrics.scoring import Scorer
from harness.records import Affine, Dataset, Run, Scoring
from tests.made_runs import case
from tests.made_tasks import run_of

RNG = np.random.default_rng(6)
SAMPLES, SHAPE, AFFINE = 800, (4, 4, 1), Affine(1 / 255, -0.5)
ASKED = Scoring("anomaly_auc", ("anomaly_pauc",))
LABELS = (RNG.random(SAMPLES) < 0.3).astype(np.int64)
PIXELS = RNG.integers(0, 256, (SAMPLES, *SHAPE)).astype(np.uint8)
GIVEN = (PIXELS / 255 - 0.5).astype(np.float32)  # what the model takes
SIZE = (0.1 + 0.08 * LABELS + 0.03 * np.abs(RNG.normal(size=SAMPLES)))[:, None, None, None]
KERAS = (GIVEN + SIZE * RNG.normal(size=GIVEN.shape)).astype(np.float32)
INT8 = (KERAS + 0.005 * RNG.normal(size=KERAS.shape)).astype(np.float32)
LOST = (GIVEN + 0.1 * RNG.normal(size=GIVEN.shape)).astype(np.float32)
FALL = 'max_decrease = "{}pp"\nagainst = "keras"'
RULE = '[[rule]]\nmetric = "{}"\n{}\nvariant = "int8"\n'


def run(int8: np.ndarray, keras: np.ndarray = KERAS, labels: np.ndarray = LABELS, inputs: np.ndarray = PIXELS) -> Run:
    made = run_of("anomaly", labels, keras, {"float32": keras, "int8": int8}, ASKED, inputs=[inputs])
    return replace(made, affines=(AFFINE,))


def errors(output: np.ndarray) -> list[float]:
    """The mean squared error of each sample, one after the other."""
    both = zip(output, GIVEN, strict=True)
    return [float(np.mean((one.astype(np.float64) - other) ** 2)) for one, other in both]


def outcomes(of: Run, *rules: tuple[str, str]) -> list[str]:
    policy = "".join(RULE.format(*rule) for rule in rules)
    return [finding.outcome for finding in judge(compare(of), parse_policy(policy, "policy.toml")).findings]


def dataset(labels: np.ndarray | None, inputs: np.ndarray = PIXELS, names: tuple[str, ...] = ()) -> Dataset:
    return Dataset("made", (), None, (inputs,), labels, (AFFINE,), names, "made")


@pytest.mark.parametrize(("name", "most"), [("anomaly_auc", None), ("anomaly_pauc", 0.1)])
def test_the_numbers_are_scikit_learns_of_the_errors(name, most):
    comparison = compare(run(INT8))
    change = comparison.change(case("int8"), name)
    assert change.value == pytest.approx(roc_auc_score(LABELS, errors(INT8), max_fpr=most), abs=1e-9)
    assert change.baseline == pytest.approx(roc_auc_score(LABELS, errors(KERAS), max_fpr=most), abs=1e-9)
    moved = comparison.change(case("int8"), f"{name}_change")
    assert change.low < change.value < change.high and moved.low < moved.value < moved.high


def test_a_sample_has_its_score_and_how_far_it_moved():
    comparison = compare(run(INT8))
    rows = comparison.samples[case("int8")]
    assert rows["prediction"] == pytest.approx(errors(INT8), rel=1e-5) and rows["label"].tolist() == LABELS.tolist()
    assert rows["max_abs_diff"] == pytest.approx(np.abs(np.subtract(errors(INT8), errors(KERAS))), rel=1e-4, abs=1e-9)
    assert "error" not in fields_of(rows)  # 0 and 1 are no errors to be met
    said = number_sample(comparison, 3)
    assert said.label == str(LABELS[3]) and all(answer.error is None for answer in said.answers)


def test_one_number_a_sample_is_the_score_itself():
    keras = (LABELS + RNG.normal(size=SAMPLES)).astype(np.float32)[:, None]
    change = compare(run(keras + 0.01, keras)).change(case("int8"), "anomaly_auc")
    assert change.value == pytest.approx(roc_auc_score(LABELS, keras[:, 0]))


def test_a_policy_judges_it():
    rules = [("anomaly_auc", FALL.format(3)), ("anomaly_pauc", FALL.format(8)), ("anomaly_auc", "min = 0.99999")]
    assert outcomes(run(INT8), *rules) == ["pass", "pass", "fail"]


def lost_runs() -> dict[str, Run]:
    nan, constant = INT8.copy(), GIVEN + np.float32(0.25)
    nan[5, 0, 0, 0] = np.nan
    few = np.where(np.cumsum(LABELS) <= 3, LABELS, 0)
    return {
        "noise": run(LOST), "NaN": run(nan), "constant": run(constant), "both constant": run(constant, constant),
        "no anomalies": run(INT8, labels=0 * LABELS), "three anomalies": run(INT8, labels=few),
        "labels the wrong way round": run(KERAS, labels=1 - LABELS),
    }  # fmt: skip


@pytest.mark.parametrize("kind", lost_runs())
def test_nothing_passes_in_silence(kind):
    limits = (FALL.format(3), "min = 0.6")
    found = outcomes(lost_runs()[kind], *((m, limit) for m in ("anomaly_auc", "anomaly_pauc") for limit in limits))
    assert len(found) == 4 and set(found) <= {"fail", "inconclusive", "missing", "not_comparable"}


def test_scores_that_are_lost_make_a_row_suspect():
    standing = next(s for s in compare(run(LOST)).standings if s.case == case("int8"))
    assert standing.status == "suspect" and "explains" in standing.reason


def test_groups_are_left_out_as_a_whole():
    made = replace(run(INT8), groups=np.arange(SAMPLES) // 2)
    change = compare(made).change(case("int8"), "anomaly_pauc")
    assert "over 400 groups" in change.method and change.low < change.value < change.high


def test_a_metric_of_ones_own_is_given_the_reconstruction_itself():
    scorer = Scorer(run(INT8))
    answers = scorer.answers(INT8, raw=True)
    assert answers.outputs.shape == KERAS.shape and np.shape(answers.beside("inputs")) == KERAS.shape  # type: ignore[arg-type]


# --- what is asked for -----------------------------------------------------------------------------------------------


def test_the_metric_says_it_and_nothing_else_does():
    numbers = np.ones((SAMPLES, 1), np.float32)
    for scoring in (Scoring("anomaly_auc"), Scoring("anomaly_pauc"), Scoring(None, ("anomaly_auc",))):
        assert check(scoring, dataset(LABELS), [KERAS])[1] == "anomaly"
    assert check(Scoring("anomaly_pauc"), dataset(LABELS.astype(np.float32)), [numbers])[1] == "anomaly"
    assert check(Scoring(), dataset(LABELS), [numbers])[1] == "classification"
    with pytest.raises(ConfigError, match="no metric fits"):
        check(Scoring(), dataset(LABELS), [KERAS])


@pytest.mark.parametrize(
    ("labels", "output", "told"),
    [
        (LABELS * 2, KERAS, "0 and 1 a sample"),
        (np.stack([LABELS, LABELS], axis=1), KERAS, "0 and 1 a sample"),
        (LABELS, KERAS[:, :2], "the shape of the first input"),
        (LABELS, np.ones((SAMPLES, 2), np.float32), "the shape of the first input"),
    ],
)
def test_what_is_no_anomaly_detection_is_refused(labels, output, told):
    with pytest.raises(ConfigError) as refused:
        check(Scoring("anomaly_auc"), dataset(labels), [output])
    assert told in refused.value.advice


def test_without_labels_and_beside_a_metric_of_something_else_it_is_refused():
    for scoring, labels in ((Scoring("anomaly_auc"), None), (Scoring("accuracy", ("anomaly_auc",)), LABELS)):
        with pytest.raises(ConfigError, match="does not fit"):
            check(scoring, dataset(labels), [np.ones((SAMPLES, 1), np.float32)])


def test_a_reconstruction_of_many_numbers_has_no_classes():
    wide = GIVEN.reshape(SAMPLES, 16)
    meant = as_meant(Scoring("anomaly_auc"), dataset(LABELS, wide), wide)
    assert meant.class_names == () and not adds_up(wide)


def test_which_of_two_named_classes_is_the_anomaly_is_said():
    (remark,) = of_labels(Scoring("anomaly_auc"), LABELS, KERAS, ("broken", "good"))
    assert "'good' are taken for the anomalies" in remark.what and '["good", "broken"]' in remark.advice
    assert not list(of_labels(Scoring("anomaly_auc"), LABELS, KERAS, ("0", "1")))


def test_both_are_declared_for_this_task_alone():
    assert {name for name, metric in METRICS.items() if metric.tasks == ("anomaly",)} == {"anomaly_auc", "anomaly_pauc"}
