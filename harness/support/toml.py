"""What users write in TOML: read, checked by a pydantic model, with the line of an error and the nearest right word."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from harness.errors import ConfigError

Model = TypeVar("Model", bound=BaseModel)


def read_toml(path: Path, model: type[Model]) -> Model:
    """The file's tables as the model has them. Raises ConfigError with file, line, what is wrong and what to write."""
    try:
        text = path.read_text("utf-8-sig")
        return model.model_validate(tomllib.loads(text))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}", "give another file, or fix this one") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not TOML: {error}", "fix that line") from error
    except ValidationError as error:
        raise not_valid(error.errors()[0], text, path, model) from error


def not_valid(found: ErrorDetails, text: str, path: Path, model: type[BaseModel]) -> ConfigError:
    """The first thing that pydantic found wrong, in the user's words."""
    section, key = place(found, model)
    where = f"{path}:{line_of(text, section, key)}: " + (f"[{section}] " if section else "")
    if found["type"] == "extra_forbidden":
        known = keys_of(table_of(model, section) if section and key else model)
        what = f"unknown key {key!r}" if key else f"unknown table [{section}]"
        return ConfigError(where + what, nearest(key or section, known, "known are"))
    if found["type"] == "missing":
        what = f"{where}has no {key}" if key else f"{path}: has no table [{section}]"
        return ConfigError(what, "add it; `harness init` writes a complete example")
    if found["type"] == "literal_error":
        words = re.findall(r"'([^']*)'", str(found.get("ctx", {}).get("expected", "")))
        return ConfigError(f"{where}{key}: {found['input']!r} cannot be used", nearest(found["input"], words, "write"))
    return ConfigError(f"{where}{key or section}: {found['input']!r} cannot be used", found["msg"].lower())


def place(found: ErrorDetails, model: type[BaseModel]) -> tuple[str, str]:
    """Table and key of an error; table "" above all tables, key "" for the table as a whole."""
    first, *rest = (str(part) for part in found["loc"])
    within = isinstance(found["input"], dict) and found["type"] != "missing"  # else it is the table around it
    if table_of(model, first) is None and not within:
        return "", first
    return first, rest[0] if rest else ""


def table_of(model: type[BaseModel], section: str) -> type[BaseModel] | None:
    """The model of a table, None where that key is not a table."""
    field = next((f for n, f in model.model_fields.items() if section in (n, f.alias)), None)
    kinds = [field.annotation, *getattr(field.annotation, "__args__", ())] if field else []
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)


def keys_of(model: type[BaseModel] | None) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()] if model else []


def nearest(word: object, known: Iterable[str], lead: str) -> str:
    """ "did you mean …? <lead> a, b, c": the advice for an unknown word."""
    names = list(known)
    near = get_close_matches(str(word), names, 1, 0.5)
    return f"{f'did you mean {near[0]}? ' if near else ''}{lead} {', '.join(names)}"


def line_of(text: str, section: str, key: str) -> int:
    """The line, from 1, of a key in a table, or where the table begins, or the first."""
    current, begin = "", 0
    for n, line in enumerate(text.splitlines()):
        if header := re.match(r"\s*\[+\s*([^\]]+?)\s*\]+", line):
            current = header[1].strip("\"'")
            begin = n if current == section else begin
        elif current == section and key and re.match(rf"""\s*["']?{re.escape(key)}["']?\s*=""", line):
            return n + 1
    return begin + 1
