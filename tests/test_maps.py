"""δ1 and the relative error of maps, beside plain loops over the pixels and values worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import mean_absolute_error, root_mean_squared_error

from harness.build.scored import as_asked, as_meant, unanswered
from harness.compare.baseline import compare
from harness.data.validation import validate
from harness.errors import ConfigError, DataError
from harness.experiment.plans import PLANS
from harness.metrics.fitting import check
from harness.metrics.horizon import at_step, rmse_by_step
from harness.metrics.maps import abs_rel, delta1
from harness.metrics.registry import Answers
from harness.metrics.scores import mae, rmse
from harness.records import Absent, Affine, Dataset, Experiment, Run, Scoring
from harness.report.samples.number_gallery import HOLE, with_holes
from tests.made_runs import case
from tests.made_tasks import run_of

LABELS = np.array([[[1.0, 2.0], [0.0, 4.0]], [[10.0, 10.0], [10.0, 10.0]]], np.float32)
OUTPUTS = np.array([[[1.2, 2.0], [9.0, 5.2]], [[10.0, 7.9], [12.4, 8.1]]], np.float32)[..., np.newaxis]


def test_values_worked_by_hand() -> None:
    """Within 1.25: 1.2 and 2.0 of three, since 0 is not measured; then 10, 12.4 and 8.1 of four."""
    answers = Answers(LABELS, OUTPUTS, OUTPUTS)
    assert delta1(answers).value == pytest.approx((2 / 3 + 3 / 4) / 2)
    first, second = (0.2 + 0 + 0.3) / 3, (0 + 0.21 + 0.24 + 0.19) / 4
    assert abs_rel(answers).value == pytest.approx((first + second) / 2, rel=1e-6)


def test_a_loop_over_the_pixels_says_the_same() -> None:
    rng = np.random.default_rng(3)
    labels = rng.uniform(0.5, 9, (40, 6, 5))
    outputs = labels * rng.lognormal(0, 0.3, labels.shape)
    within = [max(a / b, b / a) < 1.25 for a, b in zip(outputs.ravel(), labels.ravel(), strict=True)]
    answers = Answers(labels, outputs, outputs)
    assert delta1(answers).value == pytest.approx(np.mean(within))
    assert abs_rel(answers).value == pytest.approx(np.mean(np.abs(outputs - labels) / labels))


def test_what_is_not_over_0_is_never_near() -> None:
    outputs = np.array([[-1.0, 0.0, 2.0]])
    assert delta1(Answers(np.array([[1.0, 1.0, 2.0]]), outputs, outputs)).value == pytest.approx(1 / 3)


def test_a_map_without_a_measured_number_is_said() -> None:
    labels = np.array([[0.0, 0.0], [1.0, 2.0]])
    for metric in (delta1, abs_rel):
        with pytest.raises(Absent, match="1 of 2 samples have no label over 0"):
            metric(Answers(labels, labels, labels))


# --- holes: numbers without a label ----------------------------------------------------------------------------------

RNG = np.random.default_rng(5)
MEASURED = RNG.uniform(1, 9, (60, 6, 5)).astype(np.float32)
GIVEN = (MEASURED * RNG.lognormal(0, 0.2, MEASURED.shape)).astype(np.float32)
UNKNOWN = RNG.random(MEASURED.shape) < 0.3
HOLED = np.where(UNKNOWN, np.nan, MEASURED).astype(np.float32)
WEIGHTS = (~UNKNOWN / (~UNKNOWN).sum(axis=(1, 2), keepdims=True)).ravel()  # each sample counts the same


def data_of(labels: np.ndarray) -> Dataset:
    return Dataset("made", (), None, (GIVEN[..., None],), labels, (Affine(),), (), "made")


def meant_and_checked(labels: np.ndarray, scoring: Scoring) -> tuple[np.ndarray, Scoring, str]:
    meant = as_meant(scoring, data_of(labels), GIVEN)
    assert meant.test_labels is not None
    return meant.test_labels, *check(scoring, meant, [GIVEN])


def test_numbers_without_a_label_count_in_no_metric() -> None:
    """scikit-learn's, with a weight of 0 for what is not known."""
    answers = Answers(HOLED, GIVEN, GIVEN)
    flat = MEASURED.ravel().astype(float), GIVEN.ravel().astype(float)
    assert mae(answers).value == pytest.approx(mean_absolute_error(*flat, sample_weight=WEIGHTS), rel=1e-12)
    assert rmse(answers).value == pytest.approx(root_mean_squared_error(*flat, sample_weight=WEIGHTS), rel=1e-12)
    ratio = np.maximum(flat[0] / flat[1], flat[1] / flat[0])
    assert delta1(answers).value == pytest.approx(np.average(ratio < 1.25, weights=WEIGHTS))
    assert abs_rel(answers).value == pytest.approx(np.average(np.abs(flat[1] - flat[0]) / flat[0], weights=WEIGHTS))


