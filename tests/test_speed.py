"""Sentences about what a runtime changes in the answers of the same file, where answers are texts or boxes."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from harness.data.texts import rows_of
from harness.records import BY_DATA, Detection, Scoring
from harness.report.words.speed import disagreements
from tests.made_runs import LITERT, case

ONE, OTHER = case("int8", LITERT), case("int8", "tflite-runtime")


def told(task: str, one: np.ndarray, other: np.ndarray, scoring: Scoring = BY_DATA) -> str:
    scores = {ONE: one.astype(np.float32), OTHER: other.astype(np.float32)}
    run = SimpleNamespace(task=task, scoring=scoring)
    (text,) = disagreements(SimpleNamespace(run=run, scores=scores, outputs=scores, standings=()), ())  # type: ignore[arg-type]
    return text


def test_texts_are_counted_though_the_longest_of_one_runtime_is_longer() -> None:
    """It ended the report of the starter's run: 7 characters were held against 8."""
    ours, theirs = rows_of(["two six", "nine", "one  two"]), rows_of(["two six", "nine sixty", "one two"])
    assert told("transcription", ours, theirs) == (
        f"The same file gives different answers: int8 on 1 sample between {LITERT} and tflite-runtime on host."
    )
    assert "same answers wherever it ran" in told("transcription", rows_of(["one"]), rows_of(["one", "longer"])[:1])


def test_a_text_is_no_number() -> None:
    assert "differ by" not in told("transcription", rows_of(["a"]), rows_of(["z"]))


def boxes(*rows: tuple[float, ...]) -> np.ndarray:
    """Of one picture: x1, y1, x2, y2, score, class."""
    return np.array([[*rows, *[(0, 0, 0, 0, 0, -1)] * (3 - len(rows))]])


def test_boxes_in_another_order_are_the_same_and_a_lost_one_is_not() -> None:
    first, second = (0.0, 0, 9, 9, 0.9, 0), (20.0, 20, 29, 29, 0.89, 4)
    scoring = Scoring(detection=Detection())
    assert "same answers" in told("detection", boxes(first, second), boxes(second, first), scoring)
    assert "int8 on 1 sample" in told("detection", boxes(first, second), boxes(first), scoring)
    low = (*second[:4], 0.3, 4)
    assert "same answers" in told("detection", boxes(first, low), boxes(first), scoring)  # under answer_score
