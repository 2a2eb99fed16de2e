"""gate/judge/grouped.py: what each rule on answers says where samples come in groups, and what the report says."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np
import pytest

from harness.compare.baseline import compare
from harness.compare.two_runs import compare_runs
from harness.experiment.plans import PLANS
from harness.gate import decide
from harness.gate.decide import judge
from harness.gate.hopeless import hopeless
from harness.gate.judge.grouped import passes_over
from harness.gate.judge.resampled import held_of
from harness.gate.known import Known
from harness.gate.policy.policy_file import parse_policy
from harness.metrics.left_out import Summed, of_sums
from harness.metrics.registry import METRICS, Answers
from harness.records import Comparison, Finding, Run, Scoring
from harness.report.material import material_of
from harness.report.out import html
from harness.statistics.bootstrap import Statistic
from tests.made_tasks import classes, numbers, regression, run_of

POLICY = "policy.toml"
LEAST_P = 1e-5  # of the exact test: the risk of its confidence set is added


def found(run: Run, rule: str, reference: Run | None = None) -> Finding:
    policy = parse_policy(f'[[rule]]\nvariant = "int8"\n{rule}', POLICY, run.scoring)
    (finding,) = judge(compare(run), policy, compare(reference) if reference else None).findings
    return finding


def answers_of(predictions: np.ndarray, width: int = 4) -> np.ndarray:
    return np.asarray(np.eye(width, dtype=np.float32)[predictions] * 0.7 + 0.3 / width, np.float32)


def clips(count: int, frames: int, lost: int = 0, spread: bool = False) -> Run:
    """Keras is right on every frame; int8 is wrong on so many: whole clips, or where `spread` one frame of each."""
    labels = np.random.default_rng(0).integers(0, 4, count * frames)
    wrong = np.arange(len(labels)) % frames == 0 if spread else np.ones(len(labels), bool)
    places = np.flatnonzero(wrong)[:lost]
    given = labels.copy()
    given[places] = (given[places] + 1) % 4
    run = run_of(
        "classification", labels, answers_of(labels), {"float32": answers_of(labels), "int8": answers_of(given)}
    )
    return replace(run, groups=np.repeat(np.arange(count, dtype=np.int32), frames))


def alone(run: Run) -> Run:
    return replace(run, groups=None)


DROP = 'metric = "accuracy_drop"\nmax = "{}"'


def test_frames_of_a_clip_are_not_so_many_samples():
    run = clips(100, 20)
    assert found(alone(run), DROP.format("1pp")).outcome == "pass"
    finding = found(run, DROP.format("1pp"))
    assert (finding.outcome, finding.value) == ("inconclusive", 0.0)
    assert finding.method == "clustered, b=0 c=0 n=2000, 100 groups of 20 samples"
    assert "there are 100: samples of one group are not independent" in finding.reason
    assert found(clips(400, 20), DROP.format("1pp")).outcome == "pass"


def test_before_anything_is_measured_the_rules_that_so_few_groups_cannot_pass_are_named():
    policy = parse_policy(f"[[rule]]\n{DROP.format('1pp')}\n[[rule]]\n{DROP.format('5pp')}", POLICY)
    known = Known(2_000, np.zeros(2_000, int), np.repeat(np.arange(100), 20))
    (sentence,) = hopeless(policy, known, PLANS["quick"])
    assert sentence.startswith("rule 1, ") and sentence.endswith("there are 100 groups of 20 samples")
    assert hopeless(policy, replace(known, groups=None), PLANS["quick"]) == ()


def test_a_drop_passes_and_fails_over_groups():
    assert found(clips(400, 20, lost=40, spread=True), DROP.format("3pp")).outcome == "pass"
    assert found(clips(100, 20, lost=40 * 20), DROP.format("3pp")).outcome == "fail"
    undecided = found(clips(100, 20, lost=3 * 20), DROP.format("4pp"))
    assert undecided.outcome == "inconclusive" and "too few groups to decide: if these 100 show" in undecided.reason
    assert undecided.value == pytest.approx(3.0) and undecided.low < 3 < 4 < undecided.high


@pytest.mark.parametrize(
    ("rule", "unit", "value"),
    [
        ('metric = "accuracy_drop"\nmax = "20%"', "%", 5.0),
        ('metric = "accuracy"\nmin = 0.8', "fraction", 0.95),
        ('metric = "accuracy"\nmax_decrease = "20pp"\nagainst = "float32"', "pp", 5.0),
        ('metric = "flip_rate"\nmax = "20%"', "fraction", 0.05),
        ('metric = "agreement"\nmin = "80%"', "fraction", 0.95),
        ('metric = "agreement"\nmax_decrease = "20pp"\nagainst = "float32"', "pp", 5.0),
        ('metric = "class_accuracy_drop"\nmax = "90pp"', "pp", None),
    ],
)
def test_every_rule_on_shares_is_decided_over_groups(rule: str, unit: str, value: float | None):
    run = clips(200, 10, lost=100)
    finding = found(run, rule)
    assert (finding.outcome, finding.unit) == ("pass", unit)
    assert "clustered" in finding.method and "groups of" in finding.method
    assert value is None or finding.value == pytest.approx(value)
    plain = found(alone(run), rule)
    assert finding.high - finding.low > 1.5 * (plain.high - plain.low)
    assert finding.p is not None and plain.p is not None
    assert finding.p >= plain.p or plain.p <= LEAST_P


def test_errors_that_grow_are_those_of_before():
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 4, 6_000)
    keras, int8 = ((labels + (rng.random(6_000) < share)) % 4 for share in (0.2, 0.21))
    run = run_of("classification", labels, answers_of(keras), {"float32": answers_of(keras), "int8": answers_of(int8)})
    run = replace(run, groups=np.repeat(np.arange(600, dtype=np.int32), 10))
    finding = found(run, 'metric = "error_rate_growth"\nmax = "60%"')
    before, after = (keras != labels).sum(), (int8 != labels).sum()
    assert finding.outcome == "pass" and finding.unit == "%"
    assert finding.value == pytest.approx(100 * (after - before) / before)
    none = found(clips(100, 20, lost=20), 'metric = "error_rate_growth"\nmax = "60%"')
    assert none.outcome == "not_comparable"


def test_too_few_groups_decide_nothing():
    few = found(clips(8, 500, lost=500), DROP.format("20pp"))
    assert few.outcome == "inconclusive" and "worth 8.0 of one size: under 10 decide nothing" in few.reason
    sizes = np.r_[2_000, np.full(100, 5)]
    run = replace(clips(100, 25), groups=np.repeat(np.arange(101, dtype=np.int32), sizes))
    assert "worth 1.6 of one size" in found(run, DROP.format("20pp")).reason


def test_other_metrics_are_decided_over_groups_or_not_at_all():
    run = regression(samples=1_600)
    in_groups = replace(run, groups=np.repeat(np.arange(400, dtype=np.int32), 4))
    rule = 'metric = "mae"\nmax_increase = "10%"\nagainst = "keras"'
    finding = found(in_groups, rule)
    assert finding.outcome == "pass" and finding.method == "jackknife 90 % over 400 groups"
    assert finding.value == pytest.approx(found(run, rule).value)
    few = replace(run, groups=np.repeat(np.arange(100, dtype=np.int32), 16))
    assert found(few, rule).outcome == "inconclusive" and "100 groups: 299 are the fewest" in found(few, rule).reason
    same = classes(Scoring("f1"), samples=400)
    none = replace(same, shards=tuple(replace(s, outputs=(same.baseline[0],)) for s in same.shards))
    none = replace(none, groups=np.repeat(np.arange(100, dtype=np.int32), 4))
    silent = found(none, 'metric = "f1"\nmax_decrease = "1pp"\nagainst = "keras"')
    assert silent.outcome == "inconclusive" and "none of 100 groups moves it" in silent.reason


def metric(comparison: Comparison, name: str) -> tuple[float | None, float | None, str]:
    change = next(c for c in comparison.changes if c.case.variant == "int8" and c.metric == name)
    return change.low, change.high, change.method


def test_a_rule_that_has_no_judge_over_groups_is_inconclusive(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delitem(decide.GROUPED, "flip_rate")
    finding = found(clips(200, 10), 'metric = "flip_rate"\nmax = "20%"')
    assert (finding.outcome, finding.holds) == ("inconclusive", False)
    assert "flip_rate is not decided over groups" in finding.reason


def test_the_intervals_of_a_run_are_over_groups():
    run = clips(100, 20, lost=60)
    grouped, plain = compare(run), compare(alone(run))
    for name in ("accuracy_drop", "agreement"):
        (low, high, words), (one, other, _) = metric(grouped, name), metric(plain, name)
        assert low is not None and high is not None and one is not None and other is not None
        assert high - low > 2 * (other - one) and "clustered, 100 groups of 20 samples" in words
    assert metric(grouped, "mcnemar_p")[2].startswith("McNemar's test is of independent samples")
    asked = replace(run, scoring=Scoring("f1"))
    assert "over 100 groups" in metric(compare(asked), "f1_change")[2]


def test_two_runs_are_compared_over_groups_and_only_where_these_are_the_same():
    run = replace(clips(100, 20, lost=60), hashes={"test": "7" * 64, "marks": "8" * 64})
    shown = compare_runs(run, run)
    change = next(c for c in shown.changes if c.metric == "accuracy_drop" or c.metric == "accuracy")
    assert "clustered" in change.method
    other = replace(alone(run), hashes={"test": "7" * 64})
    shown = compare_runs(other, run)
    assert any("clips and groups" in c.method for c in shown.changes)


def page(run: Run) -> str:
    """The page of a run without its plots."""
    return html.render(material_of(compare(run)), ())


def test_the_report_says_how_many_groups_there_are():
    run = clips(100, 20, lost=60)
    assert "2,000 test samples, 4 classes, in 100 groups of 20 samples" in page(run)
    assert "two-sided 90 % clustered interval" in page(run).replace("\u00a0", " ") and "Tango" not in page(run)
    assert "Tango" in page(alone(run)) and "clustered" not in page(alone(run))


def test_copies_are_said_in_the_reason_of_a_gate_and_in_the_report():
    run = alone(clips(6, 100))
    copied = replace(run, provenance=replace(run.provenance, distinct=6))
    finding = found(copied, DROP.format("1pp"))
    assert "its 600 test samples are 6 different ones" in finding.reason
    assert "600 test samples, 4 classes, 6 of them different" in page(copied)
    assert (
        "different ones" not in found(replace(copied, groups=np.repeat(np.arange(6), 100)), DROP.format("1pp")).reason
    )
    unlike = replace(run, provenance=replace(run.provenance, distinct=590))
    assert "different ones" not in found(unlike, DROP.format("1pp")).reason


def of_classes(samples: int, rare: int, per_group: int = 1) -> Run:
    """Four classes of which the last has few samples; int8 answers as Keras does, which is right."""
    labels = np.arange(samples) % 3
    labels[:: samples // rare][:rare] = 3
    answers = answers_of(labels)
    run = run_of("classification", labels, answers, {"float32": answers, "int8": answers}, Scoring("f1"))
    return replace(run, groups=np.arange(samples, dtype=np.int32) // per_group)


F1 = 'metric = "f1"\nmax_decrease = "2pp"\nagainst = "keras"'


def test_what_did_not_move_is_bounded_over_groups_as_it_is_without():
    rare = of_classes(600, rare=5)
    assert found(alone(rare), F1).outcome == "inconclusive"
    finding = found(rare, F1)
    assert finding.outcome == "inconclusive" and "class 3 occurs in 5 groups, and 59 are needed" in finding.reason
    assert found(of_classes(4_000, rare=1_000), F1).outcome == "pass"


def test_a_rare_class_in_few_groups_at_its_limit_passes_one_time_in_twenty_at_most():
    passed, rng = 0, np.random.default_rng(11)
    for _ in range(30):
        labels = rng.integers(0, 3, 800)
        labels[rng.random(800) < 0.01] = 3
        lost = (labels == 3) & (rng.random(800) < 0.2)  # a quarter of .2 is what balanced accuracy loses: its limit
        keras, int8 = answers_of(labels), answers_of(np.where(lost, 0, labels))
        run = run_of("classification", labels, keras, {"int8": int8}, Scoring("balanced_accuracy"))
        run = replace(run, groups=np.arange(800, dtype=np.int32) // 2)
        rule = 'metric = "balanced_accuracy"\nmax_decrease = "5pp"\nagainst = "keras"'
        passed += found(run, rule).outcome == "pass"
    assert passed <= 3


@pytest.mark.parametrize("metric", ["f1", "balanced_accuracy"])
def test_a_group_that_no_test_set_shows_may_be_lost_as_a_whole(metric: str):
    """Where one clip in 1,000 is lost, 299 clips show none in .999^299 = 74 %: the limit of .1 pp is not shown."""
    run, rule = clips(299, 20), f'metric = "{metric}"\nagainst = "keras"\nmax_decrease = "{{}}"'
    assert found(alone(run), rule.format("0.1pp")).outcome == "pass"
    finding = found(run, rule.format("0.1pp"))
    assert finding.outcome == "inconclusive" and "wholly lost may be missing among 299" in finding.reason
    assert found(run, rule.format("5pp")).outcome == "pass"


def test_silence_passes_at_the_confidence_of_the_rule_alone_and_never_a_limit_of_0():
    labels, keras, _ = numbers(samples=400)
    run = replace(run_of("regression", labels, keras, {"int8": keras}), groups=np.arange(400, dtype=np.int32))
    rule = 'metric = "mae"\nmax_increase = {}\nagainst = "keras"\nconfidence = {}'
    outcomes = [found(run, rule.format(*given)).outcome for given in ((0.1, 0.95), (0.1, 0.999), (0, 0.95))]
    assert outcomes == ["pass", "inconclusive", "inconclusive"]


def test_a_count_of_flips_is_judged_over_groups_as_the_rate_that_it_is():
    rule = 'metric = "flips"\nmax = {}'
    assert found(clips(200, 10, lost=20), rule.format(400)).outcome == "pass"
    assert found(clips(200, 10, lost=20), rule.format(25)).outcome == "inconclusive"
    assert "not decided over groups" in found(clips(200, 10), rule.format(0)).reason


@pytest.mark.parametrize("metric", ["f1", "balanced_accuracy", "auc"])
def test_a_plain_loss_fails_over_few_groups_and_no_groups_worth_10_do(metric: str):
    rule = f'metric = "{metric}"\nmax_decrease = "1pp"\nagainst = "keras"'
    assert [found(clips(count, 10, lost=4 * count, spread=False), rule).outcome for count in (40, 8)] == [
        "fail",
        "inconclusive",
    ]


def test_where_all_answers_are_right_what_could_be_lost_decides_over_groups():
    """Of 600 groups none is lost, which one in 200 may be: .995^598 is under 5 %."""
    rule = 'metric = "f1"\nmin = {}'
    assert [found(clips(600, 10), rule.format(limit)).outcome for limit in (0.99, 0.999)] == ["pass", "inconclusive"]


@pytest.mark.parametrize(("count", "passed"), [(400, True), (290, False)])
def test_the_judge_and_what_is_foreseen_agree_where_every_answer_is_right(count: int, passed: bool) -> None:
    """A group in a hundred that is lost is missing among 299 of them in one test set of 20."""
    run, rule = clips(count, 4), 'metric = "f1"\nmin = 0.95'
    assert (found(run, rule).outcome == "pass") is passed
    policy, metric = parse_policy(f"[[rule]]\n{rule}", POLICY), METRICS["f1"]
    assert run.labels is not None and run.groups is not None and metric.statistic
    made = metric.statistic(Answers(run.labels, run.baseline[0], run.baseline[0]))
    whole = cast(Statistic, of_sums(cast(Summed, made), run.groups))
    held, apart = (held_of(policy.rules[0], metric, each, None, len(run.labels)) for each in (whole, made))
    assert passes_over(held, apart, run.labels, run.groups, 0.05) is passed
