"""Functions called in a process of its own: they may crash, print, or take memory that must be given back."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import ModuleType, TracebackType
from typing import ParamSpec, Self, TypeVar

from harness.device.job import end_with_parent
from harness.errors import HarnessError

P = ParamSpec("P")
T = TypeVar("T")


class ChildProcess:
    """Started by the first call, gone at the end of the `with` block. What it prints goes to the log.

    failed: the class that stands for errors of other packages. died: of the error where a call crashes the process, the
    same where it is not given. who: runs in it, in that error's words.
    """

    def __init__(self, log: Path, failed: type[HarnessError], who: str, died: type[HarnessError] | None = None) -> None:
        self.log = log
        self._failed, self._who, self._died = failed, who, died or failed
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool:
            self._pool.shutdown(cancel_futures=True)

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Calls function(*args) in the process. Raises what that raised, or `died` where it crashed the process."""
        if self._pool is None:
            self.log.parent.mkdir(parents=True, exist_ok=True)
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(1, context, initializer=settle, initargs=(self.log,))
            with without_main():
                self._pool.submit(os.getpid)  # starts the process
        try:
            return self._pool.submit(answered, partial(function, *args, **kwargs), self._failed).result()
        except BrokenProcessPool as error:
            self._pool = None
            message = f"{self._who} crashed its process; see the log at {self.log}"
            raise self._died(message, "its last lines may say why") from error


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


def settle(log: Path) -> None:
    """Prepares the process: it dies with its parent, prints to the log, and behaves the same on every machine."""
    end_with_parent()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")  # reproducible, and the device has no GPU either
    with log.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
