"""What a policy can decide on a test set, before anything is measured."""

from __future__ import annotations

import pytest

from harness.gate.foresight import foresee
from harness.gate.policy.policy_file import parse_policy
from tests.conftest import Call

DROP = '[[rule]]\nmetric = "accuracy_drop"\nmax = "1pp"\n'
SIZE = '[[rule]]\nmetric = "size_bytes"\nmax = "1MB"\n'


def test_each_rule_says_what_it_takes_or_why_that_is_not_known() -> None:
    drop, size = foresee(parse_policy(DROP + SIZE, "policy.toml"), 1_000, [0.004])
    (chances,) = drop.chances
    assert drop.fewest == 299 and chances.at_limit <= 0.05 < 0.97 < chances.harmless
    assert size.chances == () and "a drop of accuracy in pp alone" in size.why


def test_so_many_samples_pass_about_so_often() -> None:
    policy = parse_policy(DROP, "policy.toml")
    (before,) = foresee(policy, 1_000, [0.02])
    for needed, power in zip(before.chances[0].needed, (0.8, 0.9), strict=True):
        (after,) = foresee(policy, needed, [0.02])
        assert after.chances[0].harmless == pytest.approx(power, abs=0.05)


def test_the_command_shows_it(harness: Call) -> None:
    code, out, _ = harness("power", "--samples", "1000", "--flips", "2")
    assert code == 0 and "299" in out and "1,000 independent test samples" in out
    code, _, err = harness("power")
    assert code == 2 and "one of an experiment and --samples is needed" in err
