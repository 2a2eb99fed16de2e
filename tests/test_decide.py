"""Comparison + Policy → Verdict: limits, outcomes, and how often a bad model gets through."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import optimize, stats

from harness.compare.baseline import compare
from harness.experiment.plans import PLANS
from harness.gate.decide import judge
from harness.gate.hopeless import hopeless
from harness.gate.judge.drops import holm
from harness.gate.judge.loss import DROP as DROP_MEASURE
from harness.gate.judge.loss import Loss
from harness.gate.known import Known
from harness.gate.policy import default_policy
from harness.gate.policy.policy_file import parse_policy
from harness.gate.policy.rules import Limit, Rule
from harness.gate.ship import shipping
from harness.gate.verdict_text import ships
from harness.metrics import METRICS
from harness.records import Finding, Run, Timings, Variant
from harness.statistics.paired_limit import PairedLimit
from harness.statistics.stats import ratio_limits
from tests import made_runs
from tests.made_answers import (
    BOARD,
    DROP,
    RIGHT,
    RULE,
    WRONG,
    dropped,
    found,
    made,
    rounds_of,
    scored,
    timed_run,
    twice,
    verdict_of,
)
from tests.made_runs import LITERT, case, shard

HALF_POINT = 'metric = "accuracy_drop"\nmax = "0.5pp"\n'
STEADY = [100, 101, 99, 100.5, 99.5, 100, 100.2, 99.8]
NOISE = [0.42, -0.27, 0.06, -0.06, 0.27, -0.42, 0.15, -0.15]


def rule(margin: float, confidence: float = 0.95) -> Rule:
    return Rule(1, "accuracy_drop", Limit("max", 100 * margin, False, "it"), confidence, against="keras")


def loss_of(b: int, c: int, n: int, margin: float, confidence: float = 0.95) -> Loss:
    return Loss(b, c, n, n, DROP_MEASURE, margin, rule(margin, confidence))


# --- Tango, told by another ----------------------------------------------------------------------------------------


def score(b: int, c: int, n: int, delta: float) -> float:
    """z(δ) with the nuisance proportion found by maximising the likelihood, not by Tango's closed form.

    Of n pairs, b have probability q + δ, c have q and the rest 1 − 2q − δ.
    """

    def slope(q: float) -> float:
        return b / (q + delta) + (c / q if c else 0.0) - 2 * (n - b - c) / (1 - 2 * q - delta)

    low, high = max(0.0, -delta), (1 - delta) / 2
    inside = (high - low) * 1e-13
    at_low = low + inside
    if slope(at_low) <= 0:
        q = low
    elif slope(high - inside) >= 0:
        q = high
    else:
        q = optimize.brentq(slope, at_low, high - inside, xtol=1e-16)
    return (b - c - n * delta) / math.sqrt(n * (2 * q + delta * (1 - delta)))


def independent(b: int, c: int, n: int, confidence: float) -> tuple[float, float]:
    z, point = stats.norm.ppf(confidence), (b - c) / n

    def limit(side: int) -> float:
        """Where the score is ±z, looked for ever further away from the point."""
        step = 1e-6
        while abs(score(b, c, n, point + side * step)) < z:
            step *= 2
        ends = point + side * step / 2, point + side * step
        return optimize.brentq(lambda delta: score(b, c, n, delta) + side * z, min(ends), max(ends), xtol=1e-13)

    return limit(-1), limit(1)


@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
@pytest.mark.parametrize("n", [60, 500, 10_000])
def test_limits_are_those_of_an_independent_tango(n, confidence):
    for b in (0, 1, 2, 7, 25):
        for c in (0, 1, 4, 20):
            limits = loss_of(b, c, n, 0.01, confidence).limits
            told = limits.low / 100, limits.high / 100
            assert told == pytest.approx(independent(b, c, n, confidence), abs=2e-7), (b, c)


@pytest.mark.parametrize(
    ("b", "c", "n", "low", "high", "outcome"),
    [  # measurement.md, section 3
        (0, 0, 1000, -0.002698, 0.002698, "pass"),
        (5, 3, 1000, -0.003102, 0.007595, "inconclusive"),
        (30, 20, 5000, -0.000335, 0.004435, "pass"),
        (60, 40, 10_000, 0.000360, 0.003691, "pass"),
        (60, 20, 10_000, 0.002575, 0.005554, "inconclusive"),
    ],
)
def test_the_fixtures_at_half_a_point(b, c, n, low, high, outcome):
    said = found(dropped(b, c, n), HALF_POINT)
    assert said.outcome == outcome
    assert (said.low, said.high) == (pytest.approx(100 * low, abs=1e-4), pytest.approx(100 * high, abs=1e-4))
    assert (said.value, said.limit, said.unit) == (pytest.approx(100 * (b - c) / n), 0.5, "pp")
    assert said.method == f"exact test, b={b} c={c} n={n}; interval: Tango"


def test_a_drop_over_the_limit_fails_and_an_improvement_passes():
    assert found(dropped(200, 20, 10_000), HALF_POINT).outcome == "fail"
    assert found(dropped(20, 200, 10_000), HALF_POINT).outcome == "pass"


def test_p_is_on_the_side_of_the_outcome():
    for counts in ((60, 40, 10_000), (60, 20, 10_000), (200, 20, 10_000), (0, 0, 597), (0, 0, 598)):
        said = found(dropped(*counts), HALF_POINT)
        assert said.p is not None
        assert (said.outcome == "pass") == (said.p < 0.05)
        assert (said.outcome == "fail") == (said.p > 0.95)


# --- how many samples would settle it ------------------------------------------------------------------------------


@pytest.mark.parametrize(("b", "c", "n"), [(60, 20, 10_000), (5, 3, 1000), (14, 3, 1000), (3, 1, 700)])
def test_so_many_samples_settle_it_four_times_in_five_and_nine_in_ten(b, c, n):
    """Fresh test sets of that size, drawn from the shares that were seen."""
    loss = loss_of(b, c, n, 0.005)
    assert loss.outcome == "inconclusive"
    way = "pass" if (b - c) / n < 0.005 else "fail"
    four, nine = loss.needed
    assert f"if these {n:,} show the true shares, {four:,} would {way} four times in five" in loss.reason
    rng, shares, z = np.random.default_rng(4), [b / n, c / n, 1 - (b + c) / n], stats.norm.ppf(0.95)
    for size, power in ((four, 0.8), (nine, 0.9)):
        draws = rng.multinomial(size, shares, size=4000)
        scores = PairedLimit.of_difference(0.005).score(draws[:, 0], draws[:, 1], size)
        settled = scores < -z if way == "pass" else scores > z
        assert settled.mean() == pytest.approx(power, abs=0.06)  # counts are few, so power moves in steps


def test_at_the_limit_no_number_of_samples_settles_it():
    loss = loss_of(80, 30, 10_000, 0.005)
    assert (loss.outcome, loss.needed) == ("inconclusive", ())
    assert "no number of samples" in loss.reason


@pytest.mark.parametrize(
    ("margin", "fewest"), [("0.1pp", 2995), ("0.2pp", 1497), ("0.5pp", 598), ("1pp", 299), ("2pp", 149)]
)
def test_where_no_n_so_small_could_pass_it_says_so(margin, fewest):
    text = f'metric = "accuracy_drop"\nmax = "{margin}"'
    assert found(dropped(0, 0, fewest), text).outcome == "pass"
    said = found(dropped(0, 0, fewest - 1), text)
    assert said.outcome == "inconclusive"
    assert f"without an improvement {margin} takes {fewest:,} samples" in said.reason
    policy = parse_policy(RULE + text, "p")
    assert hopeless(policy, Known(fewest, np.zeros(1)), PLANS["quick"]) == ()
    assert f"needs {fewest:,} test samples" in hopeless(policy, Known(fewest - 1, np.zeros(1)), PLANS["quick"])[0]


# --- how often the wrong model gets through ------------------------------------------------------------------------


def share_passing(p_lost: float, p_won: float, n: int, margin: float, draws: int) -> float:
    """Of simulated test sets, judged once for each pair of counts that occurs; sums of all are in test_exact.py."""
    rng = np.random.default_rng(5)
    counts = rng.multinomial(n, [p_lost, p_won, 1 - p_lost - p_won], size=draws)[:, :2]
    pairs, times = np.unique(counts, axis=0, return_counts=True)
    passed = [loss_of(int(b), int(c), n, margin).outcome == "pass" for b, c in pairs]
    return float(times[passed].sum() / draws)


@pytest.mark.parametrize(("n", "won", "margin"), [(600, 0.001, 0.005), (2000, 0.001, 0.01), (2000, 0.01, 0.01)])
def test_a_model_exactly_at_the_margin_passes_one_time_in_twenty_at_most(n, won, margin):
    slack = 3 * math.sqrt(0.05 * 0.95 / 1000)
    assert share_passing(won + margin, won, n, margin, 1000) <= 0.05 + slack


@pytest.mark.parametrize(("discordance", "n"), [(0.005, 2128), (0.01, 3701)])
def test_a_model_without_a_drop_passes_nine_times_in_ten_where_samples_suffice(discordance, n):
    slack = 3 * math.sqrt(0.1 * 0.9 / 500)
    assert share_passing(discordance / 2, discordance / 2, n, 0.005, 500) >= 0.9 - slack


def test_a_model_at_the_margin_passes_whole_verdicts_no_more_often():
    """The same through runs, comparisons and the policy, a few times."""
    rng = np.random.default_rng(11)
    outcomes = []
    for lost, won, _ in rng.multinomial(1000, [0.03, 0.02, 0.95], size=60):
        outcomes.append(found(dropped(int(lost), int(won), 1000), 'metric = "accuracy_drop"\nmax = "1pp"').outcome)
    assert outcomes.count("pass") <= stats.binom.ppf(0.999, 60, 0.05)


# --- what the drop is of -------------------------------------------------------------------------------------------


def test_a_relative_limit_is_of_the_right_answers_before():
    said = found(dropped(60, 40, 10_000, both_wrong=2000), 'metric = "accuracy_drop"\nmax = "0.6%"')
    assert (said.outcome, said.unit, said.limit) == ("pass", "%", pytest.approx(0.6))
    assert said.value == pytest.approx(100 * 20 / 7960)  # right before: 10,000 − 40 − 2000
    assert said.method == "exact test, b=60 c=40 n=8000 right before or after, of 10000; interval: score of the ratio"


def test_against_float32_pairs_with_its_answers_not_with_keras():
    keras, int8 = twice(60, 0, 10_000)
    same = made({"float32": int8, "int8": int8}, keras)
    assert found(same, HALF_POINT).outcome == "inconclusive"
    said = found(same, HALF_POINT + 'against = "float32"')
    assert (said.outcome, said.value, said.method) == ("pass", 0.0, "exact test, b=0 c=0 n=10000; interval: Tango")
    assert [f.case.variant for f in verdict_of(same, DROP + 'against = "float32"').findings if f.case] == ["int8"]


def test_against_float32_without_float32_is_missing():
    keras, int8 = twice(0, 0, 1000)
    said = found(made({"int8": int8}, keras), HALF_POINT + 'against = "float32"')
    assert (said.outcome, said.holds) == ("missing", False)
    assert "float32 has no answers" in said.reason


@pytest.mark.parametrize(
    ("limit", "outcome"),
    [
        ('max_decrease = "0.5pp"', "pass"),
        ('min = "95%"', "pass"),
        ('min = "99.9%"', "fail"),
        ('min = "99.45%"', "inconclusive"),
    ],
)
def test_accuracy_itself(limit, outcome):
    said = found(dropped(60, 40, 10_000), 'metric = "accuracy"\n' + limit)
    assert said.outcome == outcome


def test_accuracy_is_bounded_by_clopper_pearson():
    said = found(dropped(40, 0, 1000), 'metric = "accuracy"\nmin = 0.9')
    wrong = stats.binomtest(40, 1000).proportion_ci(0.90, "exact")
    assert (said.low, said.high) == (pytest.approx(1 - wrong.high), pytest.approx(1 - wrong.low))


def test_error_growth_is_relative_to_the_errors_before():
    run = dropped(30, 20, 10_000, both_wrong=480)  # 500 errors before, 510 after
    said = found(run, 'metric = "error_rate_growth"\nmax = "10%"')
    assert (said.value, said.unit, said.limit, said.outcome) == (pytest.approx(2), "%", pytest.approx(10), "pass")
    low, high = ratio_limits(30, 20, 530, 0.90).low, ratio_limits(30, 20, 530, 0.90).high
    assert (said.low, said.high) == (pytest.approx(100 * (low - 1)), pytest.approx(100 * (high - 1)))
    assert found(run, 'metric = "error_rate_growth"\nmax = "4%"').outcome == "inconclusive"


def test_growth_of_no_errors_says_what_to_limit_instead():
    said = found(dropped(3, 0, 1000), 'metric = "error_rate_growth"\nmax = "10%"')
    assert said.outcome == "not_comparable"
    assert "accuracy_drop" in said.reason


def test_flip_rate_is_bounded_by_clopper_pearson():
    run = dropped(6, 4, 2000)
    interval = stats.binomtest(10, 2000).proportion_ci(0.90, "exact")
    said = found(run, 'metric = "flip_rate"\nmax = "1%"')
    assert (said.low, said.high) == (pytest.approx(interval.low), pytest.approx(interval.high))
    assert (said.outcome, said.value) == ("pass", 0.005)
    assert found(run, 'metric = "flip_rate"\nmax = "0.2%"').outcome == "fail"


def test_an_undecided_flip_rate_says_how_many_samples_would_settle_it():
    said = found(dropped(6, 4, 2000), 'metric = "flip_rate"\nmax = "0.6%"')
    assert said.outcome == "inconclusive"
    four, nine = (
        int(n.replace(",", "")) for n in re.findall(r"([\d,]+)(?: would pass)? (?:four|nine) times", said.reason)
    )
    for size, power in ((four, 0.8), (nine, 0.9)):  # the most that pass, and how often there are no more
        most = int(stats.binom.ppf(0.05, size, 0.006)) - 1
        assert stats.binom.cdf(most, size, 0.005) == pytest.approx(power, abs=0.01)
    few = found(dropped(0, 0, 100), 'metric = "flip_rate"\nmax = "1%"')
    assert "100 samples can never pass 1%" in few.reason


def test_flips_against_float32():
    keras, int8 = twice(60, 0, 1000)
    said = found(made({"float32": int8, "int8": int8}, keras), 'metric = "flip_rate"\nmax = "1%"\nagainst = "float32"')
    assert (said.outcome, said.value) == ("pass", 0)


# --- classes -------------------------------------------------------------------------------------------------------

CLASSES = 'metric = "class_accuracy_drop"\nmax = "2pp"'


def by_class(*counts: tuple[int, int, int]):
    """(b, c, n) of classes 0, 1 and 2."""
    labels, before, after = [], [], []
    for label, (b, c, n) in enumerate(counts):
        one, other = twice(b, c, n)
        labels.append(np.full(n, label))
        before.append((one + label) % 3)
        after.append((other + label) % 3)
    keras, int8 = np.concatenate(before), np.concatenate(after)
    return made({"int8": int8}, keras, labels=np.concatenate(labels))


def test_every_class_under_the_limit_passes():
    said = found(by_class((2, 2, 1000), (0, 0, 1000), (3, 1, 1000)), CLASSES)
    assert (said.outcome, said.value) == ("pass", pytest.approx(0.2))
    assert said.method == "exact test, worst of 3 classes: class c, b=3 c=1 n=1000; interval: Tango"


def test_one_class_far_over_the_limit_fails_and_is_named():
    said = found(by_class((0, 0, 1000), (60, 0, 1000), (0, 0, 1000)), CLASSES)
    assert (said.outcome, said.value, said.reason) == ("fail", 6.0, "over the limit after Holm: class b")
    drop = found(by_class((0, 0, 1000), (60, 0, 1000), (0, 0, 1000)), 'metric = "accuracy_drop"\nmax = "3pp"')
    assert drop.outcome == "pass"  # which the whole test set does not show


def test_one_class_that_is_over_by_what_chance_does_among_many_is_undecided():
    counts = next((b, 0, 1000) for b in range(20, 40) if 0.02 < loss_of(b, 0, 1000, 0.02).p_over < 0.04)
    alone = found(by_class(counts), CLASSES)
    among = found(by_class(counts, (0, 0, 1000), (0, 0, 1000)), CLASSES)
    assert (alone.outcome, among.outcome) == ("fail", "inconclusive")
    assert "class a is over the limit, not after Holm" in among.reason


def test_a_class_with_too_few_samples_is_named():
    said = found(by_class((0, 0, 1000), (0, 0, 50), (0, 0, 1000)), CLASSES)
    assert said.outcome == "inconclusive"
    assert "class b: without an improvement 2pp takes 149 samples; there are 50" in said.reason


def test_holm_is_step_down():
    """p = .01 .02 .03 .04 at 5 %: .01 < .0125, .02 > .0167."""
    assert holm([p / 0.05 for p in (0.03, 0.01, 0.04, 0.02)]) == [False, True, False, False]
    assert holm([p / 0.05 for p in (0.03, 0.01, 0.04, 0.015)]) == [False, True, False, True]
    assert holm([p / 0.05 for p in (0.024, 0.01, 0.04, 0.015)]) == [True, True, True, True]
    assert holm([]) == []


# --- rounds --------------------------------------------------------------------------------------------------------


def t_limits(values: list[float], confidence: float) -> tuple[float, float]:
    logs = np.log(values)
    return tuple(np.exp(stats.t.interval(2 * confidence - 1, len(logs) - 1, logs.mean(), stats.sem(logs))))


@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_a_latency_is_bounded_by_its_rounds_at_the_confidence_of_the_rule(confidence):
    run = timed_run(STEADY, STEADY)
    said = found(run, f'metric = "latency_p90"\nmax = "1ms"\nconfidence = {confidence}')
    low, high = t_limits(STEADY, confidence)
    assert (said.low, said.high) == (pytest.approx(low), pytest.approx(high))
    assert (said.outcome, said.unit, said.limit) == ("pass", "us", 1000)
    assert said.method == "t on log of 8 rounds; of this session, on this board"


@pytest.mark.parametrize(
    ("limit", "outcome"),
    [
        ("101us", "pass"),
        ("100us", "inconclusive"),
        ("99us", "fail"),
        ("99000ns", "fail"),
        ("0.0001s", "inconclusive"),
    ],
)
def test_a_latency_passes_when_the_upper_limit_is_under(limit, outcome):
    assert found(timed_run(STEADY, STEADY), f'metric = "latency_p50"\nmax = "{limit}"').outcome == outcome


@pytest.mark.parametrize(
    ("us", "limit", "outcome"),
    [
        ([100, 101, 99], "101.5us", "inconclusive"),  # outside the interval of ±1.7, and not twice as far away
        ([100, 101, 99], "104us", "pass"),
        ([100, 101, 99], "97us", "inconclusive"),
        ([100, 101, 99], "96us", "fail"),
        ([100, 101, 99, 100.5, 99.5, 100], "101us", "pass"),
        ([100], "1s", "inconclusive"),
    ],
)
def test_under_six_rounds_only_a_limit_far_away_is_decided(us, limit, outcome):
    said = found(timed_run(us, us), f'metric = "latency_p50"\nmax = "{limit}"')
    assert said.outcome == outcome
    if outcome == "inconclusive":
        assert "6 or more" in said.reason or "no interval" in said.reason


def test_rounds_of_two_kinds_are_judged_by_order_statistics():
    """Two of ten rounds take ten times as long: the ninth of ten is the upper limit of the median."""
    run = timed_run([300] * 10, [2003, 2000, 2006, 20_000, 2001, 2007, 2002, 20_100, 2004, 2005])
    said = found(run, 'metric = "latency_p90"\nmax = "7ms"')
    assert said.value == pytest.approx(2004.5, rel=1e-6)
    assert (said.low, said.high) == (pytest.approx(2001), pytest.approx(20_000))
    assert (said.outcome, said.holds) == ("inconclusive", False)
    assert (
        said.method == "order statistics of 10 rounds: they are skewed or of two kinds; of this session, on this board"
    )


def bursts(run: Run, slower: float, which: Sequence[int]) -> Run:
    """int8's own bursts made these rounds unsteady: the first attempt was slower, and the second stands."""
    rounds = []
    for piece in run.rounds:
        if piece.case.variant == "int8" and piece.index in which:
            ns = piece.timings["timed"].ns * slower
            first = replace(piece, status="repeated", timings=piece.timings | {"timed": Timings.of(ns)})
            rounds += [first, replace(piece, attempt=1)]
        else:
            rounds.append(piece)
    return replace(run, rounds=tuple(rounds))


