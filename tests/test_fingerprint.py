"""The fingerprint: which field refuses, which warns, what is told of it, and what does not count."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.compare.fingerprint import REFUSE, WARN, Difference, differences, refusal, sample_difference
from harness.records import DeviceState, Environment, Plan, Run, Target, TargetRecord, Tensor, Variant
from tests import made_runs
from tests.made_runs import LITERT, case, scores, timed

KNOWN = Environment(
    board="Raspberry Pi 4 Model B Rev 1.4",
    revision="c03114",
    serial_sha256="ab" * 32,
    userland_bits=64,
    page_bytes=4096,
    os="Debian GNU/Linux 12 (bookworm)",
    kernel="6.6.31",
    firmware="Mar 20 2024\nversion 8ba5a",
    frequency_min_hz=600_000_000,
    frequency_max_hz=1_800_000_000,
    affinity=(0, 1, 2, 3),
    python="3.11.2",
    numpy="1.26.4",
    runtimes={LITERT: "2.3.0", "tflite-runtime": "2.14.0"},
)
STATE = DeviceState(temperature_c=45.0, governor="ondemand", load_1m=0.5, uptime_s=86_400.0)
INPUT = Tensor("x", "float32", (1, 28, 28))
CASE = case()


def run(*, environment=KNOWN, states=(STATE,) * 3, target=None, plan=None, variant=None) -> Run:
    """A run of one case whose every field is known."""
    labels = np.zeros(4, np.int64)
    rounds = [replace(timed(CASE, n, [1000]), before=state) for n, state in enumerate(states)]
    variants = [variant or Variant("float32", "float32", None, "1" * 64, 1000, (INPUT,))]
    made = made_runs.run([CASE], labels=labels, baseline=scores(4), rounds=rounds, variants=variants)
    known = TargetRecord(target or Target("host"), environment)
    return replace(made, targets=(known,), plan=plan or Plan("standard", 10, 50, 0.5), hashes={"test": "7" * 64})


def test_two_runs_that_are_alike_differ_in_nothing():
    assert differences(run(), run(), CASE) == ()
    assert refusal(()) == ""


def changed(**fields) -> Run:
    return run(environment=replace(KNOWN, **fields))


def states(**fields) -> Run:
    return run(states=(replace(STATE, **fields),) * 3)


def shaped(*shape: int) -> Run:
    return run(variant=Variant("float32", "float32", None, "1" * 64, 1000, (replace(INPUT, shape=shape),)))


REFUSED = [
    ("device", changed(serial_sha256="cd" * 32), "abababababab", "cdcdcdcdcdcd"),
    ("board", changed(board="Raspberry Pi 5"), "Raspberry Pi 4 Model B Rev 1.4", "Raspberry Pi 5"),
    ("revision", changed(revision="c03115"), "c03114", "c03115"),
    ("userland bits", changed(userland_bits=32), "64", "32"),
    ("page size, bytes", changed(page_bytes=16_384), "4,096", "16,384"),
    ("runtime", changed(runtimes={LITERT: "2.4.0"}), "ai-edge-litert 2.3.0", "ai-edge-litert 2.4.0"),
    ("affinity", changed(affinity=(3,)), "CPUs 0, 1, 2, 3", "CPUs 3"),
    ("input shapes", shaped(1, 32, 32), "1×28×28", "1×32×32"),
    ("plan", run(plan=Plan("strict", 10, 50, 0.5)), "standard", "strict"),
    ("plan min_runs", run(plan=Plan("standard", 10, 51, 0.5)), "50", "51"),
    ("plan min_s", run(plan=Plan("standard", 10, 50, 0.25)), "0.5", "0.25"),
    ("plan warmup_s", run(plan=Plan("standard", 10, 50, 0.5, warmup_s=0.1)), "0.2", "0.1"),
    ("plan warmup_runs", run(plan=Plan("standard", 10, 50, 0.5, warmup_runs=1)), "10", "1"),
    ("plan max_runs", run(plan=Plan("standard", 10, 50, 0.5, max_runs=99)), "20,000", "99"),
    ("governor", states(governor="performance"), "ondemand", "performance"),
    ("minimum frequency, Hz", changed(frequency_min_hz=1_800_000_000), "600,000,000", "1,800,000,000"),
    ("maximum frequency, Hz", changed(frequency_max_hz=1_500_000_000), "1,800,000,000", "1,500,000,000"),
]
WARNED = [
    ("kernel", changed(kernel="6.6.32"), "6.6.31", "6.6.32"),
    ("firmware", changed(firmware="May 2024"), "Mar 20 2024 version 8ba5a", "May 2024"),
    ("OS", changed(os="Debian 13"), "Debian GNU/Linux 12 (bookworm)", "Debian 13"),
    ("Python", changed(python="3.12.1"), "3.11.2", "3.12.1"),
    ("numpy", changed(numpy="2.0.0"), "1.26.4", "2.0.0"),
    ("start temperature, °C", states(temperature_c=55.5), "45", "55.5"),
    ("load", states(load_1m=1.75), "0.5", "1.75"),
    ("uptime", states(uptime_s=90.0), "over 10 minutes", "under 10 minutes"),
]
EVERY = [(WARN, *row) for row in WARNED] + [(REFUSE, *row) for row in REFUSED]


@pytest.mark.parametrize(("level", "field", "other", "one", "two"), EVERY, ids=lambda v: v if v is str else None)
def test_a_field_that_differs_is_told_with_both_values(level, field, other, one, two):
    assert differences(run(), other, CASE) == (Difference(field, level, one, two),)
    assert differences(other, run(), CASE) == (Difference(field, level, two, one),)
    assert (refusal(differences(run(), other, CASE)) != "") == (level == REFUSE)


UNKNOWN = [
    *((name, changed(**{attribute: None})) for name, attribute in (
        ("device", "serial_sha256"), ("board", "board"), ("revision", "revision"), ("userland bits", "userland_bits"),
        ("page size, bytes", "page_bytes"), ("affinity", "affinity"), ("minimum frequency, Hz", "frequency_min_hz"),
        ("maximum frequency, Hz", "frequency_max_hz"), ("kernel", "kernel"), ("firmware", "firmware"), ("OS", "os"),
        ("Python", "python"), ("numpy", "numpy"),
    )),
    ("runtime", changed(runtimes={})),
    ("input shapes", run(variant=Variant("float32", "float32"))),
    ("governor", states(governor=None)),
    ("governor", run(states=(STATE, replace(STATE, governor=None), STATE))),
    ("start temperature, °C", states(temperature_c=None)),
    ("load", states(load_1m=None)),
    ("uptime", states(uptime_s=None)),
]  # fmt: skip


@pytest.mark.parametrize(("field", "other"), UNKNOWN)
def test_unknown_is_not_fine_against_known_and_warns_against_unknown(field, other):
    levels = dict([(name, REFUSE) for name, *_ in REFUSED] + [(name, WARN) for name, *_ in WARNED])
    for one, two in ((run(), other), (other, run())):
        (found,) = differences(one, two, CASE)
        assert (found.field, found.level, found.unknown) == (field, levels[field], False)
        assert (found.reference is None) == (one is other)
    both = REFUSE if field == "device" else WARN  # two unknown boards may be two boards
    assert differences(other, other, CASE) == (Difference(field, both, None, None),)
    assert refusal(differences(other, other, CASE)) == ("device: unknown in both" if field == "device" else "")


def test_a_target_that_was_not_reached_has_an_unknown_device():
    reason = refusal(differences(run(), run(environment=None), CASE))
    assert "device: abababababab in the reference, unknown in the candidate" in reason


def test_how_many_rounds_there_are_and_in_which_order_does_not_count():
    assert differences(run(), run(plan=Plan("standard", 20, 50, 0.5, seed=7), states=(STATE,) * 8), CASE) == ()


@pytest.mark.parametrize(
    ("one", "two", "apart"),
    [
        (states(temperature_c=40.0), states(temperature_c=50.0), False),
        (states(temperature_c=40.0), states(temperature_c=50.1), True),
        (states(temperature_c=60.1), states(temperature_c=50.0), True),
        (states(load_1m=0.0), states(load_1m=1.0), False),
        (states(load_1m=0.0), states(load_1m=1.01), True),
    ],
)
def test_temperature_and_load_may_differ_a_little(one, two, apart):
    assert bool(differences(one, two, CASE)) == apart


def test_the_start_temperature_is_the_median_over_the_rounds():
    spread = run(states=tuple(replace(STATE, temperature_c=c) for c in (45.0, 46.0, 80.0)))
    assert differences(run(), spread, CASE) == ()


def test_every_governor_of_the_rounds_counts():
    changed_midway = run(states=(STATE, replace(STATE, governor="performance"), STATE))
    (found,) = differences(run(), changed_midway, CASE)
    assert (found.field, found.level, found.candidate) == ("governor", REFUSE, "ondemand, performance")


def test_invalid_rounds_do_not_count():
    other = run(states=(STATE, replace(STATE, governor="performance"), STATE))
    rounds = tuple(replace(r, status="invalid") if r.index == 1 else r for r in other.rounds)
    assert differences(run(), replace(other, rounds=rounds), CASE) == ()


def test_another_runtime_of_the_device_does_not_count():
    assert differences(run(), changed(runtimes={LITERT: "2.3.0", "tflite-runtime": "2.5.0"}), CASE) == ()


@pytest.mark.parametrize(
    ("emulated", "words"),
    [
        (changed(emulation="QEMU_CPU is set to cortex-a72"), "QEMU_CPU is set to cortex-a72"),
        (run(target=Target("host", emulated=True)), "its target file says so"),
    ],
)
def test_an_emulated_device_has_no_latency_to_compare_not_even_with_itself(emulated, words):
    assert differences(emulated, run(), CASE)[0] == Difference("emulated", REFUSE, words, "no")
    assert differences(run(), emulated, CASE)[0] == Difference("emulated", REFUSE, "no", words)
    assert refusal(differences(emulated, emulated, CASE)) == f"emulated: {words} in both"


def test_the_model_counts_only_where_the_same_is_claimed():
    other = run(variant=Variant("float32", "float32", None, "2" * 64, 1000, (INPUT,)))
    assert differences(run(), other, CASE) == ()
    assert differences(run(), other, CASE, same_model=True) == (Difference("model", REFUSE, "1" * 12, "2" * 12),)
    assert differences(run(), run(), CASE, same_model=True) == ()


def test_accuracy_needs_the_same_test_set_known_on_both_sides():
    assert sample_difference(run(), run(environment=None), CASE) is None  # on whatever device
    other = replace(run(), hashes={"test": "8" * 64})
    name = "test inputs and labels"
    assert sample_difference(run(), other, CASE) == Difference(name, REFUSE, "7" * 12, "8" * 12)
    unknown = replace(run(), hashes={})
    assert sample_difference(run(), unknown, CASE) == Difference(name, REFUSE, "7" * 12, None)
    assert sample_difference(unknown, unknown, CASE) == Difference(name, REFUSE, None, None)


def test_a_refusal_names_every_field_that_refuses_and_no_other():
    other = changed(serial_sha256="cd" * 32, page_bytes=16_384, kernel="6.12")
    assert refusal(differences(run(), other, CASE)) == (
        "device: abababababab in the reference, cdcdcdcdcdcd in the candidate; "
        "page size, bytes: 4,096 in the reference, 16,384 in the candidate"
    )
