"""A folder of images, read as keras.utils.image_dataset_from_directory reads it, so that a model's accuracy is the one
its owner knows.

Each folder in it is a class, sorted by name or in the order of [data] labels; a folder without subfolders is a set
without labels. `size` is reached by bilinear interpolation between the four nearest pixels, without antialiasing and
without keeping the aspect ratio. An EXIF orientation is ignored, transparency dropped, 16 bits are cut to their upper
eight. Two things differ from Keras: pixels are rounded to uint8, as a camera gives them; and JPEG is decoded with
libjpeg's accurate transform, where Keras uses its fast one: on average that is one or two levels in 255.

[data] boxes names where the objects on the images are: a COCO JSON file, or a folder of YOLO text files. Folders are no
classes then. A picture is resized to `size` as a whole, and its boxes with it. [data] points names the points of one
object on each image in the same way: a COCO JSON file of keypoints.

[data] sequence and group are "folder" here: the folder that an image lies in, below that of its class, is its clip or
group; folders of one name in several classes are several clips, but one group.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from harness.data.on_disk import LABELS, SamplesWriter, mark_file, write_about
from harness.data.source import Split
from harness.detection.coco_points import read_coco_points
from harness.detection.objects import read_coco, read_yolo
from harness.errors import ConfigError, DataError
from harness.support.arrays import write_npy
from harness.support.cache import file_sha256, key_of, version
from harness.support.format import nearest

SAID = "a folder of images"
OPTIONS: tuple[str, ...] = ("size", "color", "boxes", "points")
SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png")  # what Keras takes; other files are skipped
BY_FOLDER = "folder"
MODES = {"rgb": "RGB", "bgr": "RGB", "grayscale": "L"}


def fits(split: Split) -> bool:
    return split.path.is_dir()


def key(split: Split) -> str:
    source, (classes, images) = split.source, find(split)
    contents = [(image.relative_to(split.path), label, file_sha256(image)) for image, label in images]
    options = (source.size, source.color, source.marks, split.name, objects_key(split, [image for image, _ in images]))
    return key_of("folder", contents, classes, options, version("pillow"), version("numpy"))


def write(split: Split, folder: Path) -> None:
    classes, images = find(split)
    with SamplesWriter(folder) as writer:
        shape, first = None, images[0][0]
        for image, label in images:
            pixels = decode(image, split.source.color or "rgb", split.source.size)
            if pixels.shape != (shape := shape or pixels.shape):
                raise of_several_sizes(split, first, shape, image, pixels.shape)
            writer.add({"x": pixels[np.newaxis]}, np.array([label]) if classes else None)
    paths = [image for image, _ in images]
    for mark in marks_for(split, paths, classes):
        write_npy(mark_file(folder, mark), np.array(marks_of(split, mark, paths, classes)))
    if split.source.objects and split.name == "test":
        labels, classes = objects_of(split, [image for image, _ in images])
        write_npy(folder / LABELS, labels)
    write_about(folder, writer.names, class_names=() if split.source.objects and split.name != "test" else classes)


def objects_of(split: Split, images: list[Path]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Returns the objects on the test images, or the points of one, and the names of classes. Raises ConfigError,
    DataError.
    """
    place = where_objects_are(split)
    files = [image.relative_to(split.path).as_posix() for image in images]
    if split.source.points:
        return read_coco_points(place).of(files, split.source.points), ()
    found = read_yolo(place, files) if place.is_dir() else read_coco(place, split.source.labels)
    return found.of(files, str(split.source.boxes)), found.names or split.source.labels


def where_objects_are(split: Split) -> Path:
    place = split.source.folder / Path(str(split.source.objects)).expanduser()
    if not place.exists():
        option = "boxes" if split.source.boxes else "points"
        message = f"[data] {option}: there is no {split.source.objects} in {split.source.folder}"
        raise ConfigError(message, "paths are relative to the experiment.toml")
    return place


def objects_key(split: Split, images: list[Path]) -> object:
    """Returns what the objects depend on; "" where there are none."""
    if not split.source.objects or split.name != "test":
        return bool(split.source.objects)
    place = where_objects_are(split)
    if not place.is_dir():
        return file_sha256(place), bool(split.source.points)
    texts = [(place / image.relative_to(split.path)).with_suffix(".txt") for image in images]
    return [file_sha256(text) if text.exists() else "" for text in texts]


