"""What is odd about a data set, and what to do about it. Nothing here stops a run: dataset.validate does that.

Suspicions about scaling and channel order are tried, not guessed: the model itself says which form it knows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from harness.build.near_copies import near_copies
from harness.detection.objects import COLUMNS
from harness.errors import BuildError
from harness.metrics.task import are_logits, as_scores
from harness.records import Affine, Dataset
from harness.records.run import MOSTLY
from harness.statistics import stats
from harness.support.arrays import digests, pick, stretches

FEW_CALIBRATION = 100  # TensorFlow's guide to quantisation speaks of 100 to 500
FEW_OF_A_CLASS = 10
LOPSIDED = 10.0  # largest class over smallest
TRIED = 500  # samples that another form of the inputs is tried on, at most
TRIED_BYTES = 128 << 20  # of them, as float32: they go to the model's process at once
FEW_LEVELS = 32  # a byte up to here may be a count, or a picture of few levels
NEARLY = 0.01  # of the test samples, with a near copy
GAIN = 0.05  # of accuracy, below which another form is not worth a remark
MARGIN = 0.1  # of accuracy over guessing, below which the model does not know that form either
BEYOND = 0.1  # of the test set's values, outside what calibration saw
NARROW = 1 / 16  # of that range, which leaves int8 16 steps
CONFIDENCE = 0.99  # of the limits of an accuracy on a few samples

Predict = Callable[[Dataset, tuple[np.ndarray, ...]], np.ndarray]


@dataclass(frozen=True)
class Remark:
    """What is odd, and what to do about it."""

    what: str
    advice: str

    def __str__(self) -> str:
        return f"{self.what}: {self.advice}"


def lint(
    dataset: Dataset, normalisation: Affine | None = None, bare: bool = False, predict: Predict | None = None
) -> tuple[Remark, ...]:
    """Every remark there is.

    normalisation: of its first input by the model itself, where it begins with such a layer. bare: whether nothing at
    the model's inputs is known to scale them. predict: samples as stored, one array an input, with the affines of the
    data set before them → the model's class scores, (samples, classes); None where there are no classes.
    """
    tried = tried_on(dataset, predict) if predict and dataset.test_labels is not None else None
    checks = (
        widths(dataset),
        ranges(dataset, normalisation),
        pixels(dataset, bare) if tried is None else iter(()),
        balance(dataset),
        of_calibration(dataset),
        copies(dataset),
        nearly_equal(dataset),
        tried or iter(()),
    )
    return tuple(remark for check in checks for remark in check)


def labels_alone(dataset: Dataset, output: np.ndarray) -> Iterator[Remark]:
    """What is odd about labels of classes beside the model's answers to them. output: its scores, as it gave them."""
    if dataset.test_labels is None or not dataset.class_names:
        return
    yield from balance(dataset)
    picked = some_of(dataset)
    scores, labels = as_scores(output, are_logits(output))[picked], np.asarray(dataset.test_labels[picked], np.int64)
    yield from [*other_labels(scores, labels)] or no_better_than_guessing(scores, labels)


def widths(dataset: Dataset) -> Iterator[Remark]:
    for n, array in enumerate(dataset.test_inputs):
        if array.dtype.itemsize == 8:
            smaller = "float32" if array.dtype.kind == "f" else "int32, or uint8 for pixels,"
            what = f"{input_name(dataset, n)} is stored as {array.dtype}"
            yield Remark(what, f"as {smaller} it takes half the memory and half the time on the link, or less")


def ranges(dataset: Dataset, normalisation: Affine | None) -> Iterator[Remark]:
    """Pixels scaled twice, or constant inputs. The first input alone has the model's own normalisation."""
    for n, array in enumerate(dataset.test_inputs):
        low, high = (dataset.affines[n].scale * x + dataset.affines[n].offset for x in ends(array))
        name = input_name(dataset, n)
        if low == high:
            yield Remark(f"every value of {name} is {low:g}", "check how it was stored")
        if n or normalisation is None or low == high:
            continue
        reached = sorted(normalisation.scale * x + normalisation.offset for x in (low, high))
        if reached[1] - reached[0] < 0.05:
            what = f"the model scales its inputs by {normalisation.scale:.4g} itself, and {name} is {low:g} to {high:g}"
            yield Remark(what, "scaled twice, it seems: remove scale and offset under [data], or store 0 to 255")


