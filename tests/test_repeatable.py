"""The file that is taken of those that a quantizer gives for one model. The real quantizer is asked in test_models."""

from __future__ import annotations

import random
from itertools import chain, repeat

from harness.build.variants.repeatable import AT_MOST, settled

FILES = (b"smallest", b"larger by a QUANTIZE", b"larger, DEQUANTIZE..")


def test_whatever_comes_first_the_smallest_file_is_taken():
    for seed in range(50):
        files = iter(random.Random(seed).choices(FILES, weights=(75, 15, 10), k=AT_MOST))
        assert settled(files.__next__) == b"smallest"


def test_of_equally_small_files_the_first_by_its_bytes_is_taken():
    for first in (b"bb", b"aa"):
        assert settled(chain([first], repeat(b"aa", 3), repeat(b"bb")).__next__) == b"aa"


def test_a_quantizer_that_never_repeats_itself_is_not_asked_for_ever():
    asked = 0

    def never_twice() -> bytes:
        nonlocal asked
        asked += 1
        return b"%06d" % (AT_MOST + 1 - asked)

    assert settled(never_twice) == b"%06d" % 1
    assert asked == AT_MOST


def test_a_slow_quantizer_is_asked_a_few_times():
    hours = iter(range(0, 360_000, 3600))
    assert settled(lambda: b"%06d" % next(hours), clock=lambda: next(hours)) == b"%06d" % 3600
