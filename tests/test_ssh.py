"""Running on a board that is set up, over real ssh: answers, bytes, broken links, crowded and unwell boards."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pytest

from harness.measure.connections import connect
from harness.measure.connections import device_code as code
from harness.measure.connections.link import workdir
from harness.pipeline import measure_target
from harness.records import Target
from harness.runs.header import read_header
from harness.runs.loading import load
from harness.runs.record import Record
from tests.devices import RECORDED, Quiet, device_source, wait_for
from tests.virtual_pi import ALL_RUNTIMES, WORKDIR, Board, Desk, PiRun, SetUp, ended, skip

pytestmark = pytest.mark.board

NOTICED_S = 30  # a broken link, at most
GONE_S = 45  # a server that hears nothing, and its job, at most
LARGE = 32 << 20  # more than a moment on the way


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def spoken(path: str) -> str:
    """The path in the board's shell."""
    return shlex.quote(path)


# setup, and doctor on a healthy board.


def test_setup_without_an_index_on_the_device_sends_the_wheels(setting_up: SetUp) -> None:
    said = "\n".join(setting_up.said)
    assert "downloading its wheels here and sending them" in said
    assert all(f"pi: {runtime}" in said for runtime in ALL_RUNTIMES) and said.count(" works") == len(ALL_RUNTIMES)


def test_setup_has_nothing_to_do_the_second_time(desk: Desk, pi: Target) -> None:
    begin = time.monotonic()
    done = desk.harness("setup", "pi")
    assert done.returncode == 0 and "pi is set up" in done.stderr
    assert time.monotonic() - begin < 10


def test_doctor_finds_nothing_in_the_way_of_a_good_board(desk: Desk, pi: Target) -> None:
    found = desk.findings("pi", exit_code=0)
    assert {found[runtime]["level"] for runtime in ALL_RUNTIMES} == {"ok"}


@pytest.mark.parametrize(
    ("file", "ill", "well", "topic", "words"),
    [
        ("/sys/class/thermal/thermal_zone0/temp", "84000", "48199", "temperature", "84 °C, over the 60 °C"),
        ("/run/vpi/throttled", "0x50005", "0x0", "throttling", "under-voltage, throttled now (0x50005)"),
    ],
)
def test_doctor_sees_an_ill_board(
    desk: Desk, pi: Target, set_up_board: Board, file: str, ill: str, well: str, topic: str, words: str
) -> None:
    set_up_board.ssh(f"echo {ill} | sudo tee {file}")
    try:
        found = desk.findings("pi", exit_code=1)
    finally:
        set_up_board.ssh(f"echo {well} | sudo tee {file}")
    assert found[topic]["level"] == "problem" and found[topic]["advice"]
    assert words in found[topic]["text"]


def test_throttling_that_is_over_is_no_obstacle(desk: Desk, pi: Target, set_up_board: Board) -> None:
    set_up_board.ssh("echo 0x50000 | sudo tee /run/vpi/throttled")
    try:
        finding = desk.findings("pi", exit_code=0)["throttling"]
    finally:
        set_up_board.ssh("echo 0x0 | sudo tee /run/vpi/throttled")
    assert finding["level"] == "note" and "none now" in finding["text"]


def test_a_board_in_use_is_told_by_doctor_and_refused_to_a_run(desk: Desk, pi: Target) -> None:
    with closing(connect(pi, "the-first-run")):
        finding = desk.findings("pi", exit_code=1)["in use"]
        refused = PiRun(desk, pi).go_on()
    assert finding["level"] == "problem" and "run the-first-run" in finding["text"]
    assert refused.returncode == 3 and "is held by" in refused.stderr and "run the-first-run" in refused.stderr


# A run.


@pytest.fixture(scope="module")
def first_run(set_up_board: Board, tmp_path_factory: pytest.TempPathFactory) -> PiRun:
    """The recorded run, measured on the board in one go."""
    set_up_board.heal()
    folder = tmp_path_factory.mktemp("first run")
    run = PiRun(Desk(folder), set_up_board.write_target(folder))
    done = run.go_on(300)
    assert done.returncode == 0, done.stderr
    return run


def recorded_outputs() -> dict[str, np.ndarray]:
    """What this kind of machine, an x86-64, answered."""
    return {f"{s.case.variant} {s.case.runtime}": np.asarray(s.outputs[0]) for s in load(RECORDED).shards}


def test_int8_answers_are_the_hosts_bit_for_bit_on_tflite_runtime(first_run: PiRun) -> None:
    np.testing.assert_array_equal(first_run.outputs()["int8 tflite-runtime"], recorded_outputs()["int8 tflite-runtime"])


