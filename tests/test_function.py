"""Functions of the user's: they are written to a file here, and called in a process of their own."""

from __future__ import annotations

import os
import re
from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest

from harness.data import function
from harness.data.kinds import load
from harness.data.on_disk import SamplesWriter, read_samples, write_about
from harness.errors import ConfigError, DataError
from tests.data_sources import own_cache as own_cache
from tests.data_sources import source

BATCHES = """
    import numpy as np

    def labelled():
        for n in range(4):
            yield np.full((10, 3), n, np.float32), np.full(10, n % 2)

    def several():
        return {"image": np.ones((5, 4), np.uint8), "tokens": np.arange(5)}, [1, 0, 1, 0, 1]

    def by_output():
        return np.ones((3, 2), np.float32), {"main": [0, 1, 1], "aux": [1, 0, 0]}
"""


def written(folder: Path, text: str, name: str = "mine") -> None:
    (folder / f"{name}.py").write_text(dedent(text))


def test_a_generator_of_batches(tmp_path):
    written(tmp_path, BATCHES)
    dataset = load(source(tmp_path, "mine:labelled"))
    assert np.array_equal(dataset.test_inputs[0], np.repeat(np.arange(4, dtype=np.float32), 10)[:, None].repeat(3, 1))
    assert isinstance(dataset.test_inputs[0], np.memmap)
    assert np.array_equal(dataset.test_labels, np.repeat([0, 1, 0, 1], 10))
    assert dataset.class_names == ("0", "1")


def test_a_dict_of_inputs_and_lists(tmp_path):
    written(tmp_path, BATCHES)
    dataset = load(source(tmp_path, "mine:several", "mine:several", scale={"image": 0.5}))
    assert dataset.input_names == ("image", "tokens")
    assert [array.dtype for array in dataset.test_inputs] == [np.uint8, np.int64]
    assert dataset.test_labels.tolist() == dataset.train_labels.tolist() == [1, 0, 1, 0, 1]


def test_labels_by_the_names_of_outputs_are_those_of_the_scored_one(tmp_path):
    written(tmp_path, BATCHES)
    found = load(source(tmp_path, "mine:by_output", "mine:by_output", output="main"))
    assert found.test_labels.tolist() == found.train_labels.tolist() == [0, 1, 1]
    assert [(name, head.labels.tolist()) for name, head in found.heads.items()] == [("aux", [1, 0, 0])]
    with pytest.raises(DataError, match="labels are of the outputs main, aux, and size is scored") as caught:
        load(source(tmp_path, "mine:by_output", output="size"))
    assert 'output = "main"' in caught.value.advice
    first = load(source(tmp_path, "mine:by_output"))  # the first that is given
    assert (first.labels_of, first.test_labels.tolist(), list(first.heads)) == ("main", [0, 1, 1], ["aux"])


def test_it_runs_elsewhere_and_what_it_prints_goes_to_a_log(tmp_path, own_cache, capfd):
    written(tmp_path, "import os\ndef pid():\n    print('hello')\n    return [[[float(os.getpid())]], [[1.0]]]\n")
    dataset = load(source(tmp_path, "mine:pid"))
    assert dataset.test_inputs[0][0] != os.getpid()
    assert dataset.test_inputs[0][1] == 1
    assert "hello" in (own_cache / "functions.log").read_text()
    assert "hello" not in "".join(capfd.readouterr())


def test_it_may_import_what_stands_beside_it_when_it_is_called(tmp_path):
    written(tmp_path, "def x():\n    import beside\n    yield from beside.batches\n")
    written(tmp_path, "batches = [[[1.5]], [[2.5]]]\n", "beside")
    assert load(source(tmp_path, "mine:x")).test_inputs[0].tolist() == [[1.5], [2.5]]


def test_it_is_called_again_only_where_its_source_changes(tmp_path):
    count = tmp_path / "count"
    text = f"import numpy as np\ndef x():\n    open({str(count)!r}, 'a').write('.')\n    return np.ones((2, 2))\n"
    written(tmp_path, text)
    written(tmp_path, "", "other")
    load(source(tmp_path, "mine:x"))
    load(source(tmp_path, "mine:x", scale=0.5))
    assert count.read_text() == "."
    written(tmp_path, "# changed", "other")  # which mine.py may import
    load(source(tmp_path, "mine:x"))
    assert count.read_text() == ".."
    load(source(tmp_path, "mine:x"), fresh=True)
    assert count.read_text() == "..."


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("raise ValueError('no such camera')", "mine:f failed: ValueError: no such camera"),
        ("import sys; sys.exit(3)", "mine:f failed: SystemExit: 3"),
        ("import os; os._exit(9)", "mine:f crashed its process"),
        ("return 1 / 0", "mine:f failed: ZeroDivisionError"),
    ],
)
def test_errors_come_back_in_their_own_words(tmp_path, own_cache, body, message):
    written(tmp_path, f"def f():\n    {body}\n")
    with pytest.raises(DataError, match=re.escape(message)) as caught:
        load(source(tmp_path, "mine:f"))
    assert str(own_cache / "functions.log") in caught.value.advice + str(caught.value)
    assert not list((own_cache / "datasets").iterdir())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import nowhere_to_be_found", "needs nowhere_to_be_found"),
        ("def g(): ...", "has no function f"),
        ("raise RuntimeError('at home')", "RuntimeError: at home"),
    ],
)
def test_a_module_that_cannot_be_used_is_told(tmp_path, text, message):
    written(tmp_path, text)
    with pytest.raises(ConfigError, match=message):
        load(source(tmp_path, "mine:f"))


