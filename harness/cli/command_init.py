"""harness init: files to start from."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer


def init(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="where they go; created if missing")] = Path(),
) -> None:
    """Write a commented experiment.toml, policy.toml and targets/ to start from; they run as they are."""
    from harness.cli.output import say, write
    from harness.errors import ConfigError

    starter = Path(__file__).parents[1] / "experiment" / "starter"
    files = sorted(p for p in starter.rglob("*") if p.suffix in (".toml", ".py"))
    taken = [folder / p.relative_to(starter) for p in files if (folder / p.relative_to(starter)).exists()]
    if taken:
        raise ConfigError(f"{taken[0]} already exists", "nothing was written; give another folder, or move it")
    for path in files:
        target = folder / path.relative_to(starter)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
        write(str(target))
    say("next: " + ("" if folder == Path() else f"cd {shlex.quote(str(folder))} && ") + "harness run experiment.toml")


COMMANDS = (init,)
