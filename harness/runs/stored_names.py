"""Names in a run are parts of paths: they are checked when a run is stored, and again when it is read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.runs.header import Header

SAFE = re.compile(r"(?![.\- ])[^/\\\x00-\x1f\x7f]{1,128}")


def as_part(name: str) -> str:
    """Returns the name as a part of a path that every archive and file system takes: `:` is written as %3A."""
    return name.replace("%", "%25").replace(":", "%3A")


def is_safe(name: str) -> bool:
    """Returns whether it names one folder or file, and nothing outside of where it stands."""
    return bool(SAFE.fullmatch(name)) and name.isprintable()


def check_names(header: Header) -> None:
    """Raises ValueError for the first name that is no part of a path, and a variant that lies elsewhere."""
    for what, name in names_of(header):
        if not is_safe(name):
            raise ValueError(f"{what} {name[:80]!r} is not a name that a folder or file can have")
    for variant in header.variants:
        if variant.path is not None and variant.path != Path("variants") / f"{variant.name}.tflite":
            raise ValueError(f"variant {variant.name!r} lies in {str(variant.path)[:80]!r}, outside of variants/")


def names_of(header: Header) -> Iterator[tuple[str, str]]:
    yield "the run id", header.run_id
    yield "the experiment", header.experiment
    yield from (("the target", record.target.name) for record in header.targets)
    yield from (("the variant", variant.name) for variant in header.variants)
    for case in header.cases:
        yield from (("the variant", case.variant), ("the target", case.target), ("the runtime", case.runtime))
