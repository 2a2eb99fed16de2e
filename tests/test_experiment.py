"""The built-in experiments, and what a user may change of them."""

from __future__ import annotations

import inspect
from functools import partial
from pathlib import Path

import pytest

from harness.errors import ConfigError
from harness.experiment.plans import PLANS, plan_of
from harness.experiment.resolve import builtin, select

ALL = ("float32", "float16", "dynamic_range", "int8", "int8_float_io", "int16x8")


@pytest.mark.parametrize("name", ["mnist", "digits"])
def test_a_built_in_experiment_builds_every_variant(name):
    made = builtin(name, None, (), plan_of("quick"))
    assert (made.name, made.model.where, made.variants) == (name, name, ALL)


def test_an_experiment_keeps_what_the_user_chose():
    made = builtin("mnist", Path("mnist.npz"), ("int8",), plan_of("strict"))
    load = inspect.unwrap(made.load)
    assert isinstance(load, partial)
    assert (load.args, made.variants, made.plan.profile) == ((Path("mnist.npz"),), ("int8",), "strict")


def test_an_unknown_experiment_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match="no built-in experiment 'cifar'") as caught:
        builtin("cifar", None, (), plan_of("none"))
    assert "mnist, digits" in caught.value.advice


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        ((), ALL),
        (("int8",), ("int8",)),
        (("int8*",), ("int8", "int8_float_io")),
        (("float*", "int16x8"), ("float32", "float16", "int16x8")),
        (("int8", "float32", "int8"), ("float32", "int8")),  # in the recipes' order, the control first
        (("!int8*",), ("float32", "float16", "dynamic_range", "int16x8")),
        (("int*", "!int8"), ("int8_float_io", "int16x8")),
    ],
)
def test_variants_by_name_or_glob(patterns, names):
    assert select(patterns, ALL) == names


@pytest.mark.parametrize("patterns", [("int4",), ("float32", "uint*"), ("INT8",), ("!in8",)])
def test_a_pattern_that_names_no_variant_is_refused(patterns):
    with pytest.raises(ConfigError, match=f"no variant matches '{patterns[-1]}'".replace("*", r"\*")) as caught:
        select(patterns, ALL)
    assert "dynamic_range" in caught.value.advice


def test_what_leaves_nothing_is_refused():
    with pytest.raises(ConfigError, match="int8 !int8 leaves no variant"):
        select(("int8", "!int8"), ALL)


def test_what_is_not_built_for_want_of_samples_may_be_left_out_and_not_asked_for():
    assert select(("!int8",), ("float32", "float16"), uncalibrated=("int8",)) == ("float32", "float16")
    with pytest.raises(ConfigError, match="int8 needs samples to calibrate with"):
        select(("int8",), ("float32", "float16"), uncalibrated=("int8",))


def test_plans_as_measurement_md_has_them():
    rounds = {name: plan.rounds for name, plan in PLANS.items()}
    assert rounds == {"none": 0, "quick": 3, "standard": 10, "strict": 10}
    assert (PLANS["quick"].min_s, PLANS["standard"].min_s, PLANS["standard"].min_runs) == (0.2, 0.5, 50)
    assert PLANS["strict"].min_runs == 1024
    assert PLANS["strict"].min_s * PLANS["strict"].rounds == 60
    assert all(plan.warmup_runs >= 10 and plan.warmup_s >= 0.2 for plan in PLANS.values())


def test_a_plan_is_adjusted_only_where_the_user_says_so():
    plan = plan_of("standard", rounds=2, min_s=0.0, min_runs=None)
    assert (plan.rounds, plan.min_s, plan.min_runs, plan.profile) == (2, 0.0, 50, "standard")
    assert PLANS["standard"].rounds == 10


def test_an_unknown_plan_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match="no plan 'fast'") as caught:
        plan_of("fast")
    assert "none, quick, standard, strict" in caught.value.advice


@pytest.mark.parametrize("value", [-1, -0.5, float("nan"), float("inf")])
def test_impossible_numbers_are_refused(value):
    with pytest.raises(ConfigError, match="finite and not negative"):
        plan_of("quick", min_s=value)


@pytest.mark.parametrize("adjusted", [{"rounds": 2}, {"min_s": 0.5}, {"min_runs": 10}, {"warmup_s": 0.1}])
def test_a_plan_that_times_nothing_cannot_be_adjusted(adjusted):
    with pytest.raises(ConfigError, match=f"plan none times nothing, so {next(iter(adjusted))} cannot"):
        plan_of("none", **adjusted)
    assert plan_of("none", **dict.fromkeys(adjusted, 0)).rounds == 0


def test_a_round_holds_no_more_timings_than_it_keeps():
    assert plan_of("standard", min_runs=20_000).min_runs == 20_000
    with pytest.raises(ConfigError, match=r"min_runs is 20,001, and a round makes 20,000 timings at most"):
        plan_of("standard", min_runs=20_001)
