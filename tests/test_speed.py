"""report/words/speed.py: which engines are held against each other."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import pytest

from harness.compare.baseline import compare
from harness.compare.rows import rows
from harness.report.words.speed import engines
from tests.made_runs import ENVIRONMENT, case, run, scores, shard, timed

NAMES = [f"ai-edge-litert@{release}" for release in ("1.0.0", "1.1.0", "1.2.0", "1.3.0", "1.4.0")]


@pytest.mark.parametrize("count", [2, 3, 5])
def test_of_many_engines_each_is_held_against_the_first(count: int) -> None:
    cases = [case(runtime=name) for name in NAMES[:count]]
    rounds = [timed(c, n, [1000 * (5 + place) + 7 * n] * 40) for place, c in enumerate(cases) for n in range(10)]
    answers = scores()
    made = run(
        cases, labels=answers.argmax(axis=1), baseline=answers, shards=[shard(c, answers) for c in cases],
        rounds=rounds, planned=10, environment=replace(ENVIRONMENT, runtimes=dict.fromkeys(NAMES, "1")),
    )  # fmt: skip
    comparison = compare(made)
    told = engines(comparison, rows(comparison))
    expected = list(combinations(NAMES[:count], 2)) if count <= 3 else [(NAMES[0], other) for other in NAMES[1:]]
    assert len(told) == len(expected)
    for text, (one, two) in zip(told, expected, strict=True):
        assert f"{one} is faster than {two} for 1 of 1 row" in text
