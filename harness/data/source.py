"""[data] of an experiment.toml, and one half of it, which a kind of data is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class DataSource:
    """[data] of an experiment.toml. test, calibration: a path relative to `folder`, or "package.module:function".

    scale, offset: one number for every input, or by the input's name. size: (height, width) that images are brought to.
    label, features: columns of a table. output: the name of the scored output, which labels may be given by.
    """

    name: str
    test: str
    calibration: str | None
    folder: Path
    scale: float | dict[str, float] = 1.0
    offset: float | dict[str, float] = 0.0
    labels: tuple[str, ...] = ()
    size: tuple[int, int] | None = None
    color: str | None = None
    label: str | None = None
    features: tuple[str, ...] = ()
    output: str = ""


@dataclass(frozen=True)
class Split:
    """The "test" or the "calibration" samples of a source; where: as the user wrote it."""

    source: DataSource
    name: str
    where: str

    @property
    def path(self) -> Path:
        return self.source.folder / Path(self.where).expanduser()
