"""targets/<name>.toml → Target. `host` exists without a file."""

from __future__ import annotations

import tomllib
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from harness.cache import cache_dir
from harness.errors import ConfigError
from harness.records import Target


class TargetFile(BaseModel):
    """What a user may write in targets/<name>.toml; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["local", "ssh", "replay"]
    host: str | None = None
    workdir: str = "~/.cache/edge-harness"
    runtimes: tuple[str, ...] = ("ai-edge-litert", "tflite-runtime")
    threads: tuple[int, ...] = (1,)
    start_temperature_c: float = 60.0
    cooldown_timeout_s: float = 120.0
    emulated: bool = False
    labels: tuple[str, ...] = ()


def host() -> Target:
    return Target("host", workdir=str(cache_dir() / "device"))


def known_targets(folder: Path) -> dict[str, Target]:
    """The targets described in the folder, by name; host is always among them."""
    described = {path.stem: read_target(path) for path in sorted(folder.glob("*.toml"))}
    return {"host": host()} | described


def read_target(path: Path) -> Target:
    """Raises ConfigError with the file, the key and what is wrong with it."""
    try:
        file = TargetFile.model_validate(tomllib.loads(path.read_text()))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is no TOML: {error}", "mend that line") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        known = ", ".join(TargetFile.model_fields)
        raise ConfigError(f"{path}: {key}: {first['msg']}", f"the keys are {known}") from error
    return Target(path.stem, **file.model_dump())


def select_targets(patterns: tuple[str, ...], folder: Path) -> tuple[Target, ...]:
    """The targets that the names or globs ask for, in order, each once; () is host. Raises ConfigError."""
    known = known_targets(folder)
    chosen: dict[str, Target] = {}
    for pattern in patterns or ("host",):
        found = {name: target for name, target in known.items() if fnmatchcase(name, pattern)}
        if not found:
            raise ConfigError(f"there is no target {pattern!r}", f"known targets: {', '.join(known)}")
        chosen |= found
    return tuple(chosen.values())
