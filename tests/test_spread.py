"""Rules on time and memory against a reference: by its stored sessions, and by its models timed again beside it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from harness.compare.baseline import compare
from harness.gate.judge.spread import Spread
from harness.gate.policy.policy_file import parse_policy
from harness.gate.policy.rules import Limit, Rule
from harness.gate.reference.remeasured import to_remeasure
from harness.records import Round, Run, Standing, Timings
from tests.made_answers import BOARD, DROP, RULE, found, made, timed_run, twice, verdict_of
from tests.made_runs import case

AGAINST = 'against = "reference"\n'
NOT_SLOWER = 'metric = "latency_p50"\nmax_increase = "5%"\n' + AGAINST
ROUNDS = 8
RIPPLE = 1 + 0.002 * np.array(
    [1.4, -0.9, 0.2, -0.2, 0.9, -1.4, 0.5, -0.5]
)  # of rounds in one session; its mean on the logarithm is nearly 0


def us(level: float) -> list[float]:
    return list(level * RIPPLE)


def session(n: int, level: float = 100.0, float32: float = 300.0, **fields: Any) -> Run:
    """A stored run whose int8 takes that many µs, of a day and a boot of its own."""
    run = timed_run(us(float32), us(level), run_id=f"2025010{n}-000000-0000", **fields)
    return on_day(run, f"2025-01-0{n}")


def on_day(run: Run, day: str, boot: str = "") -> Run:
    """The same run, measured then; the boot is the day's where it is not named."""
    targets = tuple(
        replace(t, environment=replace(t.environment, boot_id=boot or day)) if t.environment else t for t in run.targets
    )
    return replace(run, targets=targets, provenance=replace(run.provenance, created=f"{day}T12:00:00+00:00"))


LEVELS = (100.0, 101.0, 99.0, 100.5, 99.5)
STORED = tuple(session(n + 1, level) for n, level in enumerate(LEVELS))


def candidate(level: float = 100.0, float32: float = 300.0, **fields: Any) -> Run:
    return timed_run(us(float32), us(level), **fields)


def against_sessions(run: Run, rule: str = NOT_SLOWER, stored: Sequence[Run] = STORED):
    return found(run, rule, stored[0], sessions=stored[1:])


def predicted(levels: Sequence[float], new: float, confidence: float = 0.95) -> tuple[float, float]:
    """The prediction interval of the ratio, told by scipy."""
    logs = np.log(levels)
    half = stats.t.ppf(confidence, len(logs) - 1) * np.std(logs, ddof=1) * math.sqrt(1 + 1 / len(logs))
    move = math.log(new) - logs.mean()
    return math.exp(move - half), math.exp(move + half)


# --- stored sessions -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_the_interval_is_that_of_one_more_session(confidence):
    said = against_sessions(candidate(103), NOT_SLOWER + f"confidence = {confidence}\n")
    low, high = predicted(LEVELS, 103, confidence)
    assert (said.low, said.high) == pytest.approx((100 * (low - 1), 100 * (high - 1)), abs=1e-3)
    assert said.value == pytest.approx(100 * (103 / stats.gmean(LEVELS) - 1), abs=1e-3)
    assert (said.unit, said.limit) == ("%", 5)
    assert said.method == "t on log of 5 stored sessions, one more predicted"


@pytest.mark.parametrize(
    ("level", "outcome"), [(80, "pass"), (100, "pass"), (103.5, "inconclusive"), (106, "inconclusive"), (110, "fail")]
)
def test_five_sessions_decide(level, outcome):
    said = against_sessions(candidate(level))
    assert (said.outcome, said.holds) == (outcome, outcome == "pass")
    if outcome == "inconclusive":
        assert "more stored sessions narrow it" in said.reason


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_fewer_than_five_sessions_never_decide_and_are_counted(count):
    for level in (10, 100, 1000):
        said = against_sessions(candidate(level), stored=STORED[:count])
        assert (said.outcome, said.low, said.high) == ("inconclusive", None, None)
        assert said.reason.startswith(f"{count} stored session{'s' * (count > 1)}, and under 5")
        assert "harness accept --add" in said.reason and "--remeasure-reference" in said.reason


