"""harness clean: makes room, and says what it removed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.command_results import Results

UNUSED_DAYS = 30.0
DRY = "say what would be removed, and remove nothing"


def clean(
    unused: Annotated[float, typer.Option(min=0, metavar="DAYS", help="builds not used for so long")] = UNUSED_DAYS,
    dry_run: Annotated[bool, typer.Option("--dry-run", help=DRY)] = False,
    results: Results = Path("results"),
) -> None:
    """Remove what no run needs: builds that were not used for long, and what killed processes left. Never a run."""
    from harness.cli.output import write
    from harness.support.cache import cache_dir
    from harness.support.files import naming, telling_disk
    from harness.support.format import plural
    from harness.support.unneeded import remove, unneeded

    count, frees_bytes = 0, 0
    for each in unneeded(cache_dir(), results, unused):
        if not dry_run:
            with telling_disk(), naming(each.path):
                remove(each.path)
        write(f"{each.path}  {each.why}  {each.frees_bytes / 1e6:.1f} MB")
        count, frees_bytes = count + 1, frees_bytes + each.frees_bytes
    did = "would be removed" if dry_run else "removed"
    write(f"{plural(count, 'thing')} {did}, {frees_bytes / 1e6:.1f} MB." if count else "There is nothing to remove.")


COMMANDS = (clean,)
