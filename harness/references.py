"""results/<experiment>/reference.json: the run that an experiment's next ones stand against. Small, to be committed.

It holds the run's id and where its folder lies; the folder itself has to be brought along.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

from harness import __version__
from harness.errors import ConfigError, StoreError
from harness.store import Store, read_header, write_atomically

NAME = "reference.json"
SCHEMA_VERSION = 1


def accept(store: Store, run: str) -> Path:
    """Makes a run the reference of its experiment; returns the file that says so. Raises ConfigError, StoreError."""
    path = store.find(run)
    header = read_header(path)
    if not header.finished:
        raise ConfigError(f"{header.run_id} is not finished", f"harness run --resume {header.run_id}")
    target = store.root / header.experiment / NAME
    content = {
        "schema_version": SCHEMA_VERSION,
        "run_id": header.run_id,
        "path": Path(os.path.relpath(path, target.parent.resolve())).as_posix(),  # from this file's folder
        "hashes": header.hashes,
        "accepted": datetime.now(UTC).isoformat(timespec="seconds"),
        "harness": __version__,
    }
    return write_atomically(target, json.dumps(content, indent=1).encode() + b"\n")


def accepted(store: Store, experiment: str) -> Path | None:
    """The folder of the experiment's reference, None where there is none. Raises StoreError."""
    file = store.root / experiment / NAME
    if not file.exists():
        return None
    try:
        content = json.loads(file.read_text("utf-8"))
        path, run_id = file.parent / str(content["path"]), str(content["run_id"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{file} cannot be read: {error}", "`harness accept RUN` writes it again") from error
    if not (path / "run.json").exists():
        advice = f"bring that folder to {path}, give --reference RUN, or `harness accept` another"
        raise StoreError(f"the reference of {experiment}, run {run_id}, is not here", advice)
    return path.resolve()
