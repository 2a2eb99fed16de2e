"""The Parquet tables of a run, derived from what came back: latency.parquet and samples.parquet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
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


def write_tables(comparison: Comparison, folder: Path) -> None:
    """latency.parquet, every timing of every round; samples.parquet, one row a sample × variant × target × runtime."""
    write_parquet(latency_table(comparison.run.rounds), folder / "latency.parquet")
    write_parquet(pa.Table.from_pandas(comparison.samples, preserve_index=False), folder / "samples.parquet")


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