@pytest.mark.parametrize(
    ("slower", "which", "outcome", "told"),
    [
        (1.001, range(3), "pass", False),  # the same
        (1.10, range(6), "inconclusive", True),  # by 10 % in most rounds: the limit of 5 % is kept by the repeats alone
        (1.03, range(8), "pass", True),  # elsewhere, but within the limit
    ],
)
def test_what_passes_by_repeated_rounds_alone_does_not_pass(slower, which, outcome, told):
    run = bursts(timed_run(STEADY, [us + d for us, d in zip(STEADY, NOISE, strict=True)]), slower, which)
    said = found(run, 'metric = "latency_p50"\nmax_increase = "5%"\nagainst = "float32"')
    assert (said.outcome, "with the first attempts at unsteady rounds" in said.reason) == (outcome, told)
    changes = {c.metric: c for c in compare(run).changes if c.case.variant == "int8"}
    ratios = changes["speedup_vs_float32"].value, changes["speedup_first_attempts"].value
    assert ratios[0] == pytest.approx(1, abs=0.002)
    assert (ratios[1] < changes["speedup_vs_float32"].low) == told


def test_latency_against_float32_is_paired_by_round():
    drift = np.linspace(1, 2, 8)  # twice as slow at the end, both alike
    run = timed_run(list(100 * drift), list(103 * drift * np.exp(np.tile([0.002, -0.002], 4))))
    said = found(run, 'metric = "latency_p50"\nmax_increase = "5%"\nagainst = "float32"')
    assert (said.outcome, said.unit, said.limit) == ("pass", "%", 5)
    assert said.value == pytest.approx(3, abs=0.1)
    assert found(run, 'metric = "latency_p50"\nmax_increase = "1%"\nagainst = "float32"').outcome == "fail"
    assert found(run, 'metric = "latency_p50"\nmax_increase = "3%"\nagainst = "float32"').outcome == "inconclusive"


