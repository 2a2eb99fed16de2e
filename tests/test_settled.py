"""settled.py: which rows need no further samples, while a run is measured."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.gate.policy import default_policy
from harness.gate.policy.policy_file import parse_policy
from harness.gate.settled import settled
from harness.records import Run
from tests.made_answers import DROP, RULE, scored
from tests.made_runs import case, shard
from tests.test_early import TOTAL, stopped


def names(run: Run, policy: str = "") -> set[str]:
    """The variants that are decided of a run that is under way, and whose rounds are not measured yet."""
    under_way = replace(run, finished=False, plan=replace(run.plan, rounds=10))
    rules = parse_policy(policy, "policy.toml") if policy else default_policy()
    return {case.variant for case in settled(under_way, rules)}


@pytest.mark.parametrize(
    ("b", "seen", "wanted"),
    [(0, 250, {"float32"}), (0, 400, {"float32", "int8"}), (30, 400, {"float32", "int8"}), (5, 400, {"float32"})],
)
def test_a_row_is_decided_where_it_passes_or_fails_and_where_no_rule_is_on_it(
    b: int, seen: int, wanted: set[str]
) -> None:
    assert names(stopped(b, 0, seen)) == wanted


def test_every_rule_on_answers_has_to_be_decided_and_no_other() -> None:
    size = RULE + 'metric = "size_bytes"\nmax = "1B"\n'
    loose = RULE + 'metric = "accuracy_drop"\nmax = "1pp"\nvariant = "int8"\n'
    tight = RULE + 'metric = "accuracy_drop"\nmax = "0.5pp"\nvariant = "int8"\n'
    assert names(stopped(0, 0, 400), loose + size) == {"float32", "int8"}
    assert names(stopped(0, 0, 400), loose + tight) == {"float32"}
    assert names(stopped(0, 0, 800), loose + tight) == {"float32", "int8"}


def test_what_would_not_ship_among_others_is_not_decided() -> None:
    """int8 passes alone with p just under 5 %; beside a float32 that fails, a list of what ships claims more."""
    rule, good = DROP.replace("0.5", "1"), {seen: stopped(0, 0, seen) for seen in (400, 800)}
    for seen, wanted in ((400, {"float32"}), (800, {"float32", "int8"})):
        lost = np.arange(TOTAL) < 100  # of what Keras has right
        bad = shard(case("float32"), scored(lost | good[seen].baseline[0].argmax(axis=1).astype(bool)))
        others = tuple(s for s in good[seen].shards if s.case.variant == "int8")
        assert names(replace(good[seen], shards=(bad, *others)), rule) == wanted


def test_nothing_is_decided_early_by_a_policy_of_the_whole_test_set() -> None:
    flips = RULE + 'metric = "flip_rate"\nmax = "50%"\n'
    assert names(stopped(0, 0, 800), DROP + flips) == set()


def test_a_row_whose_answers_no_rule_may_rest_on_goes_on() -> None:
    """It answers one class alone where Keras does not, and would pass so loose a limit: that is invalid."""
    run, labels = stopped(0, 0, 400), np.arange(TOTAL) % 2
    constant = replace(run, labels=labels, baseline=(scored(labels),))
    assert "int8" not in names(constant, DROP.replace("0.5", "60"))
