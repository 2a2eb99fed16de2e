"""Samples that are looked for, against what numpy finds in the same outputs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.api.found_samples import FoundSamples
from harness.compare.baseline import compare
from harness.compare.searched import Search, in_class, narrowed, search
from harness.errors import ConfigError
from harness.records import Comparison, Detection, Scoring
from tests import made_objects, made_tasks
from tests.made_runs import case


def numbers_of(comparison: Comparison, asked: Search) -> list[int]:
    return [hit.place for hit in search(comparison, asked).shown]


def as_yolo(found: np.ndarray) -> np.ndarray:
    """Detections as (pictures, rows, 4 + classes): a box's middle and size, and its score of each class."""
    scores = np.where(found[..., 5:6] == np.arange(4), found[..., 4:5], 0)
    low, high = found[..., :2], found[..., 2:4]
    return np.concatenate([(low + high) / 2, high - low, scores], axis=2).astype(np.float32)


@pytest.fixture(scope="module")
def classes() -> Comparison:
    return compare(made_tasks.classes(samples=200))


def test_flips_are_those_of_numpy_and_begin_with_what_was_lost(classes: Comparison) -> None:
    run, int8 = classes.run, classes.scores[case("int8")]
    keras, own = classes.baseline.argmax(axis=1), int8.argmax(axis=1)
    flips = np.flatnonzero(keras != own)
    lost = [n for n in flips if keras[n] == run.labels[n]]
    found = search(classes, Search(flips=True, most=1000))
    assert found.total == len(flips) and {hit.place for hit in found.shown} == set(flips)
    assert 0 < len(lost) < len(flips)
    assert {hit.place for hit in found.shown[: len(lost)]} == set(lost)
    assert {hit.outcome for hit in found.shown[: len(lost)]} == {"lost"}
    assert [hit.flipped for hit in found.shown] == [1] * len(flips)  # float32 says what Keras says
    far = np.abs(int8 - classes.baseline).max(axis=1)
    assert sorted(far[lost], reverse=True) == pytest.approx([hit.apart for hit in found.shown[: len(lost)]])


def test_the_worst_are_those_that_moved_most(classes: Comparison) -> None:
    far = np.abs(classes.scores[case("int8")] - classes.baseline).max(axis=1)
    found = search(classes, Search(most=5))
    assert ([hit.place for hit in found.shown], found.total) == (np.argsort(-far, kind="stable")[:5].tolist(), 200)


def test_a_class_is_found_by_its_name_and_number(classes: Comparison) -> None:
    named = compare(replace(classes.run, class_names=("ant", "bee", "cow", "dog")))
    wanted = set(np.flatnonzero(named.run.labels == 2))
    for name in ("cow", "2"):
        assert set(numbers_of(named, Search(of_class=name, most=1000))) == wanted
    with pytest.raises(ConfigError, match="no class 'bea'") as raised:
        search(named, Search(of_class="bea"))
    assert "did you mean bee?" in raised.value.advice


def test_without_labels_a_class_is_what_keras_takes_for_it(classes: Comparison) -> None:
    unlabelled = compare(replace(classes.run, labels=None, task="agreement"))
    wanted = set(np.flatnonzero(classes.baseline.argmax(axis=1) == 1))
    assert set(numbers_of(unlabelled, Search(of_class="1", most=1000))) == wanted


def test_without_labels_a_class_is_on_the_pictures_where_keras_finds_an_object_of_it() -> None:
    objects, found = made_objects.pictures(40)
    how, keras = Detection("yolo", boxes="found"), as_yolo(found)
    run = made_tasks.run_of("detection", objects, keras, {"int8": keras}, Scoring(output="found", detection=how))
    comparison = compare(replace(run, labels=None, output_names=("found",)))
    wanted = [n for n, rows in enumerate(comparison.baseline) if any(r[4] >= 0.5 and r[5] == 3 for r in rows)]
    assert 0 < len(wanted) < 40
    assert sorted(numbers_of(comparison, Search(of_class="3", most=99))) == wanted


def test_without_labels_numbers_have_no_class(classes: Comparison) -> None:
    unlabelled = replace(classes, run=replace(classes.run, labels=None, task="embedding"))
    with pytest.raises(ConfigError, match="has no labels, and answers of the task embedding do not say one class"):
        in_class(unlabelled, "1")