@pytest.mark.parametrize(("limit", "outcome"), [("10us", "pass"), ("1us", "fail"), ("5us", "inconclusive")])
def test_an_absolute_increase_is_of_differences(limit, outcome):
    us = [x + 5 + d for x, d in zip(STEADY, NOISE, strict=True)]
    said = found(timed_run(STEADY, us), f'metric = "latency_p50"\nmax_increase = "{limit}"\nagainst = "float32"')
    assert (said.outcome, said.unit) == (outcome, "us")
    interval = stats.t.interval(0.9, 7, 5, stats.sem(NOISE))
    assert (said.low, said.high) == (pytest.approx(interval[0], abs=1e-2), pytest.approx(interval[1], abs=1e-2))


@pytest.mark.parametrize(("least", "outcome"), [(1.5, "pass"), ('"1.9x"', "pass"), (2, "inconclusive"), (2.5, "fail")])
def test_speed_up(least, outcome):
    us = [x / 2 * (1 + e) for x, e in zip(STEADY, [0.01, -0.01] * 4, strict=True)]
    verdict = verdict_of(timed_run(STEADY, us), RULE + f'metric = "speedup_vs_float32"\nmin = {least}')
    (said,) = verdict.findings  # float32 has none against itself
    assert (said.outcome, said.unit) == (outcome, "ratio")


