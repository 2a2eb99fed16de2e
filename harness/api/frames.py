"""The tables of a run as pandas DataFrames: what their files hold, column by column and value by value."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import pandas as pd

    from harness.records import Case, Comparison, Run

TEXTS = (  # columns that are text, whatever a name looks like: a runtime's version 2.14 is no number
    *("experiment", "run_id", "target", "board", "runtime", "runtime_version", "variant", "status", "reason"),
    *("primary_metric", "metric", "unit", "better", "against", "method", "output"),
)


def of_csv(text: str) -> pd.DataFrame:
    """The file as a frame: its numbers exactly, and NaN where it is empty."""
    import pandas as pd

    types = dict.fromkeys(TEXTS, "str")
    return pd.read_csv(StringIO(text), dtype=types, keep_default_na=False, na_values=[""], float_precision="round_trip")


def summary(comparison: Comparison) -> pd.DataFrame:
    """summary.csv: one row a variant × target × runtime × threads."""
    from harness.report import render
    from harness.report.material import Material

    return of_csv(render(Material(comparison), "csv"))


def metrics(comparison: Comparison) -> pd.DataFrame:
    """metrics.csv: one row a case × metric, and of several outputs an output."""
    from harness.report.out.csv_tables import metrics_csv

    return of_csv(metrics_csv(comparison))


def latency(run: Run) -> pd.DataFrame:
    """latency.parquet: one row a timing of the rounds that count; `ns` is of `count` invokes."""
    from harness.runs.parquet import latency_table
    from harness.runs.table_files import counted

    frame: pd.DataFrame = latency_table(counted(run)).to_pandas()
    return frame


def samples(tables: Mapping[Case, np.ndarray], numbers: np.ndarray | None) -> pd.DataFrame:
    """samples.parquet: one row a sample × variant × target × runtime. numbers: of the samples, as Run has them."""
    import pyarrow as pa

    from harness.runs.parquet import sample_tables, samples_schema

    schema = samples_schema(list(tables.values()))
    every = sample_tables(tables, schema, numbers=numbers)
    frame: pd.DataFrame = pa.concat_tables([schema.empty_table(), *every]).to_pandas()
    return frame