def other_model(run: Run) -> Run:
    return replace(run, variants=tuple(replace(v, sha256="1" * 64) for v in run.variants))


def badly_measured(run: Run) -> Run:
    return replace(run, rounds=tuple(replace(r, status="invalid", reasons=("throttled",)) for r in run.rounds))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (other_model, "another model as int8"),
        (badly_measured, "int8 is invalid there"),
        (lambda run: replace(run, finished=False), "not finished"),
        (lambda run: replace(run, experiment="mnist"), "of the experiment mnist"),
        (lambda run: replace(run, run_id="20260101-000000-0000"), "the candidate itself"),
        (lambda run: replace(run, plan=replace(run.plan, profile="strict")), "plan: strict, not quick"),
        (lambda _: session(5, environment=replace(BOARD, serial_sha256="6" * 64)), "device: 666666666666, not 5555"),
        (lambda _: made({"float32": twice(0, 0, 20)[0]}, twice(0, 0, 20)[0], run_id="20250105"), "without int8 there"),
    ],
)
def test_a_session_that_measured_something_else_is_left_out_and_why_is_told(change, reason):
    stored = (*STORED[:4], change(STORED[4]))
    said = against_sessions(candidate(), stored=stored)
    assert said.outcome == "inconclusive"
    assert "4 stored sessions" in said.reason
    assert f"left out: {stored[4].run_id} ({reason}" in said.reason
    decided = against_sessions(candidate(), stored=(*stored, session(6)))
    assert decided.outcome == "pass"
    assert f"left out: {stored[4].run_id}" in decided.reason


@pytest.mark.parametrize(
    ("days", "boots", "counted", "told"),
    [
        ((1, 1, 1, 1, 1), (1, 1, 1, 1, 1), 1, "5 fit, from 1 boot and 1 day; "),
        ((1, 2, 3, 4, 5), (1, 1, 1, 1, 1), 1, "5 fit, from 1 boot and 5 days; "),
        ((1, 1, 1, 1, 1), (1, 2, 3, 4, 5), 1, "5 fit, from 5 boots and 1 day; "),
        ((1, 1, 2, 3, 4), (1, 2, 3, 4, 5), 4, "5 fit, from 5 boots and 4 days; "),
        ((1, 2, 3, 4, 5), (1, 2, 3, 4, 5), 5, ""),
    ],
)
def test_sessions_of_one_boot_or_one_day_are_one(days, boots, counted, told):
    stored = [on_day(s, f"2025-01-0{d}", f"b{b}") for s, d, b in zip(STORED, days, boots, strict=True)]
    said = against_sessions(candidate(), stored=stored)
    assert said.outcome == ("inconclusive" if told else "pass")
    assert said.reason.startswith(f"{counted} stored session") == bool(told)
    assert told in said.reason
    assert not told or "on further days, each time after a restart" in said.reason
    assert not told or "earlier one)" in said.reason


def test_a_session_of_an_unknown_day_does_not_count_and_one_of_an_unknown_boot_by_its_day():
    unknown = replace(STORED[4], provenance=replace(STORED[4].provenance, created=""))
    said = against_sessions(candidate(), stored=(*STORED[:4], unknown))
    assert "on which day it was measured is not known" in said.reason
    bootless = [
        replace(s, targets=tuple(replace(t, environment=replace(t.environment, boot_id=None)) for t in s.targets))
        for s in STORED
    ]
    assert against_sessions(candidate(), stored=bootless).outcome == "pass"


def test_sessions_that_are_left_out_for_one_reason_are_told_together():
    stored = (*STORED[:3], *map(other_model, STORED[3:]))
    told = f"left out: {STORED[3].run_id}, {STORED[4].run_id} (another model as int8)"
    assert told in against_sessions(candidate(), stored=stored).reason


def test_the_same_session_twice_is_one():
    assert "4 stored sessions" in against_sessions(candidate(), stored=(*STORED[:4], STORED[0], STORED[1])).reason


