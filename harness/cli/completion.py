"""What a shell offers behind the cursor: names of runs, experiments, variants, targets. Nothing heavy is loaded."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import typer


def runs(context: typer.Context, incomplete: str) -> list[str]:
    """`latest` and the ids of the stored runs, newest first."""
    folder = Path(context.params.get("results") or "results")
    stored = sorted((path.parent.name for path in folder.glob("*/[!.]*/run.json")), reverse=True)
    return beginning(incomplete, dict.fromkeys(["latest", *stored]))


def experiments(incomplete: str) -> list[str]:
    """The built-in ones, and the TOML files here and one folder below."""
    from harness.build.workloads import WORKLOADS

    return beginning(incomplete, (*WORKLOADS, *map(str, sorted((*Path().glob("*.toml"), *Path().glob("*/*.toml"))))))


def variants(incomplete: str) -> list[str]:
    """The recipes, or after a `!` what is left out."""
    from harness.build.variants import RECIPES

    return beginning(incomplete, [f"{'!' * incomplete.startswith('!')}{name}" for name in RECIPES])


def targets(context: typer.Context, incomplete: str) -> list[str]:
    """host, and what is described in the folder."""
    folder = Path(context.params.get("targets_dir") or "targets")
    return beginning(incomplete, dict.fromkeys(["host", *(path.stem for path in sorted(folder.glob("*.toml")))]))


def plans(incomplete: str) -> list[str]:
    from harness.experiment.plans import PLANS

    return beginning(incomplete, PLANS)


def formats(incomplete: str) -> list[str]:
    from harness.report import FORMATS

    return beginning(incomplete, FORMATS)


def orders(incomplete: str) -> list[str]:
    from harness.records.terms import SEARCH_ORDERS

    return beginning(incomplete, SEARCH_ORDERS)


def tasks(incomplete: str) -> list[str]:
    from harness.experiment.starters import STARTERS

    return beginning(incomplete, STARTERS)


def printing(incomplete: str) -> list[str]:
    """The commands that print JSON."""
    from harness.cli.schemas import SCHEMAS

    return beginning(incomplete, SCHEMAS)


def beginning(incomplete: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]
