"""device/forks.py: jobs that keep answers are forked from a process that has its runtime, and rounds are not."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.device.engines import ENGINES
from harness.device.forks import Forked, Forker
from tests.devices import (
    RECORDED,
    RUNTIMES,
    append,
    children,
    device_source,
    job_spec,
    lay_job,
    run_job,
    stored_inputs,
    zipapp,
)
from tests.test_serve import serving

pytestmark = pytest.mark.usefixtures("traced")  # by coverage
MODEL = (RECORDED / "variants" / "int8.tflite").read_bytes()
SAYING = """
asked = measure_outputs
def measure_outputs(model, job, log, say):
    sys.stderr.write("%d %d %d" % (os.getppid(), os.getpid(), len(os.listdir("/proc/self/task"))))
    if job.get("crash"):
        os.kill(os.getpid(), signal.SIGSEGV)
    return asked(model, job, log, say)
MEASURE["outputs"] = measure_outputs
"""

DYING = """
def interpreter_class(runtime):
    import os
    os.write(2, b"no such instruction")
    os.abort()
"""

NO_FORKS = """
def fork():
    raise OSError(11, "no")
os.fork = fork
"""


@pytest.fixture
def pyz(tmp_path: Path) -> Path:
    source = device_source(tmp_path)
    append(source, "job.py", SAYING)
    return zipapp(source)


@pytest.fixture
def forker(pyz: Path) -> Iterator[Forker]:
    made = Forker(lambda runtime: [sys.executable, "-I", str(pyz)])
    yield made
    made.end()


def laid(folder: Path, runtime: str = RUNTIMES[0], **further: Any) -> Path:
    return lay_job(folder, job_spec("outputs", runtime) | further, MODEL, stored_inputs(20))


def ended(job: Forked) -> int:
    while job.readline(1000):
        """Progress."""
    code: int = job.wait()
    return code


def said(folder: Path) -> list[int]:
    """(parent, pid, threads) at the time of the first sample."""
    words = (folder / "stderr.txt").read_text().splitlines()[-1].split()
    return [int(word) for word in words[-3:]]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_the_answers_are_those_of_a_fresh_process(tmp_path: Path, pyz: Path, forker: Forker, runtime: str) -> None:
    own, fresh = laid(tmp_path / "own", runtime), laid(tmp_path / "fresh", runtime)
    assert ended(forker.start(runtime, str(own))) == 0
    run_job(pyz, fresh)
    assert (own / "outputs" / "0.npy").read_bytes() == (fresh / "outputs" / "0.npy").read_bytes()
    results = [json.loads((at / "result.json").read_text()) for at in (own, fresh)]
    assert results[0]["outputs"] == results[1]["outputs"] and results[0]["status"] == "ok"


def test_each_job_has_a_process_of_its_own_and_is_started_before_any_thread(tmp_path: Path, forker: Forker) -> None:
    """A fork beside another thread could wait for ever for what that one held."""
    first, second = laid(tmp_path / "first"), laid(tmp_path / "second")
    assert [ended(forker.start(RUNTIMES[0], str(folder))) for folder in (first, second)] == [0, 0]
    (parent, one, _), (same, other, _) = said(first), said(second)
    assert parent == same == forker.process.pid and len({parent, one, other}) == 3
    assert len(list(Path(f"/proc/{parent}/task").iterdir())) == 1


def test_a_job_that_crashes_takes_no_other_with_it(tmp_path: Path, forker: Forker) -> None:
    assert ended(forker.start(RUNTIMES[0], str(laid(tmp_path / "first", crash=True)))) == -11
    assert ended(forker.start(RUNTIMES[0], str(laid(tmp_path / "second")))) == 0


def test_a_process_that_was_killed_is_started_again(tmp_path: Path, forker: Forker) -> None:
    assert ended(forker.start(RUNTIMES[0], str(laid(tmp_path / "first")))) == 0
    forker.process.kill()
    forker.process.wait()
    assert ended(forker.start(RUNTIMES[0], str(laid(tmp_path / "second")))) == 0


def test_a_runtime_that_cannot_be_imported_is_told_by_the_job(tmp_path: Path) -> None:
    source = device_source(tmp_path)
    append(source, "engines.py", 'ENGINES["broken"] = "no_such_runtime.interpreter"')
    pyz = zipapp(source)
    forker = Forker(lambda runtime: [sys.executable, "-I", str(pyz)])
    folder = laid(tmp_path / "job", "broken")
    assert ended(forker.start("broken", str(folder))) == 0
    forker.end()
    result = json.loads((folder / "result.json").read_text())
    assert result["status"] == "failed" and "no_such_runtime" in result["error"]


def test_what_a_runtime_prints_as_it_dies_in_its_import_is_in_the_file_of_the_job(tmp_path: Path) -> None:
    """Of every job: the next one starts a process of its own."""
    source = device_source(tmp_path)
    append(source, "engines.py", DYING)
    pyz = zipapp(source)
    forker = Forker(lambda runtime: [sys.executable, "-I", str(pyz)])
    for name in ("first", "second"):
        folder = laid(tmp_path / name)
        assert ended(forker.start(RUNTIMES[0], str(folder))) == -6
        assert (folder / "stderr.txt").read_text() == "no such instruction"
    forker.end()


def test_nothing_is_printed_into_the_file_of_a_job_that_has_ended(tmp_path: Path, forker: Forker) -> None:
    folder = laid(tmp_path / "first")
    assert ended(forker.start(RUNTIMES[0], str(folder))) == 0
    assert Path(f"/proc/{forker.process.pid}/fd/2").readlink() == Path("/dev/null")


def test_where_no_process_may_start_that_is_an_error_of_the_device_and_not_of_the_model(tmp_path: Path) -> None:
    source = device_source(tmp_path)
    append(source, "forks.py", NO_FORKS)
    pyz = zipapp(source)
    forker = Forker(lambda runtime: [sys.executable, "-I", str(pyz)])
    job = forker.start(RUNTIMES[0], str(laid(tmp_path / "job")))
    with pytest.raises(BlockingIOError, match="Resource temporarily unavailable"):
        ended(job)
    forker.end()


def test_one_runtime_is_in_a_process_at_a_time(tmp_path: Path, forker: Forker) -> None:
    first = forker.start(RUNTIMES[0], str(laid(tmp_path / "first")))
    assert ended(first) == 0
    ended(forker.start("another", str(laid(tmp_path / "second"))))
    assert forker.process.pid != first.pid and first.parent.poll() is not None


def test_nothing_waits_beside_a_round_that_is_timed(tmp_path: Path, pyz: Path) -> None:
    with serving(pyz, tmp_path / "device") as host:
        host.hello()
        host.job(job_spec("outputs", RUNTIMES[0]), "answers")
        assert host.outcome()["event"] == "done"
        forked = [line for line in commands(host.server.pid) if b"fork" in line]
        host.job(job_spec("latency", RUNTIMES[0], min_s=0.0), "round")
        assert host.outcome()["event"] == "done"
        assert forked and not [line for line in commands(host.server.pid) if b"fork" in line]
        assert host.end() == 0


def commands(parent: int) -> list[bytes]:
    return [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children(parent)]


def test_many_samples_are_made_tensors_as_one_would_be() -> None:
    from harness.device.tensors import to_tensor

    random = np.random.default_rng(3)
    stored = random.integers(0, 256, (301, 7), np.uint8)
    for dtype in ("int8", "uint8", "int16", "float32"):
        affine = {"scale": 1 / 255, "offset": -0.37}
        tensor = {"dtype": dtype, "scale": None if dtype == "float32" else 0.0078, "zero_point": 3}
        one_by_one = [to_tensor(stored[n : n + 1], affine, tensor) for n in range(len(stored))]
        assert np.array_equal(to_tensor(stored, affine, tensor), np.concatenate(one_by_one))


PRINTING = """
import os
from %s import Interpreter
print("printed by its import")
os.write(1, b"and by native code\\n")
"""


def test_what_a_runtime_prints_as_it_is_imported_is_no_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes to the file of the first job, once, and not to the host, nor into the file of the next."""
    source = device_source(tmp_path)
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)  # its module has no source in harness/
    (source / "printing.py").write_text(PRINTING % ENGINES[RUNTIMES[0]])
    append(source, "engines.py", 'ENGINES["printing"] = "device.printing"')
    pyz = zipapp(source)
    forker = Forker(lambda runtime: [sys.executable, "-I", str(pyz)])
    heard = []
    for name in ("first", "second"):
        job = forker.start("printing", str(laid(tmp_path / name, "printing")))
        heard += list(iter(lambda job=job: job.readline(1000), b""))  # type: ignore[misc]
        assert json.loads((tmp_path / name / "result.json").read_text())["status"] == "ok"
    forker.end()
    assert heard == []
    first, second = ((tmp_path / name / "stderr.txt").read_text() for name in ("first", "second"))
    assert {"printed by its import", "and by native code"} < set(first.splitlines())
    assert first.count("printed") == 1 and "printed" not in second and "native" not in second


def test_an_audit_has_a_process_that_was_forked_from_none(tmp_path: Path, pyz: Path) -> None:
    """Where things lie in memory, and how strings are hashed, is drawn anew: answers that depend on it are others."""
    with serving(pyz, tmp_path / "device") as host:
        host.hello()
        parents = []
        for name, further in (("shard", {}), ("audit", {"passes": 2}), ("shard-2", {})):
            host.job(job_spec("outputs", RUNTIMES[0]) | further, name)
            assert host.outcome()["event"] == "done"
            words = host.fetch(name)["stderr.txt"].split()
            parents.append(int(words[-3]))
        assert parents[1] == host.server.pid and parents[0] == parents[2] != parents[1]
        assert host.end() == 0
