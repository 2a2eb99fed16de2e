"""[data] of an experiment.toml, and one half of it, which a kind of data is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from harness.errors import DataError

T = TypeVar("T")


@dataclass(frozen=True)
class DataSource:
    """[data] of an experiment.toml."""

    name: str  # the experiment's
    test: str  # a path relative to `folder`, or "package.module:function"
    calibration: str | None
    folder: Path
    scale: float | dict[str, float] = 1.0  # one number for every input, or by the input's name
    offset: float | dict[str, float] = 0.0
    labels: tuple[str, ...] = ()  # the names of the classes
    labels_by_output: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # those of an output by its name
    size: tuple[int, int] | None = None  # (height, width) that images are resized to
    color: str | None = None  # of images
    label: str | dict[str, str] | None = None  # the column or array of labels, or one for each output by its name
    boxes: str | None = None  # of images: a COCO JSON file, or a folder of YOLO text files
    points: str | None = None  # of images: a COCO JSON file of keypoints
    features: tuple[str, ...] = ()  # a table's columns of inputs
    output: str = ""  # the name of the scored output, by which labels may be given
    sequence: str | None = None  # what tells the clips apart: an array, a column, a key, or of images "folder"
    group: str | None = None  # the same of samples that belong together
    query: str | None = None  # the same of embeddings, which samples ask the others
    pairs: str | None = None  # a file of the pairs that are verified

    @property
    def objects(self) -> str | None:
        """What says where objects, or the points of one, are on images."""
        return self.boxes or self.points

    @property
    def marks(self) -> dict[str, str]:
        """The names of the marks "clips", "groups" and "queries", of those that were asked for."""
        named = {"clips": self.sequence, "groups": self.group, "queries": self.query}
        return {mark: name for mark, name in named.items() if name}


@dataclass(frozen=True)
class Split:
    """The test or the calibration samples of a source."""

    source: DataSource
    name: str  # "test" or "calibration"
    where: str  # as the user wrote it

    @property
    def path(self) -> Path:
        return self.source.folder / Path(self.where).expanduser()


def scored_first(by_output: Mapping[str, T], output: str) -> dict[str, T]:
    """Returns labels that are given by the names of outputs, those of the scored one first: where none is named, the
    first that is given is scored. Raises DataError.
    """
    first = output or next(iter(by_output), "")
    if first in by_output:
        return {first: by_output[first], **by_output}
    message = f"the labels are of the outputs {', '.join(by_output) or 'of no name'}"
    scored = f", and {output} is scored" if output else ""
    raise DataError(message + scored, f'say which is scored: output = "{next(iter(by_output), "")}" under [metrics]')