def test_int8_answers_are_the_hosts_up_to_a_rare_step_on_ai_edge_litert(first_run: PiRun) -> None:
    """Its aarch64 build looks softmax up in a table of its own.

    One step off are 18 of 100,000 outputs over MNIST, and 8 of these 5,000.
    """
    ours, theirs = (outputs["int8 ai-edge-litert"].astype(int) for outputs in (first_run.outputs(), recorded_outputs()))
    assert np.abs(ours - theirs).max() <= 1
    assert (ours != theirs).mean() <= 0.005


@pytest.mark.parametrize("runtime", ALL_RUNTIMES)
def test_float_answers_are_the_hosts_to_rounding(first_run: PiRun, runtime: str) -> None:
    """Over MNIST they are at most 1.8e-6 apart: other instructions, another order of the sums."""
    ours, theirs = first_run.outputs()[f"float32 {runtime}"], recorded_outputs()[f"float32 {runtime}"]
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=5e-6)


def test_the_board_is_described_and_its_state_kept_with_each_round(first_run: PiRun) -> None:
    run = load(first_run.path)
    environment = run.targets[0].environment
    assert environment is not None
    assert environment.board and environment.board.startswith("Raspberry Pi 4") and environment.machine == "aarch64"
    assert environment.revision == "c03115" and len(environment.serial_sha256 or "") == 64
    assert len(run.rounds) == len(run.cases) * run.plan.rounds
    for piece in run.rounds:
        for state in (piece.before, piece.after):
            assert state is not None
            assert (state.temperature_c, state.throttled, state.governor) == (48.199, "0x0", "ondemand")


def test_an_emulated_board_betrays_itself_and_no_latency_is_claimed_for_it(first_run: PiRun) -> None:
    assert not first_run.target.emulated  # its file does not say so
    environment = json.loads((first_run.path / "run.json").read_text())["targets"][0]["environment"]
    assert environment["emulation"] == "QEMU_CPU is set to cortex-a72"
    report = (first_run.path / "report.md").read_text()
    assert "emulated" in report
    assert "no latency claim" in report
    rows = (first_run.path / "summary.csv").read_text().splitlines()
    columns = rows[0].split(",")
    assert {row.split(",")[columns.index("emulated")] for row in rows[1:]} == {"true"}


def test_a_second_run_sends_no_blob_again(first_run: PiRun, desk: Desk, pi: Target, set_up_board: Board) -> None:
    assert first_run.bytes_sent()["blobs"] > 0
    before = set_up_board.ssh(f"ls -i {spoken(workdir(pi))}/blobs")
    second = PiRun(desk, pi, ["tflite-runtime"], rounds=0)
    done = second.go_on(300)
    assert done.returncode == 0, done.stderr
    assert second.bytes_sent()["blobs"] == 0 and second.bytes_sent()["jobs"] > 0
    assert set_up_board.ssh(f"ls -i {spoken(workdir(pi))}/blobs") == before
    assert set_up_board.ssh(f"ls {spoken(workdir(pi))}/code").count("\n") == 1
    assert set_up_board.ssh(f"ls {spoken(workdir(pi))}/spool") == ""


# A link that breaks.


@dataclass(frozen=True)
class Break:
    """A way to lose the board, and how it comes back."""

    strike: Callable[[Board], object]
    mend: Callable[[Board], object]


BREAKS = {
    "power cut": Break(Board.kill, Board.start),
    "hangs": Break(Board.freeze, Board.thaw),
    "cable out": Break(Board.pull, Board.plug_in),
}


def transferring(board: Board) -> bool:
    """Whether a large blob is on its way: some of it has arrived."""
    parts = board.seen(WORKDIR).glob("blobs/*.part")
    return any(part.stat().st_size > 1 << 20 for part in parts)


def in_a_shard(board: Board) -> bool:
    return any(" fork " in command and "/shard-" in command for command in board.ours())


def in_a_round(board: Board) -> bool:
    return any(" job " in command and "/round-" in command for command in board.ours())


@pytest.mark.parametrize("how", BREAKS)
def test_a_lost_link_is_told_in_time_and_the_run_goes_on_to_the_same_result(
    how: str, desk: Desk, pi: Target, set_up_board: Board, first_run: PiRun
) -> None:
    set_up_board.ssh(f"rm -rf {spoken(workdir(pi))}/blobs")
    run = PiRun(desk, pi, ["tflite-runtime"], padding=LARGE)
    before: dict[str, int] = {}
    for moment in (transferring, in_a_shard, in_a_round):
        process = run.start()
        wait_for(lambda: moment(set_up_board) or process.poll() is not None, 60)  # noqa: B023 (called at once)
        assert process.poll() is None, process.communicate()
        begin = time.monotonic()
        BREAKS[how].strike(set_up_board)
        done = ended(process, NOTICED_S + 30)
        assert time.monotonic() - begin < NOTICED_S
        assert done.returncode == 3, done.stderr
        assert "pi" in done.stderr and f"harness run --resume {run.path.name}" in done.stderr
        assert "Traceback" not in done.stderr
        BREAKS[how].mend(set_up_board)
        set_up_board.wait_until_idle(GONE_S)
        assert before.items() <= run.measured().items()
        before = run.measured()
    assert 0 < len(before) < run.pieces
    done = run.go_on()
    assert done.returncode == 0, done.stderr
    assert before.items() <= run.measured().items() and len(run.measured()) == run.pieces
    whole = first_run.outputs()
    assert run.outputs().keys() == {"int8 tflite-runtime", "float32 tflite-runtime"}
    for case, outputs in run.outputs().items():
        np.testing.assert_array_equal(outputs, whole[case])


