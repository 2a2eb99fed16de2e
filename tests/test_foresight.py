"""What a policy can decide on a test set, before anything is measured."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom, norm

from harness.gate import foresight
from harness.gate.foresight import foresee
from harness.gate.known import Known
from harness.gate.policy.policy_file import parse_policy
from harness.gate.simulated import Supposed
from tests.conftest import Call

DROP = '[[rule]]\nmetric = "accuracy_drop"\nmax = "1pp"\n'
SIZE = '[[rule]]\nmetric = "size_bytes"\nmax = "1MB"\n'


def test_each_rule_says_what_it_takes_or_why_that_is_not_known() -> None:
    drop, size = foresee(parse_policy(DROP + SIZE, "policy.toml"), Known(1_000), [0.004])
    (chances,) = drop.chances
    assert drop.fewest == 299 and chances.at_limit <= 0.05 < 0.97 < chances.harmless
    assert size.chances == () and "decided by its value" in size.why


def test_so_many_samples_pass_about_so_often() -> None:
    policy = parse_policy(DROP, "policy.toml")
    (before,) = foresee(policy, Known(1_000), [0.02])
    for needed, power in zip(before.chances[0].needed, (0.8, 0.9), strict=True):
        (after,) = foresee(policy, Known(needed), [0.02])
        assert after.chances[0].harmless == pytest.approx(power, abs=0.05)


def test_a_limit_of_a_share_is_foreseen_by_the_binomial() -> None:
    """Of 1,000 samples, 12 flips are the most whose upper 95 % limit (Clopper & Pearson 1934) is under 2 %."""
    (flips,) = foresee(parse_policy('[[rule]]\nmetric = "flip_rate"\nmax = "2%"\n', "p"), Known(1_000), [0.01])
    assert binom.cdf(12, 1_000, 0.02) < 0.05 < binom.cdf(13, 1_000, 0.02) and 0.98**149 < 0.05 < 0.98**148
    (chances,) = flips.chances
    assert flips.fewest == 149 and "12 may count against it" in flips.why
    assert chances.harmless == pytest.approx(binom.cdf(12, 1_000, 0.01))
    assert chances.at_limit == pytest.approx(binom.cdf(12, 1_000, 0.02))


@pytest.mark.parametrize(
    ("rule", "fewest", "told"),
    [
        ('metric = "class_accuracy_drop"\nmax = "3pp"', None, "too few to pass without an improvement: class 1 has 20"),
        ('metric = "f1"\nmin = 0.9', None, "suppose it by --baseline PERCENT"),
        ('metric = "distance"\nmax = 3', 299, "how the model's errors are spread"),
        ('metric = "latency_p50"\nmax = "5ms"', None, "6 rounds or more"),
        ('metric = "class_accuracy_drop"\nmax = "3%"', None, "how often Keras is right in each class"),
    ],
)
def test_of_each_other_rule_it_is_said_what_is_known(rule: str, fewest: int | None, told: str) -> None:
    labels = np.repeat([0, 1], [980, 20])
    (found,) = foresee(parse_policy(f"[[rule]]\n{rule}\n", "p"), Known(1_000, labels))
    assert found.fewest == fewest and told in found.why
    assert found.chances == () or "class 1 has 20" in found.why


EVEN = np.arange(1_000) % 4


def by_exact_test(samples: int, changed: float) -> float:
    (found,) = foresee(parse_policy(DROP, "p"), Known(samples), [changed])
    return found.chances[0].harmless


@pytest.mark.parametrize("metric", ["balanced_accuracy", "f1"])
def test_of_even_classes_a_drawn_share_is_about_that_of_accuracy(metric: str) -> None:
    rule = f'[[rule]]\nmetric = "{metric}"\nmax_decrease = "1pp"\nagainst = "keras"\n'
    (found,) = foresee(parse_policy(rule, "p"), Known(1_000, EVEN), [0.01])
    (chances,) = found.chances
    assert chances.harmless == pytest.approx(by_exact_test(1_000, 0.01), abs=0.2)
    assert chances.at_limit is not None and chances.at_limit <= 0.1
    assert 600 < chances.needed[0] < 1_100 and chances.needed[0] < chances.needed[1]
    assert "class 0 is the rarest, with 250" in found.why and "supposed right in 90 % of each class" in found.why


def test_numbers_are_drawn_by_the_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    """How far the RMSE moves in the mean of n pairs: moved · √(1 − moved²/4) / √n of it, errors being normal."""
    labels, moved = np.random.default_rng(1).gamma(3, 1, 1_000), 0.3
    monkeypatch.setattr(foresight, "MOVED", (moved,))
    rule = '[[rule]]\nmetric = "rmse"\nmax_increase = "2%"\nagainst = "keras"\n'
    (found,) = foresee(parse_policy(rule, "p"), Known(1_000, labels))
    chances = found.chances[-1]
    sd = moved * np.sqrt(1 - moved**2 / 4) / np.sqrt(1_000)
    assert chances.changed == moved and found.fewest == 299
    assert chances.harmless == pytest.approx(norm.cdf(0.02 / sd - norm.ppf(0.95)), abs=0.2)
    assert chances.needed[0] == pytest.approx(1_000 * ((norm.ppf(0.95) + norm.ppf(0.8)) * sd / 0.02) ** 2, rel=0.15)
    assert "supposed to explain 90 %" in found.why


def test_groups_of_one_are_about_as_good_as_samples_and_alike_ones_worse() -> None:
    policy = parse_policy(DROP, "p")
    (single,) = foresee(policy, Known(1_000, EVEN, np.arange(1_000)), [0.01])
    assert single.chances[0].harmless == pytest.approx(by_exact_test(1_000, 0.01), abs=0.2)
    clips = Known(4_000, np.tile(EVEN, 4), np.repeat(np.arange(1_000), 4))
    loose, tight = (foresee(policy, clips, [0.02], Supposed(alike=rho))[0].chances[0] for rho in (0.0, 1.0))
    assert loose.harmless > tight.harmless + 0.1 and tight.needed[0] > 2 * loose.needed[0]
    assert tight.harmless == pytest.approx(by_exact_test(1_000, 0.02), abs=0.15)
    assert max(loose.at_limit or 0, tight.at_limit or 0) <= 0.1


def test_a_ratio_is_foreseen_where_keras_is_supposed_right_so_often() -> None:
    growth = parse_policy('[[rule]]\nmetric = "error_rate_growth"\nmax = "20%"\n', "p")
    good, bad = (foresee(growth, Known(3_000), [0.01], Supposed(right))[0] for right in (0.98, 0.6))
    assert good.chances[0].harmless < bad.chances[0].harmless and "right in 98 %" in good.why
    assert good.fewest and bad.fewest and good.fewest > 10 * bad.fewest


def test_the_command_shows_it(harness: Call) -> None:
    code, out, _ = harness("power", "--samples", "1000", "--flips", "2")
    assert code == 0 and "299" in out and "1,000 independent test samples" in out
    code, _, err = harness("power", "digits", "--policy", "nowhere.toml")
    assert code == 2 and "nowhere.toml" in err
    code, _, err = harness("power")
    assert code == 2 and "one of an experiment and --samples is needed" in err


ALONE = 'against = "keras"\n'


@pytest.mark.parametrize("metric", ["label_accuracy", "label_f1"])
def test_several_labels_a_sample_are_drawn(metric: str) -> None:
    """Of n · L labels of which a share changes, as many lost as won, the mean moves by √(changed / (n · L))."""
    labels = (np.random.default_rng(2).random((1_500, 4)) < 0.5).astype(int)
    rule = f'[[rule]]\nmetric = "{metric}"\nmax_decrease = "1pp"\n{ALONE}'
    (found,) = foresee(parse_policy(rule, "p"), Known(1_500, labels), [0.02])
    (chances,) = found.chances
    sd = np.sqrt(0.02 / labels.size)
    assert chances.harmless == pytest.approx(norm.cdf(0.01 / sd - norm.ppf(0.95)), abs=0.12)
    assert "right in 90 % of each label" in found.why and chances.needed[0] < 1_500
    assert chances.at_limit is None if metric == "label_f1" else (chances.at_limit or 0) <= 0.1


def test_each_output_with_labels_is_foreseen_by_its_own() -> None:
    """A rule on classes says of the second output what its classes allow, not what the first one's do."""
    rare = np.repeat([0, 1], [980, 20])
    known = Known(1_000, EVEN, None, "digit", {"fault": rare, "size": np.linspace(0, 1, 1_000)})
    rule = '[[rule]]\nmetric = "class_accuracy_drop"\nmax = "3pp"\n'
    first, second = foresee(parse_policy(rule, "p"), known, [0.01])
    assert first.words.endswith("output digit") and second.words.endswith("output fault")
    assert "each class has enough" in first.why and "class 1 has 20" in second.why
    (named,) = foresee(parse_policy(rule + 'output = "fault"\n', "p"), known, [0.01])
    assert (named.chances, named.why) == (second.chances, second.why)
    (none,) = foresee(parse_policy(rule + 'output = "size"\n', "p"), known, [0.01])
    assert none.chances == () and "digit, fault and size" in none.why
    (once,) = foresee(parse_policy('[[rule]]\nmetric = "flip_rate"\nmax = "1%"\n', "p"), known, [0.002])
    assert "output" not in once.words


