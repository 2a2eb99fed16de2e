"""Training samples for a converter to find the ranges of activations from, and for a model to be trained on."""

from __future__ import annotations

import numpy as np

from harness.device.tensors import to_model_input
from harness.errors import DataError
from harness.records import Dataset
from harness.records.adjusted import Drawn
from harness.records.dataset import starts_of
from harness.support.arrays import pick


def calibration_samples(
    dataset: Dataset, count: int = 500, seed: int = 0, drawn: Drawn = "balanced"
) -> tuple[np.ndarray, ...]:
    """Returns at most `count` training samples as stored, one array an input; where they are classes, balanced to
    within one sample as long as every class has enough. The test set is never touched. Raises DataError if there are
    none.

    drawn: "random" leaves classes as they come; "again" draws each anew, so that one may come twice.
    """
    if not dataset.train_inputs or len(dataset.train_inputs[0]) == 0:
        raise DataError(f"{dataset.name}: no samples to calibrate with", "give training or calibration samples")
    chance, there = np.random.default_rng(seed), len(dataset.train_inputs[0])
    order = chance.integers(there, size=min(count, there)) if drawn == "again" else chance.permutation(there)
    labels = dataset.train_labels if drawn == "balanced" and dataset.class_names else None
    if labels is not None and labels.ndim == 1:
        order = classes_in_turn(order, labels)
    return tuple(pick(array, order[:count]) for array in dataset.train_inputs)


def calibration_clips(dataset: Dataset, count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Returns the places of at most `count` training samples, clip by clip in an order of the seed, the last clip cut;
    and where among them clips begin. Samples that name no clips are one.
    """
    clips = dataset.train_clips
    total = len(dataset.train_inputs[0])
    bounds = [0, total] if clips is None else [*starts_of(clips).tolist(), total]
    chosen = np.random.default_rng(seed).permutation(len(bounds) - 1)
    parts = [np.arange(bounds[n], bounds[n + 1]) for n in chosen]
    starts = np.cumsum([0, *(len(part) for part in parts)])[:-1]
    return np.concatenate(parts)[:count], starts[starts < count]


def states_before(given: np.ndarray, begun: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Returns the state that each sample is asked with: what the one before it gave, (samples, …), where a clip begins
    that of `begun`, in its shape and dtype.
    """
    states = np.array(begun)
    states[1:] = given[:-1].reshape(states[1:].shape)
    states[starts] = begun[starts]
    return states


def classes_in_turn(order: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Reorders the samples: the first of every class, the second of every class, and so on."""
    by_class = np.argsort(labels[order], kind="stable")
    _, counts = np.unique(labels, return_counts=True)
    turn = np.empty(len(order), dtype=np.int64)
    turn[by_class] = np.concatenate([np.arange(count) for count in counts])
    return order[np.argsort(turn, kind="stable")]


def model_inputs(dataset: Dataset, stored: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
    """Returns stored samples as float32 model input, one array an input, by the function that the device uses too."""
    return tuple(to_model_input(array, a.scale, a.offset) for array, a in zip(stored, dataset.affines, strict=True))
