"""What users write as "package.module:function": found, imported and known by its source."""

from __future__ import annotations

import ast
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

INSTALLED = frozenset({"site-packages", "dist-packages"})  # folders of them, such as of a venv beside an experiment


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
    """Returns whether the text means "package.module:function", and no path."""
    module, colon, name = text.partition(":")
    return bool(colon) and name.isidentifier() and all(part.isidentifier() for part in module.split("."))


def load_function(ref: FunctionRef) -> Callable[..., Any]:
    """Imports the function. Raises ConfigError where it is not available, with the error that its module raised."""
    with looking_in(ref.folder):
        try:
            module = importlib.import_module(ref.module)
        except ModuleNotFoundError as error:
            if error.name and not f"{ref.module}.".startswith(f"{error.name}."):
                raise ConfigError(f"{ref.text} needs {error.name}, which is not installed", "install it") from error
            advice = f"put {ref.module.split('.')[0]}.py into {ref.folder}, or install it"
            raise ConfigError(f"there is no module {ref.module} for {ref.text}", advice) from error
        except (Exception, SystemExit) as error:
            message = f"{ref.module} cannot be imported: {type(error).__name__}: {error}"
            raise ConfigError(message, "fix it; --debug shows where") from error
    function = getattr(module, ref.name, None)
    if not callable(function):
        raise ConfigError(f"{ref.module} has no function {ref.name}", f"add it to {module.__file__}")
    return function


def source_sha256(ref: FunctionRef) -> str:
    """Returns the hash of the function's module, of every .py file beside it, and
    of what they import from below the folder.
    """
    with looking_in(ref.folder):
        try:
            spec = find_spec(ref.module)
        except (ImportError, ValueError):
            spec = None
    if spec is None or not spec.has_location or not spec.origin:  # a built-in module has none
        raise ConfigError(f"there is no module {ref.module} for {ref.text}", f"put it into {ref.folder}, or install it")
    origin = Path(spec.origin)
    files = sorted(with_imports({origin, *origin.parent.glob("*.py")}, ref.folder))
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()


def with_imports(files: set[Path], folder: Path) -> set[Path]:
    """Returns the files, what they import from below the folder, and what that imports in turn."""
    every, new = set(files), set(files)
    while new:
        new = {path for file in new if file.suffix == ".py" for path in imports_of(file, folder)} - every
        every |= new
    return every


def imports_of(file: Path, folder: Path) -> Iterator[Path]:
    """Yields the modules below the folder that a module's import statements name, wherever in it they are."""
    try:
        nodes = list(ast.walk(ast.parse(file.read_bytes())))
    except (SyntaxError, ValueError):  # it cannot be imported either
        return
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from modules_of(folder, alias.name)
        elif isinstance(node, ast.ImportFrom):
            start = file.parents[node.level - 1] if node.level else folder
            for alias in node.names:
                yield from modules_of(start, f"{node.module or ''}.{alias.name}")


def modules_of(start: Path, name: str) -> Iterator[Path]:
    """Yields the files that importing "a.b.c" may run, those of the packages on the way too."""
    place = start
    for part in filter(None, name.split(".")):
        place = place / part
        yield from (file for file in (place.with_suffix(".py"), place / "__init__.py") if file.is_file())


def loaded_below(folder: Path) -> list[Path]:
    """Returns the files of the modules that this process has imported from
    below the folder, installed packages aside.
    """
    files = [Path(file) for module in list(sys.modules.values()) if (file := getattr(module, "__file__", None))]
    below = (path for path in files if path.is_relative_to(folder) and path.suffix == ".py")
    return sorted({path for path in below if not INSTALLED.intersection(path.relative_to(folder).parts)})


@contextmanager
def looking_in(folder: Path) -> Iterator[None]:
    """Puts the folder first on the path while a module is imported."""
    importlib.invalidate_caches()
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
