"""TensorFlow in a process of its own: it costs 10 s and 600 MB, prints to stdout, and an abort of its converter must
not take the run with it. The process starts when something has to be built, and is gone before anything is measured."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import ParamSpec, TypeVar

from harness.device.job import end_with_parent
from harness.errors import BuildError

P = ParamSpec("P")
T = TypeVar("T")


class TensorFlowMissing(BuildError):
    """The extra `build` is not installed: nothing can be built, which is no variant's fault."""


class KerasProcess:
    """Calls functions where TensorFlow may be imported. What they print goes to a log file."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> KerasProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool:
            self._pool.shutdown(cancel_futures=True)

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """function(*args) over there. Raises what it raised, or BuildError where the process died of it."""
        if find_spec("tensorflow") is None:
            raise TensorFlowMissing(
                "TensorFlow is not installed, and there is something to build", "pip install edge-harness[build]"
            )
        if self._pool is None:
            self.log.parent.mkdir(parents=True, exist_ok=True)
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(1, context, initializer=settle, initargs=(self.log,))
        try:
            return self._pool.submit(answered, partial(function, *args, **kwargs)).result()
        except BrokenProcessPool as error:
            self._pool = None
            raise BuildError(f"TensorFlow's process died; its last words stand in {self.log}", "read them") from error


def answered(call: Callable[[], T]) -> T:
    """call(). An error of a class of TensorFlow's goes back as BuildError: to read it, the host would have to import
    TensorFlow.
    """
    try:
        return call()
    except Exception as error:
        if type(error).__module__.split(".")[0] in ("builtins", "harness"):
            raise
        raise BuildError(str(error)) from error


def settle(log: Path) -> None:
    """The process's first act: dies with its parent, prints to the log, is the same on every machine it can be."""
    end_with_parent()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")  # reproducible, and the device has none either
    with log.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
