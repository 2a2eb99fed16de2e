"""[data] of an experiment.toml, and one half of it, which a kind of data is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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
    size: tuple[int, int] | None = None  # (height, width) that images are resized to
    color: str | None = None  # of images
    label: str | dict[str, str] | None = None  # the column or array of labels, or one for each output by its name
    features: tuple[str, ...] = ()  # a table's columns of inputs
    output: str = ""  # the name of the scored output, by which labels may be given
    sequence: str | None = None  # what tells the clips apart: an array, a column, a key, or of images "folder"
    group: str | None = None  # the same of samples that belong together

    @property
    def marks(self) -> dict[str, str]:
        """The name of the mark "clips" and of "groups", of those that were asked for."""
        named = {"clips": self.sequence, "groups": self.group}
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


def of_scored(by_output: Mapping[str, T], output: str) -> tuple[str, T]:
    """Returns the name of the scored output and its labels, of labels that are given by the names of outputs. Where no
    output is named, the labels of a single one are its. Raises DataError.
    """
    if output in by_output:
        return output, by_output[output]
    if len(by_output) == 1 and not output:
        return next(iter(by_output.items()))
    message = f"the labels are of the outputs {', '.join(by_output) or 'of no name'}"
    scored = f", and {output} is scored" if output else ""
    raise DataError(message + scored, f'say which is scored: output = "{next(iter(by_output), "")}" under [metrics]')
