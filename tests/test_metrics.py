"""Every metric of one case against plain Python over the same numbers."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import binomtest, t

from harness.metrics import METRICS, Estimate, Observation
from harness.records import Round, Variant
from harness.samples import sample_table
from tests.made_runs import case, scores, timed

LABELS = np.random.default_rng(5).integers(0, 3, 40)
OF_OUTPUTS = ("accuracy", "accuracy_drop", "mcnemar_p", "flips", "flip_rate", "max_abs_diff", "js_p99", "ties")
OF_SCORES = ("max_abs_diff", "js_p99", "sqnr", "ece")
OF_ROUNDS = (
    *("latency_p50", "latency_p90", "latency_p99", "latency_mean", "speedup_vs_float32"),
    *("load", "first_invoke", "peak_rss", "model_rss"),
)


def observation(
    given: np.ndarray | None = None,
    rounds: tuple[Round, ...] = (),
    control: Observation | None = None,
    name: str = "int8",
) -> Observation:
    baseline = scores()
    samples = None if given is None else sample_table(case(name), LABELS, baseline, given)
    return Observation(
        case(name), Variant(name, name, size_bytes=100), LABELS, baseline, given, samples, rounds, control
    )


def estimate(metric: str, o: Observation) -> Estimate:
    return METRICS[metric].estimate(o)


def timings(seed: int, count: int = 400, middle: float = 5000) -> list[int]:
    return [int(x) for x in np.random.default_rng(seed).normal(middle, 200, count)]


@pytest.fixture(scope="module")
def noisy() -> Observation:
    return observation(scores(noise=1.5))


def right(values: np.ndarray) -> list[bool]:
    return [max(range(3), key=lambda n: row[n]) == label for row, label in zip(values, LABELS, strict=True)]


# --- of the outputs ------------------------------------------------------------------------------------------------


def test_accuracy_and_its_baseline(noisy):
    accuracy = estimate("accuracy", noisy)
    assert accuracy.value == sum(right(noisy.scores)) / 40
    assert accuracy.baseline == sum(right(noisy.baseline)) / 40


def test_drop_is_lost_less_won_in_percentage_points(noisy):
    before, after = sum(right(noisy.baseline)), sum(right(noisy.scores))
    drop = estimate("accuracy_drop", noisy)
    assert drop.value == pytest.approx(100 * (before - after) / 40)
    assert drop.low < drop.value < drop.high
    assert METRICS["accuracy_drop"].better == "lower"


def test_mcnemar_is_the_exact_binomial_test(noisy):
    pairs = list(zip(right(noisy.baseline), right(noisy.scores), strict=True))
    lost, won = pairs.count((True, False)), pairs.count((False, True))
    assert lost + won > 3
    assert estimate("mcnemar_p", noisy).value == pytest.approx(binomtest(lost, lost + won).pvalue)


def test_flips_count_every_other_answer_right_or_wrong(noisy):
    flips = sum(p.argmax() != q.argmax() for p, q in zip(noisy.baseline, noisy.scores, strict=True))
    assert estimate("flips", noisy).value == flips
    assert estimate("flip_rate", noisy).value == flips / 40
    assert flips > abs(sum(right(noisy.baseline)) - sum(right(noisy.scores)))


def test_discrepancies_of_the_scores(noisy):
    p, q = noisy.baseline.astype(float), noisy.scores.astype(float)
    divergences = [jensenshannon(x, y, base=2) ** 2 for x, y in zip(p, q, strict=True)]
    assert estimate("max_abs_diff", noisy).value == pytest.approx(max(abs(p - q).ravel()))
    assert estimate("js_p99", noisy).value == pytest.approx(np.percentile(divergences, 99))
    noise = sum(d * d for d in (p - q).ravel())
    assert estimate("sqnr", noisy).value == pytest.approx(10 * math.log10(sum(x * x for x in p.ravel()) / noise))


def test_calibration_error_by_hand(noisy):
    """15 equal bins of the highest score: |accuracy − confidence| of each, weighted by its share."""
    for values, found in ((noisy.scores, "value"), (noisy.baseline, "baseline")):
        bins: dict[int, list[tuple[bool, float]]] = {}
        for ok, row in zip(right(values), values, strict=True):
            bins.setdefault(min(14, math.ceil(float(row.max()) * 15) - 1), []).append((ok, float(row.max())))
        gaps = [abs(sum(ok for ok, _ in b) - sum(c for _, c in b)) for b in bins.values()]
        assert getattr(estimate("ece", noisy), found) == pytest.approx(sum(gaps) / 40)


def test_equal_outputs_have_no_noise_and_say_so():
    sqnr = estimate("sqnr", observation(scores()))
    assert sqnr.value is None
    assert "no noise" in sqnr.method


def test_ties_are_counted():
    given = scores()
    given[[3, 7]] = [0.4, 0.4, 0.2]
    assert estimate("ties", observation(given)).value == 2


@pytest.mark.parametrize("metric", [*OF_OUTPUTS, "sqnr", "ece"])
def test_without_outputs_there_is_a_reason_and_no_value(metric):
    assert estimate(metric, observation(None)) == Estimate(method="no outputs")


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("metric", OF_SCORES)
def test_scores_that_are_not_finite_make_no_discrepancy_of_them(metric, bad):
    given = scores()
    given[3, 1] = bad
    found = estimate(metric, observation(given))
    assert (found.value, found.method) == (None, "some scores are not finite")


def test_a_sample_without_an_answer_counts_as_wrong():
    given = scores()
    answered = next(n for n, ok in enumerate(right(given)) if ok)
    given[answered] = np.nan
    found = estimate("accuracy", observation(given))
    assert found.value == pytest.approx(found.baseline - 1 / 40)


# --- of the file ---------------------------------------------------------------------------------------------------


def test_size_stands_against_the_control():
    alone, beside = observation(), observation(control=observation(name="float32"))
    assert (estimate("size_bytes", alone).value, estimate("size_bytes", alone).baseline) == (100, None)
    assert estimate("size_bytes", beside).baseline == 100


# --- of the rounds -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("metric", OF_ROUNDS)
def test_without_rounds_there_is_a_reason_and_no_value(metric):
    found = estimate(metric, observation(scores()))
    assert (found.value, found.low, found.high) == (None, None, None)
    assert found.method


@pytest.mark.parametrize(("metric", "percent"), [("latency_p50", 50), ("latency_p90", 90), ("latency_p99", 99)])
def test_a_quantile_is_over_all_invokes_and_its_interval_over_rounds(metric, percent):
    series = [timings(seed) for seed in range(6)]
    found = estimate(metric, observation(rounds=tuple(timed(case(), n, ns) for n, ns in enumerate(series))))
    assert found.value == pytest.approx(np.percentile(np.concatenate(series), percent) / 1000)
    logs = [math.log(np.percentile(ns, percent) / 1000) for ns in series]
    low, high = t.interval(0.95, 5, statistics.mean(logs), statistics.stdev(logs) / math.sqrt(6))
    assert (found.low, found.high) == (pytest.approx(math.exp(low)), pytest.approx(math.exp(high)))


@pytest.mark.parametrize(("metric", "enough"), [("latency_p50", 6), ("latency_p90", 36), ("latency_p99", 368)])
def test_a_quantile_needs_enough_timings_in_every_round(metric, enough):
    """The counts of measurement.md: two-sided 95 %."""
    for count, possible in ((enough, True), (enough - 1, False)):
        rounds = (timed(case(), 0, timings(0)), timed(case(), 1, timings(1, count)))
        found = estimate(metric, observation(rounds=rounds))
        assert (found.value is not None) == possible
        assert possible or found.method == f"not estimable: a round has {count} timings"


def test_one_round_has_no_interval():
    found = estimate("latency_p50", observation(rounds=(timed(case(), 0, timings(0)),)))
    assert found.value is not None
    assert (found.low, found.high, found.method) == (None, None, "one round: no interval")


def test_invokes_that_share_a_timing_are_divided():
    rounds = (timed(case(), 0, [8000] * 40, count=8), timed(case(), 1, [8000] * 40, count=8))
    assert estimate("latency_p50", observation(rounds=rounds)).value == 1.0
    assert estimate("latency_mean", observation(rounds=rounds)).value == 1.0


def test_mean_is_over_all_invokes():
    rounds = (timed(case(), 0, [1000, 2000]), timed(case(), 1, [6000]))
    assert estimate("latency_mean", observation(rounds=rounds)).value == 3.0


def test_speed_up_pairs_by_round_the_control_over_the_variant():
    """measurement.md's fixture of a ratio: 1.062315, 95 % 1.037406 to 1.087822."""
    fast = [10.1, 10.3, 9.9, 10.0, 10.2, 10.4]
    slow = [10.6, 10.9, 10.5, 10.8, 11.2, 10.7]
    one, other = (
        tuple(timed(case(), n, [int(us * 1000)] * 3) for n, us in enumerate(medians)) for medians in (fast, slow)
    )
    found = estimate("speedup_vs_float32", observation(rounds=one, control=observation(rounds=other, name="float32")))
    assert (found.value, found.low, found.high) == pytest.approx((1.062315, 1.037406, 1.087822), abs=1e-6)


