"""Makes the n-th operation on files fail: it counts what a piece of work does, and breaks one of them."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Callable
from typing import Any

import pytest

CALLS = ("fsync", "rename", "replace", "mkdir", "unlink", "rmdir", "link", "symlink", "truncate", "write", "sendfile")


class Faults:
    """Counts operations on files from `arm` on; the n-th raises OSError. n = 0: none does."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.count, self.at, self.code, self.armed = 0, 0, errno.ENOSPC, False
        self.broke = ""
        for name in CALLS:
            patch.setattr(os, name, self.counted(f"os.{name}", getattr(os, name)))
        opened = self.opening(io.open)
        patch.setattr("builtins.open", opened)
        patch.setattr("io.open", opened)

    def arm(self, at: int, code: int) -> None:
        self.count, self.at, self.code, self.armed, self.broke = 0, at, code, True, ""

    def step(self, what: str, named: object = None) -> None:
        if not self.armed:
            return
        self.count += 1
        if self.count == self.at:
            self.broke = what
            error = OSError(self.code, os.strerror(self.code))
            if named is not None:
                error.filename = str(named)
            raise error

    def counted(self, what: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            named = args[0] if args and not isinstance(args[0], int) else None
            self.step(f"{what}({', '.join(map(str, args))})", named)
            return call(*args, **kwargs)

        return wrapped

    def opening(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """open: of what is opened to be written, each write counts, too."""

        def wrapped(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
            if not set("wax+") & set(mode):
                return call(file, mode, *args, **kwargs)
            self.step(f"open({file})", file)
            opened = call(file, mode, *args, **kwargs)
            try:
                opened.write = self.counted_write(opened.write, file)
            except AttributeError:  # a buffer of C: it takes no other method
                return Written(opened, self, file)
            return opened

        return wrapped

    def counted_write(self, write: Callable[..., Any], file: Any) -> Callable[..., Any]:
        def wrapped(data: Any) -> Any:
            self.step(f"write to {file}")
            return write(data)

        return wrapped


class Written:
    """A file that is written to; everything but `write` is the file's own."""

    def __init__(self, file: Any, faults: Faults, name: Any) -> None:
        self._file, self.write = file, faults.counted_write(file.write, name)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> Written:
        return self

    def __exit__(self, *told: object) -> None:
        self._file.close()
