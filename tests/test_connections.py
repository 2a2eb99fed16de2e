"""The contract of a connection, one suite for every kind; then what only a real server can do wrong."""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.errors import ConfigError, HarnessError, JobFailed, TargetBusy, TargetError, TargetUnreachable
from harness.measure.connections import Connection, connect, server
from harness.measure.connections import device_code as code
from harness.measure.connections.server import ServerConnection
from harness.measure.jobs import Work, round_jobs, shard_jobs
from harness.measure.raw import label_piece, read_piece
from harness.records import Blob, Job, Piece, Round, Shard, Target
from harness.runs.header import absolute_variants, read_header
from harness.runs.loading import read_dataset
from harness.support.arrays import npy_bytes
from tests.devices import (
    RECORDED,
    RUNTIMES,
    append,
    children,
    device_source,
    endless,
    processes_with,
    recorded_work,
    wait_for,
)
from tests.virtual_pi import Board


def local(folder: Path) -> Target:
    return Target("host", "local", workdir=str(folder / "device"))


def replay(folder: Path) -> Target:
    return Target("host", "replay", host=str(RECORDED / "raw" / "host"))


KINDS: dict[str, Callable[[Path], Target]] = {"local": local, "replay": replay}  # kind → a Target of it


@pytest.fixture(params=[*KINDS, pytest.param("ssh", marks=pytest.mark.board)])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Target:
    if request.param == "ssh":  # with a lock of its own: it is another device
        board: Board = request.getfixturevalue("set_up_board")
        return board.write_target(tmp_path, workdir=board.prepare(f"~/{tmp_path.name}"))
    request.getfixturevalue("own_lock")
    return KINDS[request.param](tmp_path)


@pytest.fixture
def connection(target: Target) -> Iterator[Connection]:
    with closing(connect(target, "a-run")) as found:
        yield found


def jobs_of(variant: str) -> dict[str, Job]:
    """The accuracy job and the first latency job of the recorded run, by kind."""
    work = recorded_work()
    cases = [case for case in work.cases if case.variant == variant and case.runtime == RUNTIMES[0]]
    return {"outputs": shard_jobs(work, cases)[0], "latency": round_jobs(work, cases)[0]}


def ignore(done: int, of: int) -> None: ...


def piece_of(connection: Connection, job: Job, folder: Path) -> Piece:
    folder.mkdir()
    connection.send(job.blobs.values())
    host_ns = connection.run(job, ignore)
    connection.fetch(job, folder)
    label_piece(folder, job, host_ns)
    return read_piece(folder)


# The contract.


def test_the_device_is_known_as_soon_as_it_is_connected(connection: Connection) -> None:
    assert connection.environment.python
    assert connection.environment.runtimes[RUNTIMES[0]]
    assert set(connection.bytes_sent) == {"blobs", "jobs"}


def test_an_accuracy_job_comes_back_as_a_shard(connection: Connection, tmp_path: Path) -> None:
    job = jobs_of("int8")["outputs"]
    piece = piece_of(connection, job, tmp_path / "piece")
    assert isinstance(piece, Shard) and piece.status == "ok"
    assert (piece.case, piece.first, piece.last) == (job.case, 0, 500)
    recorded = np.load(RECORDED / "raw" / "host" / job.id / "outputs" / "0.npy")
    step = 0 if RUNTIMES[0] == "tflite-runtime" else 1  # ai-edge-litert's softmax is another on aarch64
    np.testing.assert_allclose(np.asarray(piece.outputs[0]).astype(int), recorded, rtol=0, atol=step)


def test_a_latency_job_comes_back_as_a_round(connection: Connection, tmp_path: Path) -> None:
    job = jobs_of("int8")["latency"]
    piece = piece_of(connection, job, tmp_path / "piece")
    assert isinstance(piece, Round) and piece.status in ("valid", "flagged")
    assert (piece.case, piece.index) == (job.case, 0)
    assert len(piece.timings["timed"]) == 50
    assert piece.memory_bytes["first"]["VmRSS"] > 0


def test_what_was_sent_is_not_sent_again(connection: Connection) -> None:
    blobs = jobs_of("int8")["outputs"].blobs.values()
    connection.send(blobs)
    sent = dict(connection.bytes_sent)
    connection.send(blobs)
    assert connection.bytes_sent == sent


def test_what_the_device_has_from_an_earlier_run_is_not_sent_again(target: Target) -> None:
    blobs = jobs_of("int8")["outputs"].blobs.values()
    with closing(connect(target, "one-run")) as first:
        first.send(blobs)
    with closing(connect(target, "another-run")) as second:
        second.send(blobs)
        assert second.bytes_sent["blobs"] == 0


