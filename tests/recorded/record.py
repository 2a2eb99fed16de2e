"""Records tests/recorded/keypoints-schema-<n>: a real run of the files of `harness init --task keypoints`, with fewer
samples, on this machine. Needs TensorFlow.

    python tests/recorded/record.py

The tests read it. A recording of an older schema is never made again: it proves that old runs stay readable.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from harness.experiment.experiment_file import read_experiment
from harness.experiment.plans import plan_of
from harness.experiment.resolve import restrict_variants
from harness.experiment.starters import starter_files
from harness.measure.jobs import Watcher
from harness.measure.targets import host
from harness.pipeline import Request, run
from harness.records import Experiment, Job, Piece, TargetRecord
from harness.runs.header import SCHEMA_VERSION
from harness.runs.record import Record
from harness.runs.store import Store
from harness.support.cache import Cache, cache_dir

SAMPLES = 60
KEPT = ("raw", "run.json", "manifest.json", "test", "variants")
PORTABLE_WORKDIR = "~/.cache/edge-harness/device"


class Silent(Watcher):
    """A Listener that only remembers which run was opened."""

    record: Record

    def say(self, text: str) -> None: ...
    def begin(self, target: str, shards: int, rounds: int) -> None: ...
    def job(self, job: Job) -> None: ...
    def samples(self, done: int, of: int) -> None: ...
    def done(self, piece: Piece) -> None: ...
    def opened(self, record: Record) -> None:
        self.record = record


def experiment(folder: Path) -> Experiment:
    """The starter, without the place where it lies."""
    for path, text in starter_files("keypoints").items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text.replace("samples(600, ", f"samples({SAMPLES}, "), "utf-8")
    found = restrict_variants(read_experiment(folder / "experiment.toml", plan_of("none")), ("int8",))
    return replace(found, name="keypoints", scoring=replace(found.scoring, folder=Path()))


def main() -> None:
    target = Path(__file__).parent / f"keypoints-schema-{SCHEMA_VERSION}"
    shutil.rmtree(target, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        listener = Silent()
        request = Request(experiment(Path(folder) / "files"), (host(),), runtimes=("ai-edge-litert",))
        run(request, Store(Path(folder)), Cache(cache_dir(), False), listener)
        record = listener.record
        (known,) = record.header.targets
        record.note(TargetRecord(replace(known.target, workdir=PORTABLE_WORKDIR), known.environment, known.bytes_sent))
        record.finish()  # sealed with that
        target.mkdir()
        for name in (*KEPT, *(path.name for path in record.path.glob("baseline*.npy"))):
            shutil.move(record.path / name, target / name)


if __name__ == "__main__":
    main()
