"""compare/suspicion.py: answers that depend on their neighbours or on chance, and outputs beside the scored one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.compare.baseline import compare
from harness.gate.decide import judge
from harness.gate.policy import default_policy
from harness.records import Audit, Finding, Run, Standing, Tensor
from tests import made_runs
from tests.made_runs import case, scores, shard

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
    from harness.gate.policy.policy_file import parse_policy

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
    from harness.gate.policy.policy_file import parse_policy

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
    assert "it answers b for each of 1,000 samples" in standing.reason
    assert finding.outcome == "fail"


def test_a_model_at_chance_passes_with_a_word() -> None:
    keras = scores(N)
    labels = np.random.default_rng(9).permutation(np.repeat([0, 1], N // 2))  # unlike anything the model answers
    shards = [shard(case(), keras), shard(INT8, keras)]
    standing, finding = int8_of(made_runs.run([case(), INT8], labels=labels, baseline=keras, shards=shards))
    right = int((keras.argmax(axis=1) == labels).sum())
    told = f"its accuracy, {right / N:.1%} ["
    assert standing.status == "ok" and standing.reason.startswith(told)
    assert standing.reason.endswith("is right on 50.0%, and Keras' is not either")
    assert finding.outcome == "pass" and finding.reason == standing.reason


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
