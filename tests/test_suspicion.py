"""compare/suspicion.py: answers that depend on their neighbours or on chance, and outputs beside the scored one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.compare.baseline import compare
from harness.compare.chance import at_chance
from harness.gate.decide import judge
from harness.gate.policy import default_policy
from harness.gate.policy.policy_file import parse_policy
from harness.records import Audit, Finding, Run, Scoring, Standing, Tensor
from tests import made_runs
from tests.made_runs import case, scores, shard
from tests.made_tasks import run_of

N = 1_000
INT8 = case("int8")
ASKED = (7, 999, 0, 501)
SIZE = Tensor("size", "float32", (1, 2))


def made(*audits: Audit, answers: np.ndarray | None = None) -> Run:
    """A run of float32 and int8 that answer exactly as Keras does, unless `answers` says otherwise of int8."""
    keras = scores(N)
    given = keras if answers is None else answers
    shards = [shard(case(), keras), shard(INT8, given[:400]), shard(INT8, given[400:], 400)]
    run = made_runs.run([case(), INT8], labels=keras.argmax(axis=1), baseline=keras, shards=shards)
    return replace(run, audits=audits)


def audit(*passes: np.ndarray, status: str = "ok", reason: str = "") -> Audit:
    return Audit(INT8, ASKED, status, reason, (np.concatenate(passes),) if passes else ())  # type: ignore[arg-type]


def right() -> np.ndarray:
    return scores(N)[list(ASKED)]


def but(rows: np.ndarray, *places: int) -> np.ndarray:
    """The rows, with the smallest change there is in some of them."""
    rows = rows.copy()
    rows[list(places), 1] = np.nextafter(rows[list(places), 1], np.float32(2))
    return rows


def int8_of(run: Run) -> tuple[Standing, Finding]:
    comparison = compare(run)
    standing = comparison.standing(INT8)
    (finding,) = judge(comparison, default_policy()).findings
    assert standing and finding.case == INT8
    return standing, finding


def test_answers_that_are_equal_in_any_order_raise_no_doubt() -> None:
    standing, finding = int8_of(made(audit(right(), right())))
    assert (standing.status, standing.reason, finding.outcome) == ("ok", "", "pass")


def test_a_run_that_was_not_audited_is_not_suspect() -> None:
    standing, finding = int8_of(made())
    assert (standing.status, finding.outcome) == ("ok", "pass")


def test_answers_that_change_with_the_order_are_invalid_whatever_the_rule_says() -> None:
    moved = but(right(), 0, 3)
    standing, finding = int8_of(made(audit(moved, moved)))
    told = "2 of 4 answers change when the samples are asked in another order: the model keeps state, or is random"
    assert (standing.status, standing.reason) == ("suspect", told)
    assert (finding.outcome, finding.holds, finding.reason) == ("invalid", False, f"suspect: {told}")
    assert finding.value == 0.0  # what the judge found is still shown


def test_a_random_model_is_called_random() -> None:
    standing, finding = int8_of(made(audit(right(), but(right(), 2))))
    assert standing.reason.startswith("1 of 4 answers differ where the same samples are asked twice in the same order")
    assert finding.outcome == "invalid"


def test_an_audit_that_failed_makes_the_row_failed() -> None:
    standing, finding = int8_of(made(audit(status="failed", reason="the process died with signal 9")))
    assert (standing.status, finding.outcome) == ("failed", "invalid")


def test_rules_on_size_and_time_do_not_rest_on_answers() -> None:
    policy = parse_policy('[[rule]]\nmetric = "size_bytes"\nmax = "1MB"\nvariant = "int8"', "p")
    moved = but(right(), 0)
    (finding,) = judge(compare(made(audit(moved, moved))), policy).findings
    assert finding.outcome == "pass"


# --- every output ---


def two_heads(small: np.ndarray) -> Run:
    """Keras' second output has a column of thousands and one under 1; int8's has `small` in place of the latter."""
    rng = np.random.default_rng(5)
    large, own = rng.uniform(0, 6000, N), rng.uniform(0, 1, N)
    keras, step = scores(N), 6000 / 255
    size = np.stack([large, own], axis=1).astype(np.float32)
    given = np.stack([np.rint(large / step) * step, small], axis=1).astype(np.float32)
    tensors = (made_runs.FLOAT, SIZE)
    shards = [
        replace(shard(case(), keras), outputs=(keras, size), tensors=tensors),
        replace(shard(INT8, keras), outputs=(keras, given), tensors=tensors),
    ]
    run = made_runs.run([case(), INT8], labels=keras.argmax(axis=1), baseline=keras, shards=shards)
    return replace(run, baseline=(keras, size), output_names=("digit", "size"))


def test_a_second_head_whose_small_column_is_lost_is_named_and_never_passes() -> None:
    standing, finding = int8_of(two_heads(small=np.zeros(N)))
    assert standing.status == "suspect"
    assert standing.reason.startswith("output size: column 1 explains 0.0% of the variation in Keras'")
    assert (finding.outcome, finding.holds) == ("invalid", False)
    assert "output size: column 1" in finding.reason


def test_a_second_head_whose_small_column_is_kept_passes() -> None:
    own = np.random.default_rng(5)
    own.uniform(0, 6000, N)
    standing, finding = int8_of(two_heads(small=own.uniform(0, 1, N)))
    assert (standing.status, finding.outcome) == ("ok", "pass")


@pytest.mark.parametrize("control", [True, False])
def test_a_control_whose_answers_move_bars_what_stands_against_it(control: bool) -> None:
    against = '[[rule]]\nmetric = "accuracy_drop"\nmax = "1pp"\nagainst = "float32"\nvariant = "int8"'
    moved = but(right(), 0)
    found = audit(moved, moved)
    run = made(replace(found, case=case()) if control else audit(right(), right()))
    (finding,) = judge(compare(run), parse_policy(against, "p")).findings
    assert finding.outcome == ("invalid" if control else "pass")


# --- constant answers, chance ---


def test_one_answer_for_every_sample_is_said_in_the_finding_too() -> None:
    constant = np.tile(np.array([0.1, 0.8, 0.1], np.float32), (N, 1))
    standing, finding = int8_of(made(answers=constant))
    assert "it answers b for each of 1,000 samples, and Keras does not" in standing.reason
    assert finding.outcome == "fail"


def lopsided(keras_finds: int, int8_finds: int, rare: int = 60) -> Run:
    """A run in which the last `rare` of 1,000 samples are of class b, of which either model finds the first few."""
    labels = np.repeat([0, 1], [N - rare, rare])

    def answers(found: int) -> np.ndarray:
        return np.eye(3, dtype=np.float32)[np.where(np.arange(N) - (N - rare) < found, labels, 0)] * 0.8 + 0.1

    keras, int8 = answers(keras_finds), answers(int8_finds)
    shards = [shard(case(), keras), shard(INT8, int8)]
    return made_runs.run([case(), INT8], labels=labels, baseline=keras, shards=shards)


@pytest.mark.parametrize("policy", [None, 'metric = "accuracy_drop"\nmax = "20pp"', 'metric = "accuracy"\nmin = 0.5'])
def test_a_variant_that_answers_one_class_where_keras_does_not_passes_no_rule(policy: str | None) -> None:
    rule = parse_policy(f'[[rule]]\nvariant = "int8"\n{policy}', "p") if policy else default_policy()
    comparison = compare(lopsided(keras_finds=5, int8_finds=0))
    (finding,) = judge(comparison, rule).findings
    assert comparison.standing(INT8).status == "suspect"
    assert finding.outcome == "invalid" and "and Keras does not" in finding.reason and not finding.holds


def test_one_answer_is_no_loss_where_the_test_set_has_one_class() -> None:
    keras = scores(N)
    constant = np.tile(np.array([0.8, 0.1, 0.1], np.float32), (N, 1))
    shards = [shard(case(), keras), shard(INT8, constant)]
    run = made_runs.run([case(), INT8], labels=np.zeros(N, int), baseline=keras, shards=shards)
    assert compare(run).standing(INT8).bars == ""


def shuffled() -> Run:
    """A run whose labels have nothing to do with what the models answer."""
    keras = scores(N)
    labels = np.random.default_rng(9).permutation(np.repeat([0, 1], N // 2))
    shards = [shard(case(), keras), shard(INT8, keras)]
    return made_runs.run([case(), INT8], labels=labels, baseline=keras, shards=shards)


def test_a_model_at_chance_does_not_pass_and_says_what_to_check() -> None:
    run = shuffled()
    standing, finding = int8_of(run)
    right = int((run.baseline[0].argmax(axis=1) == run.labels).sum())
    assert standing.status == "ok" and standing.reason.startswith(f"its accuracy, {right / N:.1%} [")
    assert (
        "is right on 50.0%, and Keras' is not either; check that labels and samples are in one order" in finding.reason
    )
    assert finding.outcome == "inconclusive" and not finding.holds
    assert finding.reason.startswith("what is not shown to be over chance has nothing to lose")


def ever_over_chance(until_decided: bool) -> float:
    """The share of models that guess, which at one of the looks of a run are shown to be over chance."""
    rng, looks = np.random.default_rng(4), [250, 375, 562, 843, 1_264, 1_896, 2_844, 4_266]
    run = made()
    run = replace(run, plan=replace(run.plan, until_decided=until_decided))
    fields = [("prediction", int), ("label", int), ("correct", bool), ("baseline_correct", bool)]
    over = 0
    for _ in range(300):
        table = np.zeros(looks[-1], fields)
        table["label"], table["baseline_correct"] = rng.random(len(table)) < 0.45, True
        table["correct"] = rng.random(len(table)) < 0.55
        over += any(not at_chance(run, table[:look]) for look in looks)
    return over / 300


def test_a_model_at_chance_that_is_looked_at_again_and_again_is_found_over_it_one_time_in_twenty_at_most() -> None:
    assert ever_over_chance(until_decided=True) <= 0.05 < 0.1 < ever_over_chance(until_decided=False)


@pytest.mark.parametrize(
    ("rule", "outcome", "told"),
    [
        ('metric = "accuracy"\nmin = 0.1', "inconclusive", "nothing to lose"),
        ('metric = "balanced_accuracy"\nmax_decrease = "5%"\nagainst = "keras"', "inconclusive", "chance, 0.5"),
        ('metric = "f1"\nmax_decrease = "5%"\nagainst = "keras"', "inconclusive", "Keras' balanced_accuracy"),
        ('metric = "class_accuracy_drop"\nmax = "5pp"', "inconclusive", "Keras' balanced_accuracy"),
        ('metric = "flip_rate"\nmax = "5%"', "pass", "is not shown to be over chance"),  # says nothing of labels
        ('metric = "size_bytes"\nmax = "1MB"', "pass", ""),
    ],
)
def test_every_rule_that_stands_on_labels_is_inconclusive_at_chance(rule: str, outcome: str, told: str) -> None:
    (finding,) = judge(compare(shuffled()), parse_policy(f'[[rule]]\nvariant = "int8"\n{rule}', "p")).findings
    assert (finding.outcome, told in finding.reason) == (outcome, True)


def test_a_rule_that_only_warns_lets_it_pass_with_the_words() -> None:
    rule = '[[rule]]\nmetric = "accuracy_drop"\nmax = "1pp"\nvariant = "int8"\non_inconclusive = "warn"'
    verdict = judge(compare(shuffled()), parse_policy(rule, "p"))
    assert verdict.outcome == "pass" and "check that labels" in verdict.findings[0].reason


def test_keras_alone_at_chance_is_told_as_such() -> None:
    standing, finding = int8_of(lopsided(keras_finds=1, int8_finds=50))
    assert standing.reason.startswith("Keras' accuracy, 94.1% [")
    assert finding.outcome == "inconclusive"


def test_auc_over_chance_is_judged_where_accuracy_says_nothing() -> None:
    """A model for a rare class may never answer it, and rank it well."""
    rng, labels = np.random.default_rng(3), np.repeat([0, 1], [N - 60, 60])
    rare = 0.1 + 0.2 * labels + rng.normal(0, 0.03, N)
    keras = np.stack([1 - rare, rare, np.zeros(N)], axis=1).astype(np.float32)
    run = made_runs.run(
        [case(), INT8], labels=labels, baseline=keras, shards=[shard(case(), keras), shard(INT8, keras)]
    )
    rule = '[[rule]]\nvariant = "int8"\nmin = 0.9\nmetric = '
    rules = f'{rule}"auc"\n{rule}"accuracy"\n'
    run = replace(run, labels=labels, baseline=(keras[:, :2],), class_names=("a", "b"))
    run = replace(run, shards=tuple(replace(s, outputs=(keras[:, :2],)) for s in run.shards))
    assert [f.outcome for f in judge(compare(run), parse_policy(rules, "p")).findings] == ["pass", "inconclusive"]


def test_a_good_model_is_not_remarked_on() -> None:
    keras = scores(N)
    labels = keras.argmax(axis=1)
    assert int8_of(made())[0].reason == "" and len(np.unique(labels)) == 3


def test_labels_of_one_class_alone_say_nothing_of_chance() -> None:
    keras = scores(N)
    shards = [shard(case(), keras), shard(INT8, keras)]
    run = made_runs.run([case(), INT8], labels=np.zeros(N, int), baseline=keras, shards=shards)
    standing = compare(run).standing(INT8)
    assert standing and standing.reason == ""


def test_a_constant_model_of_several_labels_passes_no_rule_on_them() -> None:
    rng = np.random.default_rng(0)
    labels = (rng.random((400, 5)) < 0.2).astype(np.int64)
    never, good = np.full((400, 5), 0.1, np.float32), np.asarray(labels * 0.8 + 0.1, np.float32)
    for keras, outcome in ((never, "inconclusive"), (good, "pass")):
        run = run_of("multilabel", labels, keras, {"float32": keras, "int8": keras}, Scoring("subset_accuracy"))
        for metric in ("subset_accuracy", "label_accuracy"):
            rule = f'[[rule]]\nmetric = "{metric}"\nmax_decrease = "2pp"\nagainst = "keras"\nvariant = "int8"'
            (finding,) = judge(compare(run), parse_policy(rule, "p", run.scoring)).findings
            assert finding.outcome == outcome, finding.reason
            assert ("not shown to be over chance" in finding.reason) == (outcome == "inconclusive")


@pytest.mark.parametrize(("right", "outcome"), [(0.0, "inconclusive"), (0.9, "pass")])
def test_top_k_that_always_answers_the_commonest_classes_passes_no_rule(right: float, outcome: str) -> None:
    """80 % of the labels are of three classes, which a model that knows nothing may always rank first."""
    rng = np.random.default_rng(4)
    labels = np.repeat(np.arange(10), [200, 160, 120, 18, 17, 17, 17, 17, 17, 17])
    keras = rng.random((600, 10)) + np.repeat([1.0, 0.0], [3, 7])
    known = rng.random(600) < right
    keras[known, labels[known]] += 2
    keras = np.asarray(keras / keras.sum(axis=1, keepdims=True), np.float32)
    run = run_of("classification", labels, keras, {"int8": keras}, Scoring("top3_accuracy"))
    rule = '[[rule]]\nmetric = "top3_accuracy"\nmax_decrease = "2pp"\nagainst = "keras"'
    (finding,) = judge(compare(run), parse_policy(rule, "p", run.scoring)).findings
    assert finding.outcome == outcome, finding.reason
    assert ("top3_accuracy, 0.8, is not shown to be over chance, 0.8" in finding.reason) == (right == 0)


def test_many_numbers_a_sample_at_chance_pass_no_rule_on_their_errors() -> None:
    rng = np.random.default_rng(5)
    labels, keras = rng.normal(size=(2, 600, 34)).astype(np.float32)
    run = run_of("regression", labels, keras, {"float32": keras, "int8": keras + np.float32(1e-3)})
    policy = parse_policy('[[rule]]\nmetric = "rmse"\nmax_increase = "10%"\nagainst = "keras"\nvariant = "int8"', "p")
    (finding,) = judge(compare(run), policy).findings
    assert finding.outcome == "inconclusive" and "not shown to be over chance" in finding.reason
    good = run_of("regression", labels, labels + keras / 10, {"int8": labels + keras / 10 + np.float32(1e-3)})
    (finding,) = judge(compare(good), policy).findings
    assert finding.outcome == "pass"
