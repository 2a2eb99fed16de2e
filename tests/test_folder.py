"""Folders of images. What Keras itself makes of one is asked for in a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from harness.data.kinds import load
from harness.errors import ConfigError, DataError
from tests.data_sources import own_cache as own_cache
from tests.data_sources import source

RNG = np.random.default_rng(5)


def picture(height: int, width: int) -> Image.Image:
    """Smooth colours, as photographs have them."""
    coarse = RNG.integers(0, 256, (4, 5, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def save(path: Path, image: Image.Image, **options: Any) -> np.ndarray:
    """The picture in a file; returns what Pillow reads from that as RGB."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)
    with Image.open(path) as stored:
        return np.asarray(stored.convert("RGB"))


@pytest.fixture
def pets(tmp_path: Path) -> dict[str, np.ndarray]:
    """Three class folders, one of them empty, and what is in no class: RGB pixels by file, in Keras' order."""
    names = ("cat/10.png", "cat/9.jpg", "cat/young/1.PNG", "dog/a.jpeg", "dog/b.png")
    pixels = {name: save(tmp_path / "pets" / name, picture(6, 7)) for name in names}
    (tmp_path / "pets/emu").mkdir()
    (tmp_path / "pets/.thumbnails").mkdir()
    save(tmp_path / "pets/.thumbnails/1.png", picture(3, 3))
    save(tmp_path / "pets/stray.png", picture(3, 3))
    (tmp_path / "pets/cat/notes.txt").write_text("no image")
    return pixels


def test_class_folders_and_images_in_the_order_of_their_names(tmp_path, pets):
    dataset = load(source(tmp_path, "pets"))
    assert dataset.class_names == ("cat", "dog", "emu")
    assert dataset.test_labels.tolist() == [0, 0, 0, 1, 1]
    assert dataset.test_inputs[0].dtype == np.uint8
    assert np.array_equal(dataset.test_inputs[0], np.stack(list(pets.values())))


def test_classes_in_the_order_that_was_given(tmp_path, pets):
    dataset = load(source(tmp_path, "pets", labels=("dog", "yak", "cat")))
    assert dataset.class_names == ("dog", "yak", "cat")
    assert dataset.test_labels.tolist() == [0, 0, 2, 2, 2]
    assert np.array_equal(dataset.test_inputs[0][0], pets["dog/a.jpeg"])


def test_a_folder_that_is_no_class_is_told(tmp_path, pets):
    with pytest.raises(DataError, match="pets: dog is not one of the classes") as caught:
        load(source(tmp_path, "pets", labels=("cat", "dogs")))
    assert "did you mean dogs?" in caught.value.advice


def test_colour_modes(tmp_path, pets):
    rgb = load(source(tmp_path, "pets", color="rgb")).test_inputs[0]
    bgr = load(source(tmp_path, "pets", color="bgr")).test_inputs[0]
    grey = load(source(tmp_path, "pets", color="grayscale")).test_inputs[0]
    assert np.array_equal(bgr, rgb[..., ::-1])
    assert grey.shape == (5, 6, 7, 1)
    luma = rgb @ np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
    assert np.abs(grey[..., 0] - luma).max() <= 1


def test_a_flat_folder_has_no_labels(tmp_path):
    pixels = [save(tmp_path / "flat" / name, picture(5, 5)) for name in ("10.png", "2.png")]
    dataset = load(source(tmp_path, "flat"))
    assert (dataset.test_labels, dataset.class_names) == (None, ())
    assert np.array_equal(dataset.test_inputs[0], np.stack(pixels))


def test_calibration_has_the_classes_of_the_test_set(tmp_path, pets):
    save(tmp_path / "more/dog/1.png", picture(6, 7))
    assert load(source(tmp_path, "pets", "more")).train_labels.tolist() == [1]
    save(tmp_path / "more/bee/1.png", picture(6, 7))
    with pytest.raises(DataError, match="more: bee is not one of the classes"):
        load(source(tmp_path, "pets", "more"))


@pytest.mark.parametrize(("size", "color"), [((3, 4), "rgb"), ((9, 20), "grayscale"), ((4, 30), "bgr")])
def test_resizing_is_bilinear_between_four_pixels(tmp_path, pets, size, color):
    (resized,) = load(source(tmp_path, "pets", size=size, color=color)).test_inputs
    (stored,) = load(source(tmp_path, "pets", color=color)).test_inputs
    assert resized.shape == (5, *size, stored.shape[3])
    assert np.abs(resized - bilinear(stored.astype(float), size)).max() <= 0.5 + 1e-4