def test_a_reference_on_another_device_cannot_be_compared_whatever_its_sessions_are():
    other = session(1, environment=replace(BOARD, serial_sha256="6" * 64))
    said = against_sessions(candidate(), stored=(other, *STORED[1:], session(6)))
    assert said.outcome == "not_comparable"
    assert "device: 666666666666 in the reference" in said.reason


def test_a_candidate_of_fewer_rounds_is_not_one_more_such_session():
    short = timed_run([300] * 6, [100] * 6)
    said = against_sessions(short)
    assert said.outcome == "inconclusive"
    assert "6 rounds vary more than the 8 of each stored session" in said.reason
    assert "measure the candidate again with as many, --rounds 8;" in said.reason


def test_quick_sessions_decide_a_limit_far_away_alone():
    def quick(n: int, level: float) -> Run:
        run = timed_run([300] * 3, [level, level * 1.001, level], run_id=f"2025020{n}-000000-0000")
        return on_day(run, f"2025-02-0{n + 1}")

    stored = tuple(quick(n, level) for n, level in enumerate(LEVELS))
    near = against_sessions(quick(9, 103.2), 'metric = "latency_p50"\nmax_increase = "5%"\n' + AGAINST, stored)
    assert near.outcome == "inconclusive"
    far = against_sessions(quick(9, 100), 'metric = "latency_p50"\nmax_increase = "20%"\n' + AGAINST, stored)
    assert far.outcome == "pass"


@pytest.mark.parametrize(("level", "outcome"), [(100, "pass"), (110, "inconclusive"), (130, "fail")])
def test_an_absolute_increase_is_of_differences(level, outcome):
    said = against_sessions(candidate(level), 'metric = "latency_p50"\nmax_increase = "10us"\n' + AGAINST)
    half = stats.t.ppf(0.95, 4) * np.std(LEVELS, ddof=1) * math.sqrt(1.2)
    move = level - np.mean(LEVELS)
    assert (said.outcome, said.unit) == (outcome, "us")
    assert (said.low, said.high) == (pytest.approx(move - half, abs=1e-2), pytest.approx(move + half, abs=1e-2))


@pytest.mark.parametrize(("level", "outcome"), [(100, "pass"), (90, "pass"), (111, "inconclusive"), (130, "fail")])
def test_a_speed_up_may_fall_by_so_much(level, outcome):
    """int8 that takes longer is less of a speed-up over the same float32."""
    said = against_sessions(candidate(level), 'metric = "speedup_vs_float32"\nmax_decrease = "10%"\n' + AGAINST)
    assert (said.outcome, said.limit) == (outcome, pytest.approx(10))
    assert said.value == pytest.approx(100 * (1 - stats.gmean(LEVELS) / level), abs=1e-2)
    low, high = predicted([300 / x for x in LEVELS], 300 / level)
    ends = 100 * (1 - high), 100 * (1 - low)
    assert (said.low, said.high) == (pytest.approx(ends[0], abs=1e-2), pytest.approx(ends[1], abs=1e-2))


def test_a_speed_up_needs_the_same_float32_too():
    changed = replace(STORED[4], variants=(replace(STORED[4].variants[0], sha256="1" * 64), STORED[4].variants[1]))
    text = 'metric = "speedup_vs_float32"\nmax_decrease = "50%"\n' + AGAINST
    assert "another model as float32" in against_sessions(candidate(), text, (*STORED[:4], changed)).reason
    assert against_sessions(candidate(), NOT_SLOWER, (*STORED[:4], changed)).outcome == "pass"


def growing(run: Run, growth_bytes: int) -> Run:
    """Its memory grows by so much between the imported runtime and the first invoke, a little more every other time."""

    def piece(r: Round) -> Round:
        return replace(
            r,
            memory_bytes={
                "runtime": {"RssAnon": 20_000},
                "first": {"RssAnon": 20_000 + growth_bytes + 10 * (r.index % 2)},
            },
        )

    return replace(run, rounds=tuple(map(piece, run.rounds)))


