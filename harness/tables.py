"""The Parquet tables of a run, derived from what came back: latency.parquet and samples.parquet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from harness.records import Comparison, Round

LATENCY_SCHEMA = pa.schema(
    [
        *((name, pa.dictionary(pa.int32(), pa.string())) for name in ("variant", "target", "runtime")),
        ("threads", pa.int32()),
        ("round", pa.int32()),
        ("phase", pa.dictionary(pa.int32(), pa.string())),
        ("index", pa.int64()),
        ("count", pa.int64()),
        ("ns", pa.int64()),
    ]
)

TEXT = ("variant", "target", "runtime")
PREDICTIONS = ("label", "baseline_prediction", "prediction")
ERRORS = ("baseline_error", "error")  # of numbers alone
SAMPLES = {
    **dict.fromkeys(TEXT, pa.string()),
    **dict.fromkeys(("sample", *PREDICTIONS), pa.int32()),
    **dict.fromkeys(("baseline_correct", "correct", "flip"), pa.bool_()),
    "flip_kind": pa.string(),
    **dict.fromkeys(("max_abs_diff", "l2", "cosine", "js_divergence", "baseline_margin", "margin"), pa.float32()),
    "tie": pa.bool_(),
}
ROWS = 250_000  # written at a time


def write_tables(comparison: Comparison, folder: Path) -> None:
    """latency.parquet, every timing of the rounds that count; samples.parquet, a row a sample × variant × target ×
    runtime."""
    counted = [piece for piece in comparison.run.rounds if piece.counts]
    write_parquet(latency_table(counted), folder / "latency.parquet")
    write_samples(comparison.samples, folder / "samples.parquet")


def write_samples(samples: pd.DataFrame, path: Path) -> None:
    """A stretch of rows at a time. Columns that the task does not have are there, and empty."""
    schema, part = samples_schema(samples), path.with_name(f".{path.name}.part")
    with pq.ParquetWriter(part, schema, compression="zstd") as writer:
        for first in range(0, len(samples), ROWS):
            rows = samples.iloc[first : first + ROWS]
            arrays = [column_of(rows, field) for field in schema]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
    part.replace(path)


def samples_schema(samples: pd.DataFrame) -> pa.Schema:
    """Predictions are classes or numbers, as they come."""
    fields = [pa.field(name, type_of(samples, name, kind)) for name, kind in SAMPLES.items()]
    return pa.schema([*fields, *(pa.field(n, pa.float32()) for n in ERRORS if n in samples)])


def type_of(samples: pd.DataFrame, name: str, kind: pa.DataType) -> pa.DataType:
    return pa.from_numpy_dtype(samples[name].dtype) if name in PREDICTIONS and name in samples else kind


def column_of(rows: pd.DataFrame, field: pa.Field) -> pa.Array:
    if field.name not in rows:
        return pa.nulls(len(rows), field.type)
    return pa.array(rows[field.name], from_pandas=False).cast(field.type)


def latency_table(rounds: Sequence[Round]) -> pa.Table:
    return pa.Table.from_batches(latency_batches(rounds), LATENCY_SCHEMA).unify_dictionaries()


def latency_batches(rounds: Sequence[Round]) -> Iterator[pa.RecordBatch]:
    """One batch a round and phase; `index` counts the timings of the phase."""
    for piece in rounds:
        for phase, timings in piece.timings.items():
            rows = len(timings)
            texts = [repeated(text, rows) for text in (piece.case.variant, piece.case.target, piece.case.runtime)]
            columns = [
                *texts,
                pa.array(np.full(rows, piece.case.threads, np.int32)),
                pa.array(np.full(rows, piece.index, np.int32)),
                repeated(phase, rows),
                pa.array(np.arange(rows)),
                pa.array(timings[:, 0]),
                pa.array(timings[:, 1]),
            ]
            yield pa.RecordBatch.from_arrays(columns, schema=LATENCY_SCHEMA)


def repeated(text: str, rows: int) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array([text]))


def write_parquet(table: pa.Table, path: Path) -> None:
    part = path.with_name(f".{path.name}.part")
    pq.write_table(table, part, compression="zstd")
    part.replace(path)
