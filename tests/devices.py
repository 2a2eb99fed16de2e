"""What tests of devices share: the recorded run, and the real device code behind a lock of the test's own."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import harness.device
from harness.device import engines
from harness.measure.connections import device_code as code
from harness.measure.jobs import Work
from harness.records import Job, Piece
from harness.runs.header import Header, absolute_variants, read_header
from harness.runs.loading import read_dataset

RECORDED = Path(__file__).parent / "recorded" / "digits-schema-1"
RUNTIMES = [name for name, version in engines.installed().items() if version and name not in engines.SIMULATED]
PATIENCE_S = 20.0


class Quiet:
    """A Listener that keeps what it is told."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []
        self.pieces: list[Piece] = []
        self.begun: tuple[str, int, int] | None = None

    def say(self, text: str) -> None: ...
    def opened(self, record: object) -> None: ...
    def samples(self, done: int, of: int) -> None: ...

    def begin(self, target: str, shards: int, rounds: int) -> None:
        self.begun = (target, shards, rounds)

    def job(self, job: Job) -> None:
        self.jobs.append(job)

    def done(self, piece: Piece) -> None:
        self.pieces.append(piece)


def header() -> Header:
    return read_header(RECORDED)


def recorded_work() -> Work:
    """All that the recorded run was to measure."""
    known = header()
    return Work(
        known.targets[0].target,
        known.cases,
        absolute_variants(RECORDED, known),
        read_dataset(RECORDED, known),
        known.plan,
    )


def copy_of_recording(results: Path) -> Path:
    """The recorded run below a results folder, to be changed at will."""
    path = results / "digits" / header().run_id
    shutil.copytree(RECORDED, path)
    return path


def device_source(folder: Path, *changes: tuple[str, str]) -> Path:
    """The folder of the device code with a lock of its own, so that no test waits for a real run, and `changes` made.

    Each change replaces a text that stands exactly once in the device code.
    """
    source = folder / "device-source"
    shutil.copytree(Path(harness.device.__file__).parent, source, ignore=shutil.ignore_patterns("__pycache__"))
    for old, new in [('"/tmp/edge-harness.lock"', repr(str(folder / "device.lock"))), *changes]:
        (path,) = (path for path in source.glob("*.py") if old in path.read_text())
        text = path.read_text()
        assert text.count(old) == 1, f"{path.name} holds {old} {text.count(old)} times"
        path.write_text(text.replace(old, new))
    return source


def python_with(source: Path) -> str:
    """What a script begins with, so that its devices have this code, and its lock."""
    lines = (
        "import pathlib",
        "import harness.measure.connections.device_code as code",
        f"code.SOURCE = pathlib.Path({str(source)!r})",
    )
    return "\n".join((*lines, ""))


def append(source: Path, module: str, text: str) -> None:
    with (source / module).open("a") as file:
        file.write(text)


def zipapp(source: Path) -> Path:
    """The device code of a source folder, as it travels."""
    kept, code.SOURCE = code.SOURCE, source
    try:
        path = source.parent / "device.pyz"
        path.write_bytes(code.device_code())
    finally:
        code.SOURCE = kept
    return path


def job_spec(kind: str, runtime: str, **plan: Any) -> dict[str, Any]:
    """job.json for a model of the recorded run."""
    spec = {
        "kind": kind,
        "runtime": runtime,
        "threads": 1,
        "inputs": ["inputs/0.npy"],
        "affines": [{"scale": 1 / 255, "offset": 0.0}],
    }
    if kind == "latency":
        spec |= {"warmup_s": 0.0, "warmup_runs": 10, "min_s": 0.0, "min_runs": 30, "max_runs": 100} | plan
    return spec


def endless(runtime: str) -> dict[str, Any]:
    return job_spec("latency", runtime, min_s=600.0, max_runs=10**9)


def stored_inputs(samples: int) -> np.ndarray:
    with np.load(RECORDED / "test.npz") as file:
        stored: np.ndarray = file["input0"][:samples]
    return stored


def wait_for(what: Callable[[], Any], seconds: float = PATIENCE_S) -> Any:
    """The first true answer of `what`; fails when none comes in time."""
    end = time.monotonic() + seconds
    while not (answer := what()):
        assert time.monotonic() < end, f"waited {seconds} s in vain"
        time.sleep(0.02)
    return answer


def children(pid: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if int(parent) == pid and state != "Z":
            found.append(int(stat.parent.name))
    return found


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def processes_with(text: str) -> list[int]:
    """The processes whose command line holds the text: a test's own folder names its device's processes."""
    found = []
    for cmdline in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if text.encode() in cmdline.read_bytes():
                found.append(int(cmdline.parent.name))
        except OSError:
            continue
    return found


def run_job(pyz: Path, folder: Path, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """`python device.pyz job DIR`, as the server calls it."""
    argv = [sys.executable, "-I", str(pyz), "job", str(folder)]
    return subprocess.run(argv, capture_output=True, timeout=60, check=False, **options)


def lay_job(folder: Path, spec: dict[str, Any], model: bytes, inputs: np.ndarray) -> Path:
    (folder / "inputs").mkdir(parents=True)
    (folder / "job.json").write_text(json.dumps(spec))
    (folder / "model.tflite").write_bytes(model)
    np.save(folder / "inputs" / "0.npy", inputs)
    return folder
