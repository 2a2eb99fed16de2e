"""State that a program feeds back: an input that each sample holds alike, and an output of the same form beside it.

Here nothing is fed back: each sample is answered with the state that the data hold. That is said, and refused where the
data name clips, since whoever does so means that state is carried through them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from harness.build.lint import Remark
from harness.errors import ConfigError
from harness.records import Dataset
from harness.support.arrays import stretches

TOLD = "input {} is the same for every sample, and output {} has its form: if that is state, it is not fed back"
ALONE = "every figure is of a first step; a model that keeps its state in itself, as stateful layers do, is carried on"
IN_CLIPS = "keep the state inside the model (stateful layers), or leave sequence out and judge first steps alone"


def of_fed_back(dataset: Dataset, outputs: Sequence[np.ndarray], names: Sequence[str]) -> Iterator[Remark]:
    """Yields that a state is not fed back. outputs, names: the baseline's. Raises ConfigError where clips are named."""
    for given, name in zip(dataset.test_inputs, dataset.input_names, strict=False):
        fits = [other for other, y in zip(names, outputs, strict=True) if y.shape[1:] == given.shape[1:]]
        if not fits or np.prod(given.shape[1:]) < 2 or not constant(given):
            continue
        told = TOLD.format(name, fits[0])
        if dataset.clips is not None:
            raise ConfigError(f"{told}, and [data] sequence asks for state that is carried", IN_CLIPS)
        yield Remark(told, ALONE)


def constant(given: np.ndarray) -> bool:
    return len(given) > 1 and all((part == given[0]).all() for part in stretches(given))
