"""latency.parquet and samples.parquet: written where they are not there yet, or were made from something else.

Each says in its footer what it was made from, and the CRC of all that stands before the footer. pyarrow takes a second
of a slow machine to load: not where nothing is written.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from harness import __version__
from harness.records import Comparison, Round, Run
from harness.support.arrays import stretches

CHUNK_BYTES = 1 << 20
FOOTER_BYTES = 8 << 20  # one of a million row groups has less
TAIL = 8  # bytes after the footer: its length and PAR1


def write_tables(comparison: Comparison, folder: Path) -> None:
    """Writes latency.parquet, every timing of the rounds that count, and samples.parquet,
    a row a sample × variant × target × runtime.
    """
    run, answered = comparison.run, comparison.answered
    rounds, latency, samples = counted(run), folder / "latency.parquet", folder / "samples.parquet"
    timings = [(r.case, r.index, phase, t.count, t.ns) for r in rounds for phase, t in r.timings.items()]
    content = content_of(part for each in timings for part in each)
    if not is_written(latency, content):
        from harness.runs.parquet import write_latency

        write_latency(rounds, latency, content)
    content = content_of([run.numbers, *(part for pair in answered.items() for part in pair)])
    if not is_written(samples, content):
        from harness.runs.parquet import write_samples

        write_samples(answered, samples, numbers=run.numbers, content=content)


def counted(run: Run) -> list[Round]:
    """Returns the rounds whose timings are believed."""
    return [round_ for round_ in run.rounds if round_.counts]


def content_of(parts: Iterable[object]) -> bytes:
    """Returns a hash of all that a table is made from, and by which harness: arrays by bytes, the rest by its repr."""
    digest = hashlib.blake2b(__version__.encode(), digest_size=16)
    for part in parts:
        if isinstance(part, np.ndarray):
            digest.update(f"{part.dtype.descr}{part.shape}".encode())
            for stretch in stretches(part):
                digest.update(np.ascontiguousarray(stretch).data)
        else:
            digest.update(repr(part).encode())
    return digest.hexdigest().encode()


def is_written(path: Path, content: bytes) -> bool:
    """Returns whether the file is there, is whole, and says that it was made from just that."""
    try:
        with path.open("rb") as file:
            size = file.seek(-TAIL, os.SEEK_END)
            tail = file.read()
            length = int.from_bytes(tail[:4], "little")
            if tail[4:] != b"PAR1" or not 0 < length <= min(size, FOOTER_BYTES):
                return False
            file.seek(size - length)
            footer = file.read(length)
        return content in footer and body_note(path, size - length) in footer
    except OSError:
        return False


def body_note(path: Path, size: int) -> bytes:
    """Returns what the footer says of the bytes before it, of which there are so many."""
    crc, left = 0, size
    with path.open("rb") as file:
        while left and (chunk := file.read(min(left, CHUNK_BYTES))):
            crc, left = zlib.crc32(chunk, crc), left - len(chunk)
    return b"edge-harness body of %d bytes, CRC-32 %08x" % (size, crc)
