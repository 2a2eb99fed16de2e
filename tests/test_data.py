"""Sources → Dataset: what all kinds of data have in common, and .npz and .npy files."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from harness.build.lint import lint
from harness.data.calibration import calibration_samples, model_inputs
from harness.data.kinds import load
from harness.data.labels import MOST_CLASSES
from harness.errors import ConfigError, DataError
from harness.records import Affine
from tests.data_sources import own_cache as own_cache
from tests.data_sources import source

IMAGES = np.random.default_rng(3).integers(0, 256, (30, 4, 5), dtype=np.uint8)
LABELS = np.arange(30) % 3


def saved(folder: Path, name: str, compressed: bool = False, **arrays: np.ndarray) -> str:
    (np.savez_compressed if compressed else np.savez)(folder / name, **arrays)
    return name


# .npz and .npy


@pytest.mark.parametrize("compressed", [False, True])
def test_x_and_y_of_an_npz(tmp_path, compressed):
    test = saved(tmp_path, "test.npz", compressed, x=IMAGES, y=LABELS)
    calibration = saved(tmp_path, "calibration.npz", compressed, x=IMAGES[:9] // 2)
    dataset = load(source(tmp_path, test, calibration, scale=1 / 255, labels=("a", "b", "c")))
    assert np.array_equal(dataset.test_inputs[0], IMAGES)
    assert dataset.test_inputs[0].dtype == np.uint8
    assert np.array_equal(dataset.test_labels, LABELS)
    assert np.array_equal(dataset.train_inputs[0], IMAGES[:9] // 2)
    assert dataset.train_labels is None
    assert dataset.class_names == ("a", "b", "c")
    assert dataset.affines == (Affine(1 / 255, 0.0),)
    assert dataset.input_names == ()
    assert dataset.source == "test.npz, calibration calibration.npz"


def test_arrays_are_mapped_and_not_to_be_written(tmp_path):
    dataset = load(source(tmp_path, saved(tmp_path, "test.npz", x=IMAGES, y=LABELS)))
    assert all(isinstance(array, np.memmap) for array in (*dataset.test_inputs, dataset.test_labels))
    with pytest.raises(ValueError, match="read-only"):
        dataset.test_inputs[0][0] = 0


def test_several_inputs_by_their_names_and_calibration_in_the_same_order(tmp_path):
    tokens = np.arange(30, dtype=np.int32)
    test = saved(tmp_path, "test.npz", image=IMAGES, y=LABELS, tokens=tokens)
    calibration = saved(tmp_path, "calibration.npz", tokens=tokens[:7] + 1, image=IMAGES[:7])
    dataset = load(source(tmp_path, test, calibration, scale={"image": 1 / 255}, offset={"image": -0.5}))
    assert dataset.input_names == ("image", "tokens")
    assert np.array_equal(dataset.test_inputs[1], tokens)
    assert dataset.test_inputs[1].dtype == np.int32
    assert np.array_equal(dataset.train_inputs[1], tokens[:7] + 1)
    assert dataset.affines == (Affine(1 / 255, -0.5), Affine(1.0, 0.0))


def test_one_scale_serves_every_input(tmp_path):
    test = saved(tmp_path, "test.npz", left=IMAGES, right=IMAGES)
    assert load(source(tmp_path, test, scale=2.0)).affines == (Affine(2.0, 0.0),) * 2
    assert load(source(tmp_path, test, scale={})).affines == (Affine(),) * 2  # a table that names none changes none


def test_a_single_input_may_have_any_name(tmp_path):
    dataset = load(source(tmp_path, saved(tmp_path, "test.npz", pictures=IMAGES)))
    assert (dataset.input_names, dataset.test_count) == ((), 30)


def test_an_npy_holds_inputs_alone(tmp_path):
    np.save(tmp_path / "x.npy", IMAGES)
    dataset = load(source(tmp_path, "x.npy"))
    assert np.array_equal(dataset.test_inputs[0], IMAGES)
    assert (dataset.test_labels, dataset.class_names, dataset.train_inputs) == (None, (), ())


def test_a_file_with_both_halves_as_keras_has_them(tmp_path):
    both = saved(
        tmp_path, "mnist.npz", x_train=IMAGES[10:], y_train=LABELS[10:], x_test=IMAGES[:10], y_test=LABELS[:10]
    )
    dataset = load(source(tmp_path, both, both))
    assert np.array_equal(dataset.test_inputs[0], IMAGES[:10])
    assert np.array_equal(dataset.test_labels, LABELS[:10])
    assert np.array_equal(dataset.train_inputs[0], IMAGES[10:])
    assert np.array_equal(dataset.train_labels, LABELS[10:])


@pytest.mark.parametrize(("inputs", "labels"), [("x_test", "y"), ("x", "y_test")])
def test_labels_are_labels_by_either_name(tmp_path, inputs, labels):
    dataset = load(source(tmp_path, saved(tmp_path, "test.npz", False, **{inputs: IMAGES, labels: LABELS})))
    assert len(dataset.test_inputs) == 1
    assert np.array_equal(dataset.test_labels, LABELS)


def test_fortran_order_and_byte_order_do_not_matter(tmp_path):
    x = np.asfortranarray(np.linspace(0, 1, 60).reshape(30, 2)).astype(">f4")
    dataset = load(source(tmp_path, saved(tmp_path, "test.npz", x=x)))
    assert np.array_equal(model_inputs(dataset, dataset.test_inputs)[0], x.astype(np.float32))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"y": LABELS}, "test.npz holds no inputs, only y"),
        ({"x": IMAGES[:0], "y": LABELS[:0]}, "test set is empty"),
        ({"x": IMAGES, "y": LABELS[:29]}, r"different numbers of samples: \[29, 30\]"),
        ({"x": IMAGES, "y": np.array(["a", 1] * 15, dtype=object)}, "test.npz: y cannot be used"),
        ({"x": IMAGES, "names": np.array(["a"] * 30)}, "the test input 'names': dtype <U1"),
        ({"x": IMAGES, "classes": np.array(3)}, "classes is a single number"),
        ({"x": np.full((30, 2), np.inf, np.float32)}, "NaN or infinite"),
        ({"x": IMAGES, "y": np.full(30, np.nan)}, "NaN or infinite"),
    ],
)
def test_what_cannot_be_right_is_refused(tmp_path, arrays, message):
    with pytest.raises(DataError, match=message) as caught:
        load(source(tmp_path, saved(tmp_path, "test.npz", **arrays)))
    assert caught.value.advice


@pytest.mark.parametrize(
    "y",
    [LABELS - 1, np.eye(3, dtype=int)[LABELS] * 2, IMAGES.astype(np.int16), (IMAGES > 99).astype(float)],
    ids=["negative", "rows", "masks", "float masks"],
)
def test_whole_numbers_that_are_no_classes_stay_as_they_are(tmp_path, y):
    dataset = load(source(tmp_path, saved(tmp_path, "test.npz", x=IMAGES, y=y)))
    assert np.array_equal(dataset.test_labels, y) and dataset.test_labels.dtype == y.dtype
    assert dataset.class_names == ()


def test_names_make_a_column_of_whole_floats_class_numbers(tmp_path):
    test = saved(tmp_path, "test.npz", x=IMAGES, y=LABELS[:, None].astype(np.float32))
    dataset = load(source(tmp_path, test, labels=("a", "b", "c")))
    assert np.array_equal(dataset.test_labels, LABELS) and dataset.class_names == ("a", "b", "c")


# --- labels by the names of outputs --------------------------------------------------------------------------------

BOXES = np.linspace(0, 1, 120).reshape(30, 4)


@pytest.mark.parametrize(
    ("options", "labels_of", "wanted"),
    [
        ({"output": "kind"}, "kind", LABELS),
        ({"output": "boxes"}, "boxes", BOXES),
        ({"label": {"boxes": "y_boxes", "kind": "y_kind"}, "output": "kind"}, "kind", LABELS),
        ({"label": {"other": "y_boxes", "kind": "y_kind"}, "output": "other"}, "other", BOXES),
    ],
)
def test_labels_of_several_outputs_are_known_by_their_names(tmp_path, options, labels_of, wanted):
    test = saved(tmp_path, "test.npz", x=IMAGES, y_kind=LABELS, y_boxes=BOXES)
    dataset = load(source(tmp_path, test, saved(tmp_path, "calibration.npz", x=IMAGES[:9]), **options))
    assert len(dataset.test_inputs) == len(dataset.train_inputs) == 1
    assert dataset.labels_of == labels_of and np.array_equal(dataset.test_labels, wanted)
    (other,) = dataset.heads.values()
    assert np.array_equal(other.labels, BOXES if wanted is LABELS else LABELS)


def test_the_first_output_with_labels_is_scored_where_none_is_named(tmp_path):
    test = saved(tmp_path, "test.npz", x=IMAGES, y_kind=LABELS, y_boxes=BOXES)
    calibration = saved(tmp_path, "calibration.npz", x=IMAGES[:9], y_boxes=BOXES[:9], y_kind=LABELS[:9] + 1)
    dataset = load(source(tmp_path, test, calibration))
    assert dataset.labels_of == "kind" and np.array_equal(dataset.test_labels, LABELS)
    assert np.array_equal(dataset.train_labels, LABELS[:9] + 1)  # those of the same output, though it comes second
    assert list(dataset.heads) == ["boxes"] and dataset.heads["boxes"].class_names == ()


def test_classes_of_each_output_have_names_of_their_own(tmp_path):
    parity = np.array(["even", "odd"])[LABELS % 2]
    test = saved(tmp_path, "test.npz", x=IMAGES, y_kind=LABELS, y_parity=parity)
    dataset = load(source(tmp_path, test, labels_by_output={"parity": ("odd", "even")}))
    assert dataset.heads["parity"].class_names == ("odd", "even")
    assert np.array_equal(dataset.heads["parity"].labels, 1 - LABELS % 2)
    with pytest.raises(DataError, match="output parity: sample 1 is labelled 'odd', which is not one") as caught:
        load(source(tmp_path, test, labels_by_output={"parity": ("even", "uneven")}))
    assert "[heads.parity] labels" in caught.value.advice


@pytest.mark.parametrize(
    ("boxes", "told"),
    [(np.where(BOXES > 0.9, np.inf, BOXES), "some values are infinite"), (BOXES[:29], "different numbers")],
)
def test_labels_that_are_missing_for_some_samples_are_refused_by_the_name_of_their_output(tmp_path, boxes, told):
    test = saved(tmp_path, "test.npz", x=IMAGES, y_kind=LABELS, y_boxes=boxes)
    with pytest.raises(DataError, match=f"output boxes: .*{told}") as caught:
        load(source(tmp_path, test))
    assert "leave the labels of boxes out" in caught.value.advice


def test_the_hash_of_a_test_set_is_of_the_labels_of_every_output(tmp_path):
    one = load(source(tmp_path, saved(tmp_path, "one.npz", x=IMAGES, y_kind=LABELS, y_boxes=BOXES)))
    other = load(source(tmp_path, saved(tmp_path, "two.npz", x=IMAGES, y_kind=LABELS, y_boxes=BOXES + 1)))
    alone = load(source(tmp_path, saved(tmp_path, "three.npz", x=IMAGES, y_kind=LABELS)))
    plain = load(source(tmp_path, saved(tmp_path, "four.npz", x=IMAGES, y=LABELS)))
    assert len({one.test_sha256, other.test_sha256, alone.test_sha256}) == 3
    assert alone.test_sha256 == plain.test_sha256  # as it was before there were several


def test_the_labels_of_one_output_say_themselves_whose_they_are(tmp_path):
    dataset = load(source(tmp_path, saved(tmp_path, "test.npz", x=IMAGES, y_kind=LABELS)))
    assert dataset.labels_of == "kind" and np.array_equal(dataset.test_labels, LABELS)


def test_the_array_of_labels_can_have_any_name(tmp_path):
    dataset = load(source(tmp_path, saved(tmp_path, "test.npz", pixels=IMAGES, kind=LABELS), label="kind"))
    assert dataset.labels_of == "" and np.array_equal(dataset.test_labels, LABELS)


@pytest.mark.parametrize(
    ("options", "message", "advice"),
    [
        ({"output": "size"}, "the labels are of the outputs kind, boxes, and size is scored", 'output = "kind" under'),
        ({"label": {"kind": "classes"}}, "test.npz has no array 'classes'", "it holds x, y_kind, y_boxes"),
        ({"label": "classes"}, "test.npz has no array 'classes'", "it holds x, y_kind, y_boxes"),
    ],
)
def test_labels_that_could_be_of_several_outputs_are_asked_for(tmp_path, options, message, advice):
    test = saved(tmp_path, "test.npz", x=IMAGES, y_kind=LABELS, y_boxes=BOXES)
    with pytest.raises(DataError, match=message) as caught:
        load(source(tmp_path, test, **options))
    assert advice in caught.value.advice


def test_inputs_whose_names_begin_with_y_stay_inputs(tmp_path):
    dataset = load(source(tmp_path, saved(tmp_path, "test.npz", x_place=BOXES, y_place=BOXES)))
    assert dataset.input_names == ("x_place", "y_place") and dataset.test_labels is None


def broken(content: bytes, part: str) -> bytes:
    """A file as a broken download or disk leaves it."""
    middle = len(content) // 2
    return {
        "end": content[:middle],
        "middle": content[:middle] + bytes(64) + content[middle + 64 :],
        "all": b"<html>404</html>",
    }[part]


@pytest.mark.parametrize("part", ["end", "middle", "all"])
@pytest.mark.parametrize("name", ["test.npz", "packed.npz", "test.npy"])
def test_a_broken_file_is_named(tmp_path, name, part):
    noise = np.random.default_rng(0).integers(0, 256, (500, 28), dtype=np.uint8)
    if name == "test.npy":
        np.save(tmp_path / name, noise)
    else:
        saved(tmp_path, name, name == "packed.npz", x=noise)
    if (name, part) == ("test.npy", "middle"):
        return  # other pixels: a plain .npy file has no checksum
    (tmp_path / name).write_bytes(broken((tmp_path / name).read_bytes(), part))
    with pytest.raises(DataError, match=name):
        load(source(tmp_path, name))


def test_calibration_has_the_inputs_of_the_test_set(tmp_path):
    test = saved(tmp_path, "test.npz", image=IMAGES, other=IMAGES)
    with pytest.raises(DataError, match="calibration has a single input, the test set image and other"):
        load(source(tmp_path, test, saved(tmp_path, "calibration.npz", x=IMAGES)))


# Labels


@pytest.mark.parametrize(
    ("stored", "labels", "names"),
    [
        (LABELS.astype(np.uint8), LABELS, ("0", "1", "2")),
        (LABELS[:, np.newaxis], LABELS, ("0", "1", "2")),  # as Keras' CIFAR has them
        (LABELS == 1, LABELS == 1, ("0", "1")),
        (np.eye(3, dtype=np.float32)[LABELS], LABELS, ("0", "1", "2")),
        (np.array(["cat", "ant", "dog"])[LABELS], np.array([1, 0, 2])[LABELS], ("ant", "cat", "dog")),
        (np.array([b"cat", b"ant", b"dog"])[LABELS], np.array([1, 0, 2])[LABELS], ("ant", "cat", "dog")),
        (np.linspace(-1, 1, 30), np.linspace(-1, 1, 30), ()),
        (np.arange(60.0).reshape(30, 2, 1), np.arange(60.0).reshape(30, 2, 1), ()),
        (LABELS + MOST_CLASSES, (LABELS + MOST_CLASSES).astype(float), ()),  # prices, not classes
    ],
)
def test_labels_as_people_store_them(tmp_path, stored, labels, names):
    dataset = load(source(tmp_path, saved(tmp_path, "test.npz", x=IMAGES, y=stored)))
    assert np.array_equal(dataset.test_labels, labels)
    assert dataset.test_labels.dtype.kind == ("f" if names == () else dataset.test_labels.dtype.kind)
    assert dataset.class_names == names


def test_text_labels_in_the_order_that_was_given(tmp_path):
    text = saved(tmp_path, "test.npz", x=IMAGES, y=np.array(["cat", "ant", "dog"])[LABELS])
    dataset = load(source(tmp_path, text, labels=("dog", "cat", "ant")))
    assert np.array_equal(dataset.test_labels, np.array([1, 2, 0])[LABELS])
    with pytest.raises(DataError, match="toy: sample 2 is labelled 'dog', which is not one of the classes") as caught:
        load(source(tmp_path, text, labels=("dogs", "cat", "ant")))
    assert "did you mean dogs?" in caught.value.advice


def test_calibration_labels_serve_the_balance(tmp_path):
    test = saved(tmp_path, "test.npz", x=IMAGES, y=np.array(["cat", "ant", "dog"])[LABELS])
    calibration = saved(tmp_path, "more.npz", x=IMAGES, y=np.array(["dog"] * 28 + ["ant", "cat"]))
    dataset = load(source(tmp_path, test, calibration))
    assert np.bincount(dataset.train_labels).tolist() == [1, 1, 28]
    (picked,) = calibration_samples(dataset, count=3)
    assert len({sample.tobytes() for sample in picked} & {IMAGES[28].tobytes(), IMAGES[29].tobytes()}) == 2


def test_classes_are_counted_over_both_halves(tmp_path):
    test = saved(tmp_path, "test.npz", x=IMAGES, y=LABELS)
    calibration = saved(tmp_path, "more.npz", x=IMAGES, y=LABELS + 2)
    assert load(source(tmp_path, test, calibration)).class_names == tuple("01234")


def test_whole_floats_are_classes_where_names_say_so(tmp_path):
    test = saved(tmp_path, "test.npz", x=IMAGES, y=LABELS.astype(np.float32))
    assert load(source(tmp_path, test)).class_names == ()
    dataset = load(source(tmp_path, test, labels=("a", "b", "c")))
    assert dataset.test_labels.dtype.kind == "i"
    with pytest.raises(DataError, match="test labels are float64"):
        load(source(tmp_path, saved(tmp_path, "half.npz", x=IMAGES, y=LABELS / 2), labels=("a", "b", "c")))


def test_a_label_beyond_the_names_is_refused(tmp_path):
    test = saved(tmp_path, "test.npz", x=IMAGES, y=LABELS)
    with pytest.raises(DataError, match="test labels run from 0 to 2") as caught:
        load(source(tmp_path, test, labels=("a", "b")))
    assert caught.value.advice == "with 2 classes they must be in 0..1"


def test_labels_that_begin_at_1_are_told_so(tmp_path):
    test = saved(tmp_path, "test.npz", x=IMAGES, y=LABELS + 1)
    with pytest.raises(DataError, match="test labels run from 1 to 3") as caught:
        load(source(tmp_path, test, labels=("a", "b", "c")))
    assert caught.value.advice.startswith("labels begin at 1: subtract 1; ")


def test_class_numbers_of_any_integer_dtype_are_counted(tmp_path):
    """numpy itself counts no uint64."""
    labels = np.tile(LABELS, 10).astype(np.uint64)
    test = saved(tmp_path, "test.npz", x=np.tile(IMAGES, (10, 1, 1)), y=labels)
    dataset = load(source(tmp_path, test))
    assert dataset.test_labels.tolist() == labels.tolist()
    assert not any("class" in str(remark) for remark in lint(dataset))


# What the user wrote


@pytest.mark.parametrize(
    ("options", "message", "advice"),
    [
        ({"scale": {"imgae": 1.0}}, "scale: there is no input 'imgae'", "did you mean image?"),
        ({"offset": float("nan")}, "offset must be a finite number", ""),
        ({"scale": {"image": float("inf")}}, "scale must be a finite number", ""),
        ({"size": (8, 8)}, "size is for a folder of images, but test.npz is an .npz or .npy file", "remove size"),
        ({"features": ("y",)}, "features is for a CSV or Parquet file", "remove features"),
    ],
)
def test_options_that_cannot_be_meant(tmp_path, options, message, advice):
    saved(tmp_path, "test.npz", image=IMAGES, other=IMAGES)
    with pytest.raises(ConfigError, match=message) as caught:
        load(source(tmp_path, "test.npz", **options))
    assert advice in caught.value.advice


def test_a_single_input_is_scaled_by_a_number(tmp_path):
    saved(tmp_path, "test.npz", x=IMAGES)
    with pytest.raises(ConfigError, match="there is no input 'x'") as caught:
        load(source(tmp_path, "test.npz", scale={"x": 0.5}))
    assert "scale = 1.0" in caught.value.advice


@pytest.mark.parametrize("split", ["test", "calibration"])
def test_a_missing_file_and_an_unknown_kind_are_told(tmp_path, split):
    saved(tmp_path, "good.npz", x=IMAGES)
    (tmp_path / "data.xlsx").touch()
    for name, message in (("none.npz", f"{split}: there is no none.npz in"), ("data.xlsx", "not a known kind of data")):
        with pytest.raises(ConfigError, match=message):
            load(source(tmp_path, "good.npz", name) if split == "calibration" else source(tmp_path, name))


# The cache


def age(own_cache: Path) -> set[tuple[str, int]]:
    return {(path.name, path.stat().st_ino) for path in (own_cache / "datasets").glob("*")}


def test_what_was_read_once_is_not_read_again(tmp_path, own_cache):
    wanted = source(tmp_path, saved(tmp_path, "test.npz", x=IMAGES, y=LABELS))
    first = load(wanted)
    before = age(own_cache)
    assert load(wanted).test_sha256 == first.test_sha256
    (tmp_path / "test.npz").touch()
    load(source(tmp_path, "test.npz", scale=0.5, labels=("a", "b", "c")))  # neither changes what is stored
    assert age(own_cache) == before
    load(wanted, fresh=True)
    assert age(own_cache) != before


def test_other_content_is_read_anew(tmp_path, own_cache):
    first = load(source(tmp_path, saved(tmp_path, "test.npz", x=IMAGES)))
    second = load(source(tmp_path, saved(tmp_path, "test.npz", x=IMAGES + 1)))
    assert len(age(own_cache)) == 2
    assert np.array_equal(second.test_inputs[0], IMAGES + 1)
    assert np.array_equal(first.test_inputs[0], IMAGES)  # still mapped


def test_a_refused_file_leaves_nothing(tmp_path, own_cache):
    (tmp_path / "test.npz").write_bytes(b"PK")
    with pytest.raises(DataError):
        load(source(tmp_path, "test.npz"))
    assert age(own_cache) == set()


def test_an_encrypted_member_is_told(tmp_path):
    saved(tmp_path, "test.npz", x=IMAGES)
    content = bytearray((tmp_path / "test.npz").read_bytes())
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):  # APPNOTE 4.3: general purpose bit 0
        content[content.index(signature) + flags] |= 1
    (tmp_path / "test.npz").write_bytes(content)
    assert zipfile.ZipFile(tmp_path / "test.npz").infolist()[0].flag_bits & 1
    with pytest.raises(DataError, match="encrypted"):
        load(source(tmp_path, "test.npz"))


@pytest.mark.parametrize("name", ["labels", "label", "targets", "target", "Labels"])
def test_labels_by_another_name_are_told_and_not_taken_for_an_input(tmp_path, name):
    where = saved(tmp_path, "test.npz", False, **{"x": np.zeros((4, 2)), name: np.arange(4)})
    with pytest.raises(DataError, match=f"test.npz holds no y, but an array {name}") as caught:
        load(source(tmp_path, where))
    assert caught.value.advice == "labels are called y: rename the array"


def test_an_input_may_be_called_target_where_there_are_labels(tmp_path):
    where = saved(tmp_path, "test.npz", x=np.zeros((4, 2)), target=np.ones((4, 2)), y=np.arange(4))
    assert load(source(tmp_path, where)).input_names == ("x", "target")


def test_labels_of_bytes_that_are_not_utf_8_are_told(tmp_path):
    where = saved(tmp_path, "test.npz", x=np.zeros((2, 2)), y=np.array([b"caf\xe9", b"tea"]))
    with pytest.raises(DataError, match="some labels are bytes that are not UTF-8, such as"):
        load(source(tmp_path, where))