def test_a_head_is_foreseen_by_its_declared_task_and_a_supposed_one_is_named() -> None:
    """Identities look like classes: where the experiment says that they are none, no rule on classes is of them."""
    rule, faces = '[[rule]]\nmetric = "accuracy_drop"\nmax = "1pp"\n', np.arange(1_000) // 2
    known = Known(1_000, EVEN, None, "digit", {"face": faces})
    assert [(f.task, f.task_supposed) for f in foresee(parse_policy(rule, "p"), known)] == [
        ("classification", True)
    ] * 2
    told = replace(known, tasks={"digit": "classification", "face": "embedding"})
    (digit,) = foresee(parse_policy(rule, "p"), told)
    assert digit.chances and (digit.task, digit.task_supposed) == ("classification", False)
    (alone,) = foresee(parse_policy(rule, "p"), Known(1_000, faces, tasks={"": "embedding"}))
    assert alone.chances == () and alone.why == "accuracy_drop says nothing of an output whose task is embedding"
    (looks,) = foresee(parse_policy(rule, "p"), Known(1_000, np.linspace(0, 9, 1_000)))
    assert looks.chances == () and "look like those of regression" in looks.why
    (marks,) = foresee(parse_policy(rule, "p"), Known(1_000, (EVEN % 2).astype(np.float32)))
    assert marks.chances and marks.task == "classification"


