"""What was found of the rows of a stored run, kept beside it as JSON, and read again for its pages.

explained/<variant>.<target>.<runtime>.json    an Explanation
"""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from harness.diagnosis.explanation import Explanation
from harness.errors import Unreadable
from harness.records import Case
from harness.runs.stored_names import as_part
from harness.support.files import write_json
from harness.support.foreign import read_json, valid

EXPLAINED = "explained"
_EXPLANATION = TypeAdapter(Explanation)


def row_file(case: Case) -> str:
    """The name of a row's files, without an ending."""
    return as_part(f"{case.variant}.{case.target}.{case.runtime}")


def keep(found: Explanation, run: Path) -> None:
    (run / EXPLAINED).mkdir(exist_ok=True)
    write_json(run / EXPLAINED / f"{row_file(found.case)}.json", document(found))


def kept(run: Path) -> tuple[Explanation, ...]:
    """All that is kept of a run, the newest first. What another version wrote, or somebody changed, is left out."""
    files = sorted((run / EXPLAINED).glob("*.json"), key=lambda path: -path.stat().st_mtime)
    found = (read(path) for path in files)
    return tuple(each for each in found if each is not None and each.run_id == run.name)


def read(path: Path) -> Explanation | None:
    """None for a file that holds no explanation."""
    try:
        content = read_json(path)
        return valid(with_nan(content), _EXPLANATION)
    except (OSError, Unreadable):
        return None


def with_nan(content: Any) -> Any:
    """The content with NaN for each null that stands where a number has to: JSON has no other way to keep it."""
    try:
        _EXPLANATION.validate_python(content)
    except ValidationError as error:
        for each in error.errors():
            *way, last = each["loc"] or ("",)
            if each["type"] == "float_type" and each["input"] is None:
                place = content
                for step in way:
                    place = place[step]
                place[last] = math.nan
    return content


def document(found: Explanation) -> dict[str, object]:
    """What the file holds, and what --json prints: what is not finite is null."""
    return {name: finite(value) for name, value in asdict(found).items()}


def finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: finite(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
