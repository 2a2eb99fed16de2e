"""Labels of pictures: COCO JSON, YOLO text files and arrays say the same objects."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from harness.detection.objects import as_objects, padded, read_coco, read_yolo
from harness.errors import ConfigError, DataError
from harness.records import Detection

FILES = ("a.png", "b.png")
SHARES = [[[0.1, 0.1, 0.3, 0.5, 1, 0], [0.5, 0.25, 0.9, 0.75, 0, 1]], [[0, 0, 0, 0, -1, 0]] * 2]

CROWD = {"id": 1, "image_id": 3, "category_id": 18, "bbox": [8, 4, 16, 16]}


def coco(path: Path, **other: object) -> Path:
    content = {
        "images": [
            {"id": 7, "file_name": "b.png", "width": 10, "height": 10},
            {"id": 3, "file_name": "a.png", "width": 80, "height": 40},
        ],
        "categories": [{"id": 18, "name": "dog"}, {"id": 17, "name": "cat"}],
        "annotations": [
            {"id": 1, "image_id": 3, "category_id": 18, "bbox": [8, 4, 16, 16], "iscrowd": 0, "area": 9},
            {"id": 2, "image_id": 3, "category_id": 17, "bbox": [40, 10, 32, 20], "iscrowd": 1, "area": 9},
        ],
    }
    path.write_text(json.dumps(content | other))
    return path


def test_coco_json_has_a_class_a_category_in_the_order_of_ids(tmp_path):
    labels = read_coco(coco(tmp_path / "coco.json"))
    assert labels.names == ("cat", "dog")
    assert labels.of(FILES, "coco.json") == pytest.approx(np.array(SHARES))


def test_named_classes_say_where_each_category_stands_among_the_models(tmp_path):
    labels = read_coco(coco(tmp_path / "coco.json"), ("person", "dog", "cat"))
    assert labels.of(FILES, "coco.json")[0, :, 4].tolist() == [1, 2]
    with pytest.raises(DataError, match="dog"):
        read_coco(coco(tmp_path / "coco.json"), ("cat",))


@pytest.mark.parametrize(
    "broken",
    [
        *({"images": []}, {"categories": []}, {"annotations": [{"image_id": 3}]}, {"images": "a"}),
        {"images": [{"id": 3, "width": 80, "height": 40}]},
        *({"annotations": [CROWD | {"iscrowd": value}]} for value in ("*", [1], {"a": 1}, None, 2, 0.5)),
    ],
)
def test_coco_json_that_says_too_little_is_refused(tmp_path, broken):
    with pytest.raises(DataError):
        read_coco(coco(tmp_path / "coco.json", **broken))


def test_a_picture_that_the_labels_do_not_know_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"knows nothing of c\.png"):
        read_coco(coco(tmp_path / "coco.json")).of(("a.png", "c.png"), "coco.json")


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")])
def test_labels_that_do_not_end_are_refused_at_once(tmp_path, make):
    make(tmp_path / "a.txt")
    for read in (lambda: read_coco(tmp_path / "a.txt"), lambda: read_yolo(tmp_path, FILES)):
        with pytest.raises(DataError, match="not a regular file"):
            read()


def test_an_object_is_one_or_a_crowd():
    labels = np.array(SHARES)
    labels[0, 0, 5] = 2
    with pytest.raises(ConfigError, match="neither 0 nor 1"):
        as_objects(labels, Detection())


def test_yolo_text_files(tmp_path):
    (tmp_path / "a.txt").write_text("1 0.2 0.3 0.2 0.4\n0 0.7 0.5 0.4 0.5\n")
    labels = read_yolo(tmp_path, FILES).of(FILES, "labels")
    wanted = np.array(SHARES)
    wanted[..., 5] = 0
    assert labels == pytest.approx(wanted)
    (tmp_path / "b.txt").write_text("1 0.2 0.3 0.2\n")
    with pytest.raises(DataError, match=r"b\.txt"):
        read_yolo(tmp_path, FILES)
    with pytest.raises(DataError, match="no object of any picture"):
        read_yolo(tmp_path / "elsewhere", FILES)


def test_arrays_in_any_format_become_objects():
    labels = np.array(SHARES)
    pixels = labels * [80, 40, 80, 40, 1, 1]
    pixels[1] = 0
    pixels[1, :, 4] = -1
    assert as_objects(labels, Detection(size=(40, 80))) == pytest.approx(pixels)
    assert as_objects(pixels, Detection(size=(40, 80), label_normalised=False)) == pytest.approx(pixels)
    sides = labels[..., :5].copy()
    sides[..., 2:4] -= sides[..., :2]
    wanted = labels.copy()
    wanted[..., 5] = 0
    assert as_objects(sides, Detection(label_form="xywh")) == pytest.approx(wanted)


def test_labels_that_cannot_be_what_is_said_are_refused():
    pixels = np.array(SHARES)[:1] * [80, 40, 80, 40, 1, 1]
    with pytest.raises(ConfigError, match="no shares"):
        as_objects(pixels, Detection(size=(40, 80)))
    with pytest.raises(ConfigError, match="end before they begin"):
        as_objects(np.array([[[0.5, 0.5, 0.1, 0.1, 0]]]), Detection())
    with pytest.raises(ConfigError, match="no class"):
        as_objects(np.array([[[0.1, 0.1, 0.5, 0.5, 0.5]]]), Detection())
    with pytest.raises(ConfigError, match="shape"):
        as_objects(np.zeros((4, 5)), Detection())


def test_lists_of_different_lengths_are_padded():
    found = padded([np.zeros((0, 5)), np.array([[0.1, 0.1, 0.2, 0.2, 3]])])
    assert found.shape == (2, 1, 6) and found[:, 0, 4].tolist() == [-1, 3]


def test_two_images_of_one_file_are_refused_since_the_objects_of_one_would_be_lost(tmp_path: Path) -> None:
    twice = [{"id": n, "file_name": "a.png", "width": 80, "height": 40} for n in (3, 7)]
    with pytest.raises(DataError, match=r"two images of the file a.png"):
        read_coco(coco(tmp_path / "twice.json", images=twice))


@pytest.mark.parametrize("line", ["1 0.2 0.3 0.2 0.4 0.9", "1 0.2 0.3 0.2"])
def test_lines_of_another_length_are_no_boxes(tmp_path: Path, line: str) -> None:
    (tmp_path / "a.txt").write_text(f"{line}\n" * 5)  # 5 × 6 numbers could be read as 6 boxes
    with pytest.raises(DataError, match=r"lines have [46] numbers"):
        read_yolo(tmp_path, ["a.png"])


@pytest.mark.parametrize("text", ["[" * 100_000, '{"images": 1e999}'])
def test_json_that_cannot_be_used_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "deep.json").write_text(text)
    with pytest.raises(DataError, match="cannot be read as COCO JSON"):
        read_coco(tmp_path / "deep.json")


def test_a_box_that_is_no_number_is_refused() -> None:
    labels = np.array([[[0.1, np.nan, 0.3, 0.5, 1.0]]])
    with pytest.raises(ConfigError, match="NaN or infinite"):
        as_objects(labels, Detection())


def test_a_class_whose_name_is_a_number_is_named_by_its_digits(tmp_path):
    categories = [{"id": 17, "name": 1}, {"id": 18, "name": "2"}]
    assert read_coco(coco(tmp_path / "coco.json", categories=categories)).names == ("1", "2")
