"""CSV and Parquet files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from harness.data import table
from harness.data.kinds import load
from harness.data.source import Split
from harness.errors import ConfigError, DataError
from tests.data_sources import own_cache as own_cache
from tests.data_sources import source

FRAME = pd.DataFrame(
    {
        "age": [31, 47, 22, 65],
        "label": ["yes", "no", "no", "yes"],
        "height": [1.75, 1.6, 1.82, 1.7],
        "smoker": [True, False, False, True],
    }
)
FEATURES = np.array([[31, 1.75, 1], [47, 1.6, 0], [22, 1.82, 0], [65, 1.7, 1]], dtype=np.float32)
FORMATS = pytest.mark.parametrize("suffix", [".csv", ".parquet"])


def saved(folder: Path, name: str, frame: pd.DataFrame) -> str:
    if name.endswith(".csv"):
        frame.to_csv(folder / name, index=False)
    else:
        frame.to_parquet(folder / name)
    return name


@FORMATS
def test_the_column_label_and_all_others(tmp_path, suffix):
    dataset = load(source(tmp_path, saved(tmp_path, f"test{suffix}", FRAME)))
    (features,) = dataset.test_inputs
    assert features.dtype == np.float32
    assert np.array_equal(features, FEATURES)
    assert dataset.class_names == ("no", "yes")
    assert dataset.test_labels.tolist() == [1, 0, 0, 1]


@FORMATS
def test_columns_as_they_are_named(tmp_path, suffix):
    name = saved(tmp_path, f"test{suffix}", FRAME.drop(columns="label").assign(score=[0.5, 1, -2, 0]))
    dataset = load(source(tmp_path, name, label="score", features=("height", "age")))
    assert np.array_equal(dataset.test_inputs[0], FEATURES[:, [1, 0]])
    assert dataset.test_labels.tolist() == [0.5, 1, -2, 0]
    assert dataset.class_names == ()


@FORMATS
@pytest.mark.parametrize(
    ("labels", "numbers", "classes"),
    [
        ([0, 2, 1, 1], [0, 2, 1, 1], ("0", "1", "2")),
        ([0.5, 2, 1, 1], [0.5, 2, 1, 1], ()),
        ([-3.0, 2.0, 1.0, 1.0], [-3, 2, 1, 1], ()),
        (["NA", "None", "nan", "NA"], [0, 1, 2, 0], ("NA", "None", "nan")),
    ],
)
def test_kinds_of_labels(tmp_path, suffix, labels, numbers, classes):
    dataset = load(source(tmp_path, saved(tmp_path, f"test{suffix}", FRAME.assign(label=labels))))
    assert dataset.test_labels.tolist() == numbers
    assert dataset.class_names == classes


@FORMATS
def test_truth_as_a_label(tmp_path, suffix):
    dataset = load(source(tmp_path, saved(tmp_path, f"test{suffix}", FRAME), label="smoker", features=("age",)))
    assert dataset.test_labels.tolist() == [1, 0, 0, 1]
    assert dataset.class_names == (("False", "True") if suffix == ".csv" else ("0", "1"))


@FORMATS
def test_no_label_column_is_unlabelled(tmp_path, suffix):
    dataset = load(source(tmp_path, saved(tmp_path, f"test{suffix}", FRAME.drop(columns="label"))))
    assert (dataset.test_labels, dataset.class_names) == (None, ())


@FORMATS
def test_calibration_takes_the_columns_of_the_test_set_wherever_they_stand(tmp_path, suffix):
    test = saved(tmp_path, f"test{suffix}", FRAME)
    calibration = saved(tmp_path, f"more{suffix}", FRAME[["smoker", "height", "age"]].assign(other="x"))
    dataset = load(source(tmp_path, test, calibration))
    assert np.array_equal(dataset.train_inputs[0], FEATURES)
    assert dataset.train_labels is None


@FORMATS
def test_a_table_is_read_in_parts(tmp_path, suffix, monkeypatch):
    monkeypatch.setattr(table, "ROWS", 7)
    frame = pd.DataFrame({"a": np.arange(50) / 3, "label": [*range(48), 2.5, 1]})  # whole numbers, until row 49
    dataset = load(source(tmp_path, saved(tmp_path, f"test{suffix}", frame)))
    assert np.array_equal(dataset.test_inputs[0][:, 0], (np.arange(50) / 3).astype(np.float32))
    assert dataset.test_labels.tolist() == [*range(48), 2.5, 1]


@FORMATS
@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("age", "old", "column 'age', row 3 holds 'old'"),
        ("height", None, "column 'height', row 3 is empty"),
        ("height", np.inf, "column 'height', row 3 holds inf"),
        ("height", 1e300, "column 'height', row 3 holds 1e"),
        ("label", None, "row 3 has no label"),
    ],
)
def test_cells_that_cannot_be_used_are_told(tmp_path, suffix, column, value, message, monkeypatch):
    monkeypatch.setattr(table, "ROWS", 2)  # row 3 is the first of the second part
    frame = FRAME.astype({column: object})
    frame.loc[2, column] = value
    if column == "age" and suffix == ".parquet":
        frame["age"] = frame["age"].astype(str)
        message = "column 'age', row 1 holds '31'"  # a column of text, as a whole
    elif column == "height":
        frame["height"] = frame["height"].astype(float)
    with pytest.raises(DataError, match=message) as caught:
        load(source(tmp_path, saved(tmp_path, f"test{suffix}", frame)))
    assert caught.value.advice


@FORMATS
def test_dates_are_no_numbers(tmp_path, suffix):
    frame = FRAME.assign(age=pd.Timestamp("2020-01-31"))
    with pytest.raises(DataError, match=r"column 'age', row 1 holds '?2020-01-31"):
        load(source(tmp_path, saved(tmp_path, f"test{suffix}", frame)))


@FORMATS
@pytest.mark.parametrize(
    ("options", "message", "advice"),
    [
        ({"label": "lable"}, "has no column 'lable'", "did you mean label?"),
        ({"features": ("age", "heigth")}, "has no column 'heigth'", "did you mean height?"),
    ],
)
def test_a_column_that_is_not_there_is_told(tmp_path, suffix, options, message, advice):
    with pytest.raises(DataError, match=message) as caught:
        load(source(tmp_path, saved(tmp_path, f"test{suffix}", FRAME), **options))
    assert advice in caught.value.advice


def test_the_label_is_no_feature(tmp_path):
    with pytest.raises(ConfigError, match="'age' is both the label and one of the features"):
        load(source(tmp_path, saved(tmp_path, "test.csv", FRAME), label="age", features=("age", "height")))


def test_an_index_that_pandas_wrote_is_told(tmp_path):
    FRAME.to_csv(tmp_path / "test.csv")
    with pytest.raises(DataError, match="column 1 has no name") as caught:
        load(source(tmp_path, "test.csv"))
    assert "index=False" in caught.value.advice


def test_a_table_as_people_type_it(tmp_path):
    (tmp_path / "test.csv").write_text("\ufeffage, label\n31, yes\n47, no\n\n", "utf-8")
    dataset = load(source(tmp_path, "test.csv"))
    assert dataset.test_inputs[0].tolist() == [[31], [47]]
    assert dataset.test_labels.tolist() == [1, 0]


def test_columns_that_pandas_numbered(tmp_path):
    pd.DataFrame(np.eye(3)).to_csv(tmp_path / "test.csv", index=False)
    assert np.array_equal(load(source(tmp_path, "test.csv")).test_inputs[0], np.eye(3))


def test_an_index_in_a_parquet_file_is_no_feature(tmp_path):
    FRAME.set_index(pd.Index([7, 3, 5, 1])).to_parquet(tmp_path / "test.parquet")
    assert np.array_equal(load(source(tmp_path, "test.parquet")).test_inputs[0], FEATURES)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("test.csv", b"", "test.csv cannot be read"),
        ("test.csv", b"age,label\n", "test.csv has no rows"),
        ("test.csv", b"label\n1\n", "test.csv has no columns but 'label'"),
        ("test.csv", b'a,label\n1,2\n"3,4\n', "test.csv cannot be read"),
        ("test.csv", b"a,label\n\xff\xfe,2\n", "test.csv cannot be read"),
        ("test.csv", b"5.1,3.5,1.4,0.2,Iris-setosa\n4.9,3.0,1.4,0.2,Iris-setosa\n", "test.csv has no header"),
        ("test.parquet", b"PAR1", "test.parquet cannot be read"),
    ],
)
def test_broken_tables_are_told(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        load(source(tmp_path, name))


LABELS = [
    (["01", "1", "1"], "<U2", ["01", "1"]),  # two classes, not one
    (["007", "010", "010"], "<U3", ["007", "010"]),
    (["100000000000000000001", "100000000000000000002"] * 2, "<U21", None),  # the same float64
    (["0", "1", "+2", "10"], "int64", None),
    (["1.50", "02.5", "1e3"], "float64", None),  # numbers to predict, however they are written
    (["-1.0", "2", "03"], "float64", None),
]


@pytest.mark.parametrize(("written", "dtype", "names"), LABELS)
def test_labels_are_text_where_a_number_would_be_another_label(tmp_path, written, dtype, names):
    rows = "".join(f"1,{label}\n" for label in written)
    (tmp_path / "test.csv").write_text(f"age,label\n{rows}")
    split = Split(source(tmp_path, "test.csv"), "test", "test.csv")
    assert table.label_array(split, "label", pd.Series(written)).dtype == dtype
    if names:
        assert load(source(tmp_path, "test.csv")).class_names == tuple(names)


@pytest.mark.parametrize("label", ["label", "points"])
def test_cells_that_hold_several_values_are_told(tmp_path, label):
    several = pd.DataFrame({"age": [1, 2], "points": [[1.0, 2.0], [3.0]], "label": [0, 1]})
    several.to_parquet(tmp_path / "test.parquet")
    with pytest.raises(DataError, match="each cell of column 'points' holds several values") as caught:
        load(source(tmp_path, "test.parquet", label=label))
    assert "npz" in caught.value.advice
    dataset = load(source(tmp_path, "test.parquet", features=("age",)))  # where it is not asked for, it does not matter
    assert dataset.test_inputs[0].tolist() == [[1], [2]]


def test_columns_of_labels_are_known_by_the_names_of_outputs(tmp_path):
    frame = pd.DataFrame({"age": [1.0, 2.0], "kind": [0, 1], "weight": [0.5, 2.5]})
    label = {"kinds": "kind", "weights": "weight"}
    dataset = load(source(tmp_path, saved(tmp_path, "test.csv", frame), label=label, output="weights"))
    assert dataset.labels_of == "weights" and dataset.test_labels.tolist() == [0.5, 2.5]
    assert dataset.test_inputs[0].tolist() == [[1.0], [2.0]]
    both = load(source(tmp_path, "test.csv", label=label))
    assert (both.labels_of, both.test_labels.tolist(), both.class_names) == ("kinds", [0, 1], ("0", "1"))
    assert both.heads["weights"].labels.tolist() == [0.5, 2.5] and both.heads["weights"].class_names == ()


def test_a_row_without_a_label_of_one_output_is_refused(tmp_path):
    (tmp_path / "test.csv").write_text("a,kind,weight\n1,0,0.5\n2,1,\n")
    with pytest.raises(DataError, match="row 2 has no label in column 'weight'"):
        load(source(tmp_path, "test.csv", label={"kinds": "kind", "weights": "weight"}))