@pytest.mark.parametrize(("growth_bytes", "outcome"), [(-100, "pass"), (900, "inconclusive"), (3000, "fail")])
def test_memory_that_did_not_grow_has_differences_and_no_ratio(growth_bytes, outcome):
    stored = tuple(growing(run, n * 100 - 200) for n, run in enumerate(STORED))
    run = growing(candidate(), growth_bytes)
    said = against_sessions(run, 'metric = "model_rss"\nmax_increase = "1KB"\n' + AGAINST, stored)
    assert (said.outcome, said.unit) == (outcome, "bytes")
    relative = against_sessions(run, 'metric = "model_rss"\nmax_increase = "10%"\n' + AGAINST, stored)
    assert relative.outcome == "not_comparable"
    assert "absolute limit" in relative.reason


def test_order_statistics_that_are_the_same_are_no_proof_that_all_rounds_are() -> None:
    """Nine of ten at the limit, and one far over it: of a row at the limit that is no pass, and p is the binomial's."""
    said = Spread.of_values([4096.0] * 9 + [2_048_000.0], MARGIN).judge_value(4096.0, "bytes")
    assert (said.outcome, said.low, said.high) == ("inconclusive", 4096.0, 4096.0)
    assert said.p == 1.0
    assert Spread.of_values([4096.0] * 10, MARGIN).judge_value(4096.0, "bytes").outcome == "pass"


def test_the_verdict_names_the_sessions():
    verdict = verdict_of(candidate(), RULE + NOT_SLOWER, STORED[0], STORED[1:])
    assert verdict.reference == STORED[0].run_id
    assert verdict.sessions == tuple(run.run_id for run in STORED[1:])


# --- how often the wrong model gets through ------------------------------------------------------------------------

SESSION_SD, ROUND_SD, TEN_ROUNDS, FIVE, DRAWS = 0.02, 0.01, 10, 5, 4000
MARGIN = Rule(1, "latency_p50", Limit("max_increase", 0.05, True, "5%"), 0.95, against="reference")


def drawn(rng: np.random.Generator, count: int, slower: float = 0.0) -> list[list[float]]:
    """So many sessions of ten rounds each, in µs: sessions differ by 2 %, rounds of one session by 1 %."""
    logs = math.log(100) + math.log1p(slower) + rng.normal(0, SESSION_SD, (count, 1))
    return np.exp(logs + rng.normal(0, ROUND_SD, (count, TEN_ROUNDS))).tolist()


def shares(slower: float, sessions: int = FIVE) -> dict[str, float]:
    """How often a candidate that is slower by that share passes, fails and stays undecided."""
    rng = np.random.default_rng(17)
    outcomes = [
        Spread.of_sessions(drawn(rng, sessions), drawn(rng, 1, slower)[0], MARGIN).judge_move(MARGIN, "us").outcome
        for _ in range(DRAWS)
    ]
    return {name: outcomes.count(name) / DRAWS for name in ("pass", "fail", "inconclusive")}


SLACK = 3 * math.sqrt(0.05 * 0.95 / DRAWS)


@pytest.mark.parametrize("sessions", [5, 10, 20])
def test_a_model_exactly_at_the_margin_passes_one_time_in_twenty_at_most(sessions):
    found_ = shares(0.05, sessions)
    assert found_["pass"] <= 0.05 + SLACK
    assert found_["fail"] <= 0.05 + SLACK


def test_a_model_that_is_clearly_faster_passes_and_a_clearly_slower_one_fails():
    assert shares(-0.2)["pass"] > 0.99
    assert shares(0.3)["fail"] > 0.99


def test_rounds_of_one_session_alone_would_let_the_model_at_the_margin_through():
    """What the sessions are for: Welch's t over the rounds of two sessions."""
    rng = np.random.default_rng(17)
    pairs = ((np.log(drawn(rng, 1)[0]), np.log(drawn(rng, 1, 0.05)[0])) for _ in range(DRAWS))
    passed = [
        stats.ttest_ind(b - math.log(1.05), a, equal_var=False, alternative="less").pvalue < 0.05 for a, b in pairs
    ]
    assert np.mean(passed) > 0.25


