"""A state that a program would feed back is not: that is said, and refused where clips ask for it."""

from __future__ import annotations

import numpy as np
import pytest

from harness.build.fed_back import of_fed_back
from harness.errors import ConfigError
from harness.records import Affine, Dataset

RNG = np.random.default_rng(2)
SOUND, HIDDEN = RNG.normal(size=(20, 16)), np.zeros((20, 8), np.float32)
OUTPUTS, NAMES = [RNG.normal(size=(20, 3)), RNG.normal(size=(20, 8))], ["scores", "hidden_out"]


def dataset(hidden: np.ndarray = HIDDEN, clips: np.ndarray | None = None) -> Dataset:
    inputs, names = (SOUND, hidden), ("sound", "hidden_in")
    return Dataset("made", (), None, inputs, None, (Affine(),) * 2, (), "made", input_names=names, clips=clips)


def test_it_is_said_that_a_state_is_not_fed_back():
    (remark,) = of_fed_back(dataset(), OUTPUTS, NAMES)
    assert "hidden_in" in remark.what and "hidden_out" in remark.what and "first step" in remark.advice


def test_clips_ask_for_it_and_are_refused():
    with pytest.raises(ConfigError, match="sequence asks for state") as refused:
        list(of_fed_back(dataset(clips=np.arange(20) // 5), OUTPUTS, NAMES))
    assert "stateful layers" in refused.value.advice


def test_what_differs_from_sample_to_sample_is_no_state():
    assert not list(of_fed_back(dataset(RNG.normal(size=(20, 8))), OUTPUTS, NAMES))
    assert not list(of_fed_back(dataset(np.zeros((20, 5))), OUTPUTS, NAMES))
    assert not list(of_fed_back(dataset(np.zeros((20, 1))), [np.zeros((20, 1))], ["score"]))
