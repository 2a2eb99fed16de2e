"""connections/pipes.py, with a process that has ended and another that holds its pipes."""

from __future__ import annotations

import io
import os
import resource
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from harness.measure.connections.pipes import Pipe, Printed
from tests.devices import alive, wait_for

HOLDS = "setsid sleep 9 <&0 & printf 'its last words' | tee /dev/stderr"  # <&0: sh would give it /dev/null


@contextmanager
def started(script: str) -> Iterator[subprocess.Popen[bytes]]:
    pipe = subprocess.PIPE
    with subprocess.Popen(["sh", "-c", script], 0, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        yield process


@pytest.fixture
def holding() -> Iterator[subprocess.Popen[bytes]]:
    with started(HOLDS) as process:
        yield process


def test_what_a_process_wrote_last_is_read_and_then_its_pipe_ends(holding: subprocess.Popen[bytes]) -> None:
    begin = time.monotonic()
    holding.wait()
    reader = io.BufferedReader(Pipe(holding.stdout, holding, lambda: False))
    assert reader.read() == b"its last words"
    assert reader.readline() == b""
    printed = Printed(Pipe(holding.stderr, holding, lambda: False), kept_bytes=5)
    printed.start()
    assert printed.text() == "words" and printed.size == len(b"its last words")
    assert time.monotonic() - begin < 4


def test_what_an_ended_process_cannot_take_is_an_error(holding: subprocess.Popen[bytes]) -> None:
    """The other process holds the pipe open, and takes nothing."""
    writer = Pipe(holding.stdin, holding, lambda: False)
    with pytest.raises(BrokenPipeError):
        while writer.write(bytes(1 << 16)):
            pass


def test_a_pipe_that_is_given_up_ends_though_there_is_more_to_read() -> None:
    with started("while :; do echo more; done") as process:
        reader = Pipe(process.stdout, process, lambda: True)
        assert reader.read(1) == b""
        process.kill()


def test_who_prints_after_the_end_has_no_one_to_print_to(holding: subprocess.Popen[bytes]) -> None:
    """A file in place of the pipe would grow until the disk is full."""
    with started("setsid sh -c 'echo $$; while echo more >&2; do sleep .01; done' & sleep 9") as process:
        assert process.stdout
        other = int(process.stdout.readline())
        printed = Printed(Pipe(process.stderr, process, lambda: process.poll() is not None), kept_bytes=9)
        printed.start()
        wait_for(lambda: printed.size)
        process.kill()
        printed.close()
        wait_for(lambda: not alive(other), 5)


def test_a_pipe_with_a_number_over_1023_is_heard() -> None:
    """Of many boards, each with its pipes, at once."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, limit[1]), limit[1]))
    opened = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    try:
        with subprocess.Popen(["echo", "heard"], stdout=subprocess.PIPE) as process:
            pipe = Pipe(process.stdout, process, lambda: False)
            assert pipe.fileno() > 1023 and pipe.read(64) == b"heard\n"
    finally:
        for number in opened:
            os.close(number)
        resource.setrlimit(resource.RLIMIT_NOFILE, limit)
