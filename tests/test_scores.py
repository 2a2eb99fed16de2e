"""Metrics of labels and outputs against scikit-learn, which of them fit what, and a user's own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.special import softmax
from sklearn import metrics

from harness.compare.baseline import compare
from harness.errors import ConfigError
from harness.metrics import METRICS
from harness.metrics.discrepancy import fields_of
from harness.metrics.fitting import check, scores_of
from harness.metrics.registry import Answers
from harness.metrics.scores import top_k
from harness.records import Absent, Affine, Dataset, Run, Scoring, Tensor
from harness.report import write_report
from harness.report.material import Material
from harness.runs.table_files import write_tables
from tests.made_runs import case
from tests.made_tasks import classes, numbers, regression, run_of

RNG = np.random.default_rng(4)
LABELS = np.concatenate([RNG.integers(0, 4, 150), [3] * 50])
SCORES_OF = RNG.random((200, 5)).astype(np.float32)  # of five classes, one of which has no sample
SCORES_OF[np.arange(200), LABELS] += 0.4
GIVEN = SCORES_OF.argmax(axis=1)


def value(name: str, labels: np.ndarray, outputs: np.ndarray) -> float:
    return METRICS[name].statistic(Answers(labels, outputs, outputs)).value


@pytest.mark.filterwarnings("ignore:y_pred contains classes")  # that is what is tried
def test_of_classes():
    assert value("balanced_accuracy", LABELS, SCORES_OF) == pytest.approx(
        metrics.balanced_accuracy_score(LABELS, GIVEN)
    )
    assert value("f1", LABELS, SCORES_OF) == pytest.approx(metrics.f1_score(LABELS, GIVEN, average="macro"))


def test_auc_of_probabilities_and_of_logits():
    shares = SCORES_OF[:, :4] / SCORES_OF[:, :4].sum(axis=1, keepdims=True)
    wanted = metrics.roc_auc_score(LABELS, shares.astype(float) / shares.sum(axis=1, keepdims=True), multi_class="ovr")
    assert value("auc", LABELS, shares) == pytest.approx(wanted, abs=1e-6)
    logits = 9 * SCORES_OF[:, :4] - 4
    wanted = metrics.roc_auc_score(LABELS, softmax(logits.astype(float), axis=1), multi_class="ovr")
    assert value("auc", LABELS, logits) == pytest.approx(wanted)
    two = np.minimum(LABELS, 1)
    wanted = metrics.roc_auc_score(two, logits[:, 1] - logits[:, 0])
    assert value("auc", two, logits[:, :2]) == pytest.approx(wanted)


def test_auc_takes_outputs_for_what_keras_are():
    """One score a step of its quantisation over 1 makes no logits of a variant's probabilities."""
    shares = softmax(6 * SCORES_OF[:, :4].astype(float), axis=1)
    over = shares + np.where(shares == shares.max(), 1.01 - shares.max(), 0)
    wanted = np.mean([metrics.roc_auc_score(k == LABELS, over[:, k]) for k in range(4)])
    assert METRICS["auc"].statistic(Answers(LABELS, over, shares)).value == pytest.approx(wanted)


def test_auc_of_one_class_alone_has_no_value():
    with pytest.raises(Absent, match="all of one class"):
        value("auc", np.zeros(200, int), SCORES_OF)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_top_k(k):
    wanted = metrics.top_k_accuracy_score(LABELS, SCORES_OF, k=k, labels=range(5))
    assert top_k(k).statistic(Answers(LABELS, SCORES_OF, SCORES_OF)).value == pytest.approx(wanted)


def test_among_equal_scores_the_first_classes_count():
    even = np.full((3, 4), 0.25)
    assert top_k(2).statistic(Answers(np.array([0, 1, 2]), even, even)).value == pytest.approx(2 / 3)


@pytest.mark.parametrize("width", [1, 3])
def test_of_numbers(width):
    labels, keras, _ = numbers(samples=150, width=width)
    flat = keras.reshape(150, -1)
    truth = labels.reshape(150, -1)
    assert value("mae", labels, keras) == pytest.approx(metrics.mean_absolute_error(truth, flat), rel=1e-6)
    assert value("rmse", labels, keras) == pytest.approx(np.sqrt(metrics.mean_squared_error(truth, flat)), rel=1e-6)
    assert value("r2", labels, keras) == pytest.approx(metrics.r2_score(truth, flat), rel=1e-6)


