"""metrics/left_out.py: limits of any metric over groups, against the bootstrap over groups and by simulation."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from harness.metrics.left_out import LeftOut, left_out, of_sums
from harness.metrics.registry import METRICS, Answers
from harness.metrics.scoring import Scorer
from harness.records import Absent


def mean_error(answers: Answers) -> float:
    return float(np.abs(answers.outputs[:, 0] - answers.truth).mean())


def made(groups: np.ndarray, seed: int = 0, between: float = 1.0) -> Answers:
    """Numbers whose errors are alike within a group."""
    rng = np.random.default_rng(seed)
    labels = rng.normal(0, 3, len(groups))
    errors = rng.normal(0, between, groups.max() + 1)[groups] + rng.normal(0, 0.5, len(groups))
    outputs = (labels + errors)[:, None]
    return Answers(labels, outputs, outputs)


def test_the_limits_are_those_of_groups_drawn_again():
    groups = np.repeat(np.arange(300), np.random.default_rng(1).integers(1, 15, 300))
    answers = made(groups)
    found = left_out(mean_error, answers, groups)
    rng, members = np.random.default_rng(2), [np.flatnonzero(groups == g) for g in range(300)]
    errors = np.abs(answers.outputs[:, 0] - answers.truth)
    drawn = [errors[np.concatenate([members[g] for g in rng.integers(0, 300, 300)])].mean() for _ in range(2_000)]
    low, high = np.quantile(drawn, [0.05, 0.95])
    limits = found.limits(0.9)
    assert found.value == errors.mean()
    assert limits.low < low < found.value < high < limits.high  # and a little wider, for groups that were not seen
    assert limits.high - limits.low == pytest.approx(high - low, rel=0.25)
    alone = left_out(mean_error, answers, np.arange(len(groups))).limits(0.9)
    assert limits.high - limits.low > 1.8 * (alone.high - alone.low)


@pytest.mark.parametrize("name", ["mae", "rmse", "r2"])
def test_every_metric_has_its_value_and_limits(name):
    groups = np.repeat(np.arange(320), 5)
    answers = made(groups)
    statistic = METRICS[name].statistic
    assert statistic
    found = left_out(lambda some: statistic(some).value, answers, groups)
    limits = found.limits(0.9)
    assert found.value == statistic(answers).value and limits.low < found.value < limits.high and not found.doubt
    assert found.p(limits.high) == pytest.approx(0.05, abs=1e-6) and found.p(limits.low, -1) == pytest.approx(
        0.05, abs=1e-6
    )


def test_many_groups_are_left_out_several_at_a_time():
    groups = np.repeat(np.arange(2_000), 2)
    found = left_out(mean_error, made(groups), groups)
    assert (len(found.without), found.groups, found.weights.sum()) == (400, 2_000, 4_000)


def test_a_difference_is_paired():
    groups = np.repeat(np.arange(100), 4)
    answers = made(groups)
    worse = Answers(answers.labels, answers.outputs + 0.01, answers.baseline)
    both = [left_out(mean_error, some, groups) for some in (worse, answers)]
    change = both[0].less(both[1]).limits(0.9)
    alone = both[0].limits(0.9)
    assert change.high - change.low < 0.1 * (alone.high - alone.low)
    assert both[0].growth(both[1]).value == pytest.approx(both[0].value / both[1].value - 1)


def found_of(without: np.ndarray, value: float) -> LeftOut:
    return LeftOut(value, without, len(without), np.full(len(without), 5.0))


def test_what_was_not_seen_decides_nothing():
    assert "none of 60 groups moves it" in found_of(np.zeros(60), 0.0).doubt
    with pytest.raises(Absent, match="none of 60 groups"):
        found_of(np.zeros(60), 0.0).limits(0.9)
    assert found_of(np.zeros(300), 0.0).doubt == ""
    assert found_of(np.zeros(300), 0.0).p(0.1) == pytest.approx(0.99**300) and found_of(np.zeros(300), 0.0).p(0.0) == 1
    assert "none of 300" in found_of(np.ones(300), 1.0).doubt
    one = np.r_[0.5, np.ones(299)]
    assert "about 1 of 300 groups carry" in found_of(one, 1.0).doubt
    assert "298 groups: 299 are the fewest" in found_of(np.random.default_rng(0).normal(size=298), 0.0).doubt
    with pytest.raises(Absent, match="no value where some groups"):
        found_of(np.r_[np.nan, np.ones(99)], 1.0).limits(0.9)


def test_outputs_that_are_too_large_to_copy_have_a_value_and_no_limits(monkeypatch):
    groups = np.repeat(np.arange(400), 4)
    answers, known = made(groups), left_out(mean_error, made(groups), groups)
    monkeypatch.setattr("harness.metrics.left_out.MOST_BYTES", 1_000)
    large = left_out(mean_error, answers, groups)
    assert large.value == known.value and "256 MiB at most" in large.doubt
    for each in (large, large.less(known), large.growth(large)):
        with pytest.raises(Absent, match="no limits over groups"):
            each.limits(0.9)
    monkeypatch.setattr("harness.metrics.left_out.MOST_BYTES", 1 << 30)
    monkeypatch.setattr("harness.metrics.left_out.LONGEST_S", -1)
    assert "took over" in left_out(mean_error, answers, groups).doubt


def test_a_function_that_fails_on_fewer_samples_has_a_value_and_no_limits():
    groups = np.repeat(np.arange(400), 4)
    answers = made(groups)
    picky = left_out(lambda some: 1.0 if len(some.outputs) == 1_600 else 1 / 0, answers, groups)
    assert picky.value == 1.0 and "without some of them it raised ZeroDivisionError" in picky.doubt


TAILS: dict[str, tuple[Callable[[np.random.Generator], np.ndarray], float]] = {  # of 300 groups, and their true mean
    "normal": (lambda rng: np.abs(rng.normal(size=300)), math.sqrt(2 / math.pi)),
    "exponential": (lambda rng: rng.exponential(size=300), 1.0),
    "lognormal": (lambda rng: rng.lognormal(0, 1, 300), math.exp(0.5)),
    "t₃": (lambda rng: np.abs(rng.standard_t(3, 300)), 2 * math.sqrt(3) / math.pi),
    "one in a hundred saturates": (lambda rng: rng.exponential(0.1, 300) + 5 * (rng.random(300) < 0.01), 0.15),
}


@pytest.mark.parametrize("tails", TAILS)
def test_a_model_at_the_limit_passes_at_most_one_time_in_twenty(tails):
    """The errors of a group are all alike, and the limit is the true mean error."""
    (draw, truth), rng, passed, tried = TAILS[tails], np.random.default_rng(5), 0, 600
    for _ in range(tried):
        errors = draw(rng)
        found = LeftOut(float(errors.mean()), (errors.sum() - errors) / 299, 300, np.full(300, 10.0))
        passed += not found.doubt and found.limits(0.9).high < truth
    assert passed / tried <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / tried)


@pytest.mark.parametrize("metric", ["f1", "balanced_accuracy"])
@pytest.mark.parametrize("groups", [7, 900])
def test_scores_of_classes_are_known_without_each_group_at_once(metric: str, groups: int) -> None:
    """As the statistic of the others has it, of a class, too, that some group alone has."""
    rng, statistic = np.random.default_rng(4), METRICS[metric].statistic
    assert statistic
    labels = np.r_[4, rng.integers(0, 4, 1_999)]
    given = np.where(rng.random(2_000) < 0.2, rng.integers(0, 5, 2_000), labels)
    answers = Answers(labels, np.eye(6)[given], np.eye(6)[given])
    of = np.r_[np.arange(groups), rng.integers(0, groups, 2_000 - groups)]
    one, other = of_sums(statistic(answers), of), left_out(lambda some: statistic(some).value, answers, of)  # type: ignore[arg-type]
    assert one.without == pytest.approx(other.without, abs=1e-12) and (one.weights == other.weights).all()
    assert (one.value, one.groups) == (other.value, other.groups)


@pytest.mark.parametrize("name", ["mae", "rmse"])
def test_what_is_not_a_number_is_none_over_groups(name):
    """As over samples that are independent."""
    groups, answers = np.repeat(np.arange(100), 3), made(np.repeat(np.arange(100), 3))
    answers.outputs[7] = np.nan
    statistic = METRICS[name].statistic
    assert statistic
    with pytest.raises(Absent, match="it is not a number"):
        Scorer.grouped(statistic, answers, groups)
