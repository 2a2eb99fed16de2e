"""Names that globs choose: `int8*` takes what fits, `!int8` every other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase


def fits(name: str, glob: str) -> bool:
    return not fnmatchcase(name, glob[1:]) if glob.startswith("!") else fnmatchcase(name, glob)


def chosen(names: Iterable[str], globs: Sequence[str]) -> tuple[str, ...]:
    """Returns the names, in their order, that one of the globs takes and no `!GLOB` leaves out; () takes all."""
    wanted = [glob for glob in globs if not glob.startswith("!")] or ["*"]
    unwanted = [glob[1:] for glob in globs if glob.startswith("!")]
    return tuple(name for name in names if any_fits(name, wanted) and not any_fits(name, unwanted))


def any_fits(name: str, globs: Iterable[str]) -> bool:
    return any(fnmatchcase(name, glob) for glob in globs)


def is_named(name: str, glob: str) -> bool:
    """Whether it is the name itself, which may hold what a glob gives a meaning, or fits the glob."""
    return name == glob or fnmatchcase(name, glob)