def pixels(dataset: Dataset, bare: bool) -> Iterator[Remark]:
    """Bytes that reach the model unscaled, where no layer of it scales them."""
    for n, array in enumerate(dataset.test_inputs):
        if bare and array.dtype == np.uint8 and array.ndim > 2 and dataset.affines[n] == Affine():
            _, high = ends(array)
            if high > FEW_LEVELS:
                what = f"{input_name(dataset, n)} goes up to {high:g}, and no layer of the model scales it"
                yield Remark(what, f"if it was trained on inputs of 0 to 1, write scale = {1 / 255!r} under [data]")


def ends(array: np.ndarray) -> tuple[float, float]:
    """Smallest and largest value, in stretches: the array may be larger than memory."""
    found = [(stretch.min(), stretch.max()) for stretch in stretches(array)]
    return float(min(low for low, _ in found)), float(max(high for _, high in found))


def input_name(dataset: Dataset, n: int) -> str:
    return f"input {dataset.input_names[n]!r}" if dataset.input_names else "the input" if n == 0 else f"input {n}"


def balance(dataset: Dataset) -> Iterator[Remark]:
    """Classes that the test set says little about."""
    labels = dataset.test_labels
    if labels is None or not dataset.class_names:
        return
    of_objects = labels.ndim == 3 and labels.shape[2] == COLUMNS and labels.dtype.kind == "f"
    if labels.ndim > 2 and not of_objects:
        return
    if of_objects:  # each class counts once a picture
        labels = np.concatenate([np.unique(rows[rows[:, 4] >= 0, 4]) for rows in labels]).astype(np.int64)
    counts = np.bincount(np.asarray(labels), minlength=len(dataset.class_names))
    absent = [dataset.class_names[n] for n in np.flatnonzero(counts == 0)]
    scarce = [dataset.class_names[n] for n in np.flatnonzero((counts > 0) & (counts < FEW_OF_A_CLASS))]
    if absent:
        yield Remark(f"no test sample of {some(absent)}", "nothing can be said about those classes; add some")
    if scarce:
        yield Remark(f"under {FEW_OF_A_CLASS} test samples of {some(scarce)}", "a drop there goes unseen; add some")
    present = counts[counts > 0]
    if not of_objects and len(present) > 1 and present.max() > LOPSIDED * present.min():
        what = f"the largest class has {present.max() / present.min():.0f} times the samples of the smallest"
        yield Remark(what, 'accuracy mostly reflects the large ones; add "balanced_accuracy" under [metrics] others')


def some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} others" if len(names) > 5 else "")


def of_calibration(dataset: Dataset) -> Iterator[Remark]:
    """What is odd about the calibration samples: by themselves, and beside the test set."""
    yield from calibration(dataset)
    yield from unlike(dataset)
    yield from shared(dataset)


def calibration(dataset: Dataset) -> Iterator[Remark]:
    """Too few samples to find the ranges of activations from."""
    count = len(dataset.train_inputs[0]) if dataset.train_inputs else 0
    if 0 < count < FEW_CALIBRATION:
        advice = f"{FEW_CALIBRATION} to 500 typical samples give int8 better ranges"
        yield Remark(f"{count} calibration samples", advice)
    if count and dataset.train_labels is not None and dataset.train_labels.ndim == 1 and dataset.class_names:
        absent = sorted(set(range(len(dataset.class_names))) - set(np.unique(dataset.train_labels).tolist()))
        if absent:
            what = f"no calibration sample of {some([dataset.class_names[n] for n in absent])}"
            yield Remark(what, "int8 learns its ranges from the others alone; add some")


