"""Labels of pictures as people have them → objects: float64 (pictures, M, 6), x1, y1, x2, y2, class, crowd.

arrays          (pictures, M, 5): a box and its class, −1 where there is none; a sixth column says what is a crowd
COCO JSON       images, annotations (bbox as x, y, w, h in pixels, category_id, iscrowd), categories
YOLO text       a file a picture, beside it or in another folder, a line an object: class, cx, cy, w, h, in shares
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.detection.boxes import as_corners
from harness.errors import ConfigError, DataError, Unreadable
from harness.records import Detection
from harness.support.foreign import parse_json, read_bytes, read_text

COLUMNS = 6
ANNOTATED_BYTES = 2 << 30  # of a COCO JSON file; that of COCO's 118,287 pictures has 0.5 GB
# What reading a file raises that holds other things than COCO JSON does.
NOT_COCO = (OSError, LookupError, ArithmeticError, ValueError, TypeError, AttributeError, Unreadable)
FAR_OUTSIDE = 1.5  # shares of a picture: labels that lie there are no shares


@dataclass(frozen=True)
class Annotated:
    """The objects of pictures by the name of their file, in shares of width and height. names: of the classes."""

    objects: dict[str, np.ndarray]
    names: tuple[str, ...] = ()

    def of(self, files: Sequence[str], where: str) -> np.ndarray:
        """Returns the objects of these pictures. Raises DataError for a picture that the labels do not know."""
        if missing := [file for file in files if file not in self.objects]:
            message = f"{where} knows nothing of {missing[0]}, nor of {len(missing) - 1} others"
            raise DataError(message, "a picture without an object needs to be named in it, too; or remove the picture")
        return padded([self.objects[file] for file in files])


def padded(each: Sequence[np.ndarray]) -> np.ndarray:
    """Returns one array of the objects of each picture, (objects, 5 or 6) each."""
    found = np.zeros((len(each), max([1, *map(len, each)]), COLUMNS))
    found[..., 4] = -1
    for rows, objects in zip(found, each, strict=True):
        if len(objects):
            table = np.asarray(objects, np.float64)
            rows[: len(table), : table.shape[1]] = table
    return found


def read_coco(path: Path, names: tuple[str, ...] = ()) -> Annotated:
    """Reads COCO JSON. names: of the classes in the order of the model's; () for the categories in order of their id.

    Raises DataError.
    """
    try:
        content: Any = parse_json(read_bytes(path, ANNOTATED_BYTES))
        images = {each["id"]: each for each in content["images"]}
        files = [str(each["file_name"]) for each in images.values()]
        categories = {
            each["id"]: str(each["name"]) for each in sorted(content["categories"], key=lambda each: each["id"])
        }
        names = names or tuple(categories.values())
        places = {name: n for n, name in enumerate(names)}
        classes = {key: places[name] for key, name in categories.items()}
        objects: dict[int, list[list[float]]] = {key: [] for key in images}
        for each in content["annotations"]:
            image = images[each["image_id"]]
            x, y, w, h = each["bbox"]
            box = [x / image["width"], y / image["height"], (x + w) / image["width"], (y + h) / image["height"]]
            row = [*box, classes[each["category_id"]], is_crowd(each)]
            objects[each["image_id"]].append(list(map(float, row)))
    except NOT_COCO as error:
        message = f"{path} cannot be read as COCO JSON: {type(error).__name__}: {error}"
        advice = "it needs images (id, file_name, width, height), annotations (image_id, category_id, bbox) and"
        raise DataError(message, f"{advice} categories, each of them named by [data] labels where those are") from error
    if len(set(files)) < len(files):
        twice = next(name for name in files if files.count(name) > 1)
        raise DataError(f"{path} has two images of the file {twice}", "give each file one image, with all its objects")
    by_file = {file: np.array(rows).reshape(-1, COLUMNS) for file, rows in zip(files, objects.values(), strict=True)}
    return Annotated(by_file, names)


def is_crowd(annotation: dict[str, Any]) -> bool:
    """What COCO's iscrowd says. Raises ValueError for what is neither 0 nor 1: it would count as a crowd."""
    value = annotation.get("iscrowd", 0)
    if value not in (0, 1):
        raise ValueError(f"iscrowd is {str(value)[:40]}, and must be 0 or 1")
    return bool(value)


def read_yolo(folder: Path, files: Sequence[str]) -> Annotated:
    """Reads YOLO text files: that of a/cat.jpg is a/cat.txt; one that is not there means no object.

    Raises DataError.
    """
    objects = {file: yolo_file(folder / Path(file).with_suffix(".txt")) for file in files}
    if not any(map(len, objects.values())):
        raise DataError(f"{folder} holds no object of any picture", "a text file has the name of its picture")
    return Annotated(objects)


def yolo_file(path: Path) -> np.ndarray:
    if not path.exists():
        return np.zeros((0, COLUMNS))
    try:
        rows = np.array([line.split() for line in read_text(path).splitlines() if line.strip()], np.float64)
        if rows.size and rows.shape[1:] != (5,):
            raise ValueError(f"its lines have {rows.shape[-1]} numbers")
        rows = rows.reshape(-1, 5)
    except (OSError, ValueError, Unreadable) as error:
        message = f"{path} cannot be read: {error}"
        raise DataError(message, "each line is class cx cy w h, in shares of the picture") from error
    return np.column_stack([as_corners(rows[:, 1:], "cxcywh"), rows[:, 0], np.zeros(len(rows))])


def as_objects(labels: np.ndarray, how: Detection) -> np.ndarray:
    """Returns labels, (pictures, M, 5 or more), as objects in the units of the detections. Raises ConfigError."""
    if labels.ndim != 3 or labels.shape[2] < 5:
        message = f"the labels have shape {('samples', *labels.shape[1:])}"
        raise ConfigError(message, "labels of boxes are (samples, objects, 5): four numbers of the box, and its class")
    found = np.zeros((*labels.shape[:2], COLUMNS))
    found[..., :4], found[..., 4] = as_corners(labels[..., :4].astype(np.float64), how.label_form), labels[..., 4]
    found[..., 5] = labels[..., 5] if labels.shape[2] > 5 else 0
    there = found[..., 4] >= 0
    check(found[there], how)
    if how.size and how.label_normalised:
        found[..., :4] *= np.array([how.size[1], how.size[0]] * 2)
    found[~there] = (0, 0, 0, 0, -1, 0)
    return found


def check(objects: np.ndarray, how: Detection) -> None:
    """Raises ConfigError for boxes that cannot be what [detection] says. objects: (objects, 6)."""
    advice = "say what they are under [detection]: label_format, and label_normalised = false for pixels"
    if not np.isfinite(objects).all():
        raise ConfigError("some boxes of the labels are NaN or infinite", "a row without an object has the class -1")
    if (objects[:, 4] != np.floor(objects[:, 4])).any():
        raise ConfigError("the fifth number of some labels is no class", "labels are rows of a box and its class")
    if not np.isin(objects[:, 5], (0, 1)).all():
        raise ConfigError(
            "the sixth number of some labels is neither 0 nor 1", "1 is a crowd; leave it out without crowds"
        )
    if wrong := int(((objects[:, 2] < objects[:, 0]) | (objects[:, 3] < objects[:, 1])).sum()):
        raise ConfigError(f"{wrong} of {len(objects)} boxes of the labels end before they begin", advice)
    if how.label_normalised and len(objects) and np.median(objects[:, :4].max(axis=1)) > FAR_OUTSIDE:
        raise ConfigError(f"the boxes of the labels reach {objects[:, :4].max():g}: they are no shares", advice)