# --- which fit -----------------------------------------------------------------------------------------------------


def dataset(labels: np.ndarray | None, names: tuple[str, ...] = ()) -> Dataset:
    return Dataset("made", (), None, (np.zeros((3, 2), np.float32),), labels, (Affine(),), names, "made")


INTS, FLOATS = np.array([0, 2, 1]), np.array([0.5, 2.25, 1.0])
THREE, ONE = np.full((3, 3), 1 / 3), np.full((3, 1), 0.5)


@pytest.mark.parametrize(
    ("labels", "output", "primary", "task"),
    [
        (INTS, THREE, "accuracy", "classification"),
        (FLOATS, ONE, "rmse", "regression"),
        (None, THREE, "agreement", "agreement"),
        (None, ONE, "distance", "distance"),
    ],
)
def test_what_is_not_said_is_left_to_the_data(labels, output, primary, task):
    scoring, found = check(Scoring(), dataset(labels), [output])
    assert (scoring.primary, found) == (primary, task)
    assert check(Scoring(primary), dataset(labels), [output]) == (scoring, task)


@pytest.mark.parametrize(
    ("primary", "labels", "output", "told", "advice"),
    [
        ("accuracy", FLOATS, ONE, "accuracy does not fit float64 labels from 0.5 to 2.25", "mae, rmse, r2"),
        ("mae", None, ONE, "mae does not fit a test set without labels", "distance"),
        ("f1", None, THREE, "f1 does not fit a test set without labels", "agreement"),
        ("top5_accuracy", INTS, THREE, "top5_accuracy of 3 classes is always 1", "smaller"),
        ("acuracy", INTS, THREE, "there is no metric 'acuracy'", "accuracy"),
        (None, INTS, ONE, "no metric fits int64 labels from 0 to 2", 'primary = "rmse"'),
        (None, 2 * np.eye(3, dtype=int), THREE, "no metric fits int64 labels of shape", "one integer a sample"),
        (
            None,
            INTS % 2,
            9 * np.eye(3)[[2, 2, 0]],
            "no metric fits int64 labels",
            'classes, write primary = "accuracy"',
        ),
        (None, INTS + 1, THREE, "no metric fits int64 labels from 1 to 3", "labels begin at 1: subtract 1; "),
        ("accuracy", np.array([1, 2, 1]), ONE, "accuracy does not fit", "labels begin at 1: subtract 1; "),
    ],
)
def test_a_metric_that_does_not_fit_is_refused_with_what_does(primary, labels, output, told, advice):
    with pytest.raises(ConfigError) as raised:
        check(Scoring(primary), dataset(labels), [output])
    assert told in str(raised.value)
    assert advice in raised.value.advice
    assert ("subtract 1" in raised.value.advice) == ("subtract 1" in advice)


@pytest.mark.parametrize("name", ["rmse", "mae", "r2"])
def test_a_metric_of_numbers_on_classes_is_not_advised_again(name):
    with pytest.raises(ConfigError, match=f"{name} does not fit int64 labels from 0 to 2") as raised:
        check(Scoring(name), dataset(INTS), [THREE])
    assert f'primary = "{name}"' not in raised.value.advice
    assert 'rmse"' not in raised.value.advice
    assert f"{name} needs as many labels a sample as outputs; for classes write accuracy" in raised.value.advice


def test_the_output_that_is_scored_is_chosen_by_name():
    scoring, task = check(Scoring(output="b"), dataset(INTS), [ONE, THREE], ("a", "b"))
    assert (task, scoring.primary) == ("classification", "accuracy")


# --- a user's own --------------------------------------------------------------------------------------------------

