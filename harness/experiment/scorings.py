"""How outputs are scored, as it is said in Python: once, or in dicts by the names of outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from numbers import Real
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from pydantic import TypeAdapter, ValidationError

from harness.detection.decoders import checked
from harness.detection.points import checked_points
from harness.errors import ConfigError
from harness.metrics import transcripts
from harness.records import Detection, Keypoints, Scoring, Transcription

Way = TypeVar("Way", Detection, Keypoints, Transcription)
HINTS = {
    "size": "(height, width) of the picture as the model takes it",
    "alphabet": "the characters in the order of the model's classes without the blank, or a list of texts",
}


def scorings_of(said: Mapping[str, Any], output: str = "") -> tuple[Scoring, dict[str, Scoring]]:
    """Returns how the run is scored, and its outputs by name where anything is said of them so.

    said: primary, others, ignore, detection, keypoints and transcription, as harness.evaluate() takes them. output: the
    name of the scored one. Raises ConfigError.
    """
    plain = {field: given for field, given in said.items() if not isinstance(given, Mapping)}
    by_output: dict[str, dict[str, Any]] = {}
    for field, given in said.items():
        for name, own in given.items() if isinstance(given, Mapping) else ():
            by_output.setdefault(str(name), {})[field] = own
    return scoring(plain, output), {name: scoring(own, name, f" of output {name}") for name, own in by_output.items()}


def scoring(said: Mapping[str, Any], output: str, where: str = "") -> Scoring:
    """Returns how one output is scored. where: for messages, which one it is. Raises ConfigError."""
    found = {name: way(said[name], f"{name}{where}") for name, way in WAYS.items() if said.get(name) is not None}
    if len(found) > 1:
        message = f"labels{where} are boxes, points or texts, and not several of them"
        raise ConfigError(message, "give one of detection, keypoints and transcription")
    primary, others, ignore = said.get("primary"), as_names(said.get("others", ())), said.get("ignore")
    if wrong := [name for name in (primary or "", *others) if not isinstance(name, str)]:
        message = f"{wrong[0]!r} is no name of a metric{where}"
        raise ConfigError(message, 'give names: primary="mae"; one of your own is "package.module:function"')
    if isinstance(ignore, bool) or not isinstance(ignore, Real | None):
        raise ConfigError(f"ignore{where} is {ignore!r}", "give the label of the pixels that have none, a number")
    return Scoring(primary, others, output, Path.cwd(), ignore=None if ignore is None else float(ignore), **found)


def as_names(given: Any) -> tuple[Any, ...]:
    return tuple(given) if isinstance(given, list | tuple | set) else (given,)


def of_boxes(given: object, where: str) -> Detection:
    return checked(well_formed(given, Detection, where), where)


def of_points(given: object, where: str) -> Keypoints:
    return checked_points(well_formed(given, Keypoints, where), where)


def of_texts(given: object, where: str) -> Transcription:
    return transcripts.checked(well_formed(given, Transcription, where), where)


WAYS: dict[str, Callable[[object, str], Any]] = {
    "detection": of_boxes,
    "keypoints": of_points,
    "transcription": of_texts,
}


def well_formed(given: object, kind: type[Way], where: str) -> Way:
    """Returns what was given, its lists and arrays as tuples. Raises ConfigError where it, or a field of it, is of
    another kind.
    """
    if not isinstance(given, kind):
        raise ConfigError(f"{where} is {given!r}", f"give a harness.{kind.__name__}(…)")
    try:
        made: Way = TypeAdapter(kind).validate_python({name: plain(name, value) for name, value in vars(given).items()})
    except ValidationError as error:
        name = str(error.errors()[0]["loc"][0])
        written = next(str(field.type) for field in fields(kind) if field.name == name)
        message = f"{where}: {name} is {getattr(given, name)!r}"
        raise ConfigError(message, f"give {HINTS.get(name, f'what fits {written}')}") from error
    return made


def plain(name: str, value: object) -> object:
    """Returns an array as lists, and an alphabet that is one text as its characters."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return tuple(value) if name == "alphabet" and isinstance(value, str) else value
