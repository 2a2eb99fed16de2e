"""Experiment → model, baseline and checked variants, each through the cache: nothing is built twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np

from harness import variants
from harness.build import original
from harness.build.builder import Builder
from harness.build.keras_process import KerasProcess
from harness.build.remarks import remarks
from harness.cache import Cache, Shelf
from harness.dataset import Dataset
from harness.errors import ConfigError
from harness.experiment import Experiment
from harness.lint import Remark
from harness.records import Variant

Say = Callable[[str], None]


@dataclass(frozen=True)
class Built:
    """baseline: one float32 array an output, shape (test samples, …), mapped from the cache; output_names: of them.
    made: what was not in the cache.
    """

    model_sha256: str
    baseline: tuple[np.ndarray, ...]
    variants: tuple[Variant, ...]
    made: tuple[str, ...]
    output_names: tuple[str, ...] = ()
    remarks: tuple[Remark, ...] = ()


def build(experiment: Experiment, dataset: Dataset, cache: Cache, say: Say) -> Built:
    """The experiment's model, baseline and variants. Raises BuildError where there is no baseline to compare with."""
    check_packages(experiment)
    shelf = Shelf(cache, say)
    with KerasProcess(cache.root / "tensorflow.log") as keras:
        known = original.of_model(experiment, dataset, shelf, keras) if experiment.model else None
        known = known or original.of_file(experiment, dataset)
        found = remarks(known, experiment, dataset, shelf)
        made = Builder(experiment, dataset, shelf, keras, known)
        baseline = made.baseline
        built = [*(made.variant(name) for name in experiment.variants), *(made.imported(n) for n in experiment.imports)]
    if not shelf.made:
        say("nothing to build: the model, its baseline and its variants are as they were built before")
    names = tuple(tensor.name for tensor in known.facts.outputs)
    return Built(known.sha256, baseline, tuple(built), tuple(shelf.made), names, found)


def check_packages(experiment: Experiment) -> None:
    """Raises ConfigError where a recipe that was asked for needs a package that is not there."""
    for name in experiment.variants:
        package = "" if name in experiment.recipes else variants.recipe(name).package
        if package and find_spec(package.replace("-", "_")) is None:
            told = f"{name} needs {package}, which is not installed"
            raise ConfigError(told, "pip install edge-harness[quantizer], or leave the variant out")