def test_closing_leaves_nothing_running(target: Target, tmp_path: Path) -> None:
    connect(target, "a-run").close()
    wait_for(lambda: not processes_with(tmp_path.name), 5)  # the processes of an emulated board are seen from here too


def test_one_run_after_the_other_gets_the_device(target: Target) -> None:
    for run_id in ("one-run", "another-run"):
        connect(target, run_id).close()


# Replay.


def test_a_replay_answers_by_case_kind_and_round(tmp_path: Path) -> None:
    job = jobs_of("int8")["latency"]
    with closing(connect(replay(tmp_path), "a-run")) as connection:
        pieces = [
            piece_of(connection, replace(job, id=job.id.replace("round-000", f"round-00{n}")), tmp_path / str(n))
            for n in (0, 1)
        ]
    first, second = (piece.timings["timed"].ns.tolist() for piece in pieces if isinstance(piece, Round))
    assert first != second


@pytest.mark.parametrize("kind", ["outputs", "latency"])
def test_a_replay_does_not_answer_for_a_model_that_was_not_recorded(tmp_path: Path, kind: str) -> None:
    job = jobs_of("float32")[kind]
    rebuilt = replace(job, blobs={**job.blobs, "model.tflite": Blob(lambda: b"another build")})
    with closing(connect(replay(tmp_path), "a-run")) as connection:
        with pytest.raises(JobFailed, match="was recorded with another float32") as caught:
            connection.run(rebuilt, ignore)
        swapped = replace(job, blobs={**job.blobs, "model.tflite": jobs_of("int8")[kind].blobs["model.tflite"]})
        with pytest.raises(JobFailed, match="was recorded with another float32"):  # though int8 was recorded, too
            connection.run(swapped, ignore)
        connection.run(job, ignore)
    assert caught.value.exit_code == 3 and "record it again" in caught.value.advice


def test_a_replay_finds_a_renamed_model_by_its_hash(tmp_path: Path) -> None:
    job = jobs_of("int8")["latency"]
    renamed = replace(job, case=replace(job.case, variant="int8@candidate"))
    unknown = replace(renamed, blobs={**job.blobs, "model.tflite": Blob(lambda: b"another build")})
    with closing(connect(replay(tmp_path), "a-run")) as connection:
        connection.run(renamed, ignore)
        with pytest.raises(JobFailed, match="was recorded with another int8@candidate"):
            connection.run(unknown, ignore)


@pytest.mark.parametrize("kind", ["outputs", "latency"])
def test_a_replay_does_not_answer_for_other_inputs(tmp_path: Path, kind: str) -> None:
    """The recording of schema 2 holds its test set as mapped files; that of schema 1 does not."""
    recording = RECORDED.with_name("digits-schema-2")
    known = read_header(recording)
    dataset, variants = read_dataset(recording, known), absolute_variants(recording, known)
    target = Target("host", "replay", host=str(recording / "raw" / "host"))

    def job(inputs: tuple[np.ndarray, ...]) -> Job:
        work = Work(target, known.cases, variants, replace(dataset, test_inputs=inputs), known.plan)
        return {"outputs": shard_jobs, "latency": round_jobs}[kind](work, known.cases)[0]

    inverted = tuple(255 - np.asarray(array) for array in dataset.test_inputs)
    with closing(connect(target, "a-run")) as connection:
        connection.run(job(dataset.test_inputs), ignore)
        with pytest.raises(JobFailed, match="was recorded with another test set"):
            connection.run(job(inverted), ignore)


@pytest.mark.parametrize(("name", "value"), [("min_runs", 49), ("min_s", 6.0), ("warmup_s", 0.2), ("max_runs", 20_000)])
def test_a_replay_does_not_answer_for_another_plan(tmp_path: Path, name: str, value: float) -> None:
    job = jobs_of("int8")["latency"]
    recorded = job.spec[name]
    with closing(connect(replay(tmp_path), "a-run")) as connection, pytest.raises(JobFailed) as caught:
        connection.run(replace(job, spec=job.spec | {name: value}), ignore)
    assert f"with plan quick ({name} {recorded})" in str(caught.value)
    assert f"the plan that is asked for has {name} {value}" in str(caught.value) and "plan" in caught.value.advice


