"""targets/<name>.toml, or any ssh destination → Target. `host` exists without a file."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, PositiveInt

from harness.errors import ConfigError
from harness.measure.connections import KINDS
from harness.measure.runtimes import check_runtimes
from harness.records import Target
from harness.support.cache import cache_dir
from harness.support.format import nearest
from harness.support.toml import read_toml

NotNegative = Annotated[FiniteFloat, Field(ge=0)]  # a device would wait for ever for a chip as cool as nan


class TargetFile(BaseModel):
    """What a user may write in targets/<name>.toml; an unknown key is an error. What is not written is as in Target."""

    model_config = ConfigDict(extra="forbid")

    kind: str
    host: str | None = None
    ssh_config: str | None = None
    user: str | None = None
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    identity_file: str | None = None
    workdir: str | None = None
    runtimes: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    threads: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] | None = None
    start_temperature_c: NotNegative | None = None
    cooldown_timeout_s: NotNegative | None = None
    emulated: bool | None = None
    labels: tuple[str, ...] | None = None


def host() -> Target:
    return Target("host", workdir=local_workdir())


def local_workdir() -> str:
    return str(cache_dir() / "device")


def known_targets(folder: Path) -> dict[str, Target]:
    """The targets described in the folder, by name; host is always among them."""
    return {name: target_of(path) for name, path in described(folder).items()}


def described(folder: Path) -> dict[str, Path | None]:
    """Name → file; None for host where it has none."""
    return {"host": None} | {path.stem: path for path in sorted(folder.glob("*.toml"))}


def target_of(path: Path | None) -> Target:
    return read_target(path) if path else host()


def read_target(path: Path) -> Target:
    """Raises ConfigError with the file, the line, the key and what is wrong with it."""
    file = read_toml(path, TargetFile)
    written = file.content
    if written.kind not in KINDS:
        raise ConfigError(
            f"{file.where(key='kind')}: {written.kind!r} cannot be used", nearest(written.kind, KINDS, "write one of")
        )
    try:
        runtimes = {"runtimes": check_runtimes(written.runtimes)} if written.runtimes else {}
    except ConfigError as error:
        raise ConfigError(f"{file.where(key='runtimes')}: {error}", error.advice) from error
    if re.match(r"~[^/]", written.workdir or ""):
        where = file.where(key="workdir")
        raise ConfigError(f"{where}: {written.workdir}: ~user paths are not supported", "write ~/… or /…")
    workdir = {"workdir": local_workdir()} if KINDS[written.kind].is_this_machine else {}
    return Target(path.stem, **workdir | written.model_dump(exclude_none=True) | runtimes)


def select_targets(patterns: tuple[str, ...], folder: Path) -> tuple[Target, ...]:
    """The targets that the names or globs ask for, in order, each once; () is host. Other files are not read.

    Raises ConfigError.
    """
    known = described(folder)
    chosen: dict[str, Target] = {}
    for pattern in patterns or ("host",):
        found = {name: target_of(path) for name, path in known.items() if fnmatchcase(name, pattern)}
        if not found and is_destination(pattern):
            found = {pattern: Target(safe_name(pattern), kind="ssh", host=pattern)}
        if not found:
            known_ones = f"known targets: {', '.join(known)}; an ssh destination needs a user@, or a Host in ssh_config"
            raise ConfigError(f"there is no target {pattern!r}", known_ones)
        for key, target in found.items():
            if chosen.setdefault(key, target).name in {t.name for k, t in chosen.items() if k != key}:
                raise ConfigError(f"two of the targets would be called {target.name}", "describe one in targets/")
    return tuple(chosen.values())


def is_destination(text: str) -> bool:
    """Whether ssh is meant: user@host, ssh://…, a dotted name, or a Host of the user's ssh_config."""
    if text.startswith("-") or re.search(r"[\s*?\[\]]", text) or "/" in text.removeprefix("ssh://"):
        return False
    if re.search(r"[@.:]", text):
        return bool(safe_name(text))
    if shutil.which("ssh") is None:
        return False
    done = subprocess.run(["ssh", "-G", "--", text], capture_output=True, text=True, check=False)
    return f"\nhostname {text}\n".lower() not in f"\n{done.stdout}".lower() and done.returncode == 0


def cli_name(target: Target) -> str:
    """What a user types for the target: its name, or the destination that it was asked for by. Quoted for a shell."""
    by_destination = target.host is not None and safe_name(target.host) == target.name
    return shlex.quote(target.host if by_destination and target.host else target.name)


def safe_name(destination: str) -> str:
    """pi@raspberrypi.local → pi-raspberrypi.local: what may name a folder."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", destination.removeprefix("ssh://")).strip("-.")[:64]