def test_a_faster_model_never_fails():
    run = timed_run(STEADY, [x / 3 for x in STEADY])
    for limit in ("0%", "5%", "0us"):
        text = f'metric = "latency_p50"\nmax_increase = "{limit}"\nagainst = "float32"'
        assert found(run, text).outcome == "pass"


@pytest.mark.parametrize("metric", ["latency_p50", "load", "peak_rss", "model_rss", "set_input"])
def test_nothing_that_an_emulated_device_took_can_be_claimed(metric):
    limit = '"1MB"' if metric.endswith("rss") else '"1s"'
    declared = timed_run(STEADY, STEADY, emulated=True)
    detected = timed_run(STEADY, STEADY, environment=replace(BOARD, emulation="QEMU_CPU is set"))
    for run in (declared, detected):
        said = found(run, f'metric = "{metric}"\nmax = {limit}')
        assert said.outcome == "invalid"
        assert "host is emulated" in said.reason
        assert found(run, HALF_POINT).outcome == "inconclusive"  # accuracy counts there


@pytest.mark.parametrize(
    ("metric", "limit", "outcome"),
    [
        ("load", "4ms", "pass"),  # three steps of 1 ms each
        ("load", "2ms", "fail"),
        ("first_invoke", "2ms", "pass"),
        ("peak_rss", "69KiB", "pass"),
        ("peak_rss", "69KB", "fail"),
        ("model_rss", "6KB", "pass"),
        ("latency_mean", "1ms", "pass"),
    ],
)
def test_cold_start_and_memory(metric, limit, outcome):
    assert found(timed_run(STEADY, STEADY), f'metric = "{metric}"\nmax = "{limit}"').outcome == outcome


