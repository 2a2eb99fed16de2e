"""What is odd about a data set: each remark provoked, and none where nothing is odd."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from harness.build.lint import lint
from harness.errors import BuildError
from harness.records import Affine, Dataset

UNIT = Affine(1 / 255)


def images(count: int, seed: int, channels: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Noise with one bright channel: its index is the class. Classes in turn."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % channels
    pixels = rng.integers(0, 120, (count, 6, 6, channels), np.uint8)
    pixels[np.arange(count), ..., labels] += 100
    return pixels, labels


def dataset(**changes) -> Dataset:
    (x_train, y_train), (x_test, y_test) = images(300, 1), images(600, 2)
    whole = Dataset("d", (x_train,), y_train, (x_test,), y_test, (UNIT,), ("red", "green", "blue"), "here")
    return replace(whole, **changes)


def brightest(declared: Dataset, stored: tuple[np.ndarray, ...]) -> np.ndarray:
    """A model that was trained on 0 to 1 and red, green, blue; out of that range it always says red."""
    x = stored[0] * declared.affines[0].scale + declared.affines[0].offset
    scores = x.mean(axis=(1, 2))
    scores[(x.max(axis=(1, 2, 3)) > 1.5) | (x.min(axis=(1, 2, 3)) < -0.5)] = (1, 0, 0)
    return scores


def told(found: Dataset, **facts) -> str:
    return "\n".join(map(str, lint(found, **facts)))


def test_nothing_is_odd_about_a_good_set():
    assert lint(dataset(), predict=brightest) == ()
    assert lint(dataset()) == ()


@pytest.mark.parametrize(
    ("affine", "right"), [(Affine(), "scale = 0.00392156862745098 "), (Affine(1 / 127.5, -1), "scale = 0.00392")]
)
def test_another_scaling_that_the_model_knows_is_told_with_what_to_write(affine, right):
    found = told(dataset(affines=(affine,)), predict=brightest)
    assert re.search("of 500 test samples the model gets 3.% right as declared, and 100% with inputs of 0 to 1", found)
    assert f"write {right}" in found


def test_a_model_trained_on_blue_green_red_gives_the_channel_order_away():
    found = told(dataset(), predict=lambda *given: brightest(*given)[:, ::-1])
    assert "100% with red and blue exchanged" in found
    assert "for a folder change color =" in found


def test_a_form_that_the_model_cannot_take_is_passed_over():
    """A model that looks up what it is given fails where that is negative."""

    def lookup(declared: Dataset, stored: tuple[np.ndarray, ...]) -> np.ndarray:
        if declared.affines[0].offset < 0:
            raise BuildError("the model fails: indices[0] = -1 is not in [0, 256)")
        return brightest(declared, stored)

    assert lint(dataset(), predict=lookup) == ()
    assert "100% with inputs of 0 to 1" in told(dataset(affines=(Affine(),)), predict=lookup)


def test_of_large_samples_fewer_are_tried():
    """They travel to the model's process at once, as float32."""
    large = np.broadcast_to(np.uint8(0), (40, 2048, 2048, 1))
    tried = []

    def predict(_: Dataset, stored: tuple[np.ndarray, ...]) -> np.ndarray:
        tried.append(len(stored[0]))
        return np.eye(3)[np.zeros(len(stored[0]), int)]

    few = dataset(test_inputs=(large,), test_labels=np.arange(40) % 3, train_inputs=(), train_labels=None)
    lint(few, predict=predict)
    assert set(tried) == {8}


def test_a_model_that_guesses_is_no_matter_of_the_scaling():
    """Its accuracy is chance; where it happens to be under that, this alone is said."""
    rng = np.random.default_rng(0)
    found = told(dataset(affines=(Affine(),)), predict=lambda _, stored: rng.random((len(stored[0]), 3)))
    assert "with inputs" not in found
    assert "with every label" not in found


