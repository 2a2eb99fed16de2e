"""What users write as "package.module:function": found, imported and known by its source."""

from __future__ import annotations

import hashlib
import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from harness.errors import ConfigError


@dataclass(frozen=True)
class FunctionRef:
    """A function of the user's: `text` is "package.module:function", `folder` where its package is looked for first."""

    text: str
    folder: Path

    @property
    def module(self) -> str:
        return self.text.partition(":")[0]

    @property
    def name(self) -> str:
        return self.text.partition(":")[2]


def is_reference(text: str) -> bool:
    """Whether "package.module:function" is meant, and no path."""
    module, colon, name = text.partition(":")
    return bool(colon) and name.isidentifier() and all(part.isidentifier() for part in module.split("."))


def load_function(ref: FunctionRef) -> Callable[..., Any]:
    """The function itself. Raises ConfigError where it cannot be had; what its module raises is told in its words."""
    with looking_in(ref.folder):
        try:
            module = importlib.import_module(ref.module)
        except ModuleNotFoundError as error:
            if error.name and not f"{ref.module}.".startswith(f"{error.name}."):
                raise ConfigError(f"{ref.text} needs {error.name}, which is not installed", "install it") from error
            advice = f"put {ref.module.split('.')[0]}.py into {ref.folder}, or install it"
            raise ConfigError(f"there is no module {ref.module} for {ref.text}", advice) from error
        except Exception as error:
            told = f"{ref.module} cannot be imported: {type(error).__name__}: {error}"
            raise ConfigError(told, "mend it; --debug shows where") from error
    function = getattr(module, ref.name, None)
    if not callable(function):
        raise ConfigError(f"{ref.module} has no function {ref.name}", f"it stands in {module.__file__}")
    return function


def source_sha256(ref: FunctionRef) -> str:
    """The hash of the function's module and of every .py file beside it, since the one may import the others."""
    with looking_in(ref.folder):
        try:
            spec = find_spec(ref.module)
        except (ImportError, ValueError):
            spec = None
    if spec is None or not spec.has_location or not spec.origin:  # a built-in module has none
        raise ConfigError(f"there is no module {ref.module} for {ref.text}", f"put it into {ref.folder}, or install it")
    files = sorted({Path(spec.origin), *Path(spec.origin).parent.glob("*.py")})
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()


@contextmanager
def looking_in(folder: Path) -> Iterator[None]:
    """The folder first on the path while a module is imported."""
    importlib.invalidate_caches()
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
