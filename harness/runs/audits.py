"""A stored run while it is audited (`harness audit`): what was found is kept target by target, and what came back piece
by piece, so that an audit that was interrupted goes on.

    audits/<audit-id>/audit.json      AuditResult: what was asked, and what was found so far
    audits/<audit-id>/<target>/       what came back of the target under way
    audits/<audit-id>/<target>.zip    the same of one that was audited
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from shutil import rmtree

from pydantic import TypeAdapter

from harness import __version__
from harness.errors import ConfigError, StoreError
from harness.measure.jobs import Watcher
from harness.measure.patience import connect_when_free
from harness.measure.same_device import check_same_device, identity_of
from harness.measure.selftest.audit_result import MARGIN, ROUNDS, AuditResult, Terms
from harness.measure.selftest.run_audit import Audit, chosen_cases
from harness.measure.selftest.twins import pack
from harness.records.names import row_name
from harness.runs.header import new_run_id, read_header
from harness.runs.loading import load, read_dataset
from harness.runs.own_runs import check_trusted
from harness.runs.record import measuring
from harness.runs.store import Store
from harness.statistics.stats import CLAIM_ROUNDS
from harness.support.files import telling_disk, write_json
from harness.support.foreign import read_valid

AUDITS, FOUND = "audits", "audit.json"
LATEST = "latest"
MOST_ROUNDS = 200
_RESULT = TypeAdapter(AuditResult)


class Audited:
    """A stored run of which something is to be audited."""

    def __init__(self, store: Store, run: str) -> None:
        """Raises StoreError; ConfigError where this user did not begin the run, and does not trust it."""
        self.path = store.find(run)
        self.header = read_header(self.path)
        check_trusted(self.header, store.trust)
        self.run = load(self.path, store.trust)
        self.dataset = read_dataset(self.path, self.header)

    def begun(self, terms: Terms, targets: tuple[str, ...], variants: tuple[str, ...]) -> AuditResult:
        """An audit in which nothing is measured yet. Raises ConfigError where nothing can be audited."""
        chosen, left_out = chosen_cases(self.run, targets, variants)
        notes = tuple(f"{row_name(case)} is not audited: {why}" for case, why in left_out.items())
        date = datetime.now(UTC).isoformat(timespec="seconds")
        about = (new_run_id(), self.run.run_id, date, __version__, terms)
        return AuditResult(*about, (), (), notes, self.run.unsealed, tuple(chosen), finished=False)

    def reopened(self, audit: str) -> AuditResult:
        """One that was interrupted, by its id; latest: the newest. Raises StoreError where none of them can go on."""
        every = (read_audit(file) for file in sorted((self.path / AUDITS).glob(f"*/{FOUND}")))
        kept = {result.audit_id: result for result in every if not result.finished}
        name = max(kept, default="") if audit == LATEST else audit
        if name not in kept:
            told = f"run {self.run.run_id} has no unfinished audit {audit}"
            raise StoreError(told, f"those that are: {', '.join(kept)}" if kept else "audit it anew, without --resume")
        result = kept[name]
        about = (result.run_id, result.harness)
        if about != (self.run.run_id, __version__) or not {*result.cases} <= {*self.run.cases}:
            told = f"audit {name} is of another run, or of another version of the harness, whose jobs may be others"
            raise StoreError(told, "audit it anew, without --resume")
        note = "it was interrupted, so its rounds are of several sessions; each round is of one"
        return result if note in result.notes else replace(result, notes=(*result.notes, note))

    @telling_disk()
    def measured(self, result: AuditResult, wait_s: float, watcher: Watcher, say: Callable[[str], None]) -> AuditResult:
        """Audits the targets that are not yet, and keeps what is found after each. Raises TargetError."""
        with measuring(self.path):
            for name in dict.fromkeys(case.target for case in result.cases):
                if name not in result.audited:
                    result = self.with_target(result, name, wait_s, watcher, say)
                self.put_away(result, name)
            return self.keep(replace(result, finished=True))

    def with_target(
        self, result: AuditResult, name: str, wait_s: float, watcher: Watcher, say: Callable[[str], None]
    ) -> AuditResult:
        known = self.run.target(name)
        own = Audit(self.run, self.dataset, known, [c for c in result.cases if c.target == name], result.terms)
        with closing(connect_when_free(known.target, result.audit_id, self.header.tune, wait_s, say)) as connection:
            if known.environment:
                check_same_device(name, "run", identity_of(known.environment, own.cases), connection.environment)
            self.keep(result)
            checks, sessions = own.measure(connection, self.folder(result) / name, watcher)
        found = replace(
            result,
            checks=(*result.checks, *checks),
            sessions=(*result.sessions, *sessions),
            notes=(*result.notes, *own.notes),
            audited=(*result.audited, name),
        )
        return self.keep(found)

    def folder(self, result: AuditResult) -> Path:
        return self.path / AUDITS / result.audit_id

    def keep(self, result: AuditResult) -> AuditResult:
        write_json(self.folder(result) / FOUND, document(result))
        return result

    def put_away(self, result: AuditResult, name: str) -> None:
        """Packs what came back of a target, where that is not done yet."""
        if (folder := self.folder(result) / name).exists():
            pack(folder)
            rmtree(folder)


def terms_of(seed: int | None, rounds: int | None, margin: float | None, resume: bool, named: bool) -> Terms:
    """How it is asked for. Raises ConfigError out of range, and where one goes on, which stays as it was asked for."""
    if resume and (named or (seed, rounds, margin) != (None, None, None)):
        told = "an audit goes on as it was asked for"
        raise ConfigError(told, "leave out targets, variants, rounds, margin and seed, or audit anew, without resume")
    drawn = secrets.randbelow(2**31) if seed is None else seed
    terms = Terms(drawn, ROUNDS if rounds is None else rounds, MARGIN if margin is None else margin)
    if not (CLAIM_ROUNDS <= terms.rounds <= MOST_ROUNDS and 0 < terms.margin < 1 and terms.seed >= 0):
        told = f"{terms.rounds} rounds, a margin of {terms.margin:g}, seed {terms.seed}"
        raise ConfigError(
            told, f"rounds are {CLAIM_ROUNDS} to {MOST_ROUNDS}, the margin is between 0 and 1, the seed no less than 0"
        )
    return terms


def document(result: AuditResult) -> dict[str, object]:
    """audit.json, and what --json prints."""
    return {"good": result.good, **asdict(result)}


def read_audit(file: Path) -> AuditResult:
    """Raises StoreError where the file is nothing that the harness wrote there."""
    try:
        result = read_valid(file, _RESULT)
        if result.audit_id != file.parent.name:
            raise ValueError(f"it is of audit {result.audit_id[:80]!r}")
    except (OSError, ValueError) as error:
        raise StoreError(f"{file} cannot be read: {error}", "audit anew") from error
    return result