def test_memory_that_shrank_has_an_interval_too():
    run = timed_run(STEADY, STEADY)
    points = ({"runtime": {"RssAnon": 20}, "first": {"RssAnon": 15 + (5 * r.index) % 8}} for r in run.rounds)
    rounds = tuple(replace(r, memory_bytes=point) for r, point in zip(run.rounds, points, strict=True))
    said = found(replace(run, rounds=rounds), 'metric = "model_rss"\nmax = "1KB"')
    assert (said.outcome, said.method) == ("pass", "t on 8 rounds; of this session, on this board")


def test_a_quantile_that_cannot_be_estimated_is_missing():
    said = found(timed_run(STEADY, STEADY), 'metric = "latency_p99"\nmax = "1s"')
    assert (said.outcome, said.reason) == ("missing", "not estimable: a round has 40 timings")


def test_no_rounds_are_missing():
    assert found(dropped(0, 0, 20), 'metric = "latency_p50"\nmax = "1s"').outcome == "missing"


def test_invalid_rounds_do_not_count():
    run = timed_run(STEADY, STEADY)
    slow = replace(rounds_of(case("int8"), [1e6])[0], index=8, status="invalid")
    assert found(replace(run, rounds=(*run.rounds, slow)), 'metric = "latency_p50"\nmax = "101us"').outcome == "pass"


# --- by value ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limit", "outcome"), [("120KB", "pass"), ("119.999KB", "fail"), ("118KiB", "pass"), ("117KiB", "fail")]
)
def test_a_size_is_exact(limit, outcome):
    run = dropped(0, 0, 20, sizes={"int8": 120_000})
    assert found(run, f'metric = "size_bytes"\nmax = "{limit}"').outcome == outcome


@pytest.mark.parametrize(
    ("limit", "size", "outcome"),
    [("5%", 420, "pass"), ("5%", 421, "fail"), ("20B", 420, "pass"), ("20B", 421, "fail"), ("0%", 100, "pass")],
)
def test_a_size_against_float32(limit, size, outcome):
    run = dropped(0, 0, 20, sizes={"float32": 400, "int8": size})
    assert found(run, f'metric = "size_bytes"\nmax_increase = "{limit}"\nagainst = "float32"').outcome == outcome


def test_the_largest_distance_is_judged_by_value():
    keras, int8 = twice(1, 0, 20)
    run = made({"float32": keras, "int8": int8}, keras)
    assert found(run, 'metric = "max_abs_diff"\nmax = 0.71').outcome == "pass"
    assert found(run, 'metric = "max_abs_diff"\nmax = 0.69').outcome == "fail"
    assert found(run, 'metric = "ece"\nmax_increase = "50pp"\nagainst = "keras"').outcome == "inconclusive"  # of 20


# --- what must never pass ------------------------------------------------------------------------------------------


def test_scores_that_are_not_finite_are_missing_however_few():
    run = dropped(0, 0, 10_000)
    broken = scored(np.full(10_000, RIGHT))
    broken[7, 1] = np.nan
    shards = tuple(shard(s.case, broken) if s.case.variant == "int8" else s for s in run.shards)
    for metric in ("accuracy_drop", "class_accuracy_drop"):
        said = found(replace(run, shards=shards), f'metric = "{metric}"\nmax = "50pp"')
        assert (said.outcome, said.holds) == ("missing", False)
        assert "1 sample has scores that are not finite" in said.reason
    for rule_ in (
        'metric = "max_abs_diff"\nmax = 9',
        'metric = "flip_rate"\nmax = 0.9',
        'metric = "accuracy"\nmin = 0.1',
    ):
        assert found(replace(run, shards=shards), rule_).outcome == "missing"


def test_a_baseline_without_answers_makes_no_drop_look_small():
    """Samples that Keras answers with NaN would count as wrong before, and so as none that were lost."""
    run = dropped(100, 0, 10_000)
    keras = run.baseline[0].copy()
    keras[:100] = np.nan
    said = found(replace(run, baseline=(keras,)), HALF_POINT)
    assert (said.outcome, said.holds) == ("missing", False)
    assert "keras: 100 samples have scores that are not finite" in said.reason


