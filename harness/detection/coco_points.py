"""COCO JSON of keypoints → labels of the one object of each picture, as [keypoints] takes them.

An annotation has keypoints (x, y, visibility of each point, in pixels), area, num_keypoints, iscrowd. As COCO's own
evaluation does, one without a labelled point, and a crowd, are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.detection.objects import ANNOTATED_BYTES, NOT_COCO, is_crowd
from harness.errors import DataError, Unreadable
from harness.support.foreign import parse_json, read_bytes

FORM = "it needs images (id, file_name, width, height) and annotations (image_id, keypoints: x, y, v of each point)"


@dataclass(frozen=True)
class AnnotatedPoints:
    """points: by the name of a picture's file, (points, 3 or 4): x and y in shares of width and height, visibility, and
    where the file says it the object's area as a share of the picture.
    """

    points: dict[str, np.ndarray]

    def of(self, files: Sequence[str], where: str) -> np.ndarray:
        """Returns the points of these pictures. Raises DataError for a picture that the labels do not know."""
        if missing := [file for file in files if file not in self.points]:
            message = f"{where} knows nothing of {missing[0]}, nor of {len(missing) - 1} others"
            raise DataError(message, "a picture without an object needs to be named in it, too; or remove the picture")
        return np.stack([self.points[file] for file in files])


def read_coco_points(path: Path) -> AnnotatedPoints:
    """Raises DataError where it cannot be read, where two objects of an image have points, and where objects differ in
    what is said of them.
    """
    try:
        content: Any = parse_json(read_bytes(path, ANNOTATED_BYTES))
        images = {each["id"]: each for each in content["images"]}
        known = [(each, rows_of(each)) for each in content["annotations"]]
        counted = [(each, rows) for each, rows in known if counts(each, rows)]
        areas = [each["area"] for each, _ in counted if "area" in each]
        found = {each["image_id"]: of_object(rows, each, images[each["image_id"]]) for each, rows in counted}
        files = {key: str(image["file_name"]) for key, image in images.items()}
    except NOT_COCO as error:
        message = f"{path} cannot be read as COCO JSON of keypoints: {type(error).__name__}: {error}"
        raise DataError(message, FORM) from error
    if not counted:
        raise DataError(f"{path} has no object with a labelled point", FORM)
    if len(found) < len(counted):
        keys = [each["image_id"] for each, _ in counted]
        twice = next(key for key in keys if keys.count(key) > 1)
        message = f"{path} has {keys.count(twice)} objects with points on {files[twice]}"
        raise DataError(message, "[keypoints] is of one object a picture: cut out a picture for each object")
    if len({len(rows) for rows in found.values()}) > 1:
        raise DataError(f"{path} has objects with different numbers of points", "all need the same, in the same order")
    if areas and len(areas) < len(counted):
        advice = "give every object its area, or none: [keypoints] area is then of all"
        raise DataError(f"{path} has an area of {len(areas)} of {len(counted)} objects", advice)
    if len(set(files.values())) < len(files):
        raise DataError(f"{path} has two images of one file", "give each file one image")
    nothing = np.zeros_like(next(iter(found.values())))
    width = slice(None) if areas else slice(3)
    return AnnotatedPoints({file: found.get(key, nothing)[:, width] for key, file in files.items()})


def read_skeleton(path: Path) -> tuple[tuple[int, int], ...]:
    """Returns the lines between points, counted from 0, of the first kind of object that has some; () where the file
    gives none, or cannot be read, which is said where its points are.
    """
    try:
        kinds: Any = parse_json(read_bytes(path, ANNOTATED_BYTES))["categories"]
        lines: Any = next((kind["skeleton"] for kind in kinds if kind.get("skeleton")), [])
        return tuple((int(one) - 1, int(other) - 1) for one, other in lines)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, Unreadable):
        return ()


def rows_of(annotation: dict[str, Any]) -> np.ndarray:
    return np.array(annotation.get("keypoints") or [], np.float64).reshape(-1, 3)


def counts(annotation: dict[str, Any], rows: np.ndarray) -> bool:
    """Returns whether COCO counts it: it is no crowd, and num_keypoints, or the visibilities, name a labelled point."""
    return not is_crowd(annotation) and annotation.get("num_keypoints", 1) > 0 and bool((rows[:, 2] > 0).any())


def of_object(rows: np.ndarray, annotation: dict[str, Any], image: dict[str, Any]) -> np.ndarray:
    """Returns the points of one object, (points, 4), in shares of the picture."""
    width, height = float(image["width"]), float(image["height"])
    area = np.full(len(rows), float(annotation.get("area", 0)) / (width * height))
    return np.column_stack([rows[:, 0] / width, rows[:, 1] / height, rows[:, 2], area])
