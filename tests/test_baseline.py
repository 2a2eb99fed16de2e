"""A run's raw records → standings, metrics and tables. How each metric is computed: test_metrics."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.compare.baseline import compare, outputs_of
from harness.metrics import METRICS
from harness.records import Round, Shard, Standing, Tensor, Variant
from harness.records.terms import RoundStatus
from tests import made_runs
from tests.made_runs import ENVIRONMENT, FLOAT, LITERT, case, scores, shard, timed

BASELINE = scores()
LABELS = BASELINE.argmax(axis=1)


def run(cases, **fields):
    return made_runs.run(cases, labels=LABELS, baseline=BASELINE, **fields)


def standing(of, **fields) -> Standing:
    """How this case ends: alone in a run, all of its samples measured unless told otherwise."""
    fields = {"shards": [shard(of, BASELINE)]} | fields
    return next(s for s in compare(run([of], **fields)).standings if s.case == of)


# --- standings -----------------------------------------------------------------------------------------------------


def test_a_measured_case_is_ok_and_knows_its_runtime_version():
    assert standing(case()) == Standing(case(), "ok", "", "2.3.0")


def test_a_variant_that_was_not_built_is_failed_for_its_own_reason():
    broken = Variant("int8", "int8", status="failed", reason="refused: none of its ops computes in int8")
    found = standing(case("int8"), variants=[broken], shards=[])
    assert (found.status, found.reason) == ("failed", "refused: none of its ops computes in int8")


def test_a_variant_that_cannot_exist_is_unsupported_for_its_own_reason():
    none = Variant("dynamic_range", "dynamic_range", status="unsupported", reason="none of its weight tensors is large")
    found = standing(case("dynamic_range"), variants=[none], shards=[])
    assert (found.status, found.reason) == ("unsupported", "none of its weight tensors is large")


def test_tflite_runtime_on_python_3_13_is_unsupported():
    environment = replace(ENVIRONMENT, python="3.13.1", runtimes={LITERT: "2.3.0", "tflite-runtime": None})
    of = case(runtime="tflite-runtime")
    found = standing(of, environment=environment, shards=[])
    assert (found.status, found.reason) == ("unsupported", "there is no tflite-runtime for Python 3.13.1")


@pytest.mark.parametrize("runtimes", [{}, {"tflite-runtime": None}])
def test_a_runtime_that_could_be_there_but_is_not_is_failed(runtimes):
    found = standing(case(runtime="tflite-runtime"), environment=replace(ENVIRONMENT, runtimes=runtimes), shards=[])
    assert (found.status, found.reason) == ("failed", "tflite-runtime is not installed on host")


@pytest.mark.parametrize(
    ("finished", "reason"),
    [(True, "host was not reached"), (False, "nothing was measured on host; resume the run")],
)
def test_a_target_that_was_not_reached_is_invalid(finished, reason):
    (found,) = compare(replace(run([case()], environment=None), finished=finished)).standings
    assert (found.status, found.reason) == ("invalid", reason)


def test_a_stretch_that_failed_fails_the_case():
    shards = [shard(case(), BASELINE[:20]), Shard(case(), 20, 40, "failed", "the process died with signal 11")]
    found = standing(case(), shards=shards)
    assert (found.status, found.reason) == ("failed", "the process died with signal 11")


def test_a_round_that_failed_fails_the_case():
    rounds = [timed(case(), 0, [1000]), Round(case(), 1, "failed", ("out of memory",))]
    found = standing(case(), rounds=rounds, planned=2)
    assert (found.status, found.reason) == ("failed", "out of memory")


def test_missing_samples_are_invalid_and_say_resume():
    found = standing(case(), shards=[shard(case(), BASELINE[:39])])
    assert found.status == "invalid"
    assert "not every sample" in found.reason
    assert "resume" in found.reason


def test_missing_rounds_are_invalid_and_counted():
    rounds = [timed(case(), 0, [1000]), replace(timed(case(), 1, [1000]), status="invalid")]
    found = standing(case(), rounds=rounds, planned=3)
    assert found.status == "invalid"
    assert found.reason.startswith("1 of 3 rounds")


def test_a_flagged_round_counts():
    flagged = replace(timed(case(), 0, [1000]), status="flagged", reasons=("it was warm",))
    assert standing(case(), rounds=[flagged], planned=1).status == "ok"


@pytest.mark.parametrize(("flips", "status"), [(4, "ok"), (5, "suspect")])
def test_under_nine_tenths_agreement_is_suspect(flips, status):
    given = BASELINE.copy()
    given[:flips] = np.roll(given[:flips], 1, axis=1)
    found = standing(case(), shards=[shard(case(), given)])
    assert found.status == status
    assert status == "ok" or found.reason == "agrees with Keras on 87.5% of the test set"


def test_scores_that_are_not_finite_are_suspect_and_counted():
    given = BASELINE.copy()
    given[[3, 8]] = np.nan
    found = standing(case(), shards=[shard(case(), given)])
    assert (found.status, found.reason) == ("suspect", "2 samples have scores that are not finite: 3, 8")


def test_a_suspect_variant_stays_suspect_and_is_measured():
    doubtful = Variant("int8", "int8", status="suspect", reason="agrees with Keras on 12.0% of 500 samples")
    found = standing(case("int8"), variants=[doubtful], shards=[shard(case("int8"), BASELINE)])
    assert (found.status, found.reason) == ("suspect", doubtful.reason)


def test_what_went_wrong_first_is_what_is_told():
    broken = Variant("int8", "int8", status="failed", reason="conversion failed: no kernel")
    found = standing(case("int8"), variants=[broken], environment=None, shards=[])
    assert found.reason == "conversion failed: no kernel"


# --- outputs -------------------------------------------------------------------------------------------------------


def test_stretches_are_joined_in_the_order_of_the_test_set():
    shards = [shard(case(), BASELINE[20:], 20), shard(case(), BASELINE[:20])]
    comparison = compare(run([case()], shards=shards))
    assert np.array_equal(comparison.outputs[case()][0], BASELINE)
    assert comparison.samples[case()]["flip"].sum() == 0


def test_outputs_stand_in_the_baselines_order_whatever_the_files():
    ages, tensors = np.arange(40, dtype=np.float32)[:, None], (Tensor("age", "float32", (1, 1)), FLOAT)
    one = Shard(case(), 0, 40, outputs=(ages, BASELINE), tensors=tensors)
    swapped = Variant("float32", "float32", Path("float32.tflite"), yields=(1, 0))
    both = replace(run([case()], shards=[one], variants=[swapped]), baseline=(BASELINE, ages))
    found = outputs_of(both, case())
    assert np.array_equal(found[0], BASELINE)
    assert np.array_equal(found[1], ages)


@pytest.mark.parametrize(
    ("noise", "status"),
    [(0.2, "ok"), (0.5, "suspect"), (None, "suspect")],  # shares of the baseline's own spread; None is a constant
)
def test_numbers_that_do_not_follow_the_baselines_are_suspect(noise, status):
    random = np.random.default_rng(1)
    ages = (300 + random.normal(size=(40, 1))).astype(np.float32)
    given = np.full_like(ages, 300) if noise is None else ages + np.float32(noise) * random.normal(size=(40, 1))
    numbers = replace(
        run([case()], shards=[shard(case(), given.astype(np.float32))]),
        baseline=(ages,),
        labels=ages,
        task="regression",
        class_names=(),
    )
    (found,) = compare(numbers).standings
    assert found.status == status
    assert status == "ok" or "of the variation in Keras' output over the test set" in found.reason


def test_integer_outputs_are_dequantised():
    tensor = Tensor("scores", "int8", (1, 3), scale=1 / 256, zero_point=-128)
    stored = np.random.default_rng(0).integers(-128, 128, BASELINE.shape).astype(np.int8)
    (found,) = outputs_of(run([case()], shards=[shard(case(), stored, tensor=tensor)]), case())
    assert found.dtype == np.float32
    expected = [[(int(x) + 128) / 256 for x in row] for row in stored]
    assert found.tolist() == expected


def test_a_missing_stretch_leaves_no_outputs_and_no_samples():
    comparison = compare(run([case()], shards=[shard(case(), BASELINE[:10])]))
    assert comparison.outputs == {}
    assert len(comparison.samples) == 0
    accuracy = comparison.change(case(), "accuracy")
    assert (accuracy.value, accuracy.method) == (None, "no outputs")


def test_samples_hold_every_variant_and_runtime():
    cases = [case(v, r) for v in ("float32", "int8") for r in (LITERT, "tflite-runtime")]
    comparison = compare(run(cases, shards=[shard(c, scores(noise=0.3)) for c in cases]))
    assert {case: len(table) for case, table in comparison.samples.items()} == dict.fromkeys(cases, 40)


# --- threads -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sweep():
    """4 threads, then 2: outputs were measured at 2 alone, rounds at both."""
    cases = [case("int8", threads=4), case("int8", threads=2)]
    rounds = [timed(c, n, [1000 * c.threads] * 50) for c in cases for n in range(2)]
    return compare(run(cases, shards=[shard(cases[1], scores(noise=1.5))], rounds=rounds, planned=2))


def test_every_thread_count_has_the_accuracy_of_the_lowest(sweep):
    high, low = (case("int8", threads=n) for n in (4, 2))
    for metric in ("accuracy", "accuracy_drop", "flips", "js_p99", "sqnr", "ece"):
        assert sweep.change(low, metric).value is not None
        assert replace(sweep.change(high, metric), case=low) == sweep.change(low, metric)


def test_every_thread_count_has_a_latency_of_its_own(sweep):
    latencies = [sweep.change(case("int8", threads=n), "latency_p50").value for n in (2, 4)]
    assert latencies == [2.0, 4.0]


def test_samples_and_outputs_are_there_once_a_sweep(sweep):
    assert list(sweep.outputs) == list(sweep.samples) == [case("int8", threads=2)]


def test_every_thread_count_ends_as_it_was_measured(sweep):
    assert [s.status for s in sweep.standings] == ["suspect", "suspect"]


# --- changes -------------------------------------------------------------------------------------------------------


def test_every_case_has_every_metric_once_in_order():
    cases = [case("int8"), case("float32")]
    comparison = compare(run(cases, shards=[shard(c, BASELINE) for c in cases]))
    fitting = [name for name, metric in METRICS.items() if metric.estimate and "classification" in metric.tasks]
    assert [(c.case, c.metric) for c in comparison.changes] == [(c, name) for c in cases for name in fitting]


def test_the_control_is_float32_on_the_same_target_runtime_and_threads():
    def cases(variant):
        return [case(variant, r, n, t) for r in (LITERT, "tflite-runtime") for n in (1, 2) for t in ("host", "pi")]

    every = [*cases("int8"), *cases("float32")]
    weight = {c: n + 2 for n, c in enumerate(every)}
    rounds = [timed(c, n, [1000 * weight[c]] * 10) for c in every for n in range(2)]
    comparison = compare(run(every, rounds=rounds, planned=2))
    for of in cases("int8"):
        control = replace(of, variant="float32")
        speed = comparison.change(of, "speedup_vs_float32")
        assert speed.value == pytest.approx(weight[control] / weight[of])
    assert comparison.change(case("float32"), "speedup_vs_float32").value == 1.0


def test_flagged_rounds_are_timed_and_invalid_ones_are_not():
    statuses: tuple[tuple[RoundStatus, int], ...] = (("valid", 1000), ("flagged", 3000), ("invalid", 900_000))
    rounds = [replace(timed(case(), n, [ns] * 10), status=status) for n, (status, ns) in enumerate(statuses)]
    comparison = compare(run([case()], shards=[shard(case(), BASELINE)], rounds=rounds, planned=2))
    assert comparison.change(case(), "latency_mean").value == pytest.approx(3**0.5)  # µs, of a typical round
    assert comparison.standings[0].status == "ok"


def test_without_the_control_there_is_a_size_but_nothing_to_hold_it_against():
    comparison = compare(run([case("int8")], shards=[shard(case("int8"), BASELINE)]))
    size = comparison.change(case("int8"), "size_bytes")
    assert (size.value, size.baseline) == (1000, None)
