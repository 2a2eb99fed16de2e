"""Test and calibration samples from what a user has: files and folders of several kinds, or a function.

To add a kind: one file here, and its line in KINDS.
"""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np

from harness.data import folder, function, npz, table
from harness.data import on_disk as samples
from harness.data.grouping import settle_clips, settle_groups
from harness.data.labels import settle
from harness.data.on_disk import Samples, read_samples
from harness.data.searched_for import read_pairs, settle_pairs, settle_queries
from harness.data.source import DataSource, Split
from harness.data.validation import validate
from harness.errors import ConfigError, DataError
from harness.records import Affine, Dataset, Labelled
from harness.support.cache import Cache, cache_dir, code_of, key_of
from harness.support.format import nearest

__all__ = ["KINDS", "DataSource", "load"]


class Kind(Protocol):
    """A kind of data. SAID: what it is, in words. OPTIONS: the fields of DataSource that mean something to it."""

    SAID: str
    OPTIONS: tuple[str, ...]

    def fits(self, split: Split) -> bool:
        """Returns whether the split is of this kind, by its name."""

    def key(self, split: Split) -> str:
        """Returns the hash of all that its samples depend on, except its code: content, options and versions."""

    def write(self, split: Split, folder: Path) -> None:
        """Fills the folder with what read_samples() reads. Raises DataError."""


KINDS: tuple[Kind, ...] = (function, folder, npz, table)


def load(source: DataSource, fresh: bool = False) -> Dataset:
    """Loads the samples, memory-mapped from the cache: what was read once is not read again, except where `fresh`.

    Raises DataError, ConfigError.
    """
    check_options(source)
    cache = Cache(cache_dir(), fresh)
    test = replace(obtain(Split(source, "test", source.test), cache), pairs=read_pairs(source))
    alike = replace(source, labels=source.labels or test.class_names, features=test.columns or source.features)
    if test.heads:
        alike = replace(alike, output=test.labels_of)
    training = obtain(Split(alike, "calibration", source.calibration), cache) if source.calibration else None
    return dataset_of(source, test, training)


def dataset_of(source: DataSource, test: Samples, training: Samples | None) -> Dataset:
    """Joins the samples to one data set, checked. training: what to calibrate with. Raises DataError, ConfigError."""
    test_labels, train_labels, names = settle_labels(source, test, training)
    clips, groups = settle_groups(source.name, test)
    dataset = Dataset(
        name=source.name,
        train_inputs=in_order(source, training, test.names) if training else (),
        train_labels=train_labels,
        test_inputs=test.inputs,
        test_labels=test_labels,
        affines=affines(source, test.names, len(test.inputs)),
        class_names=names,
        source=source.test + (f", calibration {source.calibration}" if source.calibration else ""),
        input_names=test.names,
        labels_of=test.labels_of,
        heads={name: settle_head(source, name, labels) for name, labels in test.heads.items()},
        clips=clips,
        groups=groups,
        queries=settle_queries(source.name, test),
        pairs=settle_pairs(source.name, test, test_labels),
        train_clips=settle_clips(source.name, training) if training else None,
    )
    validate(dataset)
    return dataset


def obtain(split: Split, cache: Cache) -> Samples:
    """Returns the split's samples, written into the cache if they are not there. Raises DataError, ConfigError."""
    kind = kind_of(split)
    try:
        key = key_of(kind.key(split), code_of(sys.modules[kind.write.__module__], samples))
        return read_samples(cache.obtain("datasets", key, lambda folder: kind.write(split, folder)))
    except OSError as error:  # a file that may not be read, a full disk
        message = f"{split.where} cannot be copied into {cache.root}: {error}"
        raise DataError(message, "make that file readable, or make room on that disk") from error


def kind_of(split: Split) -> Kind:
    """Returns the split's kind. Raises ConfigError where there is no such file, or it is of no known kind."""
    kind = next((kind for kind in KINDS if kind.fits(split)), None)
    if kind is not function and not split.path.exists():
        message = f"[data] {split.name}: there is no {split.where} in {split.source.folder}"
        raise ConfigError(message, "paths are relative to the experiment.toml")
    if kind is None:
        advice = f"data can be {', '.join(kind.SAID for kind in KINDS)}"
        raise ConfigError(f"[data] {split.name}: {split.where} is not a known kind of data", advice)
    return kind


def check_options(source: DataSource) -> None:
    """Raises ConfigError for an option that would have no effect."""
    written = {"test": source.test} | ({"calibration": source.calibration} if source.calibration else {})
    kinds = [kind_of(Split(source, name, where)) for name, where in written.items()]
    for kind in KINDS:
        for option in kind.OPTIONS:
            if getattr(source, option) and not any(option in used.OPTIONS for used in kinds):
                message = f"[data] {option} is for {kind.SAID}, but {source.test} is {kinds[0].SAID}"
                raise ConfigError(message, f"remove {option}")


def settle_labels(
    source: DataSource, test: Samples, training: Samples | None
) -> tuple[np.ndarray | None, np.ndarray | None, tuple[str, ...]]:
    """Returns test labels, training labels and class names. Raises DataError."""
    given = source.labels or source.labels_by_output.get(test.labels_of, ())
    names = given or test.class_names or (training.class_names if training else ())
    try:
        return settle(test.labels, training.labels if training else None, names)
    except DataError as error:
        raise DataError(f"{source.name}: {error}", error.advice) from error


def settle_head(source: DataSource, name: str, stored: np.ndarray) -> Labelled:
    """Returns the labels of a further output, and the names of its classes. Raises DataError."""
    try:
        labels, _, names = settle(stored, None, source.labels_by_output.get(name, ()))
    except DataError as error:
        advice = error.advice.replace("[data] labels", f"[heads.{name}] labels")
        raise DataError(f"{source.name}: output {name}: {error}", advice) from error
    assert labels is not None
    return Labelled(labels, names)


def in_order(source: DataSource, training: Samples, names: tuple[str, ...]) -> tuple[np.ndarray, ...]:
    """Returns the calibration inputs in the order of the test inputs. Raises DataError where they differ."""
    if set(training.names) != set(names) or len(training.inputs) != max(1, len(names)):
        inputs = [" and ".join(those) or "a single input" for those in (training.names, names)]
        advice = "give calibration the same inputs, by the same names"
        raise DataError(f"{source.name}: calibration has {inputs[0]}, the test set {inputs[1]}", advice)
    return tuple(training.inputs[training.names.index(name)] for name in names) if names else training.inputs


def affines(source: DataSource, names: tuple[str, ...], count: int) -> tuple[Affine, ...]:
    """Returns one affine an input. Raises ConfigError for a name that no input has, and for what is not a number."""
    scales, offsets = (by_input(source, option, names, count) for option in ("scale", "offset"))
    return tuple(Affine(scale, offset) for scale, offset in zip(scales, offsets, strict=True))


def by_input(source: DataSource, option: str, names: tuple[str, ...], count: int) -> list[float]:
    written: float | dict[str, float] = getattr(source, option)
    default: float = getattr(Affine(), option)
    by_name = written if isinstance(written, dict) else {}
    for name in by_name:
        if name not in names:
            advice = nearest(name, names, "the inputs are") if names else f"there is one input: write {option} = 1.0"
            raise ConfigError(f"[data] {option}: there is no input {name!r}", advice)
    value = default if isinstance(written, dict) else written
    values = [by_name.get(name, default) for name in names] if by_name else [value] * count
    if not all(math.isfinite(value) for value in values):
        raise ConfigError(f"[data] {option} must be a finite number", "stored value × scale + offset = model input")
    return values
