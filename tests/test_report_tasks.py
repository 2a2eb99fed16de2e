"""Tables, words, page and terminal of runs that are no plain classification: numbers, no labels, a user's metric."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from harness.cli.tables.run_tables import summary_tables
from harness.compare.baseline import compare
from harness.compare.numbers import number_sample
from harness.compare.rows import rows
from harness.data.picture import drawable, picture_of, pictures_of
from harness.records import Change, Comparison, Declared, Run, Scoring
from harness.records.terms import Task
from harness.report import render, write_report
from harness.report.material import Material
from harness.report.metric import described
from harness.report.out.csv_tables import summary_csv
from harness.report.samples.one_sample import sample_text
from harness.report.tables.summary_table import tables
from harness.report.words.summary import headline, sentences
from harness.runs.parquet import write_samples
from harness.runs.table_files import write_tables
from tests.made_runs import case, timed
from tests.made_tasks import classes, numbers, regression, run_of

OF_CLASSES = ("label ", "ccuracy", "flip", "Flip", "class", "margin")


def page(comparison: Comparison, folder: Path, pictures: np.ndarray | None = None) -> str:
    return write_report(Material(comparison, pictures), folder).read_text()


def words(comparison: Comparison) -> dict[str, str]:
    return {s.topic: s.text for s in sentences(Material(comparison))}


def plain(*renderables: object) -> str:
    console = Console(file=io.StringIO(), width=140)
    console.print(*renderables)
    return console.file.getvalue()  # type: ignore[attr-defined]


def unlabelled_numbers() -> Comparison:
    _, keras, given = numbers(width=16)
    return compare(run_of("distance", None, keras, given))


def unlabelled_classes() -> Comparison:
    return compare(dataclasses.replace(classes(), task="agreement", labels=None))


@pytest.fixture(scope="module")
def numeric() -> Comparison:
    labels, keras, given = numbers(samples=1000)
    names = ("float32", "int8")
    rounds = [timed(case(n), i, [9000 + 50 * i] * 40) for n in names for i in range(6)]
    return compare(run_of("regression", labels, keras, given, Scoring("mae"), rounds=rounds, planned=6))


# --- the tables ----------------------------------------------------------------------------------------------------

PROMISED = {
    "variant", "target", "runtime", "sample", "label", "baseline_prediction", "prediction", "flip", "max_abs_diff",
    "js_divergence", "baseline_margin", "margin",
}  # fmt: skip


def test_samples_of_numbers_hold_numbers_and_classification_columns_are_empty(numeric: Comparison, tmp_path: Path):
    write_tables(numeric, tmp_path)
    frame = pd.read_parquet(tmp_path / "samples.parquet")
    assert set(frame.columns) >= PROMISED | {"l2", "cosine", "error", "baseline_error"}
    assert frame[["flip", "correct", "js_divergence", "margin", "tie", "flip_kind"]].isna().all().all()
    own = frame[frame.variant == "int8"].sort_values("sample")
    after, before = numeric.scores[case("int8")][:, 0], numeric.baseline[:, 0]
    assert own.prediction.tolist() == after.tolist() and own.baseline_prediction.tolist() == before.tolist()
    assert own.label.tolist() == numeric.run.labels.tolist()
    assert own.error.to_numpy() == pytest.approx(np.abs(after - numeric.run.labels), rel=1e-6)
    assert own.l2.to_numpy() == pytest.approx(np.abs(after - before), rel=1e-5, abs=1e-9)


def test_samples_without_labels_have_flips_and_an_empty_label(tmp_path: Path):
    write_tables(unlabelled_classes(), tmp_path)
    frame = pd.read_parquet(tmp_path / "samples.parquet")
    assert set(frame.columns) >= PROMISED
    assert frame.label.isna().all() and frame.flip.notna().all() and frame.flip.sum() > 0


@pytest.mark.parametrize("made", [classes, regression])
def test_texts_are_written_as_texts_in_stretches(made, tmp_path: Path):
    comparison = compare(made())
    write_samples(comparison.samples, tmp_path / "samples.parquet", rows=150)
    file = pq.ParquetFile(tmp_path / "samples.parquet")
    assert file.num_row_groups == 6 and str(file.schema_arrow.field("variant").type) == "string"
    assert file.metadata.num_rows == 800 == sum(map(len, comparison.samples.values()))


def test_a_sample_takes_few_bytes():
    """200,000 samples × 12 rows have to stay far under a gigabyte."""
    comparison = compare(classes(samples=5000))
    assert all(table.nbytes < 45 * 5000 for table in comparison.samples.values())


def test_the_summary_names_the_first_metric(numeric: Comparison):
    line = list(csv.DictReader(io.StringIO(summary_csv(rows(numeric)))))[1]
    mae = numeric.change(case("int8"), "mae")
    assert mae is not None
    assert line["primary_metric"] == "mae"
    assert (float(line["primary_value"]), float(line["primary_baseline"])) == (mae.value, mae.baseline)
    assert line["accuracy"] == line["flips"] == line["drop_low_pp"] == line["baseline_accuracy"] == ""
    assert line["samples"] == "1000" and float(line["max_abs_diff"]) > 0


@pytest.mark.parametrize("samples", [1, 3, 30])
@pytest.mark.parametrize("task", ["classes", "f1", "regression", "r2", "unlabelled", "distance"])
def test_a_value_never_stands_outside_its_own_interval(task: str, samples: int):
    """As a number, and as it is written in the summary: of runs that were made by chance, tiny ones among them."""
    for seed in (0, 3):
        comparison = compare(MADE[task](samples, seed))
        for change in comparison.changes:
            if change.value is not None and change.low is not None and change.high is not None:
                rounding = 1e-6 * abs(change.value)  # of float32, in which samples are kept
                assert change.low - rounding <= change.value <= change.high + rounding, change
        for table in tables(Material(comparison)):
            for cell in (cell for line in table.lines for cell in line.cells if " – " in cell.note):
                low, high = cell.note.split(" – ")
                assert as_number(low) <= as_number(cell.text) <= as_number(high)


def as_number(text: str) -> float:
    mantissa, _, power = text.replace("−", "-").replace(",", "").partition(" × 10")
    return float(mantissa) * 10.0 ** int(power.translate(str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")) or 0)


def made_numbers(task: Task, scoring: Scoring | None, samples: int, seed: int) -> Run:
    rng = np.random.default_rng(seed)
    keras = rng.normal(5, 2, (samples, 1)).astype(np.float32)
    given = {"float32": keras, "int8": (keras + rng.normal(0, 0.2, keras.shape)).astype(np.float32)}
    labels = keras[:, 0] + rng.normal(0, 1, samples).astype(np.float32)
    rounds = [timed(case(n), i, rng.integers(8_000, 12_000, 40).tolist()) for n in given for i in range(6)]
    return run_of(task, labels if task == "regression" else None, keras, given, scoring, rounds=rounds, planned=6)


MADE: dict[str, Callable[[int, int], Run]] = {
    "classes": lambda samples, seed: classes(samples=samples, seed=seed),
    "f1": lambda samples, seed: classes(Scoring("f1", ("ece", "balanced_accuracy")), samples=samples, seed=seed),
    "regression": partial(made_numbers, "regression", Scoring("mae", ("rmse",))),
    "r2": partial(made_numbers, "regression", Scoring("r2")),
    "unlabelled": lambda samples, seed: replace(classes(samples=samples, seed=seed), task="agreement", labels=None),
    "distance": partial(made_numbers, "distance", None),
}


# --- the words -----------------------------------------------------------------------------------------------------


def test_a_regression_is_told_by_its_error_and_how_far_it_moved(numeric: Comparison):
    mae, moved = (numeric.change(case("int8"), name) for name in ("mae", "mae_change"))
    assert mae and moved and mae.baseline
    percents = [100 * x / mae.baseline for x in (moved.value, moved.low, moved.high)]
    signed = [f"{'+' if p > 0 else '−'}{abs(p):.{1 if abs(p) >= 1 else 2}f}" for p in percents]
    told = words(numeric)["MAE"]
    assert f"int8: MAE {mae.value:.4f} against Keras' {mae.baseline:.4f}: {signed[0]} %" in told
    assert f"(90 % interval {signed[1]} to {signed[2]})" in told and "worse with ai-edge-litert" in told
    assert "No change of MAE is shown for float32" in told
    assert f"MAE {mae.baseline:.4f} to {mae.value:.4f} against Keras' {mae.baseline:.4f}" in headline(Material(numeric))
    assert "Accuracy" not in words(numeric) and "Flips" not in words(numeric)


def test_limits_that_are_numbers_of_numpy_are_told_like_others(numeric: Comparison):
    def of_numpy(change: Change) -> Change:
        if change.low is None or change.high is None:
            return change
        low, high = iter(np.asarray([change.low, change.high]))  # each is of numpy
        return replace(change, low=low, high=high)

    assert words(replace(numeric, changes=tuple(map(of_numpy, numeric.changes)))) == words(numeric)


def test_one_row_alone_says_it_in_the_headline():
    labels, keras, given = numbers()
    told = headline(Material(compare(run_of("regression", labels, keras, {"int8": given["int8"]}, Scoring("mae")))))
    assert "int8: MAE 0.2" in told and " % (90 % interval " in told


@pytest.mark.parametrize(("made", "topic"), [(unlabelled_numbers, "Distance"), (unlabelled_classes, "Agreement")])
def test_without_labels_it_is_told_how_near_keras_it_stays(made, topic: str):
    comparison = made()
    assert f"int8: {topic}" in words(comparison)[topic]
    assert "90 % interval" in words(comparison)[topic] and topic in headline(Material(comparison))


def test_another_metric_of_classes_stands_beside_the_accuracy(tmp_path: Path):
    comparison = compare(classes(Scoring("f1")))
    assert {"F1", "Accuracy"} <= set(words(comparison))
    said = page(comparison, tmp_path)
    assert "F1, latency and size" in said and ">Change<" in said and ">Drop<" in said


# --- the page and the terminal -------------------------------------------------------------------------------------


@pytest.mark.parametrize("made", [regression, unlabelled_numbers])
def test_the_page_of_numbers_has_no_word_of_classes(made, tmp_path: Path):
    comparison = made() if made is unlabelled_numbers else compare(made())
    text = page(comparison, tmp_path)
    body = text[text.index("<main>") : text.index("</main>")]
    assert not [word for word in OF_CLASSES if word in body.replace('class="', "").replace("true label", "")]
    assert "From Keras" in body
    assert not (tmp_path / "plots" / "margin.svg").exists() and (tmp_path / "plots" / "ecdf.svg").exists()
    assert (tmp_path / "plots" / "differences.svg").exists() == (made is regression)


def test_the_page_of_unlabelled_classes_has_flips_but_nothing_right_or_wrong(tmp_path: Path):
    pictures = np.zeros((400, 12, 12, 3), np.uint8)
    text = page(unlabelled_classes(), tmp_path, pictures)
    assert "True label" not in text and "label <strong>" not in text and 'class="good">a' not in text
    assert "The samples that moved most" in text and text.count('alt="Test sample') > 10
    assert (tmp_path / "plots" / "margin.svg").exists() and not (tmp_path / "plots" / "classes.svg").exists()


def test_the_terminal_shows_the_metric_in_accuracys_place(numeric: Comparison):
    console = Console(width=140)
    text = plain(*summary_tables(numeric, console))
    assert "MAE" in text and "Change" in text and "Accuracy" not in text and "Flips" not in text


@pytest.mark.parametrize(("made", "title"), [(unlabelled_numbers, "Distance"), (unlabelled_classes, "Agreement")])
def test_a_metric_that_has_no_change_shows_its_own_interval(made, title: str):
    (table,) = tables(Material(made()))
    place = [heading.title for heading in table.headings].index(title)
    assert table.headings[place].note == "90 %" and " – " in table.lines[1].cells[place].note
    assert "Change" not in [heading.title for heading in table.headings]


def test_a_sample_of_numbers_is_shown_with_its_values(numeric: Comparison):
    text = plain(sample_text(numeric, None, 7))
    sample = number_sample(numeric, 7)
    assert f"Sample 7, label {sample.label}" in text and "input: 0, 0, 0, 0, 0" in text
    assert all(one.text in text for one in sample.answers)
    apart = abs(float(numeric.scores[case("int8")][7, 0]) - float(numeric.baseline[7, 0]))
    assert next(o for o in sample.answers if o.variant == "int8").apart == pytest.approx(apart)
    assert "Furthest from Keras" in text


def test_a_number_that_keras_has_not_is_no_nearness_to_it() -> None:
    """A label that is NaN is not known, and what stands beside it is no error; an output that is NaN is one."""
    keras, own = np.array([[np.nan, 2, 3], [1, 2, 3]], np.float32), np.array([[1, 2, 3], [1, 2, 9]], np.float32)
    labels = np.array([[np.nan, 2, 6], [1, 2, 3]], np.float32)
    run = run_of("regression", labels, keras, {"int8": own}, Scoring("mae", holes=True, ignore=float("nan")))
    for index, apart, error in ((0, np.nan, 1.5), (1, 2.0, 2.0)):
        answer = number_sample(compare(run), index).answers[1]
        assert (answer.apart, answer.error) == pytest.approx((apart, error), nan_ok=True)


def test_a_sample_without_a_label_says_so():
    assert "Sample 3, without a label" in plain(sample_text(unlabelled_classes(), None, 3))


# --- pictures ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "dtype", "is_picture"),
    [
        ((5, 28, 28), np.uint8, True),
        ((5, 32, 32, 3), np.float32, True),
        ((5, 32, 32, 1), np.float32, True),
        ((5, 4, 4), np.uint8, True),
        ((5, 4, 4), np.float32, False),
        ((5, 128, 9), np.float32, False),  # a sequence
        ((5, 13), np.float32, False),
        ((5, 32, 32, 4), np.uint8, False),
        ((5, 2, 32, 32, 3), np.uint8, False),
        ((5,), np.float32, False),
    ],
)
def test_what_is_a_picture(shape: Sequence[int], dtype: type, is_picture: bool):
    array: np.ndarray = np.zeros(shape, dtype)
    assert drawable(array) == is_picture
    assert (picture_of(array, 0) is not None) == is_picture
    assert (pictures_of((np.zeros((5, 3)), array)) is array) == is_picture


@pytest.mark.parametrize(
    ("low", "high", "value", "byte"),
    [(0, 1, 0.5, 128), (-1, 1, 0.0, 128), (0, 255, 200, 200), (-2.0, 6.0, 2.0, 128), (0, 1, 1.0, 255)],
)
def test_numbers_of_any_range_become_brightness(low: float, high: float, value: float, byte: int):
    array = np.linspace(low, high, 4 * 16 * 16, dtype=np.float32).reshape(4, 16, 16)
    array[0, 0, 0] = value
    array[3, 15, 15], array[0, 0, 1] = high, low
    picture = picture_of(array, 0)
    assert picture is not None and picture.dtype == np.uint8 and picture[0, 0] == byte


def test_colours_stay_colours():
    array = np.zeros((2, 16, 16, 3), np.float32)
    array[1, :, :, 0], array[1, :, :, 1] = 1.0, 0.5
    picture = picture_of(array, 1)
    assert picture is not None and picture[3, 3].tolist() == [255, 128, 0]


def test_bytes_of_few_levels_are_drawn_from_black_to_white():
    array = np.tile(np.arange(17, dtype=np.uint8), (4, 9, 1))
    picture = picture_of(array, 0)
    assert picture is not None and (picture.min(), picture.max()) == (0, 255)
    dark = picture_of(np.concatenate([array, array + 200]), 0)  # one bright picture among them: levels as they are
    assert dark is not None and dark.max() == 16


# --- metrics beside the first --------------------------------------------------------------------------------------


def test_every_metric_that_was_asked_for_is_in_the_report():
    comparison = compare(run_of("regression", *numbers(), Scoring("mae", ("r2",))))
    text = render(Material(comparison), "markdown")
    found = comparison.change(case("int8"), "r2")
    assert "## Other metrics" in text and f"Keras' own R² is {found.baseline:.4f}." in text
    assert f"{found.value:.4f} \\[{found.low:.4f} – {found.high:.4f}\\]" in text
    assert "Other metrics" in render(Material(comparison), "html")
    assert "Other metrics" not in render(Material(compare(classes())), "markdown")


def test_why_a_metric_has_no_value_is_in_the_report(tmp_path: Path):
    (tmp_path / "broken.py").write_text("def boom(labels, outputs):\n    raise ValueError('kaputt')\n")
    own = Declared("broken:boom", "boom", "", "lower")
    scoring = Scoring("boom", folder=tmp_path, declared=(own,))
    text = render(Material(compare(run_of("regression", *numbers(), scoring))), "markdown")
    assert "boom is not available: broken:boom raised ValueError: kaputt." in text


def test_a_change_from_a_value_under_zero_is_no_percentage():
    """Of a loss that may be negative, lower is better: −7.9 after −2.9 is no rise of 174 %."""
    row = Change(case("int8"), "nll", "", "lower", "keras", -2.877, -7.877)
    comparison = replace(compare(regression()), changes=(row,))
    assert described(comparison, "nll").moved(-5.0, -2.877) == "−5.00"
    assert described(replace(comparison, changes=(replace(row, baseline=2.5),)), "nll").moved(-5.0, 2.5) == "−200.0"
