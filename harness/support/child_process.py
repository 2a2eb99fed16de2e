"""Functions called in a process of its own: they may crash, print, or take memory that must be given back."""

from __future__ import annotations

import errno
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, ParamSpec, Self, TypeVar

from harness.device.job import end_with_parent
from harness.errors import DiskError, HarnessError
from harness.support.files import ADVICE, telling_disk

P = ParamSpec("P")
T = TypeVar("T")
CALL_S = 2 * 3600.0  # for one call, where it does not say otherwise
START_S = 120.0
LOOK_S = 1.0  # how often it is looked whether the time is up
_allowed: Any = None  # in the process itself: until when, and how long that is, in s; its parent reads it


class ChildProcess:
    """Started by the first call, gone at the end of the `with` block. What it prints goes to the log.

    failed: the class that stands for errors of other packages. died: of the error where a call crashes the process, the
    same where it is not given. who: runs in it, in that error's words. limit_s: how long a call may take, unless it
    calls `allow`.
    """

    def __init__(
        self,
        log: Path,
        failed: type[HarnessError],
        who: str,
        died: type[HarnessError] | None = None,
        limit_s: float = CALL_S,
    ) -> None:
        self.log = log
        self._failed, self._who, self._died, self._limit_s = failed, who, died or failed, limit_s
        self._pool: ProcessPoolExecutor | None = None
        self._pid = 0
        self._allowed: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool:
            self._pool.shutdown(cancel_futures=True)

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Calls function(*args) in the process. Raises what that raised, `died` where it crashed the process, and
        `failed` where it took too long: the process is then killed.
        """
        try:
            with telling_disk():
                pool = self._pool or self._start()
            self._allowed[:] = time.monotonic() + self._limit_s, self._limit_s
            return self._result(pool.submit(answered, partial(function, *args, **kwargs), self._failed))
        except BrokenProcessPool as error:
            self._pool = None
            message = f"{self._who} crashed its process; see the log at {self.log}"
            raise self._died(message, "its last lines may say why") from error

    def _start(self) -> ProcessPoolExecutor:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        context = multiprocessing.get_context("spawn")
        self._allowed = context.Array("d", 2, lock=False)
        pool = ProcessPoolExecutor(1, context, initializer=settle, initargs=(self.log, self._allowed))
        with ending_children():
            with without_main():
                started = pool.submit(os.getpid)
            try:
                self._pid = started.result(START_S)
            except TimeoutError as error:  # where a thread of the pool cannot start, nobody says so
                raise DiskError(f"the process of {self._who} does not start", ADVICE[errno.EAGAIN]) from error
        self._pool = pool
        return pool

    def _result(self, future: Future[T]) -> T:
        """Waits until the time is up, which the call may have moved."""
        while not wait([future], LOOK_S).done:
            until, seconds = self._allowed
            if time.monotonic() > until:
                self._pool = None
                os.kill(self._pid, signal.SIGKILL)
                advice = f"does a loop in it never end, or is it so slow? the log is {self.log}"
                raise self._failed(f"{self._who} has no answer for {seconds:g} s", advice)
        return future.result()


def allow(seconds: float) -> None:
    """Gives the call that this is called from so much time from now on. Does nothing outside a ChildProcess."""
    if _allowed is not None:
        _allowed[:] = time.monotonic() + seconds, seconds


@contextmanager
def ending_children() -> Iterator[None]:
    """Ends what was started meanwhile where that failed: a process would wait for ever, and this one for it."""
    before = set(multiprocessing.active_children())
    try:
        yield
    except BaseException:
        for child in set(multiprocessing.active_children()) - before:
            child.kill()
            child.join()
        raise


@contextmanager
def without_main() -> Iterator[None]:
    """Hides __main__ for the moment in which a process starts: it would be imported there, and so a script of the
    user's, who called the harness from it, would run a second time.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def answered(call: Callable[[], T], died: type[HarnessError]) -> T:
    """call(). An error whose class belongs to another package is raised as `died`:
    to unpickle it, the parent would have to import that package.
    """
    try:
        return call()
    except Exception as error:
        if type(error).__module__.split(".")[0] in ("builtins", "harness"):
            raise
        raise died(str(error)) from error


def settle(log: Path, allowed: Any) -> None:
    """Prepares the process: it dies with its parent, prints to the log, and behaves the same on every machine."""
    global _allowed
    _allowed = allowed
    end_with_parent()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")  # reproducible, and the device has no GPU either
    with log.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
