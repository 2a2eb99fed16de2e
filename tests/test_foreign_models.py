"""Models that others may have written, by TensorFlow's process: read, or refused in one line with a way out."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from harness.build.keras_process import ProcessDied
from tests.foreign_models import Damaged, campaign


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Damaged]:
    made = Damaged(tmp_path_factory.mktemp("models"))
    yield made
    made.close()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SavedModel", "model.h5", "model.keras", "recurrent.keras"])
def test_a_sound_model_is_read(damaged, name):
    assert name in damaged.names
    damaged.sound(name)


@pytest.mark.slow
def test_of_no_model_anything_escapes(damaged):
    """A short campaign: `python -m tests.foreign_models 1000` is a long one."""
    assert [(told, escape) for told, escape in campaign(24, 14, damaged) if escape] == []


@pytest.mark.slow
def test_after_a_model_that_crashed_tensorflow_the_next_is_read(damaged):
    with pytest.raises(ProcessDied, match=r"TensorFlow crashed its process; see the log at ") as caught:
        damaged.keras.call(os.abort)
    assert caught.value.exit_code == 2 and caught.value.advice
    damaged.sound("model.keras")
