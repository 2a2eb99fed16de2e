"""results/<experiment>/reference.json: the run that an experiment's next ones stand against. Small, to be committed.

It holds the ids of that run and of its further sessions, where their folders lie, and the hashes of their manifests;
the folders have to be brought along. A session is a run of the same models on another occasion: five of them show how
much sessions differ. A run that was changed after it was accepted, and sealed anew, has another manifest.

History of the schema (schema_version):
    1   one run: run_id, path (from this file's folder), hashes, accepted, harness
    2   sessions: run_id and path of each further one
    3   manifest, of the reference and of each session: the hash of its manifest.json
    4   earlier: what was accepted before, for `harness trend`
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from pydantic import TypeAdapter

from harness import __version__
from harness.errors import ConfigError, StoreError
from harness.runs.header import Header, read_header
from harness.runs.loading import check_seal
from harness.runs.seal import MANIFEST, has_seal, manifest_sha256
from harness.runs.store import Store
from harness.support.files import write_json
from harness.support.foreign import read_json, valid
from harness.support.format import listed, plural
from harness.support.locks import locked

NAME = "reference.json"
SCHEMA_VERSION = 4
BRING_BACK = "bring the accepted run back, or take it as it is now: `{}`"
NOT_SEALED = (
    "{file} does not hold the seal of {runs}, since an older version accepted it: that the run was changed and "
    "sealed anew would not be noticed; `{again}` takes them as they are now"
)
OR_BEGIN = (
    "or move it away: `harness accept RUN` then begins a new one, which knows nothing of the runs accepted before"
)
LONGEST_S = 30.0  # another process has the file for a moment, that in which it hashes the runs that it adds


@dataclass(frozen=True)
class Session:
    """A stored run."""

    run_id: str
    path: str  # of its folder, from the folder of reference.json
    manifest: str = ""  # the hash of its manifest.json; "" where none was kept, or the run has none


@dataclass(frozen=True)
class Accepted:
    """What reference.json holds."""

    run_id: str
    path: str
    hashes: dict[str, str]  # of the reference itself, as in its run.json
    accepted: str  # when, ISO 8601, UTC
    harness: str  # the version that accepted it
    sessions: tuple[Session, ...] = ()
    manifest: str = ""  # as in Session
    earlier: tuple[Session, ...] = ()  # references and sessions of before, the oldest first
    schema_version: int = SCHEMA_VERSION

    @property
    def proper(self) -> Session:
        return Session(self.run_id, self.path, self.manifest)

    @property
    def every(self) -> tuple[Session, ...]:
        """Returns each run that was ever accepted, once: as it was accepted last."""
        found = {session.run_id: session for session in (*self.earlier, self.proper, *self.sessions)}
        return tuple(found.values())


_ACCEPTED = TypeAdapter(Accepted)


def accept(store: Store, runs: Sequence[str]) -> Path:
    """Makes the first run the reference of its experiment, and the others its further sessions.

    Returns the file that says so. Raises ConfigError, StoreError.
    """
    path, *further = (store.find(run) for run in runs)
    header = acceptable(path)
    file = store.root / header.experiment / NAME
    now = datetime.now(UTC).isoformat(timespec="seconds")
    proper = session_of(path, header, file)
    reference = Accepted(proper.run_id, proper.path, header.hashes, now, __version__, manifest=proper.manifest)
    with changing(file):
        return write(file, with_sessions(replace(reference, earlier=accepted_before(file)), further, file))


def accepted_before(file: Path) -> tuple[Session, ...]:
    """Returns what reference.json knows of; () where there is none.

    Raises StoreError where it cannot be read: it is not written over, since it is all that says what was accepted.
    """
    return read(file).every if os.path.lexists(file) else ()


def ever_accepted(store: Store, experiment: str, say: Callable[[str], None]) -> tuple[Path, ...]:
    """Returns the folders of all runs that were ever accepted, newest first. say: is told which are not here.

    Raises ConfigError where none was, StoreError where one is not what was accepted.
    """
    file = store.root / experiment / NAME
    if not file.exists():
        raise ConfigError(
            f"no run of {experiment} was accepted", "`harness accept RUN`, or --all for every finished run"
        )
    reference = read(file)
    here = [session for session in reference.every if (file.parent / session.path / "run.json").exists()]
    if gone := [session.run_id for session in reference.every if session not in here]:
        say(f"{plural(len(gone), 'accepted run')} not here: {listed(gone)}")
    paths = [present(session, reference, file) for session in here]
    return tuple(sorted(paths, key=lambda path: path.name, reverse=True))


def add(store: Store, runs: Sequence[str]) -> Path:
    """Adds sessions to the reference of their experiment. Returns its file. Raises ConfigError, StoreError."""
    paths = [store.find(run) for run in runs]
    experiment = acceptable(paths[0]).experiment
    file = store.root / experiment / NAME
    if not file.exists():
        raise ConfigError(f"{experiment} has no reference to add to", "`harness accept RUN` makes a run the reference")
    with changing(file):  # read inside: another may have added a session a moment ago
        return write(file, with_sessions(read(file), paths, file))


def changing(file: Path) -> AbstractContextManager[None]:
    """Holds a reference file while it is read and written again. Raises StoreError, FileNotFoundError."""
    file.parent.mkdir(parents=True, exist_ok=True)
    return locked(file.with_name(f".{NAME}.lock"), str(file), wait_s=LONGEST_S)


def accepted_runs(store: Store, experiment: str, say: Callable[[str], None]) -> tuple[Path, ...]:
    """Returns the folders of the experiment's reference and of its further sessions; () where there is none.

    say: is told which of them are not known by their manifest. Raises StoreError where one is not what was accepted.
    """
    file = store.root / experiment / NAME
    if not file.exists():
        return ()
    reference = read(file)
    sessions = (reference.proper, *reference.sessions)
    paths = tuple(present(session, reference, file) for session in sessions)
    if read_header(paths[0]).hashes != reference.hashes:
        message = f"run {reference.run_id} in {paths[0]} is not what was accepted: its model or its data are others"
        raise StoreError(message, BRING_BACK.format(accepting(reference)))
    if unsealed := [s.run_id for s, path in zip(sessions, paths, strict=True) if not s.manifest and has_seal(path)]:
        say(NOT_SEALED.format(file=file, runs=listed(unsealed), again=accepting(reference)))
    return paths


def accepting(reference: Accepted) -> str:
    """The command that accepts the reference and all its sessions once more, as they are now."""
    return f"harness accept {' '.join([reference.run_id, *(session.run_id for session in reference.sessions)])}"


def present(session: Session, reference: Accepted, file: Path) -> Path:
    """The folder of the reference or of one of its sessions. Raises StoreError where it is not what was accepted."""
    path, experiment = file.parent / session.path, file.parent.name
    if not (path / "run.json").exists():
        advice = f"bring that folder to {path}, give --reference RUN, or `harness accept` another"
        raise StoreError(f"the reference of {experiment}, run {session.run_id}, is not here", advice)
    if (run_id := read_header(path).run_id) != session.run_id:
        message = f"{path} holds run {run_id}, and the reference of {experiment} is run {session.run_id}"
        raise StoreError(message, "bring the accepted run back, give --reference RUN, or `harness accept` another")
    if session.manifest and manifest_sha256(path) != session.manifest:
        message = f"run {run_id} in {path} is not what was accepted: it was changed since, its {MANIFEST} is another"
        raise StoreError(message, BRING_BACK.format(accepting(reference)))
    return path.resolve()


def with_sessions(reference: Accepted, paths: Sequence[Path], file: Path) -> Accepted:
    """Returns the reference with these runs among its sessions, each once.
    Raises ConfigError where one measured none of its models.
    """
    proper = acceptable(present(reference.proper, reference, file))
    sessions = {session.run_id: session for session in reference.sessions}
    for path in paths:
        header = acceptable(path)
        if header.experiment != proper.experiment:
            message = f"{header.run_id} is of {header.experiment}, and the reference of {proper.experiment}"
            raise ConfigError(message, "the sessions of a reference are runs of one experiment")
        if not models(header) & models(proper):
            message = f"{header.run_id} measured none of the models of {proper.run_id}: every .tflite file is another"
            raise ConfigError(message, "sessions are runs of the same models; `harness run` builds none of them anew")
        if header.run_id != proper.run_id:
            sessions[header.run_id] = session_of(path, header, file)
    return replace(reference, sessions=tuple(sessions.values()), schema_version=SCHEMA_VERSION)


def acceptable(path: Path) -> Header:
    """Returns the run's header. Raises ConfigError where nothing can stand against it, StoreError where it changed."""
    header = read_header(path)
    check_seal(path, header)
    if not header.finished:
        raise ConfigError(f"{header.run_id} is not finished", f"harness run --resume {header.run_id}")
    if not header.plan.accuracy:
        message = f"{header.run_id} timed a reference again beside a candidate, and measured no accuracy"
        raise ConfigError(message, "accept a run of its own")
    return header


def models(header: Header) -> set[str]:
    return {variant.sha256 for variant in header.variants if variant.sha256}


def session_of(path: Path, header: Header, file: Path) -> Session:
    return Session(header.run_id, Path(os.path.relpath(path, file.parent.resolve())).as_posix(), manifest_sha256(path))


def read(file: Path) -> Accepted:
    try:
        content = read_json(file)
        if content["schema_version"] > SCHEMA_VERSION:
            raise StoreError(f"{file} was written by a newer harness", f"upgrade edge-harness; {OR_BEGIN}")
        reference = valid(content, _ACCEPTED)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(
            f"{file} cannot be read: {error}", f"bring it back, as from your repository; {OR_BEGIN}"
        ) from error
    return reference


def write(file: Path, content: Accepted) -> Path:
    return write_json(file, asdict(content))