def unlike(dataset: Dataset) -> Iterator[Remark]:
    """Calibration samples in another range than the test samples. Whole numbers that are no bytes may be ids, which are
    not quantised.
    """
    advice = "calibrate with training samples that are stored, and scaled, as the test samples are"
    for n, (train, test) in enumerate(zip(dataset.train_inputs, dataset.test_inputs, strict=False)):
        ids = test.dtype.kind != "f" and test.dtype.itemsize > 1 and dataset.affines[n] == Affine()
        if ids or not len(train):
            continue
        (low, high), (least, most) = ends(train), ends(test)
        told = f"{input_name(dataset, n)} is {low:g} to {high:g} in the calibration samples"
        if (beyond := share_beyond(test, low, high)) > BEYOND:
            yield Remark(
                f"{told}, and {beyond:.0%} of the test set's values lie outside, where int8 clips them", advice
            )
        elif most - least < NARROW * (high - low):
            yield Remark(f"{told}, and {least:g} to {most:g} in the test set, for which int8 has few steps", advice)


def share_beyond(array: np.ndarray, low: float, high: float) -> float:
    """Returns the share of the values that lie outside low to high."""
    return sum(int(((s < low) | (s > high)).sum()) for s in stretches(array)) / max(1, array.size)


def shared(dataset: Dataset) -> Iterator[Remark]:
    """Samples that are in both sets, by content: calibration data must not leak into the test set."""
    if not dataset.train_inputs:
        return
    wanted = set(digests(dataset.train_inputs))
    both = wanted.intersection(digests(dataset.test_inputs))
    if both:
        what = f"{len(both)} of {len(wanted)} different calibration samples are in the test set, too"
        yield Remark(what, "int8 is then tested on what it was calibrated with; calibrate with training samples")


def copies(dataset: Dataset) -> Iterator[Remark]:
    """Test samples that are there several times: each would count as if it were independent."""
    if dataset.groups is None and len(dataset.times) < MOSTLY * dataset.test_count:
        found = f"{len(dataset.times):,} different ones, one of them {dataset.times.max():,} times"
        what = f"{dataset.test_count:,} test samples are {found}"
        advice = 'each counts as if it were independent: remove copies, or name what belongs together, group = "…"'
        yield Remark(what, f"{advice} under [data]")


def nearly_equal(dataset: Dataset) -> Iterator[Remark]:
    """Test samples with a near copy: each would count as if it were independent, too. Of one input alone."""
    if dataset.groups is not None or len(dataset.test_inputs) > 1:
        return
    pairs = near_copies(dataset.test_inputs[0])
    if len(found := np.unique(pairs)) > NEARLY * dataset.test_count:
        such_as = " and ".join(map(str, pairs[0]))
        what = f"{len(found):,} test samples are nearly equal to another, in at least {len(pairs):,} pairs"
        advice = "each counts as if it were independent, so that intervals are too narrow"
        what = f"{what} such as {such_as}"
        yield Remark(what, f'{advice}: remove them, or name what belongs together, group = "…" under [data]')


def tried_on(dataset: Dataset, predict: Predict) -> Iterator[Remark]:
    """What the model's own answers to a few samples say of how they are stored and labelled."""
    picked = some_of(dataset)
    assert dataset.test_labels is not None
    labels = np.asarray(dataset.test_labels[picked], np.int64)
    stored = tuple(pick(array, picked) for array in dataset.test_inputs)
    scores = predict(dataset, stored)
    found = [*other_forms(dataset, predict, stored, labels, scores), *other_labels(scores, labels)]
    yield from found or no_better_than_guessing(scores, labels)


def other_forms(
    dataset: Dataset, predict: Predict, stored: tuple[np.ndarray, ...], labels: np.ndarray, scores: np.ndarray
) -> Iterator[Remark]:
    """The scaling or channel order with which the model would be right far more often than as declared: the best one.

    scores: of the samples as declared.
    """
    better: dict[Remark, float] = {}
    for told, advice, other, given in forms(dataset, stored):
        try:
            found = predict(other, given)
        except BuildError:  # it cannot take that form, such as a negative index, so it was not trained on it
            continue
        better |= {r: accuracy(found, labels) for r in improved(scores, found, labels, labels, told, advice)}
    yield from sorted(better, key=lambda remark: better[remark])[-1:]


