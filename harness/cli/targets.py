"""harness targets: the devices known here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def targets(
    targets_dir: Annotated[Path, typer.Option(help="where devices are described")] = Path("targets"),
    json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """The devices known here: host, and every targets/*.toml."""
    from dataclasses import asdict

    from harness.cli.output import print_json, stdout
    from harness.cli.tables import targets_table
    from harness.targets import known_targets

    known = list(known_targets(targets_dir).values())
    if json:
        print_json([asdict(target) for target in known])
    else:
        stdout().print(targets_table(known))


COMMANDS = (targets,)
