"""What a policy can decide on a test set, before anything is measured."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from harness.gate.foresight import foresee
from harness.gate.policy.policy_file import parse_policy
from tests.conftest import Call

DROP = '[[rule]]\nmetric = "accuracy_drop"\nmax = "1pp"\n'
SIZE = '[[rule]]\nmetric = "size_bytes"\nmax = "1MB"\n'


def test_each_rule_says_what_it_takes_or_why_that_is_not_known() -> None:
    drop, size = foresee(parse_policy(DROP + SIZE, "policy.toml"), 1_000, [0.004])
    (chances,) = drop.chances
    assert drop.fewest == 299 and chances.at_limit <= 0.05 < 0.97 < chances.harmless
    assert size.chances == () and "decided by its value" in size.why


def test_so_many_samples_pass_about_so_often() -> None:
    policy = parse_policy(DROP, "policy.toml")
    (before,) = foresee(policy, 1_000, [0.02])
    for needed, power in zip(before.chances[0].needed, (0.8, 0.9), strict=True):
        (after,) = foresee(policy, needed, [0.02])
        assert after.chances[0].harmless == pytest.approx(power, abs=0.05)


def test_a_limit_of_a_share_is_foreseen_by_the_binomial() -> None:
    """Of 1,000 samples, 12 flips are the most whose upper 95 % limit (Clopper & Pearson 1934) is under 2 %."""
    (flips,) = foresee(parse_policy('[[rule]]\nmetric = "flip_rate"\nmax = "2%"\n', "p"), 1_000, [0.01])
    assert binom.cdf(12, 1_000, 0.02) < 0.05 < binom.cdf(13, 1_000, 0.02) and 0.98**149 < 0.05 < 0.98**148
    (chances,) = flips.chances
    assert flips.fewest == 149 and "12 may count against it" in flips.why
    assert chances.harmless == pytest.approx(binom.cdf(12, 1_000, 0.01))
    assert chances.at_limit == pytest.approx(binom.cdf(12, 1_000, 0.02))


@pytest.mark.parametrize(
    ("rule", "fewest", "told"),
    [
        ('metric = "class_accuracy_drop"\nmax = "3pp"', None, "too few to pass without an improvement: class 1 has 20"),
        ('metric = "f1"\nmax_decrease = "1pp"\nagainst = "keras"', None, "class 1 is the rarest, with 20: "),
        ('metric = "mae"\nmax = 3', 299, "how the model's errors are spread"),
        ('metric = "latency_p50"\nmax = "5ms"', None, "6 rounds or more"),
        ('metric = "error_rate_growth"\nmax = "10%"', None, "how often Keras is right"),
    ],
)
def test_of_each_other_rule_it_is_said_what_is_known(rule: str, fewest: int | None, told: str) -> None:
    labels = np.repeat([0, 1], [980, 20])
    (found,) = foresee(parse_policy(f"[[rule]]\n{rule}\n", "p"), 1_000, labels=labels)
    assert found.fewest == fewest and told in found.why and found.chances == ()


def test_the_command_shows_it(harness: Call) -> None:
    code, out, _ = harness("power", "--samples", "1000", "--flips", "2")
    assert code == 0 and "299" in out and "1,000 independent test samples" in out
    code, _, err = harness("power")
    assert code == 2 and "one of an experiment and --samples is needed" in err