def other_labels(scores: np.ndarray, labels: np.ndarray) -> Iterator[Remark]:
    """Labels that are one class too high or too low."""
    classes = scores.shape[1]
    shifts = [(-1, "with every label one less", "subtract 1"), (1, "with every label one more", "add 1")]
    for step, told, advice in shifts if classes > 2 else [(1, "with the two classes exchanged", "exchange them")]:
        shifted = (labels + step) % classes
        yield from improved(scores, scores, labels, shifted, told, f"the labels are not those of its outputs: {advice}")


def improved(
    scores: np.ndarray, other: np.ndarray, labels: np.ndarray, other_labels: np.ndarray, told: str, advice: str
) -> Iterator[Remark]:
    """A remark where the other scores of the samples, or labels, make the model right far more often, and that far more
    often than by guessing."""
    count, declared, found = len(labels), accuracy(scores, labels), accuracy(other, other_labels)
    least = stats.clopper_pearson(round(found * count), count, CONFIDENCE).low
    if found > declared + GAIN and least > max(declared, 1 / scores.shape[1] + MARGIN):
        what = f"of {count} test samples the model gets {declared:.0%} right as declared, and {found:.0%} {told}"
        yield Remark(what, advice)


def no_better_than_guessing(scores: np.ndarray, labels: np.ndarray) -> Iterator[Remark]:
    right, guessing = accuracy(scores, labels), 1 / scores.shape[1]
    if right <= guessing:
        what = f"the model is right on {right:.1%} of {len(labels)} test samples, and guessing on {guessing:.1%}"
        yield Remark(what, "are the labels off by one, or in another order than its outputs? is it the trained model?")


def forms(
    dataset: Dataset, stored: tuple[np.ndarray, ...]
) -> Iterator[tuple[str, str, Dataset, tuple[np.ndarray, ...]]]:
    """Other forms that the images could be in: in words, what to write, and the data set and samples in that form."""
    first, affine = stored[0], dataset.affines[0]
    for told, other in scalings(first).items():
        if not np.isclose([other.scale, other.offset], [affine.scale, affine.offset]).all():
            changed = replace(dataset, affines=(other, *dataset.affines[1:]))
            advice = f"write scale = {other.scale!r} and offset = {other.offset!r} under [data]"
            yield f"with inputs of {told}", advice, changed, stored
    if first.ndim == 4 and first.shape[-1] == 3:
        swapped = (np.ascontiguousarray(first[..., ::-1]), *stored[1:])
        advice = "the channels seem to be in the other order: store them so, or for a folder change color ="
        yield "with red and blue exchanged", advice, dataset, swapped


def scalings(stored: np.ndarray) -> dict[str, Affine]:
    """The usual ranges of pixels, and what brings these to them; nothing for floats that are no pixels."""
    low, high = ends(stored)
    if stored.dtype == np.uint8:
        low, high = 0.0, 255.0
    elif stored.dtype.kind != "f" or stored.ndim < 3 or low < -1 or high > 255 or (low < 0 and high > 1):
        return {}
    else:
        low, high = (-1.0, 1.0) if low < 0 else (0.0, 1.0 if high <= 1 else 255.0)
    usual = {"0 to 255": (0.0, 255.0), "0 to 1": (0.0, 1.0), "-1 to 1": (-1.0, 1.0)}
    return {told: between((low, high), wanted) for told, wanted in usual.items()}


def between(stored: tuple[float, float], wanted: tuple[float, float]) -> Affine:
    """The affine that brings one range to the other."""
    scale = (wanted[1] - wanted[0]) / (stored[1] - stored[0])
    return Affine(scale, wanted[0] - stored[0] * scale)


def some_of(dataset: Dataset) -> np.ndarray:
    """Indices of a few samples, drawn at random: the set may be sorted by class, or cycle through the classes."""
    sample_bytes = 4 * sum(math.prod(array.shape[1:]) for array in dataset.test_inputs)
    count = max(1, min(TRIED, TRIED_BYTES // max(1, sample_bytes)))
    return np.sort(np.random.default_rng(0).permutation(dataset.test_count)[:count])


def accuracy(scores: np.ndarray, labels: np.ndarray) -> float:
    return float(np.mean(scores.argmax(axis=1) == labels))
