"""What users write in TOML: read, checked by a pydantic model, with the line of an error and the nearest right word.

A field's description in the model is what to write for it: "a number over 0 and under 1". An error gives it as advice.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from harness.errors import ConfigError, Unreadable
from harness.support import foreign
from harness.support.format import nearest

Model = TypeVar("Model", bound=BaseModel)
_HEADER = re.compile(r"\s*\[+\s*([^\]]+?)\s*\]+\s*(#.*)?$")


@dataclass(frozen=True)
class Place:
    """A key of a table. table "": above all tables; key "": the table as a whole.

    index: which table of that name, from 0, where there may be several: [[rule]]. None where there is one.
    """

    table: str = ""
    key: str = ""
    index: int | None = None

    def __str__(self) -> str:
        """Returns how a message begins: "[data] labels", "rule 2: metric"; "" above all tables without a key."""
        table = f"[{self.table}]" if self.index is None else f"{self.table} {self.index + 1}:"
        return " ".join(filter(None, (table if self.table else "", self.key)))


@dataclass(frozen=True)
class TomlFile(Generic[Model]):
    """A file's text and what it says. source: its name in messages."""

    content: Model
    text: str
    source: str

    def where(self, table: str = "", key: str = "", index: int | None = None, with_key: bool = True) -> str:
        """Returns how a message about this place begins:
        "experiment.toml:7: [data] labels". with_key: name labels, too.
        """
        return where(self.source, self.text, Place(table, key, index), with_key)

    def line_of(self, table: str = "", key: str = "", index: int | None = None) -> int:
        return line_of(self.text, Place(table, key, index))


def read_toml(path: Path, model: type[Model]) -> TomlFile[Model]:
    """Reads the file's tables as the model has them.
    Raises ConfigError with file, line, what is wrong and what to write.
    """
    return parse_toml(read_text(path), str(path), model)


def read_text(path: Path, advice: str = "give another file, or fix this one") -> str:
    """Reads the file's text, without a byte order mark. Raises ConfigError with the advice."""
    try:
        return foreign.read_text(path)
    except FileNotFoundError as error:
        raise ConfigError(f"there is no file {path}", "relative paths start in the folder that you are in") from error
    except (OSError, Unreadable) as error:
        raise ConfigError(f"{path} cannot be read: {error}", advice) from error


def parse_toml(text: str, source: str, model: type[Model]) -> TomlFile[Model]:
    """Parses a text as read_toml does a file. source: its name in messages."""
    try:
        return TomlFile(model.model_validate(foreign.writable(tomllib.loads(text))), text, source)
    except ValidationError as error:
        raise not_valid(error.errors()[0], text, source, model) from error
    except (ValueError, RecursionError) as error:  # also for numbers and tables that Python does not take
        raise ConfigError(f"{source} is not TOML: {error}", "fix that line") from error


# --- what is wrong -------------------------------------------------------------------------------------------------


def not_valid(error: ErrorDetails, text: str, source: str, model: type[BaseModel]) -> ConfigError:
    """Returns the first error that pydantic reports, in the user's words."""
    place = place_of(error, model)
    fields = table_model(model, place.table) if place.key and place.table else model
    begin = where(source, text, place, with_key=False)
    name, value = place.key or place.table, repr(error["input"])
    if error["type"] == "extra_forbidden":
        return unknown(place, begin, fields)
    if error["type"] == "missing":
        what = f"{begin} has no {name}" if place.key else f"{source}: has no table [{name}]"
        return ConfigError(what, to_write(fields, name) or "add it; `harness init` writes a complete example")
    if error["type"] == "literal_error":
        words = re.findall(r"'([^']*)'", str(error.get("ctx", {}).get("expected", "")))
        return ConfigError(f"{begin} {name}: {value} cannot be used", nearest(error["input"], words, "write one of"))
    return ConfigError(f"{begin} {name}: {value} cannot be used", to_write(fields, name) or error["msg"].lower())


