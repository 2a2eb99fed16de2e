"""Every metric of one case against plain Python over the same numbers."""

from __future__ import annotations

import dataclasses
import math
import statistics

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import binomtest, t

from harness.metrics import METRICS, Estimate, Observation
from harness.metrics.discrepancy import sample_table
from harness.records import Round, Timings, Variant
from tests.made_runs import case, scores, timed

LABELS = np.random.default_rng(5).integers(0, 3, 40)
OF_OUTPUTS = ("accuracy", "accuracy_drop", "mcnemar_p", "flips", "flip_rate", "max_abs_diff", "js_p99", "ties")
OF_SCORES = ("max_abs_diff", "js_p99", "sqnr", "ece")
OF_ROUNDS = (
    *("latency_p50", "latency_p90", "latency_p99", "latency_mean", "speedup_vs_float32"),
    *("smallest_detectable_effect", "ess_share", "warmup_drift"),
    *("load", "first_invoke", "set_input", "get_output", "timing_pair", "peak_rss", "model_rss"),
)


def observation(
    given: np.ndarray | None = None,
    rounds: tuple[Round, ...] = (),
    control: Observation | None = None,
    name: str = "int8",
) -> Observation:
    baseline = scores()
    samples = None if given is None else sample_table(LABELS, baseline, given)
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
def test_a_quantile_and_its_interval_are_those_of_a_typical_round(metric, percent):
    series = [timings(seed) for seed in range(6)]
    found = estimate(metric, observation(rounds=tuple(timed(case(), n, ns) for n, ns in enumerate(series))))
    logs = [math.log(np.percentile(ns, percent) / 1000) for ns in series]
    low, high = t.interval(0.95, 5, statistics.mean(logs), statistics.stdev(logs) / math.sqrt(6))
    assert found.value == pytest.approx(math.exp(statistics.mean(logs)))
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


def test_mean_is_that_of_a_typical_round():
    rounds = (timed(case(), 0, [1000, 2000]), timed(case(), 1, [6000]))
    assert estimate("latency_mean", observation(rounds=rounds)).value == pytest.approx(3.0)  # √(1.5 · 6)


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


def with_medians(logs: list[float]) -> tuple[Round, ...]:
    """Rounds whose medians are 1 ms times e to the power of these."""
    return tuple(timed(case(), n, [round(1e6 * math.exp(log))] * 3) for n, log in enumerate(logs))