OWN = """
import numpy as np
from harness.metrics import scored

@scored("close", unit="fraction", better="higher")
def near(labels, outputs):
    return np.abs(outputs[:, 0] - labels) < 0.3

def median_error(labels, outputs):
    return float(np.median(np.abs(outputs[:, 0] - labels)))

@scored("bias", unit="K", better="lower")
def broken(labels, outputs):
    raise ValueError("no such column")

def nothing(labels, outputs):
    return float("nan")

def none(labels, outputs):
    print("to be read by people")

def leaves(labels, outputs):
    raise SystemExit(3)

@scored("mae")
def taken(labels, outputs):
    return 0.0
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With a module of its own name, since Python imports each but once."""
    (tmp_path / f"own_{tmp_path.name.replace('-', '_')}.py").write_text(OWN)
    return tmp_path


def own(folder: Path, name: str) -> str:
    return f"own_{folder.name.replace('-', '_')}:{name}"


def scored_by(folder: Path, *names: str):
    labels, keras, given = numbers()
    asked = Scoring(own(folder, names[0]), tuple(own(folder, n) for n in names[1:]), folder=folder)
    scoring, task = check(asked, dataset_of(labels), [keras])
    return run_of(task, labels, keras, given, scoring)


def dataset_of(labels: np.ndarray) -> Dataset:
    return replace(dataset(labels), test_inputs=(np.zeros((len(labels), 2), np.float32),))


def test_it_says_its_name_once_and_shows_up_like_any_other(folder):
    comparison = compare(scored_by(folder, "near", "median_error"))
    run = comparison.run
    assert run.scoring.primary == "close"
    found = comparison.change(case("int8"), "close")
    after = np.abs(comparison.scores[case("int8")][:, 0] - run.labels) < 0.3
    before = np.abs(run.baseline[0][:, 0] - run.labels) < 0.3
    assert (found.unit, found.better) == ("fraction", "higher")
    assert (found.value, found.baseline) == (pytest.approx(after.mean()), pytest.approx(before.mean()))
    moved = comparison.change(case("int8"), "close_change")
    assert moved.value == pytest.approx(after.mean() - before.mean())
    assert moved.low <= moved.value <= moved.high
    plain = comparison.change(case("int8"), "median_error")
    assert (plain.unit, plain.better) == ("score", "higher")
    median = np.median(np.abs(comparison.scores[case("int8")][:, 0] - run.labels))
    assert plain.value == pytest.approx(median) and plain.low < plain.value < plain.high


@pytest.mark.parametrize(
    ("name", "metric", "why"),
    [
        ("broken", "bias", "raised ValueError: no such column"),
        ("nothing", "nothing", "not a number"),
        ("none", "none", "not a number"),
        ("leaves", "leaves", "SystemExit: 3"),
    ],
)
def test_what_it_raises_is_why_it_is_empty(folder, name, metric, why):
    comparison = compare(scored_by(folder, name))
    found = comparison.change(case("int8"), metric)
    assert found.value is None and why in found.method
    assert comparison.change(case("int8"), "mae").value is not None


def test_a_function_that_is_gone_leaves_its_row_empty_with_the_reason(folder, monkeypatch):
    run = scored_by(folder, "near")
    gone = replace(run, scoring=replace(run.scoring, folder=folder / "elsewhere"))
    reference = run.scoring.declared[0].reference
    monkeypatch.delitem(__import__("sys").modules, reference.split(":")[0])
    found = compare(gone).change(case("int8"), "close")
    assert found.value is None and f"there is no module {reference.split(':')[0]}" in found.method


@pytest.mark.parametrize(
    ("name", "told"), [("taken", "two metrics are called mae"), ("missing", "no function missing")]
)
def test_one_that_cannot_be_had_is_told_before_anything_is_measured(folder, name, told):
    with pytest.raises(ConfigError, match=told):
        scored_by(folder, name)


def test_raw_outputs_of_one_column_reach_it_as_the_model_gives_them(folder):
    labels = np.tile([0, 1], 50)
    keras = np.linspace(0, 1, 100, dtype=np.float32)[:, None]
    asked = Scoring(own(folder, "median_error"), folder=folder)
    scoring, task = check(asked, dataset_of(labels), [keras])
    assert task == "classification"
    found = compare(run_of(task, labels, keras, {"int8": keras}, scoring)).change(case("int8"), "median_error")
    assert found.value == pytest.approx(np.median(np.abs(keras[:, 0] - labels)), rel=1e-6)


