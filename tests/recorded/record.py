"""Records tests/recorded/digits-schema-<n>: a real run of digits on this machine, kept small. Needs TensorFlow.

    python tests/recorded/record.py

The tests read it, replay it and take its .tflite files as their models. A recording of an older schema is never made
again: it proves that old runs stay readable.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from harness.experiment.plans import plan_of
from harness.experiment.resolve import builtin
from harness.measure.jobs import Watcher
from harness.measure.targets import host
from harness.pipeline import Request, run
from harness.records import Job, Piece, TargetRecord
from harness.runs.header import SCHEMA_VERSION
from harness.runs.record import Record
from harness.runs.store import Store
from harness.support.cache import Cache, cache_dir

KEPT = ("raw", "run.json", "manifest.json", "test", "baseline.npy", "variants")
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


def main() -> None:
    quick = plan_of("quick", rounds=2, min_runs=50, min_s=0.01, warmup_s=0.01)
    plan = replace(quick, max_runs=50, restless_ratio=None, until_decided=True)  # so short a round is seldom steady
    request = Request(builtin("digits", None, ("float32", "int8"), plan), (host(),))
    target = Path(__file__).parent / f"digits-schema-{SCHEMA_VERSION}"
    shutil.rmtree(target, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        listener = Silent()
        run(request, Store(Path(folder)), Cache(cache_dir(), False), listener)
        record = listener.record
        (known,) = record.header.targets
        record.note(TargetRecord(replace(known.target, workdir=PORTABLE_WORKDIR), known.environment, known.bytes_sent))
        record.finish()  # sealed with that
        target.mkdir()
        for name in KEPT:
            shutil.move(record.path / name, target / name)


if __name__ == "__main__":
    main()
