"""Why a variant is not faster: told where the delegate took less of its file, and nowhere else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.compare.baseline import compare
from harness.compare.rows import rows, summary_columns
from harness.records import Ran, Run
from harness.report.words.slow_kernels import why_not_faster
from tests.made_runs import case, run, scores, shard, timed

ALL, HALF = Ran(4, 4, 1, ()), Ran(4, 2, 1, ("SOFTMAX", "SOFTMAX"))


def made(int8_ns: int, float32: Ran | None, int8: Ran | None) -> Run:
    cases = [case("float32"), case("int8")]
    answers = scores()
    rounds = [timed(c, n, [ns + 7 * n] * 40) for c, ns in zip(cases, (5000, int8_ns), strict=True) for n in range(10)]
    shards = [replace(shard(c, answers), ran=ran) for c, ran in zip(cases, (float32, int8), strict=True)]
    return run(cases, labels=answers.argmax(axis=1), baseline=answers, shards=shards, rounds=rounds, planned=10)


@pytest.mark.parametrize(
    ("int8_ns", "float32", "int8", "told"),
    [
        (6000, ALL, HALF, True),
        (4000, ALL, HALF, False),  # it is faster
        (6000, HALF, HALF, False),
        (6000, HALF, ALL, False),
        (6000, None, HALF, False),
        (6000, ALL, None, False),
    ],
)
def test_it_is_told_of_what_is_not_faster_and_left_more_to_other_kernels(
    int8_ns: int, float32: Ran | None, int8: Ran | None, told: bool
) -> None:
    said = why_not_faster(rows(compare(made(int8_ns, float32, int8))))
    assert len(said) == told
    if told:
        assert "The delegate took 2 of its 4 ops, and 4 of float32's 4: SOFTMAX ran in" in said[0]


def test_a_few_rounds_and_an_emulated_board_give_no_reason() -> None:
    measured = made(6000, ALL, HALF)
    (target,) = measured.targets
    emulated = replace(measured, targets=(replace(target, target=replace(target.target, emulated=True)),))
    assert why_not_faster(rows(compare(emulated))) == []


def test_summary_csv_counts_the_ops_outside_the_delegate() -> None:
    cells = [summary_columns()["ops_outside_delegate"](row) for row in rows(compare(made(6000, ALL, HALF)))]
    assert cells == [0, 2]
    (_, silent) = rows(compare(made(6000, ALL, None)))
    assert summary_columns()["ops_outside_delegate"](silent) is None
