"""The quantizer of TensorFlow's converter, made to give the same file for the same model.

It places some ops in the order of their addresses in memory, which differs from call to call: one unrolled LSTM came
out as any of three files, with or without a needless DEQUANTIZE and QUANTIZE. Asked several times it shows them all.
The smallest is taken, of equally small ones the first by its bytes. A call takes a hundredth of what calibrating takes.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

OFTEN = 4  # the file that is taken came so often
AT_LEAST, AT_MOST = 12, 200  # calls
LONGEST_S = 120.0  # for a large model the calls stop here, with AT_LEAST of them made
NAME = "_mlir_quantize"  # of the function in TensorFlow's lite.py


@contextmanager
def repeatable_quantizer() -> Iterator[None]:
    """Converters used inside give the same file for the same model and samples."""
    from tensorflow.lite.python import lite

    original = getattr(lite, NAME, None)  # a TensorFlow without it quantises elsewhere
    if original is None:
        yield
        return
    setattr(lite, NAME, lambda *args, **kwargs: settled(lambda: bytes(original(*args, **kwargs))))
    try:
        yield
    finally:
        setattr(lite, NAME, original)


def settled(make: Callable[[], bytes], clock: Callable[[], float] = time.monotonic) -> bytes:
    """The smallest file that `make` gives, of equally small ones the first by its bytes; asked until it came often."""
    came: Counter[bytes] = Counter()
    begin = clock()
    while True:
        came[make()] += 1
        best = min(came, key=order)
        calls = came.total()
        if calls >= AT_LEAST and (came[best] >= OFTEN or calls >= AT_MOST or clock() - begin > LONGEST_S):
            return best


def order(file: bytes) -> tuple[Any, ...]:
    return len(file), file