@pytest.mark.parametrize(("rounds", "factor"), [(6, 1.435), (8, 1.156), (10, 0.996), (15, 0.778), (20, 0.660)])
def test_the_smallest_difference_that_would_be_found(rounds, factor):
    """measurement.md: the two-sided effect at 80 % power, in standard deviations of the log ratios."""
    scores = [0.01 * statistics.NormalDist().inv_cdf((n + 0.5) / rounds) for n in range(rounds)]
    noise = [scores[n // 2 if n % 2 else -1 - n // 2] for n in range(rounds)]  # normal, and none like the one before
    own, control = observation(rounds=with_medians(noise)), observation(rounds=with_medians([0.3] * rounds))
    found = estimate("smallest_detectable_effect", observation(rounds=own.rounds, control=control))
    sd = statistics.stdev(noise)
    assert found.value == pytest.approx(100 * math.expm1(factor * sd), rel=1e-3)
    assert METRICS["smallest_detectable_effect"].unit == "%"


def test_what_the_smallest_difference_says_is_so():
    """4 in 5 comparisons find a difference of that size, with the interval that the speed-up has."""
    rng, found = np.random.default_rng(11), 0
    from harness.metrics.latency import pair_rounds
    from harness.statistics.stats import smallest_detectable_effect

    effect = smallest_detectable_effect(10, 0.012)
    for _ in range(2000):
        logs = rng.normal(effect, 0.012, 10)
        result = pair_rounds(dict.fromkeys(range(10), 1.0), dict(enumerate(np.exp(logs))))
        found += not result.limits.low <= 1 <= result.limits.high
    assert 0.77 < found / 2000 < 0.83


@pytest.mark.parametrize("control", [None, observation(name="float32")])
def test_without_a_control_there_is_no_smallest_difference(control):
    own = tuple(timed(case(), n, [1000] * 3) for n in range(6))
    found = estimate("smallest_detectable_effect", observation(rounds=own, control=control))
    assert (found.value, found.method) == (None, "float32 was not timed beside it")


# --- what the series allow to be said -------------------------------------------------------------------------------


def autocorrelated(rho: float, seed: int, count: int = 5000) -> list[int]:
    rng, value, series = np.random.default_rng(seed), 0.0, []
    for noise in rng.normal(0, 1, count):
        value = rho * value + noise
        series.append(int(100_000 + 1000 * value))
    return series


@pytest.mark.parametrize(("rho", "size"), [(0.0, 5000), (0.3, 2692), (0.5, 1667), (0.9, 263)])
def test_correlated_invokes_are_worth_fewer(rho, size):
    """measurement.md's check: an AR(1) of 5,000, n·(1 − ρ)/(1 + ρ) effective samples."""
    rounds = tuple(timed(case(), n, autocorrelated(rho, n)) for n in range(15))
    assert estimate("ess_share", observation(rounds=rounds)).value == pytest.approx(size / 5000, rel=0.2)


def test_the_effective_size_is_the_median_rounds():
    rounds = (timed(case(), 0, autocorrelated(0.9, 0)), *(timed(case(), n, timings(n, 5000)) for n in (1, 2)))
    assert estimate("ess_share", observation(rounds=rounds)).value > 0.8


def warming(seed: int, percent: float, count: int = 1000) -> list[int]:
    series = np.array(timings(seed, count), dtype=float)
    series[: count // 10] *= 1 + percent / 100
    return [int(ns) for ns in series]


@pytest.mark.parametrize("percent", [-8, 0, 5, 40])
def test_warm_up_drift_is_the_first_tenth_against_the_rest(percent):
    rounds = tuple(timed(case(), n, warming(n, percent)) for n in range(10))
    found = estimate("warmup_drift", observation(rounds=rounds))
    assert found.value == pytest.approx(percent, abs=0.5)
    assert found.low < found.value < found.high
    ratios = [math.log(np.median(r.timings["timed"].ns[:100]) / np.median(r.timings["timed"].ns[100:])) for r in rounds]
    low, high = t.interval(0.95, 9, statistics.mean(ratios), statistics.stdev(ratios) / math.sqrt(10))
    assert (found.low, found.high) == pytest.approx((100 * math.expm1(low), 100 * math.expm1(high)))


def test_warm_up_is_looked_at_and_nothing_is_trimmed():
    plain, slow = (tuple(timed(case(), n, warming(n, p)) for n in range(6)) for p in (0, 900))
    assert estimate("warmup_drift", observation(rounds=slow)).value > 800
    means = [estimate("latency_mean", observation(rounds=rounds)).value for rounds in (plain, slow)]
    assert means[1] == pytest.approx(1.9 * means[0], rel=0.01)


def test_a_round_with_few_timings_has_no_first_tenth():
    found = estimate("warmup_drift", observation(rounds=(timed(case(), 0, timings(0, 19)),)))
    assert (found.value, found.method) == (None, "not estimable: a round has under 20 timings")


def test_one_round_of_warm_up_has_no_interval():
    found = estimate("warmup_drift", observation(rounds=(timed(case(), 0, timings(0)),)))
    assert found.value is not None and found.low is None


def test_the_control_is_as_fast_as_itself():
    found = estimate("speedup_vs_float32", observation(rounds=(timed(case(), 0, [1000]),), name="float32"))
    assert (found.value, found.method) == (1.0, "is the control")


def test_a_variant_without_a_timed_control_has_no_speed_up():
    own = (timed(case(), 0, [1000]),)
    for control in (None, observation(name="float32")):
        found = estimate("speedup_vs_float32", observation(rounds=own, control=control))
        assert (found.value, found.method) == (None, "float32 was not timed beside it")


def test_cold_start_is_that_of_a_typical_process():
    rounds = tuple(timed(case(), n, [1000], cold_ns=ns) for n, ns in enumerate((1_000_000, 9_000_000, 2_000_000)))
    typical = statistics.geometric_mean((1, 9, 2))
    assert estimate("load", observation(rounds=rounds)).value == pytest.approx(3 * typical)  # read, create, allocate
    assert estimate("first_invoke", observation(rounds=rounds)).value == pytest.approx(typical)


def test_memory_is_that_of_a_typical_process():
    rounds = tuple(timed(case(), n, [1000]) for n in range(3))
    assert estimate("peak_rss", observation(rounds=rounds)).value == 70_000
    assert estimate("model_rss", observation(rounds=rounds)).value == 5_000


@pytest.mark.parametrize("metric", ["peak_rss", "model_rss"])
def test_memory_that_no_device_told_is_unknown_not_zero(metric):
    silent = Round(case(), 0, timings=timed(case(), 0, [1000]).timings)
    found = estimate(metric, observation(rounds=(silent,)))
    assert found.value is None
    assert found.method.startswith("unknown")


# --- what Python's own calls cost, and what flows between the ops -----------------------------------------------------


def fed(index: int, set_ns: list[int], get_ns: list[int], pair_ns: float) -> Round:
    one = timed(case(), index, [1000])
    series = {"set_input": Timings.of(set_ns), "get_output": Timings.of(get_ns)}
    return dataclasses.replace(one, timings=one.timings | series, timing_pair_ns=pair_ns)


def test_feeding_is_that_of_a_typical_round():
    rounds = (
        fed(0, [400, 500, 9000], [700] * 3, 50.0),
        fed(1, [600] * 3, [900] * 3, 60.0),
        fed(2, [400] * 3, [800], 90.0),
    )
    o = observation(rounds=rounds)
    assert estimate("set_input", o).value == pytest.approx(statistics.geometric_mean((0.5, 0.6, 0.4)))
    assert estimate("get_output", o).value == pytest.approx(statistics.geometric_mean((0.7, 0.9, 0.8)))
    assert estimate("timing_pair", o).value == 60.0
    assert [METRICS[name].unit for name in ("set_input", "get_output", "timing_pair")] == ["us", "us", "ns"]


@pytest.mark.parametrize("metric", ["set_input", "get_output", "timing_pair"])
def test_what_an_old_recording_does_not_hold_is_not_recorded(metric):
    found = estimate(metric, observation(rounds=(timed(case(), 0, [1000]),)))
    assert (found.value, found.method) == (None, "not recorded")


def of_file(name: str, activation_bytes: int | None, control: Observation | None = None) -> Observation:
    variant = Variant(name, name, activation_bytes=activation_bytes)
    return dataclasses.replace(observation(control=control), variant=variant)


def test_activation_bytes_stand_beside_the_controls():
    control = of_file("float32", 6864)
    found = estimate("activation_bytes_upper_bound", of_file("int8", 1716, control))
    assert (found.value, found.baseline) == (1716, 6864)
    assert estimate("activation_bytes_upper_bound", control).baseline is None


def test_activation_bytes_of_no_file_are_unknown():
    found = estimate("activation_bytes_upper_bound", of_file("int8", None))
    assert found.value is None
    assert found.method.startswith("unknown")


def test_an_emulated_device_has_no_speed_up_and_says_why():
    """The control has none either: its times do not even keep the order of the variants."""
    rounds = tuple(timed(case(), index, timings(index)) for index in range(6))
    control = dataclasses.replace(observation(rounds=rounds, name="float32"), emulated=True)
    own = dataclasses.replace(observation(rounds=rounds, control=control), emulated=True)
    for o in (control, own):
        for metric in ("speedup_vs_float32", "smallest_detectable_effect"):
            found = estimate(metric, o)
            assert found.value is None and found.low is None
            assert "emulated" in found.method or "control" in found.method
    assert estimate("speedup_vs_float32", dataclasses.replace(own, emulated=False)).value == pytest.approx(1)