def test_a_replay_under_another_name_tells_of_the_asked_for_case(tmp_path: Path) -> None:
    job = jobs_of("int8")["latency"]
    renamed = replace(job, case=replace(job.case, target="pi"))
    with closing(connect(replace(replay(tmp_path), name="pi"), "a-run")) as connection:
        assert piece_of(connection, renamed, tmp_path / "piece").case.target == "pi"


def test_a_replay_refuses_a_job_that_was_not_recorded(tmp_path: Path) -> None:
    with closing(connect(replay(tmp_path), "a-run")) as connection, pytest.raises(JobFailed, match="has no job"):
        connection.run(replace(jobs_of("int8")["latency"], id="round-099.int8.x.t1"), ignore)


@pytest.mark.parametrize("host", [None, "", "/nonexistent/raw/host", str(RECORDED / "raw" / "nobody")])
def test_a_replay_of_nothing_is_the_users_mistake(host: str | None) -> None:
    with pytest.raises(ConfigError, match="which is not a recording"):
        connect(Target("host", "replay", host=host), "a-run")


def test_an_unknown_kind_is_told_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="'pigeon'") as caught:
        connect(Target("host", "pigeon"), "a-run")
    assert "local" in caught.value.advice


# A real server.


def test_bytes_are_counted_as_they_are_sent(tmp_path: Path, own_lock: Path) -> None:
    blobs = jobs_of("int8")["outputs"].blobs
    with closing(connect(local(tmp_path), "a-run")) as connection:
        connection.send(blobs.values())
        assert connection.bytes_sent == {"blobs": sum(len(blob.read()) for blob in blobs.values()), "jobs": 0}


def test_a_broken_model_is_a_failed_piece_with_the_devices_words(tmp_path: Path, own_lock: Path) -> None:
    job = jobs_of("int8")["outputs"]
    broken = replace(job, blobs={**job.blobs, "model.tflite": Blob(lambda: npy_bytes(np.zeros(3)))})
    with closing(connect(local(tmp_path), "a-run")) as connection:
        piece = piece_of(connection, broken, tmp_path / "piece")
    assert isinstance(piece, Shard) and piece.status == "failed"
    assert piece.reason.startswith("ValueError: ")


def test_a_job_over_its_time_limit_is_a_failed_piece_that_says_so(tmp_path: Path, own_lock: Path) -> None:
    job = replace(jobs_of("int8")["latency"], spec=endless(RUNTIMES[0]), limit_s=0.5)
    job = replace(job, blobs={**job.blobs, "inputs/0.npy": job.blobs["inputs/0-0.npy"]})
    with closing(connect(local(tmp_path), "a-run")) as connection:
        piece = piece_of(connection, job, tmp_path / "piece")
    assert isinstance(piece, Round) and piece.status == "failed"
    assert "no answer for 0.5 s" in piece.reasons[0]


def test_a_device_that_is_in_use_names_its_holder(tmp_path: Path, own_lock: Path) -> None:
    with (
        closing(connect(local(tmp_path), "the-first-run")),
        pytest.raises(TargetBusy, match="run the-first-run, since"),
    ):
        connect(local(tmp_path), "a-run")
    connect(local(tmp_path), "a-run").close()


def test_a_file_whose_hash_is_wrong_is_an_error_and_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = device_source(tmp_path, ("sha256=sha256(path))", 'sha256="0" * 64)'))
    monkeypatch.setattr(code, "SOURCE", source)
    with closing(connect(local(tmp_path), "a-run")) as connection:
        with pytest.raises(TargetUnreachable, match="damaged"):
            piece_of(connection, jobs_of("int8")["outputs"], tmp_path / "piece")
        assert list((tmp_path / "piece").iterdir()) == []


@pytest.mark.parametrize("name", ["../evil", "evil.pyc", "outputs/../../evil", "/evil"])
def test_a_file_that_was_not_asked_for_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    source = device_source(tmp_path, ("name=name, size=size", f"name={name!r}, size=size"))
    monkeypatch.setattr(code, "SOURCE", source)
    with closing(connect(local(tmp_path), "a-run")) as connection, pytest.raises(TargetUnreachable, match="damaged"):
        piece_of(connection, jobs_of("int8")["outputs"], tmp_path / "piece")
    assert not (tmp_path / "evil").exists()


def test_a_file_too_large_to_be_true_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code, "SOURCE", device_source(tmp_path, ("size=size", "size=1 << 50")))
    with closing(connect(local(tmp_path), "a-run")) as connection, pytest.raises(TargetUnreachable, match="bytes"):
        piece_of(connection, jobs_of("int8")["outputs"], tmp_path / "piece")