def test_numbers_are_ordered_by_either_distance() -> None:
    comparison = compare(made_tasks.regression(Scoring("mae"), samples=100))
    labels, int8 = comparison.run.labels, comparison.scores[case("int8")][:, 0]
    assert labels is not None
    apart = np.abs(int8 - comparison.baseline[:, 0])
    assert numbers_of(comparison, Search(most=4)) == np.argsort(-apart)[:4].tolist()
    errors = np.maximum(np.abs(int8 - labels), np.abs(comparison.scores[case("float32")][:, 0] - labels))
    assert numbers_of(comparison, Search(by="error", most=4)) == np.argsort(-errors)[:4].tolist()
    with pytest.raises(ConfigError, match="has no flips"):
        search(comparison, Search(flips=True))
    with pytest.raises(ConfigError, match="have no class"):
        search(comparison, Search(of_class="1"))


def test_outputs_that_are_not_finite_come_first() -> None:
    run = made_tasks.regression(Scoring("mae"), samples=50)
    outputs = np.array(run.shards[1].outputs[0])
    outputs[[7, 30]] = np.nan
    comparison = compare(replace(run, shards=(run.shards[0], replace(run.shards[1], outputs=(outputs,)))))
    chosen = narrowed(comparison, ("int8",))
    assert set(numbers_of(chosen, Search(most=2))) == {7, 30}
    assert set(numbers_of(chosen, Search(most=2, by="error"))) == {7, 30}
    assert FoundSamples(chosen, None, search(chosen, Search(most=1))).rows[0]["apart"] is None


def test_each_label_of_several_is_a_class() -> None:
    rng = np.random.default_rng(5)
    labels = rng.integers(0, 2, (60, 3)).astype(np.float32)
    keras = np.clip(labels * 0.6 + 0.2 + rng.normal(0, 0.2, labels.shape), 0.01, 0.99).astype(np.float32)
    run = made_tasks.run_of("multilabel", labels, keras, {"int8": keras - np.float32(0.01)})
    comparison = compare(replace(run, class_names=("a", "b", "c")))
    assert set(numbers_of(comparison, Search(of_class="b", most=99))) == set(np.flatnonzero(labels[:, 1]))


def test_masks_flip_and_hold_classes() -> None:
    rng = np.random.default_rng(2)
    labels = rng.integers(0, 2, (30, 6, 6))
    labels[:10] = 0
    keras = np.eye(3, dtype=np.float32)[labels]
    turned = keras.copy()
    turned[12] = turned[12][..., [1, 0, 2]]  # every pixel is the other class there
    comparison = compare(made_tasks.run_of("segmentation", labels, keras, {"int8": turned}))
    found = search(comparison, Search(flips=True))
    assert [(hit.place, hit.outcome, hit.apart) for hit in found.shown] == [(12, "worse", 1.0)]
    assert set(numbers_of(comparison, Search(of_class="1", most=99))) == set(range(10, 30))


def test_suspect_rows_are_left_out_until_they_are_asked_for() -> None:
    run = made_tasks.classes(samples=200)
    broken = np.array(run.shards[1].outputs[0])[::-1]
    comparison = compare(replace(run, shards=(run.shards[0], replace(run.shards[1], outputs=(broken,)))))
    assert [s.status for s in comparison.standings] == ["ok", "suspect"]
    sound, chosen = narrowed(comparison, ()), narrowed(comparison, ("int*",))
    assert (list(sound.samples), list(chosen.samples)) == ([case("float32")], [case("int8")])
    assert FoundSamples(sound, None, search(sound, Search())).left_out == ("int8",)
    assert list(narrowed(comparison, ("!float32",)).samples) == [case("int8")]


def test_what_is_shown_has_a_heading_for_each_cell(classes: Comparison) -> None:
    found = FoundSamples(classes, None, search(classes, Search(flips=True, most=3)))
    assert (len(found), found.cut) == (3, f"3 of {found.total}")
    assert list(found.frame.columns) == list(found.headings) and len(found.frame) == 3
    first = found.rows[0]
    (own,) = [a for a in first["answers"] if a["case"] and a["variant"] == first["variant"]]
    (keras,) = [a for a in first["answers"] if a["case"] is None]
    assert own["prediction"] != keras["prediction"] and first["label"] == keras["prediction"]
    assert [sample.index for sample in found] == [row["index"] for row in found.rows]
