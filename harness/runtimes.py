"""Which TFLite runtimes exist for which Python: a combination that never did is unsupported, not a failure."""

from __future__ import annotations

from collections.abc import Iterable

from harness.device.engines import ENGINES
from harness.errors import ConfigError

LAST_PYTHON = {"tflite-runtime": (3, 11)}  # its last release, 2.14.0, has wheels up to cp311


def exists_for(runtime: str, python: str | None) -> bool:
    """Whether anyone ever published this runtime for this Python ("3.13.0"); unknown counts as yes."""
    if python is None or runtime not in LAST_PYTHON:
        return True
    major, minor = (int(part) for part in python.split(".")[:2])
    return (major, minor) <= LAST_PYTHON[runtime]


def check_runtimes(names: Iterable[str]) -> tuple[str, ...]:
    """The names, each once, in order. Raises ConfigError for one that no engine answers to."""
    for name in names:
        if name not in ENGINES:
            raise ConfigError(f"there is no runtime {name!r}", f"the runtimes are {', '.join(ENGINES)}")
    return tuple(dict.fromkeys(names))
