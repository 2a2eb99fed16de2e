"""results/ on disk: results/<experiment>/<run-id>/. Files appear whole or not at all; what was measured stays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from harness.errors import StoreError
from harness.records import Dataset, Run
from harness.runs import seal
from harness.runs.header import Header, check_stored_so, read_header
from harness.runs.loading import load
from harness.runs.own_runs import check_trusted, note_own
from harness.runs.record import Record, again, begun
from harness.support.files import appearing


class Store:
    """The runs below one folder.

    trust: what they name, such as code of a metric, is executed and followed, whoever made them.
    """

    def __init__(self, root: Path, trust: bool = False) -> None:
        self.root = root
        self.trust = trust

    def open(self, header: Header, dataset: Dataset, baseline: Sequence[np.ndarray]) -> Record:
        """Makes a new run's folder, with its variants, test set and baseline in it: it appears whole or not at all."""
        check_stored_so(header)
        path = self.root / header.experiment / header.run_id
        with appearing(path) as part:
            header, noted = begun(part, header, dataset, baseline)
        note_own(read_header(path))  # as it is read again, where a number may have become another type
        return Record(path, header, {seal.BEGUN: noted})

    def reopen(self, reference: str) -> Record:
        """Returns a run to go on with. Raises ConfigError where it is not trusted, StoreError where it was changed."""
        path = self.find(reference, finished=False)
        header = read_header(path)
        check_trusted(header, self.trust)
        return again(path, replace(header, scoring=replace(header.scoring, trusted=True)))

    def paths(self) -> list[Path]:
        """Returns the folders of all runs, newest first."""
        folders = [p.parent for p in self.root.glob("*/[!.]*/run.json") if not p.parent.is_symlink()]
        return sorted(folders, key=lambda path: path.name, reverse=True)

    def finished(self, experiment: str) -> list[Path]:
        """Returns the folders of its finished runs that measured accuracy, newest first."""
        of_it = (path for path in self.paths() if path.parent.name == experiment)
        headers = {path: read_header(path) for path in of_it}
        return [path for path, header in headers.items() if header.finished and header.plan.accuracy]

    def find(self, reference: str, finished: bool = True) -> Path:
        """Returns the folder of a run: `latest`, a run id, or a path. Raises StoreError.

        `latest` is the newest finished one, or to go on with (finished=False) the newest unfinished one; where there is
        none of these, the newest. Those in which a gate timed a reference again are of another run, and never it.
        """
        if (Path(reference) / "run.json").exists():
            return Path(reference).resolve()
        named = (p for p in self.paths() if p.name == reference)
        path = self.latest(finished) if reference == "latest" else next(named, None)
        if path is None:
            elsewhere = "`harness run` makes one; `harness list --results FOLDER` looks elsewhere"
            advice = "`harness list` shows the stored runs" if any(True for _ in self.paths()) else elsewhere
            raise StoreError(f"there is no run {reference!r} in {self.root}", advice)
        return path

    def latest(self, finished: bool = True) -> Path | None:
        """Returns the newest run's folder of those that are finished or not, else the newest; None where there is none.

        One dated into the future, by a clock that ran ahead, comes last. A broken one is passed over; where there is
        nothing else, its StoreError is raised.
        """
        every = self.newest_first()
        asked = (path for path, header in every if header.finished == finished)
        return next(asked, every[0][0] if every else None)

    def newest_first(self) -> list[tuple[Path, Header]]:
        """Returns the runs that `latest` may mean."""
        tomorrow = f"{datetime.now(UTC) + timedelta(days=1):%Y%m%d-%H%M%S}"
        found: list[tuple[Path, Header]] = []
        unreadable: list[StoreError] = []
        for path in sorted(self.paths(), key=lambda path: path.name > tomorrow):
            try:
                header = read_header(path)
            except StoreError as error:
                unreadable.append(error)
                continue
            if header.plan.accuracy:
                found.append((path, header))
        if unreadable and not found:
            raise unreadable[0]
        return found

    def passed_over(self, latest: Path) -> list[str]:
        """Returns the ids of the runs that are newer than the latest finished one."""
        newer: list[str] = []
        for path, header in self.newest_first():
            if path.resolve() == latest.resolve():
                return newer
            newer.append(header.run_id)
        return []

    def load(self, reference: str) -> Run:
        return load(self.find(reference), self.trust)
