"""Outputs of a file that no name tells apart, told by their answers."""

from __future__ import annotations

import numpy as np

from harness.build.artifact.answer_match import matched

random = np.random.default_rng(11)
MAIN = random.normal(size=(300, 4)).astype(np.float32)
AUX = (MAIN + random.normal(0, 0.3, MAIN.shape)).astype(np.float32)  # mostly agrees with it
BOX = random.normal(size=(300, 4, 1)).astype(np.float32)


def lossy(outputs: np.ndarray) -> np.ndarray:
    """In steps of 1/40, as of eight bits."""
    return np.rint(outputs * 40) / 40


def test_the_order_in_which_every_output_answers_alike_is_taken():
    assert matched([AUX, MAIN], [MAIN, AUX]) == (1, 0)
    assert matched([AUX, MAIN, BOX], [BOX, AUX, MAIN]) == (1, 2, 0)


def test_quantised_answers_still_tell_heads_apart_that_mostly_agree():
    assert matched([AUX, MAIN], [lossy(MAIN), lossy(AUX)]) == (1, 0)


def test_two_orders_that_both_fit_are_no_proof():
    nearly = MAIN + random.normal(0, 1e-3, MAIN.shape).astype(np.float32)
    noise = random.normal(0, 1e-2, MAIN.shape).astype(np.float32)
    assert matched([MAIN, nearly], [MAIN + noise, nearly + noise]) is None


def test_answers_that_fit_no_output_are_no_proof():
    other = random.normal(size=MAIN.shape).astype(np.float32)
    assert matched([MAIN, AUX], [MAIN, other]) is None
    assert matched([MAIN, AUX], [MAIN, np.full_like(AUX, np.nan)]) is None


def test_outputs_that_are_the_same_may_be_exchanged():
    assert matched([MAIN, MAIN, AUX], [AUX, MAIN, MAIN])[2] == 0


def test_an_output_of_another_size_is_never_that_one():
    assert matched([MAIN, MAIN[:, :2]], [MAIN[:, :2], MAIN]) == (1, 0)


def test_an_axis_of_length_1_makes_no_other_output():
    assert matched([BOX, MAIN], [MAIN, BOX[..., 0]]) == (1, 0)
