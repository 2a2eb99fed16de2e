"""Points: outputs and labels as they are said to be, by hand; similarity as the formula has it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.detection.points import as_keypoints, checked_points, points_of, sigmas_of, similarity
from harness.errors import ConfigError
from harness.records import Keypoints

HOW = Keypoints(size=(20, 40), sigmas=(0.1,))  # 20 high, 40 wide


def of(**said) -> Keypoints:
    return Keypoints(**({"size": (20, 40), "sigmas": (0.1,)} | said))


# --- outputs ---------------------------------------------------------------------------------------------------------

XY = np.array([[[0.5, 0.25], [1.0, 0.0]]], np.float32)
PIXELS = [[[20, 5], [40, 0]]]


@pytest.mark.parametrize(
    ("output", "how"),
    [
        (XY, of()),
        (XY.reshape(1, 4), of()),
        (XY[..., ::-1], of(order="yx")),
        (XY * [40, 20], of(normalised=False)),
        (XY.reshape(1, 1, 2, 2), of()),
    ],
)
def test_coordinates_become_pixels(output, how):
    assert points_of({"o": output}, "o", how).tolist() == PIXELS


def test_a_third_number_is_how_sure_the_model_is():
    sure = np.concatenate([XY[..., ::-1], [[[0.5], [0.75]]]], axis=2)[:, None]  # as MoveNet gives them
    found = points_of({"o": sure}, "o", of(order="yx"))
    assert found[..., :2].tolist() == PIXELS and found[0, :, 2].tolist() == [0.5, 0.75]


def test_a_heat_map_is_told_by_its_highest_cell():
    """Of 5 × 8 cells of 4 × 5 pixels: cell (row 2, column 3) has its centre at x 17.5, y 10."""
    maps = np.zeros((1, 5, 8, 2), np.float32)
    maps[0, 2, 3, 0], maps[0, 2, 4, 0], maps[0, 1, 3, 0] = 0.9, 0.5, 0.2
    maps[0, 0, 7, 1] = 0.4  # in a corner: nothing is beyond
    assert points_of({"o": maps}, "o", of(decoder="argmax"))[0].tolist() == [
        [17.5, 10, pytest.approx(0.9)],
        [37.5, 2, pytest.approx(0.4)],
    ]
    found = points_of({"o": maps}, "o", of(decoder="quarter"))[0]
    assert found[0, :2].tolist() == [17.5 + 5 / 4, 10 - 4 / 4] and found[1, :2].tolist() == [37.5, 2]


def test_outputs_that_are_not_finite_stay_so():
    maps = np.zeros((2, 5, 8, 1), np.float32)
    maps[0, 3, 3] = np.nan
    assert np.isfinite(points_of({"o": maps}, "o", of(decoder="argmax"))).all(axis=(1, 2)).tolist() == [False, True]


@pytest.mark.parametrize(
    ("output", "how", "told"),
    [
        (np.zeros((2, 5)), of(), "Reshape"),
        (np.zeros((2, 8, 8, 7)), of(), "argmax"),
        (np.zeros((2, 8, 2)), of(decoder="argmax"), "Permute"),
    ],
)
def test_an_output_that_is_no_points_is_refused(output, how, told):
    with pytest.raises(ConfigError) as refused:
        points_of({"o": output}, "o", how)
    assert told in refused.value.advice


# --- labels ----------------------------------------------------------------------------------------------------------


def test_labels_become_pixels_with_the_area_of_the_box_around_them():
    found = as_keypoints(np.array([[[0.25, 0.5], [0.5, 1.0], [0.9, 0.9]]] * 2) * [[[1]], [[1]]], of())
    assert found[0, 1].tolist() == [20, 20, 2, pytest.approx(26 * 10)]


def test_what_is_not_labelled_has_no_place_in_the_box():
    labels = np.array([[[4, 5, 2], [8, 15, 1], [0, 0, 0]]])
    found = as_keypoints(labels, of(label_normalised=False))
    assert found[0, :, 3].tolist() == [40] * 3 and found[0, :, 2].tolist() == [2, 1, 0]
    assert as_keypoints(labels[..., :2], of(label_normalised=False))[0, :, 2].tolist() == [2, 2, 2]


@pytest.mark.parametrize(
    ("fourth", "how", "area"),
    [
        ([50.0, 50.0], of(label_normalised=False, area=9.0), 50),
        ([0.5, 0.5], of(area=9.0), 0.5 * 20 * 40),
        (None, of(area=9.0), 9),
    ],
)
def test_the_area_is_that_of_the_labels_or_the_one_that_is_said(fourth, how, area):
    xy = np.array([[[0.5, 0.5, 2], [0.5, 0.6, 2]]])
    labels = xy if fourth is None else np.concatenate([xy, np.array([fourth])[..., None]], axis=2)
    assert as_keypoints(labels, how)[0, :, 3].tolist() == [area, area]


@pytest.mark.parametrize(
    ("labels", "how", "told"),
    [
        (np.zeros((3, 4)), of(), "2 to 4"),
        (np.full((3, 4, 3), 0.5), of(), "2 for one that is seen"),
        (np.zeros((3, 4, 3)), of(), "1 or 2"),
        (np.full((3, 4, 2), 12.0), of(), "label_normalised = false"),
        (np.array([[[0.5, 0.5, 2], [0.5, 0.6, 2]]]), of(), "area = "),
        (np.array([[[0.5, 0.5, 2, 9], [0.5, 0.6, 2, 8]]]), of(), "of the object"),
        (np.array([[[0.5, np.nan, 2], [0.5, 0.6, 2]]]), of(), "visibility 0"),
    ],
)
def test_labels_that_are_no_points_are_refused_with_what_to_do(labels, how, told):
    with pytest.raises(ConfigError) as refused:
        as_keypoints(labels, how)
    assert told in refused.value.advice


# --- what is said, and similarity ------------------------------------------------------------------------------------


def test_sigmas_are_cocos_of_17_points_and_said_of_others():
    assert sigmas_of(Keypoints((9, 9)), 17)[[0, 11, 16]].tolist() == [0.026, 0.107, 0.089]
    assert sigmas_of(of(), 3).tolist() == [0.1] * 3
    for how, points in ((Keypoints((9, 9)), 5), (of(sigmas=(0.1, 0.2)), 3)):
        with pytest.raises(ConfigError, match=f"there are {points} points"):
            sigmas_of(how, points)


@pytest.mark.parametrize("said", [{"decoder": "argmx"}, {"sigmas": (0.0,)}, {"right_within": -1}, {"size": (0, 3)}])
def test_what_cannot_be_is_refused(said):
    with pytest.raises(ConfigError):
        checked_points(of(**said), "here")


def test_similarity_is_the_formula_over_labelled_points():
    labels = np.array([[[10, 10, 2, 400], [10, 10, 1, 400], [0, 0, 0, 400]], [[0, 0, 0, 0]] * 3], float)
    points = np.array([[[14, 13], [10, 10], [99, 99]]] * 2, float)
    first = math.exp(-(5**2) / (2 * 400 * 0.2**2))  # d = 5, σ = .1
    found = similarity(points, labels, np.full(3, 0.1))
    assert found[0] == pytest.approx((first + 1) / 2, rel=1e-12) and np.isnan(found[1])


OWN = """
def corners(outputs):
    return outputs["xy"][:, :, :2] + outputs["shift"][:, None]

def flat(outputs):
    return outputs["xy"].reshape(len(outputs["xy"]), -1)
"""


def test_a_decoder_of_ones_own_is_given_every_output_and_called_where_it_is_trusted(tmp_path):
    (tmp_path / "own_points.py").write_text(OWN)
    given = {"xy": np.arange(24, dtype=np.float32).reshape(4, 2, 3), "shift": np.full((4, 2), 10, np.float32)}
    how = checked_points(of(decoder="own_points:corners", folder=tmp_path), "")
    found = points_of(given, "xy", how)
    assert found[1].tolist() == [[16, 17], [19, 20]] and found.dtype == np.float32
    with pytest.raises(ConfigError, match=r"own_points:corners .* was not begun by you here"):
        points_of(given, "xy", how, trusted=False)
    with pytest.raises(ConfigError, match=r"own_points:flat returned an array of shape \(4, 6\)"):
        points_of(given, "xy", of(decoder="own_points:flat", folder=tmp_path))
