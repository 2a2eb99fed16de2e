"""Texts as arrays: a row of code points for each text, −1 after its end. Labels and answers have this form."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.errors import ConfigError
from harness.records import Transcription

END, LAST = -1, 0x10FFFF
FORMS = "store labels as text, one a sample, or as whole numbers (samples, length): places in the alphabet, then -1"


def rows_of(texts: Sequence[str]) -> np.ndarray:
    """Returns code points, int32 (texts, longest), −1 after the end of each text."""
    rows = np.full((len(texts), max([1, *map(len, texts)])), END, np.int32)
    for row, text in zip(rows, texts, strict=True):
        row[: len(text)] = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")
    return rows


def texts_of(rows: np.ndarray) -> list[str]:
    """Returns the texts. rows: (texts, …) code points; a row that is not finite is an empty text."""
    whole = np.where(np.isfinite(rows), rows, END).astype(np.int64)
    return ["".join(map(chr, row[row >= 0].tolist())) for row in whole]


def are_texts(labels: np.ndarray) -> bool:
    """Returns whether labels are rows of code points, none of them half of a pair."""
    if labels.ndim != 2 or labels.dtype.kind != "i":
        return False
    return bool(((labels >= END) & (labels <= LAST) & ~((labels >= 0xD800) & (labels <= 0xDFFF))).all())


def spelled(places: np.ndarray, alphabet: Sequence[str]) -> list[str]:
    """Returns the text of each row of places in the alphabet. places: whole numbers (texts, …), under 0 for nothing."""
    return ["".join(alphabet[n] for n in row[row >= 0].tolist()) for row in places]


def labelled_texts(labels: np.ndarray, names: Sequence[str], how: Transcription) -> np.ndarray:
    """Returns labels as rows of code points. labels: texts by their place among the names, (samples,), as text is
    read; or places in the alphabet, (samples, length), −1 after the end. Raises ConfigError.
    """
    if labels.ndim == 1 and labels.dtype.kind in "ui" and names:
        return rows_of([names[n] for n in labels.tolist()])
    if labels.ndim != 2 or labels.dtype.kind not in "ui":
        told = f"the labels of the texts are {labels.dtype} of shape {('samples', *labels.shape[1:])}"
        raise ConfigError(told, FORMS + "; a column of digits alone stays text in a Parquet file, not in a CSV file")
    if not how.alphabet:
        raise ConfigError("labels are places in an alphabet, and there is none", "write alphabet under [transcription]")
    low, high, most = int(labels.min(initial=0)), int(labels.max(initial=0)), len(how.alphabet) - 1
    if low < END or high > most:
        told = f"labels are places in the alphabet, 0 to {most}, and these hold {low} to {high}"
        raise ConfigError(told, "the blank is no place in it; a label ends with -1, up to the length of the longest")
    if ((labels[:, :-1] < 0) & (labels[:, 1:] >= 0)).any():
        raise ConfigError("some labels go on after a -1, which ends a label", FORMS)
    return rows_of(spelled(labels, how.alphabet))


def unknown_characters(rows: np.ndarray, how: Transcription) -> str:
    """Returns the characters of these texts that the alphabet has not, and so no answer; "" without an alphabet."""
    known = set("".join(how.alphabet))
    return "".join(sorted(set("".join(texts_of(rows))) - known)) if known else ""