# --- the rows of a run ---------------------------------------------------------------------------------------------


def test_a_regression_has_its_metrics_with_limits_and_none_of_classes():
    comparison = compare(regression())
    names = {c.metric for c in comparison.changes}
    assert {"mae", "mae_change", "rmse", "rmse_change", "r2", "r2_change", "max_abs_diff", "sqnr"} <= names
    assert not names & {"accuracy", "accuracy_drop", "flips", "flip_rate", "js_p99", "ece", "ties", "agreement"}
    for metric in ("mae", "rmse", "r2"):
        value, moved = (comparison.change(case("int8"), m) for m in (metric, f"{metric}_change"))
        assert value.low < value.value < value.high and moved.low < moved.value < moved.high
        assert moved.value == pytest.approx(value.value - value.baseline)
        assert "bootstrap-t 90 %, 2,000 resamples" in moved.method


def test_other_metrics_of_classes_are_there_where_they_are_asked_for():
    plain, asked = classes(), classes(Scoring("top2_accuracy", ("f1", "auc")))
    assert [s.name for s in scores_of(plain.scoring, plain.task)] == []
    comparison = compare(asked)
    assert {"top2_accuracy", "f1", "f1_change", "auc", "accuracy"} <= {c.metric for c in comparison.changes}


def test_outputs_that_are_not_finite_have_no_mae_and_say_so():
    run = regression()
    shards = tuple(
        replace(s, outputs=(np.where(np.arange(400)[:, None] == 7, np.nan, s.outputs[0]),)) for s in run.shards
    )
    comparison = compare(replace(run, shards=shards))
    assert comparison.change(case("int8"), "mae").value is None
    assert comparison.change(case("int8"), "mae").method == "some scores are not finite"
    assert comparison.standings[1].status == "suspect"


def test_numbers_that_explain_little_of_keras_are_suspect():
    labels, keras, given = numbers()
    comparison = compare(run_of("regression", labels, keras, {**given, "int8": np.full_like(keras, keras.mean())}))
    assert [s.status for s in comparison.standings] == ["ok", "suspect"]


def test_unlabelled_numbers_have_their_distance_alone():
    _, keras, given = numbers(width=3)
    comparison = compare(run_of("distance", None, keras, given))
    found = comparison.change(case("int8"), "distance")
    assert found.value == pytest.approx(np.abs(given["int8"].astype(float) - keras).mean(), rel=1e-6)
    assert found.low < found.value < found.high
    assert comparison.change(case("int8"), "distance_change") is None


def test_unlabelled_classes_have_flips_and_no_accuracy():
    run = replace(classes(), task="agreement", labels=None)
    comparison = compare(run)
    same = (run.baseline[0].argmax(1) == comparison.scores[case("int8")].argmax(1)).sum()
    agreement = comparison.change(case("int8"), "agreement")
    assert agreement.value == same / 400 and agreement.low < same / 400 < agreement.high
    assert comparison.change(case("int8"), "flips").value == 400 - same
    assert comparison.change(case("int8"), "accuracy") is None
    assert not {"label", "correct", "flip_kind"} & set(fields_of(comparison.samples[case("int8")]))


def test_a_sigmoid_column_is_judged_as_two_classes():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 300)
    keras = np.clip(0.5 + 0.3 * (2 * labels - 1) + rng.normal(0, 0.3, 300), 0, 1).astype(np.float32)[:, None]
    comparison = compare(run_of("classification", labels, keras, {"int8": np.round(keras * 4) / 4}))
    accuracy = comparison.change(case("int8"), "accuracy")
    assert accuracy.baseline == np.mean((keras[:, 0] > 0.5) == labels)
    assert accuracy.value == np.mean((np.round(keras[:, 0] * 4) / 4 > 0.5) == labels)


