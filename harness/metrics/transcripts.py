"""An output for each step of time → texts, as [transcription] says: by a decoder that is named, or the user's own.

    greedy   CTC's best path: the highest score of each step, the first of equals; then repeats become one, and blanks
             none (Graves et al., Connectionist Temporal Classification, ICML 2006, section 3.2)

To add one, write its function, its name in TEXT_DECODERS and its place in DECODERS. All run here on the host, from the
outputs that were stored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial

import numpy as np

from harness.data.texts import END, rows_of, spelled
from harness.errors import ConfigError
from harness.metrics.task import finite, row_by_row, stretches
from harness.records import Transcription
from harness.records.plan import TEXT_DECODERS
from harness.support.format import nearest
from harness.support.functions import FunctionRef, is_reference, load_function

Decoder = Callable[[np.ndarray, Transcription], Iterable[str]]


def greedy(output: np.ndarray, how: Transcription) -> list[str]:
    """Returns the text of each sample. output: scores of classes, (samples, steps, classes)."""
    blank = 0 if how.blank == "first" else len(how.alphabet)
    best = output.argmax(axis=2)
    said = np.ones(best.shape, bool)
    said[:, 1:] = best[:, 1:] != best[:, :-1]
    return spelled(np.where(said & (best != blank), best - (how.blank == "first"), END), how.alphabet)


DECODERS: dict[str, Decoder] = dict(zip(TEXT_DECODERS, (greedy,), strict=True))


def checked(how: Transcription, where: str) -> Transcription:
    """Returns what was said, where it stands: for messages. Raises ConfigError where it cannot be."""
    how = replace(how, alphabet=tuple(how.alphabet))
    if how.decoder not in DECODERS and not is_reference(how.decoder):
        advice = nearest(how.decoder, DECODERS, 'write "package.module:function" for your own; there are')
        raise ConfigError(f"{where} there is no decoder {how.decoder!r}", advice)
    if not how.alphabet and how.decoder in DECODERS:
        advice = "give the characters in the order of the model's classes, without the blank, or a list of texts"
        raise ConfigError(f"{where} {how.decoder} needs an alphabet", advice)
    if twice := next((text for text in how.alphabet if how.alphabet.count(text) > 1), None):
        raise ConfigError(f"{where} the alphabet has {twice!r} twice", "give one text a class, in the model's order")
    if how.blank not in ("first", "last"):
        raise ConfigError(f"{where} blank is {how.blank!r}", 'say which class it is: "first" or "last"')
    return how


def transcribed(output: np.ndarray, how: Transcription, trusted: bool = True) -> np.ndarray:
    """Returns what an output says, float32 (samples, longest), as rows of code points; NaN where it is not finite.
    Decoded a stretch of samples at a time.

    trusted: whether a decoder of the user's may be called. Raises ConfigError.
    """
    decode = DECODERS.get(how.decoder) or partial(of_own, trusted=trusted)
    steps = output if how.decoder not in DECODERS else by_step(output, how)
    texts = [text for stretch in stretches(steps) for text in decode(stretch, how)]
    rows = rows_of(texts).astype(np.float32)
    rows[~row_by_row(finite, output)] = np.nan
    return rows


def by_step(output: np.ndarray, how: Transcription) -> np.ndarray:
    """Returns the output as (samples, steps, classes). Raises ConfigError where it has no score for each class."""
    classes = len(how.alphabet) + 1
    if output.ndim == 3 and output.shape[2] == classes:
        return output
    shape = tuple(n for n in output.shape[1:] if n != 1)
    if len(shape) == 2 and shape[1] == classes:
        return output.reshape(len(output), *shape)
    told = (
        f"the alphabet and the blank are {classes} classes, and the scored output is {('samples', *output.shape[1:])}"
    )
    raise ConfigError(
        told, f"the output is (samples, steps, {classes}), the classes last; mend the alphabet or the model"
    )


def of_own(output: np.ndarray, how: Transcription, trusted: bool) -> list[str]:
    """Returns what a decoder of the user's makes of the output. Raises ConfigError."""
    if not trusted:
        message = f"{how.decoder} in {how.folder} decodes the output, and this run was not begun by you here"
        raise ConfigError(message, "add --trust where you know who made it: it calls that code")
    made = list(load_function(FunctionRef(how.decoder, how.folder))(output))
    if len(made) != len(output) or not all(isinstance(text, str) for text in made):
        raise ConfigError(f"{how.decoder} returned no text for each of {len(output)} samples", "return a list of str")
    return [str(text) for text in made]