@pytest.mark.parametrize(
    ("how", "exit_code", "seconds"), [(signal.SIGINT, 130, 10), (signal.SIGKILL, -signal.SIGKILL, GONE_S)]
)
def test_what_ends_the_host_ends_the_board_too(
    desk: Desk, pi: Target, set_up_board: Board, how: signal.Signals, exit_code: int, seconds: float
) -> None:
    run = PiRun(desk, pi, ["tflite-runtime"])
    process = run.start()
    wait_for(lambda: in_a_round(set_up_board) or process.poll() is not None)
    process.send_signal(how)
    done = ended(process, 30)
    assert done.returncode == exit_code, done.stderr
    set_up_board.wait_until_idle(seconds)
    assert run.go_on().returncode == 0


# A board that is unwell in its own way.


def test_a_full_disk_is_told_and_given_back(desk: Desk, pi: Target, set_up_board: Board) -> None:
    set_up_board.ssh("mkdir -p ~/small && sudo mount -t tmpfs -o size=8m,uid=1000 tmpfs ~/small")
    try:
        small = set_up_board.write_target(desk.folder, "small", workdir=set_up_board.prepare("~/small"))
        finding = desk.findings("small", exit_code=1)["disk"]
        done = PiRun(desk, small, ["tflite-runtime"], padding=LARGE).go_on()
        left = set_up_board.ssh("ls ~/small/blobs")
    finally:
        set_up_board.ssh("sudo umount ~/small")
    assert finding["level"] == "problem" and "make room" in finding["advice"]
    assert done.returncode == 3 and "No space left" in done.stderr
    assert ".part" not in left


def test_a_start_up_file_that_prints_is_told(desk: Desk, pi: Target, set_up_board: Board) -> None:
    set_up_board.ssh("cp .bashrc kept && (echo 'echo Welcome to raspberrypi'; cat kept) > .bashrc")
    try:
        looked, ran = desk.harness("doctor", "pi"), PiRun(desk, pi).go_on()
    finally:
        set_up_board.ssh("mv kept .bashrc")
    for done in (looked, ran):
        assert done.returncode == 3 and "Welcome to raspberrypi" in done.stderr


# Names.


@pytest.mark.parametrize("odd", ["~/~tilde 'and' \"quotes\"; touch hacked #", "/opt/$(touch hacked) `touch hacked`"])
def test_a_workdir_may_have_any_name(desk: Desk, pi: Target, set_up_board: Board, odd: str) -> None:
    target = set_up_board.write_target(desk.folder, "odd", workdir=odd)
    set_up_board.ssh(f"sudo install -d -o pi {spoken(workdir(target))}")
    set_up_board.ssh(f"ln -s ~/{spoken(WORKDIR[2:])}/venv {spoken(workdir(target))}/venv")
    assert desk.findings("odd", exit_code=0)["tflite-runtime"]["level"] == "ok"
    done = PiRun(desk, target, ["tflite-runtime"], rounds=0).go_on()
    assert done.returncode == 0, done.stderr
    assert set_up_board.ssh(f"ls {spoken(workdir(target))}/blobs").count("\n") == 4  # 2 models, test set, audit
    assert set_up_board.ssh("find / -xdev -name hacked 2>/dev/null; true") == ""


def test_a_destination_of_the_users_ssh_config_needs_no_file(desk: Desk, pi: Target, set_up_board: Board) -> None:
    ssh = desk.folder / "bin" / "ssh"
    ssh.parent.mkdir()
    ssh.write_text(f'#!/bin/sh\nexec /usr/bin/ssh -F {shlex.quote(str(pi.ssh_config))} "$@"\n')  # the user's own, say
    ssh.chmod(0o755)
    path = f"{ssh.parent}:{os.environ['PATH']}"
    for destination in ("virtual-pi", "pi@virtual-pi", "ssh://pi@virtual-pi:22"):
        done = desk.harness("doctor", destination, "--json", PATH=path)
        assert done.returncode == 1, done.stderr  # its default workdir is not set up
        assert "Raspberry Pi 4" in done.stdout


