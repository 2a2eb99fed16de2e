"""A device that lies in any way: what it says is a good conversation, mutated. Nothing of it is believed, or holds.

HOSTILE=2000 tries as many answers; HOSTILE_SEED=… HOSTILE_ONLY=157 the one that failed. The seed is printed.
"""

from __future__ import annotations

import os
import random
import shutil
import sys
import time
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from harness.errors import HarnessError, TargetError
from harness.measure.connections import bounds, server
from harness.measure.connections import device_code as code
from harness.measure.connections.local import install
from harness.measure.connections.server import ServerConnection
from harness.measure.jobs import audit_jobs, obtain
from harness.records import Job, Piece, Round
from tests.devices import RUNTIMES, Quiet, device_source, processes_with, recorded_work
from tests.hostile import NOTHING_MORE, WAYS, Lies, Said, last_words, parsed
from tests.test_connections import jobs_of, local

SOME = 200
LONGEST_S = 8.0  # with the bounds below; minutes with the real ones
IMPATIENT_S = 0.5


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ANSWER_S", "READY_S"):
        monkeypatch.setattr(bounds, name, IMPATIENT_S)
    monkeypatch.setattr(bounds, "INVOKE_S", 1e-3)
    monkeypatch.setattr(bounds, "LEAST_BYTES_S", 4 << 20)
    monkeypatch.setattr(server, "CLOSE_S", IMPATIENT_S)
    monkeypatch.setattr(server, "LAST_WORDS_S", 0.0)


@dataclass(frozen=True)
class Recorded:
    job: Job
    said: list[Said]
    piece: Piece


def recorded(folder: Path, job: Job) -> Recorded:
    """What this machine says when it is asked for the job."""
    argv = ["sh", "-c", f"{sys.executable} -I {install(folder / 'device')} serve | tee {folder}/said"]
    with closing(ServerConnection(local(folder), "a-run", argv, str(folder / "device"))) as connection:
        piece = obtain(job, connection, folder / "raw", Quiet(), lambda job_id: None)
    return Recorded(job, parsed((folder / "said").read_bytes()), piece)


@pytest.fixture(scope="module")
def conversations(tmp_path_factory: pytest.TempPathFactory) -> list[Recorded]:
    folder, work = tmp_path_factory.mktemp("recorded"), recorded_work()
    cases = [case for case in work.cases if case.variant == "int8" and case.runtime == RUNTIMES[0]]
    jobs = [*jobs_of("int8").values(), jobs_of("float32")["outputs"], audit_jobs(work, cases)[0]]
    quick = [replace(job, limit_s=0.0, cooldown_timeout_s=0.0) for job in jobs]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(code, "SOURCE", device_source(folder))
        found = [recorded(folder / str(n), replace(job, limit_s=60.0)) for n, job in enumerate(jobs)]
    return [replace(each, job=job) for each, job in zip(found, quick, strict=True)]


def answered(folder: Path, job: Job, said: list[Said], at_last: str, for_ever: bytes) -> Piece | HarnessError:
    """What the host makes of it: each time that it asks it is answered the same."""
    answers = b"".join(map(bytes, [*said, *said[1:], *said[1:]]))
    (folder / "answers").write_bytes(answers)
    (folder / "for-ever").write_bytes(for_ever)
    argv = ["sh", "-c", f"exec 3<&0; cat <&3 >/dev/null & cd {folder}; cat answers; {at_last}"]
    try:
        with closing(ServerConnection(local(folder), "a-run", argv, str(folder / "device"))) as connection:
            return obtain(job, connection, folder / "raw" / "host", Quiet(), lambda job_id: None)
    except HarnessError as error:
        return error


def check(answer: Piece | HarnessError, recorded: Recorded, raw: Path, changed: bool) -> None:
    """It is a failed job, told in plain words; or the answer that was recorded, but where its numbers were changed
    with their hash, of the same form.
    """
    kept = {path.name for path in raw.glob("*") if path.suffix != ".part"}
    if isinstance(answer, HarnessError):
        assert isinstance(answer, TargetError) and answer.exit_code == 3 and answer.advice, repr(answer)
        assert kept == set()
        told = str(answer)
    else:
        assert kept == {recorded.job.id}
        told = (answer.reasons or ("",))[0] if isinstance(answer, Round) else answer.reason
        if answer.status in ("failed", "invalid"):
            assert told
        for output, own in zip(answer.outputs, recorded.piece.outputs, strict=answer.status == "ok"):
            assert (output.shape, output.dtype) == (own.shape, own.dtype)
            assert changed or np.array_equal(np.asarray(output), np.asarray(own))
    assert told.isprintable() and "Traceback" not in told and len(told) < 1000, told


@pytest.mark.usefixtures("impatient")
def test_no_answer_of_a_hostile_device_is_believed_or_holds_the_host(
    tmp_path: Path, conversations: list[Recorded]
) -> None:
    seed = os.environ.get("HOSTILE_SEED") or str(random.randrange(2**32))
    print(f"HOSTILE_SEED={seed}")
    only = [int(n) for n in os.environ.get("HOSTILE_ONLY", "").split()]
    for n in only or range(int(os.environ.get("HOSTILE", SOME))):
        chance = random.Random(f"{seed}/{n}")
        mine = chance.choice(conversations)
        folder = tmp_path / f"n{n}"
        folder.mkdir()
        ways, said = chance.choices(WAYS, k=chance.choice([1, 1, 1, 2])), mine.said
        for way in ways:
            others = [other.said for other in conversations if other is not mine]
            with suppress(LookupError, StopIteration, ValueError):  # nothing is left that this way could change
                said = way(Lies(said, others, chance, folder)) or said
        words, begin = last_words(chance), time.monotonic()
        told = f"{n}: {[way.__name__ for way in ways]} of {mine.job.id}, and at last {words[1] or 'nothing'!r}"
        try:
            answer = answered(folder, mine.job, said, *words)
            check(answer, mine, folder / "raw" / "host", changed=Lies.changed_file in ways)
        except BaseException as error:
            raise AssertionError(told) from error
        assert time.monotonic() - begin < LONGEST_S, told
        assert not list(tmp_path.rglob("evil")), told
        assert processes_with(str(folder)) == [], told
        if n % 100 == 99 or os.environ.get("HOSTILE_SAY"):
            print(told, "→", repr(answer)[:150] if isinstance(answer, HarnessError) else answer.status)
        shutil.rmtree(folder)


@pytest.mark.usefixtures("impatient")
def test_what_was_recorded_is_believed(tmp_path: Path, conversations: list[Recorded]) -> None:
    """Or nothing above would be shown. A round is held against this host's clock, and nothing ran here."""
    for n, each in enumerate(conversations):
        (folder := tmp_path / f"n{n}").mkdir()
        answer = answered(folder, each.job, each.said, NOTHING_MORE, b"")
        assert not isinstance(answer, HarnessError)
        assert answer.status == ("invalid" if isinstance(answer, Round) else "ok")
        for output, own in zip(answer.outputs, each.piece.outputs, strict=True):
            np.testing.assert_array_equal(np.asarray(output), np.asarray(own))