def test_scores_that_are_no_distribution_have_no_divergence_and_do_not_pass():
    keras, _ = twice(0, 0, 1000)
    run = made({"int8": keras}, keras)
    dead = scored(keras)
    dead[:50] = 0
    said = found(replace(run, shards=(shard(case("int8"), dead),)), 'metric = "js_p99"\nmax = 0.01')
    assert (said.outcome, said.holds) == ("missing", False)
    assert "50 samples have no score over 0" in said.reason


def test_outputs_without_noise_keep_every_limit_on_it():
    keras, int8 = twice(30, 0, 400)
    run = made({"float32": keras, "int8": int8}, keras)
    noise_limit = 'metric = "sqnr"\nmin = "90dB"'
    assert [found(run, noise_limit, variant=v).outcome for v in ("float32", "int8")] == ["pass", "fail"]


def test_what_rounds_say_is_never_judged_by_its_value_alone():
    of_rounds = {m.name for m in METRICS.values() if m.better and m.unit in ("us", "ms", "ns", "ratio")}
    assert of_rounds and {METRICS[name].judged for name in of_rounds} == {"rounds"}


def test_a_value_that_is_nan_is_missing():
    compared = compare(dropped(0, 0, 20))
    for value in (math.nan, math.inf, None):
        changes = tuple(replace(c, value=value) if c.metric == "size_bytes" else c for c in compared.changes)
        said = found(replace(compared, changes=changes), 'metric = "size_bytes"\nmax = "1GB"')
        assert (said.outcome, said.holds) == ("missing", False)


def test_a_rule_that_names_no_row_is_missing_and_says_what_there_is():
    said = found(dropped(0, 0, 1000), HALF_POINT + 'variant = "int4*"')
    assert (said.outcome, said.case, said.holds) == ("missing", None, False)
    assert 'no row has variant = "int4*"' in said.reason
    assert "variants float32, int8; targets host; runtimes ai-edge-litert" in said.reason


def test_rows_that_cannot_exist_do_not_count_and_alone_are_missing():
    keras, int8 = twice(0, 0, 1000)
    run = made({"int8": int8}, keras, environment=replace(BOARD, python="3.13.1"))
    run = replace(run, cases=(*run.cases, case("int8", "tflite-runtime")))
    env = replace(BOARD, python="3.13.1", runtimes={LITERT: "2.3.0"})
    run = replace(run, targets=(replace(run.targets[0], environment=env),))
    assert verdict_of(run, DROP).outcome == "pass"
    (said,) = verdict_of(run, DROP + 'runtime = "tflite*"').findings
    assert (said.outcome, said.reason) == ("missing", "every row that it names is unsupported")


@pytest.mark.parametrize("status", ["failed", "invalid"])
def test_a_row_that_was_not_measured_well_is_invalid_for_every_rule(status):
    compared = compare(dropped(0, 0, 1000, sizes={"int8": 10}))
    standings = tuple(replace(s, status=status, reason="throttled") for s in compared.standings)
    for text in (HALF_POINT, 'metric = "size_bytes"\nmax = "1GB"'):
        said = found(replace(compared, standings=standings), text)
        assert (said.outcome, said.holds, said.reason) == ("invalid", False, f"the row is {status}: throttled")


def test_a_suspect_row_is_judged_and_says_why_it_is_suspect():
    said = found(dropped(0, 150, 1000), HALF_POINT)
    assert said.outcome == "pass"
    assert said.reason.startswith("suspect: agrees with Keras on 85.0% of the test set")


def test_an_empty_test_set_is_missing():
    compared = compare(dropped(0, 0, 20))
    empty = replace(compared, samples={case: table[:0] for case, table in compared.samples.items()})
    assert found(empty, HALF_POINT).outcome == "missing"


# --- a reference ---------------------------------------------------------------------------------------------------

AGAINST = 'against = "reference"\n'


def test_accuracy_against_a_reference_is_paired():
    before, after = twice(60, 40, 10_000)
    old = made({"int8": before}, before, run_id="20250101-000000-0000")
    new = made({"int8": after}, before)
    verdict = verdict_of(new, DROP + AGAINST, old)
    (said,) = verdict.findings
    assert (said.outcome, said.method) == ("pass", "exact test, b=60 c=40 n=10000; interval: Tango")
    assert verdict.reference == "20250101-000000-0000"


@pytest.mark.parametrize("hashes", [{"test": "8" * 64}, {}])
def test_other_test_samples_cannot_be_compared(hashes):
    old = dropped(0, 0, 1000, hashes=hashes)
    for text in (HALF_POINT, 'metric = "flip_rate"\nmax = 0.9\n', 'metric = "max_abs_diff"\nmax_increase = 1\n'):
        said = found(dropped(0, 0, 1000), text + AGAINST, old)
        assert (said.outcome, said.holds) == ("not_comparable", False)
        assert "test inputs and labels" in said.reason
    assert found(dropped(0, 0, 1000), 'metric = "size_bytes"\nmax_increase = "0%"\n' + AGAINST, old).outcome == "pass"


def test_without_a_reference_such_a_rule_is_missing():
    said = found(dropped(0, 0, 1000), HALF_POINT + AGAINST)
    assert (said.outcome, said.holds) == ("missing", False)
    assert "harness accept" in said.reason


def test_a_row_that_the_reference_does_not_have_cannot_be_compared():
    keras, _ = twice(0, 0, 20)
    for text in (
        HALF_POINT,
        'metric = "size_bytes"\nmax_increase = "1%"\n',
        'metric = "latency_p50"\nmax_increase = "1%"\n',
    ):
        said = found(timed_run(STEADY, STEADY), text + AGAINST, made({"float32": keras}, keras))
        assert said.outcome == "not_comparable"
        assert "has no such row" in said.reason


def test_a_latency_against_one_stored_session_is_never_decided():
    old = timed_run(STEADY, STEADY, run_id="20250101-000000-0000")
    for factor in (0.1, 1, 10):
        new = timed_run(STEADY, [factor * x for x in STEADY])
        said = found(new, 'metric = "latency_p50"\nmax_increase = "5%"\n' + AGAINST, old)
        assert said.outcome == "inconclusive"
        assert said.value == pytest.approx(100 * (factor - 1))
        assert said.reason.startswith("1 stored session, and under 5 do not show how much sessions differ")


