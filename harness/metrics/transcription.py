"""Metrics of texts: word and character error rate as jiwer has them, and how many texts are right as a whole.

Texts are held against each other as they stand: case and punctuation count, and spaces beside each other are one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from harness.data.texts import END, texts_of
from harness.errors import ConfigError, install_extra
from harness.metrics.discrepancy import as_float32, as_int32, structured
from harness.metrics.registry import Answers, Metric, of_answers
from harness.metrics.task import TEXTS, finite, row_by_row
from harness.records import Comparison
from harness.statistics.bootstrap import Bounded, Statistic
from harness.statistics.edit_rate import EditRate

Unit = Literal["words", "characters"]
FAR = 0.1  # of Keras' characters, edited: more is probably wrong, not merely lossy


def jiwer() -> Any:
    """Returns the library, which is loaded where texts are judged. Raises ConfigError where it is not there."""
    try:
        import jiwer
    except ImportError as error:
        raise ConfigError("texts are judged by jiwer, which is not installed", install_extra("text")) from error
    return jiwer


# --- edits -----------------------------------------------------------------------------------------------------------


def edits(labels: Sequence[str], answers: Sequence[str], unit: Unit) -> EditRate:
    """Returns what has to be edited for each label to become its answer, over what the label has of that unit. Raises
    Absent where no label has any.
    """
    counts = edit_counts(labels, answers, unit)
    return EditRate(counts[:, 0], counts[:, 1])


def edit_counts(labels: Sequence[str], answers: Sequence[str], unit: Unit) -> np.ndarray:
    """Returns the edits of each sample, and how much its label has, int64 (samples, 2)."""
    process = jiwer().process_words if unit == "words" else jiwer().process_characters
    found = process(list(labels), list(answers))
    each = [sum(map(chunk_edits, chunks)) for chunks in found.alignments]
    return np.stack([np.array(each, np.int64), np.array([len(label) for label in found.references], np.int64)], axis=1)


def chunk_edits(chunk: Any) -> int:
    """Returns how many edits a stretch of jiwer's alignment is: a deletion has no answer, an insertion no label."""
    wide = max(chunk.ref_end_idx - chunk.ref_start_idx, chunk.hyp_end_idx - chunk.hyp_start_idx)
    return 0 if chunk.type == "equal" else int(wide)


def errors(answers: Answers, unit: Unit) -> EditRate:
    return answers.once(unit, lambda a: edits(texts_of(a.truth), texts_of(a.outputs), unit))


def kept(answers: Answers, unit: Unit) -> EditRate:
    """Returns 1 − the error rate: at chance it is that of a constant answer."""
    rate = errors(answers, unit)
    return EditRate(rate.units - rate.edits, rate.units)


def best_constant(answers: Answers, unit: Unit) -> float:
    """Returns 1 − the error rate of the better of two answers to every sample: nothing, and the commonest label."""
    labels = texts_of(answers.truth)
    each, counts = np.unique(labels, return_counts=True)
    commonest = str(each[counts.argmax()])
    return 1 - min(edits(labels, [text] * len(labels), unit).value for text in ("", commonest))


def right(answers: Answers) -> np.ndarray:
    """Returns whether each text is right as a whole, bool, (samples,)."""
    return same_words(answers.truth, answers.outputs)