def test_of_several_scalings_that_are_better_the_best_is_told():
    """As it was trained it is always right, of 500 samples as bytes on 400, and on 100 as declared."""

    def predict(declared: Dataset, stored: tuple[np.ndarray, ...]) -> np.ndarray:
        scores = brightest(replace(declared, affines=(UNIT,)), stored)
        right = {UNIT: 600, Affine(): 400}.get(declared.affines[0], 100)
        return np.where(np.arange(len(scores))[:, np.newaxis] < right, scores, scores[:, [1, 2, 0]])

    found = [str(remark) for remark in lint(dataset(affines=(Affine(0.5),)), predict=predict)]
    assert "20% right as declared, and 100% with inputs of 0 to 1" in found[0]
    assert not any("inputs of 0 to 255" in remark for remark in found)


@pytest.mark.parametrize(
    ("shift", "what"),
    [(1, "100% with every label one less: .*: subtract 1"), (-1, "100% with every label one more: .*: add 1")],
)
def test_labels_off_by_one_are_told_and_no_scaling_is_advised(shift, what):
    """Told apart from a wrong scaling, with which this model always says red: 0 % as declared, a third then."""
    shifted = (np.arange(600) % 3 + shift) % 3
    (remark,) = lint(dataset(test_labels=shifted.astype(np.uint8)), predict=brightest)
    assert re.search(f"of 500 test samples the model gets 0% right as declared, and {what}", str(remark))


def test_two_classes_that_are_exchanged():
    pixels, labels = images(600, 2)
    two = dataset(
        test_inputs=(pixels[labels < 2],), test_labels=1 - labels[labels < 2], train_inputs=(), train_labels=None,
        class_names=("red", "green"),
    )  # fmt: skip
    (remark,) = lint(two, predict=lambda *given: brightest(*given)[:, :2])
    assert "0% right as declared, and 100% with the two classes exchanged" in str(remark)


def test_a_model_that_is_always_wrong_is_remarked_on():
    """Every eleventh class is answered with the one five further: no shift by one explains it."""
    x, labels = np.arange(600, dtype=np.uint8).reshape(-1, 1) % 11, np.arange(600) % 11
    wrong = dataset(
        test_inputs=(x,), test_labels=labels, train_inputs=(), train_labels=None, affines=(Affine(),),
        class_names=tuple("abcdefghijk"),
    )  # fmt: skip
    copied, remark = lint(wrong, predict=lambda _, stored: np.eye(11)[(stored[0][:, 0].astype(int) + 5) % 11])
    assert remark.what == "the model is right on 0.0% of 500 test samples, and guessing on 9.1%"
    assert "labels off by one, or in another order" in remark.advice
    assert copied.what.startswith("600 test samples are 11 different ones")


def test_copies_in_the_test_set_are_told_unless_they_are_grouped():
    (images_of_6, labels), times = images(6, 3), 100
    copied = dataset(test_inputs=(np.tile(images_of_6, (times, 1, 1, 1)),), test_labels=np.tile(labels, times))
    assert "600 test samples are 6 different ones, one of them 100 times" in told(copied)
    assert 'group = "…" under [data]' in told(copied)
    assert "different ones" not in told(replace(copied, groups=np.tile(np.arange(6), times)))
    few = dataset(test_inputs=(np.concatenate([dataset().test_inputs[0][:-20], images_of_6[:1].repeat(20, 0)]),))
    assert "different ones" not in told(few)  # 19 of 600 are copies


def test_near_copies_in_the_test_set_are_told_unless_they_are_grouped():
    pictures = np.random.default_rng(0).integers(0, 250, (600, 8, 8, 1), np.uint8)
    pictures[300:] = pictures[:300] + np.arange(64, dtype=np.uint8).reshape(8, 8, 1) % 3
    near = dataset(test_inputs=(pictures,))
    assert "600 test samples are nearly equal to another, in at least 300 pairs such as 0 and 300" in told(near)
    assert "nearly equal" not in told(replace(near, groups=np.tile(np.arange(300), 2)))
    assert "nearly equal" not in told(dataset(test_inputs=(pictures[:301],)))


