"""Two runs side by side: when a change counts, when it does not, and when it cannot be told."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import ttest_ind

from harness.compare.fingerprint import REFUSE, WARN, Difference
from harness.compare.two_runs import CAVEAT, compare_runs, kind_of_ratio
from harness.records import Change, Environment, Round, Run, Scoring, Tensor, Variant
from harness.statistics.stats import Interval
from tests import made_runs
from tests.made_runs import LITERT, case, scores, shard, timed
from tests.made_tasks import numbers, run_of, several, three_outputs

N = 1_000
BASELINE = scores(N)
LABELS = BASELINE.argmax(axis=1)
DEVICE = Environment(
    board="Raspberry Pi 4", revision="c03114", serial_sha256="ab" * 32, userland_bits=64, page_bytes=4096,
    affinity=(0, 1), python="3.11.2", runtimes={LITERT: "2.3.0", "tflite-runtime": "2.14.0"},
)  # fmt: skip
OTHER_DEVICE = replace(DEVICE, serial_sha256="cd" * 32)
CASE = case("int8")
NS = (2000, 2010, 1990, 2005, 1995, 2000, 2002, 1998)
JUDGED = {"accuracy_drop", "size_bytes", "latency_p50", "latency_p90", "model_rss"}
OF_ROUNDS = ("latency_p50", "latency_p90", "model_rss")


def answers(*wrong: int) -> np.ndarray:
    """Scores that are right but for these samples."""
    given = BASELINE.copy()
    rows = list(wrong)
    given[rows] = np.roll(given[rows], 1, axis=1)
    return given


def session(ns=NS, given=BASELINE, cases=(CASE,), **fields) -> Run:
    """Every case with a round of 50 equal invokes for each of `ns`, and these scores."""
    variant = Variant("int8", "int8", None, "1" * 64, 9_000, (Tensor("x", "int8", (1, 4, 4)),))
    rounds = [timed(c, n, [int(x)] * 50) for c in cases for n, x in enumerate(ns)]
    defaults: dict[str, Any] = {
        "rounds": rounds, "planned": len(ns), "environment": DEVICE, "variants": [variant],
        "shards": [shard(c, given) for c in cases],
    }  # fmt: skip
    made = made_runs.run(cases, labels=LABELS, baseline=BASELINE, **(defaults | fields))
    return replace(made, hashes={"test": "7" * 64})


def slower(factor: float) -> Run:
    return session([ns * factor for ns in NS])


def change(one: Run, other: Run, metric: str, of=CASE) -> Change:
    (found,) = (c for c in compare_runs(one, other).changes if (c.case, c.metric) == (of, metric))
    return found


def kinds(one: Run, other: Run) -> dict[str, str]:
    return {c.metric: c.kind for c in compare_runs(one, other).changes}


def test_the_same_twice_is_similar_in_everything_and_flips_are_not_judged():
    assert kinds(session(), session()) == dict.fromkeys(JUDGED, "similar") | {"flip_rate": ""}
    assert {c.against for c in compare_runs(session(), session()).changes} == {"reference"}


# --- accuracy ------------------------------------------------------------------------------------------------------


def test_the_drop_is_paired_sample_by_sample_with_the_reference():
    """b = 5 and c = 3 of 1,000; the ten that both have wrong say nothing. Limits: measurement.md, section 3."""
    both_wrong = range(10, 20)
    one, other = session(given=answers(0, 1, 2, *both_wrong)), session(given=answers(*both_wrong, *range(20, 25)))
    found = change(one, other, "accuracy_drop")
    assert (found.value, found.baseline, found.unit) == (pytest.approx(0.2), 0, "pp")
    assert (round(found.low, 4), round(found.high, 4)) == (-0.3102, 0.7595)
    assert (found.method, found.kind) == ("Tango 90 %, b=5 c=3 n=1000", "similar")
    reverse = change(other, one, "accuracy_drop")
    assert (reverse.value, reverse.low, reverse.high) == pytest.approx((-found.value, -found.high, -found.low))


@pytest.mark.parametrize(
    ("lost", "won", "kind"), [(0, 0, "similar"), (3, 0, "regressed"), (2, 0, "similar"), (3, 1, "similar"),
                              (0, 3, "improved"), (0, 2, "similar"), (12, 3, "regressed"), (3, 12, "improved")],
)  # fmt: skip
def test_an_accuracy_changed_where_its_90_percent_interval_leaves_zero_out(lost, won, kind):
    """Without regard to Tango: the score test of b against c at δ = 0 is (b − c)/√(b + c) against 1.645."""
    score = (lost - won) / math.sqrt(lost + won) if lost + won else 0.0
    assert kind == ("regressed" if score > 1.645 else "improved" if score < -1.645 else "similar")
    one, other = session(given=answers(*range(won))), session(given=answers(*range(100, 100 + lost)))
    assert change(one, other, "accuracy_drop").kind == kind


def test_the_flip_rate_is_between_the_two_runs():
    """Both have the first two wrong and flip alike against Keras; three more differ."""
    one, other = session(given=answers(0, 1)), session(given=answers(0, 1, 2, 3, 4))
    found = change(one, other, "flip_rate")
    assert (found.value, found.kind) == (pytest.approx(3 / N), "")
    assert compare_runs(one, other).values(found) == (None, None)


def test_another_test_set_leaves_no_accuracy_to_compare_and_all_the_rest():
    other = replace(session(), hashes={"test": "8" * 64})
    assert kinds(session(), other) == dict.fromkeys(JUDGED, "similar") | {
        "accuracy_drop": "not_comparable", "flip_rate": "not_comparable",
    }  # fmt: skip
    found = change(session(), other, "accuracy_drop")
    assert found.method == "test inputs and labels: 777777777777 in the reference, 888888888888 in the candidate"
    assert (found.value, found.low, found.high) == (None, None, None)


def test_every_thread_count_has_the_accuracy_of_the_lowest():
    cases = (CASE, replace(CASE, threads=4))
    one = session(cases=cases, shards=[shard(CASE, BASELINE)])
    other = session(cases=cases, shards=[shard(CASE, answers(*range(9)))])
    for of in cases:
        assert change(one, other, "accuracy_drop", of).method == f"Tango 90 %, b=9 c=0 n={N}"


# --- size ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "kind"), [(8_999, "improved"), (9_000, "similar"), (9_001, "regressed")])
def test_the_size_is_exact_to_the_byte_on_whatever_device(size, kind):
    other = session(environment=OTHER_DEVICE, variants=[replace(session().variant("int8"), size_bytes=size)])
    found = change(session(), other, "size_bytes")
    assert (found.kind, found.baseline, found.value) == (kind, 9_000, size)


# --- latency and memory --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("factor", "kind"),
    [(1.10, "changed"), (1.035, "changed"), (1.025, "similar"), (0.975, "similar"), (0.96, "changed")],
)
def test_a_latency_changed_where_that_is_real_and_large_enough(factor, kind):
    """The rounds spread by .6 %: each of these ratios is real."""
    for metric in ("latency_p50", "latency_p90"):
        found = change(session(), slower(factor), metric)
        assert (found.low - 1) * (found.high - 1) > 0
        assert (found.kind, found.value) == (kind, pytest.approx(factor, rel=1e-3))


def test_a_large_change_that_may_be_chance_is_similar():
    one, other = session((2000, 3000, 2500, 1800, 2900, 2200)), session((2900, 2200, 3300, 2600, 2000, 3100))
    found = change(one, other, "latency_p50")
    assert found.value > 1.1
    assert found.low < 1 < found.high
    assert found.kind == "similar"


@pytest.mark.parametrize(
    ("ratio", "low", "high", "kind"),
    [
        (1.04, 1.001, 1.08, "changed"), (1.04, 0.999, 1.08, "similar"), (1.029, 1.02, 1.04, "similar"),
        (0.96, 0.92, 0.999, "changed"), (0.96, 0.92, 1.001, "similar"), (0.975, 0.96, 0.99, "similar"),
    ],
)  # fmt: skip
def test_kind_of_ratio(ratio, low, high, kind):
    assert kind_of_ratio(ratio, Interval(low, high)) == kind


def test_the_interval_is_welchs_over_the_quantiles_of_the_rounds_and_says_what_it_lacks():
    """50 timings of five invokes a round, the last five slower: p90 lies a tenth of the way to them."""
    spread = [(1000, 1100), (1010, 1300), (990, 1040), (1003, 1090), (1020, 1111), (970, 1234)]
    rounds = [timed(CASE, n, [5 * a] * 45 + [5 * b] * 5, count=5) for n, (a, b) in enumerate(spread)]
    found = change(session(rounds=rounds, planned=6), slower(2), "latency_p90")
    p90 = [a + 0.1 * (b - a) for a, b in spread]
    logs = ttest_ind(np.log(np.array(NS) * 2), np.log(p90), equal_var=False).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((math.exp(logs.low), math.exp(logs.high)))
    assert (found.unit, found.baseline) == ("ratio", 1.0)
    assert found.method == f"95 %, Welch t on log of 6 and 8 rounds; {CAVEAT}"


def test_beside_similar_stands_what_would_have_gone_unseen_and_beside_a_change_nothing():
    one, other = session(), session([ns * 1.001 for ns in NS])
    spread = np.std(np.log(NS), ddof=1) * math.sqrt(2 / len(NS))  # the standard error of the difference of two means
    similar = change(one, other, "latency_p50")
    assert similar.smallest_percent == pytest.approx(100 * spread * 2.98, rel=0.05)  # (t.975 + t.80) with 14 freedom
    assert change(one, slower(2), "latency_p50").smallest_percent is None
    assert change(one, other, "size_bytes").smallest_percent is None


def test_invalid_rounds_are_not_used():
    rounds = list(session().rounds)
    rounds += [replace(timed(CASE, n, [9_000_000] * 50), status="invalid") for n in range(8, 20)]
    assert change(session(), session(rounds=rounds), "latency_p50").value == 1


def test_what_each_run_says_itself_stands_beside_the_change():
    sessions = compare_runs(session(), session([ns * 2 for ns in NS], given=answers(0, 1, 2, 3)))
    beside = {c.metric: (*sessions.values(c), sessions.own_unit(c)) for c in sessions.changes}
    assert beside["latency_p50"] == (pytest.approx(2.0, rel=1e-3), pytest.approx(4.0, rel=1e-3), "us")
    assert beside["accuracy_drop"] == (1.0, 0.996, "fraction")
    assert beside["size_bytes"] == (9_000, 9_000, "bytes")
    assert beside["model_rss"] == (5_000, 5_000, "bytes")


@pytest.mark.parametrize(("growth", "kind"), [(5_500, "changed"), (5_000, "similar"), (4_000, "changed")])
def test_memory_is_compared_like_a_latency(growth, kind):
    grown = [grew(r, growth) for r in session().rounds]
    assert change(session(), session(rounds=grown), "model_rss").kind == kind


def grew(piece: Round, by: int) -> Round:
    return replace(piece, memory_bytes={"runtime": {"RssAnon": 20_000}, "first": {"RssAnon": 20_000 + by}})


def test_a_process_that_did_not_grow_has_no_ratio():
    flat = [grew(r, 0 if r.index == 3 else 5_000) for r in session().rounds]
    found = change(session(), session(rounds=flat), "model_rss")
    assert (found.kind, found.value) == ("missing", None)
    assert "under zero" in found.method


# --- not comparable ------------------------------------------------------------------------------------------------


def test_another_device_leaves_accuracy_and_size():
    found = {c.metric: c for c in compare_runs(session(), session(environment=OTHER_DEVICE)).changes}
    for metric in OF_ROUNDS:
        assert found[metric].kind == "not_comparable"
        assert found[metric].method == "device: abababababab in the reference, cdcdcdcdcdcd in the candidate"
        assert found[metric].value is None
    assert (found["accuracy_drop"].kind, found["size_bytes"].kind) == ("similar", "similar")


@pytest.mark.parametrize(
    ("one", "two", "told"), [(5, 8, "5 in the reference, 8 in the candidate"), (8, 3, "8 in the reference, 3 in the"),
                             (3, 3, "3 in both"), (6, 6, "")],
)  # fmt: skip
def test_under_six_rounds_no_latency_is_called_similar(one, two, told):
    found = change(session(NS[:one]), session(NS[:two]), "latency_p50")
    assert found.kind == ("not_comparable" if told else "similar")
    assert not told or found.method.startswith(f"under 6 rounds: {told}")


def test_a_case_that_ended_badly_lends_no_latency():
    """Eight rounds of ten: enough to be timed, but two were invalid until the end."""
    rounds = [*session().rounds, *(replace(timed(CASE, n, [1]), status="invalid", reasons=("hot",)) for n in (8, 9))]
    found = change(session(), session(rounds=rounds, planned=10), "latency_p50")
    assert found.kind == "not_comparable"
    assert found.method == ("status: ok in the reference, invalid (2 of 10 rounds are invalid: hot) in the candidate")


def test_every_difference_is_kept_with_the_pair_whether_it_refuses_or_warns():
    (pair,) = compare_runs(session(), session(environment=replace(OTHER_DEVICE, python="3.12.0"))).pairs
    assert Difference("device", REFUSE, "ab" * 6, "cd" * 6) in pair.differences
    assert Difference("Python", WARN, "3.11.2", "3.12.0") in pair.differences
    assert len(set(pair.differences)) == len(pair.differences)


# --- missing -------------------------------------------------------------------------------------------------------


def test_cases_meet_by_variant_target_runtime_and_threads():
    lonely = [case("float16"), case("int8", "tflite-runtime"), case("int8", threads=4), case("int8", target="pi")]
    one, other = session(cases=(CASE, *lonely[:2])), session(cases=(*lonely[2:], CASE))
    sessions = compare_runs(one, other)
    assert [pair.case for pair in sessions.pairs] == [CASE, *lonely]
    reasons = {c.case: c.method for c in sessions.changes if c.kind == "missing"}
    assert reasons == dict.fromkeys(lonely[:2], "the candidate has no such case") | dict.fromkeys(
        lonely[2:], "the reference has no such case"
    )
    assert {c.kind for c in sessions.changes if c.case in lonely} == {"missing"}
    assert {c.kind for c in sessions.changes if c.case == CASE} == {"similar", ""}


def test_what_was_not_measured_is_missing_and_the_reason_is_the_sides_own():
    without = session(cases=(CASE,), environment=replace(DEVICE, runtimes={}), shards=(), rounds=())
    found = {c.metric: c for c in compare_runs(session(), without).changes}
    assert found["latency_p50"].kind == found["accuracy_drop"].kind == found["flip_rate"].kind == "missing"
    assert found["latency_p50"].method == "the candidate has none: ai-edge-litert is not installed on host"
    assert found["size_bytes"].kind == "similar"
    untimed = change(session(), session(()), "latency_p50")
    assert (untimed.kind, untimed.method) == ("missing", "the candidate has none: no rounds were timed")


def test_a_quantile_that_cannot_be_estimated_is_missing():
    short = [timed(CASE, n, [2000] * 20) for n in range(8)]
    found = kinds(session(rounds=short), session())
    assert (found["latency_p50"], found["latency_p90"]) == ("similar", "missing")


def test_a_variant_that_was_not_built_has_no_size():
    broken = Variant("int8", "int8", status="failed", reason="no kernel")
    found = change(session(variants=[broken], shards=(), rounds=()), session(), "size_bytes")
    assert (found.kind, found.method) == ("missing", "the reference has none: no kernel")


# --- tasks that are no classification -----------------------------------------------------------------------------


def test_a_regression_is_compared_by_its_own_metric_over_the_same_samples():
    labels, keras, given = numbers(samples=1000)
    worse = given | {"int8": given["int8"] + np.float32(0.2)}
    one, other = (run_of("regression", labels, keras, g, Scoring("mae")) for g in (given, worse))
    sessions = compare_runs(one, other)
    change = next(c for c in sessions.changes if c.case.variant == "int8" and c.metric == "mae_change")
    errors = [np.abs(g["int8"][:, 0].astype(float) - labels).mean() for g in (given, worse)]
    assert sessions.values(change) == (pytest.approx(errors[0]), pytest.approx(errors[1]))
    assert change.value == pytest.approx(errors[1] - errors[0]) and change.low < change.value < change.high
    assert (change.kind, change.better) == ("regressed", "lower")
    back = next(c for c in compare_runs(other, one).changes if c.metric == "mae_change" and c.case == change.case)
    assert back.kind == "improved" and back.value == pytest.approx(-change.value)
    assert {c.metric for c in sessions.changes}.isdisjoint({"accuracy_drop", "flip_rate"})


def test_the_same_outputs_are_similar():
    labels, keras, given = numbers()
    run = run_of("regression", labels, keras, given)
    change = next(c for c in compare_runs(run, run).changes if c.metric == "rmse_change")
    assert (change.kind, change.value) == ("similar", 0)


# --- several outputs -----------------------------------------------------------------------------------------------


def test_every_output_is_compared_by_what_needs_no_labels():
    labels, keras, int8 = three_outputs()
    worse = int8["boxes"] + 3 * np.sign(int8["boxes"] - keras["boxes"])
    one = several(keras, {"int8": int8}, labels)
    both = compare_runs(one, several(keras, {"int8": {**int8, "boxes": worse}}, labels))
    assert list(both.heads) == ["boxes", "count"]
    assert [(c.metric, c.kind) for c in both.heads["count"].changes] == [("distance_change", "similar")]
    (moved,) = both.heads["boxes"].changes
    assert (moved.metric, moved.kind, moved.value) == ("distance_change", "regressed", pytest.approx(3, rel=1e-3))
    assert {both.output_of(c) for c in both.changes if c.metric in ("accuracy_drop", "flip_rate")} == {"digit"}
    assert {both.output_of(c) for c in both.changes if c.metric in ("size_bytes", "latency_p50")} == {""}
    renamed = compare_runs(replace(one, output_names=("digit", "pixels", "count")), one)
    assert renamed.unshared == (
        "output boxes is not compared: it is not among the reference's beside the scored one",
        "output pixels is not compared: it is not among the candidate's beside the scored one",
    )