def test_noise_where_a_message_should_be_is_a_broken_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = device_source(tmp_path)
    append(source, "__init__.py", "import os\nos.write(1, b'Welcome to raspberrypi\\n')\n")
    monkeypatch.setattr(code, "SOURCE", source)
    with pytest.raises(TargetUnreachable, match="Welcome to raspberrypi"):
        connect(local(tmp_path), "a-run")
    assert processes_with(str(tmp_path)) == []


def test_a_server_that_dies_is_a_broken_link_and_its_job_dies_too(tmp_path: Path, own_lock: Path) -> None:
    job = replace(jobs_of("int8")["latency"], spec=endless(RUNTIMES[0]))
    job = replace(job, blobs={**job.blobs, "inputs/0.npy": job.blobs["inputs/0-0.npy"]})
    connection = connect(local(tmp_path), "a-run")
    assert isinstance(connection, ServerConnection)
    connection.send(job.blobs.values())
    process = connection._process
    hear = connection._hear

    def kill_then_hear(*events: str, **options: str) -> dict[str, object]:
        if process.poll() is None:
            wait_for(lambda: children(process.pid))
            process.kill()
            process.wait()
        return hear(*events, **options)

    connection._hear = kill_then_hear  # type: ignore[method-assign]
    with closing(connection), pytest.raises(TargetUnreachable, match="lost host") as caught:
        connection.run(job, ignore)
    assert "resume" in caught.value.advice
    wait_for(lambda: not processes_with(str(tmp_path)), 5)


def test_a_workdir_that_cannot_be_written_is_told(tmp_path: Path, own_lock: Path) -> None:
    (tmp_path / "device").mkdir()
    (tmp_path / "device" / "blobs").write_text("a file where a folder should be")
    with pytest.raises(HarnessError, match="blobs"):
        connect(local(tmp_path), "a-run")


def test_the_code_is_installed_once_and_named_by_its_hash(tmp_path: Path, own_lock: Path) -> None:
    from harness.measure.connections.local import install

    first = install(tmp_path / "device")
    assert install(tmp_path / "device") == first
    append(own_lock, "job.py", "# changed\n")
    assert install(tmp_path / "device") != first
    assert len(list(first.parent.iterdir())) == 2


def test_a_spooled_job_survives_the_connection_that_asked_for_it(tmp_path: Path, own_lock: Path) -> None:
    job = jobs_of("int8")["outputs"]
    with closing(connect(local(tmp_path), "a-run")) as first:
        first.send(job.blobs.values())
        first.run(job, ignore)  # and the link breaks before it is fetched
    (state,) = (tmp_path / "device").glob("spool/a-run/*/state.json")
    measured = state.read_bytes()
    with closing(connect(local(tmp_path), "a-run")) as second:
        piece_of(second, job, tmp_path / "piece")
    assert (tmp_path / "piece" / "state.json").read_bytes() == measured
    assert not state.exists()


# A server that lies: a script in its place.

LIAR = """
import json, sys
def say(**message):
    sys.stdout.buffer.write(json.dumps(message).encode() + b"\\n")
    sys.stdout.flush()
def hear():
    return json.loads(sys.stdin.buffer.readline())
hear()
"""


def lying(folder: Path, script: str) -> ServerConnection:
    (folder / "liar.py").write_text(LIAR + script)
    return ServerConnection(local(folder), "a-run", [sys.executable, str(folder / "liar.py")], str(folder))


READY = "say(event='ready', environment={})\n"


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("say(event='ready', environment=3)", "answered"),
        ("say(event='welcome')", "out of turn"),
        ("say(hello='pi')", "answered"),
        ("say(event=['ready'])", "answered"),
        ("print('[1, 2]', flush=True)", "answered"),
        ("print('x' * (2 << 20), flush=True)", "lost host"),
        ("", "lost host"),
        ("say(event='busy')", "answered"),
        ("say(event='error', what=3)", "answered"),
    ],
)
def test_a_server_that_talks_nonsense_is_a_broken_link(tmp_path: Path, script: str, told: str) -> None:
    with pytest.raises(TargetError, match=told):
        lying(tmp_path, script)


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("say(event='file', name='state.json', size=-1, sha256='')", "announced"),
        ("say(event='file', name='state.json', size=1 << 31, sha256='')", "announced"),
        ("say(event='file', name='state.json', size='many', sha256='')", "answered"),
        ("say(event='file')", "answered"),
        ("say(event='file', name=['state.json'], size=0, sha256='')", "answered"),
        ("say(event='file', name='outputs/0.npy\\n', size=0, sha256='')", "damaged"),
        ("say(event='file', name='state.json', size=4, sha256='')\nprint('{}', end='')", "lost host"),
    ],
)
def test_a_server_that_sends_nonsense_for_a_file_is_a_broken_link(tmp_path: Path, script: str, told: str) -> None:
    with (
        closing(lying(tmp_path, READY + "hear()\n" + script)) as connection,
        pytest.raises(TargetUnreachable, match=told),
    ):
        connection.fetch(jobs_of("int8")["latency"], tmp_path / "piece")


