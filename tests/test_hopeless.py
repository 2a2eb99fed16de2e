"""gate/hopeless.py: each kind of rule that a test set and a plan cannot pass is named before a run, and no other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.experiment.plans import PLANS
from harness.gate.hopeless import hopeless
from harness.gate.known import Known
from harness.gate.policy.policy_file import parse_policy

PLAN = PLANS["standard"]
LABELS = np.repeat([0, 1], [980, 20])
NUMBERS = np.linspace(0, 1, 1_000)
AGAINST = 'against = "keras"\n'


def said(rule: str, known: Known, rounds: int = 10, until_decided: bool = False) -> str:
    """What is said of a rule; "" for nothing."""
    plan = replace(PLAN, rounds=rounds, until_decided=until_decided)
    return "".join(hopeless(parse_policy(f"[[rule]]\n{rule}\n", "p"), known, plan))


@pytest.mark.parametrize(
    ("rule", "fewest", "labels"),  # of each: (1 − limit)ⁿ < α, or what the judge wants at least
    [
        ('metric = "accuracy_drop"\nmax = "2pp"', 149, LABELS),
        ('metric = "accuracy"\nmax_decrease = "2pp"\nagainst = "float32"', 149, LABELS),
        ('metric = "accuracy"\nmin = 0.98', 149, LABELS),
        ('metric = "agreement"\nmin = 0.98', 149, None),
        ('metric = "flip_rate"\nmax = "2%"', 149, None),
        ('metric = "mae"\nmax = 3', 299, NUMBERS),
        ('metric = "rmse"\nmax_increase = "3%"\n' + AGAINST, 299, NUMBERS),
        ('metric = "js_p99"\nmax = 0.1', 299, None),
    ],
)
def test_a_test_set_that_is_too_small_is_named(rule: str, fewest: int, labels: np.ndarray | None) -> None:
    assert said(rule, Known(fewest, labels)) == ""
    told = said(rule, Known(fewest - 1, labels))
    assert f"can pass only by an improvement: it needs {fewest:,} test samples; there are {fewest - 1}" in told


@pytest.mark.parametrize(
    ("rule", "known", "told"),
    [
        ('metric = "class_accuracy_drop"\nmax = "5pp"', Known(1_000, LABELS), "class 1 has 20"),
        ('metric = "balanced_accuracy"\nmax_decrease = "3pp"\n' + AGAINST, Known(1_000, LABELS), "class 1 has 20"),
        ('metric = "f1"\nmin = 0.95', Known(1_000, LABELS), "class 1 has 20 samples; none got worse"),
        ('metric = "flips"\nmax = 50', Known(50), "so few samples cannot have so many flips"),
        ('metric = "accuracy_drop"\nmax = "1pp"', Known(1_000), "the test set has no labels"),
        ('metric = "f1"\nmin = 0.5', Known(900, LABELS[100:], np.repeat(np.arange(90), 10)), "needs 299 groups"),
        ('metric = "flip_rate"\nmax = "1%"', Known(1_000, None, np.repeat(np.arange(100), 10)), "363 groups like"),
        (
            'metric = "recall_at_1"\nmin = 0.5',
            Known(900, np.repeat(np.arange(90), 10)),
            "needs 299 identities; there are 90",
        ),
        ('metric = "eer"\nmax = 0.5', Known(900, np.arange(900) // 2, np.arange(900) // 2), "not decided over groups"),
        (
            'metric = "f1"\nmin = 0.5',
            Known(900, NUMBERS, tasks={"": "regression"}),
            "an output whose task is regression",
        ),
        ('metric = "f1"\nmin = 0.5', Known(9, NUMBERS, None, "y", {"z": NUMBERS}), "none of the labelled outputs that"),
        ('metric = "f1"\nmin = 0.95', Known(1_000, NUMBERS, None, "y", {"z": LABELS}), "none got worse"),
        ('metric = "sqnr"\nmin = 20', Known(1_000, None, np.repeat(np.arange(100), 10)), "not decided over groups"),
        ('metric = "accuracy_drop"\nmax = "9pp"', Known(1_000, LABELS, np.repeat(np.arange(5), 200)), "worth 5.0"),
    ],
)
def test_so_is_what_a_test_set_is_made_of(rule: str, known: Known, told: str) -> None:
    assert told in said(rule, known)


def test_a_plan_without_rounds_never_passes_a_rule_on_latency_and_looks_take_more_samples() -> None:
    latency, drop = 'metric = "latency_p50"\nmax = "5ms"', 'metric = "accuracy_drop"\nmax = "1pp"'
    assert "the plan times nothing of a case" in said(latency, Known(100), rounds=0)
    assert "the plan times 1 of a case" in said(latency, Known(100), rounds=1)
    assert said(latency, Known(100), rounds=5) == ""
    assert said(drop, Known(300, LABELS)) == ""
    assert "it needs 375 test samples" in said(drop, Known(300, LABELS), until_decided=True)


@pytest.mark.parametrize(
    "rule",
    [
        'metric = "size_bytes"\nmax = "1MB"',
        'metric = "flips"\nmax = 0',
        'metric = "f1"\nmax_decrease = "9pp"\n' + AGAINST,
        'metric = "auc"\nmin = 0.8',
        'metric = "error_rate_growth"\nmax = "20%"',
    ],
)
def test_what_can_pass_is_not_named(rule: str) -> None:
    assert said(rule, Known(1_000, np.arange(1_000) % 4)) == ""


@pytest.mark.parametrize(
    ("metric", "hopeless"),
    [("box_iou", False), ("class_agreement", False), ("coco_map", True), ("point_distance", True)],
)
def test_detections_without_labels_are_held_against_keras(metric: str, hopeless: bool) -> None:
    """Keypoints need labels, whatever the metric."""
    told = said(f'metric = "{metric}"\n{"max = 3" if metric == "point_distance" else "min = 0.9"}', Known(1_000))
    assert ("the test set has no labels" in told) == hopeless and bool(told) == hopeless


@pytest.mark.parametrize("labels", [np.zeros((1_000, 4, 4), int), np.zeros((1_000, 3, 5))], ids=["masks", "boxes"])
@pytest.mark.parametrize("groups", [None, np.repeat(np.arange(100), 10)], ids=["alone", "groups"])
def test_pixels_and_coordinates_are_not_counted_as_classes(labels: np.ndarray, groups: np.ndarray | None) -> None:
    """The rule is of another output, which has classes."""
    assert said('metric = "class_accuracy_drop"\nmax = "40pp"', Known(1_000, labels, groups)) == ""


def test_of_several_labelled_outputs_each_is_told_by_its_name() -> None:
    rare, rule = np.repeat([0, 1], [990, 10]), 'metric = "class_accuracy_drop"\nmax = "5pp"'
    assert "class 1 has 10" in said(rule, Known(1_000, rare))
    several = Known(1_000, np.arange(1_000) % 2, None, "digit", {"fault": rare})
    assert said(rule, several).endswith("class 1 has 10, output fault")
    assert said(rule + '\noutput = "digit"', several) == ""


def test_identities_are_counted_as_they_are_asked() -> None:
    """One query of each identity; one has 5,000 pictures in the gallery, which ask nothing: .99^299 is under 5 %."""
    rule = 'metric = "recall_at_1"\nmax_decrease = "1pp"\n' + AGAINST

    def known(identities: int) -> Known:
        labels = np.concatenate([np.arange(identities), np.arange(identities), np.zeros(5_000, int), [10**6]])
        return Known(len(labels), labels, tasks={"": "embedding"}, queries=np.arange(len(labels)) < identities)

    assert said(rule, known(400)) == said(rule, known(299)) == ""
    assert "it needs 299 identities; there are 298" in said(rule, known(298))


def test_identities_are_counted_that_the_pairs_name() -> None:
    """500 identities of two samples each, of which the pairs name some, each once beside itself and twice in others."""
    rule = 'metric = "eer"\nmax_increase = "2pp"\n' + AGAINST

    def known(named: int) -> Known:
        own, beside = np.stack([np.arange(named), np.arange(named) + 500], axis=1), np.arange(named)
        pairs = np.concatenate([own, np.stack([beside, np.roll(beside, 1)], axis=1)])
        return Known(1_000, np.tile(np.arange(500), 2), tasks={"": "embedding"}, pairs=pairs)

    assert "it needs 299 identities; there are 100" in said(rule, known(100))
    assert said(rule, known(400)) == ""
