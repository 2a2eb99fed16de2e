from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from harness.data.calibration import calibration_samples, model_inputs
from harness.data.labels import extend_names
from harness.data.validation import validate
from harness.errors import DataError
from harness.records import Affine, Dataset
from harness.support.arrays import sha256_of

IMAGES = np.arange(60 * 4, dtype=np.uint8).reshape(60, 2, 2)
LABELS = (np.arange(60) % 3).astype(np.uint8)


@pytest.fixture
def dataset() -> Dataset:
    return Dataset(
        name="toy",
        train_inputs=(IMAGES[:45],),
        train_labels=LABELS[:45],
        test_inputs=(IMAGES[45:],),
        test_labels=LABELS[45:],
        affines=(Affine(scale=1 / 255),),
        class_names=("a", "b", "c"),
        source="test",
    )


def test_hashes_follow_content(dataset):
    assert dataset.test_sha256 == replace(dataset, name="other", test_labels=LABELS[45:].copy()).test_sha256
    assert dataset.test_sha256 != dataset.train_sha256


@pytest.mark.parametrize(
    "change",
    [
        {"test_labels": LABELS[44:59]},
        {"test_labels": LABELS[45:].astype(np.int64)},
        {"test_inputs": (IMAGES[45:].reshape(15, 4),)},
        {"test_inputs": (IMAGES[45:], IMAGES[45:])},
    ],
)
def test_hashes_see_values_dtypes_shapes_and_counts(dataset, change):
    changed = replace(dataset, **change)
    assert changed.test_sha256 != dataset.test_sha256
    assert changed.train_sha256 == dataset.train_sha256


def test_hashes_do_not_depend_on_memory_layout(dataset):
    turned = replace(dataset, test_inputs=(np.asfortranarray(IMAGES[45:]),))
    assert turned.test_sha256 == dataset.test_sha256


def test_the_hash_is_that_of_dtype_shape_and_bytes(dataset):
    """Stored runs and caches know data sets by it."""
    large = np.arange(6_000_000, dtype=np.int32).reshape(2_000_000, 3)  # 24 MB: in several stretches
    plain = hashlib.sha256()
    for array in (large, LABELS):
        plain.update(f"{array.dtype.str}{array.shape}".encode() + array.tobytes())
    changed = replace(dataset, test_inputs=(np.asfortranarray(large),), test_labels=LABELS)
    assert changed.test_sha256 == plain.hexdigest()


def test_unlabelled_samples_have_a_hash(dataset):
    assert len({replace(dataset, test_labels=labels).test_sha256 for labels in (None, LABELS[45:])}) == 2


def test_training_clips_do_not_pass_for_labels_and_change_no_hash_where_there_are_none(dataset):
    numbers = np.arange(45)
    as_labels = replace(dataset, train_labels=numbers)
    as_clips = replace(dataset, train_labels=None, train_clips=numbers)
    assert as_labels.train_sha256 != as_clips.train_sha256
    assert as_labels.train_sha256 == sha256_of(*dataset.train_inputs, numbers)


def labels_of(samples: np.ndarray, dataset: Dataset) -> np.ndarray:
    """Every training image is unique, so a sample tells its label."""
    (images,) = dataset.train_inputs
    assert dataset.train_labels is not None
    return np.array([dataset.train_labels[np.flatnonzero((images == s).all(axis=(1, 2))).item()] for s in samples])


def test_calibration_is_drawn_from_training_in_balance(dataset):
    (samples,) = calibration_samples(dataset, count=10, seed=1)
    assert samples.dtype == np.uint8
    assert sorted(np.bincount(labels_of(samples, dataset))) == [3, 3, 4]
    assert len(np.unique(samples, axis=0)) == 10


def test_calibration_fills_up_where_a_class_is_short(dataset):
    rare = replace(dataset, train_labels=np.array([2] + [0] * 22 + [1] * 22, dtype=np.uint8))
    (samples,) = calibration_samples(rare, count=11, seed=1)
    assert np.bincount(labels_of(samples, rare)).tolist() == [5, 5, 1]


@pytest.mark.parametrize("classes", [1, 2, 7, 60])
def test_calibration_takes_the_classes_in_turn(dataset, classes):
    labels = np.random.default_rng(classes).integers(0, classes, 60).astype(np.uint8)
    many = replace(dataset, train_inputs=(np.arange(60),), train_labels=labels, class_names=tuple(map(str, range(60))))
    waiting = [[n for n in np.random.default_rng(3).permutation(60) if labels[n] == c] for c in range(classes)]
    wanted: list[set[int]] = [set(), set()]
    while any(waiting):
        taken = [queue.pop(0) for queue in waiting if queue]
        wanted.append(wanted[-1] | set(taken))
    for served in wanted[2:]:
        (samples,) = calibration_samples(many, count=len(served), seed=3)
        assert set(samples.tolist()) == served


