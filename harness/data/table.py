"""A CSV or Parquet file: a column of labels, and features that become one float32 array (samples, features).

The labels are in the column that [data] label names, or in one for each output that it names, else in one named
`label`, else there are none. The features are the columns that [data] features names, in its order, else all others as
the file has them but those that sequence and group name. In a CSV file only an empty cell is a missing one: "NA" and
"None" are text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.data.on_disk import LABELS, SamplesWriter, head_file, mark_file, write_about
from harness.data.source import Split, scored_first
from harness.errors import ConfigError, DataError, HarnessError
from harness.support.arrays import write_npy
from harness.support.cache import file_sha256, key_of, version
from harness.support.files import check_disk
from harness.support.format import nearest

if TYPE_CHECKING:  # slow to load, and every experiment comes past here
    import pandas as pd

SAID = "a CSV or Parquet file"
OPTIONS: tuple[str, ...] = ("label", "features")
DEFAULT_LABEL = "label"
ROWS = 20_000  # at a time
WHOLE = re.compile(r"[+-]?\d+")
NUMBER = re.compile(r"-?\d*\.\d+")  # 5.1 is not the name of a column; 5 may be one of pandas'


def fits(split: Split) -> bool:
    return split.path.suffix.lower() in (".csv", ".parquet", ".pq")


def key(split: Split) -> str:
    source, versions = split.source, [version(name) for name in ("pandas", "pyarrow", "numpy")]
    scored = source.output if isinstance(source.label, dict) else ""
    options = (split.name, source.label, scored, source.features, source.marks)
    return key_of("table", *options, file_sha256(split.path), split.path.suffix, versions)


def write(split: Split, folder: Path) -> None:
    import pandas as pd

    labelled, features = columns(split, header(split))
    check_single(split, [*features, *labelled.values()])
    labels: dict[str, list[pd.Series]] = {name: [] for name in labelled.values()}
    marks = marks_of(split)
    marked: dict[str, list[pd.Series]] = {mark: [] for mark in marks}
    row = 0
    with SamplesWriter(folder) as writer:
        for frame in frames(split, tuple(labels), features, tuple(marks.values())):
            writer.add({"x": numbers(split, frame[list(features)], row)})
            for name, parts in labels.items():
                parts.append(frame[name])
            for mark, name in marks.items():
                marked[mark].append(frame[name])
            row += len(frame)
    if row == 0:
        raise DataError(f"{split.where} has no rows", "give at least one sample")
    with reading(split):  # pandas decodes a text when it is asked for it
        arrays = {}
        for n, name in enumerate(labelled.values()):
            file = head_file(folder, n - 1) if n else folder / LABELS
            arrays[file] = label_array(split, name, pd.concat(labels[name], ignore_index=True))
        for mark, parts in marked.items():
            whole = pd.concat(parts, ignore_index=True)
            arrays[mark_file(folder, mark)] = mark_array(split, marks[mark], whole)
    for path, array in arrays.items():
        write_npy(path, array)
    write_about(folder, writer.names, columns=features, labelled=tuple(output for output in labelled if output))


def check_single(split: Split, names: Sequence[str]) -> None:
    """Raises DataError where a cell of one of these columns of a Parquet file holds several values."""
    if split.path.suffix.lower() == ".csv":
        return
    import pyarrow as pa
    import pyarrow.parquet as pq

    with reading(split):
        schema = pq.read_schema(split.path)
    for name in names:
        if pa.types.is_nested(schema.field(name).type):
            message = f"{split.where}: each cell of column {name!r} holds several values ({schema.field(name).type})"
            raise DataError(message, "give each number a column of its own, or store the samples as an .npz file")


def marks_of(split: Split) -> dict[str, str]:
    """Returns the columns that tell clips and groups apart; of calibration samples those that there are."""
    names = header(split)
    return {mark: name for mark, name in split.source.marks.items() if split.name == "test" or name in names}


def columns(split: Split, names: list[str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Returns the columns of labels by their output, the scored one first ("" where it is not named; calibration needs
    no others), and those of the features. Raises DataError where one is missing.
    """
    source = split.source
    by_output = source.label if isinstance(source.label, dict) else {}
    given = None if isinstance(source.label, dict) else source.label
    plain = given or (None if DEFAULT_LABEL in source.features else DEFAULT_LABEL)
    labelled = scored_first(by_output, source.output) if by_output else {"": plain} if plain else {}
    for label in labelled.values():
        if label in source.features:
            raise ConfigError(f"[data] {label!r} is both the label and one of the features", "remove it from features")
    marks = tuple(source.marks.values())
    if both := next((name for name in marks if name in (*labelled.values(), *source.features)), None):
        message = f"[data] {both!r} is a label or a feature, and tells clips or groups apart too"
        raise ConfigError(message, "remove it from the features, or give the clips a column of their own")
    asked = [
        *source.features,
        *([*(labelled.values() if source.label else []), *marks] if split.name == "test" else []),
    ]
    for name in asked:
        if name not in names:
            raise DataError(f"{split.where} has no column {name!r}", nearest(name, names, "the columns are"))
    taken = (*labelled.values(), *marks)
    features = source.features or tuple(name for name in names if name not in taken)
    if not features:
        raise DataError(
            f"{split.where} has no columns but {', '.join(map(repr, taken))}",
            "put the features into columns of their own",
        )
    if nameless := [name for name in features if name.startswith("Unnamed: ")]:
        advice = "it looks like an index: write the file with index=False, or name the [data] features"
        raise DataError(f"{split.where}: column {int(nameless[0][9:]) + 1} has no name", advice)
    present = {output: name for output, name in labelled.items() if name in names}
    return present if split.name == "test" else dict([*present.items()][:1]), features


