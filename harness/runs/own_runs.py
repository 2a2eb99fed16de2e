"""Which runs this user began on this machine: what those name, such as code or an ssh_config, the user has chosen.

$XDG_STATE_HOME/edge-harness/own-runs holds a hash a run, of its id and of all that it names. It lies outside of the
runs, so a folder from elsewhere cannot say of itself that it is trusted; nor can one that was changed afterwards.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from harness.errors import ConfigError, Unreadable
from harness.support.foreign import read_text
from harness.support.text import harmless

if TYPE_CHECKING:
    from harness.records import Target
    from harness.runs.header import Header


def own_runs() -> Path:
    return platformdirs.user_state_path("edge-harness") / "own-runs"


def note_own(header: Header) -> None:
    """Notes that this user began the run. Without a home that can be written, the run goes on, and needs --trust."""
    file = own_runs()
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with file.open("a", encoding="ascii") as opened:
            opened.write(fingerprint_of(header) + "\n")


def is_own(header: Header) -> bool:
    try:
        return fingerprint_of(header) in read_text(own_runs()).split()
    except (OSError, Unreadable):
        return False


def fingerprint_of(header: Header) -> str:
    """Returns the hash of the run's id and of what would be executed or followed: its own metrics, its devices."""
    scoring, targets = header.scoring, [asdict(record.target) for record in header.targets]
    named = [header.run_id, scoring.primary, scoring.others, str(scoring.folder), list(map(asdict, scoring.declared))]
    if header.heads:
        named.append(json.dumps([asdict(head.scoring) for head in header.heads.values()], sort_keys=True, default=str))
    for decoder, folder in scoring.own_decoders:
        named += [decoder, str(folder)]
    return hashlib.sha256(json.dumps([*named, targets], sort_keys=True).encode()).hexdigest()


def check_trusted(header: Header, trust: bool) -> None:
    """Raises ConfigError where a run would be measured that is neither this user's nor trusted."""
    if trust or is_own(header):
        return
    devices = ", ".join(reached(record.target) for record in header.targets)
    told = f"run {header.run_id} was not begun by you on this machine: its models would run, on {devices}"
    advice = (
        "add --trust where you know who made it: this command then runs what the run names, its code and its devices"
    )
    raise ConfigError(told, advice)


def reached(target: Target) -> str:
    by = f", by {target.ssh_config}" if target.ssh_config else ""
    return str(harmless(f"{target.name} ({target.kind} {target.host or target.workdir}{by})"))