@pytest.mark.parametrize(
    ("environment", "field"),
    [
        (replace(BOARD, serial_sha256="6" * 64), "device"),
        (replace(BOARD, userland_bits=32), "userland bits"),
        (replace(BOARD, frequency_max_hz=1800), "maximum frequency"),
        (replace(BOARD, runtimes={LITERT: "2.1.0"}), "runtime"),
    ],
)
def test_a_latency_on_another_machine_cannot_be_compared_and_says_in_what(environment, field):
    old = timed_run(STEADY, STEADY, environment=environment)
    said = found(timed_run(STEADY, STEADY), 'metric = "latency_p50"\nmax_increase = "50%"\n' + AGAINST, old)
    assert (said.outcome, said.holds) == ("not_comparable", False)
    assert field in said.reason


@pytest.mark.parametrize(("size", "outcome"), [(1050, "pass"), (1051, "fail"), (10, "pass")])
def test_a_size_against_a_reference_is_exact(size, outcome):
    old = dropped(0, 0, 20, sizes={"int8": 1000}, hashes={})
    new = dropped(0, 0, 20, sizes={"int8": size})
    assert found(new, 'metric = "size_bytes"\nmax_increase = "5%"\n' + AGAINST, old).outcome == outcome


# --- verdicts ------------------------------------------------------------------------------------------------------

FOUR = {"good": (0, 0), "fair": (8, 5), "bad": (200, 0), "float32": (0, 0)}


def several(counts: dict[str, tuple[int, int]], n: int = 3000, **fields: Any):
    """Variants with these b and c, among the same samples."""
    keras = np.full(n, RIGHT)
    keras[-50:] = WRONG
    answers = {}
    for name, (b, c) in counts.items():
        given = keras.copy()
        given[:b] = WRONG
        given[n - 50 : n - 50 + c] = RIGHT
        answers[name] = given
    return made(answers, keras, **fields)


def test_all_must_pass_and_the_worst_is_told():
    assert verdict_of(several({"good": (0, 0), "better": (0, 9)}), DROP).outcome == "pass"
    verdict = verdict_of(several(FOUR), DROP)
    assert (verdict.outcome, verdict.mode) == ("fail", "all")
    assert verdict.ships == ("good", "fair", "float32")


def test_inconclusive_is_held_where_the_rule_only_warns():
    undecided = dropped(60, 20, 10_000)
    assert verdict_of(undecided, DROP).outcome == "inconclusive"
    verdict = verdict_of(undecided, DROP + 'on_inconclusive = "warn"')
    assert verdict.outcome == "pass"
    assert [(f.outcome, f.holds) for f in verdict.findings] == [("pass", True), ("inconclusive", True)]
    assert verdict_of(dropped(200, 20, 10_000), DROP + 'on_inconclusive = "warn"').outcome == "fail"


ANY = 'mode = "any"\n'


def test_any_may_ship_lists_what_ships():
    verdict = verdict_of(several(FOUR), ANY + DROP)
    assert (verdict.outcome, verdict.ships) == ("pass", ("good", "fair", "float32"))
    none = verdict_of(several({"bad": (200, 0), "worse": (300, 0)}), ANY + DROP)
    assert (none.outcome, none.ships) == ("fail", ())


def test_the_luckiest_of_many_does_not_ship():
    """p = .03 passes alone and not as one of four."""
    lucky = next(b for b in range(60) if 0.02 < loss_of(b, 20, 3000, 0.005).p < 0.04)
    alone = verdict_of(several({"lucky": (lucky, 20)}), ANY + DROP)
    assert (alone.outcome, alone.ships) == ("pass", ("lucky",))
    crowd = {"lucky": (lucky, 20)} | {f"v{n}": (40, 20) for n in range(3)}
    verdict = verdict_of(several(crowd), ANY + DROP)
    assert (verdict.outcome, verdict.ships) == ("inconclusive", ())
    assert "it passes alone, but not among 4 candidates" in verdict.findings[0].reason
    assert verdict_of(several(crowd), DROP).findings[0].outcome == "pass"  # where all must pass, nothing is corrected


def test_all_that_keep_their_rules_ship_and_of_some_those_that_do_by_holm():
    """p = .03: one of four that all pass ships with them, and is not listed beside one that breaks its rule."""
    lucky = next(b for b in range(60) if 0.02 < loss_of(b, 20, 3000, 0.005).p < 0.04)
    good = {"lucky": (lucky, 20), "good": (0, 0), "fair": (0, 0)}
    assert verdict_of(several(good | {"fine": (0, 0)}), DROP).ships == ("lucky", "good", "fair", "fine")
    verdict = verdict_of(several(good | {"bad": (200, 0)}), DROP)
    assert (verdict.outcome, verdict.ships) == ("fail", ("good", "fair"))
    assert [f.outcome for f in verdict.findings] == ["pass", "pass", "pass", "fail"]
    told = "Passes every rule: good, fair. lucky would pass alone, but not as one of 4 variants judged together (Holm)."
    assert ships(verdict) == told


def test_at_the_limit_some_of_ten_are_listed_one_time_in_twenty_at_most():
    rng, draws, n = np.random.default_rng(9), 150, 2000
    policy = parse_policy(RULE + 'metric = "accuracy_drop"\nmax = "1pp"', "p")
    rows = [case(f"v{index}") for index in range(10)]
    listed = []
    for counts in rng.multinomial(n, [0.012, 0.002, 0.986], size=(draws, 10))[..., :2]:
        losses = [loss_of(int(b), int(c), n, 0.01) for b, c in counts]
        findings = tuple(
            Finding(
                rule=1, words="", case=row, metric="accuracy_drop", holds=loss.outcome == "pass", **vars(loss.answered)
            )
            for row, loss in zip(rows, losses, strict=True)
        )
        listed.append(bool(shipping(findings, policy)))
    assert np.mean(listed) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / draws)