@contextmanager
def reading(split: Split) -> Iterator[None]:
    """Turns errors of pandas and pyarrow, which raise whatever a file leads to, into DataErrors of the file."""
    try:
        yield
    except HarnessError:
        raise
    except Exception as error:
        check_disk(error)
        raise DataError(f"{split.where} cannot be read: {error}", "fix the file, or write it again") from error


def header(split: Split) -> list[str]:
    import pandas as pd
    import pyarrow.parquet as pq

    with reading(split):
        if split.path.suffix.lower() == ".csv":
            names = [str(name) for name in pd.read_csv(split.path, nrows=0, skipinitialspace=True).columns]
            if any(NUMBER.fullmatch(name) for name in names):
                advice = "the first row must name the columns: label, and one name a feature"
                raise DataError(f"{split.where} has no header: its first row holds numbers", advice)
            return names
        names = pq.read_schema(split.path).names
        return [name for name in names if not name.startswith("__index_level_")]  # pandas' own


def frames(
    split: Split, labels: tuple[str, ...], features: tuple[str, ...], marks: tuple[str, ...]
) -> Iterator[pd.DataFrame]:
    """Yields the rows, some at a time; labels and marks of a CSV file as text, since their kind is not known before
    its end.
    """
    import pandas as pd
    import pyarrow.parquet as pq

    texts = list(dict.fromkeys([*labels, *marks]))
    asked = [*features, *texts]
    with reading(split):
        if split.path.suffix.lower() == ".csv":
            with pd.read_csv(
                split.path,
                usecols=asked,
                dtype=dict.fromkeys(texts, str),
                keep_default_na=False,
                na_values=[""],
                skipinitialspace=True,
                chunksize=ROWS,
                low_memory=False,
            ) as chunks:
                yield from (chunk for chunk in chunks if len(chunk))
        else:
            with pq.ParquetFile(split.path) as file:
                yield from (batch.to_pandas()[asked] for batch in file.iter_batches(ROWS, columns=asked))


def numbers(split: Split, frame: pd.DataFrame, first_row: int) -> np.ndarray:
    """Returns float32 (rows, features). Raises DataError that names the first cell of a column that is not a number."""
    import pandas as pd

    array = np.empty(frame.shape, np.float32)
    for n, (name, column) in enumerate(frame.items()):
        array[:, n] = as_numbers(column)
        bad = ~np.isfinite(array[:, n])
        if bad.any():
            row = int(bad.argmax())
            cell = column.iloc[row]
            problem = "is empty" if pd.isna(cell) else f"holds {repr(cell) if isinstance(cell, str) else cell}"
            where = f"{split.where}: column {str(name)!r}, row {first_row + row + 1}"
            raise DataError(
                f"{where} {problem}", "features must be finite float32 numbers; [data] features names the columns"
            )
    return array


def as_numbers(column: pd.Series) -> np.ndarray:
    """Returns float32, NaN where a cell is not a number;
    a column of text is all NaN, even where it looks like numbers.
    """
    import pandas as pd

    if is_number(column):
        with np.errstate(over="ignore"):
            return column.to_numpy(np.float32, na_value=np.nan)
    parsed = pd.to_numeric(column.astype(str), errors="coerce").to_numpy(np.float32)
    return parsed if np.isnan(parsed).any() else np.full_like(parsed, np.nan)


def label_array(split: Split, name: str, labels: pd.Series) -> np.ndarray:
    """Returns numbers where all labels are, else text. name: their column's. Raises DataError for a row without one."""
    import pandas as pd

    if labels.isna().any():
        row = int(labels.isna().to_numpy().argmax()) + 1
        where = f" in column {name!r}" if isinstance(split.source.label, dict) else ""
        raise DataError(f"{split.where}: row {row} has no label{where}", "give it one, or leave the row out")
    if split.path.suffix.lower() == ".csv":
        labels = labels if is_text(labels) else pd.to_numeric(labels)
    return labels.to_numpy() if is_number(labels) else labels.to_numpy().astype(np.str_)


def mark_array(split: Split, name: str, cells: pd.Series) -> np.ndarray:
    """Returns what tells clips or groups apart. Raises DataError for an empty cell."""
    if cells.isna().any():
        row = int(cells.isna().to_numpy().argmax()) + 1
        raise DataError(f"{split.where}: column {name!r}, row {row} is empty", "say of every row which it belongs to")
    return cells.to_numpy() if is_number(cells) else cells.to_numpy().astype(np.str_)


def is_number(column: pd.Series) -> bool:
    """Returns whether its cells are numbers or truth values."""
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    return bool(is_numeric_dtype(column) or is_bool_dtype(column))


def is_text(labels: pd.Series) -> bool:
    """Returns whether a CSV file's labels are text:
    some are not numbers, or are whole numbers in an unusual form: 01 is another class than 1.
    """
    import pandas as pd

    parsed = pd.to_numeric(labels, errors="coerce")
    if parsed.isna().any():
        return True
    plain = labels.str.removeprefix("+")
    return bool(labels.str.fullmatch(WHOLE).all() and (plain != parsed.astype(str)).any())
