"""Further calibration samples for a cure: what is refused, and what is said of them. And a file that is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from harness.errors import ConfigError, JobFailed
from harness.experiment.plans import plan_of
from harness.experiment.resolve import builtin
from harness.records import Affine, Carried, Case, Dataset, Target, Variant
from harness.treatment.patient import Patient, check_further
from harness.treatment.remedies import Layers
from harness.treatment.stored_cure import explained

LOCAL = Target("local")
TEST = np.linspace(0, 1, 800, dtype=np.float32).reshape(200, 4)


def data(train: np.ndarray) -> Dataset:
    return Dataset("d", (train,), None, (TEST,), None, (Affine(),), (), "here")


def further(tmp_path: Path, train: np.ndarray) -> tuple[str, ...]:
    path = tmp_path / "more.npz"
    path.touch()
    experiment = replace(builtin("digits", None, (), plan_of("none")), load_with=lambda given: data(train))
    return check_further(experiment, data(TEST / 3), path)


def test_samples_that_are_in_the_test_set_cannot_cure(tmp_path):
    leaked = np.concatenate([TEST[:7], TEST[:150] / 3 + 2])
    with pytest.raises(ConfigError, match=r"more\.npz: 7 of 157 different calibration samples are in the test set"):
        further(tmp_path, leaked)


def test_samples_of_another_range_are_remarked_on(tmp_path):
    assert further(tmp_path, TEST[::-1] * 0.999) == ()
    (told,) = further(tmp_path, TEST * 0.1)
    assert told.startswith("more.npz: the input is 0 to 0.1 in the calibration samples, and 90%")


def test_what_cannot_be_calibrated_with_is_known_before_a_device_is_asked(tmp_path):
    experiment = builtin("digits", None, (), plan_of("none"))
    with pytest.raises(ConfigError, match=r"there is no .*gone\.npz"):
        check_further(experiment, data(TEST), tmp_path / "gone.npz")
    (tmp_path / "there.npz").touch()
    with pytest.raises(ConfigError, match="digits cannot be calibrated with other samples"):
        check_further(experiment, data(TEST), tmp_path / "there.npz")
    of_state = replace(data(TEST), state=(cast(Carried, None),))
    loads = replace(experiment, load_with=lambda given: data(TEST))
    with pytest.raises(ConfigError, match="cannot be calibrated with other samples"):
        check_further(loads, of_state, tmp_path / "there.npz")


class Refusing(Patient):
    """Its engine refuses every file."""

    def compared(self, file: Variant, places: np.ndarray) -> Any:
        raise JobFailed("no kernel for it")


def refusing() -> Refusing:
    run = SimpleNamespace(test_count=300, groups=None, labels=None, plan=SimpleNamespace(seed=1))
    run.target = lambda name: SimpleNamespace(target=LOCAL)
    return Refusing(cast(Any, run), Case("int8", "local", "ai-edge-litert", 1), cast(Any, None), cast(Any, None))


def test_a_row_that_the_engine_refuses_is_invalid_and_so_can_be_cured():
    found = refusing().judge_all(Variant("int8", "int8"))
    assert (found.outcome, found.samples, found.reason) == ("invalid", 300, "no kernel for it")


def test_a_row_that_cannot_be_looked_into_has_no_cause_and_says_why(monkeypatch):
    monkeypatch.setattr(Refusing, "halves", SimpleNamespace(search=np.arange(150)))
    found = explained(refusing(), Variant("int8", "int8"))
    assert found.causes == () and found.layers == Layers()
    assert found.notes[0].endswith("no layer to keep in float32: no kernel for it")