def test_rounds_that_lack_their_pair_do_not_count():
    own = tuple(timed(case(), n, [1000] * 3) for n in (0, 1, 2, 5))
    control = tuple(timed(case(), n, [ns] * 3) for n, ns in ((1, 2000), (2, 2000), (3, 9000)))
    found = estimate("speedup_vs_float32", observation(rounds=own, control=observation(rounds=control)))
    assert found.value == pytest.approx(2.0)
    assert "2 paired rounds" in found.method


@pytest.mark.parametrize("shared", [0, 1])
def test_a_speed_up_needs_two_pairs(shared):
    own = tuple(timed(case(), n, [1000] * 3) for n in range(3))
    control = tuple(timed(case(), n, [1000] * 3) for n in range(3 - shared, 6 - shared))
    found = estimate("speedup_vs_float32", observation(rounds=own, control=observation(rounds=control)))
    assert (found.value, found.method) == (None, f"not estimable: {shared} paired rounds")


def test_the_control_is_as_fast_as_itself():
    found = estimate("speedup_vs_float32", observation(rounds=(timed(case(), 0, [1000]),), name="float32"))
    assert (found.value, found.method) == (1.0, "is the control")


def test_a_variant_without_a_timed_control_has_no_speed_up():
    own = (timed(case(), 0, [1000]),)
    for control in (None, observation(name="float32")):
        found = estimate("speedup_vs_float32", observation(rounds=own, control=control))
        assert (found.value, found.method) == (None, "float32 was not timed beside it")


def test_cold_start_is_the_median_of_the_processes():
    rounds = tuple(timed(case(), n, [1000], cold_ns=ns) for n, ns in enumerate((1_000_000, 9_000_000, 2_000_000)))
    assert estimate("load", observation(rounds=rounds)).value == 6.0  # read, create and allocate: 2 ms each
    assert estimate("first_invoke", observation(rounds=rounds)).value == 2.0


def test_memory_is_the_median_of_the_processes():
    rounds = tuple(timed(case(), n, [1000]) for n in range(3))
    assert estimate("peak_rss", observation(rounds=rounds)).value == 70_000
    assert estimate("model_rss", observation(rounds=rounds)).value == 5_000


@pytest.mark.parametrize("metric", ["peak_rss", "model_rss"])
def test_memory_that_no_device_told_is_unknown_not_zero(metric):
    silent = Round(case(), 0, timings=timed(case(), 0, [1000]).timings)
    found = estimate(metric, observation(rounds=(silent,)))
    assert found.value is None
    assert found.method.startswith("unknown")
