"""Forecasts by the steps of their horizon: scikit-learn's numbers, rules that name a step, a table of all of them."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import mean_absolute_error, root_mean_squared_error

from harness.compare.baseline import compare
from harness.errors import ConfigError
from harness.gate.decide import judge
from harness.gate.policy.policy_file import parse_policy
from harness.metrics.fitting import check
from harness.metrics.horizon import rmse_by_step, step_metric
from harness.metrics.registry import Answers
from harness.records import Affine, Dataset, Run, Scoring
from harness.report.material import Material
from harness.report.tables.horizon_table import by_step
from tests.made_runs import case
from tests.made_tasks import run_of

RNG = np.random.default_rng(5)
LABELS = RNG.normal(size=(400, 6, 2))
GROWING = np.linspace(0.1, 0.6, 6)[:, None]  # further ahead is harder
KERAS = (LABELS + GROWING * RNG.normal(size=LABELS.shape)).astype(np.float32)
LAST = KERAS.copy()  # broken at its last step alone
LAST[:, -1] += RNG.normal(0, 1.0, LAST[:, -1].shape).astype(np.float32)


def run(int8: np.ndarray = LAST, *others: str) -> Run:
    return run_of("regression", LABELS, KERAS, {"float32": KERAS, "int8": int8}, Scoring("rmse", others))


def test_the_numbers_are_scikit_learns_of_that_step():
    comparison = compare(run(LAST, "rmse_step1", "mae_step6"))
    for name, step, of in (("rmse_step1", 0, root_mean_squared_error), ("mae_step6", 5, mean_absolute_error)):
        change = comparison.change(case("int8"), name)
        assert change.value == pytest.approx(of(LABELS[:, step].ravel(), LAST[:, step].ravel()), rel=1e-6)
        assert change.low < change.value < change.high
    wanted = [root_mean_squared_error(LABELS[:, n].ravel(), LAST[:, n].ravel()) for n in range(6)]
    assert rmse_by_step(LABELS, LAST) == pytest.approx(wanted, rel=1e-6)
    assert rmse_by_step(LABELS, LAST.reshape(400, -1)) == pytest.approx(wanted, rel=1e-6)


def test_a_sample_counts_the_same_however_many_of_its_channels_are_known():
    """Of 400 samples, 100 have but one of two channels: a step has one value in the table and in a rule."""
    labels = LABELS.copy()
    labels[:100, :, 1] = np.nan
    wanted = np.sqrt(np.mean(np.nanmean((LAST.astype(float) - labels) ** 2, axis=2), axis=0))
    assert rmse_by_step(labels, LAST) == pytest.approx(wanted, rel=1e-12)
    rmse = step_metric("rmse_step6")
    assert rmse and rmse.statistic
    assert rmse.statistic(Answers(labels, LAST, KERAS)).value == pytest.approx(wanted[5], rel=1e-12)
    broken, nowhere = LAST.copy(), labels.copy()
    broken[7, 2], nowhere[:, 3] = np.nan, np.nan  # an output that is NaN is no hole
    assert np.isnan(rmse_by_step(nowhere, broken)).tolist() == [False, False, True, True, False, False]


def test_a_rule_may_name_a_step():
    rule = '[[rule]]\nmetric = "{}"\nmax_increase = "10%"\nagainst = "keras"\nvariant = "int8"\n'
    policy = "".join(rule.format(name) for name in ("rmse_step1", "rmse_step6", "rmse_step7"))
    findings = judge(compare(run()), parse_policy(policy, "policy.toml")).findings
    assert [finding.outcome for finding in findings] == ["pass", "fail", "missing"]
    assert "the horizon has 6 steps" in findings[2].reason
    absolute = '[[rule]]\nmetric = "rmse_step1"\nmax = 0.2\n[[rule]]\nmetric = "mae_step6"\nmax = 0.5\n'
    found = judge(compare(run()), parse_policy(absolute, "policy.toml")).findings
    assert [finding.outcome for finding in found if finding.case == case("int8")] == ["pass", "fail"]


def test_a_step_beyond_the_horizon_is_refused_before_anything_is_measured():
    data = Dataset("made", (), None, (LABELS,), LABELS, (Affine(),), (), "made")
    assert check(Scoring("rmse_step6"), data, [KERAS])[1] == "regression"
    with pytest.raises(ConfigError, match="no step 7"):
        check(Scoring("rmse_step7"), data, [KERAS])


def test_a_forecast_that_is_at_chance_at_its_step_passes_no_rule_on_it():
    lost = KERAS.copy()
    lost[:, 5] = RNG.permutation(LABELS[:, 5])
    made = run_of("regression", LABELS, lost, {"int8": lost}, Scoring("rmse"))
    policy = '[[rule]]\nmetric = "rmse_step{}"\nmax = 9.0\n'
    found = judge(compare(made), parse_policy(policy.format(1) + policy.format(6), "policy.toml")).findings
    assert [finding.outcome for finding in found] == ["pass", "inconclusive"]
    assert "is not shown to be over chance" in found[1].reason


def test_the_report_has_a_line_a_step():
    part = by_step(Material(compare(run())))
    assert part is not None
    (table,) = part.blocks[0].tables  # type: ignore[attr-defined]
    assert [heading.title for heading in table.headings][:2] == ["Step", "Keras"] and len(table.lines) == 6
    keras = [float(line.cells[1].text) for line in table.lines]
    assert keras == pytest.approx(rmse_by_step(LABELS, KERAS), rel=1e-3)
    assert (
        by_step(Material(compare(run_of("regression", LABELS[:, 0, 0], KERAS[:, 0, 0], {"int8": KERAS[:, 0, 0]}))))
        is None
    )