def same_words(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Returns which texts have the same words, bool, (samples,). Both: rows of code points."""
    width = max(one.shape[1], other.shape[1])
    padded = (np.pad(rows, ((0, 0), (0, width - rows.shape[1])), constant_values=END) for rows in (one, other))
    same = np.asarray(np.equal(*padded).all(axis=1))
    odd = np.flatnonzero(~same)  # but spaces may be all that differs
    same[odd] = [words_of(a) == words_of(b) for a, b in zip(texts_of(one[odd]), texts_of(other[odd]), strict=True)]
    return same


def words_of(text: str) -> list[str]:
    """Returns what jiwer takes for the words of a text."""
    return [word for word in text.strip().split(" ") if word]


def commonest(labels: np.ndarray) -> float:
    return float(np.unique(labels, axis=0, return_counts=True)[1].max() / len(labels))


# --- the metrics -----------------------------------------------------------------------------------------------------


@of_answers(Metric(
    "wer", unit="fraction", better="lower", title="WER", about="answers", against="keras", tasks=TEXTS,
    in_percent=True, bounded=False, method="edits of words / words of the labels, over all samples", judged="samples",
    alone=True, interval_percent=90, compared="samples", chance_of=lambda answers: kept(answers, "words"),
    chance_from=lambda answers: best_constant(answers, "words"), default_for=TEXTS, offered_for=TEXTS,
))  # fmt: skip
def wer(answers: Answers) -> Statistic:
    """Computes jiwer's wer of all samples: Σ edits / Σ words."""
    return errors(answers, "words")


@of_answers(Metric(
    "cer", unit="fraction", better="lower", title="CER", about="answers", against="keras", tasks=TEXTS,
    in_percent=True, bounded=False, method="edits of characters / characters of the labels, over all samples",
    judged="samples", alone=True, interval_percent=90, compared="samples",
    chance_of=lambda answers: kept(answers, "characters"),
    chance_from=lambda answers: best_constant(answers, "characters"), always_for=TEXTS, offered_for=TEXTS,
))  # fmt: skip
def cer(answers: Answers) -> Statistic:
    """Computes jiwer's cer of all samples: Σ edits / Σ characters."""
    return errors(answers, "characters")


@of_answers(Metric(
    "text_accuracy", unit="fraction", better="higher", title="Text accuracy", about="answers", against="keras",
    tasks=TEXTS, of_sample=right, in_percent=True, method="every word of the text right", judged="share", alone=True,
    interval_percent=90, compared="samples", chance=commonest, always_for=TEXTS, offered_for=TEXTS,
))  # fmt: skip
def text_accuracy(answers: Answers) -> Statistic:
    """Computes the share of samples without an edit of a word."""
    return Bounded(right(answers), 0, 1)


# --- a row a sample --------------------------------------------------------------------------------------------------


def words_differ(answers: Answers) -> np.ndarray:
    return ~same_words(answers.baseline, answers.outputs)


def text_said(comparison: Comparison, row: np.ndarray) -> str:
    """Returns the text of one sample, quoted: it may be empty. row: code points."""
    return f"“{texts_of(row[None])[0]}”"


def text_rows(answers: Answers, logits: bool) -> np.ndarray:
    """Returns a row a sample: whether the words differ from the baseline's (`flip`), the edits of words from the label
    of both, and as max_abs_diff the edits of characters from the baseline's text.
    """
    known = row_by_row(finite, answers.outputs) & row_by_row(finite, answers.baseline)
    apart = edit_counts(texts_of(answers.baseline), texts_of(answers.outputs), "characters")
    flip = words_differ(answers) | ~known
    columns = {"characters": as_int32(apart[:, 1]), "flip": flip}
    if answers.labels is not None:
        columns |= against_labels(answers, flip)
    return structured(columns | {"max_abs_diff": np.where(known, as_float32(apart[:, 0]), np.float32(np.nan))})


def against_labels(answers: Answers, flip: np.ndarray) -> dict[str, np.ndarray]:
    labels = texts_of(answers.truth)
    before, after = (edit_counts(labels, texts_of(rows), "words") for rows in (answers.baseline, answers.outputs))
    was_right, is_right = before[:, 0] == 0, after[:, 0] == 0
    kind = np.select([flip & was_right, flip & is_right, flip], [1, 2, 3], 0).astype(np.uint8)
    return {
        "words": as_int32(before[:, 1]), "baseline_error": as_float32(before[:, 0]), "error": as_float32(after[:, 0]),
        "baseline_correct": was_right, "correct": is_right, "flip_kind": kind,
    }  # fmt: skip


def texts_far_off(rows: np.ndarray) -> str:
    """Says that texts are so far from Keras' that something is probably wrong; "" where they are not."""
    share = float(rows["max_abs_diff"].sum()) / max(1, int(rows["characters"].sum()))
    return f"its texts are edited in {share:.1%} of the characters of Keras'" if share > FAR else ""
