"""early.py: rows that were decided before the end of the test set."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.compare.baseline import compare
from harness.compare.rows import rows
from harness.compare.two_runs import compare_runs
from harness.records import Comparison, Run
from harness.report.material import material_of
from harness.report.words.summary import headline, sentences
from harness.runs.loading import load
from harness.runs.table_files import write_tables
from harness.statistics.anytime import anytime_limits
from tests.devices import RECORDED
from tests.made_answers import RIGHT, WRONG, made, scored
from tests.made_runs import case, shard

STOPPED = RECORDED.with_name("digits-schema-4")  # int8 answered 375 of 500 samples, float32 250
TOTAL, SEEN = 1_000, 400


def stopped(b: int, c: int, seen: int = SEEN, total: int = TOTAL) -> Run:
    """Keras has every second later sample wrong. Of the first `seen`, int8 lost b and won c; it answered no others."""
    keras, int8 = np.full(total, RIGHT), np.full(total, RIGHT)
    int8[:b], keras[b : b + c] = WRONG, WRONG
    keras[seen::2] = WRONG
    run = made({"float32": keras, "int8": int8}, keras, labels=np.arange(total) * 0)
    shards = (*(s for s in run.shards if s.case.variant == "float32"), shard(case("int8"), scored(int8[:seen])))
    return replace(run, shards=shards, plan=replace(run.plan, until_decided=True))


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    return compare(stopped(6, 2))


def test_accuracy_and_keras_are_over_the_samples_that_were_answered(comparison: Comparison) -> None:
    change = comparison.change(case("int8"), "accuracy")
    assert change and change.value == 1 - 6 / SEEN and change.baseline == 1 - 2 / SEEN
    whole = comparison.change(case("float32"), "accuracy")
    assert whole and whole.value == whole.baseline == 1 - (2 + (TOTAL - SEEN) / 2) / TOTAL


def test_its_drop_has_limits_that_hold_at_any_time(comparison: Comparison) -> None:
    change, limits = comparison.change(case("int8"), "accuracy_drop"), anytime_limits(6, 2, SEEN)
    assert change and change.value == pytest.approx(100 * 4 / SEEN)
    assert (change.low, change.high) == pytest.approx((100 * limits.low, 100 * limits.high))


def test_a_row_that_answered_all_has_such_limits_too() -> None:
    """How many it answered depended on the answers all the same."""
    run = stopped(6, 2, seen=TOTAL)
    change, limits = compare(run).change(case("int8"), "accuracy_drop"), anytime_limits(6, 2, TOTAL)
    assert change and (change.low, change.high) == pytest.approx((100 * limits.low, 100 * limits.high))


def test_what_is_of_the_whole_test_set_has_no_value(comparison: Comparison) -> None:
    names = ("flips", "flip_rate", "agreement", "max_abs_diff", "mcnemar_p", "ece", "sqnr")
    found = {name: comparison.change(case("int8"), name) for name in names}
    assert {name for name, change in found.items() if change and change.value is None} == set(names)
    assert all(change and "400 of 1,000 samples" in change.method for change in found.values())
    flips = comparison.change(case("float32"), "flips")
    assert flips and flips.value == 0


def test_the_row_is_ok_and_says_how_far_it_came(comparison: Comparison) -> None:
    standing = comparison.standing(case("int8"))
    assert standing and standing.status == "ok" and standing.reason.startswith("stopped after 400 of 1,000 samples")
    (row,) = (row for row in rows(comparison) if row.case.variant == "int8")
    assert row.samples == SEEN and row.baseline_accuracy == 1 - 2 / SEEN


def test_an_interrupted_run_is_not_taken_for_one_that_was_decided() -> None:
    standing = compare(replace(stopped(0, 0), finished=False)).standing(case("int8"))
    assert standing and standing.status == "invalid" and "resume the run" in standing.reason


def test_neither_is_a_run_of_another_plan_or_a_row_with_a_gap() -> None:
    run = stopped(0, 0)
    ordinary = replace(run, plan=replace(run.plan, until_decided=False))
    gap = replace(run, shards=tuple(replace(s, first=5) if s.case.variant == "int8" else s for s in run.shards))
    for lacking in (ordinary, gap):
        standing = compare(lacking).standing(case("int8"))
        assert standing and standing.status == "invalid"


def test_a_row_that_answers_nonsense_is_suspect_by_what_it_answered() -> None:
    standing = compare(stopped(300, 0)).standing(case("int8"))
    assert standing and standing.status == "suspect"


def test_the_headline_names_no_accuracy_of_keras_where_rows_stand_against_several(comparison: Comparison) -> None:
    material = material_of(comparison)
    assert "against Keras;" in headline(material)
    assert any("stopped after 400 of 1,000" in each.text for each in sentences(material))


# A real run.


def test_the_tables_of_samples_have_the_numbers_of_the_users_own_order(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    stored = compare(load(STOPPED))
    write_tables(stored, tmp_path)
    frame = pq.read_table(tmp_path / "samples.parquet").to_pandas()
    assert frame.groupby("variant").size().to_dict() == {"float32": 500, "int8": 750}  # on two runtimes each
    run = stored.run
    assert run.numbers is not None and run.labels is not None
    own = np.empty(500, int)
    own[run.numbers] = run.labels
    assert (frame["label"] == own[frame["sample"]]).all()
    assert (own == load(RECORDED).labels).all()  # the order of digits without a shuffle


def test_two_runs_are_not_compared_by_a_part_of_the_test_set() -> None:
    run = load(STOPPED)
    changes = {c.metric: c for c in compare_runs(run, run).changes if c.case.variant == "int8"}
    assert changes["accuracy_drop"].kind == "missing" and "375 of 500" in changes["accuracy_drop"].method
    assert changes["size_bytes"].kind == "similar"


def test_a_run_in_another_order_is_not_comparable_and_says_so() -> None:
    other = replace(load(STOPPED), plan=replace(load(RECORDED).plan), shards=load(RECORDED).shards)
    kinds = [c for c in compare_runs(load(RECORDED), other).changes if c.metric == "accuracy_drop"]
    assert all("order of the test samples: as given in the reference, shuffled" in c.method for c in kinds) and kinds