def test_logits_are_softmaxed_for_divergence_and_calibration_alone():
    run = classes()
    logits = {
        name: 5 * np.log(np.clip(s.outputs[0], 1e-3, 1))
        for name, s in zip(("float32", "int8"), run.shards, strict=True)
    }
    keras = logits["float32"]
    comparison = compare(run_of("classification", run.labels, keras, logits))
    from scipy.spatial.distance import jensenshannon

    wanted = [
        jensenshannon(softmax(p), softmax(q), base=2) ** 2 for p, q in zip(keras[:9], logits["int8"][:9], strict=True)
    ]
    own = comparison.samples[case("int8")]
    assert own["js_divergence"][:9] == pytest.approx(wanted, rel=1e-3, abs=1e-6)
    assert own["max_abs_diff"][0] == pytest.approx(np.abs(keras[0] - logits["int8"][0]).max(), rel=1e-6)
    assert 0 <= comparison.change(case("int8"), "ece").value <= 1


def test_limits_of_what_is_the_same_everywhere_are_none():
    labels = (np.arange(400) % 16 / 8).astype(np.float32)  # so that no difference is rounded
    below = run_of("regression", labels, (labels - 1)[:, None], {"int8": (labels - 1.5)[:, None]}, Scoring("mae"))
    moved = compare(below).change(case("int8"), "mae_change")
    assert moved.value == pytest.approx(0.5) and moved.low is None
    assert moved.method.endswith("; no interval: it is the same for every sample")


def test_the_second_of_two_outputs_is_scored_where_it_is_named():
    run = classes(Scoring("accuracy", output="class"))
    boxes = np.zeros((400, 4), np.float32)
    shards = tuple(
        replace(s, outputs=(boxes, *s.outputs), tensors=(Tensor("box", "float32", (1, 4)), *s.tensors))
        for s in run.shards
    )
    two = replace(run, baseline=(boxes, *run.baseline), shards=shards, output_names=("box", "class"))
    alone, found = compare(run_of_one(run)), compare(two)
    for metric in ("accuracy", "accuracy_drop", "flips", "js_p99"):
        assert found.change(case("int8"), metric) == alone.change(case("int8"), metric)
    assert [o.shape for o in found.outputs[case("int8")]] == [(400, 4), (400, 4)]


def run_of_one(run: Run) -> Run:
    return replace(run, scoring=Scoring("accuracy"))


def test_outputs_of_any_shape_need_a_metric_of_ones_own_and_then_do(tmp_path):
    """A class a voxel, scored by the share of voxels."""
    name = f"masks_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text("def pixels(y, out):\n    return (out.argmax(-1) == y).mean(axis=(1, 2, 3))\n")
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, (60, 4, 4, 4))
    keras = (np.eye(2)[labels] + rng.normal(0, 0.4, (60, 4, 4, 4, 2))).astype(np.float32)
    given = {"int8": np.round(keras * 4) / 4}
    with pytest.raises(ConfigError, match="no metric fits int64 labels of shape"):
        check(Scoring(), dataset_of(labels), [keras])
    scoring, task = check(Scoring(f"{name}:pixels", folder=tmp_path), dataset_of(labels), [keras])
    comparison = compare(run_of(task, labels, keras, given, scoring))
    found = comparison.change(case("int8"), "pixels")
    assert task == "custom" and found.value == pytest.approx((given["int8"].argmax(-1) == labels).mean())
    assert found.low < found.value < found.high
    write_tables(comparison, tmp_path)
    assert "pixels" in write_report(Material(comparison, None), tmp_path).read_text()


def test_what_a_users_metric_prints_is_not_among_the_results(folder, capsys):
    compare(scored_by(folder, "none"))
    printed = capsys.readouterr()
    assert printed.out == "" and "to be read by people" in printed.err


@pytest.mark.parametrize("names", [("a", "c"), ("a", "b", "c", "d", "e")])
def test_class_names_are_those_of_the_models_scores(names):
    """Where no picture is of b, c would become class 1: a perfect model would look half wrong."""
    keras = np.eye(3, dtype=np.float32)[[0, 2, 0, 2]]
    known = replace(dataset(np.array([0, 1, 0, 1])), class_names=names, test_inputs=(np.zeros((4, 2), np.float32),))
    with pytest.raises(ConfigError, match=f"name {len(names)} classes .*, and the model has 3 scores") as caught:
        check(Scoring(), known, [keras])
    assert "[data] labels" in caught.value.advice
    assert check(Scoring(), replace(known, class_names=("a", "b", "c")), [keras])[1] == "classification"
