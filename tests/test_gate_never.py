"""What a gate must never let through, and what it must never hold back: traps beyond the plain cases."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.compare.baseline import compare
from harness.errors import ConfigError
from harness.gate.decide import judge
from harness.gate.policy.policy_file import parse_policy
from harness.records import Declared, Finding, Round, Run, Scoring
from tests.made_answers import RIGHT, RULE, WRONG, dropped, found, made, scored, timed_run, twice, verdict_of
from tests.made_runs import LITERT, case, shard
from tests.made_tasks import numbers, regression, run_of

AGAINST = '\nagainst = "reference"'
DROP = 'metric = "accuracy_drop"\nmax = "0.5pp"'
STEADY = [100, 101, 99, 100.5, 99.5, 100, 100.2, 99.8]


# --- a reference that was scored in another way -------------------------------------------------------------------


@pytest.fixture(scope="module")
def column() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels of two classes, a column of probabilities, and one that is wrong about 300 of 1,000."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 1000)
    good = np.clip(labels * 0.8 + 0.1 + rng.normal(0, 0.05, 1000), 0.01, 0.99).astype(np.float32)[:, None]
    bad = np.where(np.arange(1000)[:, None] < 300, 1 - good, good).astype(np.float32)
    return labels, good, bad


@pytest.mark.parametrize(
    ("task", "before", "rule"),
    [
        ("classification", "regression", DROP),
        ("classification", "regression", 'metric = "flip_rate"\nmax = "1%"'),
        ("classification", "regression", 'metric = "f1"\nmax_decrease = "1pp"'),
        ("regression", "classification", 'metric = "mae"\nmax_increase = "5%"'),
        ("regression", "classification", 'metric = "max_abs_diff"\nmax_increase = "5%"'),
    ],
)
def test_a_reference_of_another_task_cannot_be_compared(column, task, before, rule):
    labels, good, bad = column
    reference = run_of(before, labels, good, {"float32": good, "int8": good}, Scoring())
    said = found(run_of(task, labels, good, {"float32": good, "int8": bad}, Scoring()), rule + AGAINST, reference)
    assert said.outcome == "not_comparable" and "task: " in said.reason


def test_a_reference_whose_other_output_was_scored_cannot_be_compared():
    keras, int8 = twice(300, 0, 1000)
    run = made({"int8": int8}, keras)

    def scored_by(output: str) -> Run:
        shards = tuple(replace(s, outputs=s.outputs * 2, tensors=s.tensors * 2) for s in run.shards)
        twins = replace(run, baseline=(scored(keras),) * 2, output_names=("a", "b"), shards=shards)
        return replace(twins, scoring=Scoring(output=output))

    said = found(scored_by("a"), DROP + AGAINST, scored_by("b"))
    assert said.outcome == "not_comparable" and "scored output: b in the reference, a in the candidate" in said.reason


# --- limits that everything keeps ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "limit",
    [
        'metric = "accuracy"\nmax_decrease = 5',
        'metric = "accuracy"\nmax_decrease = "100%"',
        'metric = "agreement"\nmax_decrease = "100pp"',
        'metric = "f1"\nmax_decrease = 1',
        'metric = "ece"\nmax_increase = "900pp"',
        'metric = "speedup_vs_float32"\nmax_decrease = "150%"',
        'metric = "accuracy"\nmin = 0',
        'metric = "accuracy"\nmin = "-5pp"',
        'metric = "agreement"\nmin = 0',
        'metric = "js_p99"\nmax = 5',
    ],
)
def test_a_limit_that_everything_keeps_is_refused(limit):
    with pytest.raises(ConfigError) as caught:
        parse_policy(RULE + limit, "policy.toml")
    assert caught.value.advice


@pytest.mark.parametrize(
    "rule",
    ['metric = "top5_accuracy"\nmin = "99%"', 'metric = "top3_accuracy"\nmax_decrease = "1pp"\nagainst = "keras"'],
)
def test_the_k_highest_of_k_scores_say_nothing(rule):
    said = found(dropped(600, 0, 1000), rule)
    assert said.outcome == "missing" and "highest of 3 scores" in said.reason


def test_a_users_metric_cannot_change_what_others_see(tmp_path):
    (tmp_path / "clipping.py").write_text(
        "def own(labels, outputs):\n    outputs[outputs > 5] = 5\n    return outputs.mean()\n"
    )
    labels, keras, given = numbers()
    given["int8"] = np.where(np.arange(400)[:, None] < 40, keras + 50, keras).astype(np.float32)
    own = Declared("clipping:own", "own", "", "lower")
    run = run_of("regression", labels, keras, given, Scoring("mae", ("own",), folder=tmp_path, declared=(own,)))
    rules = RULE + 'metric = "own"\nmax = 10\n' + RULE + 'metric = "mae"\nmax = 1.0\n'
    findings = judge(compare(run), parse_policy(rules, "p", run.scoring)).findings
    own_of, mae_of = (next(f for f in findings if f.metric == m and f.case == case("int8")) for m in ("own", "mae"))
    assert own_of.outcome == "missing" and "read-only" in own_of.reason
    assert mae_of.outcome == "fail" and mae_of.value == pytest.approx(
        np.abs(given["int8"][:, 0] - labels).mean(), rel=1e-5
    )


# --- a float32 that is itself no measure ---------------------------------------------------------------------------


def hot(run: Run, indexes: tuple[int, ...]) -> Run:
    """These rounds of float32 are invalid."""

    def judged(piece: Round) -> Round:
        bad = piece.case.variant == "float32" and piece.index in indexes
        return replace(piece, status="invalid", reasons=("throttled",)) if bad else piece

    return replace(run, rounds=tuple(map(judged, run.rounds)))


@pytest.mark.parametrize(
    "rule",
    [
        'metric = "latency_p50"\nmax_increase = "5%"\nagainst = "float32"',
        'metric = "speedup_vs_float32"\nmin = 0.5',
        DROP + '\nagainst = "float32"',
    ],
)
def test_a_control_that_did_not_end_well_is_nothing_to_stand_against(rule):
    said = found(hot(timed_run(STEADY, STEADY), (2, 3, 4)), rule)
    assert said.outcome == "not_comparable" and "float32 beside it is invalid: 3 of 8 rounds" in said.reason


def test_size_is_that_of_the_file_whatever_became_of_the_control():
    run = hot(timed_run(STEADY, STEADY), (2, 3, 4))
    assert found(run, 'metric = "size_bytes"\nmax_increase = "0%"\nagainst = "float32"').outcome == "pass"


def test_a_suspect_control_is_told():
    keras, wrong = twice(400, 0, 1000)
    said = found(made({"float32": wrong, "int8": wrong}, keras), DROP + '\nagainst = "float32"')
    assert "float32 beside it is suspect: agrees with Keras on 60.0% of the test set" in said.reason


def test_two_equal_rounds_decide_nothing():
    said = found(timed_run([5.0, 5.0], [5.0, 5.0]), 'metric = "latency_p50"\nmax = "5.001us"')
    assert said.outcome == "inconclusive" and "2 rounds" in said.reason


# --- NaN -----------------------------------------------------------------------------------------------------------


def with_nan(keras: bool, rows: int = 100) -> Run:
    """int8's first rows are NaN; keras: the baseline's too."""
    right = np.full(200, RIGHT)
    run = made({"float32": right, "int8": right}, right)
    broken = scored(right)
    broken[:rows] = np.nan
    shards = [shard(case("float32"), scored(right)), shard(case("int8"), broken)]
    return replace(run, shards=tuple(shards), baseline=(broken if keras else scored(right),))


@pytest.mark.parametrize("keras", [False, True])
@pytest.mark.parametrize(
    "rule",
    [
        'metric = "ties"\nmax = 0',
        'metric = "flips"\nmax = 0',
        'metric = "agreement"\nmin = 0.1',
        'metric = "agreement"\nmax_decrease = 0.05\nagainst = "float32"',
        'metric = "flips"\nmax_increase = 0\nagainst = "float32"',
    ],
)
def test_nan_is_missing_on_whichever_side(rule, keras):
    said = found(with_nan(keras), rule)
    assert (said.outcome, said.holds) == ("missing", False)


def test_nan_of_keras_is_not_told_as_the_variants():
    standing = compare(with_nan(True)).standing(case("float32"))
    assert standing.status == "suspect" and "100 of them Keras' own" in standing.reason


# --- what must not be held back ------------------------------------------------------------------------------------


@pytest.mark.parametrize("metric", ["f1", "balanced_accuracy", "auc"])
@pytest.mark.parametrize(("least", "outcome"), [(0.99, "pass"), (0.9995, "inconclusive")])
def test_a_perfect_score_is_as_sure_as_its_samples_are_many(metric, least, outcome):
    """0 errors of n in each of three classes: the mean m that leaves 5 % is α^(1/3n), here of 500 samples .99800."""
    labels = np.repeat([0, 1, 2], 500)
    run = made({"float32": labels, "int8": labels}, labels)
    said = found(replace(run, labels=labels), f'metric = "{metric}"\nmin = {least}')
    assert (said.outcome, said.value) == (outcome, 1.0)
    assert said.low == pytest.approx(0.05 ** (1 / 1500), abs=2e-5)
    assert said.method.endswith("with what could have happened, 1,500 samples, 3 classes")


def any_of(*rules: str) -> str:
    return 'mode = "any"\n' + "".join(RULE + rule + "\n" for rule in rules)


def test_a_rule_that_only_warns_takes_no_pass_away_in_mode_any():
    keras, int8 = twice(0, 0, 2000)
    run = made({"int8": int8}, keras, latencies_us={"int8": [100, 120, 80, 110, 95, 105, 99, 101]})
    warns = 'metric = "latency_p50"\nmax = "101us"\non_inconclusive = "warn"'
    verdict = verdict_of(run, any_of(DROP, warns))
    assert [f.outcome for f in verdict.findings] == ["pass", "inconclusive"]
    assert (verdict.outcome, verdict.ships) == ("pass", ("int8",))


def test_a_pass_of_a_single_candidate_stands_in_mode_any():
    """The limits and the p-value may differ a little at the limit: a quantile of resamples, and a share of them."""
    run = regression()
    high = found(run, 'metric = "mae"\nmax = 1').high
    for above in (1e-9, 1e-6, 1e-4):
        rule = f'metric = "mae"\nmax = {high * (1 + above)!r}\nvariant = "int8"'
        assert found(run, rule).outcome == "pass"
        assert verdict_of(run, any_of(rule)).outcome == "pass"


def test_outputs_equal_to_keras_keep_every_limit_on_noise():
    run = dropped(0, 0, 300)
    for against in ("float32", "reference"):
        rule = f'metric = "sqnr"\nmax_decrease = 3\nagainst = "{against}"'
        assert found(run, rule, dropped(3, 0, 300)).outcome == "pass"
        few = found(dropped(0, 0, 100), rule, dropped(3, 0, 100))
        assert few.outcome == "inconclusive" and "299 are the fewest" in few.reason


def test_a_decrease_from_a_control_without_noise_has_no_size():
    keras, int8 = twice(3, 0, 100)
    said = found(
        made({"float32": keras, "int8": int8}, keras), 'metric = "sqnr"\nmax_decrease = 3\nagainst = "float32"'
    )
    assert said.outcome == "not_comparable" and "no noise at all" in said.reason


@pytest.mark.parametrize(
    ("rule", "outcome"),
    [
        ("max = 70000", "pass"),
        ("max = 69999", "fail"),
        ('max_increase = "0%"\nagainst = "float32"', "pass"),
        ('max_increase = "0KB"\nagainst = "float32"', "pass"),
    ],
)
def test_memory_that_is_the_same_in_every_round_is_exact(rule, outcome):
    run = timed_run(STEADY, STEADY)
    same = {"runtime": {"RssAnon": 1000}, "first": {"RssAnon": 71_000, "VmHWM": 70_000}}
    run = replace(run, rounds=tuple(replace(r, memory_bytes=same) for r in run.rounds))
    assert found(run, f'metric = "peak_rss"\n{rule}').outcome == outcome


def test_where_there_is_but_the_control_a_speed_up_says_so():
    right = np.full(100, RIGHT)
    said: Finding = verdict_of(
        made({"float32": right}, right), RULE + 'metric = "speedup_vs_float32"\nmin = 1'
    ).findings[0]
    assert said.outcome == "missing" and "float32 does not stand against itself" in said.reason


def test_the_traps_are_set():
    """The helpers make what they say: WRONG is wrong, and the runtime is the one that rows are named by."""
    assert WRONG != RIGHT and dropped(0, 0, 10).cases[0].runtime == LITERT


def test_a_file_that_is_its_own_baseline_is_not_judged_against_itself():
    run = dropped(0, 0, 1000)
    alone = replace(run, provenance=replace(run.provenance, baseline="int8"))
    answer = found(alone, 'metric = "accuracy_drop"\nmax = "1pp"\nvariant = "int8"')
    assert (answer.outcome, answer.holds) == ("missing", False)
    assert "the row is the baseline itself" in answer.reason
