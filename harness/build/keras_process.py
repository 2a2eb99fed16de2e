"""TensorFlow in a process of its own: it costs 10 s and 600 MB, prints to stdout, and an abort of its converter must
not end the run. The process starts when something has to be built, and is gone before anything is measured."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import ParamSpec, TypeVar

from harness.errors import BuildError, install_extra
from harness.support.child_process import ChildProcess

P = ParamSpec("P")
T = TypeVar("T")


class ProcessDied(BuildError):
    """TensorFlow took its process down."""


class TensorFlowMissing(BuildError):
    """The extra `build` is not installed: nothing can be built, which is no variant's fault."""


class KerasProcess(ChildProcess):
    """Calls functions that may import TensorFlow. package: what must be installed for it."""

    def __init__(self, log: Path, package: str = "tensorflow") -> None:
        super().__init__(log, BuildError, "TensorFlow", ProcessDied)
        self._package = package

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Calls as ChildProcess.call does. Raises TensorFlowMissing where it is not installed."""
        if find_spec(self._package) is None:
            raise TensorFlowMissing(
                "TensorFlow is not installed, and there is something to build", install_extra("build")
            )
        return super().call(function, *args, **kwargs)