def marks_of(split: Split, mark: str, images: list[Path], classes: tuple[str, ...]) -> list[str]:
    """Returns the clip or group of each image, or whether it is a query. Raises ConfigError, and DataError for an image
    that is in none.
    """
    if (written := split.source.marks[mark]) != BY_FOLDER:
        option = {"clips": "sequence", "groups": "group"}.get(mark, "query")
        advice = f'write {option} = "{BY_FOLDER}": the folder that an image lies in, below that of its class'
        raise ConfigError(f"[data] {option}: {written!r} is nothing in a folder of images", advice)
    found = [image.parent.relative_to(split.path).parts for image in images]
    if loose := next((i for i, parts in zip(images, found, strict=True) if len(parts) < (2 if classes else 1)), None):
        message = f"{split.where}: {loose.relative_to(split.path)} lies in no folder of a clip or group"
        raise DataError(
            message, "put images that belong together into a folder of their own, below that of their class"
        )
    return ["/".join(parts if mark == "clips" else parts[1:]) for parts in found]


def marks_for(split: Split, images: list[Path], classes: tuple[str, ...]) -> list[str]:
    """Returns which marks these images have: calibration samples those that folders give to each of them."""
    if split.name == "test":
        return [*split.source.marks]
    inside = all(len(image.parent.relative_to(split.path).parts) > bool(classes) for image in images)
    return [mark for mark, written in split.source.marks.items() if inside and written == BY_FOLDER]


def find(split: Split) -> tuple[tuple[str, ...], list[tuple[Path, int]]]:
    """Returns the class names, and the images with their class, class by class; no names for a flat folder."""
    if split.source.objects:
        every = [(image, 0) for image in images_below(split.path)]
        if not every:
            raise DataError(f"{split.where} holds no images", f"their names must end in {', '.join(SUFFIXES)}")
        return (), every
    folders = sorted(p.name for p in split.path.iterdir() if p.is_dir() and not p.name.startswith("."))
    for name in folders:
        check_text(split, name)
    filled = {name: images for name in folders if (images := list(images_below(split.path / name)))}
    if not filled:
        flat = [(path, 0) for path in sorted(split.path.iterdir()) if path.name.lower().endswith(SUFFIXES)]
        if not flat:
            raise DataError(f"{split.where} holds no images", f"their names must end in {', '.join(SUFFIXES)}")
        return (), flat
    classes = split.source.labels or tuple(folders)
    for name in filled:
        if name not in classes:
            advice = nearest(name, classes, "[data] labels names the class folders in order; the classes are")
            raise DataError(f"{split.where}: {name} is not one of the classes", advice)
    return classes, [(image, n) for n, name in enumerate(classes) for image in filled.get(name, [])]


def check_text(split: Split, name: str) -> None:
    """Raises DataError for a class that no report could name."""
    try:
        name.encode()
    except UnicodeEncodeError as error:
        message = f"{split.where}: the name of class folder {os.fsencode(name)!r} is not UTF-8"
        raise DataError(message, "rename the folder") from error


def images_below(folder: Path) -> Iterator[Path]:
    """Yields every image in the folder and below it, folder by folder in the order of their names."""
    for root, _, names in sorted(os.walk(folder)):
        yield from (Path(root, name) for name in sorted(names) if name.lower().endswith(SUFFIXES))


def decode(path: Path, color: str, size: tuple[int, int] | None) -> np.ndarray:
    """Returns the image as uint8 (height, width, channels). Raises DataError where it is not an image."""
    try:
        with Image.open(path) as image:
            if color == "grayscale":
                image.draft("L", None)  # the luma as a JPEG file stores it
            pixels = resize(eight_bits(image).convert(MODES[color]), size)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(f"{path} cannot be read as an image: {error}", "fix or remove it") from error
    return pixels[..., ::-1] if color == "bgr" else pixels


def eight_bits(image: Image.Image) -> Image.Image:
    """Returns the upper eight bits of 16-bit grey, where Pillow would clip at 255."""
    return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)) if image.mode.startswith("I") else image


def resize(image: Image.Image, size: tuple[int, int] | None) -> np.ndarray:
    """Resizes by sampling: Pillow's resize() would antialias;
    its transform() samples, and in float32 keeps fractions.
    """
    height, width = size or (image.height, image.width)
    if (height, width) != (image.height, image.width):
        whole = (0, 0, image.width, image.height)
        bands = [
            band.convert("F").transform((width, height), Image.Transform.EXTENT, whole, Image.Resampling.BILINEAR)
            for band in image.split()
        ]
        return np.rint(np.stack([np.asarray(band) for band in bands], axis=-1)).astype(np.uint8)
    return np.asarray(image).reshape(height, width, -1)


def of_several_sizes(split: Split, one: Path, shape: tuple, other: Path, other_shape: tuple) -> DataError:
    sizes = ", ".join(f"{path} is {s[1]} × {s[0]}" for path, s in ((one, shape), (other, other_shape)))
    return DataError(f"{split.where} holds images of several sizes: {sizes}", "write [data] size = [height, width]")