def test_calibration_of_a_mapped_array_reads_what_it_picks(dataset, tmp_path):
    np.save(tmp_path / "x.npy", IMAGES)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    (samples,) = calibration_samples(replace(dataset, train_inputs=(mapped,), train_labels=LABELS), count=4)
    assert not isinstance(samples.base, np.memmap)
    assert samples.shape == (4, 2, 2)


def test_calibration_is_seeded(dataset):
    first, again, other = (calibration_samples(dataset, count=10, seed=seed)[0] for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_calibration_keeps_several_inputs_together(dataset):
    pair = replace(dataset, train_inputs=(IMAGES[:45], IMAGES[:45] + 1), train_labels=None)
    images, others = calibration_samples(pair, count=500)
    assert len(images) == 45
    assert np.array_equal(images + 1, others)


@pytest.mark.parametrize("inputs", [(), (IMAGES[:0],)])
def test_calibration_needs_samples(dataset, inputs):
    empty = replace(dataset, train_inputs=inputs, train_labels=None)
    assert empty.train_sha256
    with pytest.raises(DataError, match="no samples to calibrate with"):
        calibration_samples(empty)


def test_model_inputs_apply_the_affine(dataset):
    (images,) = model_inputs(dataset, dataset.test_inputs)
    assert images.dtype == np.float32
    assert np.array_equal(images, (IMAGES[45:].astype(np.float64) * (1 / 255)).astype(np.float32))


def test_valid_data_pass(dataset):
    validate(dataset)
    validate(replace(dataset, train_labels=None))
    validate(replace(dataset, train_inputs=(), train_labels=None))
    validate(replace(dataset, class_names=(), test_labels=np.linspace(-1, 1, 15), train_labels=None))
    validate(replace(dataset, class_names=(), test_labels=np.ones((15, 2, 3), np.float32), train_labels=None))
    validate(replace(dataset, test_labels=None, train_inputs=(), train_labels=None))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"test_inputs": ()}, "test set is empty"),
        ({"test_inputs": (IMAGES[:0],), "test_labels": LABELS[:0]}, "test set is empty"),
        ({"affines": ()}, "1 inputs, but 0 affines"),
        ({"test_labels": LABELS[:14]}, r"test arrays hold different numbers of samples: \[14, 15\]"),
        ({"train_labels": LABELS}, r"training arrays hold different numbers of samples: \[45, 60\]"),
        ({"test_inputs": (IMAGES[45:].astype(object),)}, "dtype object"),
        ({"test_inputs": (np.full((15, 2, 2), np.nan),)}, "the test input: some values are NaN"),
        ({"test_labels": np.full((15, 2), np.inf), "class_names": ()}, "test labels: some values are infinite"),
        ({"test_labels": np.array(["a"] * 15), "class_names": ()}, "the test labels: dtype <U1"),
        ({"test_labels": LABELS[45:].astype(np.float32)}, "test labels are float32"),
        ({"test_labels": np.eye(3, dtype=np.uint8)[LABELS[45:]]}, r"of shape \(15, 3\)"),
        ({"test_labels": LABELS[45:] + 1}, "from 1 to 3"),
        ({"train_labels": LABELS[:45].astype(np.int8) - 1}, "from -1 to 1"),
        (
            {"test_inputs": (IMAGES[45:].reshape(15, 4),)},
            "training samples are uint8 of 2 × 2, but the test samples are uint8 of 4",
        ),
        ({"test_inputs": (IMAGES[45:].astype(np.float32),)}, "but the test samples are float32 of 2 × 2"),
    ],
)
def test_impossible_data_are_refused(dataset, change, message):
    with pytest.raises(DataError, match=message) as caught:
        validate(replace(dataset, **change))
    assert caught.value.advice


def test_names_that_are_only_numbers_go_on_to_the_classes_that_do_not_occur():
    assert extend_names(("0", "1", "2"), 5) == ("0", "1", "2", "3", "4")
    assert extend_names(("0", "1", "2"), 2) == ("0", "1", "2")  # too many labels are another matter
    assert extend_names(("cat", "dog"), 5) == ("cat", "dog")
    assert extend_names((), 5) == ()