def test_a_module_that_is_not_there_is_told(tmp_path):
    with pytest.raises(ConfigError, match="no module nothing for nothing:f"):
        load(source(tmp_path, "nothing:f"))


# What a function may give, without a process for each


def given(tmp_path: Path, value: object) -> tuple[np.ndarray, ...]:
    (tmp_path / "out").mkdir()
    with SamplesWriter(tmp_path / "out") as writer:
        for batch in function.batches(value):
            inputs, labels = function.arrays(batch)
            writer.add(inputs, labels)
    write_about(tmp_path / "out", writer.names)
    samples = read_samples(tmp_path / "out")
    return samples.inputs if samples.labels is None else (*samples.inputs, samples.labels)


class Tensor:
    """As TensorFlow's and PyTorch's: numpy takes it for an array."""

    def __init__(self, values: object) -> None:
        self.values = np.asarray(values)

    def __array__(self, dtype: object = None, copy: object = None) -> np.ndarray:
        return self.values


ONES = np.ones((2, 3), np.float32)


@pytest.mark.parametrize(
    ("value", "shapes"),
    [
        (ONES, [(2, 3)]),
        ((ONES, [0, 1]), [(2, 3), (2,)]),
        ((ONES, None), [(2, 3)]),
        ([ONES, ONES, ONES[:1]], [(5, 3)]),
        ([(Tensor(ONES), Tensor([1, 2]))] * 3, [(6, 3), (6,)]),
        ({"a": ONES, "b": Tensor([[1.5], [2.5]])}, [(2, 3), (2, 1)]),
        ([({"a": ONES, "b": ONES}, [0, 1]), ({"b": ONES, "a": ONES}, [0, 1])], [(4, 3), (4, 3), (4,)]),
    ],
)
def test_what_counts_as_batches(tmp_path, value, shapes):
    assert [array.shape for array in given(tmp_path, value)] == shapes


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (7, "it returned int, which holds no batches"),
        ((ONES, [0, 1], [1.0, 1.0]), "a batch is a tuple of 3"),
        ((ONES, [0, 1, 2]), r"arrays of different lengths: \[2, 3\]"),
        ([ONES, ONES[:, :2]], r"sample 2 is float32 of shape \(2,\), those before it are float32 of shape \(3,\)"),
        ([ONES, ONES.astype(np.float64)], "sample 2 is float64"),
        ([{"a": ONES}, {"b": ONES}], "a batch has the inputs b, those before it a"),
        ([(ONES, [0, 1]), ONES], "some batches have labels and some have none"),
        ((ONES, ["cat", "dog"]), "dtype <U3"),
        ([np.float32(3)], r"shape \(\)"),
    ],
)
def test_batches_that_cannot_be_used_are_refused(tmp_path, value, message):
    with pytest.raises(DataError, match=message) as caught:
        given(tmp_path, value)
    assert caught.value.advice


def test_no_batches_are_told(tmp_path):
    written(tmp_path, "def f():\n    return []\n")
    with pytest.raises(DataError, match="mine:f gave no batches"):
        load(source(tmp_path, "mine:f"))


TENSORFLOW = """
    import numpy as np
    import tensorflow as tf

    def dataset():
        x = {"image": np.arange(40, dtype=np.uint8).reshape(10, 4), "size": np.linspace(0, 1, 10, dtype=np.float32)}
        return tf.data.Dataset.from_tensor_slices((x, np.eye(2, dtype=np.float32)[np.arange(10) % 2])).batch(4)
"""


@pytest.mark.slow
def test_a_tf_dataset(tmp_path):
    written(tmp_path, TENSORFLOW)
    dataset = load(source(tmp_path, "mine:dataset"))
    assert dataset.input_names == ("image", "size")
    assert np.array_equal(dataset.test_inputs[0], np.arange(40).reshape(10, 4))
    assert dataset.test_inputs[1].dtype == np.float32
    assert dataset.test_labels.tolist() == [0, 1] * 5  # from one-hot rows