@pytest.mark.parametrize(
    ("stored", "declared", "advice"),
    [
        ("0 to 1", UNIT, "scale = 1.0 and offset = 0.0"),
        ("0 to 1", Affine(2.0, -1.0), "scale = 1.0 and offset = 0.0"),
        ("0 to 255", Affine(), "scale = 0.00392156862745098 and offset = 0.0"),
        ("-1 to 1", Affine(), "scale = 0.5 and offset = 0.5"),
    ],
)
def test_floats_are_tried_in_other_ranges_too(stored, declared, advice):
    (pixels,) = dataset().test_inputs
    unit = pixels.astype(np.float32) / 255
    given = {"0 to 1": unit, "0 to 255": unit * 255, "-1 to 1": unit * 2 - 1}[stored]
    found = told(
        dataset(test_inputs=(given,), train_inputs=(), train_labels=None, affines=(declared,)), predict=dark_is_red
    )
    assert f"100% with inputs of 0 to 1: write {advice}" in found


def dark_is_red(declared: Dataset, stored: tuple[np.ndarray, ...]) -> np.ndarray:
    """As brightest, and what is dark all over is red too."""
    scores = brightest(declared, stored)
    x = stored[0] * declared.affines[0].scale + declared.affines[0].offset
    scores[x.max(axis=(1, 2, 3)) < 0.2] = (1, 0, 0)
    return scores


def test_a_gain_of_some_points_is_told():
    """A model with a BatchNormalization shrugs off most of a wrong scaling: 78 % in place of 87 %."""
    right = np.random.default_rng(1).random(600)

    def predict(declared: Dataset, stored: tuple[np.ndarray, ...]) -> np.ndarray:
        labels = np.asarray(stored[0].mean(axis=(1, 2)).argmax(axis=1))
        share = 0.87 if declared.affines[0] == UNIT else 0.78
        return np.eye(3)[np.where(right[: len(labels)] < share, labels, (labels + np.arange(len(labels)) % 2 + 1) % 3)]

    assert "with inputs of 0 to 1" in told(dataset(affines=(Affine(),)), predict=predict)
    assert lint(dataset(), predict=predict) == ()


def test_floats_that_are_no_pixels_are_not_scaled():
    table = np.random.default_rng(0).random((600, 4), np.float32)
    tried = []

    def predict(declared: Dataset, stored: tuple[np.ndarray, ...]) -> np.ndarray:
        tried.append(declared.affines)
        return np.eye(3)[np.zeros(len(stored[0]), int)]

    lint(dataset(test_inputs=(table,), train_inputs=(), train_labels=None), predict=predict)
    assert len(tried) == 1


def test_where_the_model_can_be_tried_nothing_is_guessed():
    """It takes bytes as they are, in a way that is not known of it."""
    predict = lambda declared, stored: brightest(replace(declared, affines=(UNIT,)), stored)  # noqa: E731
    assert lint(dataset(affines=(Affine(),)), bare=True, predict=predict) == ()


def test_inputs_that_are_scaled_before_a_model_that_scales_them_itself():
    found = told(dataset(), normalisation=UNIT)
    assert "the model scales its inputs by 0.003922 itself, and the input is 0 to 0." in found
    assert "remove scale and offset" in found
    assert lint(dataset(affines=(Affine(),)), normalisation=UNIT) == ()


def test_bytes_that_no_layer_scales():
    raw = dataset(affines=(Affine(),))
    what = "the input goes up to 219, and no layer of the model scales it"
    assert f"{what}: if it was trained on inputs of 0 to 1" in told(raw, bare=True)
    assert lint(raw) == lint(dataset(), bare=True) == ()


def test_a_constant_input():
    black = dataset(test_inputs=(np.zeros((600, 6, 6, 3), np.uint8),), train_inputs=(), train_labels=None)
    assert "every value of the input is 0" in told(black)