def test_a_jump_host_of_the_users_ssh_config_is_used(desk: Desk, pi: Target, set_up_board: Board) -> None:
    config, home = desk.folder / "ssh_config", set_up_board.home  # ssh itself breaks where its path has a space
    config.write_text(
        f'Include "{home}/ssh_config"\n'
        f"Host behind\n  HostName {set_up_board.address}\n  User pi\n  ProxyJump virtual-pi\n"
        f'  IdentityFile "{home}/id_ed25519"\n  UserKnownHostsFile "{home}/known_hosts"\n'
    )
    set_up_board.write_target(desk.folder, "far", host="behind", ssh_config=str(config))
    log = len((home / "log").read_text())
    assert desk.findings("far", exit_code=0)["link"]["level"] == "ok"
    assert f"Accepted publickey for pi from {set_up_board.address}" in (home / "log").read_text()[log:]


# The main job: the whole test set of MNIST, every variant, both runtimes.

MNIST_S = 1800  # emulated; three to four minutes on two busy cores


@pytest.fixture(scope="module")
def mnist(set_up_board: Board, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run, measured on the board."""
    if not os.environ.get("HARNESS_MNIST"):
        skip("HARNESS_MNIST is not set")
    set_up_board.heal()
    desk = Desk(tmp_path_factory.mktemp("mnist"))
    set_up_board.write_target(desk.folder)
    words = ["run", "mnist", "-t", "pi", "--plan", "none", "--results", str(desk.results)]
    done = desk.harness(*words, timeout=MNIST_S)
    assert done.returncode == 0, done.stderr
    return (desk.results / "mnist" / "latest").resolve()


@pytest.fixture(scope="module")
def answers(mnist: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], list[np.ndarray]]:
    """Variant and runtime → what the board answered, and what this machine does to the same files."""
    folder = tmp_path_factory.mktemp("on the host")
    path = folder / "results" / "mnist" / mnist.name
    shutil.copytree(mnist, path, ignore=shutil.ignore_patterns("raw", "manifest.json"))
    content = json.loads((path / "run.json").read_text())
    content["finished"] = False  # it is another run, which begins here
    content["targets"] = [{"target": asdict(Target("host", workdir=str(folder / "device")))}]
    content["cases"] = [case | {"target": "host"} for case in content["cases"]]
    (path / "run.json").write_text(json.dumps(content))
    record = Record(path, read_header(path))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(code, "SOURCE", device_source(folder))
        measure_target(record, record.header.targets[0], Quiet())
    pieces: dict[tuple[str, str], list[np.ndarray]] = {}
    for run in (load(mnist), load(path)):
        for key in {(s.case.variant, s.case.runtime) for s in run.shards}:
            shards = sorted((s for s in run.shards if (s.case.variant, s.case.runtime) == key), key=lambda s: s.first)
            pieces.setdefault(key, []).append(np.concatenate([s.outputs[0] for s in shards]))
    return pieces


@pytest.mark.slow
def test_every_variant_answers_the_whole_of_mnist_on_both_runtimes(mnist: Path) -> None:
    run = load(mnist)
    assert run.finished and {s.status for s in run.shards} == {"ok"}
    covered = {(s.case.variant, s.case.runtime, n) for s in run.shards for n in range(s.first, s.last)}
    assert len(covered) == 6 * 2 * 10_000


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["int8", "int8_float_io", "int16x8"])
def test_integer_variants_answer_mnist_as_the_host_does_bit_for_bit_on_tflite_runtime(
    answers: dict[tuple[str, str], list[np.ndarray]], variant: str
) -> None:
    here, there = answers[variant, "tflite-runtime"]
    np.testing.assert_array_equal(here, there)


@pytest.mark.slow
def test_int8_answers_mnist_as_the_host_does_up_to_a_rare_step_on_ai_edge_litert(
    answers: dict[tuple[str, str], list[np.ndarray]],
) -> None:
    ours, theirs = (outputs.astype(int) for outputs in answers["int8", "ai-edge-litert"])
    assert np.abs(ours - theirs).max() <= 1
    assert (ours != theirs).mean() <= 0.001


@pytest.mark.slow
@pytest.mark.parametrize("runtime", ALL_RUNTIMES)
@pytest.mark.parametrize("variant", ["float32", "float16"])
def test_float_variants_answer_mnist_as_the_host_does_to_rounding(
    answers: dict[tuple[str, str], list[np.ndarray]], variant: str, runtime: str
) -> None:
    here, there = answers[variant, runtime]
    np.testing.assert_allclose(here, there, rtol=0, atol=5e-6)