IN_FOURS = np.repeat(np.arange(1_000), 4)


def test_of_auc_over_groups_the_fewest_groups_are_told_and_f1_min_takes_how_good_keras_is() -> None:
    known = Known(4_000, np.tile(EVEN, 4), IN_FOURS)
    for rule, told in (('"auc"\nmin = 0.9', "not simulated"), ('"f1"\nmin = 0.9', "--baseline PERCENT")):
        (found,) = foresee(parse_policy(f"[[rule]]\nmetric = {rule}\n", "p"), known)
        assert found.chances == () and "299 groups are the fewest" in found.why and "1,000 groups" in found.why
        assert told in found.why


@pytest.mark.parametrize("metric", ["f1", "balanced_accuracy"])
def test_of_groups_that_change_as_a_whole_a_score_passes_about_as_often_as_accuracy_of_so_many_samples(
    metric: str,
) -> None:
    rule = f'[[rule]]\nmetric = "{metric}"\nmax_decrease = "1pp"\n{ALONE}'
    labels = np.repeat(EVEN, 4)  # of one class each, so that a group is one sample four times
    (found,) = foresee(parse_policy(rule, "p"), Known(4_000, labels, IN_FOURS), [0.02], Supposed(alike=1.0))
    (chances,) = found.chances
    assert chances.harmless == pytest.approx(by_exact_test(1_000, 0.02), abs=0.25) and chances.at_limit is None
    assert chances.needed[0] == pytest.approx(1_397, rel=0.35)  # of samples, by Tango
    assert "299 groups are the fewest" in found.why and "N counts groups" in found.why


def test_numbers_over_groups_take_as_many_more_as_they_are_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of four samples that are correlated by ρ the mean has (1 + 3 ρ) / 4 of the variance."""
    monkeypatch.setattr(foresight, "MOVED", (0.5,))
    labels, rule = (
        np.random.default_rng(1).gamma(3, 1, 4_000),
        f'[[rule]]\nmetric = "mae"\nmax_increase = "4%"\n{ALONE}',
    )
    known = Known(4_000, labels, IN_FOURS)
    each = [foresee(parse_policy(rule, "p"), known, [], Supposed(alike=rho))[0].chances[0] for rho in (0.3, 1.0)]
    assert each[0].harmless > each[1].harmless
    assert each[1].needed[0] / each[0].needed[0] == pytest.approx(4 / 1.9, rel=0.25)