def bilinear(images: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The textbook's: pixel centres at halves, edges repeated."""
    for axis, target in ((1, size[0]), (2, size[1])):
        length = images.shape[axis]
        at = np.clip((np.arange(target) + 0.5) * length / target - 0.5, 0, length - 1)
        low = np.floor(at).astype(int)
        share = (at - low).reshape([-1 if n == axis else 1 for n in range(4)])
        high = np.minimum(low + 1, length - 1)
        images = images.take(low, axis) * (1 - share) + images.take(high, axis) * share
    return images


def test_what_pillow_and_keras_see_differently(tmp_path):
    deep = RNG.integers(0, 65536, (6, 7), dtype=np.uint16)
    Image.fromarray(deep).save(save_in(tmp_path, "odd/16-bit.png"))
    colour = picture(6, 7)
    alpha = colour.copy()
    alpha.putalpha(Image.fromarray(RNG.integers(0, 256, (6, 7), dtype=np.uint8)))
    save(tmp_path / "odd/alpha.png", alpha)
    turned = Image.Exif()
    turned[0x0112] = 6  # orientation: a quarter turn
    stored = save(tmp_path / "odd/turned.jpg", colour, exif=turned)
    images = load(source(tmp_path, "odd")).test_inputs[0]
    assert np.array_equal(images[0], np.repeat((deep // 256)[..., np.newaxis], 3, axis=2))
    assert np.array_equal(images[1], np.asarray(colour))
    assert np.array_equal(images[2], stored)


def save_in(folder: Path, name: str) -> Path:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    return folder / name


def test_images_of_several_sizes_are_named(tmp_path, pets):
    save(tmp_path / "pets/dog/c.png", picture(8, 9))
    with pytest.raises(DataError, match=r"10.png is 7 × 6, .*c.png is 9 × 8") as caught:
        load(source(tmp_path, "pets"))
    assert "size = [height, width]" in caught.value.advice


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n no image", "half"])
def test_an_unreadable_image_is_named(tmp_path, pets, content):
    path = tmp_path / "pets/dog/b.png"
    path.write_bytes(path.read_bytes()[:60] if content == "half" else content)
    with pytest.raises(DataError, match=r"dog/b.png cannot be read as an image"):
        load(source(tmp_path, "pets"))


def test_a_link_to_nowhere_is_named(tmp_path, pets):
    (tmp_path / "pets/dog/z.png").symlink_to("gone.png")
    with pytest.raises(DataError, match=r"pets cannot be copied into .*z.png"):
        load(source(tmp_path, "pets"))


def test_a_folder_without_images_is_refused(tmp_path):
    (tmp_path / "none/cat").mkdir(parents=True)
    with pytest.raises(DataError, match="none holds no images"):
        load(source(tmp_path, "none"))


def test_images_are_decoded_once(tmp_path, pets, own_cache):
    def entries() -> int:
        return len(list((own_cache / "datasets").iterdir()))

    first = load(source(tmp_path, "pets"))
    assert (load(source(tmp_path, "pets")).test_sha256, entries()) == (first.test_sha256, 1)
    load(source(tmp_path, "pets", size=(6, 8)))
    assert entries() == 2
    shutil.move(tmp_path / "pets/dog/b.png", tmp_path / "pets/cat/b.png")
    assert load(source(tmp_path, "pets")).test_labels.tolist() == [0, 0, 0, 0, 1]
    assert entries() == 3


KERAS = """
import sys
import keras, numpy as np, tensorflow as tf
folder, size, color, out = sys.argv[1], eval(sys.argv[2]), sys.argv[3], sys.argv[4]
made = keras.utils.image_dataset_from_directory(
    folder, image_size=size, color_mode=color, shuffle=False, batch_size=None, label_mode="int")
images, labels = zip(*made)
channels = images[0].shape[-1]
accurate = {
    f"accurate{n}": tf.image.resize(
        tf.io.decode_jpeg(tf.io.read_file(path), channels=channels, dct_method="INTEGER_ACCURATE"), size)
    for n, path in enumerate(made.file_paths) if not path.lower().endswith("png")
}
np.savez(out, x=np.stack(images), y=np.stack(labels), names=made.class_names, **accurate)
"""


@pytest.mark.slow
@pytest.mark.parametrize("color", ["rgb", "grayscale"])
def test_a_folder_is_what_keras_makes_of_it(tmp_path, pets, color):
    for n, (height, width) in enumerate(((33, 47), (120, 90), (10, 200))):
        save(tmp_path / f"pets/dog/photo-{n}.png", picture(height, width))
        save(tmp_path / f"pets/emu/photo-{n}.jpg", picture(height, width), quality=90)
    argv = [sys.executable, "-c", KERAS, tmp_path / "pets", "(24, 32)", color, tmp_path / "keras.npz"]
    subprocess.run(argv, check=True, capture_output=True)
    dataset = load(source(tmp_path, "pets", size=(24, 32), color=color))
    with np.load(tmp_path / "keras.npz") as keras:
        assert dataset.class_names == tuple(keras["names"])
        assert np.array_equal(dataset.test_labels, keras["y"])
        apart = np.abs(dataset.test_inputs[0] - keras["x"])
        jpeg = [n for n in range(len(apart)) if f"accurate{n}" in keras.files]
        accurate = np.stack([keras[f"accurate{n}"] for n in jpeg])
    assert jpeg == [1, 3, 8, 9, 10]
    assert np.delete(apart, jpeg, axis=0).max() <= (0.501 if color == "rgb" else 1.501)  # Keras cuts grey, not rounds
    assert np.abs(dataset.test_inputs[0][jpeg] - accurate).max() <= 0.501
    assert apart[jpeg].mean() < 2.0  # the fast transform


def test_a_class_folder_whose_name_is_not_utf_8_is_told(tmp_path, pets):
    (tmp_path / "pets" / os.fsdecode(b"\xe9t\xe9")).mkdir()
    with pytest.raises(DataError, match=r"class folder b'.xe9t.xe9' is not UTF-8"):
        load(source(tmp_path, "pets"))


def test_an_image_whose_name_is_not_utf_8_is_read(tmp_path, pets):
    save(tmp_path / "pets" / "cat" / os.fsdecode(b"\xe9t\xe9.png"), picture(6, 7))
    assert load(source(tmp_path, "pets")).test_count == len(pets) + 1


def scene(folder: Path) -> None:
    """Two pictures in folders that are no classes, with a cat on the one and nothing on the other."""
    for name, size in (("one/a.png", (20, 40)), ("b.png", (10, 10))):
        save(folder / "street" / name, picture(*size))
    coco = {
        "images": [
            {"id": 1, "file_name": "one/a.png", "width": 40, "height": 20},
            {"id": 2, "file_name": "b.png", "width": 10, "height": 10},
        ],
        "categories": [{"id": 5, "name": "cat"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 5, "bbox": [10, 5, 20, 10], "iscrowd": 0}],
    }
    (folder / "coco.json").write_text(json.dumps(coco))
    (folder / "labels/one").mkdir(parents=True)
    (folder / "labels/one/a.txt").write_text("0 0.5 0.5 0.5 0.5\n")


@pytest.mark.parametrize("boxes", ["coco.json", "labels"])
def test_boxes_on_images_are_shares_of_each_picture_however_it_is_resized(tmp_path, boxes):
    scene(tmp_path)
    dataset = load(source(tmp_path, "street", boxes=boxes, size=(8, 8)))
    assert dataset.test_inputs[0].shape == (2, 8, 8, 3)
    where = [labels[labels[:, 4] >= 0].tolist() for labels in dataset.test_labels]
    assert sorted(where, key=len) == [[], [pytest.approx([0.25, 0.25, 0.75, 0.75, 0, 0])]]
    assert dataset.class_names == (("cat",) if boxes == "coco.json" else ())


def test_boxes_that_change_are_read_again_and_those_that_are_not_there_are_told(tmp_path):
    scene(tmp_path)
    of: Any = {"boxes": "labels", "size": (8, 8)}
    assert load(source(tmp_path, "street", **of)).test_labels.shape[1] == 1
    (tmp_path / "labels/b.txt").write_text("0 0.5 0.5 0.2 0.2\n1 0.3 0.3 0.2 0.2\n")
    assert load(source(tmp_path, "street", **of)).test_labels.shape[1] == 2
    with pytest.raises(ConfigError, match=r"there is no other\.json"):
        load(source(tmp_path, "street", boxes="other.json", size=(8, 8)))
