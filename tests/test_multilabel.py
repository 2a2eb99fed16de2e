"""Samples with several labels: the numbers are scikit-learn's and Keras'."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, hamming_loss

from harness.compare.baseline import compare
from harness.gate.decide import judge
from harness.gate.policy import read_policy
from harness.metrics import METRICS
from harness.metrics.fitting import check
from harness.metrics.meaning import said_by
from harness.metrics.registry import Answers
from harness.records import Affine, Dataset, Scoring
from tests.made_runs import case
from tests.made_tasks import run_of

RNG = np.random.default_rng(4)
LABELS = np.hstack([RNG.integers(0, 2, (400, 3)), np.zeros((400, 1), int), RNG.random((400, 1)) < 0.02]).astype(int)
KERAS = np.clip(0.5 + 0.3 * (2 * LABELS - 1) + RNG.normal(0, 0.25, LABELS.shape), 0, 1).astype(np.float32)
KERAS[:, 3] = 0.1  # a label that no sample has, and no answer
INT8 = np.round(KERAS * 8) / 8  # with many ties at ½, which are 0
LOGIT = np.log(np.clip(KERAS, 1e-6, 1 - 1e-6) / np.clip(1 - KERAS, 1e-6, 1))


def value(name: str, labels: np.ndarray, outputs: np.ndarray, baseline: np.ndarray) -> float:
    return METRICS[name].statistic(Answers(labels, outputs, baseline)).value


@pytest.mark.parametrize("dtype", [int, np.float32, np.uint8])
@pytest.mark.parametrize("outputs", [KERAS, INT8, LOGIT], ids=["keras", "int8", "logits"])
def test_the_numbers_are_scikit_learns(dtype, outputs):
    labels, given = LABELS.astype(dtype), outputs > (0 if outputs is LOGIT else 0.5)
    assert value("subset_accuracy", labels, outputs, outputs) == pytest.approx(accuracy_score(LABELS, given))
    assert value("label_accuracy", labels, outputs, outputs) == pytest.approx(1 - hamming_loss(LABELS, given))
    wanted = f1_score(LABELS, given, average="macro", zero_division=np.nan)
    assert value("label_f1", labels, outputs, outputs) == pytest.approx(wanted)


def test_whether_they_are_logits_is_the_baselines_to_say():
    low = (LOGIT > 0) * 0.9  # a variant's logits may all lie within 0 to 1
    right = accuracy_score(LABELS, low > 0)
    assert value("subset_accuracy", LABELS, low, LOGIT) == pytest.approx(right)


@pytest.mark.parametrize("name", ["subset_accuracy", "label_accuracy", "label_f1"])
@pytest.mark.parametrize("dtype", [int, np.float32])
def test_a_metric_of_several_labels_can_be_asked_for_by_name(name, dtype):
    labels = LABELS.astype(dtype)
    data = Dataset("made", (), None, (labels,), labels, (Affine(),), (), "made")
    for scoring in (Scoring(name), Scoring(None, (name,)), Scoring(name, ("os.path:join",))):
        assert said_by(scoring) == ""
    scoring, task = check(Scoring(name), data, [KERAS])
    assert (scoring.primary, task) == (name, "multilabel")


def test_a_run_of_several_labels_is_compared_and_judged(tmp_path):
    run = run_of("multilabel", LABELS, KERAS, {"float32": KERAS, "int8": INT8}, Scoring())
    comparison = compare(run)
    row = comparison.change(case("int8"), "subset_accuracy")
    assert row.value == pytest.approx(accuracy_score(LABELS, INT8 > 0.5)) and row.low < row.value < row.high
    assert comparison.change(case("int8"), "accuracy") is None
    policy = tmp_path / "policy.toml"
    policy.write_text(
        '[[rule]]\nmetric = "subset_accuracy"\nmax_decrease = "30pp"\nagainst = "keras"\nvariant = "int8"\n'
        '[[rule]]\nmetric = "subset_accuracy"\nmin = 0.99\nvariant = "int8"\n'
        '[[rule]]\nmetric = "label_f1"\nmax_decrease = "50%"\nagainst = "keras"\nvariant = "int8"\n'
        '[[rule]]\nmetric = "accuracy_drop"\nmax = "1pp"\nvariant = "int8"\n'
    )
    outcomes = [finding.outcome for finding in judge(comparison, read_policy(policy)).findings]
    assert outcomes == ["pass", "fail", "pass", "missing"]
