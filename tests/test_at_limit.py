"""How often a model exactly at the limit would pass: against the binomial, and sums of simulated test sets."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from harness.compare.baseline import compare
from harness.gate.at_limit import Explain
from harness.gate.decide import judge
from harness.gate.policy.policy_file import parse_policy
from harness.records import Finding
from harness.statistics.bootstrap import Bounded, Influences
from harness.statistics.exact import exact_p
from harness.statistics.paired_limit import PairedLimit
from tests.made_tasks import classes


def finding(rule: str, explain: Explain = "simulated") -> Finding:
    policy = parse_policy(f'[[rule]]\nvariant = "int8"\n{rule}', "p")
    return judge(compare(classes()), policy, explain=explain).findings[0]


def test_a_share_passes_at_its_limit_as_often_as_the_binomial_says() -> None:
    found = finding('metric = "flip_rate"\nmax = "10%"')
    most = max(count for count in range(400) if binom.cdf(count, 400, 0.1) < 0.05)
    assert found.passes_at_limit == pytest.approx(binom.cdf(most, 400, 0.1))
    assert f"would pass {100 * binom.cdf(most, 400, 0.1):.1f} % of the time (computed, n = 400)" in found.reason


def test_a_drop_passes_at_its_limit_as_often_as_in_simulated_test_sets() -> None:
    found = finding('metric = "accuracy_drop"\nmax = "5pp"')
    b, c = (int(word.split("=")[1]) for word in found.method.replace(",", "").split()[2:4])
    limit, rng = PairedLimit.of_difference(0.05), np.random.default_rng(2)
    changed = float(limit.discordance(b, c, 400))
    shares = [(changed + 0.05) / 2, (changed - 0.05) / 2, 1 - changed]
    drawn, times = np.unique(rng.multinomial(400, shares, 40_000)[:, :2], axis=0, return_counts=True)
    passed = [exact_p(limit, int(lost), int(won), 400) < 0.05 for lost, won in drawn]
    assert found.passes_at_limit == pytest.approx(times[passed].sum() / 40_000, abs=0.005)


def test_a_harmless_model_passes_as_often_as_in_simulated_test_sets() -> None:
    found = finding('metric = "accuracy_drop"\nmax = "2pp"')
    b, c = (int(word.split("=")[1]) for word in found.method.replace(",", "").split()[2:4])
    limit, rng, even = PairedLimit.of_difference(0.02), np.random.default_rng(3), (b + c) / 800
    drawn, times = np.unique(
        rng.multinomial(400, [even, even, 1 - 2 * even], 40_000)[:, :2], axis=0, return_counts=True
    )
    passed = [exact_p(limit, int(lost), int(won), 400) < 0.05 for lost, won in drawn]
    assert found.passes_if_harmless == pytest.approx(times[passed].sum() / 40_000, abs=0.008)
    assert "a harmless one" in found.reason


def test_a_harmless_model_passes_a_limit_of_a_score_more_often_than_one_at_it() -> None:
    found = finding('metric = "balanced_accuracy"\nmax_decrease = "8pp"\nagainst = "keras"')
    assert found.passes_if_harmless is not None and found.passes_at_limit is not None
    assert found.passes_at_limit < 0.08 < found.passes_if_harmless


def test_it_is_said_on_request_alone_and_where_an_exact_test_judged() -> None:
    assert finding('metric = "accuracy_drop"\nmax = "5pp"', explain="").passes_at_limit is None
    quick = finding('metric = "accuracy_drop"\nmax = "5pp"', explain="computed")
    assert quick.passes_at_limit is not None and quick.passes_if_harmless is not None and quick.reason == ""
    assert finding('metric = "f1"\nmin = "50%"', explain="computed").passes_at_limit is None
    other = finding('metric = "js_p99"\nmax = 0.2')
    assert other.passes_at_limit is None and "is not known" in other.reason


@pytest.mark.parametrize(
    "rule",
    ['metric = "f1"\nmax_decrease = "5pp"\nagainst = "keras"', 'metric = "balanced_accuracy"\nmin = "80%"',
     'metric = "ece"\nmax = 0.2', 'metric = "sqnr"\nmin = 10'],
)  # fmt: skip
def test_other_judges_are_tried_on_test_sets_of_a_model_at_the_limit(rule: str) -> None:
    """By simulation in tests/false_passes.py they pass in 0 to 6 %."""
    found = finding(rule)
    assert found.passes_at_limit is not None and found.passes_at_limit <= 0.08
    assert f"would pass about {100 * found.passes_at_limit:.0f} % of the time (simulated, " in found.reason


def test_test_sets_at_the_limit_have_it_as_their_mean() -> None:
    rng = np.random.default_rng(4)
    mean = Influences(0.3, np.linspace(-1, 1, 500), 500, 1.0)
    bounded = Bounded(np.repeat([0.0, 1.0], [400, 100]), 0, 1).alone
    for seen, limit in ((mean, 0.5), (bounded, 0.25), (bounded, 0.15)):
        for better in (1, -1):
            values = [seen.drawn(limit, better, rng).value for _ in range(400)]
            assert np.mean(values) == pytest.approx(limit, abs=4 * float(np.std(values)) / 20)