def test_a_server_that_never_stops_sending_is_stopped(tmp_path: Path) -> None:
    empty = hashlib.sha256(b"").hexdigest()
    script = f"hear()\nwhile True: say(event='file', name='stderr.txt', size=0, sha256={empty!r})"
    with closing(lying(tmp_path, READY + script)) as connection, pytest.raises(TargetUnreachable, match="twice"):
        connection.fetch(jobs_of("int8")["latency"], tmp_path / "piece")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "HEARTBEAT_S", 0.1)
    monkeypatch.setattr(server, "SILENCE_S", 0.5)


HANGS = "import time\ntime.sleep(60)\n"
ASKED = "while (m := hear())['op'] != 'missing': pass\nsay(event='missing', sha256=m['sha256'])\n"
PART_OF_A_FILE = "hear()\nsay(event='file', name='state.json', size=9, sha256='')\nprint('{', end='', flush=True)\n"
WAITS: dict[str, tuple[str, Callable[[ServerConnection, Path], object]]] = {  # what it does at last, what we ask
    "at a job": ("", lambda connection, _: connection.run(jobs_of("int8")["latency"], ignore)),
    "in a job": ("say(event='begin')\n", lambda connection, _: connection.run(jobs_of("int8")["latency"], ignore)),
    "when asked for blobs": ("", lambda connection, _: connection.send([Blob(lambda: b"x")])),
    "while it takes a blob": (ASKED, lambda connection, _: connection.send([Blob(lambda: bytes(1 << 20))])),
    "in a file": (PART_OF_A_FILE, lambda connection, folder: connection.fetch(jobs_of("int8")["latency"], folder)),
}


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("where", WAITS)
@pytest.mark.alone
def test_a_server_that_hangs_is_given_up(tmp_path: Path, where: str) -> None:
    script, verb = WAITS[where]
    begin = time.monotonic()
    with closing(lying(tmp_path, READY + script + HANGS)) as connection:
        with pytest.raises(TargetUnreachable, match=r"said nothing for 0\.5 s") as caught:
            verb(connection, tmp_path / "piece")
        assert "resume" in caught.value.advice
    assert time.monotonic() - begin < 10
    assert processes_with(str(tmp_path)) == []


@pytest.mark.usefixtures("impatient")
@pytest.mark.alone
def test_signs_of_life_keep_a_server_that_says_nothing_else(tmp_path: Path) -> None:
    script = "hear()\nimport time\nfor _ in range(15): say(event='alive') or time.sleep(.1)\nsay(event='done')\n"
    with closing(lying(tmp_path, READY + script + HANGS)) as connection:
        assert connection.run(jobs_of("int8")["outputs"], ignore) is None


@pytest.mark.usefixtures("impatient")
def test_a_host_that_was_busy_itself_blames_no_device(tmp_path: Path, own_lock: Path) -> None:
    with closing(connect(local(tmp_path), "a-run")) as connection:
        time.sleep(1.5)
        connection.send([Blob(lambda: b"x")])
        assert connection.bytes_sent["blobs"] == 1


def test_what_a_device_says_cannot_command_the_terminal(tmp_path: Path) -> None:
    with pytest.raises(TargetBusy) as caught:
        lying(tmp_path, "say(event='busy', holder='\\x1b]0;owned\\x07 ann')")
    assert str(caught.value).isprintable() and "ann" in str(caught.value)


def test_a_full_disk_is_told_in_the_devices_words(tmp_path: Path) -> None:
    """The server goes in the middle of a blob; why, it said before."""
    script = "import os\nprint(json.dumps({'event': 'missing', 'sha256': hear()['sha256']}), flush=True)\n"
    script += "say(event='error', what='OSError: [Errno 28] No space left on device')\nos._exit(0)"
    with (
        closing(lying(tmp_path, READY + script)) as connection,
        pytest.raises(JobFailed, match="No space left on device"),
    ):
        connection.send([Blob(lambda: bytes(4 << 20))])
