"""The Parquet tables of a run, derived from what came back: latency.parquet and samples.parquet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from harness.metrics.discrepancy import fields_of
from harness.records import Case, Round
from harness.records.terms import FLIP_KINDS
from harness.runs.table_files import body_note
from harness.support.files import replacing

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

PREDICTIONS = ("label", "baseline_prediction", "prediction")
OF_SOME_TASKS = {  # which only their runs have
    **dict.fromkeys(("baseline_error", "error", "differing"), pa.float32()),
    **dict.fromkeys(("objects", "baseline_detections", "detections", "lost", "won"), pa.int32()),
    **dict.fromkeys(("characters", "words"), pa.int32()),
    **dict.fromkeys(("moved", "box_iou", "class_agreement"), pa.float32()),
}
SAMPLES = {
    **dict.fromkeys(("variant", "target", "runtime"), pa.string()),
    **dict.fromkeys(("sample", *PREDICTIONS), pa.int32()),
    **dict.fromkeys(("baseline_correct", "correct", "flip"), pa.bool_()),
    "flip_kind": pa.string(),
    **dict.fromkeys(("max_abs_diff", "l2", "cosine", "js_divergence", "baseline_margin", "margin"), pa.float32()),
    "tie": pa.bool_(),
}
ROWS = 250_000  # written at a time
CONTENT, BODY = b"edge-harness content", b"edge-harness body"  # keys in a file's footer; table_files.py reads it


def write_latency(rounds: Sequence[Round], path: Path, content: bytes = b"") -> None:
    """content: what the file says that it was made from."""
    table = latency_table(rounds)
    write_parquet([table], table.schema, path, content)


def write_samples(
    samples: Mapping[Case, np.ndarray],
    path: Path,
    rows: int = ROWS,
    numbers: np.ndarray | None = None,
    content: bytes = b"",
) -> None:
    """Writes the samples, so many rows of a case at a time. content: what the file says that it was made from."""
    schema = samples_schema(list(samples.values()))
    write_parquet(sample_tables(samples, schema, rows, numbers), schema, path, content)


def sample_tables(
    samples: Mapping[Case, np.ndarray], schema: pa.Schema, rows: int = ROWS, numbers: np.ndarray | None = None
) -> Iterator[pa.Table]:
    """Yields the samples of these cases, so many rows of a case at a time.
    Columns that the task does not have are empty.

    schema: of samples_schema. numbers: of each sample, as Run has them.
    """
    for case, table in samples.items():
        for first in range(0, len(table), rows):
            some = table[first : first + rows]
            own = np.arange(first, first + len(some)) if numbers is None else numbers[first : first + len(some)]
            arrays = [column_of(field, case, some, own) for field in schema]
            yield pa.Table.from_arrays(arrays, schema=schema)


def samples_schema(tables: Sequence[np.ndarray]) -> pa.Schema:
    """Returns the columns of samples.parquet. Predictions are classes or numbers, as they come."""
    fields = tables[0].dtype.fields or {} if tables else {}
    predictions = {name: pa.from_numpy_dtype(fields[name][0]) for name in PREDICTIONS if name in fields}
    further = ((name, kind) for name, kind in OF_SOME_TASKS.items() if name in fields)
    return pa.schema([*(SAMPLES | predictions).items(), *further])


def column_of(field: pa.Field, case: Case, rows: np.ndarray, numbers: np.ndarray) -> pa.Array:
    """Returns one column of these rows. numbers: of these samples."""
    if field.name in ("variant", "target", "runtime"):
        return repeat_text(getattr(case, field.name), len(rows)).dictionary_decode()
    if field.name == "sample":
        return column(np.asarray(numbers)).cast(field.type)
    if field.name not in fields_of(rows):
        return no_values(field.type, len(rows))
    if field.name == "flip_kind":
        places = column(rows[field.name].astype(np.int32))
        return pa.DictionaryArray.from_arrays(places, words(FLIP_KINDS)).dictionary_decode()
    return column(rows[field.name]).cast(field.type)


def latency_table(rounds: Sequence[Round]) -> pa.Table:
    return pa.Table.from_batches(latency_batches(rounds), LATENCY_SCHEMA).unify_dictionaries()


def latency_batches(rounds: Sequence[Round]) -> Iterator[pa.RecordBatch]:
    """Yields a batch a round and phase; `index` counts the timings of the phase."""
    for round_ in rounds:
        for phase, timings in round_.timings.items():
            rows = len(timings)
            texts = [repeat_text(text, rows) for text in (round_.case.variant, round_.case.target, round_.case.runtime)]
            columns = [
                *texts,
                column(np.full(rows, round_.case.threads, np.int32)),
                column(np.full(rows, round_.index, np.int32)),
                repeat_text(phase, rows),
                column(np.arange(rows)),
                column(timings.count),
                column(timings.ns),
            ]
            yield pa.RecordBatch.from_arrays(columns, schema=LATENCY_SCHEMA)


def repeat_text(text: str, rows: int) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(column(np.zeros(rows, np.int32)), words([text]))


def column(values: np.ndarray) -> pa.Array:
    """Returns a column over the array's own memory. pyarrow.array() would load pandas first, for half a second."""
    packed = np.packbits(values, bitorder="little") if values.dtype == bool else np.ascontiguousarray(values)
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), len(values), [None, pa.py_buffer(packed)])


def no_values(kind: pa.DataType, rows: int) -> pa.Array:
    empty = [pa.py_buffer(bytes(8 * rows + 8))] * kind.num_buffers  # every value is absent; 8 bytes hold any
    return pa.Array.from_buffers(kind, rows, empty)


def words(texts: Sequence[str]) -> pa.Array:
    """Returns a column of texts, as column() does of numbers."""
    letters = [text.encode() for text in texts]
    ends = np.cumsum([0, *map(len, letters)], dtype=np.int32)
    return pa.Array.from_buffers(pa.string(), len(texts), [None, pa.py_buffer(ends), pa.py_buffer(b"".join(letters))])


def write_parquet(tables: Iterable[pa.Table], schema: pa.Schema, path: Path, content: bytes) -> None:
    schema = schema.with_metadata({CONTENT: content})
    with replacing(path) as part, pq.ParquetWriter(part, schema, compression="zstd") as writer:
        for table in tables:
            writer.write_table(table)
        writer.add_key_value_metadata({BODY: body_note(part, part.stat().st_size)})
