"""Which output labels are of, where they were given for one by its name."""

from __future__ import annotations

import numpy as np
import pytest

from harness.build.models import Facts
from harness.build.scored import check_scored
from harness.errors import ConfigError
from harness.experiment.in_memory import dataset_in_memory
from harness.records import Scoring, Tensor

FACTS = Facts((), tuple(Tensor(name, "float32", (1, 2)) for name in ("boxes", "kind")), 1)
OUTPUTS = (np.zeros((4, 2)), np.zeros((4, 2)))


def checked(scored: str, labels: dict[str, list[int]], facts: Facts = FACTS) -> None:
    data = dataset_in_memory("d", np.zeros((4, 3)), labels, None, (), 1.0, 0.0, scored)
    check_scored(Scoring(output=scored), data, facts, OUTPUTS[: len(facts.outputs)])


@pytest.mark.parametrize("scored", ["boxes", "kind"])
def test_labels_of_the_scored_output_are_taken(scored):
    checked(scored, {"boxes": [0, 1, 0, 1], "kind": [1, 0, 1, 0]})


def test_those_of_the_first_output_need_no_word():
    checked("", {"boxes": [0, 1, 0, 1]})


def test_those_of_another_output_are_not_held_against_the_first():
    with pytest.raises(ConfigError, match="labels are of the output 'kind', and 'boxes' is scored") as caught:
        checked("", {"kind": [0, 1, 0, 1]})
    assert caught.value.advice == 'write output = "kind" under [metrics]'


def test_an_output_that_the_model_does_not_have_is_told():
    with pytest.raises(ConfigError, match="'size', which the model does not have") as caught:
        checked("", {"size": [0, 1, 0, 1]})
    assert caught.value.advice == "its outputs are boxes, kind"


def test_the_only_output_may_have_any_name():
    checked("", {"size": [0, 1, 0, 1]}, Facts((), (Tensor("output_0", "float32", (1, 2)),), 1))