def test_what_breaks_another_rule_keeps_its_reasons_where_any_may_ship():
    """Of one candidate it was said that it does not pass among 1."""
    us = {"int8": [200.0 + x for x in range(8)]}
    run = several({"int8": (0, 0)}, latencies_us=us)
    drop, slow = verdict_of(run, ANY + DROP + RULE + 'metric = "latency_p50"\nmax = "100us"').findings
    assert (drop.outcome, drop.reason, slow.outcome) == ("pass", "", "fail")


def test_memory_that_is_exactly_unchanged_ships_where_any_may():
    unchanged = 'metric = "latency_p50"\nmax_increase = "0%"\nagainst = "float32"\nvariant = "!float32"'
    us = dict.fromkeys(("float32", "good", "fair"), [100.0] * 8)
    verdict = verdict_of(several(dict.fromkeys(us, (0, 0)), latencies_us=us), ANY + RULE + unchanged)
    assert (verdict.outcome, verdict.ships) == ("pass", ("good", "fair"))
    assert [(f.outcome, f.p) for f in verdict.findings] == [("pass", None)] * 2


@pytest.mark.parametrize(("lost", "won"), [(0, 12), (3, 30)])
@pytest.mark.parametrize("limit", ["0pp", "0%"])
def test_a_better_model_passes_a_decrease_of_nothing(lost, won, limit):
    text = f'metric = "accuracy"\nmax_decrease = "{limit}"'
    assert found(dropped(lost, won, 1000, both_wrong=50), text).outcome == "pass"
    equal = found(dropped(0, 0, 1000, both_wrong=50), text)
    assert (equal.outcome, equal.reason) == ("inconclusive", f"only an improvement can pass {limit}")
    assert found(dropped(30, 3, 1000, both_wrong=50), text).outcome == "fail"


def test_where_the_interval_says_otherwise_than_the_exact_test_the_reason_says_so():
    said = found(dropped(0, 0, 270), 'metric = "accuracy_drop"\nmax = "1pp"')
    assert said.high < said.limit and said.p > 0.05 and said.outcome == "inconclusive"
    assert (
        "the interval (Tango) lies under the limit, but the exact test, which counts, does not decide (p = 0.06"
        in said.reason
    )
    assert "without an improvement 1pp takes 299 samples; there are 270" in said.reason


@pytest.mark.parametrize("limit", ['max = "100us"', 'max_increase = "0%"\nagainst = "float32"'])
def test_the_luckiest_latency_of_many_does_not_ship_either(limit):
    lucky = [100 * (1 - 0.0055 + 0.01 * x) for x in (-1, 1, -1, 1, -1, 1, 0.5, -0.5, 0.2, -0.2)]
    p = stats.ttest_1samp(np.log(np.array(lucky) / 100), 0, alternative="less").pvalue
    assert 0.02 < p < 0.05
    policy = ANY + RULE + f'metric = "latency_p50"\n{limit}\nvariant = "!float32"'
    others = {f"v{n}": [100.2 if n % 2 else 99.9 for n in range(10)] for n in range(3)}
    for crowd, outcome in (({}, "pass"), (others, "inconclusive")):
        us = {"float32": [100.0] * 10, "lucky": lucky, **crowd}
        verdict = verdict_of(several(dict.fromkeys(us, (0, 0)), latencies_us=us), policy)
        said = next(f for f in verdict.findings if f.case.variant == "lucky")
        assert said.outcome == outcome and said.p == pytest.approx(p, rel=0.01)
        assert verdict.ships == (("lucky",) if not crowd else ())


def test_where_any_may_ship_the_other_rules_count_for_each_alone():
    run = several({"good": (0, 0), "small": (0, 0)}, sizes={"good": 900, "small": 100})
    verdict = verdict_of(run, ANY + DROP + RULE + 'metric = "size_bytes"\nmax = "500B"')
    assert (verdict.outcome, verdict.ships) == ("pass", ("small",))


def test_a_rule_that_names_nothing_stops_every_variant():
    verdict = verdict_of(several({"good": (0, 0)}), ANY + DROP + RULE + 'metric = "flips"\nmax = 9\nvariant = "int4"')
    assert verdict.outcome == "missing"


def test_at_the_margin_any_of_five_ships_one_time_in_twenty_at_most():
    rng = np.random.default_rng(3)
    n, margin, draws = 2000, 0.01, 1000
    counts = rng.multinomial(n, [0.02, 0.01, 0.97], size=(draws, 5))[..., :2]
    pairs, index = np.unique(counts.reshape(-1, 2), axis=0, return_inverse=True)
    p = np.array([loss_of(int(b), int(c), n, margin).p for b, c in pairs])
    shipped = [any(holm(list(row / 0.05))) for row in p[index].reshape(draws, 5)]
    assert np.mean(shipped) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / draws)
    uncorrected = (p[index].reshape(draws, 5) < 0.05).any(axis=1).mean()
    assert uncorrected > 0.15


def test_the_default_policy_leaves_float32_out():
    keras, int8 = twice(0, 0, 1000)
    bad = np.full(1000, WRONG)
    run = made({"float32": bad, "int8": int8}, keras)
    assert judge(compare(run), default_policy()).outcome == "pass"
    alone = judge(compare(made({"float32": keras}, keras)), default_policy())
    assert alone.outcome == "missing"  # no quantised variant: nothing that could ship


def test_unbuilt_variants_are_invalid():
    keras, int8 = twice(0, 0, 1000)
    run = made({"int8": int8}, keras)
    broken = Variant("int8", "int8", status="failed", reason="refused")
    said = found(replace(run, variants=(broken,)), HALF_POINT)
    assert (said.outcome, said.reason) == ("invalid", "the row is failed: refused")


def test_a_target_that_was_not_reached_is_invalid():
    run = made_runs.run([case("int8")], labels=np.zeros(20, int), baseline=scored(np.zeros(20, int)), environment=None)
    assert found(run, HALF_POINT).outcome == "invalid"
