"""The answer that a report begins with, of made runs whose truth is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.gate.decide import judge
from harness.gate.policy.policy_file import parse_policy
from harness.gate.run_gate import default_verdict
from harness.records import Absent, Comparison
from harness.report import render
from harness.report.material import Material
from harness.report.words.ship_answer import rule_by_rule, ship_answer
from harness.report.words.summary import Sentences
from tests.synthetic import synthetic


def answer(comparison: Comparison, policy: str = "") -> dict[str, str]:
    verdict = judge(comparison, parse_policy(policy, "policy.toml")) if policy else default_verdict(comparison)
    (block,) = ship_answer(Material(comparison, verdict=verdict)).blocks
    assert isinstance(block, Sentences)
    return {sentence.topic: sentence.text for sentence in block.topics}


SIZE = '[[rule]]\nmetric = "size_bytes"\nmax = "{}"\nvariant = "{}"\n'


def test_what_may_ship_is_what_the_verdict_says() -> None:
    comparison = synthetic()
    verdict = default_verdict(comparison)
    assert not isinstance(verdict, Absent) and 0 < len(verdict.ships) < 6
    told = answer(comparison)
    assert all(name in told["May ship"].split(".")[0] for name in verdict.ships)
    assert "does not pass" in told["May ship"]
    left = {f.case.variant for f in verdict.findings if f.case} - set(verdict.ships)
    for name in left:
        assert (
            f"{name} on host" in told["May not ship"] + told["Not known"] or f"{name} would pass" in told["Not known"]
        )
    assert "asks nothing of time, size or memory" in told["Judged by"]


def test_a_limit_that_is_broken_is_named_with_its_value() -> None:
    told = answer(synthetic(), SIZE.format("105KB", "int8*"))
    assert told["May ship"].startswith("int8.")
    assert (
        "int8_float_io on host with ai-edge-litert: size_bytes is 105,480 B, and the limit is 105,000 B"
        in (told["May not ship"])
    )
    assert told["Judged by"] == "policy.toml: size_bytes max 105KB at 95 %."


def test_the_only_one_needs_no_comparison() -> None:
    assert answer(synthetic(), SIZE.format("105KB", "int8*"))["Prefer"] == "int8: no other variant may ship."


def test_the_fastest_and_smallest_is_preferred_with_its_figures() -> None:
    told = answer(synthetic(), SIZE.format("300KB", "int8") + SIZE.format("300KB", "float16"))
    assert told["May ship"] == "int8 and float16."
    assert told["Prefer"].startswith("int8: its file is the smallest of these (105 kB), and it is the fastest of them")


def test_speed_is_not_a_reason_where_it_was_not_shown() -> None:
    policy = SIZE.format("300KB", "int8") + SIZE.format("300KB", "float16")
    for comparison in (synthetic(rounds=2, profile="quick"), synthetic(emulated=("host",))):
        told = answer(comparison, policy)["Prefer"]
        assert told.startswith("int8: its file is the smallest of these (105 kB). Which of them is the fastest is not")


def test_the_smallest_and_the_fastest_may_be_two() -> None:
    told = answer(synthetic(), SIZE.format("500KB", "int16x8") + SIZE.format("500KB", "float32"))
    assert "int16x8" not in told["May ship"]  # one of its rows failed
    told = answer(synthetic(), SIZE.format("500KB", "dynamic_range") + SIZE.format("500KB", "int8_float_io"))
    assert "dynamic_range: its file is the smallest" in told["Prefer"]


def test_a_reason_that_rows_share_is_said_once() -> None:
    said = answer(synthetic(), '[[rule]]\nmetric = "mean_iou"\nmin = 0.9\nvariant = "[!f]*"\n')["Not known"]
    assert said.count("mean_iou is of segmentation") == 1
    named, _, _ = said.partition(": mean_iou")
    assert len(named.split("; ")) > 2 and "int8 on host" in named and "dynamic_range on host" in named


def test_a_rule_that_names_no_row_is_not_known() -> None:
    assert "Rule 1" in answer(synthetic(), SIZE.format("1MB", "int9"))["Not known"]


def test_any_needs_no_other_variant() -> None:
    told = answer(synthetic(), 'mode = "any"\n' + SIZE.format("105KB", "int8*"))
    assert told["May ship"] == "int8."


@pytest.mark.parametrize(
    ("comparison", "why"),
    [
        (replace(synthetic(), run=replace(synthetic().run, finished=False)), "the run is not finished"),
        (
            replace(synthetic(), run=replace(synthetic().run, plan=replace(synthetic().run.plan, accuracy=False))),
            "times again",
        ),
    ],
    ids=["unfinished", "again"],
)
def test_what_cannot_be_judged_says_why(comparison: Comparison, why: str) -> None:
    told = answer(comparison)
    assert list(told) == ["No verdict"]
    assert why in told["No verdict"]
    assert rule_by_rule(Material(comparison, verdict=default_verdict(comparison))) is None


def test_the_page_begins_with_it_and_has_every_finding(tmp_path: Path) -> None:
    comparison = synthetic()
    verdict = default_verdict(comparison)
    assert not isinstance(verdict, Absent)
    page = render(Material(comparison, verdict=verdict), "html")
    assert (
        page.index("May it ship?") < page.index(">Summary<") < page.index(">In words<") < page.index(">Rule by rule<")
    )
    assert page.count("accuracy_drop max 1pp") > len(verdict.findings)
    assert "May it ship?" in render(Material(comparison, verdict=verdict), "markdown")


def test_what_passes_only_alone_is_not_known() -> None:
    comparison = synthetic()
    verdict = default_verdict(comparison)
    assert not isinstance(verdict, Absent)
    assert "dynamic_range" not in verdict.ships
    assert all(f.outcome == "pass" for f in verdict.findings if f.case and f.case.variant == "dynamic_range")
    told = "dynamic_range would pass alone, but not as one of 5 variants judged together (Holm)."
    assert told in answer(comparison)["Not known"]