def unknown(place: Place, begin: str, fields: type[BaseModel] | None) -> ConfigError:
    """Returns the error for a key or a table that the model does not have."""
    if place.key:
        return ConfigError(f"{begin} unknown key {place.key!r}", nearest(place.key, keys_of(fields), "the keys are"))
    message = f"{begin.removesuffix(str(place))}unknown table {place}"
    return ConfigError(message, nearest(place.table, keys_of(fields), "known are"))


def place_of(error: ErrorDetails, model: type[BaseModel]) -> Place:
    """Returns where pydantic found the error."""
    first, *rest = error["loc"]
    table = str(first)
    if (inner := table_model(model, table)) is None:
        is_table = error["type"] == "extra_forbidden" and (isinstance(error["input"], dict) or tables(error["input"]))
        return Place(table) if is_table else Place("", table)
    if is_named(model, table) and len(rest) > 1:  # [heads.NAME], and what lies in it
        within = place_of({**error, "loc": tuple(rest[1:])}, inner)
        return Place(".".join(filter(None, (table, str(rest[0]), within.table))), within.key)
    if not is_array(model, table):
        return Place(table, str(rest[0]) if rest else "")
    if not rest:  # rule = 3
        return Place("", table)
    index, *rest = rest
    return Place(table, str(rest[0]) if rest else "", int(index))


def tables(value: object) -> bool:
    """Returns whether the value is what TOML makes of [[tables]]."""
    return isinstance(value, list) and bool(value) and all(isinstance(each, dict) for each in value)


def field_of(model: type[BaseModel] | None, key: str) -> FieldInfo | None:
    return next((f for n, f in model.model_fields.items() if key in (n, f.alias)), None) if model else None


def table_model(model: type[BaseModel], table: str) -> type[BaseModel] | None:
    """Returns the model of a table, or of each table of an array; None where that key is not a table."""
    field = field_of(model, table)
    kinds = [field.annotation, *getattr(field.annotation, "__args__", ())] if field else []
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)


def is_array(model: type[BaseModel], table: str) -> bool:
    """Returns whether there may be several tables of this name: [[rule]]."""
    field = field_of(model, table)
    return field is not None and getattr(field.annotation, "__origin__", None) is list


def is_named(model: type[BaseModel], table: str) -> bool:
    """Returns whether there may be several tables in it, each of a name of the user's: [heads.NAME]."""
    field = field_of(model, table)
    return field is not None and getattr(field.annotation, "__origin__", None) is dict


def keys_of(model: type[BaseModel] | None) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()] if model else []


def to_write(model: type[BaseModel] | None, key: str) -> str:
    """Returns "write …", or "" where the model does not say what to write."""
    field = field_of(model, key)
    return f"write {field.description}" if field and field.description else ""


# --- where it stands -----------------------------------------------------------------------------------------------


def where(source: str, text: str, place: Place, with_key: bool = True) -> str:
    """Returns "experiment.toml:7: [data] labels". with_key False: the same line, without the key's name."""
    shown = place if with_key else Place(place.table, "", place.index)
    return f"{source}:{line_of(text, place)}: {shown}".rstrip()


def line_of(text: str, place: Place) -> int:
    """Returns the line, from 1, of a key in a table; where it is not found, that of the table, or the first."""
    lines = text.splitlines()
    first, last = table_lines(lines, place)
    # A key begins its line, or stands in an inline table: data = {test = "x.npz"}.
    pattern = re.compile(rf"""(?:.*[{{,])?\s*["']?{re.escape(place.key)}["']?\s*=""")
    return 1 + next((n for n in range(first, last) if place.key and pattern.match(lines[n])), first)


def table_lines(lines: list[str], place: Place) -> tuple[int, int]:
    """Returns the first line of a table, and the first one after it.
    An inline table is among the lines above all tables.
    """
    headers = [(n, match[1].strip("\"'")) for n, line in enumerate(lines) if (match := _HEADER.match(line))]
    ends = [n for n, _ in headers] + [len(lines)]
    starts = [n for n, name in headers if name == place.table]
    if len(starts) > (place.index or 0):
        first = starts[place.index or 0]
        return first, min(n for n in ends if n > first)
    inline = re.compile(rf"""\s*["']?{re.escape(place.table)}["']?\s*=""")
    return next((n for n in range(ends[0]) if place.table and inline.match(lines[n])), 0), ends[0]