def test_whole_verdicts_at_the_margin_pass_no_more_often():
    """The same through runs, comparisons and the policy, a few times."""
    rng = np.random.default_rng(23)
    passed, draws = 0, 20
    for _ in range(draws):
        *old, new = drawn(rng, FIVE), drawn(rng, 1, 0.05)[0]
        stored = [timed_run(rounds, rounds, run_id=f"2025010{n}-000000-0000") for n, rounds in enumerate(old[0])]
        passed += against_sessions(timed_run(new, new), stored=stored).outcome == "pass"
    assert passed <= stats.binom.ppf(0.999, draws, 0.05)


# --- timed again, beside the candidate -----------------------------------------------------------------------------

DRIFT = np.linspace(1, 2, ROUNDS)  # twice as slow at the end, all alike


def beside(
    int8: tuple[float, float], float32: tuple[float, float] = (300, 300), same_file: bool = False, **fields: Any
) -> Run:
    """The run that timed both: (candidate, reference) in µs, under one drift."""
    levels = {
        "float32@candidate": float32[0],
        "float32@reference": float32[1],
        "int8@candidate": int8[0],
        "int8@reference": int8[1],
    }
    keras, _ = twice(0, 0, 20)
    wobble = {"int8@candidate": RIPPLE}
    latencies: dict[str, Sequence[float]] = {
        name: list(level * DRIFT * wobble.get(name, 1)) for name, level in levels.items()
    }
    run = made(dict.fromkeys(levels, keras), keras, latencies_us=latencies, run_id="20260102-000000-0000", **fields)
    variants = [
        replace(v, sha256=("2" if "@reference" in v.name and not same_file else "0") * 64) for v in run.variants
    ]
    return replace(run, shards=(), plan=replace(run.plan, accuracy=False), variants=tuple(variants))


@pytest.mark.parametrize(
    ("level", "outcome"), [(50, "pass"), (100, "pass"), (104, "pass"), (105, "inconclusive"), (106, "fail")]
)
def test_what_was_timed_beside_it_is_paired_by_round_whatever_drifts(level, outcome):
    said = found(candidate(77), NOT_SLOWER, session(1, 1000), again=beside((level, 100)))
    assert (said.outcome, said.unit, said.limit) == (outcome, "%", 5)
    logs = np.log(level * RIPPLE / 100)
    low, high = np.exp(stats.t.interval(0.9, ROUNDS - 1, logs.mean(), stats.sem(logs)))
    assert (said.low, said.high) == (
        pytest.approx(100 * (low - 1), abs=1e-2),
        pytest.approx(100 * (high - 1), abs=1e-2),
    )
    assert said.method == "t on log ratios of 8 paired rounds, in run 20260102-000000-0000"


def test_the_reference_may_come_from_another_device_where_its_models_were_timed_again():
    elsewhere = session(1, environment=replace(BOARD, serial_sha256="6" * 64))
    assert found(candidate(), NOT_SLOWER, elsewhere).outcome == "not_comparable"
    assert found(candidate(), NOT_SLOWER, elsewhere, again=beside((100, 100))).outcome == "pass"


def test_a_device_that_changed_in_between_is_another_row():
    other = beside((100, 100), environment=replace(BOARD, serial_sha256="6" * 64))
    said = found(candidate(), NOT_SLOWER, session(1), again=other)
    assert said.outcome == "not_comparable"
    assert said.reason == "device: 555555555555 then, 666666666666 now"


@pytest.mark.parametrize(("level", "outcome"), [(100, "pass"), (130, "fail")])
def test_a_speed_up_stands_against_that_of_the_reference_s_own_float32(level, outcome):
    text = 'metric = "speedup_vs_float32"\nmax_decrease = "10%"\n' + AGAINST
    said = found(candidate(), text, session(1), again=beside((level, 50), float32=(300, 150)))
    assert (said.outcome, said.limit) == (outcome, pytest.approx(10))
    assert said.value == pytest.approx(100 * (1 - 100 / level), abs=1e-2)


def test_memory_is_paired_too():
    text = 'metric = "model_rss"\nmax_increase = "1KB"\n' + AGAINST
    said = found(candidate(), text, session(1), again=growing(beside((100, 100)), -50))
    assert (said.outcome, said.value, said.unit) == ("pass", 0, "bytes")
    relative = found(candidate(), text.replace("1KB", "1%"), session(1), again=growing(beside((100, 100)), -50))
    assert relative.outcome == "not_comparable"


