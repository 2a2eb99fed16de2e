"""The test set in two: alike in classes, groups whole, the same for the same run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from harness.records import Run
from harness.treatment.halves import halves_of, joined
from tests.made_runs import case, run, scores


def made(labels: np.ndarray, groups: np.ndarray | None = None) -> Run:
    inputs = (np.arange(len(labels), dtype=np.float32)[:, None],)
    return replace(run([case()], labels=labels, baseline=scores(len(labels))), groups=groups, inputs=inputs)


def test_each_sample_is_in_one_half_and_each_class_in_both():
    labels = np.repeat([0, 1, 2], [11, 200, 89])
    halves = halves_of(made(labels))
    assert sorted([*halves.search, *halves.held]) == list(range(300))
    counts = [np.bincount(labels[part], minlength=3) for part in (halves.search, halves.held)]
    assert np.abs(counts[0] - counts[1]).max() <= 1 and min(map(len, (halves.search, halves.held))) == 150


def test_the_same_run_is_divided_alike_and_another_seed_otherwise():
    labels = np.arange(100) % 3
    one, again = (halves_of(made(labels)) for _ in range(2))
    assert np.array_equal(one.held, again.held)
    other = made(labels)
    assert not np.array_equal(one.held, halves_of(replace(other, plan=replace(other.plan, seed=99))).held)


def test_a_group_is_in_one_half():
    groups = np.repeat(np.arange(20), 10)
    labels = groups % 3
    halves = halves_of(made(labels, groups))
    assert not set(groups[halves.search]) & set(groups[halves.held])
    assert 60 <= len(halves.held) <= 140


def test_one_group_alone_cannot_be_divided():
    assert len(halves_of(made(np.zeros(10, int), np.zeros(10, int))).held) == 0


def test_samples_with_equal_inputs_are_in_one_half():
    """Each sample is there twice: a copy in the search half would tell what the held half says."""
    rng = np.random.default_rng(1)
    once = rng.random((60, 4)).astype(np.float32)
    whole = replace(made(np.tile(np.arange(60) % 3, 2)), inputs=(np.concatenate([once, once]),))
    halves = halves_of(whole)
    assert not set(halves.search % 60) & set(halves.held % 60)
    assert 50 <= len(halves.held) <= 70


def test_an_identity_is_in_one_half():
    labels = np.repeat(np.arange(30), 4)
    halves = halves_of(replace(made(labels), task="embedding"))
    assert not set(labels[halves.search]) & set(labels[halves.held])


def test_what_belongs_together_over_a_third_is_together():
    """0 and 1 are of one group, 1 and 2 of one identity; 3 stands alone."""
    assert joined([np.array([7, 7, 8, 9]), np.array([1, 2, 2, 3])]).tolist() == [0, 0, 0, 1]