@pytest.mark.parametrize("stands_for_none", [0.0, -1.0, np.nan])
def test_what_stands_for_a_hole_may_be_any_number(stands_for_none: float) -> None:
    stored = np.where(UNKNOWN, stands_for_none, MEASURED).astype(np.float32)
    labels, scoring, task = meant_and_checked(stored, Scoring("mae", ignore=stands_for_none))
    assert task == "regression" and scoring.holes and np.array_equal(labels, HOLED, equal_nan=True)


def test_whole_numbers_may_have_holes_too() -> None:
    stored = np.where(UNKNOWN, 0, np.round(1000 * MEASURED)).astype(np.uint16)
    labels, _, task = meant_and_checked(stored, Scoring("rmse", ignore=0.0))
    assert task == "regression" and labels.dtype == np.float32 and (np.isnan(labels) == UNKNOWN).all()


def test_nan_is_refused_where_nothing_says_what_it_is() -> None:
    experiment = Experiment("made", lambda: data_of(HOLED), None, (), PLANS["none"], scoring=Scoring("mae"))
    validate(data_of(HOLED))
    with pytest.raises(DataError, match=r"of the labels are NaN") as refused:
        as_asked(experiment, data_of(HOLED))
    assert "ignore = nan" in refused.value.advice
    as_asked(replace(experiment, scoring=Scoring("mae", ignore=float("nan"))), data_of(HOLED))


def test_infinite_labels_are_refused_whatever_is_ignored() -> None:
    with pytest.raises(DataError, match="infinite"):
        validate(data_of(np.where(UNKNOWN, np.inf, MEASURED)))


def test_a_sample_without_any_label_is_refused() -> None:
    stored = np.where(UNKNOWN, 0, MEASURED)
    stored[3] = 0
    with pytest.raises(ConfigError, match="1 of 60 samples have no label but 0 or NaN, such as sample 3"):
        meant_and_checked(stored, Scoring("mae", ignore=0.0))


def test_before_a_model_has_answered_labels_have_their_holes() -> None:
    stored = np.where(UNKNOWN, np.float32(-999), MEASURED)
    for scoring in (Scoring("mae", ignore=-999.0), Scoring(ignore=-999.0)):
        np.testing.assert_array_equal(unanswered(data_of(stored), {"": scoring}).test_labels, HOLED)
    masks = (MEASURED > 5).astype(np.uint8)
    assert unanswered(data_of(masks), {"": Scoring(ignore=1.0)}).test_labels is masks


def test_masks_take_no_nan() -> None:
    masks = np.where(UNKNOWN, np.nan, MEASURED > 5)
    with pytest.raises(ConfigError, match="ignore = nan is none") as refused:
        check(Scoring(ignore=float("nan")), data_of(masks), [GIVEN / 100])
    assert "255" in refused.value.advice


def run_with_holes() -> Run:
    scoring = Scoring("mae", holes=True, ignore=0.0)
    far = GIVEN.copy()
    far[UNKNOWN] += 100  # where nothing is known
    return run_of("regression", HOLED, GIVEN, {"float32": GIVEN, "int8": far}, scoring, [GIVEN[..., None]])


def test_what_stands_in_a_hole_is_no_error_but_far_from_keras() -> None:
    rows = compare(run_with_holes()).samples[case("int8")]
    assert rows["error"] == pytest.approx(rows["baseline_error"]) and rows["max_abs_diff"] == pytest.approx(100)


def test_a_forecast_with_gaps_has_the_error_of_each_step() -> None:
    labels, outputs = HOLED.reshape(60, 30), GIVEN.reshape(60, 30)
    wanted = [np.sqrt(np.nanmean((outputs[:, n].astype(float) - labels[:, n]) ** 2)) for n in range(30)]
    assert rmse_by_step(labels, outputs) == pytest.approx(np.array(wanted), rel=1e-12)
    with pytest.raises(Absent, match="of 60 samples have no label at step 2"):
        at_step(Answers(labels, outputs, outputs), 2)


def test_a_hole_is_painted_in_the_label_alone() -> None:
    grey = np.full((6, 5), 80, np.uint8)
    painted = with_holes(grey, HOLED[0])
    assert (painted[UNKNOWN[0]] == HOLE).all() and (painted[~UNKNOWN[0]] == 80).all()
    assert with_holes(grey, MEASURED[0]) is grey