def test_the_same_file_on_both_sides_is_told():
    said = found(candidate(), NOT_SLOWER, session(1), again=beside((100, 100), same_file=True))
    assert (said.outcome, said.reason) == (
        "pass",
        "the reference has the same .tflite file as int8: it was measured beside itself",
    )
    assert found(candidate(), NOT_SLOWER, session(1), again=beside((100, 100))).reason == ""


def test_a_row_that_was_not_measured_well_again_is_invalid():
    compared = compare(badly_measured(beside((100, 100))))
    assert {s.status for s in compared.standings} == {"invalid"}
    said = found(candidate(), NOT_SLOWER, session(1), again=badly_measured(beside((100, 100))))
    assert (said.outcome, said.holds) == ("invalid", False)
    assert said.reason.startswith("in run 20260102-000000-0000, int8@candidate is invalid: 8 of 8 rounds are invalid")


def test_a_row_without_a_model_to_time_cannot_be_compared():
    run = beside((100, 100))
    alone = replace(run, cases=tuple(c for c in run.cases if not c.variant.startswith("int8")))
    said = found(candidate(), NOT_SLOWER, session(1), again=alone)
    assert said.outcome == "not_comparable"
    assert "the reference has no model that fits it" in said.reason


def test_a_quantile_that_cannot_be_estimated_there_is_missing():
    said = found(candidate(), NOT_SLOWER.replace("p50", "p99"), session(1), again=beside((100, 100)))
    assert said.outcome == "missing"


def test_accuracy_still_stands_against_the_stored_run():
    verdict = verdict_of(candidate(), DROP + AGAINST + RULE + NOT_SLOWER, session(1), again=beside((100, 100)))
    assert verdict.findings[1].method == "exact test, b=0 c=0 n=20; interval: Tango"
    assert (verdict.reference, verdict.sessions, verdict.again) == (STORED[0].run_id, (), "20260102-000000-0000")


# --- which rows are timed again ------------------------------------------------------------------------------------


def rows(run: Run, text: str, standings: tuple[Standing, ...] = ()) -> list[str]:
    compared = compare(run)
    compared = replace(compared, standings=standings or compared.standings)
    return [c.variant for c in to_remeasure(compared, parse_policy(text, "p"))]


def test_only_rows_whose_rules_need_it_are_timed_again():
    assert rows(candidate(), RULE + NOT_SLOWER) == ["float32", "int8"]
    assert rows(candidate(), RULE + NOT_SLOWER + 'variant = "int8"') == ["int8"]
    assert rows(candidate(), DROP + AGAINST + RULE + 'metric = "size_bytes"\nmax_increase = "1%"\n' + AGAINST) == []
    assert rows(candidate(), RULE + NOT_SLOWER.replace("reference", "float32")) == []
    speedup = RULE + 'metric = "speedup_vs_float32"\nmax_decrease = "5%"\n' + AGAINST
    assert rows(candidate(), speedup) == ["int8", "float32"]
    assert rows(candidate(emulated=True), RULE + NOT_SLOWER) == []
    failed = (Standing(case("int8"), "failed", "refused"), Standing(case("float32"), "ok"))
    assert rows(candidate(), RULE + NOT_SLOWER, failed) == ["float32"]


def test_first_attempts_that_say_otherwise_leave_a_remeasured_reference_undecided() -> None:
    again = beside((100, 100))
    rounds: list[Round] = []
    for piece in again.rounds:
        if piece.case.variant == "int8@candidate":
            slow = Timings.of([int(1.5 * ns) for ns in piece.invokes_ns])
            rounds.append(replace(piece, status="repeated", timings=piece.timings | {"timed": slow}))
            rounds.append(replace(piece, attempt=1))
        else:
            rounds.append(piece)
    said = found(candidate(), NOT_SLOWER, session(1), again=replace(again, rounds=tuple(rounds)))
    assert said.outcome == "inconclusive" and "with the first attempts at unsteady rounds" in said.reason
    assert found(candidate(), NOT_SLOWER, session(1), again=again).outcome == "pass"