@pytest.mark.parametrize(("dtype", "advice"), [("float64", "as float32"), ("int64", "as int32, or uint8")])
def test_wide_dtypes(dtype, advice):
    (x,) = dataset().test_inputs
    wide = dataset(test_inputs=(x.astype(dtype),), train_inputs=())
    assert f"the input is stored as {dtype}: {advice}" in told(wide)


def test_classes_that_are_absent_scarce_or_lopsided():
    counts = np.repeat([0, 1], [594, 6])
    absent, scarce, lopsided = told(dataset(test_labels=counts)).splitlines()
    assert absent == "no test sample of blue: nothing can be said about those classes; add some"
    assert scarce == "under 10 test samples of green: a drop there goes unseen; add some"
    assert lopsided.startswith("the largest class has 99 times the samples of the smallest: accuracy mostly reflects")
    assert 'add "balanced_accuracy"' in lopsided


def test_few_calibration_samples_and_classes_that_are_absent_from_them():
    x, y = images(300, 1)
    red = dataset(train_inputs=(x[y == 0][:40],), train_labels=np.zeros(40, int))
    found = told(red)
    assert "40 calibration samples: 100 to 500 typical samples" in found
    assert "no calibration sample of green, blue" in found


def test_calibration_samples_from_the_test_set_by_content():
    (x_test,), (x_train,) = dataset().test_inputs, dataset().train_inputs
    mixed = np.concatenate([x_train[:290], x_test[100:110]])
    assert "10 of 300 different calibration samples are in the test set, too" in told(dataset(train_inputs=(mixed,)))


@pytest.mark.parametrize(
    ("calibration", "test", "wanted"),
    [
        ((0, 1), (0, 255), "is 0 to 1 in the calibration samples, and 100% of the test set's values lie outside"),
        (
            (0, 255),
            (0, 1),
            "is 0 to 255 in the calibration samples, and 0 to 1 in the test set, for which int8 has few",
        ),
        ((0, 100), (0, 125), "20% of the test set's values lie outside"),
        ((0, 100), (0, 108), ""),
        ((0, 100), (30, 40), ""),
    ],
)
def test_calibration_samples_in_another_range_are_told(calibration, test, wanted):
    def spread(ends: tuple[float, float], count: int) -> np.ndarray:
        return np.linspace(*ends, count * 8, dtype=np.float32).reshape(count, 8)

    found = told(
        dataset(
            train_inputs=(spread(calibration, 200),), train_labels=None, test_inputs=(spread(test, 500),),
            test_labels=None, class_names=(),
        )
    )  # fmt: skip
    assert wanted in found and bool(wanted) == ("in the calibration samples" in found)


def test_ids_that_calibration_did_not_see_are_no_matter_of_ranges():
    tokens = np.arange(4000, dtype=np.int32).reshape(500, 8)
    found = dataset(train_inputs=(tokens[:200],), train_labels=None, test_inputs=(tokens[200:],), test_labels=None)
    assert "in the calibration samples" not in told(replace(found, class_names=(), affines=(Affine(),)))


def test_a_sample_of_several_inputs_is_shared_only_as_a_whole():
    x, ones = np.arange(400, dtype=np.float32).reshape(-1, 1), np.ones((400, 1), np.float32)
    several = dataset(
        train_inputs=(x[::2], ones[::2]), train_labels=None, test_inputs=(x[1::2], ones[1::2]),
        test_labels=np.linspace(0, 1, 200), affines=(Affine(), Affine()), class_names=(), input_names=("x", "one"),
    )  # fmt: skip
    assert told(several) == "every value of input 'one' is 1: check how it was stored"
    assert "200 of 200" in told(replace(several, train_inputs=several.test_inputs))


def test_unlabelled_data_have_no_classes_to_remark_on():
    assert lint(dataset(test_labels=None, train_labels=None), predict=brightest) == ()
