"""State that a program feeds back: what [state] may say, and what is said where it says nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.build.fed_back import of_carried, of_fed_back, with_state
from harness.data.calibration import calibration_clips, states_before
from harness.errors import ConfigError, DataError
from harness.experiment.plans import PLANS
from harness.records import Affine, Dataset, Experiment, Scoring, Tensor

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
    assert refused.value.advice.startswith('write hidden_out = "hidden_in" under [state]')


def test_what_differs_from_sample_to_sample_is_no_state():
    assert not list(of_fed_back(dataset(RNG.normal(size=(20, 8))), OUTPUTS, NAMES))
    assert not list(of_fed_back(dataset(np.zeros((20, 5))), OUTPUTS, NAMES))
    assert not list(of_fed_back(dataset(np.zeros((20, 1))), [np.zeros((20, 1))], ["score"]))


# --- [state] ---------------------------------------------------------------------------------------------------------

INPUTS = (Tensor("sound", "float32", (-1, 16)), Tensor("hidden_in", "float32", (-1, 8)))
GIVEN = (Tensor("scores", "float32", (-1, 3)), Tensor("hidden_out", "float32", (-1, 8)))
CLIPS = np.repeat(np.arange(4, dtype=np.int32), 5)
STREAM = Dataset("made", (SOUND,), None, (SOUND,), None, (Affine(),), (), "made", clips=CLIPS, groups=CLIPS)


def settled(
    state: dict[str, str], data: Dataset = STREAM, inputs=INPUTS, outputs=GIVEN, scored: str = "scores"
) -> Dataset:
    asked = Experiment("e", lambda: data, None, (), PLANS["none"], scoring=Scoring(output=scored), state=state)
    return with_state(data, inputs, outputs, asked)


def test_a_state_that_the_data_have_not_begins_at_zeros():
    found = settled({"hidden_out": "hidden_in"})
    assert found.input_names == ("sound", "hidden_in") and len(found.affines) == 2
    for arrays in (found.test_inputs, found.train_inputs):
        assert (arrays[1].shape, arrays[1].dtype, arrays[1].any()) == ((20, 8), np.float32, False)
    (carried,) = found.state
    assert (str(carried), carried.yielded, carried.fed) == ("hidden_out → hidden_in", 1, 1)
    assert carried.in_file((), ()) == (1, 1) and carried.in_file((1, 0), (2, 0)) == (0, 0)
    said = [str(remark) for remark in of_carried(found)]
    assert said[0].startswith("state (hidden_out → hidden_in) is carried inside 4 clips of 5 samples")
    assert said[1].startswith("calibration samples name no clips")
    assert not list(of_fed_back(found, OUTPUTS, NAMES))


def test_without_state_nothing_is_added():
    assert settled({}) is STREAM


def test_states_in_the_data_are_taken_by_name_or_in_the_models_order():
    both = replace(STREAM, train_inputs=(), test_inputs=(SOUND, SOUND[:, :8]), affines=(Affine(),) * 2)
    assert settled({"hidden_out": "hidden_in"}, both).test_inputs[1] is both.test_inputs[1]
    turned = replace(both, test_inputs=both.test_inputs[::-1], input_names=("hidden_in", "sound"))
    assert settled({"hidden_out": "hidden_in"}, turned).state[0].fed == 0


def test_two_states_may_go_out_and_in():
    inputs = (*INPUTS, Tensor("cell_in", "float32", (1, 8)))
    outputs = (Tensor("cell_out", "float32", (1, 8)), *GIVEN)
    found = settled({"hidden_out": "hidden_in", "cell_out": "cell_in"}, inputs=inputs, outputs=outputs)
    assert [(each.yielded, each.fed) for each in found.state] == [(2, 1), (0, 2)]


@pytest.mark.parametrize(
    ("state", "changes", "told", "advice"),
    [
        ({"hiden_out": "hidden_in"}, {}, "no output 'hiden_out'", "did you mean hidden_out"),
        ({"hidden_out": "hidden"}, {}, "no input 'hidden'", "did you mean hidden_in"),
        ({"hidden_out": "hidden_in", "scores": "hidden_in"}, {}, "two outputs go to", "one of them"),
        ({"hidden_out": "hidden_in", "scores": "sound"}, {}, "takes every input", "name the state alone"),
        ({"hidden_out": "hidden_in"}, {"scored": "hidden_out"}, "and it is scored", 'output = "scores"'),
        ({"scores": "hidden_in"}, {"scored": "hidden_out"}, r"scores is of shape \(any, 3\)", "name the input"),
        (
            {"hidden_out": "hidden_in"},
            {"outputs": (GIVEN[0], replace(GIVEN[1], dtype="int32"))},
            "hidden_out is int32",
            "one dtype",
        ),
        (
            {"hidden_out": "hidden_in"},
            {"inputs": (INPUTS[0], replace(INPUTS[1], shape=(-1, -1)))},
            "open",
            "in the data",
        ),
        ({"hidden_out": "hidden_in"}, {"data": replace(STREAM, clips=None)}, "name no clips", "sequence ="),
        ({"hidden_out": "hidden_in"}, {"data": replace(STREAM, clips=np.arange(20))}, "a single sample", "same clip"),
        (
            {"hidden_out": "hidden_in"},
            {"data": replace(STREAM, train_clips=np.tile(np.arange(4), 5))},
            "several pieces",
            "in one piece",
        ),
        (
            {"hidden_out": "hidden_in"},
            {"data": replace(STREAM, train_inputs=(), test_inputs=(SOUND, HIDDEN), affines=(Affine(2.0),) * 2)},
            "a scale or an offset",
            "by name",
        ),
        (
            {"hidden_out": "hidden_in"},
            {"data": replace(STREAM, train_inputs=(), test_inputs=(SOUND,) * 3, affines=(Affine(),) * 3)},
            "the data have 3 inputs",
            "needs none",
        ),
    ],
)
def test_what_state_cannot_be_is_told_with_what_to_do(state, changes, told, advice):
    with pytest.raises((ConfigError, DataError), match=told) as refused:
        settled(state, **changes)
    assert advice in refused.value.advice


# --- calibration -----------------------------------------------------------------------------------------------------


def test_calibration_takes_whole_clips_in_their_order():
    rows, starts = calibration_clips(replace(STREAM, train_clips=CLIPS), 12, seed=1)
    assert len(rows) == 12 and starts.tolist() == [0, 5, 10]
    assert all(np.diff(part).tolist() == [1] * (len(part) - 1) for part in np.split(rows, starts[1:]))
    assert (rows[starts] % 5 == 0).all()
    one, alone = calibration_clips(STREAM, 12)
    assert (one.tolist(), alone.tolist()) == (list(range(12)), [0])


def test_a_sample_is_calibrated_with_the_state_that_the_one_before_it_left():
    begun, given = np.zeros((5, 2), np.float32), np.arange(10, dtype=np.float64).reshape(5, 2)
    states = states_before(given, begun, np.array([0, 3]))
    assert states.tolist() == [[0, 0], [0, 1], [2, 3], [0, 0], [6, 7]] and states.dtype == np.float32
