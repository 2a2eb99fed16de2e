"""detection/coco_points.py: COCO JSON of keypoints beside images, judged as faster-coco-eval judges the same file."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faster_coco_eval import COCO, COCOeval_faster
from PIL import Image

from harness.data.kinds import load
from harness.data.source import DataSource
from harness.detection.coco_points import read_coco_points, read_skeleton
from harness.detection.points import as_keypoints, check_skeleton, checked_points
from harness.errors import ConfigError, DataError
from harness.experiment.experiment_file import read_experiment
from harness.metrics.keypoints import oks_ap, oks_ar
from harness.metrics.registry import Answers
from harness.records import Dataset, Keypoints

COUNT, POINTS, SIZE = 40, 17, (60, 80)
RNG = np.random.default_rng(4)
PLACES = RNG.uniform(5, 55, (COUNT, POINTS, 2)).round(2)
SEEN = RNG.integers(0, 3, (COUNT, POINTS))
SAID = np.concatenate([PLACES + RNG.normal(0, 1.5, PLACES.shape), RNG.random((COUNT, POINTS, 1))], axis=2)
SAID = SAID.astype(np.float32)
HOW = Keypoints(SIZE)


def annotation(n: int, **further: object) -> dict[str, Any]:
    rows = np.column_stack([PLACES[n], SEEN[n]])
    common = {"id": n + 1, "image_id": n + 1, "category_id": 1, "iscrowd": 0, "bbox": [0, 0, 80, 60]}
    counted = {"num_keypoints": int((SEEN[n] > 0).sum()), "area": 300.0 + 40 * n}
    return common | {"keypoints": rows.ravel().tolist()} | counted | further


def content() -> dict[str, Any]:
    """One object a picture, one of which has no labelled point; beside one stands a crowd."""
    images = [{"id": n + 1, "file_name": f"{n:03}.png", "width": 80, "height": 60} for n in range(COUNT)]
    nothing = annotation(7, num_keypoints=0, keypoints=[0] * (3 * POINTS))
    each = [nothing if n == 7 else annotation(n) for n in range(COUNT)]
    crowd = annotation(0, id=100, iscrowd=1)
    names = [str(n) for n in range(POINTS)]
    kinds = [{"id": 1, "name": "person", "keypoints": names, "skeleton": [[1, 2]]}]
    return {"images": images, "annotations": [*each, crowd], "categories": kinds}


def written(folder: Path, given: dict[str, Any]) -> Path:
    path = folder / "points.json"
    path.write_text(json.dumps(given))
    return path


def loaded(folder: Path) -> Dataset:
    (folder / "images").mkdir()
    for image in content()["images"]:
        Image.new("L", (80, 60)).save(folder / "images" / image["file_name"])
    written(folder, content())
    return load(DataSource("e", "images", None, folder, points="points.json"))


def cocos(without: int) -> tuple[float, float]:
    """AP and AR of the same file; of the picture without a labelled point no answer is given."""
    found = [
        {"image_id": n + 1, "category_id": 1, "score": float(SAID[n, :, 2].astype(float).mean())}
        | {"keypoints": SAID[n].astype(float).ravel().tolist()}
        for n in range(COUNT)
        if n != without
    ]
    truth = COCO(content())
    coco = COCOeval_faster(truth, truth.loadRes(found), "keypoints", print_function=lambda *_: None)
    coco.evaluate()
    coco.accumulate()
    coco.summarize()
    return coco.stats[0], coco.stats[5]


def test_ap_and_ar_are_those_of_faster_coco_eval_on_the_file(tmp_path):
    dataset = loaded(tmp_path)
    assert dataset.test_labels is not None and dataset.test_labels.shape == (COUNT, POINTS, 4)
    labels = as_keypoints(dataset.test_labels, HOW)
    assert not labels[7, :, 2].any()
    answers = Answers(labels, SAID, SAID, keypoints=HOW)
    ap, ar = cocos(without=7)
    assert 0.2 < ap < 0.95
    assert (oks_ap(answers).value, oks_ar(answers).value) == (pytest.approx(ap, rel=1e-9), pytest.approx(ar, rel=1e-9))


def test_points_are_shares_of_their_own_image_and_areas_of_it(tmp_path):
    given = content()
    given["images"][3] |= {"width": 160, "height": 120}
    (rows,) = read_coco_points(written(tmp_path, given)).of(["003.png"], "points.json")
    assert rows[:, :2] == pytest.approx(PLACES[3] / (160, 120))
    assert rows[:, 3] == pytest.approx((300 + 40 * 3) / (160 * 120)) and rows[:, 2].tolist() == SEEN[3].tolist()


def test_without_areas_labels_have_none(tmp_path):
    given = content()
    for each in given["annotations"]:
        del each["area"]
    assert read_coco_points(written(tmp_path, given)).of(["000.png"], "p").shape == (1, POINTS, 3)


def two_people(given: dict[str, Any]) -> None:
    given["annotations"].append(annotation(1, id=77))


def one_area_missing(given: dict[str, Any]) -> None:
    del given["annotations"][5]["area"]


def fewer_points(given: dict[str, Any]) -> None:
    given["annotations"][5]["keypoints"] = given["annotations"][5]["keypoints"][:30]


def boxes_alone(given: dict[str, Any]) -> None:
    for each in given["annotations"]:
        del each["keypoints"]


def half_a_point(given: dict[str, Any]) -> None:
    given["annotations"][5]["keypoints"] = [1, 2]


def no_crowd_and_no_object(given: dict[str, Any]) -> None:
    given["annotations"][5]["iscrowd"] = "0"


def unknown_image(given: dict[str, Any]) -> None:
    given["annotations"][5]["image_id"] = 999


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        (two_people, "has 2 objects with points on 001.png"),
        (one_area_missing, "has an area of 38 of 39 objects"),
        (fewer_points, "different numbers of points"),
        (boxes_alone, "no object with a labelled point"),
        (half_a_point, "cannot be read as COCO JSON of keypoints"),
        (no_crowd_and_no_object, "iscrowd is 0, and must be 0 or 1"),
        (unknown_image, "cannot be read as COCO JSON of keypoints"),
    ],
)
def test_what_is_no_such_file_is_refused(tmp_path, broken, told):
    given = content()
    broken(given)
    with pytest.raises(DataError, match=told) as caught:
        read_coco_points(written(tmp_path, given))
    assert caught.value.advice


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")])
def test_a_file_that_does_not_end_is_refused_at_once(tmp_path, make):
    make(tmp_path / "points.json")
    with pytest.raises(DataError, match="not a regular file"):
        read_coco_points(tmp_path / "points.json")


def test_a_picture_that_the_labels_do_not_know_is_refused(tmp_path):
    with pytest.raises(DataError, match="knows nothing of cat"):
        read_coco_points(written(tmp_path, content())).of(["cat.png"], "points.json")


def test_the_skeleton_of_the_file_counts_from_1_and_ours_from_0(tmp_path: Path) -> None:
    assert read_skeleton(written(tmp_path, content())) == ((0, 1),)
    (tmp_path / "experiment.toml").write_text(
        'name = "e"\n[model]\nsource = "m:m"\n[data]\ntest = "images"\npoints = "points.json"\n'
        "[keypoints]\nsize = [60, 80]\n"
    )
    how = read_experiment(tmp_path / "experiment.toml").scoring.keypoints
    assert how is not None and how.skeleton == ((0, 1),)
    for nothing in (tmp_path / "nowhere.json", written(tmp_path, content() | {"categories": []})):
        assert read_skeleton(nothing) == ()


def test_a_line_to_a_point_that_is_not_there_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"skeleton has the line \[1, 1\]"):
        checked_points(Keypoints((60, 80), skeleton=((1, 1),)), "here")
    with pytest.raises(ConfigError, match="skeleton names point 17, and there are 17"):
        check_skeleton(Keypoints((60, 80), skeleton=((15, 17),)), 17)
