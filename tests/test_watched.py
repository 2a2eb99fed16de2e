"""watched.py: the accuracy drop of a run that asks until it is decided, and the rules that want all samples."""

from __future__ import annotations

import pytest

from harness.gate.judge.watched import why_whole
from harness.gate.policy import default_policy
from harness.gate.policy.policy_file import parse_policy
from harness.statistics.anytime import anytime_p
from harness.statistics.exact import exact_p
from harness.statistics.paired_limit import PairedLimit
from tests.made_answers import DROP, RULE, found
from tests.test_early import stopped

ONE = 'metric = "accuracy_drop"\nmax = "1pp"\n'


@pytest.mark.parametrize(
    ("b", "c", "seen", "outcome"),
    [(0, 0, 400, "pass"), (0, 0, 350, "inconclusive"), (30, 2, 400, "fail"), (5, 2, 400, "inconclusive")],
)
def test_a_row_that_stopped_is_judged_by_a_test_that_may_stop(b: int, c: int, seen: int, outcome: str) -> None:
    finding = found(stopped(b, c, seen), ONE)
    assert finding.outcome == outcome and finding.method == f"betting, at any time, b={b} c={c} n={seen}"
    assert finding.p == anytime_p(b, c, seen, 0.01)
    assert finding.low is not None and finding.high is not None
    by_interval = "pass" if finding.high < 1 else "fail" if finding.low > 1 else "inconclusive"
    assert by_interval == outcome


def test_no_row_of_such_a_run_is_judged_by_a_test_of_one_look() -> None:
    """Whether it stopped or not: at the end of the test set it has been looked at before."""
    assert exact_p(PairedLimit.of_difference(0.01), 0, 0, 350) < 0.05
    assert found(stopped(0, 0, 350), ONE).outcome == "inconclusive"
    assert found(stopped(0, 0, seen=350, total=350), ONE).outcome == "inconclusive"


def test_what_is_not_decided_says_how_many_samples_would_and_how_to_ask_them() -> None:
    reason = found(stopped(0, 0, 350), ONE).reason
    assert "about 375 like these would pass" in reason
    assert "`harness run --resume 20260101-000000-0000 --policy FILE`" in reason and "up to 1,000 samples" in reason
    assert "--resume" not in found(stopped(0, 0, seen=350, total=350), ONE).reason  # there are no more
    assert "no number of samples" in found(stopped(4, 0, 400), ONE).reason


@pytest.mark.parametrize(
    "rule",
    [
        'metric = "f1"\nmax_decrease = "5pp"\nagainst = "keras"\n',
        'metric = "flip_rate"\nmax = 0.1\n',
        'metric = "max_abs_diff"\nmax = 2\n',
        'metric = "accuracy"\nmin = 0.5\n',
        'metric = "accuracy"\nmax_decrease = "5pp"\nagainst = "keras"\n',
        'metric = "accuracy_drop"\nmax = "5%"\n',
        'metric = "accuracy_drop"\nmax = "5pp"\nagainst = "float32"\n',
        'metric = "error_rate_growth"\nmax = "500%"\n',
        'metric = "class_accuracy_drop"\nmax = "5pp"\n',
    ],
)
def test_a_rule_of_the_whole_test_set_is_inconclusive_for_a_row_that_stopped(rule: str) -> None:
    finding = found(stopped(3, 3), rule)
    assert finding.outcome == "inconclusive" and finding.p is None and finding.value is None
    assert "of the whole test set" in finding.reason and "--resume" in finding.reason
    policy = parse_policy(RULE + rule, "policy.toml")
    assert "is decided of the whole test set" in why_whole(policy)


def test_rules_that_are_not_on_answers_do_not_care() -> None:
    assert found(stopped(0, 0), 'metric = "size_bytes"\nmax = "1MB"\n').outcome == "pass"


def test_a_policy_that_can_be_decided_early_has_a_rule_on_answers() -> None:
    size = RULE + 'metric = "size_bytes"\nmax = "1MB"\n'
    assert why_whole(default_policy()) == why_whole(parse_policy(DROP + size, "")) == ""
    assert why_whole(parse_policy(size, "")) == "no rule of the policy is on answers"
